//! Commits of many at once, with answers lost and reads that are old, against what is possible at all.
//!
//! Every write leaves the number of its commit in the state, so that who reads a state knows whose it is.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use cloud_stores::pubsub::{
    Affiliation, Commit, NodeIndex, PubSub, State, StateSubscription, SubscriptionState,
};
use cloud_stores::{Kind, Reads};
use emulator::{Fault, Rule, Service};
use futures_util::future::join_all;

use super::{content, service};
use crate::kit::World;

/// The JIDs whose states the commits are about: bare and full ones of two people.
const JIDS: [&str; 4] = ["a@h", "a@h/x", "b@h", "b@h/y"];

/// Who commits at the same time, and how much each of them does.
const WORKERS: usize = 5;
const COMMITS: usize = 18;

/// The answers of some requests are lost, after and before they are done, and some are refused for a moment.
fn trouble(world: &World, seed: u64) {
    let faults = world.faults();
    faults.seed(seed);
    for (fault, operation, rate) in [
        (Fault::reset_after(), "PutAttributes", 0.08),
        (Fault::reset_before(), "PutAttributes", 0.04),
        (Fault::reset_after(), "DeleteAttributes", 0.08),
        (Fault::reset_before(), "DeleteAttributes", 0.04),
        (Fault::reset_after(), "Select", 0.03),
        (Fault::reset_after(), "GetAttributes", 0.03),
    ] {
        faults.add(Rule::new(fault).operation(operation).rate(rate));
    }
    faults.add(
        Rule::new(Fault::error(500, "InternalError"))
            .service(Service::SimpleDb)
            .rate(0.02),
    );
}

/// Three nodes of different habits, that share what is stored.
async fn nodes(world: &World) -> Vec<PubSub> {
    let eventual = world
        .another(|builder| builder.reads(Reads::Eventual))
        .await;
    let consistent = world.another(|builder| builder).await;
    vec![
        world.stores.pubsub(),
        eventual.pubsub(),
        consistent.pubsub(),
    ]
}

/// What was read of a state: the numbers of the commits that are in it.
fn numbers(state: &State) -> Vec<u64> {
    state
        .subscriptions
        .iter()
        .map(|one| one.id.parse().unwrap())
        .collect()
}

fn numbered(numbers: &[u64]) -> Vec<StateSubscription> {
    let one = |number: &u64| StateSubscription {
        state: SubscriptionState::Subscribed,
        id: number.to_string(),
    };
    numbers.iter().map(one).collect()
}

/// The state of each of the JIDs, as this node has it.
async fn read(pubsub: &PubSub, index: &NodeIndex) -> Option<BTreeMap<&'static str, State>> {
    // A read that fails for long is no news here.
    let states = pubsub.states(index).await.ok()?;
    let of = |jid: &&'static str| {
        let found = states.iter().find(|state| state.jid == *jid);
        (*jid, found.cloned().unwrap_or_else(|| State::absent(*jid)))
    };
    Some(JIDS.iter().map(of).collect())
}

/// A commit, by its number: whose states it read of which JIDs, what it wrote, and how it ended.
#[derive(Debug)]
struct Done {
    number: u64,
    read: BTreeMap<&'static str, Vec<u64>>,
    written: BTreeMap<&'static str, Vec<u64>>,
    end: End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Committed,
    Conflict,
    Unknown,
}

