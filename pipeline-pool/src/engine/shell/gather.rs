//! Whether a driver lets other tasks hand in their requests before it writes those that it has.
//!
//! *Problem:* on the multi-thread runtime a task that is woken runs before those that were woken
//! earlier, so that a driver would write the requests of many callers one by one. *Decision:* it lets
//! others go first while requests come in, as long as callers who were told of their replies are
//! expected back, or a write was only just made, and a few times at most. *Cost:* some microseconds;
//! one request alone waits for nobody.

use std::time::{Duration, Instant};

use tokio::runtime::{Handle, RuntimeFlavor};

/// How often others may go first while requests come in, before those that came are written.
const MAX_LOOKS: u32 = 4;
/// So soon after a write others may go first too, whoever they are.
const SOON_AFTER_WRITE: Duration = Duration::from_micros(100);

/// How often others went first since the driver last wrote.
#[derive(Debug)]
pub(super) struct Gather {
    on: bool,
    looks: u32,
    /// The requests that there were at the last look.
    requests: usize,
    /// When the driver last wrote.
    wrote: Instant,
}

impl Gather {
    /// For a driver in the present runtime.
    pub(super) fn new(now: Instant) -> Self {
        let flavor = Handle::try_current().map(|handle| handle.runtime_flavor());
        Self {
            on: flavor.is_ok_and(|flavor| flavor != RuntimeFlavor::CurrentThread),
            looks: 0,
            requests: 0,
            wrote: now,
        }
    }

    /// Whether others are ever to go first.
    pub(super) fn is_on(&self) -> bool {
        self.on
    }

    /// The driver has written something.
    pub(super) fn note_write(&mut self, now: Instant) {
        self.wrote = now;
    }

    /// The driver has so many requests, after it has told callers of their replies.
    pub(super) fn note_requests(&mut self, requests: usize) {
        self.requests = requests;
    }

    /// The driver has so many requests. Says whether they have become more since the last look.
    pub(super) fn has_grown(&mut self, requests: usize) -> bool {
        requests > std::mem::replace(&mut self.requests, requests)
    }

    /// Whether the last write was only just made.
    pub(super) fn wrote_just_now(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.wrote) < SOON_AFTER_WRITE
    }

    /// Whether others go first now, where more is `expected` of them.
    pub(super) fn waits(&mut self, expected: bool) -> bool {
        let waits = expected && self.looks < MAX_LOOKS;
        if waits {
            self.looks += 1;
        } else {
            self.looks = 0;
            self.requests = 0;
        }
        waits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn others_go_first_a_few_times_at_most() {
        let now = Instant::now();
        let mut gather = Gather::new(now);
        assert!(!gather.is_on(), "there is no runtime with several threads");
        for _ in 0..2 {
            for _ in 0..MAX_LOOKS {
                assert!(gather.waits(true));
            }
            assert!(!gather.waits(true));
        }
        assert!(gather.waits(true));
        assert!(!gather.waits(false));
    }

    #[test]
    fn only_requests_that_came_since_the_last_look_are_more() {
        let now = Instant::now();
        let mut gather = Gather::new(now);
        assert!(gather.has_grown(1));
        assert!(!gather.has_grown(1));
        assert!(gather.has_grown(2));
        gather.note_requests(5);
        assert!(!gather.has_grown(4));
        gather.waits(false);
        assert!(gather.has_grown(1), "it is counted anew after a write");
    }

    #[test]
    fn a_write_is_just_made_for_a_tenth_of_a_millisecond() {
        let now = Instant::now();
        let mut gather = Gather::new(now);
        let later = now + Duration::from_secs(1);
        gather.note_write(later);
        assert!(gather.wrote_just_now(later + SOON_AFTER_WRITE / 2));
        assert!(!gather.wrote_just_now(later + SOON_AFTER_WRITE));
    }
}
