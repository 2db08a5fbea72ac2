//! What a writer does when something happens to it.

use super::world::{
    ModelCommand, ModelLease, ModelProcess, ModelWrite, NOW, Owner, Scenario, Sender, Stage, Work,
    World, name, owner_of,
};
use crate::through::steps::{Looked, WriteStep, WriteSteps};
use crate::through::trust::WriteTicket;

fn send(world: &mut World, command: ModelCommand, p: usize, i: usize) {
    world.send(command, Some(Sender::Write(p, i)));
}

fn write(process: &mut ModelProcess) -> &mut ModelWrite {
    process.write.as_mut().expect("a write is under way")
}

/// A write begins, as the first owner.
pub(super) fn begin(world: &mut World, scenario: &Scenario, p: usize) {
    let places = world.places(scenario);
    let process = &mut world.processes[p];
    process.writes_left -= 1;
    let group = scenario.groups && p == 0;
    let mut keys: Vec<Owner> = Vec::new();
    let mut told = WriteTicket::default();
    if group {
        if scenario.forgets_groups {
            process.trust.forget_group(name(0).group(), NOW);
        }
    } else if scenario.fenced {
        let (names, turn) = process.trust.begin_write(vec![name(0)], &places, NOW);
        keys = names.iter().map(owner_of).collect();
        told = turn;
    } else {
        keys = vec![0];
    }
    let work = |(i, owner): (usize, &Owner)| {
        let writing = WriteSteps::new(scenario.through && i == 0);
        (*owner, writing, Work::Deleting)
    };
    process.write = Some(ModelWrite {
        stage: Stage::Before,
        keys: keys.iter().enumerate().map(work).collect(),
        told,
        group,
    });
    for (i, owner) in keys.into_iter().enumerate() {
        send(world, ModelCommand::Delete(owner), p, i);
    }
    go_on(world, scenario, p);
}

/// The source has taken it, or it was given up.
pub(super) fn close(world: &mut World, scenario: &Scenario, p: usize, version: Option<u8>) {
    let places = world.places(scenario);
    let process = &mut world.processes[p];
    let told = write(process).told;
    let group = write(process).group;
    write(process).stage = Stage::After(version);
    if group {
        if scenario.forgets_groups {
            process.trust.forget_group(name(0).group(), NOW);
        }
        return go_on(world, scenario, p);
    }
    if scenario.fenced && scenario.remembers {
        let late = process.trust.close_write(&[name(0)], told, NOW);
        for late in late {
            match scenario.tells_late {
                true => {
                    let key = (owner_of(&late), WriteSteps::new(false), Work::Ready);
                    write(process).keys.push(key);
                }
                false => process
                    .trust
                    .end_write(&late.key, told, false, &places, NOW),
            }
        }
    }
    for i in 0..write(&mut world.processes[p]).keys.len() {
        let (_, writing, _) = &mut write(&mut world.processes[p]).keys[i];
        let step = writing.written(version.is_some(), true);
        step_on(world, scenario, p, i, step, true);
    }
    go_on(world, scenario, p);
}

fn step_on(
    world: &mut World,
    scenario: &Scenario,
    p: usize,
    i: usize,
    step: WriteStep<ModelLease>,
    acknowledged: bool,
) {
    let connection = world.connection();
    let stage = write(&mut world.processes[p]).stage.clone();
    let (owner, writing, work) = &mut write(&mut world.processes[p]).keys[i];
    let (owner, version) = match stage {
        Stage::After(version) => (*owner, version.unwrap_or(0)),
        _ => (*owner, 0),
    };
    *work = match step {
        WriteStep::Delete if matches!(stage, Stage::After(_)) && !scenario.deletes_after => {
            Work::Done {
                doubted: false,
                acknowledged: true,
            }
        }
        WriteStep::Delete => Work::Deleting,
        WriteStep::Lease => Work::Leasing,
        WriteStep::Write => Work::Ready,
        WriteStep::Fill(lease) if scenario.bound && lease.0 != connection => {
            let step = writing.filled(false);
            return step_on(world, scenario, p, i, step, false);
        }
        WriteStep::Fill(lease) => {
            *work = Work::Filling;
            return send(world, ModelCommand::Fill(owner, lease, version), p, i);
        }
        WriteStep::Done { doubted } => Work::Done {
            doubted,
            acknowledged,
        },
    };
    match work {
        Work::Deleting => send(world, ModelCommand::Delete(owner), p, i),
        Work::Leasing => send(world, ModelCommand::Look(owner), p, i),
        _ => {}
    }
}

/// The outcome of a command reaches a write that waits for it. `None`: it never will.
pub(super) fn told(
    world: &mut World,
    scenario: &Scenario,
    p: usize,
    i: usize,
    looked: Option<Looked<ModelLease, u8>>,
    done: Option<bool>,
) {
    let (_, writing, work) = &mut write(&mut world.processes[p]).keys[i];
    let (step, acknowledged) = match work {
        Work::Deleting => (writing.deleted(done.is_some()), done.is_some()),
        Work::Leasing => {
            let lease = match looked {
                Some(Looked::Win(lease)) => Some(lease),
                _ => None,
            };
            (writing.leased(lease), true)
        }
        Work::Filling => (writing.filled(done == Some(true)), done == Some(true)),
        Work::Ready | Work::Done { .. } => return,
    };
    step_on(world, scenario, p, i, step, acknowledged);
    go_on(world, scenario, p);
}

/// Goes on when all entries are done with.
fn go_on(world: &mut World, scenario: &Scenario, p: usize) {
    let places = world.places(scenario);
    let process = &mut world.processes[p];
    let write = write(process);
    match write.stage {
        Stage::Before if write.keys.iter().all(|(_, _, work)| *work == Work::Ready) => {
            write.stage = Stage::WriteSteps;
        }
        Stage::After(version) => {
            let done = |(owner, _, work): &(Owner, WriteSteps<ModelLease>, Work)| match work {
                Work::Done {
                    doubted,
                    acknowledged,
                } => Some((*owner, *doubted, *acknowledged)),
                _ => None,
            };
            let Some(ends) = write.keys.iter().map(done).collect::<Option<Vec<_>>>() else {
                return;
            };
            let told = write.told;
            process.write = None;
            for (owner, doubted, _) in &ends {
                if scenario.fenced {
                    let key = &name(*owner).key;
                    process.trust.end_write(key, told, *doubted, &places, NOW);
                }
            }
            // What was given up is nothing that anybody could count on.
            if let Some(version) = version {
                process.made = process.made.max(version);
                for (owner, _, acknowledged) in ends {
                    // What is promised to other processes is so of one list of servers.
                    if acknowledged && scenario.moves == 0 {
                        let known = &mut world.known[usize::from(owner)];
                        *known = version.max(*known);
                    }
                }
            }
        }
        _ => {}
    }
}
