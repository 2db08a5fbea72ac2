//! What each does when something happens to it.

use super::world::{Command, Lease, Reader, Rules, Sender, World, Writer};
use crate::through::fence::Admit;
use crate::through::steps::{Looked, ReadStep, Reading, WriteStep, Writing};

/// A read ended with this version.
pub(super) fn ended(
    world: &mut World,
    p: usize,
    r: usize,
    version: u8,
    joined: bool,
) -> Result<(), String> {
    let read = &mut world.processes[p].reads[r];
    let floor = if joined {
        read.own
    } else {
        read.own.max(read.any)
    };
    if version < floor {
        return Err(format!(
            "process {p} read {version}, and {floor} had been written"
        ));
    }
    read.at = Reader::Idle;
    read.own = 0;
    read.any = 0;
    Ok(())
}

/// The read that leads ended, and with it those that joined.
pub(super) fn landed(world: &mut World, p: usize, r: usize, version: u8) -> Result<(), String> {
    let flight = world.processes[p].reads[r].flight;
    ended(world, p, r, version, false)?;
    for other in 0..world.processes[p].reads.len() {
        let read = &world.processes[p].reads[other];
        if read.at == Reader::Joined && read.flight == flight {
            ended(world, p, other, version, true)?;
        }
    }
    world.processes[p].fence.leave(flight);
    Ok(())
}

pub(super) fn send(world: &mut World, command: Command, sender: Sender) {
    world.wire.push((command, Some(sender)));
}

/// A read becomes known to its process; `down` says that memcached has given it no answer.
pub(super) fn enter(world: &mut World, p: usize, r: usize, down: bool) -> Result<(), String> {
    let process = &mut world.processes[p];
    let admit = process.fence.enter(0, process.next);
    let read = &mut process.reads[r];
    match admit {
        Admit::Past => read.at = Reader::Past,
        Admit::Join(flight) => {
            read.flight = flight;
            read.at = Reader::Joined;
        }
        Admit::Lead(flight) => {
            read.flight = flight;
            process.next += 1;
            let mut reading = Reading::new();
            let step = match down {
                true => reading.looked(Looked::Down, false),
                false => reading.start(),
            };
            read_step(world, p, r, step, reading)?;
        }
    }
    Ok(())
}

pub(super) fn read_step(
    world: &mut World,
    p: usize,
    r: usize,
    step: ReadStep<Lease, u8>,
    reading: Reading<Lease>,
) -> Result<(), String> {
    let at = match step {
        ReadStep::Look => {
            send(world, Command::Look, (p, Some(r)));
            Reader::Looking(reading)
        }
        ReadStep::Wait => Reader::Waiting(reading),
        ReadStep::Load => Reader::Loading(reading),
        ReadStep::Serve(version) => return landed(world, p, r, version),
        step => {
            return Err(format!(
                "a step that no reader of the model takes: {step:?}"
            ));
        }
    };
    world.processes[p].reads[r].at = at;
    Ok(())
}

pub(super) fn write_step(
    world: &mut World,
    rules: &Rules,
    p: usize,
    step: WriteStep<Lease>,
    writing: Writing<Lease>,
    version: u8,
    acknowledged: bool,
) {
    let at = match step {
        WriteStep::Delete if version == 0 => {
            send(world, Command::Delete, (p, None));
            Writer::Deleting(writing)
        }
        WriteStep::Delete => {
            if rules.deletes_after {
                send(world, Command::Delete, (p, None));
            } else {
                return write_step(
                    world,
                    rules,
                    p,
                    WriteStep::Done { doubted: false },
                    writing,
                    version,
                    true,
                );
            }
            Writer::Deleting2(writing, version)
        }
        WriteStep::Lease => {
            send(world, Command::Look, (p, None));
            Writer::Leasing(writing)
        }
        WriteStep::Write => Writer::Writing(writing),
        WriteStep::Fill(lease) => {
            if rules.bound && lease.0 != world.restarts {
                let step = writing.filled(false);
                return write_step(world, rules, p, step, writing, version, false);
            }
            send(world, Command::Fill(lease.1, version), (p, None));
            Writer::Filling(writing, version)
        }
        WriteStep::Done { doubted } => {
            let process = &mut world.processes[p];
            if rules.fenced {
                process.fence.end_write(doubted.then_some(1));
            }
            if version != u8::MAX {
                process.made = process.made.max(version);
                if acknowledged {
                    world.known = world.known.max(version);
                }
            }
            Writer::Idle
        }
    };
    world.processes[p].write = at;
}

/// The outcome of a command reaches who waits for it. `None`: it never will.
pub(super) fn answered(
    world: &mut World,
    rules: &Rules,
    sender: Sender,
    looked: Option<Looked<Lease, u8>>,
    done: Option<bool>,
) -> Result<(), String> {
    let (p, r) = sender;
    let Some(r) = r else {
        match world.processes[p].write.clone() {
            Writer::Deleting(writing) => {
                let step = writing.deleted(done.is_some());
                write_step(world, rules, p, step, writing, 0, false);
            }
            Writer::Leasing(mut writing) => {
                let lease = match looked {
                    Some(Looked::Win(lease)) => Some(lease),
                    _ => None,
                };
                let step = writing.leased(lease);
                write_step(world, rules, p, step, writing, 0, false);
            }
            Writer::Filling(writing, version) => {
                let stored = done == Some(true);
                let step = writing.filled(stored);
                write_step(world, rules, p, step, writing, version, stored);
            }
            Writer::Deleting2(writing, version) => {
                let step = writing.deleted(done.is_some());
                write_step(world, rules, p, step, writing, version, done.is_some());
            }
            _ => {}
        }
        return Ok(());
    };
    match world.processes[p].reads[r].at.clone() {
        Reader::Peeking => match looked {
            Some(Looked::Hit(version)) => ended(world, p, r, version, false),
            Some(_) => enter(world, p, r, false),
            None => enter(world, p, r, true),
        },
        Reader::Looking(mut reading) => {
            let step = reading.looked(looked.unwrap_or(Looked::Down), true);
            read_step(world, p, r, step, reading)
        }
        Reader::Filling(version) => landed(world, p, r, version),
        _ => Ok(()),
    }
}

/// Memcached carries a command out.
pub(super) fn carry_out(world: &mut World, rules: &Rules, at: usize) -> Result<(), String> {
    let (command, sender) = world.wire.remove(at);
    let mut looked = None;
    let mut done = Some(true);
    match command {
        Command::Peek => {
            looked = Some(match world.item {
                Some((_, Some(version))) => Looked::Hit(version),
                _ => Looked::Lost,
            });
        }
        Command::Look => {
            looked = Some(match world.item {
                Some((_, Some(version))) => Looked::Hit(version),
                Some((_, None)) => Looked::Lost,
                None => {
                    world.number += 1;
                    world.item = Some((world.number, None));
                    Looked::Win((world.restarts, world.number))
                }
            });
        }
        Command::Delete => world.item = None,
        Command::Fill(number, version) => {
            let granted = world.item.is_some_and(|(n, _)| n == number);
            if granted {
                world.number += 1;
                world.item = Some((world.number, Some(version)));
            }
            done = Some(granted);
        }
        Command::Cancel(number) => {
            if world.item.is_some_and(|(n, _)| n == number) {
                world.item = None;
            }
        }
    }
    match sender {
        Some(sender) => answered(world, rules, sender, looked, done),
        None => Ok(()),
    }
}
