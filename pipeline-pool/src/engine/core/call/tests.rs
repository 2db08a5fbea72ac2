//! What a caller hears, with one copy of a request and with two.

use bytes::BytesMut;

use super::*;
use crate::engine::core::testing::{Ask, Probe, Toy, ask};
use crate::error::Sent;
use crate::outbox::Outbox;
use crate::protocol::{Decoded, Encoded, Treatment};

struct Nothing;

impl Protocol for Nothing {
    type Request = u8;
    type Reply = Arc<()>;

    fn treatment(_: &u8) -> Treatment {
        Treatment {
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

fn handed_in() -> (Caller<Nothing>, Ticket<Nothing>) {
    let mut caller = Caller::new(7, Instant::now());
    let order = *caller.order();
    let ticket = caller.hand_in(order, Waker::noop()).unwrap();
    (caller, ticket)
}

fn poll(caller: &mut Caller<Nothing>) -> Poll<Outcome<Nothing>> {
    caller.poll(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn a_request_that_is_lost_may_have_been_sent() {
    let (mut caller, ticket) = handed_in();
    assert!(poll(&mut caller).is_pending());
    drop(ticket);
    let Poll::Ready(Outcome::Done(Err(error))) = poll(&mut caller) else {
        panic!("not told");
    };
    assert_eq!((error.kind(), error.sent()), (Kind::Closed, Sent::Part));
}

#[test]
fn of_two_copies_the_first_reply_counts_and_the_last_failure() {
    let failure = |text: &'static str| Error::new(Kind::Closed, text);
    let (mut caller, mut ticket) = handed_in();
    let copy = ticket.hedge().unwrap();
    assert!(ticket.hedge().is_none());
    ticket.fail(&failure("first"));
    assert!(!copy.is_abandoned() && poll(&mut caller).is_pending());
    copy.end(&failure("second"));
    let Poll::Ready(Outcome::Done(Err(error))) = poll(&mut caller) else {
        panic!("not told");
    };
    assert_eq!(error.to_string(), failure("second").to_string());

    // The copy has not been sent, but the request has.
    let (mut caller, mut ticket) = handed_in();
    let mut copy = ticket.hedge().unwrap();
    ticket.end(&failure("first").with_sent(Sent::All));
    copy.fail(&failure("second"));
    let Poll::Ready(Outcome::Done(Err(error))) = poll(&mut caller) else {
        panic!("not told");
    };
    assert!(error.may_have_been_sent());

    let (mut caller, mut ticket) = handed_in();
    let mut copy = ticket.hedge().unwrap();
    assert!(copy.reply(Arc::new(())).is_some());
    assert!(ticket.is_abandoned());
    assert!(ticket.reply(Arc::new(())).is_none());
    assert!(matches!(
        poll(&mut caller),
        Poll::Ready(Outcome::Done(Ok(_)))
    ));
}

#[test]
fn a_copy_is_copied_once_more_and_no_further() {
    let (mut caller, mut ticket) = handed_in();
    let mut first = ticket.hedge().unwrap();
    assert!(!ticket.may_hedge() && first.may_hedge());
    let mut second = first.hedge().unwrap();
    assert!(!first.may_hedge() && !second.may_hedge());
    assert!(second.hedge().is_none());
    let lost = || Error::new(Kind::Closed, "lost");
    ticket.end(&lost());
    first.end(&lost());
    assert!(poll(&mut caller).is_pending(), "one is under way still");
    assert!(second.reply(Arc::new(())).is_some());
    assert!(poll(&mut caller).is_ready());
}

#[test]
fn a_reply_goes_with_its_caller() {
    let reply = Arc::new(());
    let (caller, mut ticket) = handed_in();
    assert!(ticket.reply(reply.clone()).is_some());
    assert_eq!(Arc::strong_count(&reply), 2);
    drop(caller);
    assert_eq!(Arc::strong_count(&reply), 1);
    let (caller, mut ticket) = handed_in();
    drop(caller);
    assert!(ticket.is_abandoned());
    assert!(ticket.reply(reply.clone()).is_none());
    assert_eq!(Arc::strong_count(&reply), 1);
}

#[test]
fn what_a_copy_gives_back_can_be_handed_in_again() {
    let (mut caller, mut ticket) = handed_in();
    let copy = ticket.hedge().unwrap();
    ticket.end(&Error::new(Kind::Closed, "first"));
    copy.bounce(None);
    let Poll::Ready(Outcome::Again(history, _)) = poll(&mut caller) else {
        panic!("not given back");
    };
    let mut ticket = caller.hand_in_again(history, Waker::noop()).unwrap();
    assert!(!ticket.is_abandoned() && poll(&mut caller).is_pending());
    assert!(ticket.reply(Arc::new(())).is_some());
    assert!(poll(&mut caller).is_ready());
}

#[test]
fn wakers_are_dropped_and_woken_with_nothing_locked() {
    let probe = Probe::idle();
    let waker = probe.waker();
    let (mut caller, mut ticket) = handed_in();
    let call = caller.call.clone();
    probe.look_at(move || call.state.try_lock().is_err() || call.request.try_lock().is_err());
    assert!(caller.poll(&mut Context::from_waker(&waker)).is_pending());
    drop(waker);
    probe.assert_ran(0);
    // Polled by another task, the first is of no use any more.
    assert!(poll(&mut caller).is_pending());
    probe.assert_ran(1);
    // As is the waker of a connection that the request has left.
    ticket.watch(&Context::from_waker(&probe.waker()));
    ticket.watch(&Context::from_waker(Waker::noop()));
    probe.assert_ran(1);
    let waker = probe.waker();
    assert!(caller.poll(&mut Context::from_waker(&waker)).is_pending());
    drop(waker);
    ticket.fail(&Error::new(Kind::Closed, "it was only a test"));
    probe.assert_ran(2);
}

#[test]
fn that_a_second_copy_was_not_served_is_nothing_beside_how_the_first_failed() {
    let (mut caller, mut ticket) = handed_in();
    let mut copy = ticket.hedge().unwrap();
    let lost = Error::new(Kind::Closed, "the connection was lost");
    ticket.note_sent(Sent::All);
    ticket.end(&lost);
    copy.fail(&Error::new(Kind::WaitTimeout, "no connection became free"));
    let Poll::Ready(Outcome::Done(Err(error))) = poll(&mut caller) else {
        panic!("not told");
    };
    assert_eq!((error.kind(), error.sent()), (Kind::Closed, Sent::All));
}

#[test]
fn of_two_copies_of_what_was_handed_in_again_the_last_failure_counts() {
    let failure = |text: &'static str| Error::new(Kind::Closed, text);
    let (mut caller, ticket) = handed_in();
    ticket.bounce(None);
    let Poll::Ready(Outcome::Again(history, _)) = poll(&mut caller) else {
        panic!("not given back");
    };
    let mut ticket = caller.hand_in_again(history, Waker::noop()).unwrap();
    let copy = ticket.hedge().unwrap();
    ticket.end(&failure("first"));
    assert!(!copy.is_abandoned() && poll(&mut caller).is_pending());
    copy.end(&failure("second"));
    let Poll::Ready(Outcome::Done(Err(error))) = poll(&mut caller) else {
        panic!("not told");
    };
    assert_eq!(error.to_string(), failure("second").to_string());
}

#[test]
fn how_a_copy_failed_is_forgotten_when_the_request_is_handed_in_again() {
    let (mut caller, mut ticket) = handed_in();
    let copy = ticket.hedge().unwrap();
    ticket.end(&Error::new(Kind::Closed, "the connection was lost"));
    copy.bounce(None);
    let Poll::Ready(Outcome::Again(history, _)) = poll(&mut caller) else {
        panic!("not given back");
    };
    let ticket = caller.hand_in_again(history, Waker::noop()).unwrap();
    ticket.end(&Error::new(Kind::WaitTimeout, "no connection became free"));
    let Poll::Ready(Outcome::Done(Err(error))) = poll(&mut caller) else {
        panic!("not told");
    };
    // That it may have been sent is what its history says.
    assert_eq!(
        (error.kind(), error.sent()),
        (Kind::WaitTimeout, Sent::Part)
    );
}

/// The body of a request may be a stream that its caller waits to see dropped.
#[test]
fn what_a_request_holds_is_free_when_its_caller_hears_of_the_answer() {
    let held = Arc::new(());
    let request = Ask {
        held: Some(Box::new(held.clone())),
        ..ask()
    };
    let mut caller = Caller::<Toy>::new(request, Instant::now());
    let order = *caller.order();
    let mut ticket = caller.hand_in(order, Waker::noop()).unwrap();
    let mut input = BytesMut::from(&b"5"[..]);
    let Ok(Decoded::Reply { reply, .. }) = ticket.decode(&mut Toy, &mut input, false) else {
        panic!("no reply");
    };
    assert!(!ticket.is_untouched() && ticket.hedge().is_none());
    let again = ticket.decode(&mut Toy, &mut BytesMut::from(&b"6"[..]), false);
    assert_eq!(again.err().map(|error| error.kind()), Some(Kind::Closed));
    drop(ticket.reply(reply));
    assert!(
        Arc::strong_count(&held) == 2,
        "the caller has not heard yet"
    );
    let told = caller.poll(&mut Context::from_waker(Waker::noop()));
    assert!(matches!(told, Poll::Ready(Outcome::Done(Ok(b'5')))));
    assert_eq!(Arc::strong_count(&held), 1);
}
