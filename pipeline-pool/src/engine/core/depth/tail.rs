//! Whether a server has a tail: some replies that take many times what is usual.
//!
//! Under a long tail every request behind a late one is late too, so depth costs more than it
//! brings. That a server has a tail is remembered from one trial to the next.

use std::time::{Duration, Instant};

use super::sample::{Sample, Window};
use super::tuning::Tuning;

/// What is known of the late replies of a server.
#[derive(Debug, Default)]
pub(super) struct Tail {
    /// All replies of late, older ones with less weight.
    history: Window,
    /// When the first reply was seen, and how long ago that was at the last one.
    since: Option<Instant>,
    age: Duration,
    /// When any connection was last answered.
    answered: Option<Instant>,
    /// When the last pause of all connections ended.
    paused: Option<Instant>,
}

impl Tail {
    /// Takes in a sample, and gives it back as what it tells of the server: late replies are left
    /// out that are the fault of a pause. `late_after` is when a reply is late, if that is known.
    pub(super) fn observe(
        &mut self,
        sample: &Sample,
        late_after: Option<Duration>,
        connections: usize,
        now: Instant,
        tuning: &Tuning,
    ) -> Sample {
        let sample = self.without_pause(sample, late_after, connections, now);
        self.age = now.saturating_duration_since(*self.since.get_or_insert(now));
        self.history.add(&sample, Duration::ZERO);
        if self.history.replies > tuning.history_replies {
            self.history.halve();
        }
        sample
    }

    /// Where no connection at all was answered for a while, this machine was busy with something
    /// else, or the server as a whole was. That is no tail, which holds up one connection and not
    /// the others, and it says nothing about depth.
    fn without_pause(
        &mut self,
        sample: &Sample,
        late_after: Option<Duration>,
        connections: usize,
        now: Instant,
    ) -> Sample {
        let mut sample = *sample;
        let answered = self.answered.replace(now);
        let Some(limit) = late_after.filter(|_| connections > 1) else {
            return sample;
        };
        let ago = |at: Instant| now.saturating_duration_since(at);
        if answered.is_some_and(|at| ago(at) >= limit / 2) {
            self.paused = Some(now);
        }
        // What comes until then was under way during the pause.
        if self.paused.is_some_and(|at| ago(at) <= limit) {
            sample.late = 0;
        }
        sample
    }

    /// Whether so much has been seen that a tail would show.
    pub(super) fn is_known(&self, tuning: &Tuning) -> bool {
        let soon = self.history.replies >= tuning.known_replies && self.age >= tuning.known_soon;
        soon || self.age >= tuning.known_late
    }

    /// Counts the late replies among the last ones.
    pub(super) fn late(&self) -> u64 {
        self.history.late
    }
}
