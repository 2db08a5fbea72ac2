//! The rules of one connection, each by itself, with instants that a test chooses.

use std::sync::Arc;

use super::testing::*;
use super::*;
use crate::engine::core::testing::Probe;
use crate::error::Sent;

#[test]
fn an_answer_to_what_was_not_written_is_none() {
    for treatment in [READ, ONCE] {
        let mut world = OneConnection::new();
        let mut caller = world.push(MarkRequest::new(treatment));
        let cause = world.read(b".").unwrap_err();
        assert_eq!(cause.kind(), Kind::Protocol);
        assert!(heard(&mut caller).is_none());
        assert_eq!(world.close(&cause), 1, "it goes elsewhere");
        assert!(heard(&mut caller).is_none());
    }
}

#[test]
fn what_nobody_waits_for_any_more_is_not_sent() {
    let mut world = OneConnection::new();
    let mut caller = world.push_for(MarkRequest::new(ONCE), Duration::ZERO);
    assert!(world.pipeline.out.is_empty());
    assert_eq!(failure(&mut caller), (Kind::Timeout, Sent::No));
    assert_eq!(world.pipeline.done, 1);
    // It waited behind another.
    let mut first = world.push(MarkRequest::new(READ));
    world.write_all();
    let mut second = world.push_for(MarkRequest::new(ONCE), Duration::from_secs(1));
    world.pass(Duration::from_secs(1)).read(b".").unwrap();
    world.pipeline.fill(world.now);
    assert!(world.pipeline.out.is_empty());
    assert_eq!(failure(&mut second), (Kind::Timeout, Sent::No));
    assert!(heard(&mut first).unwrap().is_ok());
}

#[test]
fn nothing_is_encoded_into_a_request_that_comes_in_pieces() {
    let mut world = OneConnection::new();
    // The server has shown that it keeps the connection.
    let mut first = world.push(MarkRequest::new(READ));
    world.write_all();
    world.read(b".").unwrap();
    assert!(heard(&mut first).unwrap().is_ok());
    let pieces = MarkRequest {
        pieces: Some(true),
        ..MarkRequest::new(READ)
    };
    let _upload = world.push(pieces);
    world.write_all();
    let _behind = world.push(MarkRequest::new(READ));
    assert!(world.pipeline.out.is_empty());
    assert_eq!(world.pipeline.queued.len(), 1);
}

#[test]
fn a_request_that_cannot_be_sent_again_begins_only_with_nothing_before_it() {
    let hour = Duration::from_secs(3600);
    let mut world = OneConnection::new();
    assert!(!world.pipeline.begins_once(), "there is none");
    let _once = world.queue_for(MarkRequest::new(ONCE), hour);
    assert!(world.pipeline.begins_once());

    let mut world = OneConnection::new();
    let _read = world.queue_for(MarkRequest::new(READ), hour);
    assert!(!world.pipeline.begins_once(), "it can be sent again");
    world.pipeline.fill(world.now);
    let _once = world.queue_for(MarkRequest::new(ONCE), hour);
    assert!(!world.pipeline.begins_once(), "another is before it");
}

#[test]
fn the_wait_for_an_answer_begins_when_the_request_is_out() {
    let mut world = OneConnection::new();
    let limit = world.config.first_byte_timeout;
    let step = world.config.write_timeout - Duration::from_secs(1);
    let _caller = world.push(MarkRequest::new(READ));
    // It is written piece by piece, for longer than the first byte may take.
    for _ in 0..4 {
        world.pass(step).write(2);
        world.tick().unwrap();
    }
    assert!(
        world
            .now
            .saturating_duration_since(world.pipeline.idle_since)
            > limit
    );
    world.pass(limit - Duration::from_nanos(1)).tick().unwrap();
    let error = world.pass(Duration::from_nanos(1)).tick().unwrap_err();
    assert_eq!(
        (error.kind(), error.detail()),
        (
            Kind::Timeout,
            "the server did not answer (first_byte_timeout of the pool)"
        )
    );
}

#[test]
fn a_server_that_takes_nothing_is_given_up() {
    let mut world = OneConnection::new();
    let limit = world.config.write_timeout;
    let mut caller = world.push(MarkRequest::new(ONCE));
    world.pass(limit / 2).write(1);
    world.pass(limit - Duration::from_nanos(1)).tick().unwrap();
    let next = world.pipeline.next_timeout(world.now, &world.config);
    assert_eq!(next, Some(world.now + Duration::from_nanos(1)));
    let error = world.pass(Duration::from_nanos(1)).tick().unwrap_err();
    assert_eq!(
        (error.kind(), error.detail()),
        (
            Kind::Timeout,
            "the server took no more of the request (write_timeout of the pool)"
        )
    );
    assert_eq!(world.close(&error), 0);
    assert_eq!(failure(&mut caller), (Kind::Timeout, Sent::Part));
}

