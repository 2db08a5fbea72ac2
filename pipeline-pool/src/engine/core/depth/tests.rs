//! The control, at servers that are formulas.

use super::*;

/// What callers get with a setting.
#[derive(Clone, Copy, Debug)]
struct Gets {
    /// The mean time from handing in a request to its reply, in seconds.
    response: f64,
    /// The share of it that a request spends on a connection.
    sent: f64,
    /// The share of callers that are slow.
    slow: f64,
}

impl Gets {
    fn plain(response: f64) -> Self {
        Self {
            response,
            sent: 1.0,
            slow: 0.0,
        }
    }
}

/// A server seen through its formula, and callers that send one request after another.
struct Formula<F: Fn(Setting) -> Gets> {
    gets: F,
    callers: usize,
    connections: usize,
    control: DepthControl,
    now: Instant,
    rest: f64,
    slow: f64,
    /// How long another setting was in use than the one that is learnt.
    trying: Duration,
    /// How often what is learnt has changed.
    changes: usize,
}

const STEP: Duration = Duration::from_millis(2);

impl<F: Fn(Setting) -> Gets> Formula<F> {
    fn new(max: usize, connections: usize, callers: usize, gets: F) -> Self {
        Self {
            gets,
            callers,
            connections,
            control: DepthControl::new(max, false),
            now: Instant::now(),
            rest: 0.0,
            slow: 0.0,
            trying: Duration::ZERO,
            changes: 0,
        }
    }

    fn run(&mut self, seconds: f64) -> Setting {
        for _ in 0..(seconds / STEP.as_secs_f64()) as u32 {
            self.now += STEP;
            let (setting, learnt) = (self.control.setting(), self.control.learnt());
            let gets = (self.gets)(setting);
            if setting != learnt {
                self.trying += STEP;
            }
            self.rest += self.callers as f64 / gets.response * STEP.as_secs_f64();
            let replies = self.rest as u64;
            self.rest -= replies as f64;
            self.slow += gets.slow * replies as f64;
            let slow = self.slow as u64;
            self.slow -= slow as f64;
            let response = Duration::from_secs_f64(gets.response);
            let latency = response.mul_f64(gets.sent);
            let sample = Sample {
                replies,
                latency: latency * replies as u32,
                longest: latency,
                heard: replies,
                response: response * replies as u32,
                slow,
                ..Sample::default()
            };
            let room = self.connections * setting.depth;
            let load = Load {
                connections: self.connections,
                waiting: self.callers.saturating_sub(room),
                ..Load::default()
            };
            self.control.observe(&sample, load, self.now);
            self.changes += usize::from(self.control.learnt() != learnt);
        }
        self.control.learnt()
    }
}

/// Callers of connections that answer so many requests per second each at a depth.
fn closed(
    connections: usize,
    callers: usize,
    rate: impl Fn(f64) -> f64,
) -> Formula<impl Fn(Setting) -> Gets> {
    Formula::new(32, connections, callers, move |setting| {
        let depth = (setting.depth as f64).min(callers as f64 / connections as f64);
        Gets::plain(callers as f64 / (connections as f64 * rate(depth)))
    })
}

#[test]
fn a_serial_server_nearby_stays_at_one() {
    for connections in [1, 8] {
        let mut server = closed(connections, 256, |d| (d / 0.00105).min(1000.0));
        assert_eq!(server.run(30.0).depth, 1, "with {connections} connections");
    }
}

#[test]
fn a_concurrent_server_goes_as_deep_as_requests_wait() {
    for (connections, depth) in [(1, 32), (8, 32), (64, 4)] {
        let mut server = closed(connections, 256, |d| d / 0.005);
        let learnt = server.run(10.0);
        assert_eq!(learnt.depth, depth, "with {connections} connections");
        assert_eq!(server.run(30.0), learnt);
    }
}

#[test]
fn a_far_serial_server_goes_as_deep_as_it_pays() {
    // RTT 20 ms, S 1 ms: no more than 21 requests can be under way usefully.
    let mut server = closed(8, 1000, |d| (d / 0.021).min(1000.0));
    let depth = server.run(60.0).depth;
    assert!((16..=32).contains(&depth), "{depth}");
}

#[test]
fn a_start_too_deep_is_taken_back() {
    let mut server = closed(8, 256, |d| (d / 0.0011).min(1000.0));
    let ms = Duration::from_millis;
    server.control.start(Some(ms(20)), ms(21));
    assert!((20..=21).contains(&server.control.depth()));
    assert!(server.run(60.0).depth <= 2);
}

