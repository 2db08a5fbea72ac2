//! What one step of one client came to, and medians.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

/// What one step of one client came to.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
pub(crate) struct Sample {
    /// Rows that were put, read, or found in the log.
    pub(crate) rows: u64,
    /// Time of all.
    pub(crate) seconds: f64,
    /// CPU time of the client's process in that time, without what counting sockets took.
    pub(crate) cpu: f64,
    /// The most sockets of the client's process at once, looked at every 10 ms.
    pub(crate) sockets: u64,
    /// Time of one row, the median.
    pub(crate) p50: f64,
    /// Time that 99 of 100 rows took at most.
    pub(crate) p99: f64,
    /// Requests that the store was sent; where it is the emulator, which counts them.
    pub(crate) requests: Option<u64>,
    /// What became of garbage in a check.
    pub(crate) garbage: Option<Garbage>,
}

/// What became of SlateDB's garbage.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Garbage {
    /// It was collected.
    Collected,
    /// The collector was refused the note of how far it came, and left the garbage where it was.
    Stays,
    /// The collector took the refusal for a race with another one, and tried again without end.
    Spins,
}

impl Garbage {
    pub(crate) fn sentence(self) -> &'static str {
        match self {
            Self::Collected => "garbage is collected",
            Self::Stays => "garbage stays, since the store replaces nothing by its entity tag",
            Self::Spins => {
                "the garbage collector never ends, since the store refuses what replaces by an entity tag as if it were another"
            }
        }
    }
}

impl Sample {
    pub(crate) fn rate(&self) -> f64 {
        self.rows as f64 / self.seconds
    }

    /// CPU time for each row, in microseconds.
    pub(crate) fn cpu_each(&self) -> f64 {
        self.cpu * 1e6 / self.rows as f64
    }
}

/// Times of single rows, in microseconds up to a minute.
pub(crate) fn times() -> Histogram<u64> {
    // These bounds are right for every histogram.
    Histogram::new_with_bounds(1, 60_000_000, 3).unwrap_or_else(|_| unreachable!())
}

/// Counts the time of a row.
pub(crate) fn count(times: &mut Histogram<u64>, took: Duration) {
    times.saturating_record(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
}

/// A quantile in seconds.
pub(crate) fn quantile(times: &Histogram<u64>, q: f64) -> f64 {
    times.value_at_quantile(q) as f64 / 1e6
}

/// The middle value, or the mean of the two in the middle; NaN of none.
pub(crate) fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => values[n / 2],
        n => f64::midpoint(values[n / 2 - 1], values[n / 2]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(median([3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median([4.0, 1.0, 2.0, 3.0]), 2.5);
        assert!(median([]).is_nan());
    }

    #[test]
    fn a_sample_is_counted_for_each_row() {
        let sample = Sample {
            rows: 1000,
            seconds: 2.0,
            cpu: 0.5,
            ..Sample::default()
        };
        assert_eq!((sample.rate(), sample.cpu_each()), (500.0, 500.0));
        let mut times = times();
        for millis in 1..=100 {
            count(&mut times, Duration::from_millis(millis));
        }
        assert!((quantile(&times, 0.5) - 0.05).abs() < 0.001);
        assert!((quantile(&times, 0.99) - 0.099).abs() < 0.001);
    }
}