#[test]
fn a_slow_reader_is_no_stall_of_the_server() {
    let mut world = OneConnection::new();
    let limit = world.config.body_timeout;
    let mut caller = world.push(MarkRequest::new(READ));
    world.write_all();
    world.read(b"o").unwrap();
    assert!(heard(&mut caller).unwrap().is_ok());
    let cx = &mut Context::from_waker(Waker::noop());
    world.pipeline.protocol.full = true;
    for _ in 0..4 {
        world.pass(limit - Duration::from_nanos(1));
        assert!(world.pipeline.poll_ready(cx, world.now).is_pending());
        world.tick().unwrap();
    }
    // From when there is room the time is the server's.
    world.pipeline.protocol.full = false;
    world.pass(limit - Duration::from_nanos(1));
    assert!(world.pipeline.poll_ready(cx, world.now).is_ready());
    world.tick().unwrap();
    let error = world.pass(Duration::from_nanos(1)).tick().unwrap_err();
    assert_eq!(error.kind(), Kind::Timeout);
}

#[test]
fn whatever_cuts_an_open_reply_its_request_was_sent() {
    for (written, sent) in [(8, Sent::All), (3, Sent::Part)] {
        for cause in [
            lost(),
            Error::new(Kind::Timeout, "stalled"),
            Error::new(Kind::Protocol, "garbled"),
            Error::new(Kind::Shutdown, "closed"),
        ] {
            let mut world = OneConnection::new();
            let mut caller = world.push(MarkRequest::new(ONCE));
            world.write(written);
            world.read(b"o").unwrap();
            assert!(heard(&mut caller).unwrap().is_ok());
            assert_eq!(world.close(&cause), 0);
            let aborted = world.pipeline.protocol.aborted.lock().unwrap().take();
            let told = aborted.unwrap();
            assert_eq!((told.kind(), told.sent()), (cause.kind(), sent));
        }
    }
    // Without an open reply there is nobody to be told.
    let mut world = OneConnection::new();
    let _caller = world.push(MarkRequest::new(ONCE));
    world.write_all();
    world.close(&lost());
    assert!(world.pipeline.protocol.aborted.lock().unwrap().is_none());
}

#[test]
fn a_large_request_for_nobody_is_not_written_to_its_end() {
    for (len, given_up) in [(MAX_WASTED_WRITE + 1, true), (MAX_WASTED_WRITE, false)] {
        for expires in [false, true] {
            let mut world = OneConnection::new();
            let mut ask = MarkRequest::new(READ);
            ask.len = len + 100;
            let caller = world.push_for(ask, Duration::from_secs(1));
            world.write(100);
            assert!(matches!(world.encode(), Poll::Ready(Ok(()))));
            let ended = if expires {
                world.pass(Duration::from_secs(1)).tick()
            } else {
                drop(caller);
                match world.encode() {
                    Poll::Ready(ended) => ended,
                    Poll::Pending => panic!("there is nothing to encode"),
                }
            };
            let reason = ended.err().and_then(|error| error.reason());
            assert_eq!(reason, given_up.then_some(CloseReason::Caller));
        }
    }
}

#[test]
fn what_comes_in_pieces_moves_while_nothing_was_taken_or_sent() {
    for (touched, written, moved) in [(false, 0, 1), (true, 0, 0), (false, 1, 0)] {
        let mut world = OneConnection::new();
        let mut ask = MarkRequest::new(ONCE);
        ask.pieces = Some(touched);
        let mut caller = world.push(ask);
        world.write(written);
        assert!(world.encode().is_pending());
        assert_eq!(world.close(&lost()), moved);
        match moved {
            1 => assert!(heard(&mut caller).is_none()),
            _ => {
                let sent = if written > 0 { Sent::Part } else { Sent::No };
                assert_eq!(failure(&mut caller), (Kind::Closed, sent));
            }
        }
    }
}

#[test]
fn a_farewell_is_no_violation() {
    for (input, kind) in [(b"f", Kind::Closed), (b".", Kind::Protocol)] {
        let mut world = OneConnection::new();
        assert_eq!(world.read(input).unwrap_err().kind(), kind);
        // The same where a request has not left yet.
        let mut world = OneConnection::new();
        let mut caller = world.push(MarkRequest::new(ONCE));
        let cause = world.read(input).unwrap_err();
        assert_eq!((cause.kind(), world.close(&cause)), (kind, 1));
        assert!(heard(&mut caller).is_none());
    }
}

#[test]
fn a_server_is_not_late_with_what_is_still_on_its_way() {
    let mut world = OneConnection::new();
    world.pipeline.marks.late_after = Some(Duration::from_millis(40));
    let _caller = world.push(MarkRequest::new(ONCE));
    let late = Duration::from_millis(50);
    world.pass(late).write(4);
    world.pass(late);
    assert!(!world.pipeline.is_stuck(world.now));
    world.write_all();
    assert!(!world.pipeline.is_stuck(world.now));
    world.pass(late);
    assert!(world.pipeline.is_stuck(world.now));
    // Nor does the time of writing count as its own.
    world.pass(late).read(b".").unwrap();
    assert_eq!(world.pipeline.sample.latency, late * 2);
}

