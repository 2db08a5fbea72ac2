//! What the caller of a request shares with those who serve it: the request, and its outcome.
//!
//! It is made once and stays where it is, while the small [`Entry`] that stands for it goes from
//! queue to queue.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use tokio::runtime;

use super::deferred::wake;
use super::entry::{Entry, Trail};
use crate::error::{Error, Kind};
use crate::protocol::{ConnectionId, Protocol};

/// A request and what came of it.
pub(crate) struct Call<P: Protocol> {
    order: Order,
    /// Nobody waits for an outcome any more.
    over: AtomicBool,
    /// The request, until it is done with. Only those who serve it take this lock.
    request: Mutex<Option<P::Request>>,
    answer: Mutex<Answer<P>>,
    /// The call whose request this is a second copy of: its caller hears what comes of this one.
    original: Option<Arc<Self>>,
}

/// What stays the same when a request moves to another connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Order {
    /// Its place in the order of arrival.
    pub(crate) seq: u64,
    /// Until when its reply must have begun.
    pub(crate) deadline: Instant,
    /// The only connection that it may go to.
    pub(crate) bound: Option<ConnectionId>,
}

/// How it ended for one request.
pub(crate) enum Outcome<P: Protocol> {
    Done(Result<P::Reply, Error>),
    /// The runtime that served it is gone, or the task is: it has to be handed in again from the
    /// caller's own. The runtime is told where the task itself is what was dropped.
    Again(Trail, Option<runtime::Id>),
}

struct Answer<P: Protocol> {
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
            request: Mutex::new(Some(request)),
            answer: Mutex::new(Answer {
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
        original.answer().copies += 1;
        Arc::new(Self::new(request, call.order, Some(original.clone())))
    }

    pub(super) fn order(&self) -> &Order {
        &self.order
    }

    pub(super) fn request(&self) -> MutexGuard<'_, Option<P::Request>> {
        self.request.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answer(&self) -> MutexGuard<'_, Answer<P>> {
        self.answer.lock().unwrap_or_else(PoisonError::into_inner)
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
        let mut answer = call.answer();
        if call.over.load(Ordering::Relaxed) {
            // What is dropped may have to do with other callers.
            drop(answer);
            return None;
        }
        call.over.store(true, Ordering::Release);
        answer.outcome = Some(outcome);
        answer.waker.take()
    }

    /// Tells a failure, unless another copy of the request may still succeed.
    pub(super) fn tell_failure(&self, failure: impl FnOnce() -> Error) {
        if self.is_over() {
            return;
        }
        let failure = failure();
        let failure = {
            let mut answer = self.heard().answer();
            answer.copies = answer.copies.saturating_sub(1);
            if answer.copies > 0 {
                answer.failed.get_or_insert(failure);
                return;
            }
            weightier(answer.failed.take(), failure)
        };
        if let Some(waker) = self.tell(Outcome::Done(Err(failure))) {
            wake(waker);
        }
    }

    /// Gives the request back to its caller, unless another copy of it may still succeed.
    pub(super) fn tell_again(&self, trail: Trail, from: Option<runtime::Id>) {
        let last = {
            let mut answer = self.heard().answer();
            answer.copies = answer.copies.saturating_sub(1);
            answer.copies == 0
        };
        if last && !self.is_over() {
            self.give_back();
            if let Some(waker) = self.tell(Outcome::Again(trail, from)) {
                wake(waker);
            }
        }
    }

    /// Who is to be woken so that the caller is polled.
    pub(super) fn nudge(&self) -> Option<Waker> {
        self.heard().answer().waker.take()
    }

    /// Has the one who serves the request woken when its caller goes away.
    pub(super) fn watch(&self, server: &Waker) {
        let call = self.heard();
        let known =
            |answer: &Answer<P>| answer.server.as_ref().is_some_and(|w| w.will_wake(server));
        if known(&call.answer()) {
            return;
        }
        let new = server.clone();
        let mut answer = call.answer();
        if call.over.load(Ordering::Relaxed) {
            drop(answer);
            wake(new);
        } else {
            let old = answer.server.replace(new);
            drop(answer);
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
            deadline: then,
            bound: None,
        };
        Self {
            call: Arc::new(Call::new(request, order, None)),
            heard: false,
        }
    }

    /// Hands the request in, to be heard of by this waker.
    pub(crate) fn hand_in(&mut self, order: Order, waker: &Waker) -> Option<Entry<P>> {
        // Nobody else has it yet.
        let call = Arc::get_mut(&mut self.call)?;
        call.order = order;
        let answer = call.answer.get_mut();
        answer.unwrap_or_else(PoisonError::into_inner).waker = Some(waker.clone());
        let request = call.request.get_mut();
        let request = request.unwrap_or_else(PoisonError::into_inner).as_ref();
        let class = P::class(request?);
        Some(Entry::new(self.call.clone(), class, Trail::NONE))
    }

