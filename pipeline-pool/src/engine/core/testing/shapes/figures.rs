//! What callers get: how many replies per second, and how long each of them took.

use std::time::Duration;

/// Steps of the scale of times per doubling: a time is known to about 1 %.
const STEPS: u32 = 64;

/// Response times, from handing a request in to its reply, and what else was counted meanwhile.
#[derive(Clone, Debug, Default)]
pub(super) struct Figures {
    /// How often each step of the scale was hit.
    times: Vec<u32>,
    pub(super) replies: u64,
    /// Replies that took more than 50 ms.
    over_50ms: u64,
    /// How long it was counted for.
    pub(super) time: Duration,
    /// Requests that were sent a second time.
    pub(super) hedges: u64,
    /// Changes of what the pool has learnt.
    pub(super) changes: u64,
}

/// The step of a time in nanoseconds: linear within each doubling.
fn step(ns: u64) -> usize {
    let ns = ns.max(u64::from(STEPS));
    let octave = ns.ilog2() - STEPS.ilog2();
    let within = (ns >> octave) as usize - STEPS as usize;
    octave as usize * STEPS as usize + within
}

/// The middle of a step, in milliseconds.
fn middle(step: usize) -> f64 {
    let (octave, within) = (step / STEPS as usize, step % STEPS as usize);
    let ns = (STEPS as usize + within) as f64 + 0.5;
    ns * 2f64.powi(octave as i32) / 1e6
}

impl Figures {
    pub(super) fn note(&mut self, took: Duration) {
        let step = step(took.as_nanos() as u64);
        if step >= self.times.len() {
            self.times.resize(step + 1, 0);
        }
        self.times[step] += 1;
        self.replies += 1;
        self.over_50ms += u64::from(took > Duration::from_millis(50));
    }

    /// Replies per second.
    pub(super) fn rate(&self) -> f64 {
        self.replies as f64 / self.time.as_secs_f64()
    }

    /// The time in milliseconds within which this share of the replies came.
    pub(super) fn quantile(&self, share: f64) -> f64 {
        let wanted = (share * self.replies as f64).ceil() as u64;
        let mut seen = 0;
        let found = self.times.iter().position(|n| {
            seen += u64::from(*n);
            seen >= wanted.max(1)
        });
        found.map_or(f64::NAN, middle)
    }

    /// The share of replies that took over 50 ms.
    pub(super) fn over_50ms(&self) -> f64 {
        self.over_50ms as f64 / self.replies as f64
    }

    /// Second copies for each reply.
    pub(super) fn extra(&self) -> f64 {
        self.hedges as f64 / self.replies as f64
    }
}

#[test]
fn quantiles_are_known_to_one_in_a_hundred() {
    let mut figures = Figures::default();
    for us in 1..=10_000 {
        figures.note(Duration::from_micros(us * 10));
    }
    for (share, ms) in [(0.5, 50.0), (0.99, 99.0), (0.999, 99.9)] {
        let known = figures.quantile(share);
        assert!((known / ms - 1.0).abs() < 0.01, "{known} for {ms}");
    }
    assert_eq!(figures.over_50ms(), 0.5);
}
