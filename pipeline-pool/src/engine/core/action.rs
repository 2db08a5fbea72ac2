//! What the core has decided, for the shell to do once nothing is locked.
//!
//! Wakers, request bodies, replies and subscribers of the log are code of the pool's users. Such
//! code may use the pool itself, as the `drop` of a body does that asks for statistics, and would
//! wait for a lock that its own thread holds. So the core wakes nobody and ends no request: it
//! queues an [`Action`], which the shell takes and performs after it has unlocked.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::Waker;

use super::depth::TrialOutcome;
use super::ticket::Ticket;
use crate::error::Error;
use crate::protocol::Protocol;

/// One thing that the shell has to do.
pub(crate) enum Action<P: Protocol> {
    /// Wakes a task.
    Wake(Waker),
    /// Tells the caller of a request that it failed.
    Fail(Ticket<P>, Error),
    /// Drops a request that nobody waits for.
    Discard(Ticket<P>),
    /// Tells the log how a trial of a depth came out.
    Log(Box<TrialOutcome>),
}

/// Actions in the order in which they were decided.
pub(crate) struct Actions<P: Protocol>(VecDeque<Action<P>>);

impl<P: Protocol> Actions<P> {
    pub(crate) const fn new() -> Self {
        Self(VecDeque::new())
    }

    /// Has these tasks woken.
    pub(crate) fn wake(&mut self, wakers: impl IntoIterator<Item = Waker>) {
        self.0.extend(wakers.into_iter().map(Action::Wake));
    }

    /// Has the caller of a request told that it failed.
    pub(crate) fn fail(&mut self, ticket: Ticket<P>, error: Error) {
        self.0.push_back(Action::Fail(ticket, error));
    }

    /// Has a request dropped that nobody waits for.
    pub(crate) fn discard(&mut self, ticket: Ticket<P>) {
        self.0.push_back(Action::Discard(ticket));
    }

    /// Has the log told of a trial.
    pub(crate) fn log(&mut self, outcome: TrialOutcome) {
        self.0.push_back(Action::Log(Box::new(outcome)));
    }

    /// The next thing to do.
    pub(crate) fn poll(&mut self) -> Option<Action<P>> {
        self.0.pop_front()
    }
}

/// Calls what may be a caller's code. A panic of it has been reported by the panic hook by now, and
/// is no reason to lose somebody else's request, or a connection out of the count.
pub(crate) fn contain(call: impl FnOnce()) {
    let _ = catch_unwind(AssertUnwindSafe(call));
}

/// Wakes a task. A waker is the code of whoever polls: that one panics costs nobody else anything.
pub(crate) fn wake(waker: Waker) {
    contain(move || waker.wake());
}
