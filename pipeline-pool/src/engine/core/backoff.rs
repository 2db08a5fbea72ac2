//! Pauses that become longer with each failure in a row.
//!
//! ```text
//!              fail                  fail                     fail
//!   no pause ────────▶ first pause ────────▶ twice the first ─ ─ ─ ▶ the longest pause
//!      ▲                    │                      │                      │
//!      └────────────────────┴──────── end ─────────┴──────────────────────┘
//! ```

use std::time::{Duration, Instant};

/// Failures in a row, and the pause that they have led to.
#[derive(Clone, Debug)]
pub(crate) struct Backoff {
    first: Duration,
    longest: Duration,
    failures: u32,
    /// The pause lasts until this instant.
    until: Option<Instant>,
}

impl Backoff {
    /// Pauses from `first` on, which double up to `longest`.
    pub(crate) const fn new(first: Duration, longest: Duration) -> Self {
        Self {
            first,
            longest,
            failures: 0,
            until: None,
        }
    }

    /// Notes a failure at `now`. So many failures as `free` says make no pause, at the beginning of
    /// a row.
    pub(crate) fn fail(&mut self, free: u32, now: Instant) {
        self.failures = self.failures.saturating_add(1);
        if let Some(doublings) = self.failures.checked_sub(free + 1) {
            self.until = Some(now + self.pause(doublings));
        }
    }

    /// Notes a failure at `now`, after which the pause takes between half of its length and all of
    /// it. `share`, from 0 to 1, says how much of the second half it takes: a random share spreads
    /// the returns of many clients.
    pub(crate) fn fail_spread(&mut self, share: f64, now: Instant) {
        let half = self.pause(self.failures) / 2;
        self.failures = self.failures.saturating_add(1);
        self.until = Some(now + half + half.mul_f64(share.clamp(0.0, 1.0)));
    }

    /// Ends the row of failures, and the pause with it.
    pub(crate) fn end(&mut self) {
        self.failures = 0;
        self.until = None;
    }

    /// The instant at which the last pause ends, or has ended.
    pub(crate) fn until(&self) -> Option<Instant> {
        self.until
    }

    fn pause(&self, doublings: u32) -> Duration {
        let factor = 1_u32.checked_shl(doublings).unwrap_or(u32::MAX);
        self.first.saturating_mul(factor).min(self.longest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn a_pause_doubles_up_to_the_longest_and_ends_with_a_success() {
        let now = Instant::now();
        let mut backoff = Backoff::new(ms(20), ms(100));
        assert_eq!(backoff.until(), None);
        for pause in [20, 40, 80, 100, 100] {
            backoff.fail(0, now);
            assert_eq!(backoff.until(), Some(now + ms(pause)));
        }
        backoff.end();
        assert_eq!(backoff.until(), None);
        backoff.fail(0, now);
        assert_eq!(backoff.until(), Some(now + ms(20)));
    }

    #[test]
    fn the_first_failures_may_be_free() {
        let now = Instant::now();
        let mut backoff = Backoff::new(ms(20), ms(100));
        for _ in 0..3 {
            backoff.fail(3, now);
            assert_eq!(backoff.until(), None);
        }
        backoff.fail(3, now);
        assert_eq!(backoff.until(), Some(now + ms(20)));
    }

    #[test]
    fn a_pause_that_is_spread_takes_from_half_to_all_of_its_length() {
        let now = Instant::now();
        for (share, pauses) in [(0.0, [100, 200]), (0.5, [150, 300]), (1.0, [200, 400])] {
            let mut backoff = Backoff::new(ms(200), Duration::from_secs(30));
            for pause in pauses {
                backoff.fail_spread(share, now);
                assert_eq!(backoff.until(), Some(now + ms(pause)));
            }
        }
    }

    #[test]
    fn failures_without_end_stay_at_the_longest_pause() {
        let now = Instant::now();
        let mut backoff = Backoff::new(ms(250), Duration::from_secs(30));
        for _ in 0..200 {
            backoff.fail_spread(1.0, now);
        }
        assert_eq!(backoff.until(), Some(now + Duration::from_secs(30)));
    }
}
