//! A read that others of this process meet instead of doing the same at once.
//!
//! It is a task of its own: its caller may stop polling, run out of time or go away, and the others get their answer
//! all the same. The load ends when nobody waits for it any more. What the task asks of memcached it hears to the
//! end, which takes no longer than one operation: a right to fill that is granted to nobody could not be given back.
//!
//! ```text
//!                    ┌─────────┐ Look   ┌────────┐ fill or cancel ┌─────────┐ leave ┌───────┐
//!   Admit: Lead ───► │ looking │ ─────► │ loading│ ─────────────► │ landed  │ ────► │ ended │
//!                    └─────────┘ no hit └────────┘   the lease    └─────────┘       └───────┘
//!                      │      ▲ Wait        │                       ▲  wakes those    ▲ wakes those
//!                      │ hit  └─┘           │ panic, or nobody      │  who share      │ who only wait
//!                      └────────────────────┼───────────────────────┘                 │
//!                                           └──────────── abandoned ──────────────────┘
//! ```
//!
//! *Problem:* Many reads that miss one key at once should load it once, and a read must not see what was loaded before
//! a write that ended before the read began. *Decision:* One of them leads, as a task of its own, so that nobody's
//! progress depends on a future that somebody else may not poll. One that comes later waits for the end of that load,
//! and then one of those who waited asks memcached for all of them, which shows what another process has written in
//! between. *Cost:* A second question for those who share; where memcached is away, a second load.
//!
//! - Its **caller** waits for the answer of the task. When the caller goes away, only its seat becomes free. When the last
//!   seat becomes free, the load ends and the task gives its lease back.
//! - A read that **met it and began before it** shares what it lands with: an entry, or an error if both were asked for
//!   on the same [terms](super::read::Want::terms). What concerns only the read that led (its time was over, its runtime
//!   ended, it panicked) makes the others begin anew, and one of them leads for all.
//! - A read that **began after it** does not take its entry, since a write of another process may have ended between the
//!   two. It asks memcached, unless it has just done so, and then waits for the end of the task. Then one of those that
//!   have waited leads, and the others share its answer.
//! - Nobody waits for it longer than a lease lasts, which is 10 s by default, whatever becomes of the runtime that the
//!   task is in. After that one of those that wait takes over, and the first may not fill any longer.
//! - Without a runtime nothing is shared: the read loads in its caller's own future.

use std::any::Any;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::entry::Entry;

/// How a read ended for those that met it.
#[derive(Clone)]
pub(crate) enum Landed {
    /// It has this entry.
    Entry(Entry),
    /// It has something that only its caller can have, so that each of the others has to load for itself.
    Private,
    /// It has failed with this error, of the error type of its caller, who asked on these terms.
    Failed(Arc<dyn Any + Send + Sync>, u64),
    /// It has nothing for the others, and one of them leads anew.
    Abandoned,
}

pub(crate) struct Flight {
    landed: OnceLock<Landed>,
    ended: AtomicBool,
    /// Wakes those that wait when something has landed, and when it has ended.
    news: Notify,
    /// How many wait for it.
    seats: AtomicUsize,
    /// Wakes the task when the last of them has left.
    empty: Notify,
    began: Instant,
}

impl Flight {
    pub(crate) fn new() -> Self {
        Self {
            landed: OnceLock::new(),
            ended: AtomicBool::new(false),
            news: Notify::new(),
            seats: AtomicUsize::new(0),
            empty: Notify::new(),
            began: Instant::now(),
        }
    }

    /// Tells those that share how it ended. Only the first call counts.
    pub(crate) fn land(&self, landed: Landed) {
        if self.landed.set(landed).is_ok() {
            self.news.notify_waiters();
        }
    }

    /// Tells everybody that it has ended.
    pub(crate) fn end(&self) {
        // This has no effect if something has landed.
        let _ = self.landed.set(Landed::Abandoned);
        self.ended.store(true, Ordering::Release);
        self.news.notify_waiters();
    }

    /// Tells whether nobody waits. The question means something only under the lock under which [seats](Seat) are taken.
    pub(crate) fn is_empty(&self) -> bool {
        self.seats.load(Ordering::Acquire) == 0
    }

    #[cfg(test)]
    pub(crate) fn seats(&self) -> usize {
        self.seats.load(Ordering::Acquire)
    }

    /// Waits until the last seat has become free. Others may have been taken since.
    pub(crate) async fn left(&self) {
        self.empty.notified().await;
    }
}

/// The place of a read that waits for another one.
pub(crate) struct Seat(Arc<Flight>);

impl Seat {
    pub(crate) fn take(flight: Arc<Flight>) -> Self {
        flight.seats.fetch_add(1, Ordering::AcqRel);
        Self(flight)
    }

    pub(crate) fn flight(&self) -> Arc<Flight> {
        self.0.clone()
    }

    /// Waits until it is known how the flight has ended. A read that `shares` hears that as soon as something has
    /// landed, any other when nobody meets the flight any longer.
    /// Gives nothing when `longest` has passed since the flight began.
    pub(crate) async fn wait(&self, shares: bool, longest: Duration) -> Option<Landed> {
        let flight = &*self.0;
        let until = flight.began + longest;
        let news = async {
            loop {
                let mut told = pin!(flight.news.notified());
                told.as_mut().enable();
                if (shares || flight.ended.load(Ordering::Acquire))
                    && let Some(landed) = flight.landed.get()
                {
                    return landed.clone();
                }
                told.await;
            }
        };
        tokio::time::timeout_at(until, news).await.ok()
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if self.0.seats.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.empty.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::Future;
    use std::task::{Context, Waker};

    #[tokio::test(start_paused = true)]
    async fn who_only_waits_hears_of_the_end_and_who_shares_of_the_answer() {
        let flight = Arc::new(Flight::new());
        let seat = Seat::take(flight.clone());
        let longest = Duration::from_secs(10);
        let mut shares = Box::pin(seat.wait(true, longest));
        let mut waits = Box::pin(seat.wait(false, longest));
        let mut cx = Context::from_waker(Waker::noop());
        assert!(shares.as_mut().poll(&mut cx).is_pending());
        assert!(waits.as_mut().poll(&mut cx).is_pending());
        flight.land(Landed::Private);
        assert!(matches!(shares.await, Some(Landed::Private)));
        assert!(waits.as_mut().poll(&mut cx).is_pending());
        flight.end();
        // What was landed first counts.
        assert!(matches!(waits.await, Some(Landed::Private)));
        let never = Arc::new(Flight::new());
        assert!(Seat::take(never).wait(true, longest).await.is_none());
    }
}
