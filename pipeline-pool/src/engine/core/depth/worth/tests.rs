//! When there are fewer connections than are usual, at a server whose callers have more requests under
//! way than their processor's cache holds.

use std::ops::Range;

use super::super::*;

mod leaving;

const STEP: Duration = Duration::from_millis(2);
const USUAL: usize = 64;
const NARROW: usize = 8;
const NARROW_LOAD: Load = Load {
    connections: NARROW,
    opening: 0,
    stuck: 0,
    waiting: 0,
    can_widen: false,
    narrow: NARROW,
};

/// Callers of a quick server, who cost their processor 1.5 us each and 22 us for each read and write.
struct Server {
    control: DepthControl,
    now: Instant,
    callers: usize,
    /// What the server takes for a request, in seconds.
    latency: f64,
    /// How many times as much a request costs where 2,048 are under way as where 256 are.
    crowded: f64,
    /// The share of the connections that wait for late replies.
    stuck: f64,
    /// The share of callers that are slow with few connections.
    slow: f64,
    /// The connections that a narrow setting has, as the control is told.
    narrow: usize,
    /// The quickest replies take so much longer than what the server takes, in seconds.
    quickest: f64,
    steps: u64,
    rest: f64,
    /// How long a setting was tried, how long fewer connections were, and how often the width changed.
    trying: Duration,
    narrowed: Duration,
    changes: usize,
}

impl Server {
    fn new(callers: usize, crowded: f64) -> Self {
        Self {
            control: DepthControl::new(32, false),
            now: Instant::now(),
            callers,
            latency: 0.0001,
            crowded,
            stuck: 0.0,
            slow: 0.0,
            narrow: NARROW,
            quickest: 0.0002,
            steps: 0,
            rest: 0.0,
            trying: Duration::ZERO,
            narrowed: Duration::ZERO,
            changes: 0,
        }
    }

    /// Replies per second with so many connections of this depth, and the requests that are under way.
    fn rate(&self, connections: usize, depth: usize) -> (f64, f64) {
        let in_flight = self.callers.min(connections * depth) as f64;
        let crowd = ((in_flight - 256.0) / 1792.0).max(0.0) * (self.crowded - 1.0);
        let batch = in_flight / self.callers.min(connections) as f64;
        let cost = (1.5e-6 + 22e-6 / batch) * (1.0 + crowd);
        ((in_flight / self.latency).min(1.0 / cost), in_flight)
    }

    fn step(&mut self) {
        let (setting, learnt) = (self.control.setting(), self.control.learnt());
        let connections = match setting.width {
            Width::Narrow => NARROW,
            _ => USUAL,
        };
        if setting != learnt {
            self.trying += STEP;
            if setting.width == Width::Narrow {
                self.narrowed += STEP;
            }
        }
        let (rate, in_flight) = self.rate(connections, setting.depth);
        self.rest += rate * STEP.as_secs_f64();
        let replies = self.rest as u32;
        self.rest -= f64::from(replies);
        // Where the processor is what bounds the rate, half of the callers have heard of their replies
        // and do not get to their next requests: no request has to wait for a connection then.
        let all_on_connections = self.callers <= 2 * in_flight as usize;
        let bound = rate < 0.99 * in_flight / self.latency;
        let met = match all_on_connections && bound {
            true => in_flight,
            false => self.callers as f64,
        };
        let response = Duration::from_secs_f64(met / rate);
        let latency = Duration::from_secs_f64(in_flight / rate);
        let slow = match setting.width {
            Width::Narrow => self.slow * f64::from(replies),
            _ => 0.0,
        };
        let sample = Sample {
            replies: replies.into(),
            heard: replies.into(),
            latency: latency * replies,
            longest: latency,
            response: response * replies,
            slow: slow as u64,
            ..Sample::default()
        };
        let load = Load {
            connections,
            stuck: (self.stuck * connections as f64) as usize,
            waiting: (met - in_flight) as usize,
            narrow: self.narrow,
            ..Load::default()
        };
        self.control.observe(&sample, load, self.now);
        self.steps += 1;
        if self.steps.is_multiple_of(100) {
            let latency = Duration::from_secs_f64(self.latency + self.quickest);
            let sample = Sample {
                replies: 1,
                latency,
                longest: latency,
                ..Sample::default()
            };
            self.control.observe(&sample, load, self.now);
        }
        self.changes += usize::from(self.control.learnt().width != learnt.width);
    }

