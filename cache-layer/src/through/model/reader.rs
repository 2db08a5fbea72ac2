//! What a reader does when something happens to it.

use super::world::{AT, Command, Lease, Reader, Rules, Sender, World, name};
use crate::through::steps::{Looked, ReadStep, Reading};
use crate::through::trust::{Admit, Visit};

fn send(world: &mut World, command: Command, p: usize, r: usize) {
    world.send(command, Some(Sender::Read(p, r)));
}

/// A read begins.
pub(super) fn begin(world: &mut World, rules: &Rules, p: usize, r: usize) {
    let known = world.known;
    let process = &mut world.processes[p];
    let read = &mut process.reads[r];
    read.left -= 1;
    read.floor = process.made.max(known[usize::from(read.owner)]);
    (read.visit, read.asked, read.down) = (Visit::default(), false, false);
    if !rules.finds || !believes(world, rules, p, r) {
        world.processes[p].reads[r].at = Reader::Entering;
    } else if rules.moves > 0 {
        // The list may change before it looks up where to ask.
        world.processes[p].reads[r].at = Reader::Believing;
    } else {
        find(world, p, r);
    }
}

/// A read that may believe memcached asks it.
pub(super) fn find(world: &mut World, p: usize, r: usize) {
    let read = &mut world.processes[p].reads[r];
    let owner = read.owner;
    (read.asked, read.at) = (true, Reader::Finding);
    send(world, Command::Peek(owner), p, r);
}

fn believes(world: &mut World, rules: &Rules, p: usize, r: usize) -> bool {
    let (list, places) = (world.list, world.places(rules));
    let process = &mut world.processes[p];
    process.reads[r].list = list;
    let name = name(process.reads[r].owner);
    process.trust.believes(&name, &places, AT).believed || !rules.trusted
}

/// A read is admitted.
pub(super) fn enter(world: &mut World, rules: &Rules, p: usize, r: usize) -> Result<(), String> {
    let (list, places) = (world.list, world.places(rules));
    let process = &mut world.processes[p];
    let read = &mut process.reads[r];
    let owner = read.owner;
    let visit = &mut read.visit;
    let admit = process.trust.admit(&name(owner), &places, AT, visit, || ());
    match admit {
        Admit::Past => read.at = Reader::Past,
        Admit::Join { number, shares, .. } if shares || !rules.shares_younger => {
            read.at = Reader::Sharing(number);
        }
        Admit::Join { number, .. } => {
            if read.asked || !believes(world, rules, p, r) {
                world.processes[p].reads[r].at = Reader::Meeting(number);
            } else {
                world.processes[p].reads[r].asked = true;
                world.processes[p].reads[r].at = Reader::Asking(number);
                send(world, Command::Peek(owner), p, r);
            }
        }
        Admit::Lead(number, ()) => {
            (read.number, read.list) = (number, list);
            let mut reading = Reading::new();
            let step = match read.down {
                true => reading.looked(Looked::Down, false),
                false => reading.start(),
            };
            step_on(world, p, r, step, reading)?;
        }
    }
    Ok(())
}

pub(super) fn step_on(
    world: &mut World,
    p: usize,
    r: usize,
    step: ReadStep<Lease, u8>,
    reading: Reading<Lease>,
) -> Result<(), String> {
    let owner = world.processes[p].reads[r].owner;
    let at = match step {
        ReadStep::Look => {
            send(world, Command::Look(owner), p, r);
            Reader::Looking(reading)
        }
        ReadStep::Wait => Reader::Waiting(reading),
        ReadStep::Load => Reader::Loading(reading),
        ReadStep::Serve(version) => {
            land(world, p, r, version)?;
            return end(world, p, r, version);
        }
        step => {
            return Err(format!(
                "a step that no reader of the model takes: {step:?}"
            ));
        }
    };
    world.processes[p].reads[r].at = at;
    Ok(())
}

/// What was fetched is here.
pub(super) fn loaded(
    world: &mut World,
    rules: &Rules,
    p: usize,
    r: usize,
    mut reading: Reading<Lease>,
    version: u8,
) -> Result<(), String> {
    land(world, p, r, version)?;
    let process = &mut world.processes[p];
    let (owner, number) = (process.reads[r].owner, process.reads[r].number);
    let current = process.trust.is_current(&name(owner).key, number) || !rules.fenced;
    match reading.loaded::<u8>(true, current) {
        ReadStep::Fill(lease) if !rules.bound || lease.0 == world.connection() => {
            world.processes[p].reads[r].at = Reader::Filling(version);
            send(world, Command::Fill(owner, lease, version), p, r);
            Ok(())
        }
        ReadStep::Cancel(lease) if lease.0 / 2 == world.restarts => {
            world.send(Command::Cancel(owner, lease), None);
            end(world, p, r, version)
        }
        _ => end(world, p, r, version),
    }
}