    /// Hands the request in once more after [`Outcome::Again`].
    pub(crate) fn hand_in_again(&mut self, trail: Trail, waker: &Waker) -> Option<Entry<P>> {
        let class = self.call.request().as_ref().map(P::class)?;
        let waker = waker.clone();
        let mut answer = self.call.answer();
        answer.copies = 1;
        let old = (answer.waker.replace(waker), answer.failed.take());
        self.call.over.store(false, Ordering::Release);
        drop(answer);
        drop(old);
        self.heard = false;
        Some(Entry::new(self.call.clone(), class, trail))
    }

    pub(crate) fn order(&self) -> &Order {
        &self.call.order
    }

    /// Wants to hear no more of it.
    pub(crate) fn give_up(&mut self) {
        if std::mem::replace(&mut self.heard, true) {
            return;
        }
        let mut answer = self.call.answer();
        self.call.over.store(true, Ordering::Release);
        // A reply may hold the other end of a body: it goes now, not when its connection is done.
        let left = (answer.outcome.take(), answer.waker.take());
        let server = answer.server.take();
        drop(answer);
        drop(left);
        if let Some(server) = server {
            wake(server);
        }
    }

    /// What came of it, once.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Outcome<P>> {
        let mut new = None;
        loop {
            let mut answer = self.call.answer();
            if let Some(outcome) = answer.outcome.take() {
                self.heard = true;
                return Poll::Ready(outcome);
            }
            let known = answer.waker.as_ref();
            if known.is_some_and(|w| w.will_wake(cx.waker())) {
                return Poll::Pending;
            }
            if let Some(new) = new.take() {
                let old = answer.waker.replace(new);
                drop(answer);
                drop(old);
                return Poll::Pending;
            }
            // A waker is the code of whoever polls: it is cloned and dropped with nothing locked.
            drop(answer);
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
mod tests {
    use bytes::BytesMut;

    use super::*;
    use crate::engine::testing::Probe;
    use crate::error::Sent;
    use crate::outbox::Outbox;
    use crate::protocol::{Class, Decoded, Encoded};

    struct Nothing;

    impl Protocol for Nothing {
        type Request = u8;
        type Reply = Arc<()>;

        fn class(_: &u8) -> Class {
            Class {
                repeatable: true,
                alone: false,
            }
        }

        fn duplicate(request: &u8) -> Option<u8> {
            Some(*request)
        }

        fn encode(&mut self, _: &mut u8, _: &mut Outbox) -> Encoded {
            Encoded::Wholly
        }

        fn decode(&mut self, _: &u8, _: &mut BytesMut, _: bool) -> Result<Decoded<Arc<()>>, Error> {
            Ok(Decoded::More)
        }

        fn is_amid(&self) -> bool {
            false
        }
    }

    fn handed_in() -> (Caller<Nothing>, Entry<Nothing>) {
        let mut caller = Caller::new(7, Instant::now());
        let order = *caller.order();
        let entry = caller.hand_in(order, Waker::noop()).unwrap();
        (caller, entry)
    }

    fn poll(caller: &mut Caller<Nothing>) -> Poll<Outcome<Nothing>> {
        caller.poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn a_request_that_is_lost_may_have_been_sent() {
        let (mut caller, entry) = handed_in();
        assert!(poll(&mut caller).is_pending());
        drop(entry);
        let Poll::Ready(Outcome::Done(Err(error))) = poll(&mut caller) else {
            panic!("not told");
        };
        assert_eq!((error.kind(), error.sent()), (Kind::Closed, Sent::Part));
    }

    #[test]
    fn of_two_copies_the_first_reply_counts_and_the_last_failure() {
        let failure = |text: &'static str| Error::new(Kind::Closed, text);
        let (mut caller, mut entry) = handed_in();
        let copy = entry.hedge().unwrap();
        assert!(entry.hedge().is_none());
        entry.fail(&failure("first"));
        assert!(!copy.is_abandoned() && poll(&mut caller).is_pending());
        copy.end(&failure("second"));
        let Poll::Ready(Outcome::Done(Err(error))) = poll(&mut caller) else {
            panic!("not told");
        };
        assert_eq!(error.to_string(), failure("second").to_string());

        // The copy has not been sent, but the request has.
        let (mut caller, mut entry) = handed_in();
        let mut copy = entry.hedge().unwrap();
        entry.end(&failure("first").with_sent(Sent::All));
        copy.fail(&failure("second"));
        let Poll::Ready(Outcome::Done(Err(error))) = poll(&mut caller) else {
            panic!("not told");
        };
        assert!(error.may_have_been_sent());

        let (mut caller, mut entry) = handed_in();
        let mut copy = entry.hedge().unwrap();
        assert!(copy.reply(Arc::new(())).is_some());
        assert!(entry.is_abandoned());
        assert!(entry.reply(Arc::new(())).is_none());
        assert!(matches!(
            poll(&mut caller),
            Poll::Ready(Outcome::Done(Ok(_)))
        ));
    }

    #[test]
    fn a_reply_goes_with_its_caller() {
        let reply = Arc::new(());
        let (caller, mut entry) = handed_in();
        assert!(entry.reply(reply.clone()).is_some());
        assert_eq!(Arc::strong_count(&reply), 2);
        drop(caller);
        assert_eq!(Arc::strong_count(&reply), 1);
        let (caller, mut entry) = handed_in();
        drop(caller);
        assert!(entry.is_abandoned());
        assert!(entry.reply(reply.clone()).is_none());
        assert_eq!(Arc::strong_count(&reply), 1);
    }

    #[test]
    fn what_a_copy_gives_back_can_be_handed_in_again() {
        let (mut caller, mut entry) = handed_in();
        let copy = entry.hedge().unwrap();
        entry.end(&Error::new(Kind::Closed, "first"));
        copy.bounce(None);
        let Poll::Ready(Outcome::Again(trail, _)) = poll(&mut caller) else {
            panic!("not given back");
        };
        let mut entry = caller.hand_in_again(trail, Waker::noop()).unwrap();
        assert!(!entry.is_abandoned() && poll(&mut caller).is_pending());
        assert!(entry.reply(Arc::new(())).is_some());
        assert!(poll(&mut caller).is_ready());
    }

    #[test]
    fn wakers_are_dropped_and_woken_with_nothing_locked() {
        let probe = Probe::idle();
        let waker = probe.waker();
        let (mut caller, mut entry) = handed_in();
        let call = caller.call.clone();
        probe.look_at(move || call.answer.try_lock().is_err() || call.request.try_lock().is_err());
        assert!(caller.poll(&mut Context::from_waker(&waker)).is_pending());
        drop(waker);
        probe.assert_ran(0);
        // Polled by another task, the first is of no use any more.
        assert!(poll(&mut caller).is_pending());
        probe.assert_ran(1);
        // As is the waker of a connection that the request has left.
        entry.call.watch(&probe.waker());
        entry.call.watch(Waker::noop());
        probe.assert_ran(1);
        let waker = probe.waker();
        assert!(caller.poll(&mut Context::from_waker(&waker)).is_pending());
        drop(waker);
        entry.fail(&Error::new(Kind::Closed, "it was only a test"));
        probe.assert_ran(2);
    }

    #[test]
    fn that_a_second_copy_was_not_served_is_nothing_beside_how_the_first_failed() {
        let (mut caller, mut entry) = handed_in();
        let mut copy = entry.hedge().unwrap();
        let lost = Error::new(Kind::Closed, "the connection was lost");
        entry.trail.sent = Sent::All;
        entry.end(&lost);
        copy.fail(&Error::new(Kind::WaitTimeout, "no connection became free"));
        let Poll::Ready(Outcome::Done(Err(error))) = poll(&mut caller) else {
            panic!("not told");
        };
        assert_eq!((error.kind(), error.sent()), (Kind::Closed, Sent::All));
    }

    #[test]
    fn of_two_copies_of_what_was_handed_in_again_the_last_failure_counts() {
        let failure = |text: &'static str| Error::new(Kind::Closed, text);
        let (mut caller, entry) = handed_in();
        entry.bounce(None);
        let Poll::Ready(Outcome::Again(trail, _)) = poll(&mut caller) else {
            panic!("not given back");
        };
        let mut entry = caller.hand_in_again(trail, Waker::noop()).unwrap();
        let copy = entry.hedge().unwrap();
        entry.end(&failure("first"));
        assert!(!copy.is_abandoned() && poll(&mut caller).is_pending());
        copy.end(&failure("second"));
        let Poll::Ready(Outcome::Done(Err(error))) = poll(&mut caller) else {
            panic!("not told");
        };
        assert_eq!(error.to_string(), failure("second").to_string());
    }

    #[test]
    fn how_a_copy_failed_is_forgotten_when_the_request_is_handed_in_again() {
        let (mut caller, mut entry) = handed_in();
        let copy = entry.hedge().unwrap();
        entry.end(&Error::new(Kind::Closed, "the connection was lost"));
        copy.bounce(None);
        let Poll::Ready(Outcome::Again(trail, _)) = poll(&mut caller) else {
            panic!("not given back");
        };
        let entry = caller.hand_in_again(trail, Waker::noop()).unwrap();
        entry.end(&Error::new(Kind::WaitTimeout, "no connection became free"));
        let Poll::Ready(Outcome::Done(Err(error))) = poll(&mut caller) else {
            panic!("not told");
        };
        // That it may have been sent is what its trail says.
        assert_eq!(
            (error.kind(), error.sent()),
            (Kind::WaitTimeout, Sent::Part)
        );
    }
}