    fn run(&mut self, seconds: f64) -> Width {
        (self.trying, self.narrowed, self.changes) = Default::default();
        for _ in 0..(seconds / STEP.as_secs_f64()) as u32 {
            self.now += STEP;
            self.step();
        }
        self.control.learnt().width
    }

    /// A server with few connections in use, which serve faster.
    fn narrow() -> Self {
        let mut server = Self::new(4096, 1.4);
        assert_eq!(server.run(3.0), Width::Narrow);
        server
    }
}

#[test]
fn few_are_kept_where_they_serve_faster() {
    for (crowded, kept) in [(1.4, true), (1.2, true), (1.05, false), (0.9, false)] {
        let mut server = Server::new(4096, crowded);
        let learnt = if kept { Width::Narrow } else { Width::Usual };
        assert_eq!(server.run(3.0), learnt, "{crowded}");
        assert_eq!(server.control.depth(), 32);
        assert_eq!(server.run(240.0), learnt, "{crowded}");
        assert_eq!(server.changes, 0, "{crowded}");
        let most = Duration::from_secs(4);
        assert!(server.trying < most, "{crowded}: {:?}", server.trying);
    }
}

#[test]
fn few_are_not_kept_where_they_make_callers_slow() {
    let mut server = Server::new(4096, 1.4);
    server.slow = 0.02;
    assert_eq!(server.run(10.0), Width::Usual);
    assert!(server.narrowed > Duration::ZERO, "they were tried");
}

#[test]
fn few_are_tried_only_where_that_can_help_and_costs_little() {
    let narrowed = |change: fn(&mut Server)| {
        let mut server = Server::new(4096, 1.4);
        change(&mut server);
        server.run(30.0);
        server.narrowed > Duration::ZERO
    };
    assert!(narrowed(|_| {}));
    assert!(
        narrowed(|s| s.latency = 0.001),
        "they carry most of the rate"
    );
    // 256 requests under way are a sixth of what the processors can do.
    assert!(!narrowed(|s| s.latency = 0.005));
    assert!(!narrowed(|s| s.callers = 256));
    assert!(!narrowed(|s| s.narrow = 0));
    assert!(!narrowed(|s| s.narrow = 7), "they carry 224 requests");
    assert!(!narrowed(|s| s.stuck = 0.05), "late replies hold up some");
    assert!(!narrowed(|s| s.control = DepthControl::new(4, false)));
    assert!(!narrowed(|s| s.latency = 0.2), "10,000 per second");
}

/// So many replies, each a millisecond after its request was handed in.
fn replies_of_a_ms(replies: u64) -> Sample {
    Sample {
        replies,
        heard: replies,
        latency: Duration::from_millis(replies),
        response: Duration::from_millis(replies),
        ..Sample::default()
    }
}

/// What callers got in a tenth of a second in which so many requests were under way on average, of so
/// many replies per second, one in a thousand of them slow as often as that.
fn seen(in_flight: u32, rate: u64, slow: u64) -> Window {
    let mut window = Window::default();
    window.secs = 0.1;
    let sample = Sample {
        replies: rate / 10,
        heard: rate / 10,
        latency: Duration::from_millis(100) * in_flight,
        response: Duration::from_millis(100) * in_flight,
        slow: rate / 10_000 * slow,
        ..Sample::default()
    };
    window.add(&sample, Load::default());
    window
}

#[test]
fn what_makes_few_worth_a_trial_is_all_there() {
    // (requests under way, replies per second, slow ones in a thousand, the quickest reply in us, the
    // depth, the pack, connections, and whether fewer are tried)
    for (in_flight, rate, slow, us, depth, pack, connections, tried) in [
        (2048, 300_000, 0, 100, 32, 1, 64, true),
        (2048, 300_000, 1, 100, 32, 1, 64, true),
        (2048, 300_000, 2, 100, 32, 1, 64, false),
        (2048, 19_000, 0, 100, 32, 1, 64, false),
        (2048, 300_000, 0, 1700, 32, 1, 64, true),
        (2048, 300_000, 0, 1800, 32, 1, 64, false),
        (1024, 300_000, 0, 100, 16, 1, 64, true),
        (512, 300_000, 0, 100, 8, 1, 64, true),
        // Connections that are not packed have to be half full at least.
        (1024, 300_000, 0, 100, 32, 1, 64, true),
        (1023, 300_000, 0, 100, 32, 1, 64, false),
        (1023, 300_000, 0, 100, 32, 8, 64, false),
        (1023, 300_000, 0, 100, 32, 32, 64, true),
        (512, 300_000, 0, 100, 32, 32, 64, true),
        (511, 300_000, 0, 100, 32, 32, 64, false),
    ] {
        let now = Instant::now();
        let mut control = DepthControl::new(32, false);
        control.setting = Setting::new(depth, pack);
        control.quickest = us as f64 * 1e-6;
        control.proven_until = Some(now + Duration::from_secs(1));
        control.wrong[Trial::Packed as usize] = true;
        let load = Load {
            connections,
            narrow: NARROW,
            ..Load::default()
        };
        control.choose(&seen(in_flight, rate, slow), load, now);
        let narrow = Setting::new(32, pack).with(Width::Narrow);
        let tries = matches!(control.stage, Stage::Trying(t) if t.setting == narrow);
        assert_eq!(
            tries, tried,
            "{in_flight}, {rate}, {slow}, {us}, {depth}, {pack}"
        );
        assert_eq!(control.learnt().width, Width::Usual, "it is only tried");
    }
}

