//! The lock of an endpoint, and what is done once it is free.
//!
//! Nothing foreign runs under the lock: the [`Action`]s that the core queued meanwhile are taken
//! when the lock is given back, and performed after that.
//!
//! *Problem:* Wakers, request bodies and log subscribers are code of others; they may use the pool
//! themselves, or panic. *Decision:* What follows from a change of state is noted while the endpoint is
//! locked, and done once it is unlocked. *Cost:* One small list for each change that wakes somebody.

use std::ops::{Deref, DerefMut};
use std::sync::MutexGuard;

use super::endpoint::{Endpoint, Guarded};
use super::runtimes::Runtimes;
use crate::engine::core::action::{Action, contain, wake};
use crate::engine::core::depth::TrialOutcome;
use crate::engine::core::scheduler::Scheduler;
use crate::protocol::Protocol;

/// The scheduler of an endpoint while it is locked. Dropping it unlocks, and then does what the
/// scheduler has decided meanwhile.
pub(crate) struct Locked<'a, P: Protocol> {
    endpoint: &'a Endpoint<P>,
    // Fields are dropped in their order: the lock is free before anything is done.
    guarded: MutexGuard<'a, Guarded<P>>,
    deferred: Deferred<P>,
    last: NotifyLast<'a, P>,
}

/// What is done when this is dropped.
struct Deferred<P: Protocol>(Vec<Action<P>>);

impl<P: Protocol> Drop for Deferred<P> {
    fn drop(&mut self) {
        // Most changes wake nobody.
        if !self.0.is_empty() {
            self.0.drain(..).for_each(perform);
        }
    }
}

/// Does what was decided. What runs here may be a caller's code, and may panic.
fn perform<P: Protocol>(action: Action<P>) {
    match action {
        Action::Wake(waker) => wake(waker),
        Action::Fail(mut ticket, error) => contain(move || ticket.fail(&error)),
        Action::Discard(ticket) => contain(move || drop(ticket)),
        Action::Log(outcome) => contain(|| log(&outcome)),
    }
}

fn log(outcome: &TrialOutcome) {
    tracing::debug!(
        present = ?outcome.present,
        tried = ?outcome.tried,
        better = outcome.better,
        present_response = outcome.present_response,
        present_rate = outcome.present_rate,
        tried_response = outcome.tried_response,
        tried_rate = outcome.tried_rate,
        "depth tried"
    );
}

/// Tells whoever waits for the endpoint to have nothing left.
struct NotifyLast<'a, P: Protocol>(Option<&'a Endpoint<P>>);

impl<P: Protocol> Drop for NotifyLast<'_, P> {
    fn drop(&mut self) {
        if let Some(endpoint) = self.0 {
            endpoint.notify_closed();
        }
    }
}

impl<'a, P: Protocol> Locked<'a, P> {
    pub(super) fn new(endpoint: &'a Endpoint<P>, guarded: MutexGuard<'a, Guarded<P>>) -> Self {
        Self {
            endpoint,
            guarded,
            deferred: Deferred(Vec::new()),
            last: NotifyLast(None),
        }
    }

    /// The runtimes that the endpoint is used from, and the scheduler.
    pub(super) fn parts(&mut self) -> (&mut Runtimes, &mut Scheduler<P>) {
        let guarded = &mut *self.guarded;
        (&mut guarded.runtimes, &mut guarded.scheduler)
    }
}

impl<P: Protocol> Deref for Locked<'_, P> {
    type Target = Scheduler<P>;

    fn deref(&self) -> &Scheduler<P> {
        &self.guarded.scheduler
    }
}

impl<P: Protocol> DerefMut for Locked<'_, P> {
    fn deref_mut(&mut self) -> &mut Scheduler<P> {
        &mut self.guarded.scheduler
    }
}

impl<P: Protocol> Drop for Locked<'_, P> {
    fn drop(&mut self) {
        let scheduler = &mut self.guarded.scheduler;
        if scheduler.poll_decline() {
            self.endpoint.decline();
        }
        if scheduler.is_closed() && scheduler.is_gone() {
            self.last.0 = Some(self.endpoint);
        }
        while let Some(action) = scheduler.poll_action() {
            self.deferred.0.push(action);
        }
    }
}

#[cfg(test)]
mod tests;
