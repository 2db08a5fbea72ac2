//! What can happen next.

use super::world::{ModelCommand, ReaderStage, Scenario, Sender, Stage, World};
use super::{reader, writer};
use crate::through::steps::{Looked, ReadStep};

pub(super) type Next = Result<World, String>;

/// The outcome of a command reaches who waits for it. `None`: it never will.
fn answered(
    world: &mut World,
    scenario: &Scenario,
    sender: Sender,
    looked: Option<Looked<(u8, u8), u8>>,
    done: Option<bool>,
) -> Result<(), String> {
    match sender {
        Sender::Read(p, r) => reader::told(world, scenario, p, r, looked),
        Sender::Write(p, i) => {
            writer::told(world, scenario, p, i, looked, done);
            Ok(())
        }
    }
}

/// Memcached carries a command out.
fn carry_out(world: &mut World, scenario: &Scenario, at: usize) -> Result<(), String> {
    let (server, command, sender) = world.wire.remove(at);
    let mut looked = None;
    let mut done = Some(true);
    let (ModelCommand::Peek(owner)
    | ModelCommand::Look(owner)
    | ModelCommand::Delete(owner)
    | ModelCommand::Fill(owner, ..)
    | ModelCommand::Cancel(owner, _)) = command;
    let item = &mut world.items[usize::from(server)][usize::from(owner)];
    match command {
        ModelCommand::Peek(_) => {
            looked = Some(match item {
                Some((_, Some(version))) => Looked::Hit(*version),
                _ => Looked::Lost,
            });
        }
        ModelCommand::Look(_) => {
            looked = Some(match item {
                Some((_, Some(version))) => Looked::Hit(*version),
                Some((_, None)) => Looked::Lost,
                None => {
                    world.number += 1;
                    *item = Some((world.number, None));
                    Looked::Win((2 * world.restarts + server, world.number))
                }
            });
        }
        ModelCommand::Delete(_) => *item = None,
        ModelCommand::Fill(_, (_, number), version) => {
            let granted = item.is_some_and(|(n, _)| n == number);
            if granted {
                world.number += 1;
                *item = Some((world.number, Some(version)));
            }
            done = Some(granted);
        }
        ModelCommand::Cancel(_, (_, number)) => {
            if item.is_some_and(|(n, _)| n == number) {
                *item = None;
            }
        }
    }
    match sender {
        Some(sender) => answered(world, scenario, sender, looked, done),
        None => Ok(()),
    }
}

/// All that can happen next.
pub(super) fn successors(world: &World, scenario: &Scenario) -> Vec<(String, Next)> {
    let mut all: Vec<(String, Next)> = Vec::new();
    let mut add = |what: String, act: &dyn Fn(&mut World) -> Result<(), String>| {
        let mut next = world.clone();
        let outcome = act(&mut next);
        next.wire.sort();
        all.push((what, outcome.map(|()| next)));
    };
    for (at, (server, command, sender)) in world.wire.iter().enumerate() {
        add(
            format!("server {server} does {command:?} of {sender:?}"),
            &|w| carry_out(w, scenario, at),
        );
        if let Some(sender) = sender
            && world.give_ups < scenario.give_ups
        {
            add(format!("{sender:?} gives {command:?} up"), &|w| {
                w.give_ups += 1;
                w.wire[at].2 = None;
                answered(w, scenario, *sender, None, None)
            });
        }
    }
    if world.forgets < scenario.forgets && world.items.iter().flatten().any(Option::is_some) {
        add("memcached forgets".into(), &|w| {
            w.forgets += 1;
            w.items = [[None; 2]; 2];
            Ok(())
        });
    }
    if world.restarts < scenario.restarts {
        add("memcached restarts".into(), &|w| {
            w.restarts += 1;
            w.items = [[None; 2]; 2];
            w.number = 0;
            // What was on its way is lost with its connection, unless it goes out again on another.
            for (_, _, sender) in std::mem::take(&mut w.wire) {
                if let Some(sender) = sender {
                    answered(w, scenario, sender, None, None)?;
                }
            }
            Ok(())
        });
    }
    if world.list < scenario.moves {
        add("the list of servers changes".into(), &|w| {
            w.list += 1;
            Ok(())
        });
    }
    if world.lost > 0 {
        add("a write that was given up is carried out".into(), &|w| {
            w.lost -= 1;
            w.source += 1;
            Ok(())
        });
    }
    for p in 0..2 {
        for r in 0..world.processes[p].reads.len() {
            read(world, scenario, p, r, &mut add);
        }
        write(world, scenario, p, &mut add);
    }
    all
}

