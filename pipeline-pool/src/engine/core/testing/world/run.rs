//! Runs of the world, and how one that fails is shrunk.

use super::World;
use super::events::{Happening, Plan, draw};
use crate::engine::core::testing::random::Random;

/// The runs of one test, and the events of each: over a million in all.
const RUNS: u64 = 2700;
const EVENTS: usize = 400;

/// Runs these events, and says what was wrong.
fn run(plan: Plan, events: &[Happening]) -> Result<(), String> {
    let mut world = World::new(plan);
    for event in events {
        world.step(*event);
        if world.violation.is_some() {
            break;
        }
    }
    if world.violation.is_none() {
        match plan.aborts {
            true => world.abort(),
            false => world.heal(),
        }
        world.close();
    }
    world.violation.map_or(Ok(()), Err)
}

/// What happens in the run of this seed.
fn script(seed: u64) -> (Plan, Vec<Happening>) {
    let mut random = Random::new(seed);
    let plan = Plan::draw(&mut random);
    let events = (0..EVENTS).map(|_| draw(&plan, &mut random));
    (plan, events.collect())
}

/// Leaves out events that a failure does not need, more and more finely.
fn shrink(mut events: Vec<Happening>, fails: impl Fn(&[Happening]) -> bool) -> Vec<Happening> {
    let mut size = events.len() / 2;
    while size > 0 {
        let mut at = 0;
        while at < events.len() {
            let mut fewer = events.clone();
            fewer.drain(at..(at + size).min(events.len()));
            if fails(&fewer) {
                events = fewer;
            } else {
                at += size;
            }
        }
        size /= 2;
    }
    events
}

/// How this fails, if it does; a panic is a failure too.
fn fails(plan: Plan, events: &[Happening]) -> Option<String> {
    let ran = std::panic::catch_unwind(|| run(plan, events));
    match ran {
        Ok(told) => told.err(),
        Err(_) => Some("it panics".into()),
    }
}

fn from_env(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Runs the seeds of a range, and panics with the smallest form of the first that fails.
fn survive(seeds: std::ops::Range<u64>) {
    println!("worlds of the seeds {seeds:?}, of {EVENTS} events each");
    for seed in seeds {
        let (plan, events) = script(seed);
        if let Some(why) = fails(plan, &events) {
            let events = shrink(events, |events| fails(plan, events).is_some());
            let why = fails(plan, &events).unwrap_or(why);
            panic!("seed {seed}: {why}\n{plan:#?}\n{events:#?}");
        }
    }
}

#[test]
fn everybody_is_served_and_hears_the_truth() {
    if let Some(seed) = from_env("WORLD_SEED") {
        return survive(seed..seed + 1);
    }
    survive(0..from_env("WORLD_RUNS").unwrap_or(RUNS));
}

#[test]
fn a_run_that_fails_is_shrunk_to_what_it_takes() {
    let fails = |events: &[Happening]| {
        let mut events = events.iter();
        let closed = events.any(|e| matches!(e, Happening::Close(_)));
        closed && events.any(|e| matches!(e, Happening::Reset(_)))
    };
    let mut scripts = (0..).map(|seed| script(seed).1);
    let events = shrink(scripts.find(|events| fails(events)).unwrap(), fails);
    assert!(
        matches!(events[..], [Happening::Close(_), Happening::Reset(_)]),
        "{events:?}"
    );
}

#[test]
fn the_same_seed_is_the_same_run() {
    let script = |seed| format!("{:?}", script(seed));
    assert_eq!(script(3), script(3));
    assert_ne!(script(3), script(4));
}