/// A server that answers so many times as fast at a depth of four and more, with these shares of
/// slow callers below and from there on.
fn with_tail(gain: f64, slow: [f64; 2]) -> Formula<impl Fn(Setting) -> Gets> {
    Formula::new(4, 64, 256, move |setting| {
        let deep = usize::from(setting.depth >= 4);
        Gets {
            response: [0.02, 0.02 / gain][deep],
            sent: 1.0,
            slow: slow[deep],
        }
    })
}

#[test]
fn a_tail_that_reaches_the_99th_percentile_has_to_be_paid_for() {
    assert_eq!(with_tail(1.2, [0.005, 0.02]).run(10.0).depth, 1);
    assert_eq!(with_tail(1.4, [0.01, 0.04]).run(10.0).depth, 4);
    // It is not longer where the percentile is an early one still, or was a late one before.
    assert_eq!(with_tail(1.2, [0.002, 0.008]).run(10.0).depth, 4);
    assert_eq!(with_tail(1.2, [0.05, 0.17]).run(10.0).depth, 4);
    assert_eq!(with_tail(1.2, [0.015, 0.018]).run(10.0).depth, 4);
    // Without a gain nothing is worth a tail.
    assert_eq!(with_tail(1.02, [0.05, 0.06]).run(10.0).depth, 1);
}

#[test]
fn a_depth_that_has_become_too_deep_is_halved() {
    for (slow, depth) in [([0.005, 0.005], 1), ([0.002, 0.04], 1)] {
        let mut server = with_tail(1.0, slow);
        server.control.setting.depth = 4;
        assert_eq!(server.run(60.0).depth, depth, "{slow:?}");
    }
    let mut server = with_tail(1.5, [0.002, 0.04]);
    server.control.setting.depth = 4;
    assert_eq!(server.run(60.0).depth, 4, "it is worth its tail");
}

/// A quick server where each read and write costs as much as four requests, and so many requests of
/// 64 callers share one.
fn costly(slow: f64, cost: f64) -> Formula<impl Fn(Setting) -> Gets> {
    Formula::new(32, 64, 64, move |setting| Gets {
        response: 64.0 * cost * (1.0 + 4.0 / setting.pack as f64),
        sent: 0.6,
        slow: if setting.pack > 1 { slow } else { 0.0 },
    })
}

#[test]
fn requests_are_packed_where_they_cost_the_machines_much() {
    let learnt = costly(0.0, 2e-6).run(2.0);
    assert!(
        learnt.pack >= 16 && learnt.depth >= learnt.pack,
        "{learnt:?}"
    );
    // At 10,000 per second nobody feels that, and nothing is tried.
    let mut slower = costly(0.0, 20e-6);
    assert_eq!(slower.run(30.0).pack, 1);
    assert_eq!(slower.trying, Duration::ZERO);
    // A tail is no price for it, however much it gains.
    assert_eq!(costly(0.02, 2e-6).run(5.0).pack, 1);
}

#[test]
fn packing_is_not_tried_where_late_answers_would_hold_up_many() {
    for (share, tried) in [(0.002, true), (0.004, false)] {
        let mut server = Formula::new(32, 64, 64, |setting: Setting| Gets {
            response: 64.0 * 10e-6,
            sent: 1.0,
            slow: share * setting.pack as f64,
        });
        server.run(2.0);
        assert_eq!(server.trying > Duration::ZERO, tried, "{share}");
    }
}

#[test]
fn packing_that_pays_no_more_is_given_up() {
    let pays = std::cell::Cell::new(true);
    let mut server = Formula::new(32, 64, 64, |setting| {
        let pack = if pays.get() { setting.pack as f64 } else { 1.0 };
        Gets::plain(64.0 * 2e-6 * (1.0 + 4.0 / pack))
    });
    assert!(server.run(3.0).pack >= 16);
    pays.set(false);
    assert_eq!(server.run(120.0).pack, 1);
}

#[test]
fn a_change_is_followed() {
    let fast = std::cell::Cell::new(false);
    let mut server = closed(8, 256, |d| if fast.get() { d * 200.0 } else { 200.0 });
    assert_eq!(server.run(30.0).depth, 1);
    fast.set(true);
    assert_eq!(server.run(120.0).depth, 32);
    fast.set(false);
    assert_eq!(server.run(240.0).depth, 1);
}

