//! One endpoint: the scheduler under its lock, and the tasks that serve its connections.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use tokio::runtime;
use tokio::sync::Notify;

use super::counters::{Counters, add};
use super::deferred::Locked;
use super::dial;
use super::driver::now;
use super::open::Open;
use super::permits::{Member, SharedPermits};
use super::runtimes::{Runtimes, has_timer, incapable, tag};
use super::spare_buffers::SpareBuffers;
use super::watchdog;
use crate::engine::config::Config;
use crate::engine::core::action::contain;
use crate::engine::core::call::Order;
use crate::engine::core::connection::ConnId;
use crate::engine::core::permits::{MemberId, Refused};
use crate::engine::core::pipeline::Ending;
use crate::engine::core::refusal::Refusal;
use crate::engine::core::scheduler::{Scheduler, Submitted};
use crate::engine::core::ticket::Ticket;
use crate::error::{Error, Kind};
use crate::event::Event;
use crate::protocol::Protocol;

/// The connections to one server, the queue for them, and what they share.
pub(crate) struct Endpoint<P: Protocol> {
    /// The name of the place, for errors and hooks.
    pub(super) name: String,
    guarded: Mutex<Guarded<P>>,
    pub(crate) config: Config,
    pub(super) opener: Box<dyn Open<P>>,
    pub(super) permits: Arc<SharedPermits>,
    pub(super) buffers: Arc<SpareBuffers>,
    /// The name of this endpoint among those that share the permits.
    member: MemberId,
    pub(crate) counters: Counters,
    /// Tells the watchdog that its next look is to be earlier.
    pub(super) replanned: Notify,
    /// Tells whoever waits for the endpoint to be closed.
    changed: Notify,
    /// Every connection is to end now.
    aborted: AtomicBool,
    /// What serves a request may live in another runtime than its caller.
    mixed: AtomicBool,
    /// When the watchdog looks next, if there is one.
    next_look: Mutex<Option<Instant>>,
    seq: AtomicU64,
    /// This is when the endpoint was made.
    pub(super) born: Instant,
    this: Weak<Self>,
}

/// What the lock of an endpoint guards.
pub(super) struct Guarded<P: Protocol> {
    pub(super) scheduler: Scheduler<P>,
    pub(super) runtimes: Runtimes,
}

impl<P: Protocol> Endpoint<P> {
    pub(crate) fn new(
        config: Config,
        opener: Box<dyn Open<P>>,
        permits: Arc<SharedPermits>,
        buffers: Arc<SpareBuffers>,
    ) -> Arc<Self> {
        let born = now();
        let endpoint = Arc::new_cyclic(|this: &Weak<Self>| Self {
            name: opener.name(),
            guarded: Mutex::new(Guarded {
                scheduler: Scheduler::new(&config, born),
                runtimes: Runtimes::default(),
            }),
            config,
            opener,
            member: permits.add_member(),
            permits,
            buffers,
            counters: Counters::default(),
            replanned: Notify::new(),
            changed: Notify::new(),
            aborted: AtomicBool::new(false),
            mixed: AtomicBool::new(false),
            next_look: Mutex::new(None),
            seq: AtomicU64::new(0),
            born,
            this: this.clone(),
        });
        let member: Weak<dyn Member> = endpoint.this.clone();
        endpoint.permits.join(endpoint.member, member);
        endpoint
    }

    /// Tells the log and the hook.
    pub(super) fn tell(&self, event: &Event) {
        match event {
            Event::Opened { took } => {
                tracing::debug!(server.address = %self.name, ?took, "connection opened");
            }
            Event::OpenFailed { error } => {
                tracing::debug!(server.address = %self.name, error.message = %error, "connection failed");
            }
            Event::Closed {
                reason,
                replies,
                age,
                moved,
            } => {
                tracing::debug!(server.address = %self.name, ?reason, replies, ?age, moved, "connection closed");
            }
        }
        if let Some(hook) = &self.config.hook {
            contain(|| (hook.0)(&self.name, event));
        }
    }

    /// The next place in the order of arrival.
    pub(super) fn next_seq(&self) -> u64 {
        self.seq.fetch_add(1, Ordering::Relaxed)
    }

