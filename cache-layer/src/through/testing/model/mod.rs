//! The scenario of [`trust`](super::trust) and [`steps`](super::steps), taken through all orders of events: two
//! processes, one thing as two owners see it, a memcached that forgets, restarts and answers late, a list of servers
//! that changes, writes that get lost, reads that share, come to nothing and are taken over.
//!
//! What is not in it: time (a doubt does not end), the first tier, and the renewal of stale entries. A read must see
//! every write of its own process that ended before it began, and every write of another that told its owner
//! and had all deletions acknowledged, whether it led, shared or only met another.

mod events;
mod reader;
mod world;
mod writer;

use std::collections::{HashMap, HashSet, VecDeque};
use std::hash::{BuildHasher, RandomState};

use events::successors;
use world::{ReaderStage, SCENARIO, Scenario, World, start};

/// Goes through all that can happen; gives back how many states there are, or the way to a wrong one.
fn explore(scenario: Scenario) -> Result<usize, Vec<String>> {
    // Two digests stand for a state, which itself would take too much memory.
    let hashers = [RandomState::new(), RandomState::new()];
    let digest = |world: &World| (hashers[0].hash_one(world), hashers[1].hash_one(world));
    let first = start(&scenario);
    let mut seen = HashSet::from([digest(&first)]);
    let mut parents: HashMap<usize, (usize, String)> = HashMap::new();
    let mut todo = VecDeque::from([(0, first)]);
    while let Some((id, world)) = todo.pop_front() {
        let next = successors(&world, &scenario);
        if next.is_empty() {
            // Nobody is left waiting.
            let idle = world
                .processes
                .iter()
                .all(|p| p.write.is_none() && p.reads.iter().all(|r| r.at == ReaderStage::Idle));
            assert!(idle, "stuck: {world:?}");
        }
        for (what, next) in next {
            match next {
                Ok(next) => {
                    if seen.insert(digest(&next)) {
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
fn holds(scenario: Scenario) -> usize {
    let states = match explore(scenario) {
        Ok(states) => states,
        Err(way) => panic!("{}", way.join("\n")),
    };
    // Printed with --nocapture.
    println!("{states} states");
    states
}

/// The scenario hold, and one less does not.
#[track_caller]
fn needs(scenario: Scenario, without: impl FnOnce(&mut Scenario)) {
    holds(scenario);
    let mut less = scenario;
    without(&mut less);
    assert!(explore(less).is_err(), "nobody notices");
}

const ONE: &[u8] = &[0];
const NONE: &[u8] = &[];

#[test]
fn no_read_is_older_than_a_write_that_ended_before_it() {
    for through in [false, true] {
        let scenario = Scenario {
            through,
            readers: [ONE, ONE],
            ..SCENARIO
        };
        let [first, second] = [[1, 0], [0, 1]].map(|writes| Scenario { writes, ..scenario });
        holds(scenario);
        holds(Scenario {
            forgets: 1,
            ..first
        });
        holds(Scenario {
            give_ups: 1,
            ..first
        });
        for scenario in [first, second] {
            holds(Scenario {
                restarts: 1,
                ..scenario
            });
        }
        // Its own reader, and writes that are given up.
        let lost = Scenario {
            give_ups: 2,
            readers: [ONE, NONE],
            writes: [2, 0],
            ..scenario
        };
        holds(lost);
        holds(Scenario {
            give_ups: 1,
            restarts: 1,
            reads: 2,
            writes: [1, 0],
            ..lost
        });
        // Reads that ask before they enter.
        holds(Scenario {
            finds: true,
            ..first
        });
        holds(Scenario {
            finds: true,
            give_ups: 1,
            ..first
        });
        holds(Scenario {
            finds: true,
            restarts: 1,
            forgets: 1,
            readers: [ONE, NONE],
            ..second
        });
    }
}

#[test]
fn nor_is_one_that_shares_or_is_taken_over() {
    let two: &[u8] = &[0, 0];
    let three: &[u8] = &[0, 0, 0];
    for finds in [false, true] {
        let scenario = Scenario {
            finds,
            readers: [two, NONE],
            ..SCENARIO
        };
        holds(scenario);
        holds(Scenario {
            readers: [two, ONE],
            writes: [0, 1],
            ..scenario
        });
        holds(Scenario {
            readers: [three, NONE],
            writes: [0, 1],
            ..scenario
        });
        holds(Scenario {
            breaks: 1,
            writes: [0, 1],
            ..scenario
        });
        holds(Scenario {
            breaks: 1,
            writes: [1, 0],
            ..scenario
        });
        holds(Scenario {
            give_ups: 1,
            writes: [1, 0],
            ..scenario
        });
        holds(Scenario {
            restarts: 1,
            writes: [0, 1],
            ..scenario
        });
    }
}

#[test]
fn nor_is_one_of_an_owner_that_was_not_known() {
    let (both, other): (&[u8], &[u8]) = (&[0, 1], &[1]);
    for finds in [false, true] {
        let scenario = Scenario {
            finds,
            readers: [other, other],
            writes: [1, 0],
            ..SCENARIO
        };
        holds(scenario);
        holds(Scenario {
            give_ups: 1,
            ..scenario
        });
        holds(Scenario {
            reads: 2,
            readers: [other, ONE],
            ..scenario
        });
        holds(Scenario {
            readers: [both, NONE],
            writes: [0, 1],
            ..scenario
        });
        holds(Scenario {
            writes: [2, 0],
            ..scenario
        });
    }
}

#[test]
fn nor_is_one_of_a_group_in_which_something_was_changed() {
    for finds in [false, true] {
        let scenario = Scenario {
            finds,
            groups: true,
            readers: [ONE, ONE],
            ..SCENARIO
        };
        holds(scenario);
        holds(Scenario {
            writes: [2, 0],
            ..scenario
        });
        holds(Scenario {
            reads: 2,
            writes: [1, 0],
            give_ups: 1,
            ..scenario
        });
    }
}

#[test]
fn nor_is_one_by_another_list_of_servers() {
    for finds in [false, true] {
        let scenario = Scenario {
            finds,
            reads: 2,
            readers: [ONE, NONE],
            writes: [1, 0],
            ..SCENARIO
        };
        holds(Scenario {
            moves: 1,
            ..scenario
        });
        holds(Scenario {
            moves: 2,
            ..scenario
        });
        holds(Scenario {
            moves: 2,
            give_ups: 1,
            ..scenario
        });
    }
    // Another process writes too, or fills.
    let scenario = Scenario {
        moves: 2,
        writes: [1, 0],
        ..SCENARIO
    };
    holds(Scenario {
        writes: [1, 1],
        readers: [ONE, NONE],
        ..scenario
    });
    holds(Scenario {
        readers: [ONE, ONE],
        ..scenario
    });
}

#[test]
fn the_model_notices_when_a_rule_is_missing() {
    let scenario = Scenario {
        reads: 2,
        readers: [ONE, ONE],
        writes: [1, 0],
        ..SCENARIO
    };
    needs(scenario, |less| less.deletes_after = false);
    // A lease from before a restart, taken for one from after it.
    let restart = Scenario {
        restarts: 1,
        writes: [0, 1],
        ..scenario
    };
    needs(restart, |less| less.bound = false);
    // A read that fills with what it fetched before a write, when the deletions have no answer.
    let two: &[u8] = &[0, 0];
    let joined = Scenario {
        readers: [two, NONE],
        reads: 1,
        ..scenario
    };
    needs(
        Scenario {
            give_ups: 2,
            ..joined
        },
        |less| less.fenced = false,
    );
    // One that takes what another fetched before a write of the other process.
    needs(
        Scenario {
            writes: [0, 1],
            ..joined
        },
        |less| less.shares_younger = false,
    );
    // A find of what the other process has stored during a write, when the deletion after it has no answer.
    let finds = Scenario {
        finds: true,
        give_ups: 1,
        reads: 1,
        ..scenario
    };
    needs(finds, |less| less.trusted = false);
    // An owner whom the write did not know, before its end and after it.
    let other: &[u8] = &[1];
    let owners = Scenario {
        readers: [other, other],
        reads: 2,
        ..scenario
    };
    needs(owners, |less| less.tells_late = false);
    needs(Scenario { reads: 1, ..owners }, |less| {
        less.remembers = false;
    });
    // A thing that is back on a server that has what was there before a write.
    let moved = Scenario {
        moves: 2,
        readers: [ONE, NONE],
        ..scenario
    };
    needs(moved, |less| less.knows_lists = false);
    needs(
        Scenario {
            finds: true,
            ..moved
        },
        |less| less.looks_again = false,
    );
    // What was changed has no name.
    needs(
        Scenario {
            groups: true,
            reads: 1,
            ..scenario
        },
        |less| less.forgets_groups = false,
    );
}