#[test]
fn a_load_that_grows_ends_the_rest() {
    let many = std::cell::Cell::new(false);
    let mut server = Formula::new(32, 8, 256, |setting: Setting| {
        let callers = if many.get() { 256.0 } else { 8.0 };
        let depth = (setting.depth as f64).min(callers / 8.0);
        Gets::plain(256.0 / (8.0 * depth / 0.005) * if many.get() { 1.0 } else { 0.03 })
    });
    server.connections = 256;
    assert_eq!(server.run(100.0).depth, 1);
    many.set(true);
    server.connections = 8;
    assert_eq!(server.run(12.0).depth, 32, "it was to rest for a minute");
}

#[test]
fn trials_take_little_of_the_callers_time_and_change_nothing_for_nothing() {
    for late in [1.0, 5.0] {
        // A deeper setting is a little slower, and times differ from one moment to the next.
        let turn = std::cell::Cell::new(0_u32);
        let mut server = Formula::new(32, 64, 256, |setting| {
            turn.set(turn.get() + 1);
            let noise = 1.0 + 0.08 * f64::from(turn.get() * 7919 % 101) / 101.0;
            let depth = if setting.depth > 1 { 1.05 } else { 1.0 };
            Gets::plain(0.004 * late * noise * depth)
        });
        server.run(2.0);
        server.trying = Duration::ZERO;
        server.run(60.0);
        assert_eq!(server.changes, 0);
        assert!(
            server.trying < Duration::from_secs_f64(1.2),
            "{:?}",
            server.trying
        );
    }
}

#[test]
fn what_has_shown_that_it_pays_is_left_alone_for_a_while() {
    let mut server = closed(64, 256, |d| d / 0.02);
    assert_eq!(server.run(2.0).depth, 4);
    server.trying = Duration::ZERO;
    server.run(9.0);
    assert_eq!(server.trying, Duration::ZERO);
    server.run(120.0);
    assert!(
        server.trying > Duration::ZERO,
        "it is never looked at again"
    );
}

#[test]
fn a_server_that_closes_after_each_answer_is_spared() {
    let mut server = closed(8, 256, |d| d * 200.0);
    assert_eq!(server.run(20.0).depth, 32);
    server.control.forbid(server.now);
    assert_eq!(server.run(30.0), Setting::new(1, 1));
    assert_eq!(server.run(60.0).depth, 32);
}

#[test]
fn a_fixed_depth_stays() {
    let mut control = DepthControl::new(7, true);
    let ms = Duration::from_millis;
    control.start(Some(ms(1)), ms(500));
    control.forbid(Instant::now());
    assert_eq!(control.setting(), Setting::new(7, 1));
}

#[test]
fn nothing_is_tried_within_a_burst() {
    let mut control = DepthControl::new(4, false);
    let mut now = Instant::now();
    let work = Duration::from_millis(20);
    for round in 1..=4 {
        now += work;
        for _ in 0..64 {
            let mut sample = Sample::default();
            sample.answered(Some(now - work), now - work, &control.marks(), now);
            let load = Load {
                connections: 64,
                waiting: 64 * (4 - round),
                ..Load::default()
            };
            control.start(None, work);
            control.observe(&sample, load, now);
            assert_eq!(control.setting(), Setting::new(1, 1));
        }
    }
}

/// What callers got in a second of so many replies of so many ms each, all of it on connections.
fn second_of(replies: u64, ms: u64) -> Window {
    let mut turn = Turn::now(&Tuning::DEFAULT, Instant::now());
    let time = Duration::from_millis(ms) * replies as u32;
    let sample = Sample {
        replies,
        heard: replies,
        latency: time,
        response: time,
        ..Sample::default()
    };
    turn.add(&sample, Load::default(), Instant::now());
    turn.seen.secs = 1.0;
    turn.seen
}

#[test]
fn a_rest_ends_early_where_times_have_changed_by_half_in_either_direction() {
    // (what callers get, and whether it ends a rest that began at 12 ms)
    for (ms, ends) in [(12, false), (17, false), (19, true), (9, false), (7, true)] {
        let now = Instant::now();
        let mut control = DepthControl::new(32, false);
        let until = now + Duration::from_secs(50);
        control.stage = Stage::Resting {
            until,
            early: now,
            response: 0.012,
        };
        let load = Load {
            connections: 8,
            waiting: 0,
            ..Load::default()
        };
        control.end_turn(second_of(1000, ms), load, now);
        let rests = matches!(control.stage, Stage::Resting { until: u, .. } if u == until);
        assert_eq!(!rests, ends, "{ms} ms");
        assert!(control.turn.is_some(), "it goes on looking");
    }
}

