//! When there are more connections than are usual, at a server whose late replies hold up some of them.

use super::*;

const STEP: Duration = Duration::from_millis(2);
const USUAL: usize = 64;
const MANY: usize = 128;

/// 256 callers of a server, each of whom waits for 10 ms with as many connections as are usual.
struct Server {
    control: DepthControl,
    now: Instant,
    /// How many times as fast callers are served with more connections.
    gain: f64,
    /// The share of the connections that wait for late replies.
    stuck: f64,
    /// How long it takes to open more connections, and since when that has been going on.
    opening: Duration,
    opened: Option<Instant>,
    /// How long a setting was tried.
    trying: Duration,
}

impl Server {
    fn new(gain: f64, stuck: f64) -> Self {
        Self {
            control: DepthControl::new(4, false),
            now: Instant::now(),
            gain,
            stuck,
            opening: Duration::ZERO,
            opened: None,
            trying: Duration::ZERO,
        }
    }

    fn run(&mut self, seconds: f64) -> Setting {
        self.control.setting.depth = 4;
        for _ in 0..(seconds / STEP.as_secs_f64()) as u32 {
            self.now += STEP;
            let setting = self.control.setting();
            if setting != self.control.learnt() {
                self.trying += STEP;
            }
            self.opened = match setting.width {
                Width::Wide => Some(self.opened.unwrap_or(self.now + self.opening)),
                _ => None,
            };
            let opened = self.opened.is_some_and(|at| at <= self.now);
            let connections = if opened { MANY } else { USUAL };
            // Fewer than all callers fit at a depth below 4, and 3 is no depth that is tried.
            let room = (connections * setting.depth).min(256) as f64;
            let gain = if opened { self.gain } else { 1.0 } * room / 256.0;
            let response = Duration::from_secs_f64(0.01 / gain);
            let replies = (51.2 * gain) as u32;
            let sample = Sample {
                replies: replies.into(),
                heard: replies.into(),
                latency: response * replies,
                longest: response,
                response: response * replies,
                ..Sample::default()
            };
            let load = Load {
                connections,
                opening: usize::from(setting.width == Width::Wide && !opened),
                stuck: (self.stuck * connections as f64) as usize,
                waiting: 0,
                can_widen: true,
                narrow: 0,
            };
            self.control.observe(&sample, load, self.now);
        }
        self.control.learnt()
    }
}

fn is_wide(setting: Setting) -> bool {
    setting.width == Width::Wide
}

/// What callers got in a second in which so many requests were under way on average, while so many
/// connections waited for late replies.
fn second_with(in_flight: u32, stuck: usize) -> Window {
    let mut window = Window::default();
    window.secs = 1.0;
    let sample = Sample {
        replies: 1000,
        heard: 1000,
        latency: Duration::from_secs(1) * in_flight,
        response: Duration::from_secs(1) * in_flight,
        ..Sample::default()
    };
    let load = Load {
        stuck,
        ..Load::default()
    };
    window.add(&sample, load);
    window
}

#[test]
fn more_connections_are_tried_where_requests_stand_behind_late_replies() {
    // (connections that wait for late replies, requests under way, whether there may be more)
    for (stuck, in_flight, can_widen, tried) in [
        (7, 71, true, true),
        (6, 71, true, false),
        (7, 70, true, false),
        (7, 71, false, false),
    ] {
        let mut control = DepthControl::new(4, false);
        let load = Load {
            connections: 64,
            can_widen,
            ..Load::default()
        };
        control.choose(&second_with(in_flight, stuck), load, Instant::now());
        assert_eq!(is_wide(control.setting()), tried, "{stuck}, {in_flight}");
        assert!(!is_wide(control.learnt()), "it is only tried");
    }
}

#[test]
fn they_are_kept_where_callers_are_served_faster() {
    for (gain, kept) in [(1.3, true), (1.05, false), (0.9, false)] {
        let mut server = Server::new(gain, 0.2);
        assert_eq!(is_wide(server.run(5.0)), kept, "{gain}");
        server.trying = Duration::ZERO;
        assert_eq!(is_wide(server.run(60.0)), kept, "{gain}");
        assert!(
            server.trying < Duration::from_secs(3),
            "{:?}",
            server.trying
        );
    }
    assert!(
        !is_wide(Server::new(2.0, 0.05).run(60.0)),
        "hardly one is late"
    );
}

#[test]
fn they_are_judged_once_they_are_open() {
    let mut server = Server::new(1.3, 0.2);
    server.opening = Duration::from_millis(700);
    assert!(is_wide(server.run(5.0)));
    // A server on which they cannot be opened is not waited for.
    server = Server::new(1.3, 0.2);
    server.opening = Duration::from_secs(3600);
    assert!(!is_wide(server.run(5.0)));
}

#[test]
fn they_are_given_up_when_late_replies_are_over() {
    let mut server = Server::new(1.3, 0.2);
    assert!(is_wide(server.run(5.0)));
    server.stuck = 0.03;
    assert!(
        is_wide(server.run(120.0)),
        "some connections wait for late ones"
    );
    server.stuck = 0.01;
    assert!(!is_wide(server.run(120.0)));
}

#[test]
fn requests_are_not_packed_behind_late_replies() {
    for (stuck, packed) in [(6, true), (7, false)] {
        let mut control = DepthControl::new(32, false);
        let mut seen = second_with(64, stuck);
        seen.secs = 0.01;
        let load = Load {
            connections: 64,
            ..Load::default()
        };
        control.choose(&seen, load, Instant::now());
        assert_eq!(control.setting().pack > 1, packed, "{stuck}");
    }
}
