//! Both ends of a body, and what is told of it.

use super::*;
use crate::engine::core::testing::Probe;

fn cx() -> Context<'static> {
    Context::from_waker(Waker::noop())
}

#[tokio::test]
async fn pieces_arrive_in_order_and_end() {
    let (tx, body) = Body::channel(Some(4), 2);
    tx.push(Bytes::from_static(b"ab"));
    assert!(tx.poll_ready(&mut cx()).is_pending());
    tx.push(Bytes::from_static(b"cd"));
    tx.finish(Ok(()));
    assert_eq!(body.bytes(4).await.unwrap(), "abcd");
    assert_eq!(tx.poll_ready(&mut cx()), Poll::Ready(false));
}

#[tokio::test]
async fn a_lost_sender_is_an_error_not_an_end() {
    let (tx, mut body) = Body::channel(None, 16);
    tx.push(Bytes::from_static(b"ab"));
    drop(tx);
    assert_eq!(body.chunk().await.unwrap().unwrap(), "ab");
    let error = body.chunk().await.unwrap().unwrap_err();
    assert_eq!(error.kind(), Kind::Closed);
    assert!(body.chunk().await.is_none());
}

#[tokio::test]
async fn one_piece_is_not_copied_and_room_for_more_is_made_once() {
    let piece = Bytes::from(vec![b'x'; 1000]);
    let (tx, body) = Body::channel(None, 2000);
    tx.push(piece.clone());
    tx.finish(Ok(()));
    assert_eq!(body.bytes(1000).await.unwrap().as_ptr(), piece.as_ptr());
    let (tx, body) = Body::channel(Some(3000), 4000);
    (0..3).for_each(|_| tx.push(piece.clone()));
    tx.finish(Ok(()));
    let all = BytesMut::from(body.bytes(3000).await.unwrap());
    assert_eq!((all.len(), all.capacity()), (3000, 3000));
}

#[tokio::test]
async fn over_the_limit_is_refused() {
    let (tx, body) = Body::channel(None, 16);
    tx.push(Bytes::from_static(b"abcdef"));
    tx.finish(Ok(()));
    assert_eq!(body.bytes(5).await.unwrap_err().kind(), Kind::Protocol);
    let whole = Body::from(Bytes::from_static(b"abc"));
    assert_eq!(whole.bytes(2).await.unwrap_err().kind(), Kind::Protocol);
}

#[tokio::test]
async fn what_is_left_counts_down() {
    let (tx, mut channel) = Body::channel(Some(5), 16);
    tx.push(Bytes::from_static(b"abc"));
    let pieces = [
        Ok(Bytes::from_static(b"abc")),
        Ok(Bytes::from_static(b"de")),
    ];
    let mut stream = Body::from_stream(Some(5), futures_util::stream::iter(pieces));
    for body in [&mut channel, &mut stream] {
        assert_eq!((body.remaining(), body.as_whole()), (Some(5), None));
        assert_eq!(body.chunk().await.unwrap().unwrap(), "abc");
        assert_eq!(body.remaining(), Some(2));
    }
    let mut whole = Body::from(Bytes::from_static(b"abc"));
    assert_eq!(whole.remaining(), Some(3));
    assert_eq!(whole.as_whole().unwrap(), "abc");
    assert_eq!(whole.chunk().await.unwrap().unwrap(), "abc");
    assert!(whole.chunk().await.is_none() && whole.remaining() == Some(0));
    assert_eq!(Body::empty().bytes(0).await.unwrap(), "");
}

#[test]
fn debug_tells_the_kind_and_what_is_left_but_no_bytes() {
    let whole = format!("{:?}", Body::from(Bytes::from_static(b"topsecret")));
    assert_eq!(whole, "Body { kind: \"Whole\", remaining: Some(9) }");
    let (_tx, body) = Body::channel(None, 16);
    assert_eq!(
        format!("{body:?}"),
        "Body { kind: \"Stream\", remaining: None }"
    );
}

#[test]
fn room_and_the_going_of_the_reader_wake_the_connection() {
    let (tx, mut body) = Body::channel(None, weight(&Bytes::from_static(b"ab")));
    let probe = Probe::idle();
    let waker = probe.waker();
    let mut driver = Context::from_waker(&waker);
    assert_eq!(tx.poll_ready(&mut driver), Poll::Ready(true));
    tx.push(Bytes::new());
    assert_eq!(tx.poll_ready(&mut driver), Poll::Ready(true));
    tx.push(Bytes::from_static(b"ab"));
    assert_eq!(tx.poll_ready(&mut driver), Poll::Pending);
    assert!(Pin::new(&mut body).poll_next(&mut cx()).is_ready());
    assert_eq!(probe.wakes(), 1);
    assert_eq!(tx.poll_ready(&mut driver), Poll::Ready(true));
    assert!(!tx.is_dropped());
    drop(body);
    assert_eq!(probe.wakes(), 2);
    assert!(tx.is_dropped());
}

#[test]
fn pieces_and_the_end_wake_the_reader() {
    let (tx, mut body) = Body::channel(None, 16);
    let probe = Probe::idle();
    let waker = probe.waker();
    let mut poll = || Pin::new(&mut body).poll_next(&mut Context::from_waker(&waker));
    assert!(poll().is_pending());
    tx.push(Bytes::from_static(b"ab"));
    assert_eq!(probe.wakes(), 1);
    assert!(poll().is_ready() && poll().is_pending());
    tx.finish(Ok(()));
    assert_eq!(probe.wakes(), 2);
    assert!(matches!(poll(), Poll::Ready(None)));
}

#[test]
fn the_wakers_of_both_ends_are_dropped_with_nothing_locked() {
    let (tx, body) = Body::channel(None, 16);
    let Form::Channel(mut rx) = body.0 else {
        unreachable!("it is a channel")
    };
    let probe = Probe::idle();
    let shared = rx.shared.clone();
    probe.look_at(move || shared.try_lock().is_err());
    let waker = probe.waker();
    assert!(rx.poll(&mut Context::from_waker(&waker)).is_pending());
    assert!(
        tx.poll_ready(&mut Context::from_waker(&probe.waker()))
            .is_ready()
    );
    drop(waker);
    // Other tasks have taken over.
    assert!(rx.poll(&mut cx()).is_pending());
    assert!(tx.poll_ready(&mut cx()).is_ready());
    probe.assert_ran(2);
    tx.push(Bytes::from_static(b"ab"));
    assert!(rx.poll(&mut cx()).is_ready());
}

#[test]
fn a_whole_body_is_taken_once_and_a_stream_is_left_alone() {
    let mut whole = Body::from(Bytes::from_static(b"ab"));
    assert_eq!(whole.take_whole().unwrap(), "ab");
    let left = (whole.remaining(), whole.take_whole());
    assert_eq!(left, (Some(0), Some(Bytes::new())));
    let (_tx, mut stream) = Body::channel(Some(4), 2);
    assert_eq!((stream.take_whole(), stream.remaining()), (None, Some(4)));
}
