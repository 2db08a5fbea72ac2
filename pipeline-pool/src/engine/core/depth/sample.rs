//! What some replies of one connection tell of the server.

use std::time::{Duration, Instant};

/// What a connection has to tell after some replies.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sample {
    pub(crate) replies: u64,
    /// How long it took, if the connection was as deep as it may be all the time.
    pub(crate) full: Option<Duration>,
    /// The sum of the times from sending a request to its reply.
    pub(crate) latency: Duration,
    /// Replies that were late, or stood behind one that was.
    pub(crate) late: u64,
}

impl Sample {
    /// The head of a reply has come for a request sent at `sent_at`.
    pub(crate) fn answered(
        &mut self,
        sent_at: Instant,
        late_after: Option<Duration>,
        now: Instant,
    ) {
        let latency = now.saturating_duration_since(sent_at);
        self.replies += 1;
        self.latency += latency;
        self.late += u64::from(late_after.is_some_and(|limit| latency > limit));
    }
}

/// Samples added up.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Window {
    pub(super) replies: u64,
    pub(super) late: u64,
    secs: f64,
}

impl Window {
    /// Adds a sample that was `full` for so long.
    pub(super) fn add(&mut self, sample: &Sample, full: Duration) {
        self.replies += sample.replies;
        self.secs += full.as_secs_f64();
        self.late += sample.late;
    }

    /// Replies per second.
    pub(super) fn rate(&self) -> f64 {
        self.replies as f64 / self.secs.max(1e-9)
    }

    /// The share of replies that were late.
    pub(super) fn late_share(&self) -> f64 {
        self.late as f64 / self.replies.max(1) as f64
    }

    /// Has all that was added so far count half.
    pub(super) fn halve(&mut self) {
        self.replies /= 2;
        self.late /= 2;
    }
}
