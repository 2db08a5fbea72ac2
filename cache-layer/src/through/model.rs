//! The rules of [`fence`](super::fence) and [`steps`](super::steps), taken through all orders of events: two
//! processes, one key, a memcached that forgets, restarts and answers late, and writes that get lost.

mod acts;
mod events;
mod world;

use std::collections::{HashMap, HashSet, VecDeque};

use events::successors;
use world::{RULES, Reader, Rules, Writer, start};

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
        // Reads that peek first.
        let finds = Rules {
            finds: true,
            readers: [1, 1],
            ..rules
        };
        states.push(holds(finds));
        states.push(holds(Rules {
            give_ups: 1,
            writes: [1, 0],
            ..finds
        }));
        states.push(holds(Rules {
            restarts: 1,
            forgets: 1,
            reads: 2,
            readers: [1, 0],
            ..finds
        }));
        states.push(holds(Rules {
            give_ups: 1,
            readers: [2, 0],
            writes: [1, 0],
            ..finds
        }));
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
    // A peek at what the other process has stored during a write, when the deletion after it has no answer.
    let peeks = Rules {
        finds: true,
        give_ups: 1,
        reads: 1,
        ..rules
    };
    holds(peeks);
    assert!(
        explore(Rules {
            trusted: false,
            ..peeks
        })
        .is_err()
    );
}
