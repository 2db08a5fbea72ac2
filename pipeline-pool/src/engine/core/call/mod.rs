//! What the caller of a request shares with those who serve it: the request, and its outcome.
//!
//! It is made once and stays where it is, while the small [`Ticket`] that stands for it goes from
//! queue to queue.
//!
//! ```text
//!   Caller::hand_in        ┌───── hand_in_again ──────┐
//!        │                 ▼                          │
//!        └──────────▶ under way ── tell_again ──▶ given back
//!                      │      │
//!        tell, or the  │      │ give_up
//!        last failure  ▼      ▼
//!                  an outcome  nobody waits: what comes of it is dropped
//! ```
//!
//! *Problem:* a request moves from queue to queue, and moving the whole of it was the largest cost of
//! a small GET in user space. *Decision:* the request, its outcome and the waker of its caller are one
//! allocation, which caller and connection share. *Cost:* that allocation, and two locks that are
//! never contended for long.
//!
//! A request may be under way as two copies. The first reply ends the matter, and of failures only
//! the last does.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use super::action::wake;
use super::ticket::{History, Ticket};
use crate::error::{Error, Kind};
use crate::protocol::{ConnectionId, Protocol};

/// A request and what came of it.
pub(crate) struct Call<P: Protocol> {
    order: Order,
    /// Nobody waits for an outcome any more.
    over: AtomicBool,
    /// The whole answer to the request is here. The request stays where it is until its caller hears of that, so that its
    /// memory is given back where the next request takes some, and not for all answers of one read at once.
    answered: AtomicBool,
    /// The request, until it is done with. While it is under way, only those who serve it take this lock.
    request: Mutex<Option<P::Request>>,
    state: Mutex<CallState<P>>,
    /// The call whose request this is a second copy of: its caller hears what comes of this one.
    original: Option<Arc<Self>>,
}

/// What stays the same when a request moves to another connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Order {
    /// Its place in the order of arrival.
    pub(crate) seq: u64,
    /// When its caller handed it in for the first time.
    pub(crate) since: Instant,
    /// Until when its reply must have begun.
    pub(crate) deadline: Instant,
    /// The only connection that it may go to.
    pub(crate) bound: Option<ConnectionId>,
}

/// The name of a runtime, made by the shell: the core compares such names and knows no more of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RuntimeTag(pub(crate) u64);

/// How it ended for one request.
pub(crate) enum Outcome<P: Protocol> {
    /// The reply, or a failure.
    Done(Result<P::Reply, Error>),
    /// The task that served it was dropped: it has to be handed in again from the caller's runtime.
    /// The runtime that dropped the task is named where it is known.
    Again(History, Option<RuntimeTag>),
}

/// How far a request has come.
struct CallState<P: Protocol> {
    /// The caller, to be woken for an outcome.
    waker: Option<Waker>,
    /// Who serves the request and waits for the rest of it.
    server: Option<Waker>,
    outcome: Option<Outcome<P>>,
    /// How often the request is under way: the first reply counts, and only the last failure.
    copies: u8,
    /// How a copy failed that is not the last.
    failed: Option<Error>,
}

impl<P: Protocol> Call<P> {
    fn new(request: P::Request, order: Order, original: Option<Arc<Self>>) -> Self {
        Self {
            order,
            over: AtomicBool::new(false),
            answered: AtomicBool::new(false),
            request: Mutex::new(Some(request)),
            state: Mutex::new(CallState {
                waker: None,
                server: None,
                outcome: None,
                copies: 1,
                failed: None,
            }),
            original,
        }
    }

    /// A call of a second copy of the request, whose outcome is heard by the same caller.
    pub(super) fn copy(call: &Arc<Self>, request: P::Request) -> Arc<Self> {
        let original = call.original.as_ref().unwrap_or(call);
        original.state().copies += 1;
        Arc::new(Self::new(request, call.order, Some(original.clone())))
    }

    pub(super) fn order(&self) -> &Order {
        &self.order
    }

    pub(super) fn request(&self) -> MutexGuard<'_, Option<P::Request>> {
        self.request.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the whole answer to the request is here, so that nothing of it is sent any more.
    pub(super) fn is_answered(&self) -> bool {
        self.answered.load(Ordering::Acquire)
    }

    /// The whole answer to the request is here.
    pub(super) fn note_answer(&self) {
        self.answered.store(true, Ordering::Release);
    }

    fn state(&self) -> MutexGuard<'_, CallState<P>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The call whose caller waits.
    fn heard(&self) -> &Self {
        self.original.as_deref().unwrap_or(self)
    }

    pub(super) fn is_over(&self) -> bool {
        self.heard().over.load(Ordering::Acquire)
    }

    /// Tells an outcome that ends the matter, and gives back who has to be woken for it; one for
    /// nobody is dropped.
    pub(super) fn tell(&self, outcome: Outcome<P>) -> Option<Waker> {
        let call = self.heard();
        let mut state = call.state();
        if call.over.load(Ordering::Relaxed) {
            // What is dropped may have to do with other callers.
            drop(state);
            return None;
        }
        call.over.store(true, Ordering::Release);
        state.outcome = Some(outcome);
        state.waker.take()
    }

    /// Tells a failure, unless another copy of the request may still succeed.
    pub(super) fn tell_failure(&self, failure: impl FnOnce() -> Error) {
        if self.is_over() {
            return;
        }
        let failure = failure();
        let failure = {
            let mut state = self.heard().state();
            state.copies = state.copies.saturating_sub(1);
            if state.copies > 0 {
                state.failed.get_or_insert(failure);
                return;
            }
            weightier(state.failed.take(), failure)
        };
        if let Some(waker) = self.tell(Outcome::Done(Err(failure))) {
            wake(waker);
        }
    }

