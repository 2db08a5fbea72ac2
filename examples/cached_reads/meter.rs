//! What is measured, as a whole and over time.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cache_layer::CacheStats;
use hdrhistogram::Histogram;

use crate::things::Verdict;

/// Times of reads, in microseconds.
pub(crate) type Times = Histogram<u64>;

pub(crate) fn times() -> Times {
    // Bounds that the constructor takes: one minute, three digits.
    Histogram::new_with_max(60_000_000, 3).expect("the bounds are legal")
}

/// A quantile in milliseconds.
pub(crate) fn quantile(times: &Times, quantile: f64) -> f64 {
    times.value_at_quantile(quantile) as f64 / 1e3
}

/// What the tasks count.
#[derive(Default)]
pub(crate) struct Meter(Mutex<Seen>);

/// What they have counted.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    /// Since the last time it was taken.
    recent: Option<Times>,
    pub writes: u64,
    /// Reads right after a write of the same thing by the same task.
    pub after_write: u64,
    pub checked: u64,
    pub old: u64,
    pub wrong: u64,
    pub failed: u64,
    pub first_error: Option<String>,
}

impl Meter {
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A read took so long, and this came of it.
    pub(crate) fn read(&self, took: Duration, verdict: Verdict, after_write: bool) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let mut seen = self.seen();
        seen.recent
            .get_or_insert_with(times)
            .saturating_record(micros);
        seen.checked += 1;
        seen.after_write += u64::from(after_write);
        match verdict {
            Verdict::Right => {}
            Verdict::Old => seen.old += 1,
            Verdict::Wrong => seen.wrong += 1,
        }
    }

    pub(crate) fn wrote(&self) {
        self.seen().writes += 1;
    }

    pub(crate) fn failed(&self, error: &str) {
        let mut seen = self.seen();
        seen.failed += 1;
        seen.first_error.get_or_insert_with(|| error.to_owned());
    }

    /// The times of the reads since this was called last.
    pub(crate) fn take(&self) -> Times {
        self.seen().recent.take().unwrap_or_else(times)
    }

    pub(crate) fn counts(&self) -> Seen {
        self.seen().clone()
    }
}

/// Reads of the cache, and how many of them needed no request.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Asked {
    pub reads: u64,
    pub answered: u64,
}

impl Asked {
    pub(crate) fn of(stats: &CacheStats) -> Self {
        let answered = stats.answered();
        Self {
            reads: answered + stats.misses + stats.past,
            answered,
        }
    }

    pub(crate) fn since(self, earlier: Self) -> Self {
        Self {
            reads: self.reads - earlier.reads,
            answered: self.answered - earlier.answered,
        }
    }

    /// 0 to 1; nothing without reads.
    pub(crate) fn rate(self) -> Option<f64> {
        (self.reads > 0).then(|| self.answered as f64 / self.reads as f64)
    }
}

/// A part of the time.
#[derive(Clone, Debug)]
pub(crate) struct Span {
    pub name: &'static str,
    pub elapsed: Duration,
    pub times: Times,
    pub asked: Option<Asked>,
}

impl Span {
    pub(crate) fn per_second(&self) -> f64 {
        self.times.len() as f64 / self.elapsed.as_secs_f64().max(1e-6)
    }

    pub(crate) fn hit_rate(&self) -> Option<f64> {
        self.asked?.rate()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_is_taken_once() {
        let meter = Meter::default();
        meter.read(Duration::from_millis(3), Verdict::Right, false);
        meter.read(Duration::from_millis(5), Verdict::Old, true);
        let taken = meter.take();
        assert_eq!(taken.len(), 2);
        assert!((4.9..5.1).contains(&quantile(&taken, 1.0)));
        assert_eq!(meter.take().len(), 0);
        meter.failed("first");
        meter.failed("second");
        let seen = meter.counts();
        assert_eq!(
            (seen.checked, seen.after_write, seen.old, seen.wrong),
            (2, 1, 1, 0)
        );
        assert_eq!(
            (seen.failed, seen.first_error.as_deref()),
            (2, Some("first"))
        );
    }

    #[test]
    fn a_rate_is_of_the_time_between() {
        let asked = |reads, answered| Asked { reads, answered };
        assert_eq!(asked(30, 10).since(asked(10, 5)).rate(), Some(0.25));
        assert_eq!(asked(10, 5).since(asked(10, 5)).rate(), None);
    }
}
