//! Decides, without a clock, when a server counts as dead and when it is tried again.
//!
//! ```text
//!       failures in a row          admit, after the pause         probed well
//!  up ────────────────────► down ─────────────────────► probing ─────────────► up
//!                             ▲                             │
//!                             └─────────────────────────────┘
//!                               probed badly: a longer pause
//! ```

use std::time::{Duration, Instant};

/// When servers are ejected, and how long they are left alone.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EjectionRules {
    /// How many failures in a row eject a server.
    pub(crate) failures: u32,
    /// The first and the longest pause until a server is tried again.
    pub(crate) pause: (Duration, Duration),
}

/// A probe that has not ended after this long stands still with its runtime, and another is begun.
const MAX_PROBE_TIME: Duration = Duration::from_secs(60);

/// What is known of one server.
#[derive(Debug)]
pub(crate) struct Health {
    rules: EjectionRules,
    state: State,
    failures: u32,
    /// When the last failure that counted became known.
    counted: Option<Instant>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Up,
    /// It is not tried before this instant. The number counts the tries.
    Down(Instant, u32),
    /// It has been tried since this instant. The number counts the tries.
    Probing(u32, Instant),
}

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Permission {
    Go,
    /// The request does not go, and no other does for now.
    Away,
    /// The request does not go, and its caller has to send a probe.
    Probe,
}

impl Health {
    pub(crate) fn new(rules: EjectionRules) -> Self {
        Self {
            rules,
            state: State::Up,
            failures: 0,
            counted: None,
        }
    }

    pub(crate) fn is_up(&self) -> bool {
        self.state == State::Up
    }

    /// How many failures there were in a row.
    pub(crate) fn failures(&self) -> u32 {
        self.failures
    }

    /// Decides whether a request may go to the server now.
    pub(crate) fn admit(&mut self, now: Instant) -> Permission {
        match self.state {
            State::Up => Permission::Go,
            State::Down(until, round) if until <= now => {
                self.state = State::Probing(round, now);
                Permission::Probe
            }
            State::Probing(round, since) if since + MAX_PROBE_TIME <= now => {
                self.state = State::Probing(round, now);
                Permission::Probe
            }
            State::Down(..) | State::Probing(..) => Permission::Away,
        }
    }

    /// The server has answered.
    pub(crate) fn succeeded(&mut self) {
        self.failures = 0;
        self.counted = None;
    }

    /// A request that began at `began` has failed; says whether the server was ejected for it.
    /// `jitter` is drawn from 0 to 1.
    ///
    /// Requests that were under way together fail together, and that is one failure.
    pub(crate) fn failed(&mut self, began: Instant, now: Instant, jitter: f64) -> bool {
        if self.state != State::Up || self.counted.is_some_and(|counted| began < counted) {
            return false;
        }
        self.failures += 1;
        self.counted = Some(now);
        if self.failures < self.rules.failures {
            return false;
        }
        self.state = State::Down(now + self.pause(0, jitter), 1);
        true
    }

    /// Ejects the server, to be probed at once.
    pub(crate) fn eject(&mut self, now: Instant) {
        self.state = State::Down(now, 0);
    }

    /// A probe has ended. Says whether that counts. It does not when another probe has ended before it.
    pub(crate) fn probed(&mut self, well: bool, now: Instant, jitter: f64) -> bool {
        let State::Probing(round, _) = self.state else {
            return false;
        };
        if well {
            self.state = State::Up;
            self.succeeded();
        } else {
            self.state = State::Down(now + self.pause(round, jitter), round.saturating_add(1));
        }
        true
    }

    /// The pause after so many tries. It is twice as long each time, up to the longest. A random part of the second
    /// half is taken off, so that the clients of one server do not come back together.
    fn pause(&self, round: u32, jitter: f64) -> Duration {
        let (first, longest) = self.rules.pause;
        let whole = first.saturating_mul(2u32.saturating_pow(round.min(30)));
        whole
            .min(longest.max(first))
            .mul_f64(1.0 - jitter.clamp(0.0, 1.0) / 2.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn health() -> Health {
        Health::new(EjectionRules {
            failures: 3,
            pause: (SECOND, 5 * SECOND),
        })
    }

    #[test]
    fn failures_in_a_row_eject() {
        let (mut health, start) = (health(), Instant::now());
        let at = |n: u32| start + SECOND * n;
        assert!(!health.failed(at(0), at(1), 0.0));
        assert!(!health.failed(at(1), at(2), 0.0));
        health.succeeded();
        assert!(!health.failed(at(2), at(3), 0.0));
        assert!(!health.failed(at(3), at(4), 0.0));
        assert_eq!(health.admit(at(4)), Permission::Go);
        assert!(health.failed(at(4), at(5), 0.0));
        assert_eq!(health.admit(at(5)), Permission::Away);
        assert!(!health.failed(at(4), at(6), 0.0), "it is out already");
    }

    #[test]
    fn what_fails_together_counts_once() {
        let (mut health, start) = (health(), Instant::now());
        for i in 0..100 {
            let later = start + SECOND + Duration::from_millis(i);
            assert!(!health.failed(start, later, 0.0));
        }
        assert_eq!(health.failures(), 1);
    }

    #[test]
    fn one_probe_at_a_time_at_growing_intervals() {
        let (mut health, mut now) = (health(), Instant::now());
        health.eject(now);
        for pause in [1, 2, 4, 5, 5] {
            assert_eq!(health.admit(now), Permission::Probe);
            assert_eq!(
                health.admit(now + 59 * SECOND),
                Permission::Away,
                "one is under way"
            );
            assert!(health.probed(false, now, 0.0));
            now += pause * SECOND;
            assert_eq!(health.admit(now - SECOND / 1000), Permission::Away);
        }
        assert_eq!(health.admit(now), Permission::Probe);
        assert!(health.probed(true, now, 0.0));
        assert_eq!(health.admit(now), Permission::Go);
        assert_eq!(health.failures(), 0);
    }

    #[test]
    fn a_server_that_is_back_has_not_failed() {
        let (mut health, start) = (health(), Instant::now());
        for i in 0..3 {
            let at = start + SECOND * i;
            assert_eq!(health.failed(at, at, 0.0), i == 2);
        }
        let later = start + 10 * SECOND;
        assert_eq!(health.admit(later), Permission::Probe);
        assert!(health.probed(true, later, 0.0));
        assert_eq!(health.failures(), 0);
        assert!(!health.failed(later, later, 0.0));
    }

    #[test]
    fn a_probe_that_stands_still_is_followed_by_another() {
        let (mut health, start) = (health(), Instant::now());
        health.eject(start);
        assert_eq!(health.admit(start), Permission::Probe);
        let later = start + MAX_PROBE_TIME;
        assert_eq!(health.admit(later), Permission::Probe);
        assert_eq!(health.admit(later), Permission::Away);
        assert!(health.probed(true, later, 0.0) && health.is_up());
        // The first wakes up.
        assert!(!health.probed(false, later, 0.0) && health.is_up());
    }

    #[test]
    fn a_jittered_pause_is_from_half_to_all_of_it() {
        let health = health();
        assert_eq!(health.pause(1, 0.0), 2 * SECOND);
        assert_eq!(health.pause(1, 0.5), SECOND * 3 / 2);
        assert_eq!(health.pause(1, 1.0), SECOND);
        assert_eq!(health.pause(u32::MAX, 0.0), 5 * SECOND);
    }
}
