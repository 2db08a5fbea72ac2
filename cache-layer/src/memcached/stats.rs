//! What has happened at each server, as this client saw it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use pipeline_pool::OriginStats;

use super::error::{Error, Kind};
use crate::Server;

/// Steps of the histogram: four for each doubling, from a microsecond to some minutes.
const STEPS: usize = 112;

/// One command in so many is timed, and each that fails: reading the clock twice for each of them would cost more than
/// the counting.
const TIMED: u64 = 8;

#[derive(Debug)]
pub(crate) struct Counters {
    pub(crate) hits: AtomicU64,
    pub(crate) misses: AtomicU64,
    pub(crate) skipped: AtomicU64,
    pub(crate) ejections: AtomicU64,
    pub(crate) rejoins: AtomicU64,
    commands: AtomicU64,
    errors: AtomicU64,
    timeouts: AtomicU64,
    /// Nanoseconds of those that were timed.
    nanos: AtomicU64,
    steps: [AtomicU64; STEPS],
}

impl Default for Counters {
    fn default() -> Self {
        Self {
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
            skipped: AtomicU64::new(0),
            ejections: AtomicU64::new(0),
            rejoins: AtomicU64::new(0),
            commands: AtomicU64::new(0),
            errors: AtomicU64::new(0),
            timeouts: AtomicU64::new(0),
            nanos: AtomicU64::new(0),
            steps: std::array::from_fn(|_| AtomicU64::new(0)),
        }
    }
}

/// The step that a time falls into.
fn step(took: Duration) -> usize {
    let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX).max(1);
    let octave = micros.ilog2();
    // The two bits after the first.
    let quarter = if octave >= 2 {
        (micros >> (octave - 2)) & 3
    } else {
        (micros << (2 - octave)) & 3
    };
    (octave as usize * 4 + quarter as usize).min(STEPS - 1)
}

/// The longest time of a step.
fn bound(step: usize) -> Duration {
    let (octave, quarter) = (step / 4, (step % 4) as u64);
    Duration::from_nanos((1000u64 << octave) / 4 * (5 + quarter))
}

impl Counters {
    /// A command has ended; says whether its time is to be [told](Self::took).
    pub(crate) fn ended(&self) -> bool {
        self.commands
            .fetch_add(1, Ordering::Relaxed)
            .is_multiple_of(TIMED)
    }

    pub(crate) fn took(&self, took: Duration) {
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        self.nanos.fetch_add(nanos, Ordering::Relaxed);
        self.steps[step(took)].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn failed(&self, error: &Error) {
        self.errors.fetch_add(1, Ordering::Relaxed);
        if error.kind() == Kind::Timeout {
            self.timeouts.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn stats(
        &self,
        server: Server,
        state: ServerState,
        owed: Option<usize>,
        pool: OriginStats,
    ) -> ServerStats {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let steps: Vec<u64> = self.steps.iter().map(get).collect();
        ServerStats {
            server,
            state,
            commands: get(&self.commands),
            hits: get(&self.hits),
            misses: get(&self.misses),
            errors: get(&self.errors),
            timeouts: get(&self.timeouts),
            skipped: get(&self.skipped),
            ejections: get(&self.ejections),
            rejoins: get(&self.rejoins),
            owed,
            pool,
            nanos: get(&self.nanos),
            steps,
        }
    }
}

/// Whether a server is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ServerState {
    /// It is, and the last command was answered.
    Up,
    /// It is, and this many commands in a row have failed.
    Failing(u32),
    /// It is not: it is tried again now and then.
    Ejected,
}

/// The figures of one server, from this client's side, since it was put on the list.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ServerStats {
    /// Which server.
    pub server: Server,
    /// Whether it is used now.
    pub state: ServerState,
    /// Commands that ended: answered, failed, or out of time.
    pub commands: u64,
    /// Keys that were found.
    pub hits: u64,
    /// Keys that were asked for and not found.
    pub misses: u64,
    /// Commands that failed, those out of time included.
    pub errors: u64,
    /// Commands that were not answered in time.
    pub timeouts: u64,
    /// Requests that did not go to the server, as it was ejected.
    pub skipped: u64,
    /// How often it was ejected.
    pub ejections: u64,
    /// How often it came back.
    pub rejoins: u64,
    /// Entries that are to be deleted there before they are believed; nothing when it is all.
    pub owed: Option<usize>,
    /// Its connections.
    pub pool: OriginStats,
    nanos: u64,
    steps: Vec<u64>,
}

impl ServerStats {
    /// The mean time that a command took; zero when there was none. Of those that were answered one in eight is
    /// timed, of those that failed each.
    pub fn mean(&self) -> Duration {
        match self.nanos.checked_div(self.timed()) {
            Some(nanos) => Duration::from_nanos(nanos),
            None => Duration::ZERO,
        }
    }

    fn timed(&self) -> u64 {
        self.steps.iter().sum()
    }

    /// The time that this share of the commands stayed below, from 0 to 1, a quarter too long at
    /// most; zero when there was none. `quantile(0.99)` is the p99. Of the same commands as the [mean](Self::mean).
    pub fn quantile(&self, share: f64) -> Duration {
        let want = (self.timed() as f64 * share.clamp(0.0, 1.0))
            .ceil()
            .max(1.0) as u64;
        let mut seen = 0;
        for (step, count) in self.steps.iter().enumerate() {
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
        assert_eq!(step(Duration::MAX), STEPS - 1);
    }
}
