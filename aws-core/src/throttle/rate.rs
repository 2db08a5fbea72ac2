//! The rate at which one server is sent requests: cut when it refuses one, and brought back by time as
//! [CUBIC](https://www.rfc-editor.org/rfc/rfc9438) does for a congestion window.

use std::time::{Duration, Instant};

use super::meter::{Meter, WINDOW};

/// What is left of the rate after a refusal. CUBIC leaves 0.7; it has to make room in a queue, while a server that
/// refuses has none, so that a small step back is enough.
const CUT_FACTOR: f64 = 0.85;
/// The least that is left of the rate after a refusal, when far less was served than was sent.
const MIN_CUT_FACTOR: f64 = 0.5;
/// How fast the rate comes back, in requests per second per cubed second: the constant C of
/// [RFC 9438, 4.2](https://www.rfc-editor.org/rfc/rfc9438#section-4.2), where round trips are much shorter.
const CUBIC_GROWTH: f64 = 4.0;
/// Above this rate, in requests per second, growth is in proportion to the rate, so that doubling takes as long there.
const PROPORTIONAL_FROM: f64 = 200.0;
/// The lowest rate, in requests per second.
const MIN_RATE: f64 = 1.0;
/// How many requests may go at once however low the rate is.
const MAX_BURST: f64 = 4.0;

/// A bucket of tokens, one for each request, that fills the slower the more lately the server refused a request.
#[derive(Debug)]
pub(super) struct Rate {
    /// What the rate was when it was cut, in requests per second.
    most: f64,
    cut: Instant,
    /// The constant C of this rate.
    growth: f64,
    /// How many seconds after the cut the rate is what it was.
    back: f64,
    /// Requests that may go at once.
    tokens: f64,
    filled: Instant,
    /// The times of `sent` are counted from this instant.
    epoch: Instant,
    sent: Meter,
    /// What `served` counts by: the first refusal.
    first: Instant,
    served: Meter,
}

impl Rate {
    /// The rate after the first refusal; `sent` has counted what was sent before it, by its age since `epoch`.
    pub(super) fn new(sent: Meter, epoch: Instant, now: Instant) -> Self {
        let measured = sent.rate(now.saturating_duration_since(epoch));
        let mut rate = Self {
            most: 0.0,
            cut: now,
            growth: 0.0,
            back: 0.0,
            tokens: MAX_BURST,
            filled: now,
            epoch,
            sent,
            first: now,
            served: Meter::default(),
        };
        rate.cut_from(measured.max(MIN_RATE / CUT_FACTOR), now);
        rate
    }

    fn cut_from(&mut self, most: f64, now: Instant) {
        self.most = most;
        self.cut = now;
        self.growth = CUBIC_GROWTH * (most / PROPORTIONAL_FROM).max(1.0);
        self.back = (most * (1.0 - CUT_FACTOR) / self.growth).cbrt();
    }

    /// When it was cut last.
    pub(super) fn cut_at(&self) -> Instant {
        self.cut
    }

    /// Requests per second at this time: a little less than what was too much, and for some time not more.
    pub(super) fn at(&self, now: Instant) -> f64 {
        let since = now.saturating_duration_since(self.cut).as_secs_f64();
        (self.growth * (since - self.back).powi(3) + self.most).max(MIN_RATE)
    }

    fn fill(&mut self, now: Instant) {
        let rate = self.at(now);
        let since = now.saturating_duration_since(self.filled).as_secs_f64();
        self.tokens = (self.tokens + since * rate).min((rate / 10.0).max(MAX_BURST));
        // Of two tasks the one that looked at the clock first may come last: no time counts twice for that.
        self.filled = self.filled.max(now);
    }

    /// Takes a token, if there is one.
    pub(super) fn take(&mut self, now: Instant) -> bool {
        self.fill(now);
        // What rounding took off a token that is due is not waited for.
        let is_there = self.tokens >= 1.0 - 1e-6;
        if is_there {
            self.tokens -= 1.0;
        }
        is_there
    }

    /// Takes back a token that was not used.
    pub(super) fn give_back(&mut self) {
        self.tokens += 1.0;
    }

    /// How long it takes until there are so many tokens, at the rate of now.
    pub(super) fn time_to(&mut self, tokens: f64, now: Instant) -> Duration {
        self.fill(now);
        let missing = (tokens - self.tokens).max(0.0);
        Duration::try_from_secs_f64(missing / self.at(now)).unwrap_or(Duration::MAX)
    }

    /// Counts a request that is sent.
    pub(super) fn count_sent(&mut self, now: Instant) {
        self.sent.count(now.saturating_duration_since(self.epoch));
    }

    /// Counts a request that was answered, and not refused.
    pub(super) fn count_served(&mut self, now: Instant) {
        self.served.count(now.saturating_duration_since(self.first));
    }

