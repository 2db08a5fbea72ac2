//! Which connection, and what the end of one means for the others.

use super::*;
use crate::engine::call::Caller;
use crate::engine::learn::Sample;
use crate::engine::testing::{Toy, caller, later, order};

struct World {
    state: State<Toy>,
    config: Config,
    now: Instant,
    seq: u64,
    callers: Vec<Caller<Toy>>,
}

impl World {
    fn new(max_connections: usize, depth: usize) -> Self {
        let config = Config {
            max_connections,
            max_depth: depth,
            fixed_depth: true,
            ..Config::default()
        };
        let now = Instant::now();
        Self {
            state: State::new(&config, now),
            config,
            now,
            seq: 0,
            callers: Vec::new(),
        }
    }

    fn entry(&mut self) -> Entry<Toy> {
        self.seq += 1;
        let (caller, entry) = caller(order(self.seq, later(self.now)));
        self.callers.push(caller);
        entry
    }

    /// Hands in so many requests.
    fn send(&mut self, n: usize) {
        for _ in 0..n {
            let entry = self.entry();
            let admitted = self.state.admit(entry, &self.config, self.now);
            assert!(admitted.is_ok());
        }
    }

    /// A connection that is open.
    fn open(&mut self) -> ConnId {
        let id = self.state.add(self.now);
        self.state.opened(id, None);
        id
    }

    /// The driver has answered so many; says how many it has taken.
    fn report(&mut self, id: ConnId, report: Report) -> Result<usize, Error> {
        let mut queue = VecDeque::new();
        self.state.report(id, report, &mut queue, self.now)?;
        Ok(queue.len())
    }

    fn phase(&mut self, id: ConnId) -> Phase {
        self.state.slot(id).unwrap().phase
    }
}

fn done(done: usize) -> Report {
    Report {
        done,
        proven: true,
        sample: Sample {
            replies: done as u64,
            ..Sample::default()
        },
        ..Report::default()
    }
}

#[test]
fn a_connection_that_is_opened_takes_who_has_waited_the_longest() {
    let mut world = World::new(4, 1);
    world.send(2);
    let id = world.open();
    assert_eq!((world.state.mail(id), world.state.line.len()), (1, 1));
    assert_eq!(world.report(id, Report::default()).unwrap(), 1);
}

#[test]
fn of_its_connections_the_idle_one_is_given_up() {
    let mut world = World::new(3, 1);
    world.send(1);
    let busy = world.open();
    let idle = world.open();
    assert_eq!(world.report(busy, Report::default()).unwrap(), 1);
    assert_eq!(world.report(idle, Report::default()).unwrap(), 0);
    world.state.close_one();
    assert_eq!(world.phase(idle), Phase::Closing);
    assert_eq!(world.phase(busy), Phase::Ready);
    assert_eq!(world.state.leaving(), 1);
    // Then the one that has something to do, once that is done.
    world.state.close_one();
    assert_eq!(world.phase(busy), Phase::Closing);
    assert_eq!(world.state.leaving(), 2);
    assert!(world.report(busy, done(1)).is_err());
}

#[test]
fn of_two_idle_connections_the_one_is_given_up_that_was_used_earlier() {
    let mut world = World::new(2, 1);
    let (first, second) = (world.open(), world.open());
    for id in [second, first] {
        assert_eq!(world.report(id, Report::default()).unwrap(), 0);
    }
    world.state.close_one();
    assert_eq!(world.phase(second), Phase::Closing);
    assert_eq!(world.phase(first), Phase::Ready);
}

#[test]
fn a_connection_that_is_owed_serves_one_request_and_goes() {
    let mut world = World::new(4, 1);
    world.send(3);
    let (first, second) = (world.state.add(world.now), world.state.add(world.now));
    assert!(world.state.close_one().is_none());
    assert_eq!(world.state.leaving(), 1);
    world.state.opened(first, None);
    world.state.opened(second, None);
    assert_eq!(world.phase(first), Phase::Closing);
    assert_eq!(world.phase(second), Phase::Ready);
    assert_eq!(world.state.leaving(), 1);
    assert_eq!(world.report(first, Report::default()).unwrap(), 1);
    let ended = world.report(first, done(1)).unwrap_err();
    assert_eq!(ended.reason(), Some(CloseReason::Yielded));
    assert_eq!(world.state.line.len(), 1, "it takes no second one");
    // One that is not opened is given up with that.
    let third = world.state.add(world.now);
    world.state.owed = 1;
    world.state.withdraw(third);
    assert_eq!(world.state.owed, 0);
}

#[test]
fn what_was_handed_over_does_not_stay_behind_a_large_answer() {
    let mut world = World::new(1, 4);
    world.send(1);
    let id = world.open();
    assert_eq!(world.report(id, Report::default()).unwrap(), 1);
    assert_eq!(world.report(id, done(1)).unwrap(), 0);
    world.send(3);
    assert_eq!(world.state.mail(id), 3);
    let streaming = Report {
        proven: true,
        streaming: true,
        ..Report::default()
    };
    assert_eq!(world.report(id, streaming).unwrap(), 0);
    assert_eq!((world.state.line.len(), world.state.mail(id)), (3, 0));
    let crowd = world.state.crowd("no room");
    assert!(crowd.contains("1 of 1 connections were held"), "{crowd}");
}

#[test]
fn who_has_lost_the_last_connection_asks_for_a_permit_anew() {
    let mut world = World::new(4, 1);
    let (first, second) = (world.open(), world.open());
    world.send(1);
    world.state.starved = true;
    world.state.ended(first, false, world.now);
    assert!(world.state.starved);
    world.state.ended(second, false, world.now);
    assert!(
        !world.state.starved,
        "it has none now, and goes before others"
    );
}

#[test]
fn an_endpoint_that_is_given_up_opens_nothing() {
    let mut world = World::new(4, 1);
    world.send(1);
    assert!(world.state.wants_connection(world.now));
    world.state.aborted = true;
    assert!(!world.state.wants_connection(world.now));
}

#[test]
fn a_connection_that_is_owed_and_cannot_be_opened_is_owed_no_more() {
    let mut world = World::new(4, 1);
    world.send(1);
    let first = world.state.add(world.now);
    assert!(world.state.close_one().is_none());
    assert_eq!(world.state.leaving(), 1);
    world.state.open_failed(first, world.now);
    assert_eq!(world.state.leaving(), 0);
    let second = world.open();
    assert_eq!(world.phase(second), Phase::Ready);
}

#[test]
fn a_connection_amid_a_large_answer_is_given_up_after_a_busier_one() {
    let mut world = World::new(2, 4);
    world.send(1);
    let large = world.open();
    assert_eq!(world.report(large, Report::default()).unwrap(), 1);
    let streaming = Report {
        proven: true,
        streaming: true,
        ..Report::default()
    };
    assert_eq!(world.report(large, streaming).unwrap(), 0);
    world.send(1);
    let busy = world.open();
    assert_eq!(world.report(busy, Report::default()).unwrap(), 1);
    assert_eq!(world.report(busy, done(1)).unwrap(), 0);
    world.send(2);
    assert_eq!(world.report(busy, Report::default()).unwrap(), 2);
    world.state.close_one();
    assert_eq!(world.phase(busy), Phase::Closing);
    assert_eq!(world.phase(large), Phase::Exclusive);
    world.state.close_one();
    assert_eq!(world.phase(large), Phase::Closing);
}
