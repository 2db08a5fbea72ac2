//! Which connection, and what the end of one means for the others.

use std::collections::VecDeque;
use std::time::Duration;

use super::*;
use crate::engine::core::call::Caller;
use crate::engine::core::connection::{Phase, Report};
use crate::engine::core::depth::{Sample, Setting, Width};
use crate::engine::core::testing::{Toy, caller, later, order};
use crate::engine::core::ticket::Ticket;
use crate::error::{Error, Kind};
use crate::event::CloseReason;

mod narrow;

struct Fixture {
    scheduler: Scheduler<Toy>,
    now: Instant,
    seq: u64,
    callers: Vec<Caller<Toy>>,
}

impl Fixture {
    fn new(max_connections: usize, depth: usize) -> Self {
        let config = Config {
            max_connections,
            max_depth: depth,
            fixed_depth: true,
            ..Config::default()
        };
        let now = Instant::now();
        Self {
            scheduler: Scheduler::new(&config, now),
            now,
            seq: 0,
            callers: Vec::new(),
        }
    }

    fn ticket(&mut self) -> Ticket<Toy> {
        self.seq += 1;
        let (caller, ticket) = caller(order(self.seq, later(self.now)));
        self.callers.push(caller);
        ticket
    }

    /// Hands in so many requests.
    fn send(&mut self, n: usize) {
        for _ in 0..n {
            let ticket = self.ticket();
            let submitted = self.scheduler.handle_submit(ticket, true, self.now);
            assert!(submitted.is_ok());
        }
    }

    /// A connection that is open.
    fn open(&mut self) -> ConnId {
        let id = self.scheduler.handle_permit(self.now);
        self.scheduler.handle_opened(id, None);
        id
    }

    /// The driver has answered so many; says how many it has taken.
    fn report(&mut self, id: ConnId, report: Report) -> Result<usize, Error> {
        let mut queue = VecDeque::new();
        self.scheduler
            .take_report(id, report, &mut queue, self.now)?;
        Ok(queue.len())
    }

