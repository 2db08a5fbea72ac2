//! What goes out for a request, and what the engine is told about it.

use std::task::Waker;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;

use super::*;
use crate::http1::check::{LIMITS, origin};
use crate::http1::request::BodyError;

fn request(method: Method) -> Request {
    Request::new(method, &origin(), "/a").unwrap()
}

/// A request with a body of these pieces, of which `len` is stated.
fn streamed(len: Option<u64>, pieces: &[&'static str]) -> Request {
    let mut request = request(Method::Put);
    let pieces: Vec<_> = pieces
        .iter()
        .map(|piece| Ok(Bytes::from_static(piece.as_bytes())))
        .collect();
    request.stream(len, stream::iter(pieces));
    request
}

fn cx() -> Context<'static> {
    Context::from_waker(Waker::noop())
}

fn text(out: &Outbox) -> String {
    let bytes = out.single().expect("small pieces are joined");
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// All that goes out for a request behind its request line and the field `host`.
fn sent(mut request: Request) -> Result<String, Error> {
    let (mut http1, mut out) = (Http1::new(LIMITS), Outbox::default());
    let mut wholly = matches!(http1.encode(&mut request, &mut out), Encoded::Wholly);
    while !wholly {
        let Poll::Ready(more) = http1.poll_encode(&mut request, &mut out, &mut cx()) else {
            panic!("its body is here");
        };
        wholly = more?;
    }
    let text = text(&out);
    let head = format!(
        "{} /a HTTP/1.1\r\nhost: {}\r\n",
        request.method(),
        origin().authority()
    );
    Ok(text.strip_prefix(&head).expect(&text).to_owned())
}

#[test]
fn a_body_goes_out_in_the_frame_that_its_head_names() {
    for (method, frame) in [
        (Method::Get, "\r\n"),
        (Method::Delete, "\r\n"),
        (Method::Put, "content-length: 0\r\n\r\n"),
        (Method::Post, "content-length: 0\r\n\r\n"),
    ] {
        assert_eq!(sent(request(method)).unwrap(), frame, "{method}");
    }
    for body in ["", "x", "0123456789", &"y".repeat(1234)] {
        let mut put = request(Method::Put);
        put.body(body.to_owned());
        assert_eq!(
            sent(put).unwrap(),
            format!("content-length: {}\r\n\r\n{body}", body.len())
        );
    }
    let stated = sent(streamed(Some(5), &["ab", "", "cde"])).unwrap();
    assert_eq!(stated, "content-length: 5\r\n\r\nabcde");
    let chunked = sent(streamed(None, &["ab", "", "0123456789abcdef!"])).unwrap();
    let chunks = "2\r\nab\r\n11\r\n0123456789abcdef!\r\n0\r\n\r\n";
    assert_eq!(
        chunked,
        format!("transfer-encoding: chunked\r\n\r\n{chunks}")
    );
}

#[test]
fn a_stream_that_is_not_as_long_as_stated_fails_its_request() {
    for (len, pieces, said) in [
        (5, &["ab", "cd"][..], "ended before"),
        (1, &[], "ended before"),
        (3, &["ab", "cd"], "longer than"),
        (0, &["a"], "longer than"),
    ] {
        let error = sent(streamed(Some(len), pieces)).unwrap_err();
        assert_eq!(error.kind(), Kind::Body);
        assert!(error.to_string().contains(said), "{error}");
    }
    let mut failing = request(Method::Put);
    failing.stream(
        None,
        stream::iter([Err(BodyError::from("the disk is gone"))]),
    );
    let error = sent(failing).unwrap_err();
    assert!(error.kind() == Kind::Body && error.to_string().contains("the disk is gone"));
}

#[test]
fn what_is_large_or_may_run_once_has_its_connection_alone() {
    let with_body = |len| {
        let mut put = request(Method::Put);
        put.body(vec![0; len]);
        put
    };
    let told = |tell: fn(&mut Request)| {
        let mut get = request(Method::Get);
        tell(&mut get);
        get
    };
    for (request, repeatable, alone) in [
        (request(Method::Get), true, false),
        (request(Method::Post), false, true),
        (with_body(16_384), true, false),
        (with_body(16_385), true, true),
        (streamed(Some(1), &["a"]), false, true),
        (told(|get| get.alone(true)), true, true),
        (told(|get| get.repeatable(false)), false, true),
        (
            told(|get| get.expect_continue(Some(Duration::ZERO))),
            true,
            true,
        ),
    ] {
        let treatment = Http1::treatment(&request);
        assert_eq!(
            (treatment.repeatable, treatment.alone),
            (repeatable, alone),
            "{request:?}"
        );
    }
}

#[test]
fn a_stream_is_untouched_until_something_was_taken_from_it() {
    let mut whole = request(Method::Put);
    whole.body("x");
    assert!(Http1::is_untouched(&whole) && Http1::is_untouched(&request(Method::Get)));
    let mut stream = streamed(Some(2), &["ab"]);
    let (mut http1, mut out) = (Http1::new(LIMITS), Outbox::default());
    http1.encode(&mut stream, &mut out);
    assert!(Http1::is_untouched(&stream));
    assert!(
        http1
            .poll_encode(&mut stream, &mut out, &mut cx())
            .is_ready()
    );
    assert!(!Http1::is_untouched(&stream));
}

#[test]
fn only_what_reads_and_is_here_whole_is_sent_twice() {
    let mut get = request(Method::Get);
    get.header("x-a", "1").unwrap();
    get.body("query");
    let copy = Http1::duplicate(&get).expect("it only reads");
    assert_eq!(sent(copy).unwrap(), sent(get).unwrap());
    assert!(Http1::duplicate(&request(Method::Get)).is_some());
    assert!(Http1::duplicate(&request(Method::Put)).is_none());
    let mut stream = streamed(Some(1), &["a"]);
    stream.reads(true);
    assert!(Http1::duplicate(&stream).is_none());
}

#[test]
fn a_408_that_nobody_has_asked_for_is_a_farewell() {
    for (input, farewell) in [
        ("HTTP/1.1 408 Request Timeout\r\n", true),
        ("HTTP/1.0 408 Request Timeout\r\n", true),
        // It may still become one.
        ("HTTP/1.1 4", true),
        ("HTTP/1.1 200 OK\r\n", false),
        ("HTTP/1.0 400 Bad Request\r\n", false),
        ("HTTP/1.2 408", false),
        ("x", false),
    ] {
        assert_eq!(Http1::is_farewell(input.as_bytes()), farewell, "{input}");
    }
}

/// A PUT of "body" that asks first, its connection, and what goes out before an answer.
fn asking(silences: &Silences) -> (Http1, Request, Outbox) {
    let mut put = request(Method::Put);
    put.body("body");
    put.expect_continue(Some(Duration::from_secs(1)));
    let mut http1 = Http1::new(LIMITS).with_silences(silences.clone());
    let mut out = Outbox::default();
    assert!(matches!(http1.encode(&mut put, &mut out), Encoded::Partly));
    assert!(text(&out).ends_with("expect: 100-continue\r\ncontent-length: 4\r\n\r\n"));
    (http1, put, out)
}

#[tokio::test(start_paused = true)]
async fn a_body_that_is_held_back_follows_a_100_or_an_end_of_patience() {
    let silences = Silences::default();
    let (mut http1, mut put, mut out) = asking(&silences);
    assert!(
        http1
            .poll_encode(&mut put, &mut out, &mut cx())
            .is_pending()
    );
    let mut input = BytesMut::from("HTTP/1.1 103 x\r\n\r\n");
    assert!(matches!(
        http1.decode(&put, &mut input, false),
        Ok(Decoded::Interim)
    ));
    assert!(
        http1
            .poll_encode(&mut put, &mut out, &mut cx())
            .is_pending()
    );
    input.extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
    assert!(matches!(
        http1.decode(&put, &mut input, false),
        Ok(Decoded::Interim)
    ));
    assert!(matches!(
        http1.poll_encode(&mut put, &mut out, &mut cx()),
        Poll::Ready(Ok(true))
    ));
    assert!(text(&out).ends_with("\r\n\r\nbody"));

    // Two servers in a row that say nothing are enough, and the third request does not wait.
    for _ in 0..2 {
        let (mut http1, mut put, mut out) = asking(&silences);
        let end = std::future::poll_fn(|cx| http1.poll_encode(&mut put, &mut out, cx)).await;
        assert!(end.unwrap() && text(&out).ends_with("\r\n\r\nbody"));
    }
    let mut third = Http1::new(LIMITS).with_silences(silences);
    let mut out = Outbox::default();
    assert!(matches!(third.encode(&mut put, &mut out), Encoded::Wholly));
    assert!(text(&out).ends_with("\r\ncontent-length: 4\r\n\r\nbody"));
}

#[tokio::test(start_paused = true)]
async fn a_body_that_was_answered_before_it_went_out_stays_back() {
    let silences = Silences::default();
    silences.note(false, now());
    let (mut http1, mut put, mut out) = asking(&silences);
    let mut input = BytesMut::from("HTTP/1.1 412 x\r\ncontent-length: 0\r\n\r\n");
    assert!(matches!(
        http1.decode(&put, &mut input, false),
        Ok(Decoded::Reply { .. })
    ));
    tokio::time::advance(Duration::from_secs(2)).await;
    assert!(
        http1
            .poll_encode(&mut put, &mut out, &mut cx())
            .is_pending()
    );
    // It has answered: one more silence is the first again.
    silences.note(false, now());
    assert!(silences.may_ask(now()));
}

#[test]
fn nobody_waits_for_leave_to_send_nothing() {
    let mut put = request(Method::Put);
    put.expect_continue(Some(Duration::from_secs(1)));
    for body in [None, Some("")] {
        if let Some(body) = body {
            put.body(body);
        }
        let (mut http1, mut out) = (Http1::new(LIMITS), Outbox::default());
        assert!(matches!(http1.encode(&mut put, &mut out), Encoded::Wholly));
        assert!(!text(&out).contains("expect"));
    }
    let mut empty = streamed(Some(0), &[]);
    empty.expect_continue(Some(Duration::from_secs(1)));
    assert_eq!(sent(empty).unwrap(), "content-length: 0\r\n\r\n");
}
