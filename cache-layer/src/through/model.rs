//! The rules of [`fence`](super::fence) and [`steps`](super::steps), taken through all orders of events: two
//! processes, one key, a memcached that forgets, restarts and answers late, and writes that get lost.

use std::collections::{HashMap, HashSet, VecDeque};

use super::fence::{Admit, Fence};
use super::steps::{Looked, ReadStep, Reading, WriteStep, Writing};

/// The connection that granted it, and the number that memcached gave it.
type Lease = (u8, u8);

/// What is on its way to memcached; it may be carried out long after its sender stopped waiting.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Command {
    Look,
    Delete,
    Fill(u8, u8),
    Cancel(u8),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Reader {
    Idle,
    /// Waits for another of this process.
    Joined,
    /// Past the cache.
    Past,
    Looking(Reading<Lease>),
    /// To ask again.
    Waiting(Reading<Lease>),
    Loading(Reading<Lease>),
    Loaded(Reading<Lease>, u8),
    Filling(u8),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Read {
    at: Reader,
    flight: u64,
    /// What it must see: of writes that ended before it began in its process, and in any.
    own: u8,
    any: u8,
    left: u8,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Writer {
    Idle,
    Deleting(Writing<Lease>),
    Leasing(Writing<Lease>),
    Writing(Writing<Lease>),
    /// Carried out: this is what it wrote.
    Wrote(Writing<Lease>, u8),
    Filling(Writing<Lease>, u8),
    Deleting2(Writing<Lease>, u8),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Process {
    fence: Fence<u8>,
    reads: Vec<Read>,
    write: Writer,
    writes_left: u8,
    /// The greatest version that a write of this process has made, and ended.
    made: u8,
    next: u64,
}

/// Who sent a command, to be told of its outcome while it waits: process, and reader or none for the writer.
type Sender = (usize, Option<usize>);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct World {
    /// The version at the source.
    source: u8,
    /// Writes that their senders gave up and that may still be carried out.
    lost: u8,
    /// What memcached has: the number of its last change, and a version unless it is a place held.
    item: Option<(u8, Option<u8>)>,
    number: u8,
    /// Restarts so far: a connection does not outlive one.
    restarts: u8,
    wire: Vec<(Command, Option<Sender>)>,
    processes: Vec<Process>,
    /// The greatest version of a write, of any process, that ended with all deletions acknowledged.
    known: u8,
    forgets: u8,
    give_ups: u8,
}

/// What is allowed to happen, and which rules hold.
#[derive(Clone, Copy)]
struct Rules {
    readers: [u8; 2],
    reads: u8,
    writes: [u8; 2],
    restarts: u8,
    forgets: u8,
    give_ups: u8,
    through: bool,
    /// A fill goes only on the connection that granted its lease.
    bound: bool,
    /// The key is deleted after a write.
    deletes_after: bool,
    /// A write cuts off the reads that others may join.
    fenced: bool,
}

const RULES: Rules = Rules {
    readers: [2, 1],
    reads: 1,
    writes: [1, 1],
    restarts: 0,
    forgets: 0,
    give_ups: 0,
    through: false,
    bound: true,
    deletes_after: true,
    fenced: true,
};

fn start(rules: &Rules) -> World {
    let process = |i: usize| Process {
        fence: Fence::default(),
        reads: vec![
            Read {
                at: Reader::Idle,
                flight: 0,
                own: 0,
                any: 0,
                left: rules.reads,
            };
            usize::from(rules.readers[i])
        ],
        write: Writer::Idle,
        writes_left: rules.writes[i],
        made: 0,
        next: 1,
    };
    World {
        source: 1,
        lost: 0,
        item: None,
        number: 0,
        restarts: 0,
        wire: Vec::new(),
        processes: vec![process(0), process(1)],
        known: 0,
        forgets: 0,
        give_ups: 0,
    }
}

/// A read ended with this version.
fn ended(world: &mut World, p: usize, r: usize, version: u8, joined: bool) -> Result<(), String> {
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
fn landed(world: &mut World, p: usize, r: usize, version: u8) -> Result<(), String> {
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

fn send(world: &mut World, command: Command, sender: Sender) {
    world.wire.push((command, Some(sender)));
}

fn read_step(
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

fn write_step(
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
fn answered(
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
        Reader::Looking(mut reading) => {
            let step = reading.looked(looked.unwrap_or(Looked::Down), true);
            read_step(world, p, r, step, reading)
        }
        Reader::Filling(version) => landed(world, p, r, version),
        _ => Ok(()),
    }
}

/// Memcached carries a command out.
fn carry_out(world: &mut World, rules: &Rules, at: usize) -> Result<(), String> {
    let (command, sender) = world.wire.remove(at);
    let mut looked = None;
    let mut done = Some(true);
    match command {
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

type Next = Result<World, String>;

/// All that can happen next.
fn successors(world: &World, rules: &Rules) -> Vec<(String, Next)> {
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
                    let (own, next) = (process.made, process.next);
                    let admit = process.fence.enter(0, next);
                    let read = &mut process.reads[r];
                    read.left -= 1;
                    (read.own, read.any) = (own, known);
                    match admit {
                        Admit::Past => read.at = Reader::Past,
                        Admit::Join(flight) => {
                            read.flight = flight;
                            read.at = Reader::Joined;
                        }
                        Admit::Lead(flight) => {
                            read.flight = flight;
                            process.next += 1;
                            let reading = Reading::new();
                            let step = reading.start();
                            read_step(w, p, r, step, reading)?;
                        }
                    }
                    Ok(())
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

/// Goes through all that can happen; gives back how many states there are, or the way to a wrong one.
fn explore(rules: Rules) -> Result<usize, Vec<String>> {
    let first = start(&rules);
    let mut seen = HashSet::from([first.clone()]);
    let mut parents: HashMap<usize, (usize, String)> = HashMap::new();
    let mut todo = VecDeque::from([(0, first)]);
    while let Some((id, world)) = todo.pop_front() {
        let next = successors(&world, &rules);
        if next.is_empty() {
            // Nobody is left waiting.
            let idle = world
                .processes
                .iter()
                .all(|p| p.write == Writer::Idle && p.reads.iter().all(|r| r.at == Reader::Idle));
            assert!(idle, "stuck: {world:?}");
        }
        for (what, next) in next {
            match next {
                Ok(next) => {
                    if seen.insert(next.clone()) {
                        let number = seen.len() - 1;
                        parents.insert(number, (id, what));
                        todo.push_back((number, next));
                    }
                }
                Err(wrong) => {
                    let mut way = vec![wrong, what];
                    let mut at = id;
                    while let Some((parent, what)) = parents.get(&at) {
                        way.push(what.clone());
                        at = *parent;
                    }
                    way.reverse();
                    return Err(way);
                }
            }
        }
    }
    Ok(seen.len())
}

#[track_caller]
fn holds(rules: Rules) -> usize {
    match explore(rules) {
        Ok(states) => states,
        Err(way) => panic!("{}", way.join("\n")),
    }
}

#[test]
fn no_read_is_older_than_a_write_that_ended_before_it() {
    for through in [false, true] {
        let rules = Rules { through, ..RULES };
        let mut states = Vec::new();
        let readers = if through { [1, 1] } else { [2, 1] };
        states.push(holds(Rules { readers, ..rules }));
        states.push(holds(Rules {
            forgets: 1,
            restarts: 1,
            readers: [1, 1],
            ..rules
        }));
        states.push(holds(Rules {
            give_ups: 1,
            readers: [1, 1],
            ..rules
        }));
        states.push(holds(Rules {
            restarts: 1,
            reads: 2,
            readers: [1, 0],
            writes: [1, 1],
            ..rules
        }));
        states.push(holds(Rules {
            give_ups: 2,
            reads: 2,
            readers: [1, 0],
            writes: [2, 0],
            restarts: 1,
            ..rules
        }));
        // Enough to be worth something; the count is printed with --nocapture.
        let all: usize = states.iter().sum();
        assert!(all > 50_000, "only {all} states");
        println!("write-through {through}: {states:?} states");
    }
}

#[test]
fn the_model_notices_when_a_rule_is_missing() {
    let rules = Rules {
        reads: 2,
        readers: [1, 1],
        writes: [1, 0],
        ..RULES
    };
    assert!(
        explore(Rules {
            deletes_after: false,
            ..rules
        })
        .is_err()
    );
    // A lease from before a restart, taken for one from after it.
    let restart = Rules {
        restarts: 1,
        writes: [0, 1],
        ..rules
    };
    holds(restart);
    assert!(
        explore(Rules {
            bound: false,
            ..restart
        })
        .is_err()
    );
    // A read that joins one which began before a write.
    let joined = Rules {
        readers: [2, 0],
        reads: 1,
        writes: [1, 0],
        ..rules
    };
    holds(joined);
    assert!(
        explore(Rules {
            fenced: false,
            ..joined
        })
        .is_err()
    );
}
