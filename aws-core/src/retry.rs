//! When a failed attempt is tried again, and how long after.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// How failed attempts are repeated.
///
/// The pause before attempt *n* + 1 is drawn evenly from 0 to min(`cap`, `base` × 2ⁿ⁻¹), so that clients that
/// failed together do not come back together. All attempts of one operation share its deadline. A budget per
/// client stops repeating when most requests fail: an outage is not multiplied.
#[derive(Clone)]
pub struct RetryConfig {
    max_attempts: u32,
    base: Duration,
    cap: Duration,
    max_retry_after: Duration,
    attempt_timeout: Option<Duration>,
    budget: u32,
    adaptive: bool,
    random: Option<Arc<dyn Fn() -> f64 + Send + Sync>>,
}

impl Default for RetryConfig {
    fn default() -> Self {
        Self {
            max_attempts: 4,
            base: Duration::from_millis(50),
            cap: Duration::from_secs(5),
            max_retry_after: Duration::from_secs(20),
            attempt_timeout: None,
            budget: 100,
            adaptive: true,
            random: None,
        }
    }
}

impl RetryConfig {
    /// The defaults, to be changed by the setters.
    pub fn new() -> Self {
        Self::default()
    }

    /// Every request is tried once.
    pub fn none() -> Self {
        Self {
            max_attempts: 1,
            ..Self::default()
        }
    }

    /// How many times a request is tried in all, at least 1. Defaults to 4.
    #[must_use]
    pub fn max_attempts(mut self, attempts: u32) -> Self {
        self.max_attempts = attempts.max(1);
        self
    }

    /// The longest first pause, and the longest of all. Default to 50 ms and 5 s.
    #[must_use]
    pub fn backoff(mut self, base: Duration, cap: Duration) -> Self {
        self.base = base;
        self.cap = cap;
        self
    }

    /// The longest pause that a server's `Retry-After` can ask for; longer ones are cut. Defaults to 20 s.
    #[must_use]
    pub fn max_retry_after(mut self, most: Duration) -> Self {
        self.max_retry_after = most;
        self
    }

    /// The longest time that one attempt may take up to the head of its answer. Defaults to what is left of
    /// the operation's time, and to the pool's own limit.
    #[must_use]
    pub fn attempt_timeout(mut self, timeout: Duration) -> Self {
        self.attempt_timeout = Some(timeout);
        self
    }

    /// How many repeats a client has in stock. Each costs one, each operation that succeeds at once gives a
    /// tenth back. Defaults to 100; 0 is no limit.
    #[must_use]
    pub fn budget(mut self, repeats: u32) -> Self {
        self.budget = repeats;
        self
    }

    /// Whether all requests of a client slow down together when a server refuses some with 429 or 503 (`SlowDown`,
    /// `Throttling` and their like). The rate of requests to that server is cut to 0.85 of what it was, and to no less
    /// than half; it comes back as [CUBIC](https://www.rfc-editor.org/rfc/rfc9438) has it, within some ten percent
    /// below what the server gives. A minute after the last refusal nothing is held back any more. Requests wait for
    /// their turn within their own time: one whose answer would come too late is not sent and fails as
    /// [`Kind::Busy`](crate::Kind::Busy). Defaults to yes, and changes nothing before the first refusal.
    #[must_use]
    pub fn adaptive(mut self, yes: bool) -> Self {
        self.adaptive = yes;
        self
    }

    /// Where the randomness of pauses comes from: a function that returns 0 to 1. Defaults to a generator
    /// seeded by the operating system.
    #[must_use]
    pub fn random(mut self, random: impl Fn() -> f64 + Send + Sync + 'static) -> Self {
        self.random = Some(Arc::new(random));
        self
    }

    pub(crate) fn is_adaptive(&self) -> bool {
        self.adaptive
    }

    pub(crate) fn attempts(&self) -> u32 {
        self.max_attempts
    }

    pub(crate) fn per_attempt(&self) -> Option<Duration> {
        self.attempt_timeout
    }