    /// The scheduler, until the guard is dropped.
    pub(crate) fn lock(&self) -> Locked<'_, P> {
        let guarded = self.guarded.lock();
        Locked::new(self, guarded.unwrap_or_else(PoisonError::into_inner))
    }

    #[cfg(test)]
    pub(super) fn is_locked(&self) -> bool {
        self.guarded.try_lock().is_err()
    }

    /// Whether a caller has to look at its own clock.
    pub(super) fn is_mixed(&self) -> bool {
        self.mixed.load(Ordering::Relaxed)
    }

    /// Whether every connection is to end now.
    pub(super) fn is_aborted(&self) -> bool {
        self.aborted.load(Ordering::Acquire)
    }

    /// Takes a request whose caller is polled in this runtime.
    ///
    /// # Errors
    /// [`Kind::Busy`] when the queue is full, [`Kind::Shutdown`] when the pool is closed,
    /// [`Kind::NoRuntime`] when a connection is needed and there is nothing to open it in, or the
    /// runtime has no timer, [`Kind::Gone`] when the only connection that it may go to is no more.
    pub(super) fn submit(
        &self,
        ticket: Ticket<P>,
        home: Option<runtime::Id>,
        now: Instant,
    ) -> Result<(), Error> {
        let mut locked = self.lock();
        if !locked.parts().0.is_timed(home) {
            drop(locked);
            if !has_timer() {
                ticket.withdraw();
                return Err(incapable());
            }
            locked = self.lock();
            locked.parts().0.note_timed(home);
        }
        // The pool may be closed while the lock is not held above: the scheduler is asked last.
        let (runtimes, scheduler) = locked.parts();
        if let Some(mixed) = runtimes.visit(home, || scheduler.is_gone()) {
            scheduler.handle_timekeeping(mixed);
            self.mixed.store(mixed, Ordering::Relaxed);
        }
        match scheduler.handle_submit(ticket, home.is_some(), now) {
            Ok(Submitted::Handed(waker)) => {
                drop(locked);
                if let Some(waker) = waker {
                    waker.wake();
                }
                Ok(())
            }
            Ok(Submitted::Queued) => {
                add(&self.counters.waits, 1);
                self.open_wanted(locked, now);
                Ok(())
            }
            Err(Refusal { ticket, error }) => {
                drop(locked);
                ticket.withdraw();
                if error.kind() == Kind::Busy {
                    add(&self.counters.refused, 1);
                }
                Err(error)
            }
        }
    }

    /// Opens connections while they are wanted and allowed, and sees to those who wait. To be
    /// called after everything that makes room, or makes the queue longer.
    pub(super) fn grow(&self, now: Instant) {
        self.open_wanted(self.lock(), now);
    }

    pub(super) fn open_wanted(&self, mut scheduler: Locked<'_, P>, now: Instant) {
        if scheduler.poll_opening(now) {
            return self.open_now(scheduler, now);
        }
        // Most requests that wait do so behind others, with no connection to open and nothing to watch that is not watched.
        let next_look = scheduler.poll_timeout(now);
        drop(scheduler);
        if let Some(at) = next_look
            && self.next_look().is_none_or(|planned| planned > at)
            && let Some(this) = self.this.upgrade()
        {
            self.watch(this, at);
        }
    }

    #[cold]
    fn open_now(&self, mut scheduler: Locked<'_, P>, now: Instant) {
        let Some(this) = self.this.upgrade() else {
            return;
        };
        let mut evict = false;
        let mut begun = Vec::new();
        while scheduler.poll_opening(now) {
            match self.permits.acquire(self.member, scheduler.live() == 0) {
                Ok(permit) => begun.push((scheduler.handle_permit(now), permit)),
                Err(refused) => {
                    evict = refused == Refused::Anew;
                    scheduler.handle_refusal();
                }
            }
        }
        let next_look = scheduler.poll_timeout(now);
        drop(scheduler);
        for (id, permit) in begun {
            tokio::spawn(dial::run(this.clone(), id, permit));
        }
        if evict {
            self.permits.evict();
        }
        if let Some(at) = next_look {
            self.watch(this, at);
        }
    }

    /// Gives up the place among those who wait for a permit. To be called under the lock.
    pub(super) fn decline(&self) {
        self.permits.decline(self.member);
    }

    /// Has the watchdog look after the queue at this instant, or earlier.
    fn watch(&self, this: Arc<Self>, at: Instant) {
        let mut next_look = self.next_look();
        match *next_look {
            Some(planned) if planned <= at => {}
            Some(_) => {
                *next_look = Some(at);
                drop(next_look);
                self.replanned.notify_one();
            }
            None => {
                *next_look = Some(at);
                drop(next_look);
                tokio::spawn(watchdog::run(this));
            }
        }
    }

    /// When the watchdog looks next, if there is one.
    pub(super) fn next_look(&self) -> MutexGuard<'_, Option<Instant>> {
        let next_look = self.next_look.lock();
        next_look.unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells those whose time is up, and opens what may be opened now.
    pub(super) fn tend(&self, now: Instant) {
        let mut scheduler = self.lock();
        scheduler.handle_timeout(now);
        if scheduler.waiting() > 0 {
            self.open_wanted(scheduler, now);
        }
    }

    /// Until when the caller of a request may wait for what comes next, by its own clock; nothing
    /// when its time is up. One that has waited too long in the queue is told so.
    pub(super) fn limit(&self, order: &Order, now: Instant) -> Option<Instant> {
        let waiting = self.lock().leave_by(order.seq, now);
        waiting.or(Some(order.deadline).filter(|deadline| *deadline > now))
    }

    /// Hands every waiting request back to its caller: the runtime that served them is gone.
    pub(super) fn bounce_all(&self, from: Option<runtime::Id>) {
        let waiting = self.lock().take_queue();
        bounce(waiting, from);
    }

    /// A connection is open.
    pub(super) fn opened(&self, id: ConnId, rtt: Option<Duration>, now: Instant) {
        let mut scheduler = self.lock();
        scheduler.handle_opened(id, rtt);
        self.open_wanted(scheduler, now);
    }

    /// A connection could not be opened.
    pub(super) fn open_failed(&self, id: ConnId, error: &Error, exhausted: bool, now: Instant) {
        add(&self.counters.open_failed, 1);
        self.lock().handle_open_failed(id, error, exhausted, now);
        self.permits.settle();
        self.grow(now);
    }

    /// A connection that was being opened is given up, through no fault of the server.
    pub(super) fn withdrawn(&self, id: ConnId) {
        self.lock().handle_withdrawn(id);
        self.permits.settle();
    }

    /// A connection has ended.
    pub(super) fn ended(&self, id: ConnId, ending: Ending<P>, now: Instant) {
        self.lock().handle_ended(id, ending, now);
        self.permits.settle();
        self.grow(now);
    }

    /// A connection has ended with its runtime, which `from` names. What can be sent again goes back
    /// to its callers.
    pub(super) fn dropped(
        &self,
        id: ConnId,
        ending: Ending<P>,
        from: Option<runtime::Id>,
        now: Instant,
    ) {
        let mail = self.lock().handle_dropped(id, now);
        bounce(ending.again.into_iter().chain(mail), from);
        self.permits.settle();
        self.bounce_all(from);
    }

    /// The caller of a request that may still be in the queue has gone away.
    pub(super) fn forget(&self, seq: u64) {
        self.lock().handle_gone_caller(seq);
    }

    /// Lets idle connections go, and every other when it has nothing left to do.
    pub(crate) fn retire(&self, closed: bool) {
        self.lock().handle_retirement(closed);
    }

    /// Gives up every connection at once, and all who wait.
    pub(super) fn abort(&self) {
        let mut scheduler = self.lock();
        scheduler.handle_abort();
        self.aborted.store(true, Ordering::Release);
    }

    /// Nothing is left of an endpoint that was closed.
    pub(super) fn notify_closed(&self) {
        self.changed.notify_waiters();
    }
}

/// Hands requests back to their callers, who hand them in again.
fn bounce<P: Protocol>(tickets: impl IntoIterator<Item = Ticket<P>>, from: Option<runtime::Id>) {
    let from = tag(from);
    tickets.into_iter().for_each(|ticket| ticket.bounce(from));
}

/// Ends all of these: nothing new is taken, and what is not done after `grace` is given up.
pub(crate) async fn close<P: Protocol>(endpoints: &[Arc<Endpoint<P>>], grace: Duration) {
    for endpoint in endpoints {
        endpoint.retire(true);
    }
    let all_gone = async {
        for endpoint in endpoints {
            loop {
                let changed = endpoint.changed.notified();
                if endpoint.lock().is_gone() {
                    break;
                }
                changed.await;
            }
        }
    };
    if tokio::time::timeout(grace, all_gone).await.is_err() {
        for endpoint in endpoints {
            endpoint.abort();
        }
    }
}

#[cfg(test)]
mod tests;