#[test]
fn a_rest_does_not_end_before_it_may_end_early() {
    let now = Instant::now();
    let mut control = DepthControl::new(32, false);
    let until = now + Duration::from_secs(50);
    let early = now + Duration::from_secs(5);
    control.stage = Stage::Resting {
        until,
        early,
        response: 0.012,
    };
    let load = Load {
        connections: 8,
        waiting: 0,
        ..Load::default()
    };
    let rests = |control: &DepthControl| matches!(control.stage, Stage::Resting { until: u, .. } if u == until);
    control.end_turn(second_of(1000, 40), load, early - Duration::from_nanos(1));
    assert!(rests(&control));
    control.end_turn(second_of(1000, 40), load, early);
    assert!(!rests(&control));
}

#[test]
fn packing_begins_at_what_each_connection_has_already() {
    // 240 requests are under way on 40 connections, which is 6 each: 4 times as many are tried.
    let mut control = DepthControl::new(64, false);
    let load = Load {
        connections: 40,
        waiting: 0,
        ..Load::default()
    };
    let now = Instant::now();
    control.choose(&second_of(60_000, 4), load, now);
    let tried = Setting::new(24, 24);
    assert_eq!(control.setting(), tried);
    assert_eq!(control.learnt(), Setting::new(1, 1));
}

#[test]
fn a_deeper_setting_is_tried_where_more_than_a_tenth_of_what_fits_waits() {
    for (waiting, tried) in [(16, false), (17, true)] {
        let mut control = DepthControl::new(32, false);
        control.setting.depth = 2;
        let mut seen = second_of(1000, 20);
        seen.add(
            &Sample {
                replies: 1000,
                ..Sample::default()
            },
            Load {
                waiting: 2 * waiting,
                ..Load::default()
            },
        );
        let load = Load {
            connections: 80,
            waiting,
            ..Load::default()
        };
        control.choose(&seen, load, Instant::now());
        let deeper = matches!(control.stage, Stage::Trying(t) if t.trial == Trial::Deeper);
        assert_eq!(deeper, tried, "{waiting} of 160");
        assert_eq!(control.setting().depth, if tried { 8 } else { 2 });
    }
}

#[test]
fn a_shallower_setting_is_tried_only_where_more_than_half_of_what_fits_is_used() {
    // (ms of 1,000 replies per second, which is how many are in flight, of 80)
    for (in_flight, tried) in [(40, false), (41, true)] {
        let mut control = DepthControl::new(32, false);
        control.setting.depth = 4;
        let load = Load {
            connections: 20,
            waiting: 0,
            ..Load::default()
        };
        control.choose(&second_of(1000, in_flight), load, Instant::now());
        let shallower = matches!(control.stage, Stage::Trying(t) if t.trial == Trial::Shallower);
        assert_eq!(shallower, tried, "{in_flight} of 80");
    }
}

#[test]
fn rests_double_up_to_the_longest_and_are_short_again_after_a_change() {
    let now = Instant::now();
    let mut control = DepthControl::new(32, false);
    let seen = second_of(1000, 5);
    let length = |control: &DepthControl| match control.stage {
        Stage::Resting { until, early, .. } => (until - now, early - now),
        _ => panic!("it does not rest"),
    };
    let secs = Duration::from_secs;
    let mut rests = Vec::new();
    for _ in 0..8 {
        control.rest(&seen, now);
        rests.push(length(&control));
    }
    let until: Vec<_> = rests.iter().map(|(until, _)| until.as_secs()).collect();
    assert_eq!(until, [2, 4, 8, 16, 32, 60, 60, 60]);
    // An eighth of it passes in any case, and a second.
    assert_eq!(rests[2].1, secs(1));
    assert_eq!(rests[4].1, secs(4));
    control.changed = true;
    control.rest(&seen, now);
    assert_eq!(length(&control), (secs(1), secs(1)));
    // After a trial that was wrong it is 50 times as long as a look at this server takes.
    control.changed = false;
    control.wrong[Trial::Packed as usize] = true;
    control.rest(&second_of(1000, 200), now);
    assert_eq!(length(&control).0, secs(30));
}
