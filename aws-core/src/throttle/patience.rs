//! What is learnt of answers and of callers: how long the one take, and how long the others wait for them.

use std::time::{Duration, Instant};

/// How long a caller's giving up is remembered: this long, and up to twice as long.
const GIVE_UP_WINDOW: Duration = Duration::from_secs(5);
/// Callers are taken for impatient when they gave up at least so many times in a window or two,
const MIN_GIVE_UPS: u32 = 2;
/// and at least once for so many turns.
const TURNS_FOR_A_GIVE_UP: u32 = 50;

/// How long an answer usually takes, by the smoothed mean and deviation of
/// [RFC 6298](https://www.rfc-editor.org/rfc/rfc6298#section-2).
#[derive(Debug, Default)]
pub(super) struct AnswerTime {
    known: bool,
    mean: Duration,
    deviation: Duration,
}

impl AnswerTime {
    /// Notes how long an answer took.
    pub(super) fn heard(&mut self, took: Duration) {
        if !self.known {
            self.known = true;
            self.mean = took;
            self.deviation = took / 2;
            return;
        }
        self.deviation = (self.deviation * 3 + self.mean.abs_diff(took)) / 4;
        self.mean = (self.mean * 7 + took) / 8;
    }

    /// Notes that an answer had not come after so long.
    pub(super) fn missed(&mut self, waited: Duration) {
        if waited > self.mean {
            self.heard(waited);
        }
    }

    /// The time in which nearly every answer comes; nothing before the first.
    pub(super) fn usual(&self) -> Duration {
        self.mean.saturating_add(self.deviation * 4)
    }
}

/// How long callers waited before they gave up without a word: a timeout around a call, or a task that was dropped.
/// Their deadline is not known before it is over, unlike that of the operation itself.
#[derive(Debug)]
pub(super) struct Patience {
    since: Instant,
    current: Window,
    before: Window,
}

#[derive(Clone, Copy, Debug, Default)]
struct Window {
    turns: u32,
    gave_up: u32,
    longest: Duration,
}

impl Patience {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            since: now,
            current: Window::default(),
            before: Window::default(),
        }
    }

    fn window(&mut self, now: Instant) -> &mut Window {
        let age = now.saturating_duration_since(self.since);
        if age >= GIVE_UP_WINDOW {
            let old = std::mem::take(&mut self.current);
            self.before = if age < GIVE_UP_WINDOW * 2 {
                old
            } else {
                Window::default()
            };
            self.since = now;
        }
        &mut self.current
    }

    /// Notes that a caller had a turn.
    pub(super) fn had_turn(&mut self, now: Instant) {
        self.window(now).turns += 1;
    }

    /// Notes that a caller gave up, so long after its call began.
    pub(super) fn gave_up(&mut self, waited: Duration, now: Instant) {
        let window = self.window(now);
        window.gave_up += 1;
        window.longest = window.longest.max(waited);
    }

    /// The longest time after which a caller gave up lately; nothing where almost none did.
    pub(super) fn limit(&mut self, now: Instant) -> Option<Duration> {
        let current = *self.window(now);
        let gave_up = current.gave_up + self.before.gave_up;
        let turns = current.turns + self.before.turns;
        let many = gave_up >= MIN_GIVE_UPS && gave_up.saturating_mul(TURNS_FOR_A_GIVE_UP) >= turns;
        many.then(|| current.longest.max(self.before.longest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn the_usual_time_follows_answers_and_those_that_did_not_come() {
        let mut time = AnswerTime::default();
        assert_eq!(time.usual(), Duration::ZERO);
        time.heard(20 * MS);
        assert_eq!(time.usual(), 60 * MS);
        (0..50).for_each(|_| time.heard(20 * MS));
        assert!(time.usual() < 21 * MS);
        time.missed(10 * MS);
        assert!(time.usual() < 21 * MS, "says nothing");
        (0..50).for_each(|_| time.missed(200 * MS));
        assert!(time.usual() > 190 * MS && time.usual() < 250 * MS);
        (0..50).for_each(|_| time.heard(20 * MS));
        assert!(time.usual() < 30 * MS);
    }

    #[test]
    fn callers_are_impatient_while_many_give_up() {
        let start = Instant::now();
        let mut patience = Patience::new(start);
        assert_eq!(patience.limit(start), None);
        patience.gave_up(100 * MS, start);
        assert_eq!(patience.limit(start), None, "once is nothing");
        patience.gave_up(250 * MS, start);
        patience.gave_up(200 * MS, start);
        assert_eq!(patience.limit(start), Some(250 * MS));
        (0..200).for_each(|_| patience.had_turn(start));
        assert_eq!(patience.limit(start), None, "few of many");
        patience.gave_up(200 * MS, start + GIVE_UP_WINDOW);
        assert_eq!(patience.limit(start + GIVE_UP_WINDOW), Some(250 * MS));
        let later = start + GIVE_UP_WINDOW * 3;
        assert_eq!(patience.limit(later), None, "long ago");
    }
}
