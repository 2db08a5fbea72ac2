//! The search for a depth, at servers that are formulas.

use super::*;

/// A server seen through its formula: replies per second of a connection at a depth.
struct Formula<F: Fn(usize) -> f64> {
    rate: F,
    /// Share of replies that are late at depth 1; a late one holds all behind it.
    late: f64,
    /// How often nothing is answered, and for how long.
    pause: Option<(Duration, Duration)>,
    step: Duration,
    connections: usize,
    control: DepthControl,
    now: Instant,
    seed: u64,
    shallow: f64,
    rest: Vec<f64>,
    full: Vec<Duration>,
}

impl<F: Fn(usize) -> f64> Formula<F> {
    fn new(max: usize, connections: usize, rate: F) -> Self {
        Self {
            rate,
            late: 0.0,
            pause: None,
            step: Duration::from_millis(10),
            connections,
            control: DepthControl::new(max, false),
            now: Instant::now(),
            seed: 1,
            shallow: 0.0,
            rest: vec![0.0; connections],
            full: vec![Duration::ZERO; connections],
        }
    }

    fn random(&mut self) -> f64 {
        self.seed = self
            .seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.seed >> 11) as f64 / (1u64 << 53) as f64
    }

    fn run(&mut self, seconds: f64) -> usize {
        let step = self.step;
        for i in 0..(seconds / step.as_secs_f64()) as u32 {
            self.now += step;
            let mut paused = false;
            if let Some((every, long)) = self.pause {
                let into = (step * i).as_nanos() % every.as_nanos();
                paused = into == 0 && i > 0;
                self.now += if paused { long } else { Duration::ZERO };
            }
            if self.control.depth() == 1 {
                self.shallow += step.as_secs_f64();
            }
            for c in 0..self.connections {
                let depth = self.control.depth_of(ConnId(c));
                let rate = (self.rate)(depth);
                let whole = rate * step.as_secs_f64() + self.rest[c];
                let replies = whole as u64;
                self.rest[c] = whole - replies as f64;
                self.full[c] += step;
                if replies == 0 {
                    continue;
                }
                let late = match paused {
                    true => replies.min(depth as u64),
                    false => (0..replies).filter(|_| self.random() < self.late).count() as u64,
                };
                let sample = Sample {
                    replies,
                    full: Some(std::mem::take(&mut self.full[c])),
                    latency: Duration::from_secs_f64(depth as f64 / rate) * replies as u32,
                    late: late * depth as u64,
                };
                self.control
                    .observe(ConnId(c), &sample, self.connections, self.now);
            }
        }
        self.control.depth()
    }
}

#[test]
fn a_serial_server_nearby_stays_at_one() {
    for connections in [1, 8] {
        let mut server = Formula::new(32, connections, |d| (d as f64 / 0.00105).min(1000.0));
        assert_eq!(server.run(60.0), 1, "with {connections} connections");
    }
}

#[test]
fn a_concurrent_server_goes_deep() {
    for connections in [1, 8] {
        let mut server = Formula::new(32, connections, |d| d as f64 / 0.005);
        assert_eq!(server.run(10.0), 32, "with {connections} connections");
    }
}

#[test]
fn a_far_serial_server_goes_as_deep_as_it_pays() {
    // RTT 20 ms, S 1 ms: no more than 21 requests can be under way usefully.
    let mut server = Formula::new(32, 8, |d| (d as f64 / 0.021).min(1000.0));
    let depth = server.run(60.0);
    assert!((16..=32).contains(&depth), "{depth}");
}

#[test]
fn a_start_too_deep_is_taken_back() {
    let mut server = Formula::new(32, 8, |d| (d as f64 / 0.0011).min(1000.0));
    let ms = Duration::from_millis;
    server.control.start(Some(ms(20)), ms(21));
    assert!((20..=21).contains(&server.control.depth()));
    assert!(server.run(60.0) <= 2);
}

