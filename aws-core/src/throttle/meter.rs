//! How many events a second there were lately, counted in windows of half a second without a lock.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The length of a window.
pub(super) const WINDOW: Duration = Duration::from_millis(500);

/// Counts events in the current window and in the one before. Times are ages: what has passed since an instant that
/// its owner chooses and keeps to.
#[derive(Debug, Default)]
pub(super) struct Meter {
    /// The number of a window in the upper half, the events in it in the lower half.
    current: AtomicU64,
    /// The same of the last window before it that had events.
    before: AtomicU64,
}

impl Meter {
    fn window(age: Duration) -> u64 {
        let half = u64::from(age.subsec_nanos() >= WINDOW.subsec_nanos());
        (age.as_secs() * 2 + half) & 0xffff_ffff
    }

    /// Counts an event at this age.
    pub(super) fn count(&self, age: Duration) {
        let window = Self::window(age);
        let current = self.current.load(Ordering::Relaxed);
        // Of two tasks the one that looked at the clock first may come last. Its event counts in the window that the
        // other has opened: to go back would push what was counted before out of both windows.
        if window <= current >> 32 {
            self.current.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let next = (window << 32) | 1;
        let order = Ordering::Relaxed;
        match self.current.compare_exchange(current, next, order, order) {
            Ok(_) => self.before.store(current, Ordering::Relaxed),
            // Another task has opened the window.
            Err(_) => {
                self.current.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// Events per second, over the half second to the second before this age.
    pub(super) fn rate(&self, age: Duration) -> f64 {
        let window = Self::window(age);
        let mut count = 0;
        for counted in [&self.current, &self.before] {
            let counted = counted.load(Ordering::Relaxed);
            if counted >> 32 == window || (counted >> 32) + 1 == window {
                count += counted & 0xffff_ffff;
            }
        }
        let part = age.as_secs_f64() % WINDOW.as_secs_f64();
        count as f64 / (WINDOW.as_secs_f64() + part)
    }

    /// What has been counted so far, in a meter of its own.
    pub(super) fn copy(&self) -> Self {
        let copy = |from: &AtomicU64| AtomicU64::new(from.load(Ordering::Relaxed));
        Self {
            current: copy(&self.current),
            before: copy(&self.before),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_that_of_the_last_second() {
        let meter = Meter::default();
        for i in 0..2000 {
            meter.count(Duration::from_millis(i));
        }
        let rate = |ms| meter.rate(Duration::from_millis(ms)).round();
        assert_eq!(rate(2000), 1000.0, "a window that has just begun");
        assert_eq!(rate(2250), 667.0, "a quarter of a second without any");
        assert_eq!(rate(2500), 0.0);
        assert_eq!(meter.copy().rate(Duration::from_secs(2)).round(), 1000.0);
    }
    #[test]
    fn an_event_that_comes_late_takes_nothing_away() {
        let meter = Meter::default();
        let ms = Duration::from_millis;
        (0..1000).for_each(|i| meter.count(ms(i)));
        meter.count(ms(1000));
        // Begun before the window and counted after its first event.
        meter.count(ms(999));
        meter.count(ms(1001));
        assert_eq!(meter.rate(ms(1001)).round(), 1004.0);
    }
}