/// Has everybody do `choose`, which picks what is read and what is written: JIDs and numbers. Gives what was done, and
/// what is stored in the end.
async fn run(
    world: &World,
    seed: u64,
    choose: impl Fn(&mut fastrand::Rng, u64, &BTreeMap<&'static str, Vec<u64>>) -> Choice + Copy,
) -> (Vec<Done>, BTreeMap<&'static str, Vec<u64>>) {
    let index = world
        .stores
        .pubsub()
        .create_node(&service(), "n", content(&[]))
        .await
        .unwrap();
    let nodes = nodes(world).await;
    world.stale();
    trouble(world, seed);
    let next = Arc::new(AtomicU64::new(1));
    let work = |worker: usize| {
        let (pubsub, index, next) = (&nodes[worker % nodes.len()], &index, Arc::clone(&next));
        let mut random = fastrand::Rng::with_seed(seed * 100 + worker as u64);
        async move {
            let mut done = Vec::new();
            while done.len() < COMMITS {
                let Some(states) = read(pubsub, index).await else {
                    continue;
                };
                let seen = states
                    .iter()
                    .map(|(jid, state)| (*jid, numbers(state)))
                    .collect();
                let number = next.fetch_add(1, Ordering::SeqCst);
                let choice = choose(&mut random, number, &seen);
                let mut commit = Commit::new(index);
                for jid in &choice.reads {
                    commit = commit.read(states[jid].clone());
                }
                for (jid, numbers) in &choice.writes {
                    let before = states[jid].clone();
                    commit = commit.write(before, Affiliation::None, numbered(numbers));
                }
                let end = match pubsub.commit(commit).await.map_err(|error| error.kind()) {
                    Ok(()) => End::Committed,
                    Err(Kind::Conflict) => End::Conflict,
                    Err(Kind::Unavailable | Kind::Timeout) => End::Unknown,
                    Err(kind) => panic!("{kind}"),
                };
                let of = |jid: &&'static str| (*jid, seen[jid].clone());
                done.push(Done {
                    number,
                    read: choice
                        .reads
                        .iter()
                        .chain(choice.writes.keys())
                        .map(of)
                        .collect(),
                    written: choice.writes,
                    end,
                });
            }
            done
        }
    };
    let done: Vec<Done> = join_all((0..WORKERS).map(work))
        .await
        .into_iter()
        .flatten()
        .collect();
    world.calm();
    let last = read(&nodes[2], &index).await.unwrap();
    let last: BTreeMap<_, _> = last
        .iter()
        .map(|(jid, state)| (*jid, numbers(state)))
        .collect();
    // What is said of a person is found by his index, too.
    for person in ["a", "b"] {
        let person = cloud_stores::BareJid::new(person, "h").unwrap();
        let of_person = nodes[2].states_of(&person).await.unwrap();
        let found: BTreeMap<&str, Vec<u64>> = of_person
            .iter()
            .filter(|(_, state)| !state.says_nothing())
            .map(|(_, state)| (&*state.jid, numbers(state)))
            .collect();
        let wanted = last
            .iter()
            .filter(|(jid, numbers)| jid.starts_with(person.as_str()) && !numbers.is_empty());
        assert_eq!(
            found,
            wanted
                .map(|(jid, numbers)| (*jid, numbers.clone()))
                .collect()
        );
    }
    (done, last)
}

struct Choice {
    reads: Vec<&'static str>,
    writes: BTreeMap<&'static str, Vec<u64>>,
}

/// Whether these arrows go round in a circle somewhere.
fn has_circle(arrows: &BTreeMap<u64, BTreeSet<u64>>) -> bool {
    let mut left: BTreeMap<u64, BTreeSet<u64>> = arrows.clone();
    for targets in arrows.values() {
        for target in targets {
            left.entry(*target).or_default();
        }
    }
    loop {
        let ends: BTreeSet<u64> = left
            .iter()
            .filter(|(_, to)| to.is_empty())
            .map(|(from, _)| *from)
            .collect();
        if ends.is_empty() {
            return !left.is_empty();
        }
        left.retain(|from, _| !ends.contains(from));
        left.values_mut()
            .for_each(|to| to.retain(|target| !ends.contains(target)));
    }
}

/// Each commit replaces one state by its own number, having looked at up to three others. There has to be an order in
/// which they could have been done one after another.
#[tokio::test]
async fn commits_of_one_state_could_have_been_done_one_after_another() {
    for seed in 1..=4 {
        let world = World::start().await;
        let (done, last) = run(&world, seed, |random, number, _| {
            let mut jids = JIDS.to_vec();
            random.shuffle(&mut jids);
            Choice {
                reads: jids[1..=random.usize(0..=3)].to_vec(),
                writes: BTreeMap::from([(jids[0], vec![number])]),
            }
        })
        .await;
        let read_by_somebody: BTreeSet<u64> = done
            .iter()
            .flat_map(|one| one.read.values().flatten())
            .chain(last.values().flatten())
            .copied()
            .collect();
        let counts = |one: &&Done| match one.end {
            End::Committed => true,
            End::Conflict => {
                assert!(
                    !read_by_somebody.contains(&one.number),
                    "{one:?} was refused, and was seen"
                );
                false
            }
            End::Unknown => read_by_somebody.contains(&one.number),
        };
        let counted: Vec<&Done> = done.iter().filter(counts).collect();
        let committed = done.iter().filter(|one| one.end == End::Committed).count();
        let refused = done.iter().filter(|one| one.end == End::Conflict).count();
        assert!(committed > 9 && refused > 5, "{committed} and {refused}");

        // Who followed whom in each state; the first number of a state that nobody has written is 0.
        let number_of = |numbers: &[u64]| numbers.first().copied().unwrap_or(0);
        let mut next: BTreeMap<(&str, u64), u64> = BTreeMap::new();
        for one in &counted {
            for jid in one.written.keys() {
                let before = number_of(&one.read[jid]);
                let other = next.insert((jid, before), one.number);
                assert_eq!(other, None, "two have replaced {before} of {jid}");
            }
        }
        // From nothing to the last in each state, and nobody is left out.
        let mut placed = 0;
        for jid in JIDS {
            let mut at = 0;
            while let Some(after) = next.get(&(jid, at)) {
                (at, placed) = (*after, placed + 1);
            }
            assert_eq!(at, number_of(&last[jid]), "{jid}");
        }
        assert_eq!(placed, counted.len());
        let mut arrows: BTreeMap<u64, BTreeSet<u64>> = BTreeMap::new();
        for one in &counted {
            for (jid, numbers) in &one.read {
                let from = number_of(numbers);
                arrows.entry(from).or_default().insert(one.number);
                if let Some(after) = next
                    .get(&(*jid, from))
                    .filter(|after| **after != one.number)
                {
                    arrows.entry(one.number).or_default().insert(*after);
                }
            }
        }
        assert!(!has_circle(&arrows), "seed {seed}: {arrows:?}");
    }
}

/// Each commit appends its number to one state, or to two, or removes one. What is stored has to be what these did to each
/// other in some order.
#[tokio::test]
async fn nothing_that_was_committed_is_lost_or_done_twice() {
    for seed in 11..=14 {
        let world = World::start().await;
        let (done, last) = run(&world, seed, |random, number, seen| {
            let jid = JIDS[random.usize(..2)];
            let after = match random.u8(..4) {
                0 => Vec::new(),
                _ => [&seen[jid][..], &[number]].concat(),
            };
            Choice {
                reads: Vec::new(),
                writes: BTreeMap::from([(jid, after)]),
            }
        })
        .await;
        for jid in &JIDS[..2] {
            let seen = |numbers: &Vec<u64>| {
                last[jid] == *numbers || done.iter().any(|one| one.read.get(jid) == Some(numbers))
            };
            let mut balance: BTreeMap<&Vec<u64>, i64> = BTreeMap::new();
            let mut removals: BTreeSet<&Vec<u64>> = BTreeSet::new();
            for one in done.iter().filter(|one| one.written.contains_key(jid)) {
                let (before, after) = (&one.read[jid], &one.written[jid]);
                match (one.end, after.is_empty()) {
                    // Nothing was to be done.
                    (_, true) if before.is_empty() => {}
                    // Of two that remove the same, the one whose answer is lost cannot tell which of them did it.
                    (End::Committed, true) => {
                        assert_ne!(last[jid], *before, "{one:?} was committed, and is lost");
                        removals.insert(before);
                    }
                    (End::Unknown, true) => {
                        removals.insert(before);
                    }
                    (End::Conflict, true) => {}
                    (End::Conflict, false) => {
                        assert!(!seen(after), "{one:?} was refused, and was seen");
                    }
                    (End::Unknown, false) if !seen(after) => {}
                    _ => {
                        *balance.entry(before).or_default() -= 1;
                        *balance.entry(after).or_default() += 1;
                    }
                }
            }
            // It begins with nothing, and ends with what is stored.
            let nothing = Vec::new();
            *balance.entry(&nothing).or_default() += 1;
            *balance.entry(&last[jid]).or_default() -= 1;
            for (numbers, count) in balance {
                let removed = i64::from(removals.contains(numbers));
                let fits = numbers.is_empty() || (0..=removed).contains(&count);
                assert!(
                    fits,
                    "seed {seed}, {jid}: {numbers:?} was made {count} times more often than replaced"
                );
            }
        }
    }
}

/// Each commit writes two states. What was refused is not built on by what was committed, unless somebody saw it before it
/// was undone.
#[tokio::test]
async fn of_two_states_both_are_written_or_none() {
    for seed in 21..=23 {
        let world = World::start().await;
        let (done, last) = run(&world, seed, |random, number, _| {
            let mut jids = JIDS.to_vec();
            random.shuffle(&mut jids);
            let writes = jids[..2].iter().map(|jid| (*jid, vec![number])).collect();
            Choice {
                reads: Vec::new(),
                writes,
            }
        })
        .await;
        let was_read = |jid: &str, one: &Done, number: u64| {
            one.read.get(jid).is_some_and(|read| read.contains(&number))
        };
        // One that was refused counts where somebody has built on it before it could be undone.
        let stays = |jid: &str, one: &Done| {
            one.end != End::Conflict || done.iter().any(|other| was_read(jid, other, one.number))
        };
        let replaced = |jid: &str, number: u64| {
            done.iter()
                .any(|one| was_read(jid, one, number) && stays(jid, one))
        };
        let (mut committed, mut refused) = (0, 0);
        for one in &done {
            for jid in one.written.keys() {
                let is_there = last[jid].contains(&one.number);
                match one.end {
                    End::Committed => {
                        committed += 1;
                        assert!(
                            is_there || replaced(jid, one.number),
                            "{one:?} was committed, and {jid} is lost"
                        );
                    }
                    End::Conflict => {
                        refused += 1;
                        // One that saw it, wrote over it and was refused in turn has put it back: it is what that one
                        // had read.
                        assert!(
                            !is_there || stays(jid, one),
                            "{one:?} was refused, nobody saw it, and {jid} stays"
                        );
                    }
                    End::Unknown => {}
                }
            }
        }
        assert!(committed > 5 && refused > 5, "{committed} and {refused}");
    }
}

#[test]
fn the_check_itself_finds_circles() {
    let arrows = |pairs: &[(u64, u64)]| {
        let mut all: BTreeMap<u64, BTreeSet<u64>> = BTreeMap::new();
        for (from, to) in pairs {
            all.entry(*from).or_default().insert(*to);
        }
        has_circle(&all)
    };
    assert!(!arrows(&[(1, 2), (2, 3), (1, 3)]));
    assert!(arrows(&[(0, 1), (1, 2), (2, 3), (3, 1)]));
}
