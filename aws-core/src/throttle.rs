//! Slowing down when a server says so: one rate per server, shared by all tasks of a client.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pipeline_pool::Origin;
use tokio::time::Instant;

/// What is left of the rate after a refusal.
const CUT: f64 = 0.7;
/// How fast the rate comes back, in requests per second per cubed second: the constant C of
/// [RFC 9438, 4.2](https://www.rfc-editor.org/rfc/rfc9438#section-4.2), where round trips are much shorter.
const GROWTH: f64 = 4.0;
/// The lowest rate, in requests per second.
const LEAST: f64 = 1.0;
/// How many requests may go at once however low the rate is.
const BURST: f64 = 4.0;
/// How long after the last refusal a server is as any other.
const FORGET: Duration = Duration::from_secs(60);
/// The most servers whose rates are kept.
const SERVERS: usize = 1000;
/// Half a second, see [`Meter::window`].
const WINDOW: Duration = Duration::from_millis(500);

/// The rates of a client. Until the first refusal it costs a count.
#[derive(Debug)]
pub(crate) struct Throttle {
    start: Instant,
    meter: Meter,
    any: AtomicBool,
    rates: Mutex<HashMap<Origin, Rate>>,
}

impl Throttle {
    pub(crate) fn new() -> Self {
        Self {
            start: Instant::now(),
            meter: Meter::default(),
            any: AtomicBool::new(false),
            rates: Mutex::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Origin, Rate>> {
        self.rates.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// When the next attempt may go to this server; nothing if that is not before the deadline, and the turn is left
    /// to another.
    pub(crate) fn turn(&self, origin: &Origin, now: Instant, deadline: Instant) -> Option<Instant> {
        self.meter.count(now.saturating_duration_since(self.start));
        if !self.any.load(Ordering::Relaxed) {
            return Some(now);
        }
        let mut rates = self.lock();
        let Some(rate) = rates.get_mut(origin) else {
            return Some(now);
        };
        if now.saturating_duration_since(rate.cut) >= FORGET {
            rates.remove(origin);
            self.any.store(!rates.is_empty(), Ordering::Relaxed);
            return Some(now);
        }
        rate.turn(now, deadline)
    }

    /// Hears that a server refused an attempt that was begun at `begun`.
    pub(crate) fn refused(&self, origin: &Origin, begun: Instant, now: Instant) {
        let measured = self.meter.rate(now.saturating_duration_since(self.start));
        let mut rates = self.lock();
        match rates.get_mut(origin) {
            Some(rate) if begun <= rate.settled => {}
            Some(rate) => rate.cut(measured, now),
            None => {
                if rates.len() >= SERVERS {
                    rates.clear();
                }
                rates.insert(origin.clone(), Rate::new(measured, now));
            }
        }
        self.any.store(true, Ordering::Relaxed);
    }
}

/// How many attempts a second were made lately, by all tasks of the client.
#[derive(Debug, Default)]
struct Meter {
    /// The number of a window, and how many attempts it has had.
    current: AtomicU64,
    /// The same of the window before.
    before: AtomicU64,
}

impl Meter {
    fn window(age: Duration) -> u64 {
        let half = u64::from(age.subsec_nanos() >= WINDOW.subsec_nanos());
        (age.as_secs() * 2 + half) & 0xffff_ffff
    }

    fn count(&self, age: Duration) {
        let window = Self::window(age);
        let current = self.current.load(Ordering::Relaxed);
        if current >> 32 == window {
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

    fn rate(&self, age: Duration) -> f64 {
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
}

/// The rate of one server: a bucket of tokens that fills the slower the more lately it was refused.
#[derive(Debug)]
struct Rate {
    /// What the rate was when it was cut, in requests per second.
    most: f64,
    cut: Instant,
    /// Requests that may go at once; below 0, those that have been promised a turn.
    tokens: f64,
    filled: Instant,
    /// What was sent until then had its turn before the cut, and says nothing about the rate after it.
    settled: Instant,
}

impl Rate {
    fn new(measured: f64, now: Instant) -> Self {
        Self {
            most: measured.max(LEAST),
            cut: now,
            tokens: BURST,
            filled: now,
            settled: now,
        }
    }

    /// The rate at this time: a little less than what was too much, and for a long time not more.
    fn at(&self, now: Instant) -> f64 {
        let since = now.saturating_duration_since(self.cut).as_secs_f64();
        let back = (self.most * (1.0 - CUT) / GROWTH).cbrt();
        (GROWTH * (since - back).powi(3) + self.most).max(LEAST)
    }

    fn turn(&mut self, now: Instant, deadline: Instant) -> Option<Instant> {
        let rate = self.at(now);
        let since = now.saturating_duration_since(self.filled).as_secs_f64();
        let tokens = (self.tokens + since * rate).min((rate / 10.0).max(BURST));
        let wait = Duration::from_secs_f64(((1.0 - tokens) / rate).max(0.0));
        self.filled = now;
        self.tokens = tokens;
        let turn = now + wait;
        if turn >= deadline {
            return None;
        }
        self.tokens -= 1.0;
        Some(turn)
    }

    fn cut(&mut self, measured: f64, now: Instant) {
        let reached = self.at(now);
        // The turns that were promised are kept, and last as long as they did.
        let promised = (-self.tokens).max(0.0) / reached;
        // A client that did not use its rate has not shown that it was too much.
        let idle = measured * 2.0 < reached;
        self.most = if idle { measured } else { reached }.max(LEAST / CUT);
        self.cut = now;
        self.settled = now + Duration::from_secs_f64(promised);
        self.tokens = -promised * self.at(now);
        self.filled = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(host: &str) -> Origin {
        Origin::parse(&format!("http://{host}")).unwrap()
    }

    /// How many attempts get a turn in the seconds from `from` on.
    fn granted(throttle: &Throttle, from: Instant, seconds: u64) -> usize {
        let end = from + Duration::from_secs(seconds);
        let mut now = from;
        let mut count = 0;
        while let Some(turn) = throttle.turn(&origin("a"), now, end) {
            now = turn + Duration::from_micros(100);
            count += 1;
            if now >= end {
                break;
            }
        }
        count
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_waits_before_the_first_refusal() {
        let throttle = Throttle::new();
        let now = Instant::now();
        assert_eq!(granted(&throttle, now, 1), 10_000);
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_cuts_the_rate_and_time_brings_it_back() {
        let throttle = Throttle::new();
        let now = Instant::now();
        // 1,000 a second for two seconds.
        for i in 0..2000 {
            let at = now + Duration::from_millis(i);
            throttle.turn(&origin("a"), at, at + WINDOW);
        }
        let cut = now + Duration::from_secs(2);
        throttle.refused(&origin("a"), cut, cut);
        let first = granted(&throttle, cut, 1);
        assert!((650..850).contains(&first), "{first}");
        // Refusals of what was sent before the cut change nothing.
        for _ in 0..100 {
            throttle.refused(&origin("a"), now, cut + WINDOW);
        }
        let second = granted(&throttle, cut + Duration::from_secs(1), 1);
        assert!((700..950).contains(&second), "{second}");
        let later = granted(&throttle, cut + Duration::from_secs(4), 1);
        assert!((950..1150).contains(&later), "{later}");
        let much_later = granted(&throttle, cut + Duration::from_secs(25), 1);
        assert!(much_later > 1500, "{much_later}");
        // Other servers are not meant.
        let other = throttle.turn(&origin("b"), cut, cut + WINDOW);
        assert_eq!(other, Some(cut));
        let forgotten = granted(&throttle, cut + Duration::from_secs(61), 1);
        assert_eq!(forgotten, 10_000);
        assert!(!throttle.any.load(Ordering::Relaxed));
    }

    #[tokio::test(start_paused = true)]
    async fn refusal_after_refusal_goes_down_to_the_least() {
        let throttle = Throttle::new();
        let mut now = Instant::now();
        for _ in 0..50 {
            let turn = throttle.turn(&origin("a"), now, now + FORGET);
            now = turn.unwrap() + Duration::from_millis(50);
            throttle.refused(&origin("a"), now, now);
        }
        let few = granted(&throttle, now, 2);
        assert!((1..=15).contains(&few), "{few}");
        // A turn that comes too late is not taken.
        now += Duration::from_secs(2);
        let soon = now + Duration::from_millis(1);
        assert_eq!(throttle.turn(&origin("a"), now, soon), None);
    }
}
