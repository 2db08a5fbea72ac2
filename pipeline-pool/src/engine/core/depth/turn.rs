//! The turns of settings: how long one is left alone, and how long it is looked at.
//!
//! After a change, callers get for a while what the setting before has left: its queue, and the
//! requests behind late answers. So a turn is left alone first, for some of the mean response times of
//! before or of the longest latencies of late, whichever are longer, and then looked at.

use std::time::{Duration, Instant};

use super::Load;
use super::sample::{Sample, Window};
use super::tuning::Tuning;

/// A time in which one setting is in use.
#[derive(Clone, Copy, Debug)]
pub(super) struct Turn {
    /// When the look begins, and how long it takes.
    from: Instant,
    length: Duration,
    /// When the last replies came.
    last: Instant,
    /// All callers count as paused when no request was under way for this long.
    pause: Duration,
    /// This turn is compared by replies per second, and pauses of all callers are not part of its length.
    is_of_rate: bool,
    /// What callers got since `from`.
    pub(super) seen: Window,
}

impl Turn {
    /// One that is looked at from now on.
    pub(super) fn now(tuning: &Tuning, now: Instant) -> Self {
        Self {
            from: now,
            last: now,
            length: tuning.shortest_turn,
            pause: tuning.pause,
            is_of_rate: false,
            seen: Window::default(),
        }
    }

    /// Adds a sample that came while there was so much to do, unless the turn is left alone still.
    /// Says whether it is not.
    pub(super) fn add(&mut self, sample: &Sample, load: Load, now: Instant) -> bool {
        if now < self.from {
            return false;
        }
        self.seen.add(sample, load);
        // Where all of these were sent after the last replies had come, nothing was under way between.
        let sent = now.checked_sub(sample.longest).unwrap_or(now);
        let idle = sent.saturating_duration_since(self.last);
        if idle >= self.pause {
            self.seen.idle += idle.as_secs_f64();
        }
        self.last = self.last.max(now);
        self.seen.secs = now.saturating_duration_since(self.from).as_secs_f64();
        true
    }

    /// Makes the look last at least this long, pauses of all callers not included; it ends after
    /// [`longest_turn`](Tuning::longest_turn) with them in any case.
    pub(super) fn lengthen(&mut self, length: Duration) {
        self.length = self.length.max(length);
        self.is_of_rate = true;
    }

    /// How long it has been looked at.
    fn looked(&self) -> Duration {
        Duration::from_secs_f64(self.seen.secs)
    }

    /// Whether it has been looked at for long enough.
    pub(super) fn is_over(&self, tuning: &Tuning) -> bool {
        let enough = self.seen.heard >= tuning.turn_replies;
        let looked = match self.is_of_rate {
            true => Duration::try_from_secs_f64(self.seen.busy()).unwrap_or_default(),
            false => self.looked(),
        };
        looked >= self.length && enough || self.looked() >= tuning.longest_turn
    }

    /// The same of one that shows what is before anything is tried, of so many connections; before
    /// it is `settled`, it only shows for how long it has to be left alone.
    pub(super) fn shows_what_is(&self, settled: bool, connections: usize, times: Times) -> bool {
        let tuning = times.tuning;
        let least = match settled {
            true => times.looks_for(&self.seen),
            false => times.settles_for(&self.seen),
        };
        let replies = tuning.settled_replies * connections as u64;
        let enough = self.seen.heard >= replies.max(tuning.turn_replies);
        self.looked() >= least.max(tuning.known_after) && enough
            || self.looked() >= 2 * tuning.longest_turn
    }
}

/// How long turns take at a server.
#[derive(Clone, Copy, Debug)]
pub(super) struct Times {
    /// The longest latency of late.
    pub(super) longest: Duration,
    pub(super) tuning: &'static Tuning,
}

impl Times {
    /// How long a turn is looked at where callers get what was seen here.
    pub(super) fn looks_for(self, seen: &Window) -> Duration {
        let long = self.longest_time(seen).mul_f64(self.tuning.turn_times);
        long.clamp(self.tuning.shortest_turn, self.tuning.longest_turn)
    }

    /// How long it takes until callers get what they get with a setting that is new, where they got
    /// what was seen here before.
    fn settles_for(self, seen: &Window) -> Duration {
        let long = self.longest_time(seen).mul_f64(self.tuning.settling_times);
        long.min(self.tuning.longest_turn)
    }

    /// The longer one of what callers wait for on average and the longest latency.
    fn longest_time(self, seen: &Window) -> Duration {
        Duration::from_secs_f64(seen.response()).max(self.longest)
    }

    /// The turn of a setting that was not in use before, while callers get what was `seen`.
    pub(super) fn after_a_change(self, seen: &Window, now: Instant) -> Turn {
        let from = now + self.settles_for(seen);
        Turn {
            from,
            last: from,
            length: self.looks_for(seen),
            pause: self.tuning.pause,
            is_of_rate: false,
            seen: Window::default(),
        }
    }

    /// A further turn of a setting that is in use, while callers get what was `seen`.
    pub(super) fn further(self, seen: &Window, now: Instant) -> Turn {
        Turn {
            from: now,
            last: now,
            length: 3 * self.looks_for(seen),
            pause: self.tuning.pause,
            is_of_rate: false,
            seen: Window::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// So many replies, each so many ms after its request was handed in.
    fn sample(replies: u64, ms: u32) -> Sample {
        Sample {
            replies,
            heard: replies,
            response: MS * ms * replies as u32,
            ..Sample::default()
        }
    }

    #[test]
    fn what_the_setting_before_has_left_is_not_seen() {
        let now = Instant::now();
        for (longest, left_alone, looked) in [(MS, 60, 120), (MS * 100, 150, 300)] {
            let times = Times {
                longest,
                tuning: &Tuning::DEFAULT,
            };
            let mut seen = Window::default();
            seen.add(&sample(100, 40), Load::default());
            let mut turn = times.after_a_change(&seen, now);
            assert!(!turn.add(
                &sample(1000, 40),
                Load::default(),
                now + MS * (left_alone - 1)
            ));
            assert!(turn.add(
                &sample(1000, 10),
                Load::default(),
                now + MS * (left_alone + looked - 1)
            ));
            assert!(!turn.is_over(times.tuning), "{longest:?}");
            assert!(turn.add(
                &sample(1, 10),
                Load::default(),
                now + MS * (left_alone + looked)
            ));
            assert!(turn.is_over(times.tuning), "{longest:?}");
            assert!((turn.seen.response() - 0.01).abs() < 1e-9);
        }
    }
}