#[test]
fn a_tail_keeps_it_shallow() {
    // The server is saturated: a deeper connection only takes a larger share of it.
    let mut server = Formula::new(4, 64, |d| d as f64 * 800.0);
    server.late = 0.005;
    server.step = Duration::from_millis(2);
    server.run(300.0);
    assert!(
        server.shallow > 285.0,
        "at depth 1 for {} of 300 s",
        server.shallow
    );
}

#[test]
fn a_pause_of_all_connections_is_no_tail() {
    // Every 50 ms nothing at all is answered for 10 ms, as where other programs want the
    // processor: all that is under way then is late.
    let mut server = Formula::new(32, 8, |d| d as f64 * 2000.0);
    server.step = Duration::from_millis(1);
    server.pause = Some((Duration::from_millis(50), Duration::from_millis(10)));
    server.run(1.5);
    assert_eq!(server.control.depth(), 32);
}

#[test]
fn one_connection_that_is_late_has_no_part_in_a_pause() {
    let mut control = DepthControl::new(32, false);
    let (start, ms) = (Instant::now(), Duration::from_millis);
    let sample = |late| Sample {
        replies: 1,
        full: None,
        latency: ms(1),
        late,
    };
    let mut seen = Vec::new();
    // The others are answered all the time, but for a pause of 10 ms that ends at 200 ms.
    for i in (0..190).chain(200..300) {
        control.observe(ConnId(0), &sample(0), 2, start + ms(i));
        if [150, 201, 250].contains(&i) {
            control.observe(ConnId(1), &sample(1), 2, start + ms(i));
            seen.push(control.tail.late());
        }
    }
    assert_eq!(seen, [1, 1, 2]);
    // Of one connection alone, nothing can be told apart.
    control.observe(ConnId(1), &sample(1), 1, start + ms(900));
    assert_eq!(control.tail.late(), 3);
}

#[test]
fn a_change_is_followed() {
    let fast = std::cell::Cell::new(false);
    let mut server = Formula::new(32, 8, |d| if fast.get() { d as f64 * 200.0 } else { 200.0 });
    assert_eq!(server.run(30.0), 1);
    fast.set(true);
    assert_eq!(server.run(120.0), 32);
    fast.set(false);
    assert_eq!(server.run(120.0), 1);
}

#[test]
fn a_server_that_closes_after_each_answer_is_spared() {
    let mut server = Formula::new(32, 8, |d| d as f64 * 200.0);
    assert_eq!(server.run(20.0), 32);
    server.control.forbid(server.now);
    assert_eq!(server.run(30.0), 1);
}

#[test]
fn a_fixed_depth_stays() {
    let mut control = DepthControl::new(7, true);
    let ms = Duration::from_millis;
    control.start(Some(ms(1)), ms(500));
    control.forbid(Instant::now());
    assert_eq!(control.depth_of(ConnId(3)), 7);
}

#[test]
fn nothing_is_tried_within_a_burst() {
    let mut control = DepthControl::new(4, false);
    let mut now = Instant::now();
    let work = Duration::from_millis(20);
    for round in 1..=4 {
        now += work;
        for connection in 0..64 {
            let sample = Sample {
                replies: 1,
                full: Some(work),
                latency: work,
                late: 0,
            };
            assert_eq!(control.depths(), (1, None), "in round {round}");
            control.observe(ConnId(connection), &sample, 64, now);
        }
    }
    assert!(
        control.depths().1.is_some(),
        "a load that lasts is learnt from"
    );
}

#[test]
fn one_late_answer_does_not_become_the_usual() {
    let mut control = DepthControl::new(4, false);
    let now = Instant::now();
    let answer = |millis| Sample {
        replies: 1,
        latency: Duration::from_millis(millis),
        ..Sample::default()
    };
    control.observe(ConnId(0), &answer(10), 1, now);
    assert_eq!(control.usual(), Duration::from_millis(10));
    control.observe(ConnId(0), &answer(30_000), 1, now);
    assert!(control.usual() < Duration::from_millis(11), "{control:?}");
    // A server that slows down as a whole is another matter.
    for _ in 0..400 {
        control.observe(ConnId(0), &answer(30_000), 1, now);
    }
    assert!(control.usual() > Duration::from_secs(25), "{control:?}");
}
