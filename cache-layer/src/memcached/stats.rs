//! What has happened at each server, as this client saw it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use pipeline_pool::OriginStats;

use super::error::{Error, Kind};
use crate::Server;
use crate::counters::counters;

/// How many steps the histogram has: four for each doubling, from a microsecond to some minutes.
const HISTOGRAM_STEPS: usize = 112;

/// One command in so many is timed, and each that fails: reading the clock twice for each of them would cost more than
/// the counting.
const TIMED_ONE_IN: u64 = 8;

counters! {
    pub(crate) struct ServerCounters;
    /// The figures of one server as this client has seen it, since it was put on the list.
    #[derive(Clone, Debug)]
    #[non_exhaustive]
    pub struct ServerStats {
        /// Commands that ended: answered, failed, or out of time.
        commands,
        /// Keys that were found.
        hits,
        /// Keys that were asked for and not found.
        misses,
        /// Commands that failed, those out of time included.
        errors,
        /// Commands that were not answered in time.
        timeouts,
        /// Requests that did not go to the server, as it was ejected.
        skipped,
        /// How often it was ejected.
        ejections,
        /// How often it came back.
        rejoins,
    } and {
        /// Which server these figures are of.
        pub server: Server,
        /// Whether the server is used now.
        pub state: ServerState,
        /// Entries that are to be deleted there before they are believed. It is `None` when the whole server is to be
        /// emptied.
        pub owed: Option<usize>,
        /// The connections to the server.
        pub pool: OriginStats,
        times: TimesTaken,
    }
}

/// How long commands took, counted in the steps of a histogram without a lock.
#[derive(Debug)]
pub(crate) struct Times {
    nanos: AtomicU64,
    steps: [AtomicU64; HISTOGRAM_STEPS],
}

impl Default for Times {
    fn default() -> Self {
        Self {
            nanos: AtomicU64::new(0),
            steps: std::array::from_fn(|_| AtomicU64::new(0)),
        }
    }
}

impl Times {
    pub(crate) fn add(&self, took: Duration) {
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        self.nanos.fetch_add(nanos, Ordering::Relaxed);
        self.steps[step(took)].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn read(&self) -> TimesTaken {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        TimesTaken {
            nanos: get(&self.nanos),
            steps: self.steps.iter().map(get).collect(),
        }
    }
}

/// How long the commands took that were timed.
#[derive(Clone, Debug)]
pub(crate) struct TimesTaken {
    nanos: u64,
    /// How many fell into each step.
    steps: Vec<u64>,
}

/// The step that a time falls into.
fn step(took: Duration) -> usize {
    let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX).max(1);
    let octave = micros.ilog2();
    // These are the two bits after the first.
    let quarter = if octave >= 2 {
        (micros >> (octave - 2)) & 3
    } else {
        (micros << (2 - octave)) & 3
    };
    (octave as usize * 4 + quarter as usize).min(HISTOGRAM_STEPS - 1)
}

/// The longest time of a step.
fn bound(step: usize) -> Duration {
    let (octave, quarter) = (step / 4, (step % 4) as u64);
    Duration::from_nanos((1000u64 << octave) / 4 * (5 + quarter))
}

impl ServerCounters {
    /// A command has ended; says whether its time is to be counted.
    pub(crate) fn ended(&self) -> bool {
        self.commands
            .fetch_add(1, Ordering::Relaxed)
            .is_multiple_of(TIMED_ONE_IN)
    }

    pub(crate) fn failed(&self, error: &Error) {
        self.errors.fetch_add(1, Ordering::Relaxed);
        if error.kind() == Kind::Timeout {
            self.timeouts.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Whether a server is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ServerState {
    /// The server is used, and the last command was answered.
    Up,
    /// The server is used, and this many commands in a row have failed.
    Failing(u32),
    /// The server is not used, and is tried again now and then.
    Ejected,
}

impl ServerStats {
    /// The mean time that a command took; zero when there was none. Of those that were answered one in eight is
    /// timed, of those that failed each.
    pub fn mean(&self) -> Duration {
        match self.times.nanos.checked_div(self.timed()) {
            Some(nanos) => Duration::from_nanos(nanos),
            None => Duration::ZERO,
        }
    }

    fn timed(&self) -> u64 {
        self.times.steps.iter().sum()
    }

    /// The time that this share of the commands stayed below, from 0 to 1, a quarter too long at
    /// most; zero when there was none. `quantile(0.99)` is the p99. Of the same commands as the [mean](Self::mean).
    pub fn quantile(&self, share: f64) -> Duration {
        let want = (self.timed() as f64 * share.clamp(0.0, 1.0))
            .ceil()
            .max(1.0) as u64;
        let mut seen = 0;
        for (step, count) in self.times.steps.iter().enumerate() {
            seen += count;
            if seen >= want {
                return bound(step);
            }
        }
        Duration::ZERO
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_holds_what_falls_into_it() {
        for micros in (1..4096).chain([10_000, 1_000_000, 60_000_000]) {
            let took = Duration::from_micros(micros);
            let bound = bound(step(took));
            assert!(bound >= took, "{took:?} {bound:?}");
            assert!(bound <= took * 2, "{took:?} {bound:?}");
            if micros >= 4 {
                assert!(
                    bound <= took * 5 / 4 + Duration::from_micros(1),
                    "{took:?} {bound:?}"
                );
            }
        }
        assert_eq!(step(Duration::ZERO), 0);
        assert_eq!(step(Duration::MAX), HISTOGRAM_STEPS - 1);
    }
}