/// A read has this answer.
pub(super) fn answer(world: &mut World, p: usize, r: usize, version: u8) -> Result<(), String> {
    let read = &mut world.processes[p].reads[r];
    if version < read.floor {
        return Err(format!(
            "process {p} read {version}, and {} had been written",
            read.floor
        ));
    }
    read.at = Reader::Idle;
    (read.floor, read.number) = (0, 0);
    (read.visit, read.asked, read.down) = (Visit::default(), false, false);
    Ok(())
}

/// The answer of a read that leads is known: those who share have it.
fn land(world: &mut World, p: usize, r: usize, version: u8) -> Result<(), String> {
    let number = world.processes[p].reads[r].number;
    for other in 0..world.processes[p].reads.len() {
        if world.processes[p].reads[other].at == Reader::Sharing(number) {
            answer(world, p, other, version)?;
        }
    }
    Ok(())
}

fn end(world: &mut World, p: usize, r: usize, version: u8) -> Result<(), String> {
    leave(world, p, r);
    answer(world, p, r, version)
}

/// A read leads no more: those who met it go on.
fn leave(world: &mut World, p: usize, r: usize) {
    let process = &mut world.processes[p];
    let (owner, number) = (process.reads[r].owner, process.reads[r].number);
    process.trust.leave(&name(owner).key, number, AT.now);
    for other in &mut process.reads {
        if other.at == Reader::Meeting(number) || other.at == Reader::Sharing(number) {
            again(&mut other.at, &mut other.asked, &mut other.down);
        }
    }
}

fn again(at: &mut Reader, asked: &mut bool, down: &mut bool) {
    (*at, *asked, *down) = (Reader::Entering, true, false);
}

/// A read that leads comes to nothing. It begins anew, as those do who met it.
pub(super) fn abandon(world: &mut World, p: usize, r: usize) {
    leave(world, p, r);
    let read = &mut world.processes[p].reads[r];
    let owner = read.owner;
    if let Reader::Loading(mut reading) | Reader::Loaded(mut reading, _) = read.at.clone()
        && let Some(lease) = reading.take_lease()
        && lease.0 / 2 == world.restarts
    {
        world.send(Command::Cancel(owner, lease), None);
    }
    let read = &mut world.processes[p].reads[r];
    read.number = 0;
    again(&mut read.at, &mut read.asked, &mut read.down);
    for (_, _, sender) in &mut world.wire {
        if *sender == Some(Sender::Read(p, r)) {
            *sender = None;
        }
    }
}

/// A read waits for another one no longer.
pub(super) fn take_over(world: &mut World, p: usize, r: usize, number: u64) {
    let read = &mut world.processes[p].reads[r];
    read.visit.over = Some(number);
    again(&mut read.at, &mut read.asked, &mut read.down);
}

/// The outcome of a command reaches a read that waits for it. `None`: it never will.
pub(super) fn told(
    world: &mut World,
    rules: &Rules,
    p: usize,
    r: usize,
    looked: Option<Looked<Lease, u8>>,
) -> Result<(), String> {
    let moved = world.list != world.processes[p].reads[r].list;
    let looked = match looked {
        Some(Looked::Hit(_)) if moved && rules.looks_again => Some(Looked::Down),
        looked => looked,
    };
    let read = &mut world.processes[p].reads[r];
    match read.at.clone() {
        Reader::Finding => match looked {
            Some(Looked::Hit(version)) => answer(world, p, r, version),
            looked => {
                read.down = looked.is_none();
                read.at = Reader::Entering;
                Ok(())
            }
        },
        Reader::Asking(number) => match looked {
            Some(Looked::Hit(version)) => answer(world, p, r, version),
            _ => {
                // It may have ended meanwhile.
                let process = &mut world.processes[p];
                let leads = process.reads.iter().any(|read| read.number == number);
                process.reads[r].at = match leads {
                    true => Reader::Meeting(number),
                    false => Reader::Entering,
                };
                Ok(())
            }
        },
        Reader::Looking(mut reading) => {
            let step = reading.looked(looked.unwrap_or(Looked::Down), true);
            step_on(world, p, r, step, reading)
        }
        Reader::Filling(version) => end(world, p, r, version),
        _ => Ok(()),
    }
}