    /// The pause after failed attempt number `attempt` (from 1).
    pub(crate) fn pause(&self, attempt: u32, retry_after: Option<Duration>) -> Duration {
        let factor = 2u32.saturating_pow(attempt.saturating_sub(1).min(30));
        let most = self.base.saturating_mul(factor).min(self.cap);
        let random = match &self.random {
            Some(random) => random().clamp(0.0, 1.0),
            None => fastrand::f64(),
        };
        let pause = Duration::try_from_secs_f64(most.as_secs_f64() * random).unwrap_or(most);
        match retry_after {
            // Jitter goes on top: the server asked everybody for the same moment.
            Some(asked) => asked.min(self.max_retry_after).saturating_add(pause),
            None => pause,
        }
    }

    pub(crate) fn new_budget(&self) -> Budget {
        let most = self.budget.saturating_mul(Budget::COST);
        Budget {
            tokens: AtomicU32::new(most),
            most,
        }
    }
}

impl fmt::Debug for RetryConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RetryConfig")
            .field("max_attempts", &self.max_attempts)
            .field("base", &self.base)
            .field("cap", &self.cap)
            .field("max_retry_after", &self.max_retry_after)
            .field("attempt_timeout", &self.attempt_timeout)
            .field("budget", &self.budget)
            .field("adaptive", &self.adaptive)
            .finish_non_exhaustive()
    }
}

/// The stock of repeats of one client.
#[derive(Debug)]
pub(crate) struct Budget {
    tokens: AtomicU32,
    most: u32,
}

impl Budget {
    const COST: u32 = 10;

    /// Takes one repeat out of stock, if there is one.
    pub(crate) fn take(&self) -> bool {
        let less = |tokens: u32| tokens.checked_sub(Self::COST);
        self.most == 0
            || self
                .tokens
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, less)
                .is_ok()
    }

    /// Notes an operation that succeeded at its first attempt.
    pub(crate) fn give_back(&self) {
        // A full stock is the usual case, and a plain read keeps its cache line shared.
        if self.tokens.load(Ordering::Relaxed) < self.most {
            let more = |tokens: u32| (tokens < self.most).then(|| tokens + 1);
            let _full = self
                .tokens
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(random: f64) -> RetryConfig {
        RetryConfig::new()
            .backoff(Duration::from_millis(100), Duration::from_millis(350))
            .random(move || random)
    }

    #[test]
    fn pauses_grow_to_the_cap() {
        let pauses = |c: &RetryConfig| -> Vec<u128> {
            (1..=4).map(|n| c.pause(n, None).as_millis()).collect()
        };
        assert_eq!(pauses(&with(0.0)), [0, 0, 0, 0]);
        assert_eq!(pauses(&with(0.5)), [50, 100, 175, 175]);
        assert_eq!(pauses(&with(1.0)), [100, 200, 350, 350]);
        assert_eq!(
            with(f64::NAN.max(9.0)).pause(u32::MAX, None).as_millis(),
            350
        );
    }

    #[test]
    fn retry_after_is_a_bounded_floor() {
        let asked = |s| Some(Duration::from_secs(s));
        assert_eq!(with(0.5).pause(1, asked(2)).as_millis(), 2050);
        assert_eq!(with(0.0).pause(1, asked(1_000_000)).as_millis(), 20_000);
        let trusting = with(1.0).max_retry_after(Duration::MAX);
        assert_eq!(trusting.pause(1, Some(Duration::MAX)), Duration::MAX);
    }

    #[test]
    fn pauses_without_a_bound_are_no_fault() {
        let endless = with(1.0).backoff(Duration::MAX, Duration::MAX);
        assert_eq!(endless.pause(9, None), Duration::MAX);
    }

    #[test]
    fn the_budget_runs_dry_and_refills() {
        let budget = RetryConfig::new().budget(2).new_budget();
        assert!(budget.take() && budget.take() && !budget.take());
        (0..10).for_each(|_| budget.give_back());
        assert!(budget.take() && !budget.take());
        (0..1000).for_each(|_| budget.give_back());
        assert!(budget.take() && budget.take() && !budget.take());
        let unlimited = RetryConfig::new().budget(0).new_budget();
        assert!((0..1000).all(|_| unlimited.take()));
    }
}