type Add<'a> = &'a mut dyn FnMut(String, &dyn Fn(&mut World) -> Result<(), String>);

fn read(world: &World, scenario: &Scenario, p: usize, r: usize, add: Add<'_>) {
    let read = &world.processes[p].reads[r];
    let breaks = world.breaks < scenario.breaks;
    if breaks && read.number > 0 && !matches!(read.at, ReaderStage::Filling(_)) {
        add(format!("{p}.{r} leads no more"), &|w| {
            w.breaks += 1;
            reader::abandon(w, p, r);
            Ok(())
        });
    }
    match &read.at {
        ReaderStage::Idle if read.left > 0 => add(format!("{p}.{r} reads"), &|w| {
            reader::begin(w, scenario, p, r);
            Ok(())
        }),
        ReaderStage::Believing => add(format!("{p}.{r} asks"), &|w| {
            reader::find(w, p, r);
            Ok(())
        }),
        ReaderStage::Entering => add(format!("{p}.{r} enters"), &|w| {
            reader::enter(w, scenario, p, r)
        }),
        ReaderStage::Sharing(number) | ReaderStage::Meeting(number) if breaks => {
            add(format!("{p}.{r} takes over"), &|w| {
                w.breaks += 1;
                reader::take_over(w, p, r, *number);
                Ok(())
            });
        }
        ReaderStage::Past => add(format!("{p}.{r} reads at the source"), &|w| {
            let version = w.source;
            reader::answer(w, p, r, version)
        }),
        ReaderStage::Waiting(reading) => {
            add(format!("{p}.{r} asks again"), &|w| {
                reader::step_on(w, p, r, ReadStep::Look, reading.clone())
            });
            add(format!("{p}.{r} waits no longer"), &|w| {
                let mut reading = reading.clone();
                let step = reading.looked(Looked::Lost, false);
                reader::step_on(w, p, r, step, reading)
            });
        }
        ReaderStage::Loading(reading) => add(format!("{p}.{r} fetches"), &|w| {
            let version = w.source;
            w.processes[p].reads[r].at = ReaderStage::Loaded(reading.clone(), version);
            Ok(())
        }),
        ReaderStage::Loaded(reading, version) => add(format!("{p}.{r} has fetched"), &|w| {
            reader::loaded(w, scenario, p, r, reading.clone(), *version)
        }),
        _ => {}
    }
}

fn write(world: &World, scenario: &Scenario, p: usize, add: Add<'_>) {
    let Some(write) = &world.processes[p].write else {
        if world.processes[p].writes_left > 0 {
            add(format!("{p} writes"), &|w| {
                writer::begin(w, scenario, p);
                Ok(())
            });
        }
        return;
    };
    let set = |w: &mut World, stage: Stage| {
        if let Some(write) = &mut w.processes[p].write {
            write.stage = stage;
        }
    };
    match write.stage {
        Stage::WriteSteps => {
            add(format!("the source takes the write of {p}"), &|w| {
                w.source += 1;
                let version = w.source;
                set(w, Stage::Wrote(version));
                Ok(())
            });
            if world.give_ups < scenario.give_ups && !write.group {
                add(format!("{p} gives its write up"), &|w| {
                    w.give_ups += 1;
                    w.lost += 1;
                    writer::close(w, scenario, p, None);
                    Ok(())
                });
            }
        }
        Stage::Wrote(version) => add(format!("{p} has written {version}"), &|w| {
            writer::close(w, scenario, p, Some(version));
            Ok(())
        }),
        Stage::Before | Stage::After(_) => {}
    }
}