#[test]
fn few_are_left_soon_where_replies_take_longer() {
    for seconds in [0.05, 0.3] {
        let mut server = Server::narrow();
        server.run(100.0);
        server.latency = seconds;
        assert_eq!(server.run(5.0), Width::Usual, "{seconds}");
    }
    // That they have just shown that they pay does not count any more.
    let mut server = Server::narrow();
    server.latency = 0.005;
    assert_eq!(server.run(2.5), Width::Usual);
    assert_eq!(server.run(290.0), Width::Usual);
    assert_eq!(server.narrowed, Duration::ZERO);
    server.run(120.0);
    assert_eq!(server.run(600.0), Width::Usual);
    assert_eq!(
        server.narrowed,
        Duration::ZERO,
        "it is known what that costs"
    );
    // When replies are quick again, they are tried again.
    server.latency = 0.0001;
    assert_eq!(server.run(120.0), Width::Narrow);
}

#[test]
fn a_trial_that_cost_callers_much_is_not_made_again_for_minutes() {
    // That some replies are quick says nothing here of what they take.
    let mut server = Server::new(4096, 1.4);
    server.latency = 0.005;
    server.quickest = -0.0048;
    server.run(10.0);
    assert!(server.narrowed > Duration::ZERO);
    assert!(server.narrowed < Duration::from_millis(450));
    server.run(280.0);
    assert_eq!(server.narrowed, Duration::ZERO);
    server.run(120.0);
    assert!(server.narrowed > Duration::ZERO, "it is never tried again");
    // It is not, where no reply is quick any more.
    server.quickest = 0.0002;
    server.run(400.0);
    server.run(900.0);
    assert_eq!(server.narrowed, Duration::ZERO);
}

#[test]
fn few_are_left_alone_where_fewer_callers_keep_them_full() {
    let mut server = Server::narrow();
    server.callers = 1500;
    assert_eq!(server.run(5.0), Width::Narrow);
    assert_eq!(server.trying, Duration::ZERO);
}

#[test]
fn few_are_needed_where_many_replies_come_and_all_connections_are_full() {
    // (requests under way, replies per second, how many few are, if any, and whether that speaks for them)
    for (in_flight, rate, narrow, needed) in [
        (256, 20_000, NARROW, true),
        (255, 20_000, NARROW, false),
        (256, 19_990, NARROW, false),
        (256, 20_000, 0, false),
    ] {
        let mut control = DepthControl::new(32, false);
        control.setting = Setting::new(32, 1).with(Width::Narrow);
        let load = Load {
            narrow,
            ..NARROW_LOAD
        };
        for turns in 1..=2 {
            control.count_turns_without_need(&seen(in_flight, rate, 0), load);
            let expected = if needed { 0 } else { turns };
            assert_eq!(control.turns_without_need, expected, "{in_flight}, {rate}");
        }
        control.setting.width = Width::Usual;
        control.count_turns_without_need(&seen(in_flight, rate, 0), load);
        assert_eq!(control.turns_without_need, 0);
    }
}

#[test]
fn few_are_left_by_a_trial_where_they_pay_no_more() {
    let mut server = Server::narrow();
    server.crowded = 1.0;
    assert_eq!(server.run(70.0), Width::Usual);
    assert_eq!(server.changes, 1);
    assert!(server.trying > Duration::ZERO);
    assert_eq!(server.narrowed, Duration::ZERO);
    assert_eq!(server.run(120.0), Width::Usual);
}