    fn phase(&mut self, id: ConnId) -> Phase {
        self.scheduler.connections.get(id).unwrap().phase()
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
    let mut world = Fixture::new(4, 1);
    world.send(2);
    let id = world.open();
    assert_eq!(
        (world.scheduler.mail(id), world.scheduler.waiting()),
        (1, 1)
    );
    assert_eq!(world.report(id, Report::default()).unwrap(), 1);
}

#[test]
fn of_its_connections_the_idle_one_is_given_up() {
    let mut world = Fixture::new(3, 1);
    world.send(1);
    let busy = world.open();
    let idle = world.open();
    assert_eq!(world.report(busy, Report::default()).unwrap(), 1);
    assert_eq!(world.report(idle, Report::default()).unwrap(), 0);
    world.scheduler.handle_eviction();
    assert_eq!(world.phase(idle), Phase::Closing);
    assert_eq!(world.phase(busy), Phase::Ready);
    assert_eq!(world.scheduler.holdings().leaving, 1);
    // Then the one that has something to do, once that is done.
    world.scheduler.handle_eviction();
    assert_eq!(world.phase(busy), Phase::Closing);
    assert_eq!(world.scheduler.holdings().leaving, 2);
    assert!(world.report(busy, done(1)).is_err());
}

#[test]
fn of_two_idle_connections_the_one_is_given_up_that_was_used_earlier() {
    let mut world = Fixture::new(2, 1);
    let (first, second) = (world.open(), world.open());
    for id in [second, first] {
        assert_eq!(world.report(id, Report::default()).unwrap(), 0);
    }
    world.scheduler.handle_eviction();
    assert_eq!(world.phase(second), Phase::Closing);
    assert_eq!(world.phase(first), Phase::Ready);
}

#[test]
fn a_connection_that_is_owed_serves_one_request_and_goes() {
    let mut world = Fixture::new(4, 1);
    world.send(3);
    let (first, second) = (
        world.scheduler.handle_permit(world.now),
        world.scheduler.handle_permit(world.now),
    );
    world.scheduler.handle_eviction();
    assert_eq!(world.scheduler.holdings().leaving, 1);
    world.scheduler.handle_opened(first, None);
    world.scheduler.handle_opened(second, None);
    assert_eq!(world.phase(first), Phase::Closing);
    assert_eq!(world.phase(second), Phase::Ready);
    assert_eq!(world.scheduler.holdings().leaving, 1);
    assert_eq!(world.report(first, Report::default()).unwrap(), 1);
    let ended = world.report(first, done(1)).unwrap_err();
    assert_eq!(ended.reason(), Some(CloseReason::Yielded));
    assert_eq!(world.scheduler.waiting(), 1, "it takes no second one");
    // One that is not opened is given up with that.
    let third = world.scheduler.handle_permit(world.now);
    world.scheduler.owed = 1;
    world.scheduler.handle_withdrawn(third);
    assert_eq!(world.scheduler.owed, 0);
}

#[test]
fn what_was_handed_over_does_not_stay_behind_a_large_answer() {
    let mut world = Fixture::new(1, 4);
    world.send(1);
    let id = world.open();
    assert_eq!(world.report(id, Report::default()).unwrap(), 1);
    assert_eq!(world.report(id, done(1)).unwrap(), 0);
    world.send(3);
    assert_eq!(world.scheduler.mail(id), 3);
    let streaming = Report {
        proven: true,
        streaming: true,
        ..Report::default()
    };
    assert_eq!(world.report(id, streaming).unwrap(), 0);
    assert_eq!(
        (world.scheduler.waiting(), world.scheduler.mail(id)),
        (3, 0)
    );
    let crowd = world.scheduler.describe("no room");
    assert!(crowd.contains("1 of 1 connections were held"), "{crowd}");
}

#[test]
fn who_has_lost_the_last_connection_asks_for_a_permit_anew() {
    let mut world = Fixture::new(4, 1);
    let (first, second) = (world.open(), world.open());
    world.send(1);
    world.scheduler.starved = true;
    drop(world.scheduler.handle_dropped(first, world.now));
    assert!(world.scheduler.starved);
    drop(world.scheduler.handle_dropped(second, world.now));
    assert!(
        !world.scheduler.starved,
        "it has none now, and goes before others"
    );
}

#[test]
fn who_could_not_open_the_only_connection_asks_for_a_permit_anew() {
    let exhausted = Error::new(Kind::Connect, "out of file descriptors");
    for withdrawn in [false, true] {
        let mut world = Fixture::new(4, 1);
        world.send(2);
        let first = world.scheduler.handle_permit(world.now);
        world.scheduler.handle_refusal();
        assert!(world.scheduler.starved);
        match withdrawn {
            true => world.scheduler.handle_withdrawn(first),
            false => {
                let now = world.now;
                world
                    .scheduler
                    .handle_open_failed(first, &exhausted, true, now);
            }
        }
        assert!(
            !world.scheduler.starved,
            "it goes before those that have some"
        );
    }
}

#[test]
fn what_a_new_connection_came_too_late_for_goes_to_one_with_room() {
    let mut world = Fixture::new(2, 2);
    world.send(1);
    let first = world.open();
    assert_eq!(world.report(first, Report::default()).unwrap(), 1);
    assert_eq!(world.report(first, done(1)).unwrap(), 0);
    // One goes to the connection that is idle, and two wait for the second one.
    world.send(1);
    assert_eq!(world.report(first, Report::default()).unwrap(), 1);
    world.send(1);
    let second = world.scheduler.handle_permit(world.now);
    world.send(1);
    assert_eq!(world.scheduler.waiting(), 2);
    world.scheduler.handle_opened(second, None);
    assert_eq!(
        (world.scheduler.mail(second), world.scheduler.mail(first)),
        (1, 1)
    );
    assert_eq!(world.scheduler.waiting(), 0);
}

#[test]
fn an_endpoint_that_is_given_up_opens_nothing() {
    let mut world = Fixture::new(4, 1);
    world.send(1);
    assert!(world.scheduler.poll_opening(world.now));
    world.scheduler.aborted = true;
    assert!(!world.scheduler.poll_opening(world.now));
}

#[test]
fn a_connection_that_is_owed_and_cannot_be_opened_is_owed_no_more() {
    let mut world = Fixture::new(4, 1);
    world.send(1);
    let first = world.scheduler.handle_permit(world.now);
    world.scheduler.handle_eviction();
    assert_eq!(world.scheduler.holdings().leaving, 1);
    let failed = Error::new(Kind::Connect, "it was only a test");
    world
        .scheduler
        .handle_open_failed(first, &failed, true, world.now);
    assert_eq!(world.scheduler.holdings().leaving, 0);
    let second = world.open();
    assert_eq!(world.phase(second), Phase::Ready);
}

#[test]
fn a_connection_amid_a_large_answer_is_given_up_after_a_busier_one() {
    let mut world = Fixture::new(2, 4);
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
    world.scheduler.handle_eviction();
    assert_eq!(world.phase(busy), Phase::Closing);
    assert_eq!(world.phase(large), Phase::Exclusive);
    world.scheduler.handle_eviction();
    assert_eq!(world.phase(large), Phase::Closing);
}

/// Two connections that have answered: a busy one with so many requests, and an idle one.
fn busy_and_idle(load: usize) -> (Fixture, ConnId, ConnId) {
    let mut world = Fixture::new(3, 8);
    let (busy, idle) = (world.open(), world.open());
    for id in [busy, idle] {
        assert_eq!(world.report(id, done(0)).unwrap(), 0);
    }
    world.send(load);
    let id = if world.scheduler.mail(busy) > 0 {
        busy
    } else {
        idle
    };
    assert_eq!(world.report(id, done(0)).unwrap(), load);
    (world, id, if id == busy { idle } else { busy })
}

#[test]
fn requests_are_spread_unless_it_pays_to_pack_them() {
    for (pack, packed) in [(1, 0), (2, 1), (4, 3)] {
        let (mut world, busy, idle) = busy_and_idle(1);
        world.scheduler.depth.teach(Setting::new(8, pack));
        world.scheduler.rank_all();
        world.send(packed);
        let mail = (world.scheduler.mail(busy), world.scheduler.mail(idle));
        assert_eq!(mail, (packed, 0), "{pack}");
        // The busy one has as many as are packed.
        world.send(1);
        assert_eq!(world.scheduler.mail(idle), 1, "{pack}");
    }
}

#[test]
fn nothing_is_packed_behind_what_is_stuck_and_what_goes_alone_is_not_packed() {
    let (mut world, busy, idle) = busy_and_idle(1);
    world.scheduler.depth.teach(Setting::new(8, 8));
    let stuck = Report {
        stuck: true,
        ..done(0)
    };
    assert_eq!(world.report(busy, stuck).unwrap(), 0);
    world.send(1);
    assert_eq!(world.scheduler.mail(idle), 1);
    let (mut world, busy, idle) = busy_and_idle(1);
    world.scheduler.depth.teach(Setting::new(8, 8));
    world.scheduler.rank_all();
    assert_eq!(world.scheduler.choose(true), Some(idle));
    assert_eq!(world.scheduler.choose(false), Some(busy));
}

#[test]
fn what_waits_is_handed_out_when_connections_may_be_deeper() {
    let mut world = Fixture::new(1, 1);
    world.send(1);
    let id = world.open();
    assert_eq!(world.report(id, done(0)).unwrap(), 1);
    world.send(3);
    assert_eq!(
        (world.scheduler.waiting(), world.scheduler.mail(id)),
        (3, 0)
    );
    let before = world.scheduler.depth.setting();
    world.scheduler.follow(id, before);
    assert_eq!(world.scheduler.waiting(), 3);
    world.scheduler.depth.teach(Setting::new(3, 1));
    world.scheduler.follow(id, before);
    assert_eq!(
        (world.scheduler.waiting(), world.scheduler.mail(id)),
        (1, 2)
    );
}

#[test]
fn connections_that_are_too_many_close_when_what_they_have_is_done() {
    let mut world = Fixture::new(4, 1);
    world.scheduler.growth = Growth::new(&Config {
        max_connections: 4,
        usual_connections: 2,
        ..Config::default()
    });
    world.send(6);
    let mut open = vec![world.open(), world.open()];
    assert!(!world.scheduler.poll_opening(world.now), "two are usual");
    let before = world.scheduler.depth.setting();
    let of = |width| Setting::new(1, 1).with(width);
    world.scheduler.depth.teach(of(Width::Wide));
    world.scheduler.follow(open[0], before);
    assert!(world.scheduler.poll_opening(world.now));
    open.extend([world.open(), world.open()]);
    assert!(!world.scheduler.poll_opening(world.now), "four are allowed");
    for id in &open {
        assert_eq!(world.report(*id, Report::default()).unwrap(), 1);
    }
    world.scheduler.depth.teach(of(Width::Usual));
    world.scheduler.follow(open[0], of(Width::Wide));
    world.scheduler.apply_width();
    let closing = |world: &mut Fixture, id| world.phase(id) == Phase::Closing;
    let (gone, kept): (Vec<_>, Vec<_>) = open.into_iter().partition(|id| closing(&mut world, *id));
    assert_eq!(
        (gone.len(), kept.len()),
        (2, 2),
        "no more than are too many"
    );
    for id in gone {
        assert!(world.report(id, done(1)).is_err());
    }
    assert_eq!(world.report(kept[0], done(1)).unwrap(), 1, "it goes on");
}

#[test]
fn paces_at_another_setting_are_forgotten_where_connections_are_many() {
    let mut world = Fixture::new(2, 8);
    let (slow, other) = (world.open(), world.open());
    for id in [slow, other] {
        assert_eq!(world.report(id, done(0)).unwrap(), 0);
    }
    world.scheduler.depth.teach(Setting::new(1, 1));
    world.send(2);
    for id in [slow, other] {
        assert_eq!(world.report(id, done(0)).unwrap(), 1);
    }
    for (id, ms) in [(other, 1), (slow, 100)] {
        world.now += Duration::from_millis(ms);
        world.send(1);
        assert_eq!(world.report(id, done(1)).unwrap(), 1);
    }
    let before = world.scheduler.depth.setting();
    world.scheduler.depth.teach(Setting::new(4, 1));
    world.scheduler.follow(other, before);
    let shortest = |world: &Fixture| world.scheduler.connections.shortest_wait();
    world.send(1);
    assert_eq!(shortest(&world), Some(other), "it is quick, and has two");
    let narrow = before.with(Width::Narrow);
    world.scheduler.follow(other, narrow);
    assert_eq!(shortest(&world), Some(other), "few connections keep theirs");
    let wide = Setting::new(4, 1).with(Width::Wide);
    world.scheduler.depth.teach(wide);
    world.scheduler.follow(other, before);
    assert_eq!(shortest(&world), Some(slow), "it has the fewest");
}

#[test]
fn requests_count_as_waiting_only_where_no_further_connection_may_be_opened() {
    let mut world = Fixture::new(2, 1);
    world.open();
    world.send(3);
    let waiting = world.scheduler.queue.len();
    assert!(waiting > 0);
    assert_eq!(world.scheduler.load().waiting, 0, "one may be opened");
    // The cap of all endpoints leaves it none.
    world.scheduler.starved = true;
    assert_eq!(world.scheduler.load().waiting, waiting);
    world.scheduler.starved = false;
    world.open();
    world.send(3);
    let waiting = world.scheduler.queue.len();
    assert!(waiting > 0);
    let load = world.scheduler.load();
    assert_eq!((load.connections, load.waiting), (2, waiting));
}
