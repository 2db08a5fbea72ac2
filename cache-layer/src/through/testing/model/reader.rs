//! What a reader does when something happens to it.

use super::world::{ModelCommand, ModelLease, NOW, ReaderStage, Scenario, Sender, World, name};
use crate::through::steps::{Looked, ReadStep, ReadSteps};
use crate::through::trust::{Admission, Visit};

fn send(world: &mut World, command: ModelCommand, p: usize, r: usize) {
    world.send(command, Some(Sender::Read(p, r)));
}

/// A read begins.
pub(super) fn begin(world: &mut World, scenario: &Scenario, p: usize, r: usize) {
    let known = world.known;
    let process = &mut world.processes[p];
    let read = &mut process.reads[r];
    read.left -= 1;
    read.floor = process.made.max(known[usize::from(read.owner)]);
    (read.visit, read.asked, read.down) = (Visit::default(), false, false);
    if !scenario.finds || !believes(world, scenario, p, r) {
        world.processes[p].reads[r].at = ReaderStage::Entering;
    } else if scenario.moves > 0 {
        // The list may change before it looks up where to ask.
        world.processes[p].reads[r].at = ReaderStage::Believing;
    } else {
        find(world, p, r);
    }
}

/// A read that may believe memcached asks it.
pub(super) fn find(world: &mut World, p: usize, r: usize) {
    let read = &mut world.processes[p].reads[r];
    let owner = read.owner;
    (read.asked, read.at) = (true, ReaderStage::Finding);
    send(world, ModelCommand::Peek(owner), p, r);
}

fn believes(world: &mut World, scenario: &Scenario, p: usize, r: usize) -> bool {
    let (list, places) = (world.list, world.places(scenario));
    let process = &mut world.processes[p];
    process.reads[r].list = list;
    let name = name(process.reads[r].owner);
    process.trust.believes(&name, &places, NOW).believed || !scenario.trusted
}

/// A read is admitted.
pub(super) fn enter(
    world: &mut World,
    scenario: &Scenario,
    p: usize,
    r: usize,
) -> Result<(), String> {
    let (list, places) = (world.list, world.places(scenario));
    let process = &mut world.processes[p];
    let read = &mut process.reads[r];
    let owner = read.owner;
    let visit = &mut read.visit;
    let admit = process
        .trust
        .admit(&name(owner), &places, NOW, visit, || ());
    match admit {
        Admission::Past => read.at = ReaderStage::Past,
        Admission::Join { number, shares, .. } if shares || !scenario.shares_younger => {
            read.at = ReaderStage::Sharing(number);
        }
        Admission::Join { number, .. } => {
            if read.asked || !believes(world, scenario, p, r) {
                world.processes[p].reads[r].at = ReaderStage::Meeting(number);
            } else {
                world.processes[p].reads[r].asked = true;
                world.processes[p].reads[r].at = ReaderStage::Asking(number);
                send(world, ModelCommand::Peek(owner), p, r);
            }
        }
        Admission::Lead(number, ()) => {
            (read.number, read.list) = (number, list);
            let mut reading = ReadSteps::new();
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
    step: ReadStep<ModelLease, u8>,
    reading: ReadSteps<ModelLease>,
) -> Result<(), String> {
    let owner = world.processes[p].reads[r].owner;
    let at = match step {
        ReadStep::Look => {
            send(world, ModelCommand::Look(owner), p, r);
            ReaderStage::Looking(reading)
        }
        ReadStep::Wait => ReaderStage::Waiting(reading),
        ReadStep::Load => ReaderStage::Loading(reading),
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
    scenario: &Scenario,
    p: usize,
    r: usize,
    mut reading: ReadSteps<ModelLease>,
    version: u8,
) -> Result<(), String> {
    land(world, p, r, version)?;
    let process = &mut world.processes[p];
    let (owner, number) = (process.reads[r].owner, process.reads[r].number);
    let current = process.trust.is_current(&name(owner).key, number) || !scenario.fenced;
    match reading.loaded::<u8>(true, current) {
        ReadStep::Fill(lease) if !scenario.bound || lease.0 == world.connection() => {
            world.processes[p].reads[r].at = ReaderStage::Filling(version);
            send(world, ModelCommand::Fill(owner, lease, version), p, r);
            Ok(())
        }
        ReadStep::Cancel(lease) if lease.0 / 2 == world.restarts => {
            world.send(ModelCommand::Cancel(owner, lease), None);
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
    read.at = ReaderStage::Idle;
    (read.floor, read.number) = (0, 0);
    (read.visit, read.asked, read.down) = (Visit::default(), false, false);
    Ok(())
}

/// The answer of a read that leads is known: those who share have it.
fn land(world: &mut World, p: usize, r: usize, version: u8) -> Result<(), String> {
    let number = world.processes[p].reads[r].number;
    for other in 0..world.processes[p].reads.len() {
        if world.processes[p].reads[other].at == ReaderStage::Sharing(number) {
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
    process.trust.leave(&name(owner).key, number, NOW.now);
    for other in &mut process.reads {
        if other.at == ReaderStage::Meeting(number) || other.at == ReaderStage::Sharing(number) {
            again(&mut other.at, &mut other.asked, &mut other.down);
        }
    }
}

fn again(at: &mut ReaderStage, asked: &mut bool, down: &mut bool) {
    (*at, *asked, *down) = (ReaderStage::Entering, true, false);
}

/// A read that leads comes to nothing. It begins anew, as those do who met it.
pub(super) fn abandon(world: &mut World, p: usize, r: usize) {
    leave(world, p, r);
    let read = &mut world.processes[p].reads[r];
    let owner = read.owner;
    if let ReaderStage::Loading(mut reading) | ReaderStage::Loaded(mut reading, _) = read.at.clone()
        && let Some(lease) = reading.take_lease()
        && lease.0 / 2 == world.restarts
    {
        world.send(ModelCommand::Cancel(owner, lease), None);
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
    scenario: &Scenario,
    p: usize,
    r: usize,
    looked: Option<Looked<ModelLease, u8>>,
) -> Result<(), String> {
    let moved = world.list != world.processes[p].reads[r].list;
    let looked = match looked {
        Some(Looked::Hit(_)) if moved && scenario.looks_again => Some(Looked::Down),
        looked => looked,
    };
    let read = &mut world.processes[p].reads[r];
    match read.at.clone() {
        ReaderStage::Finding => match looked {
            Some(Looked::Hit(version)) => answer(world, p, r, version),
            looked => {
                read.down = looked.is_none();
                read.at = ReaderStage::Entering;
                Ok(())
            }
        },
        ReaderStage::Asking(number) => match looked {
            Some(Looked::Hit(version)) => answer(world, p, r, version),
            _ => {
                // It may have ended meanwhile.
                let process = &mut world.processes[p];
                let leads = process.reads.iter().any(|read| read.number == number);
                process.reads[r].at = match leads {
                    true => ReaderStage::Meeting(number),
                    false => ReaderStage::Entering,
                };
                Ok(())
            }
        },
        ReaderStage::Looking(mut reading) => {
            let step = reading.looked(looked.unwrap_or(Looked::Down), true);
            step_on(world, p, r, step, reading)
        }
        ReaderStage::Filling(version) => end(world, p, r, version),
        _ => Ok(()),
    }
}