#[test]
fn few_are_left_at_once_where_nothing_speaks_for_them() {
    let changes: [fn(&mut Server); 3] = [|s| s.callers = 200, |s| s.callers = 1, |s| s.stuck = 0.2];
    for (i, change) in changes.into_iter().enumerate() {
        let mut server = Server::narrow();
        server.run(5.0);
        change(&mut server);
        assert_eq!(server.run(1.0), Width::Usual, "change {i}");
        assert_eq!(server.trying, Duration::ZERO, "change {i}: it is no trial");
    }
}

#[test]
fn few_are_kept_over_a_pause() {
    let mut server = Server::narrow();
    for seconds in [2.0, 0.5, 9.0] {
        server.now += Duration::from_secs(5);
        assert_eq!(server.run(seconds), Width::Narrow);
        assert_eq!(server.changes, 0);
    }
}

#[test]
fn depth_and_packing_are_left_alone_while_connections_are_few() {
    for pack in [1, 32] {
        let mut control = DepthControl::new(32, false);
        control.setting = Setting::new(32, pack).with(Width::Narrow);
        let load = NARROW_LOAD;
        control.choose(&seen(256, 300_000, 0), load, Instant::now());
        let usual = Setting::new(32, pack);
        assert!(matches!(control.stage, Stage::Trying(t) if t.setting == usual));
    }
}

#[test]
fn both_widths_have_a_turn_and_the_usual_one_begins_when_its_connections_are_open() {
    let (mut now, ms) = (Instant::now(), Duration::from_millis);
    let mut control = DepthControl::new(32, false);
    control.setting = Setting::new(32, 32).with(Width::Narrow);
    let load = NARROW_LOAD;
    control.choose(&seen(256, 300_000, 0), load, now);
    let sample = replies_of_a_ms(1_000);
    // Between two looks some replies come, since callers have not paused.
    let between = |control: &mut DepthControl, now: Instant, load, passed: Range<u64>| {
        let sample = replies_of_a_ms(1);
        for at in passed.step_by(10).skip(1) {
            control.observe(&sample, load, now + ms(at));
        }
    };
    let mut before = 0;
    // The narrow setting is looked at for as long as the usual one.
    for (passed, load, used) in [
        (300, load, Width::Narrow),
        (302, load, Width::Usual),
        (1200, Load { opening: 1, ..load }, Width::Usual),
        (1498, load, Width::Usual),
    ] {
        between(&mut control, now, load, before..passed);
        control.observe(&sample, load, now + ms(passed));
        assert_eq!(control.setting().width, used, "{passed}");
        before = passed;
    }
    assert_eq!(control.trials(), 0);
    control.observe(&sample, load, now + ms(1502));
    assert_eq!(control.trials(), 1);
    // Connections that do not open are not waited for.
    now += ms(1502);
    control.setting.width = Width::Narrow;
    control.proven_until = None;
    control.wrong = Default::default();
    control.choose(&seen(256, 300_000, 0), load, now);
    before = 0;
    for passed in [302, 1000, 1400, 1620] {
        let load = Load { opening: 1, ..load };
        between(&mut control, now, load, before..passed);
        before = passed;
        control.observe(&sample, load, now + ms(passed));
    }
    assert_eq!(control.trials(), 2);
}

#[test]
fn a_server_that_is_spared_depth_is_spared_few_connections() {
    let mut server = Server::narrow();
    server.control.forbid(server.now);
    assert_eq!(server.control.setting(), Setting::new(1, 1));
}

#[test]
fn pauses_of_all_callers_do_not_speak_for_few() {
    // (what fewer connections gain, how long callers are busy, and for how long they pause)
    for (crowded, busy, pause) in [
        (0.7, 0.2, 0.2),
        (0.7, 0.4, 0.4),
        (0.7, 0.4, 2.0),
        (0.9, 0.4, 0.4),
        (0.7, 0.7, 0.7),
        (0.7, 1.0, 5.0),
    ] {
        let mut server = Server::new(4096, crowded);
        let mut narrowed = Duration::ZERO;
        for _ in 0..(100.0 / busy) as u32 {
            let learnt = server.run(busy);
            assert_eq!(learnt, Width::Usual, "{crowded}: {busy} s and {pause} s");
            narrowed += server.narrowed;
            server.now += Duration::from_secs_f64(pause);
        }
        assert!(narrowed < Duration::from_secs(10), "{narrowed:?}");
    }
    // Where there is time to see what they gain, they are used.
    let mut server = Server::new(4096, 1.4);
    let last = (0..10).map(|_| {
        server.now += Duration::from_secs(2);
        server.run(2.0)
    });
    assert_eq!(last.last(), Some(Width::Narrow));
}
