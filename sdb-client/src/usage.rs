//! What SimpleDB bills: machine hours, of one request and of all.

use std::sync::atomic::{AtomicU64, Ordering};

/// This is what one answer cost.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Usage {
    /// Machine hours, as [billed](https://docs.aws.amazon.com/AmazonSimpleDB/latest/DeveloperGuide/APIUsage.html).
    pub box_usage: f64,
    /// The service's identifier of the request.
    pub request_id: Option<String>,
}

/// What a number of answers cost, those with errors included.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct TotalUsage {
    /// The machine hours (`BoxUsage`) of all answers together.
    pub box_usage: f64,
    /// The number of answers that came.
    pub requests: u64,
}

impl TotalUsage {
    /// Takes one more answer in.
    pub(crate) fn add(&mut self, usage: &Usage) {
        self.box_usage += usage.box_usage;
        self.requests += 1;
    }
}

/// Adds up from any thread. Machine hours are kept as whole units of 10⁻¹⁰, the last place that SimpleDB
/// gives, so that small ones are not lost in a large sum.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    units: AtomicU64,
    requests: AtomicU64,
}

const UNITS: f64 = 1e10;

impl Meter {
    pub(crate) fn add(&self, box_usage: f64) {
        // A negative or absurd number becomes the nearest end: the cast saturates, and so does the sum.
        let more = (box_usage * UNITS).round() as u64;
        let sum = |units: u64| Some(units.saturating_add(more));
        // It never fails, since there is always a sum.
        let _ = self
            .units
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, sum);
        self.requests.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn total(&self) -> TotalUsage {
        Self::sum([self])
    }

    pub(crate) fn sum<'a>(meters: impl IntoIterator<Item = &'a Self>) -> TotalUsage {
        let (mut units, mut requests) = (0u64, 0u64);
        for meter in meters {
            units = units.saturating_add(meter.units.load(Ordering::Relaxed));
            requests = requests.saturating_add(meter.requests.load(Ordering::Relaxed));
        }
        TotalUsage {
            box_usage: units as f64 / UNITS,
            requests,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_parts_add_up() {
        let meter = Meter::default();
        (0..1000).for_each(|_| meter.add(0.0000219907));
        meter.add(f64::NAN);
        meter.add(-1.0);
        let total = TotalUsage {
            box_usage: 0.0219907,
            requests: 1002,
        };
        assert_eq!(meter.total(), total);
        let twice = Meter::sum([&meter, &meter]);
        assert_eq!((twice.box_usage, twice.requests), (0.0439814, 2004));
    }

    #[test]
    fn a_sum_ends_at_its_end() {
        let most = u64::MAX as f64 / UNITS;
        let meter = Meter::default();
        for absurd in [1e300, f64::INFINITY, 1.0] {
            meter.add(absurd);
            assert_eq!(meter.total().box_usage, most);
        }
        assert_eq!(Meter::sum([&meter, &meter]).box_usage, most);
    }
}
