//! What some replies of one connection tell of the server, and of what its callers got.

use std::time::{Duration, Instant};

use super::Load;

/// What a connection has to tell after some replies.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sample {
    pub(crate) replies: u64,
    /// The sum of the times from sending a request to its reply.
    pub(crate) latency: Duration,
    /// The longest of these times.
    pub(crate) longest: Duration,
    /// Replies that a caller has waited for; the others came after a second copy was answered, or
    /// after the caller had gone.
    pub(crate) heard: u64,
    /// The sum of the times from handing in a request to its reply, of those that were heard.
    pub(crate) response: Duration,
    /// How many of these times were above [`Marks::slow_after`].
    pub(crate) slow: u64,
    /// When the last of these requests was sent, when its reply came, and the time between: it is the same for all that
    /// were written together and answered together.
    pub(crate) last: Option<(Instant, Instant, Duration)>,
}

/// The times that replies are held against.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Marks {
    /// From this time on without its reply a request is late, and so is what stands behind it.
    pub(crate) late_after: Option<Duration>,
    /// A caller that waits for longer than this counts as one of the slow ones.
    pub(crate) slow_after: Duration,
}

impl Sample {
    /// The head of a reply has come for a request that was handed in at `since`, if somebody waits
    /// for it still, and was sent at `sent_at`.
    pub(crate) fn answered(
        &mut self,
        since: Option<Instant>,
        sent_at: Instant,
        marks: &Marks,
        now: Instant,
    ) {
        let latency = match self.last {
            Some((sent, answered, latency)) if (sent, answered) == (sent_at, now) => latency,
            _ => now.saturating_duration_since(sent_at),
        };
        self.last = Some((sent_at, now, latency));
        self.replies += 1;
        self.latency += latency;
        self.longest = self.longest.max(latency);
        if let Some(since) = since {
            let response = now.saturating_duration_since(since);
            self.heard += 1;
            self.response += response;
            self.slow += u64::from(response > marks.slow_after);
        }
    }
}

/// What was seen of an endpoint for some time.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Window {
    /// How long it was looked at, in seconds.
    pub(super) secs: f64,
    /// All callers paused in so many of these.
    pub(super) idle: f64,
    /// Replies that somebody waited for.
    pub(super) heard: u64,
    pub(super) slow: u64,
    /// The sum of the response times, in seconds.
    response: f64,
    /// The sum of the times from sending a request to its reply, in seconds.
    latency: f64,
    /// The sum over all replies of how many requests waited for a connection when it came.
    waiting: f64,
    /// The same of how many connections waited for late replies.
    stuck: f64,
    replies: u64,
}

impl Window {
    /// Adds a sample that came while there was so much to do.
    pub(super) fn add(&mut self, sample: &Sample, load: Load) {
        self.replies += sample.replies;
        self.heard += sample.heard;
        self.slow += sample.slow;
        self.response += sample.response.as_secs_f64();
        self.latency += sample.latency.as_secs_f64();
        self.waiting += load.waiting as f64 * sample.replies as f64;
        self.stuck += load.stuck as f64 * sample.replies as f64;
    }

    /// Adds what was seen at another time.
    pub(super) fn join(&mut self, other: &Self) {
        self.secs += other.secs;
        self.idle += other.idle;
        self.replies += other.replies;
        self.heard += other.heard;
        self.slow += other.slow;
        self.response += other.response;
        self.latency += other.latency;
        self.waiting += other.waiting;
        self.stuck += other.stuck;
    }

    /// The mean time from handing in a request to its reply, in seconds.
    pub(super) fn response(&self) -> f64 {
        self.response / self.heard.max(1) as f64
    }

    /// The mean time from sending a request to its reply, in seconds.
    pub(super) fn latency(&self) -> f64 {
        self.latency / self.replies.max(1) as f64
    }

    /// The share of callers that were slow.
    pub(super) fn slow_share(&self) -> f64 {
        self.slow as f64 / self.heard.max(1) as f64
    }

    /// Replies per second.
    pub(super) fn rate(&self) -> f64 {
        self.replies as f64 / self.secs.max(1e-9)
    }

    /// Replies per second in which callers did not pause: how long they do tells nothing of a setting.
    pub(super) fn rate_without_pauses(&self) -> f64 {
        self.replies as f64 / self.busy().max(1e-9)
    }

    /// The seconds in which callers did not pause.
    pub(super) fn busy(&self) -> f64 {
        self.secs - self.idle
    }

    /// The mean number of requests that were sent and not answered (Little's law).
    pub(super) fn in_flight(&self) -> f64 {
        self.latency / self.secs.max(1e-9)
    }

    /// The mean number of requests that waited for a connection.
    pub(super) fn waiting(&self) -> f64 {
        self.waiting / self.replies.max(1) as f64
    }

    /// The mean number of connections that waited for a late reply.
    pub(super) fn stuck(&self) -> f64 {
        self.stuck / self.replies.max(1) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_waits_for_tells_of_the_server_only() {
        let (start, ms) = (Instant::now(), Duration::from_millis);
        let marks = Marks {
            late_after: None,
            slow_after: ms(25),
        };
        let mut sample = Sample::default();
        sample.answered(Some(start), start + ms(20), &marks, start + ms(30));
        sample.answered(None, start, &marks, start + ms(30));
        assert_eq!((sample.replies, sample.heard, sample.slow), (2, 1, 1));
        assert_eq!((sample.latency, sample.response), (ms(40), ms(30)));
        assert_eq!(sample.longest, ms(30));
    }

    #[test]
    fn each_reply_counts_by_its_own_times() {
        let (start, ms) = (Instant::now(), Duration::from_millis);
        let mut sample = Sample::default();
        for (sent, answered) in [(0, 10), (0, 10), (5, 10), (5, 12), (0, 12)] {
            let (sent, answered) = (start + ms(sent), start + ms(answered));
            sample.answered(None, sent, &Marks::default(), answered);
        }
        assert_eq!(sample.latency, ms(10 + 10 + 5 + 7 + 12));
        assert_eq!(sample.longest, ms(12));
    }
}
