//! What a change of an endpoint's state leads to outside, done once the endpoint is unlocked.
//!
//! Wakers, request bodies, replies and subscribers of the log are code of the pool's users. Such
//! code may use the pool itself, as a body's `drop` does that asks for statistics, and would wait
//! for a lock that its own thread holds. So nothing under the lock of an endpoint wakes a task,
//! ends a request or drops one: it is noted here, and [`Locked`] acts on it after it has unlocked.

use std::ops::{Deref, DerefMut};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::MutexGuard;
use std::task::Waker;

use super::endpoint::Endpoint;
use super::entry::Entry;
use super::learn::Decided;
use super::state::State;
use crate::error::Error;
use crate::protocol::Protocol;

/// What is still to be done.
pub(crate) struct Deferred<P: Protocol> {
    /// Tasks to be woken.
    wake: Vec<Waker>,
    /// Requests whose callers are told of a failure.
    fail: Vec<(Entry<P>, Error)>,
    /// Requests that nobody waits for.
    discard: Vec<Entry<P>>,
    /// A comparison of depths has ended, which the log is told.
    decided: Option<Decided>,
}

impl<P: Protocol> Deferred<P> {
    pub(crate) const fn new() -> Self {
        Self {
            wake: Vec::new(),
            fail: Vec::new(),
            discard: Vec::new(),
            decided: None,
        }
    }

    /// Has a task woken.
    pub(crate) fn wake(&mut self, waker: impl IntoIterator<Item = Waker>) {
        self.wake.extend(waker);
    }

    /// Has the caller of a request told that it failed.
    pub(crate) fn fail(&mut self, entry: Entry<P>, error: Error) {
        self.fail.push((entry, error));
    }

    /// Has a request dropped.
    pub(crate) fn discard(&mut self, entry: Entry<P>) {
        self.discard.push(entry);
    }

    /// Has the log told of a comparison of depths.
    pub(crate) fn decided(&mut self, decided: Option<Decided>) {
        self.decided = decided.or(self.decided.take());
    }

    fn is_empty(&self) -> bool {
        self.wake.is_empty()
            && self.fail.is_empty()
            && self.discard.is_empty()
            && self.decided.is_none()
    }
}

impl<P: Protocol> Drop for Deferred<P> {
    fn drop(&mut self) {
        if self.is_empty() {
            return;
        }
        for (mut entry, error) in self.fail.drain(..) {
            contain(move || entry.fail(&error));
        }
        for entry in self.discard.drain(..) {
            contain(move || drop(entry));
        }
        for waker in self.wake.drain(..) {
            contain(move || waker.wake());
        }
        if let Some(decided) = self.decided.take() {
            contain(move || decided.log());
        }
    }
}

/// Calls what may be a caller's code. A panic of it has been reported by now, and is no reason to
/// lose somebody else's request, or a connection out of the count.
pub(crate) fn contain(call: impl FnOnce()) {
    let _ = catch_unwind(AssertUnwindSafe(call));
}

/// The state of an endpoint while it is locked. Dropping it unlocks, and then does what the
/// changes made meanwhile lead to.
pub(crate) struct Locked<'a, P: Protocol> {
    endpoint: &'a Endpoint<P>,
    // Fields are dropped in their order: the lock is free before anything is done.
    state: MutexGuard<'a, State<P>>,
    deferred: Deferred<P>,
    last: NotifyLast<'a, P>,
}

/// Tells whoever waits for the endpoint to have nothing left.
struct NotifyLast<'a, P: Protocol>(Option<&'a Endpoint<P>>);

impl<P: Protocol> Drop for NotifyLast<'_, P> {
    fn drop(&mut self) {
        if let Some(endpoint) = self.0 {
            endpoint.changed.notify_waiters();
        }
    }
}

impl<'a, P: Protocol> Locked<'a, P> {
    pub(super) fn new(endpoint: &'a Endpoint<P>, state: MutexGuard<'a, State<P>>) -> Self {
        Self {
            endpoint,
            state,
            deferred: Deferred::new(),
            last: NotifyLast(None),
        }
    }
}

impl<P: Protocol> Deref for Locked<'_, P> {
    type Target = State<P>;

    fn deref(&self) -> &State<P> {
        &self.state
    }
}

impl<P: Protocol> DerefMut for Locked<'_, P> {
    fn deref_mut(&mut self) -> &mut State<P> {
        &mut self.state
    }
}

impl<P: Protocol> Drop for Locked<'_, P> {
    fn drop(&mut self) {
        if self.state.starved && self.state.line.is_empty() {
            // Nobody needs the permit any more that was asked for.
            self.state.starved = false;
            self.endpoint.decline();
        }
        if self.state.closed && self.state.is_gone() {
            self.last.0 = Some(self.endpoint);
        }
        if !self.state.deferred.is_empty() {
            std::mem::swap(&mut self.deferred, &mut self.state.deferred);
        }
    }
}