    /// Cuts the rate after the refusal of a request that was begun at `begun`. One that was begun before the last cut
    /// says nothing of the rate since.
    pub(super) fn refused(&mut self, begun: Instant, now: Instant) {
        if begun <= self.cut {
            return;
        }
        let reached = self.at(now);
        let sent = self.sent.rate(now.saturating_duration_since(self.epoch));
        // A client that did not use its rate has not shown that it was too much.
        let used = if sent * 2.0 < reached { sent } else { reached };
        let age = now.saturating_duration_since(self.first);
        let left = if age < WINDOW {
            used * CUT_FACTOR
        } else {
            let served = self.served.rate(age);
            served.clamp(used * MIN_CUT_FACTOR, used * CUT_FACTOR)
        };
        self.fill(now);
        self.cut_from(left.max(MIN_RATE) / CUT_FACTOR, now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(start: Instant, ms: u64) -> Instant {
        start + Duration::from_millis(ms)
    }

    /// A rate that was cut when a thousand a second had been sent for two seconds.
    fn cut() -> (Rate, Instant) {
        let start = Instant::now();
        let sent = Meter::default();
        (0..2000).for_each(|i| sent.count(Duration::from_millis(i)));
        let now = after(start, 2000);
        (Rate::new(sent, start, now), now)
    }

    /// How many tokens are taken in so many milliseconds.
    fn taken(rate: &mut Rate, from: Instant, ms: u64) -> usize {
        let tenths = (0..ms * 10).map(|i| from + Duration::from_micros(i * 100));
        tenths.filter(|now| rate.take(*now)).count()
    }

    #[test]
    fn a_refusal_cuts_the_rate_and_time_brings_it_back() {
        let (rate, start) = cut();
        for (ms, expected) in [
            (0, 850),
            (1000, 981),
            (2000, 1000),
            (4000, 1160),
            (6000, 2320),
        ] {
            let now = rate.at(after(start, ms)).round() as i64;
            assert!((now - expected).abs() <= 20, "{ms} ms: {now}");
        }
    }

    #[test]
    fn tokens_come_at_the_rate_and_few_are_kept() {
        let (mut rate, start) = cut();
        let first = taken(&mut rate, start, 1000);
        assert!((900..1000).contains(&first), "{first}");
        let later = after(start, 2500);
        assert_eq!(rate.time_to(1.0, later), Duration::ZERO);
        let burst = (0..1000).filter(|_| rate.take(later)).count();
        assert!((95..110).contains(&burst), "a tenth of a second: {burst}");
        let next = rate.time_to(1.0, later);
        assert!(next > Duration::ZERO && !rate.take(later + next / 2) && rate.take(later + next));
        rate.give_back();
        assert!(rate.take(later + next));
    }

    #[test]
    fn what_was_sent_before_a_cut_says_nothing_of_the_rate_after_it() {
        let (mut rate, start) = cut();
        let now = after(start, 20);
        for begun in [start - Duration::from_secs(1), start] {
            rate.refused(begun, now);
            assert_eq!(rate.cut_at(), start);
        }
        rate.refused(after(start, 10), now);
        assert_eq!(rate.cut_at(), now);
    }

    #[test]
    fn a_rate_that_was_not_used_falls_to_what_was_sent() {
        let (mut rate, start) = cut();
        let idle = after(start, 20_000);
        assert!(rate.at(idle) > 10_000.0);
        for i in 0..50 {
            rate.count_sent(after(idle, i * 10));
            rate.count_served(after(idle, i * 10));
        }
        rate.refused(after(idle, 500), after(idle, 510));
        let left = rate.at(after(idle, 510));
        assert!((60.0..90.0).contains(&left), "{left}");
    }

    #[test]
    fn one_cut_goes_down_towards_what_was_served_and_not_below_half() {
        for (served, expected) in [(0, 500.0), (700, 700.0), (2000, 850.0)] {
            let (mut rate, start) = cut();
            for i in 0..2000 {
                let now = start + Duration::from_micros(i * 1000);
                rate.count_sent(now);
                (i * served / 1000..(i + 1) * served / 1000).for_each(|_| rate.count_served(now));
            }
            let now = after(start, 2000);
            rate.refused(now, now);
            let left = rate.at(now) / expected;
            assert!((0.97..1.03).contains(&left), "{served}: {left}");
        }
    }

    #[test]
    fn refusal_after_refusal_goes_down_to_the_least() {
        let (mut rate, mut now) = cut();
        for _ in 0..100 {
            now = after(now, 50);
            rate.refused(now, now);
        }
        assert!((1.0..1.1).contains(&rate.at(now)));
    }
    #[test]
    fn no_time_counts_twice() {
        let (mut rate, start) = cut();
        while rate.take(start) {}
        // Tasks ask out of order, one of them held up by 10 ms.
        let taken = (0..1000)
            .filter(|i| rate.take(after(start, 10 + 10 * (i % 2))))
            .count();
        assert!((15..=18).contains(&taken), "{taken} in 20 ms");
    }
}