#[test]
fn what_is_encoded_and_not_written_may_still_be_sent_when_it_is_late() {
    let mut world = OneConnection::new();
    let mut caller = world.push_for(MarkRequest::new(READ), Duration::from_secs(1));
    assert!(!world.pipeline.out.is_empty());
    world.pass(Duration::from_secs(1)).tick().unwrap();
    assert_eq!(failure(&mut caller), (Kind::Timeout, Sent::Part));
}

#[test]
fn an_answer_for_nobody_is_not_read_for_ever() {
    let mut world = OneConnection::new();
    let limit = world.config.first_byte_timeout;
    let caller = world.push(MarkRequest::new(READ));
    world.write_all();
    drop(caller);
    let step = limit / 4;
    // The server is never silent for long.
    for _ in 0..4 {
        world.read(b"i").unwrap();
        world.pass(step - Duration::from_nanos(1)).tick().unwrap();
    }
    let left = limit - (step - Duration::from_nanos(1)) * 4;
    let next = world.pipeline.next_timeout(world.now, &world.config);
    assert_eq!(next, Some(world.now + left));
    world.read(b"i").unwrap();
    let error = world.pass(left).tick().unwrap_err();
    assert_eq!(
        (error.kind(), error.detail()),
        (
            Kind::Timeout,
            "an answer that nobody waits for came too slowly"
        )
    );
}

#[test]
fn an_answer_for_nobody_takes_no_time_from_the_next() {
    let mut world = OneConnection::new();
    let limit = world.config.first_byte_timeout;
    let caller = world.push(MarkRequest::new(READ));
    world.write_all();
    drop(caller);
    world.read(b".").unwrap();
    world.pass(Duration::from_secs(1));
    let mut caller = world.push(MarkRequest::new(READ));
    world.write_all();
    world.pass(limit - Duration::from_nanos(1)).tick().unwrap();
    world.read(b".").unwrap();
    assert!(heard(&mut caller).unwrap().is_ok());
}

#[test]
fn a_caller_that_panics_when_it_is_woken_keeps_no_other_from_its_reply() {
    struct BadWaker;

    impl std::task::Wake for BadWaker {
        fn wake(self: Arc<Self>) {
            panic!("a bad waker");
        }
    }

    for ends in [false, true] {
        let mut world = OneConnection::new();
        let first = world.push(MarkRequest::new(READ));
        world.write_all();
        world.read(b".").unwrap();
        drop(first);
        let (mut bad, mut good) = (
            world.push(MarkRequest::new(READ)),
            world.push(MarkRequest::new(READ)),
        );
        world.write_all();
        let probe = Probe::idle();
        for (caller, waker) in [
            (&mut bad, Arc::new(BadWaker).into()),
            (&mut good, probe.waker()),
        ] {
            let waiting = caller.poll(&mut Context::from_waker(&waker)).is_pending();
            assert!(waiting);
        }
        if ends {
            let told = world.read(b"..?");
            assert!(told.is_err());
            world.close(&lost());
        } else {
            world.read(b"..").unwrap();
            world.pipeline.wake_told();
        }
        assert_eq!(probe.wakes(), 1, "{ends}");
        assert!(heard(&mut good).unwrap().is_ok());
    }
}

#[test]
fn what_may_not_be_sent_a_second_time_yet_is_looked_at_again() {
    let mut world = OneConnection::new();
    let limit = Duration::from_millis(40);
    let first = world.push(MarkRequest::new(READ));
    world.write_all();
    world.read(b".").unwrap();
    world.pipeline.marks.late_after = Some(limit);
    let _callers = [0; 3].map(|_| world.push(MarkRequest::new(READ)));
    world.write_all();
    world.pass(limit);
    let config = world.config.clone();
    assert!(world.pipeline.report(false, world.now).0.stuck);
    assert_eq!(world.pipeline.hedge(1, world.now).len(), 1);
    let again = world.now + HEDGE_PAUSE;
    assert_eq!(world.pipeline.next_timeout(world.now, &config), Some(again));
    assert_eq!(world.pipeline.take_soonest(&config), Some(world.now));
    world.pass(HEDGE_PAUSE);
    assert_eq!(world.pipeline.hedge(9, world.now).len(), 2);
    // All of them are under way elsewhere, and nothing is left to be looked at.
    let soon = world.now + HEDGE_PAUSE;
    let next = world.pipeline.next_timeout(world.now, &config);
    assert!(next.is_some_and(|next| next > soon));
    drop(first);
}
