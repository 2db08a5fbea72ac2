//! The pause that all watches of a client share while the service asks for fewer requests.
//!
//! ```text
//!          refused                     until has passed: one tries
//! (free) ----------> (waiting until) ------------------------------> (one tries)
//!    ^                  ^     ^ a call that began before: no change       |
//!    |                  |     +-------------------------------------------+
//!    |                  +------------- refused: a longer pause -----------+
//!    +------------------------------- answered --------------------------+
//! ```
//!
//! One that tries and is not heard of for a minute is given up, so that the others go on.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::pace;

/// How long one may try before another does.
const TRIAL: Duration = Duration::from_secs(60);
/// How often the others look whether it has been answered.
const LOOK: Duration = Duration::from_secs(1);

/// Whether a call may be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Admission {
    Now,
    /// The list may be asked for again at this time.
    NotBefore(Instant),
}

#[derive(Debug, Default)]
struct Delay {
    /// Refusals in a row.
    refusals: u32,
    /// When the last of them was heard of.
    refused: Option<Instant>,
    until: Option<Instant>,
    /// Since when one has been trying.
    trying: Option<Instant>,
}

impl Delay {
    fn admit(&mut self, now: Instant) -> Admission {
        let Some(until) = self.until else {
            return Admission::Now;
        };
        if now < until {
            return Admission::NotBefore(until);
        }
        match self.trying {
            Some(since) if now < since + TRIAL => Admission::NotBefore(now + LOOK),
            _ => {
                self.trying = Some(now);
                Admission::Now
            }
        }
    }

    /// Hears that a call that began at `begun` was refused.
    fn refused(&mut self, begun: Instant, now: Instant, random: f64) {
        if self.refused.is_some_and(|refused| begun < refused) {
            // It was under way when the pause was decided on, and says nothing new.
            return;
        }
        self.refusals = self.refusals.saturating_add(1);
        self.refused = Some(now);
        self.until = Some(now + pace::backoff(self.refusals, random));
        self.trying = None;
    }

    /// Hears that a call that began at `begun` was answered.
    fn answered(&mut self, begun: Instant) {
        if self.refused.is_none_or(|refused| begun >= refused) {
            *self = Self::default();
        }
    }

    /// Hears that a call that began at `begun` ended in another way. One that was under way before says nothing of the
    /// one that tries.
    fn ended(&mut self, begun: Instant) {
        if self.trying == Some(begun) {
            self.trying = None;
        }
    }
}

/// The pause of a client.
#[derive(Debug, Default)]
pub(crate) struct SharedDelay(Mutex<Delay>);

impl SharedDelay {
    fn lock(&self) -> MutexGuard<'_, Delay> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn admit(&self, now: Instant) -> Admission {
        self.lock().admit(now)
    }

    pub(super) fn refused(&self, begun: Instant, now: Instant, random: f64) {
        self.lock().refused(begun, now, random);
    }

    pub(super) fn answered(&self, begun: Instant) {
        self.lock().answered(begun);
    }

    pub(super) fn ended(&self, begun: Instant) {
        self.lock().ended(begun);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(start: Instant, seconds: u64) -> Instant {
        start + Duration::from_secs(seconds)
    }

    #[test]
    fn one_tries_when_the_pause_is_over() {
        let (mut delay, start) = (Delay::default(), Instant::now());
        assert_eq!(delay.admit(start), Admission::Now);
        delay.refused(start, at(start, 1), 1.0);
        assert_eq!(
            delay.admit(at(start, 2)),
            Admission::NotBefore(at(start, 3))
        );
        assert_eq!(delay.admit(at(start, 3)), Admission::Now);
        assert_eq!(
            delay.admit(at(start, 3)),
            Admission::NotBefore(at(start, 4))
        );
        delay.refused(at(start, 3), at(start, 4), 1.0);
        assert_eq!(
            delay.admit(at(start, 5)),
            Admission::NotBefore(at(start, 8))
        );
        assert_eq!(delay.admit(at(start, 8)), Admission::Now);
        delay.answered(at(start, 8));
        assert_eq!(delay.admit(at(start, 8)), Admission::Now);
        assert_eq!(delay.admit(at(start, 8)), Admission::Now);
    }

    #[test]
    fn what_was_under_way_says_nothing() {
        let (mut delay, start) = (Delay::default(), Instant::now());
        delay.refused(start, at(start, 5), 1.0);
        delay.refused(at(start, 4), at(start, 6), 1.0);
        delay.answered(at(start, 4));
        assert_eq!(
            delay.admit(at(start, 6)),
            Admission::NotBefore(at(start, 7))
        );
    }

    #[test]
    fn one_that_is_never_heard_of_keeps_nobody() {
        let (mut delay, start) = (Delay::default(), Instant::now());
        delay.refused(start, start, 0.0);
        assert_eq!(delay.admit(start), Admission::Now);
        assert_eq!(delay.admit(start), Admission::NotBefore(at(start, 1)));
        assert_eq!(delay.admit(at(start, 60)), Admission::Now);
        delay.ended(at(start, 60));
        assert_eq!(delay.admit(at(start, 61)), Admission::Now);
    }

    #[test]
    fn another_failure_of_the_one_that_tries_lets_the_next_try() {
        let (mut delay, start) = (Delay::default(), Instant::now());
        delay.refused(start, at(start, 1), 1.0);
        assert_eq!(delay.admit(at(start, 3)), Admission::Now);
        // One that was under way before the pause is no trial.
        delay.ended(start);
        assert_eq!(
            delay.admit(at(start, 3)),
            Admission::NotBefore(at(start, 4))
        );
        delay.ended(at(start, 3));
        assert_eq!(delay.admit(at(start, 4)), Admission::Now);
        // The pause is as long as before if the next is refused once more: it goes on doubling.
        delay.refused(at(start, 4), at(start, 4), 1.0);
        assert_eq!(
            delay.admit(at(start, 5)),
            Admission::NotBefore(at(start, 8))
        );
    }
}
