//! What can happen next.

use super::acts::{answered, carry_out, ended, enter, landed, read_step, send, write_step};
use super::world::{Command, Reader, Rules, World, Writer};
use crate::through::steps::{Looked, ReadStep, WriteStep, Writing};

pub(super) type Next = Result<World, String>;

/// All that can happen next.
pub(super) fn successors(world: &World, rules: &Rules) -> Vec<(String, Next)> {
    let mut all: Vec<(String, Next)> = Vec::new();
    let mut add = |what: String, act: &dyn Fn(&mut World) -> Result<(), String>| {
        let mut next = world.clone();
        let outcome = act(&mut next);
        next.wire.sort();
        all.push((what, outcome.map(|()| next)));
    };
    for (at, (command, sender)) in world.wire.iter().enumerate() {
        add(format!("memcached does {command:?} of {sender:?}"), &|w| {
            carry_out(w, rules, at)
        });
        if let Some(sender) = sender
            && world.give_ups < rules.give_ups
        {
            add(format!("{sender:?} gives {command:?} up"), &|w| {
                w.give_ups += 1;
                w.wire[at].1 = None;
                answered(w, rules, *sender, None, None)
            });
        }
    }
    if world.forgets < rules.forgets && world.item.is_some() {
        add("memcached forgets".into(), &|w| {
            w.forgets += 1;
            w.item = None;
            Ok(())
        });
    }
    if world.restarts < rules.restarts {
        add("memcached restarts".into(), &|w| {
            w.restarts += 1;
            w.item = None;
            w.number = 0;
            // What was on its way is lost with its connection, unless it goes out again on another.
            for (_, sender) in std::mem::take(&mut w.wire) {
                if let Some(sender) = sender {
                    answered(w, rules, sender, None, None)?;
                }
            }
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
            let read = &world.processes[p].reads[r];
            match read.at.clone() {
                Reader::Idle if read.left > 0 => add(format!("{p}.{r} reads"), &|w| {
                    let known = w.known;
                    let process = &mut w.processes[p];
                    let own = process.made;
                    let trusts = process.fence.trusts(0) || !rules.trusted;
                    let read = &mut process.reads[r];
                    read.left -= 1;
                    (read.own, read.any) = (own, known);
                    if rules.finds && trusts {
                        read.at = Reader::Peeking;
                        send(w, Command::Peek, (p, Some(r)));
                        return Ok(());
                    }
                    enter(w, p, r, false)
                }),
                Reader::Past => add(format!("{p}.{r} reads at the source"), &|w| {
                    let version = w.source;
                    ended(w, p, r, version, false)
                }),
                Reader::Waiting(reading) => {
                    let again = reading.clone();
                    add(format!("{p}.{r} asks again"), &|w| {
                        read_step(w, p, r, ReadStep::Look, again.clone())
                    });
                    add(format!("{p}.{r} waits no longer"), &|w| {
                        let mut reading = reading.clone();
                        let step = reading.looked(Looked::Lost, false);
                        read_step(w, p, r, step, reading)
                    });
                }
                Reader::Loading(reading) => add(format!("{p}.{r} fetches"), &|w| {
                    let version = w.source;
                    w.processes[p].reads[r].at = Reader::Loaded(reading.clone(), version);
                    Ok(())
                }),
                Reader::Loaded(reading, version) => add(format!("{p}.{r} has fetched"), &|w| {
                    let mut reading = reading.clone();
                    let process = &mut w.processes[p];
                    let flight = process.reads[r].flight;
                    let current = process.fence.is_current(flight) || !rules.fenced;
                    match reading.loaded::<u8>(true, current) {
                        ReadStep::Fill(lease) if !rules.bound || lease.0 == w.restarts => {
                            w.processes[p].reads[r].at = Reader::Filling(version);
                            send(w, Command::Fill(lease.1, version), (p, Some(r)));
                            Ok(())
                        }
                        ReadStep::Cancel(lease) if lease.0 == w.restarts => {
                            w.wire.push((Command::Cancel(lease.1), None));
                            landed(w, p, r, version)
                        }
                        _ => landed(w, p, r, version),
                    }
                }),
                _ => {}
            }
        }
        match world.processes[p].write.clone() {
            Writer::Idle if world.processes[p].writes_left > 0 => {
                add(format!("{p} writes"), &|w| {
                    w.processes[p].writes_left -= 1;
                    if rules.fenced {
                        w.processes[p].fence.begin_write();
                    }
                    let writing = Writing::new(rules.through);
                    write_step(w, rules, p, WriteStep::Delete, writing, 0, false);
                    Ok(())
                });
            }
            Writer::Writing(writing) => {
                let done = writing.clone();
                add(format!("the source takes the write of {p}"), &|w| {
                    w.source += 1;
                    w.processes[p].write = Writer::Wrote(done.clone(), w.source);
                    Ok(())
                });
                if world.give_ups < rules.give_ups {
                    add(format!("{p} gives its write up"), &|w| {
                        w.give_ups += 1;
                        w.lost += 1;
                        let mut writing = writing.clone();
                        let step = writing.written(false, true);
                        // It made no version that anybody could count on.
                        write_step(w, rules, p, step, writing, u8::MAX, false);
                        Ok(())
                    });
                }
            }
            Writer::Wrote(writing, version) => add(format!("{p} has written {version}"), &|w| {
                let mut writing = writing.clone();
                let step = writing.written(true, true);
                write_step(w, rules, p, step, writing, version, false);
                Ok(())
            }),
            _ => {}
        }
    }
    all
}
