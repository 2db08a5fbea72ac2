//! The limiter of one server behind its lock, and the wakers of those who wait there.

use std::collections::HashMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::Duration;

use tokio::time::Instant;

use super::limiter::{Limiter, Ticket};

/// How long after the last refusal a server is free again.
pub(super) const LIMIT_LIFETIME: Duration = Duration::from_secs(60);

/// One server that is limited.
pub(super) struct Gate(Mutex<Line>);

pub(super) struct Line {
    pub(super) limiter: Limiter,
    pub(super) wakers: HashMap<Ticket, Waker>,
}

impl Gate {
    pub(super) fn new(limiter: Limiter) -> Self {
        Self(Mutex::new(Line {
            limiter,
            wakers: HashMap::new(),
        }))
    }

    fn lock(&self) -> MutexGuard<'_, Line> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn last_cut(&self) -> std::time::Instant {
        self.lock().limiter.last_cut()
    }

    pub(super) fn is_over(&self, now: Instant) -> bool {
        let since = now.into_std().saturating_duration_since(self.last_cut());
        since >= LIMIT_LIFETIME
    }

    /// Changes something, grants the turns that are due then, and wakes those who have to hear of it.
    pub(super) fn change<T>(&self, now: Instant, change: impl FnOnce(&mut Limiter) -> T) -> T {
        self.change_line(now, |line| change(&mut line.limiter))
    }

    pub(super) fn change_line<T>(&self, now: Instant, change: impl FnOnce(&mut Line) -> T) -> T {
        let mut due = Vec::new();
        let mut line = self.lock();
        line.limiter.advance(now.into_std(), &mut due);
        let done = change(&mut line);
        line.limiter.advance(now.into_std(), &mut due);
        let wakers = due.iter().filter_map(|ticket| line.wakers.remove(ticket));
        let wakers: Vec<Waker> = wakers.collect();
        drop(line);
        // Wakers are foreign code: none is called or dropped under the lock, and one that panics keeps no other from
        // being woken. The panic has been reported by then.
        for waker in wakers {
            let _panic = catch_unwind(AssertUnwindSafe(|| waker.wake()));
        }
        done
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Gate").field(&self.lock().limiter).finish()
    }
}