    /// Gives the request back to its caller, unless another copy of it may still succeed.
    pub(super) fn tell_again(&self, history: History, from: Option<RuntimeTag>) {
        let last = {
            let mut state = self.heard().state();
            state.copies = state.copies.saturating_sub(1);
            state.copies == 0
        };
        if last && !self.is_over() {
            self.give_back();
            if let Some(waker) = self.tell(Outcome::Again(history, from)) {
                wake(waker);
            }
        }
    }

    /// Who is to be woken so that the caller is polled.
    pub(super) fn nudge(&self) -> Option<Waker> {
        self.heard().state().waker.take()
    }

    /// Has the one who serves the request woken when its caller goes away.
    pub(super) fn watch(&self, server: &Waker) {
        let call = self.heard();
        let known =
            |state: &CallState<P>| state.server.as_ref().is_some_and(|w| w.will_wake(server));
        if known(&call.state()) {
            return;
        }
        let new = server.clone();
        let mut state = call.state();
        if call.over.load(Ordering::Relaxed) {
            drop(state);
            wake(new);
        } else {
            let old = state.server.replace(new);
            drop(state);
            drop(old);
        }
    }

    /// Puts the request where its caller hands it in again from.
    fn give_back(&self) {
        if let Some(original) = &self.original {
            let request = self.request().take();
            let old = std::mem::replace(&mut *original.request(), request);
            drop(old);
        }
    }
}

/// Of the failures of two copies the one that tells more: that no connection was to be had for the
/// one is nothing beside what became of the other.
fn weightier(earlier: Option<Error>, last: Error) -> Error {
    let unserved = matches!(
        last.kind(),
        Kind::WaitTimeout | Kind::Connect | Kind::Busy | Kind::Gone
    );
    match earlier {
        Some(earlier) if unserved => {
            let sent = earlier.sent().max(last.sent());
            earlier.with_sent(sent)
        }
        _ => last,
    }
}

/// The caller's end of a request; dropping it gives the request up.
pub(crate) struct Caller<P: Protocol> {
    call: Arc<Call<P>>,
    /// It has heard what came of the request.
    heard: bool,
}

impl<P: Protocol> Caller<P> {
    /// A request that is yet to be handed in; `then` is any instant.
    pub(crate) fn new(request: P::Request, then: Instant) -> Self {
        let order = Order {
            seq: 0,
            since: then,
            deadline: then,
            bound: None,
        };
        Self {
            call: Arc::new(Call::new(request, order, None)),
            heard: false,
        }
    }

    /// Hands the request in, to be heard of by this waker.
    pub(crate) fn hand_in(&mut self, order: Order, waker: &Waker) -> Option<Ticket<P>> {
        // Nobody else has it yet.
        let call = Arc::get_mut(&mut self.call)?;
        call.order = order;
        let state = call.state.get_mut();
        state.unwrap_or_else(PoisonError::into_inner).waker = Some(waker.clone());
        let request = call.request.get_mut();
        let request = request.unwrap_or_else(PoisonError::into_inner).as_ref();
        let treatment = P::treatment(request?);
        Some(Ticket::new(self.call.clone(), treatment, History::NONE))
    }

    /// Hands the request in once more after [`Outcome::Again`].
    pub(crate) fn hand_in_again(&mut self, history: History, waker: &Waker) -> Option<Ticket<P>> {
        let treatment = self.call.request().as_ref().map(P::treatment)?;
        let waker = waker.clone();
        let mut state = self.call.state();
        state.copies = 1;
        let old = (state.waker.replace(waker), state.failed.take());
        self.call.over.store(false, Ordering::Release);
        drop(state);
        drop(old);
        self.heard = false;
        Some(Ticket::new(self.call.clone(), treatment, history))
    }

    pub(crate) fn order(&self) -> &Order {
        &self.call.order
    }

    /// Wants to hear no more of it.
    pub(crate) fn give_up(&mut self) {
        if std::mem::replace(&mut self.heard, true) {
            return;
        }
        let mut state = self.call.state();
        self.call.over.store(true, Ordering::Release);
        // A reply may hold the other end of a body: it goes now, not when its connection is done.
        let left = (state.outcome.take(), state.waker.take());
        let server = state.server.take();
        drop(state);
        drop(left);
        if let Some(server) = server {
            wake(server);
        }
    }

    /// What came of it, once.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Outcome<P>> {
        let mut new = None;
        loop {
            let mut state = self.call.state();
            if let Some(outcome) = state.outcome.take() {
                self.heard = true;
                drop(state);
                if self.call.is_answered() {
                    // What the request holds is free when its caller hears of the answer.
                    let request = self.call.request().take();
                    drop(request);
                }
                return Poll::Ready(outcome);
            }
            let known = state.waker.as_ref();
            if known.is_some_and(|w| w.will_wake(cx.waker())) {
                return Poll::Pending;
            }
            if let Some(new) = new.take() {
                let old = state.waker.replace(new);
                drop(state);
                drop(old);
                return Poll::Pending;
            }
            // A waker is the code of whoever polls: it is cloned and dropped with nothing locked.
            drop(state);
            new = Some(cx.waker().clone());
        }
    }
}

impl<P: Protocol> Drop for Caller<P> {
    fn drop(&mut self) {
        self.give_up();
    }
}

#[cfg(test)]
mod tests;
