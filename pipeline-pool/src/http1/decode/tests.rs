//! Answers of every framing, cut anywhere.

use std::pin::Pin;

use futures_core::Stream;

use super::*;
use crate::http1::check::{LIMITS, Run, run};

const GET: &[Method] = &[Method::Get];
const PAIR: &[Method] = &[Method::Get, Method::Get];
const OK: &str = "HTTP/1.1 200 OK\r\n";
const NEXT: &str = "HTTP/1.1 206 x\r\ncontent-length: 1\r\n\r\nz";

/// The same, whole and byte by byte.
fn read(methods: &[Method], wire: &str) -> Run {
    let whole = run(methods, wire.as_bytes(), [], LIMITS);
    let bytewise = run(methods, wire.as_bytes(), vec![1; wire.len()], LIMITS);
    assert_eq!(whole, bytewise, "{wire:?}");
    whole
}

fn bodies(run: &Run) -> Vec<&str> {
    run.answers
        .iter()
        .map(|a| std::str::from_utf8(&a.body).unwrap())
        .collect()
}

#[test]
fn answers_without_a_body_end_with_their_head() {
    let head = &[Method::Head, Method::Get];
    for (methods, start) in [
        (head, "200 OK\r\ncontent-length: 100"),
        (head, "200 OK\r\ntransfer-encoding: chunked"),
        (head, "200 OK\r\na: b"),
        (head, "404 x\r\ncontent-length: 999999999999"),
        (&[Method::Get; 2], "304 x\r\ncontent-length: 100"),
        (&[Method::Get; 2], "304 x\r\ntransfer-encoding: chunked"),
        (&[Method::Get; 2], "204 x\r\na: b"),
        (&[Method::Delete, Method::Get], "204 x\r\ncontent-length: 0"),
        (&[Method::Get; 2], "205 x\r\ncontent-length: 0"),
        (
            &[Method::Get; 2],
            "205 x\r\ntransfer-encoding: chunked\r\n\r\n0",
        ),
    ] {
        let got = read(methods, &format!("HTTP/1.1 {start}\r\n\r\n{NEXT}"));
        assert!(got.reusable && !got.failed, "{start}");
        assert_eq!(bodies(&got), ["", "z"], "{start}");
    }
}

#[test]
fn what_may_not_be_followed_ends_the_connection() {
    for start in [
        "1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nhi",
        "1.1 200 OK\r\nConnection: x, CLOSE\r\ncontent-length: 2\r\n\r\nhi",
        "1.1 200 OK\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
        "1.0 200 OK\r\ncontent-length: 2\r\n\r\nhi",
        "1.0 200 OK\r\nconnection: keep-alive, close\r\ncontent-length: 2\r\n\r\nhi",
        "1.1 700 OK\r\ncontent-length: 2\r\n\r\nhi",
    ] {
        let got = read(PAIR, &format!("HTTP/{start}{NEXT}"));
        assert!(!got.reusable && !got.failed, "{start}");
        assert_eq!(
            (bodies(&got), got.left),
            (vec!["hi"], NEXT.len()),
            "{start}"
        );
    }
    // A body that should not be there is not taken for the next answer.
    for start in [
        "204 x\r\ncontent-length: 41\r\n\r\n",
        "204 x\r\ntransfer-encoding: chunked\r\n\r\n29\r\n",
    ] {
        let got = read(PAIR, &format!("HTTP/1.1 {start}{NEXT}"));
        assert!(!got.reusable && !got.failed);
        assert_eq!(bodies(&got), [""]);
    }
    let got = read(
        PAIR,
        &format!("HTTP/1.0 200 x\r\nconnection: keep-alive\r\ncontent-length: 0\r\n\r\n{NEXT}"),
    );
    assert!(got.reusable);
    assert_eq!(bodies(&got), ["", "z"]);
}

#[test]
fn without_a_length_it_ends_with_the_connection() {
    for version in ["1.0 200 OK\r\nconnection: keep-alive", "1.1 200 OK\r\na: b"] {
        for n in [0, 1, 64, 65, 300] {
            let body = "x".repeat(n);
            let got = read(PAIR, &format!("HTTP/{version}\r\n\r\n{body}"));
            assert!(!got.reusable && !got.failed);
            assert_eq!(bodies(&got), [body]);
            assert_eq!(got.answers[0].streamed, n > LIMITS.whole);
        }
    }
}

#[test]
fn interim_answers_are_passed_over_up_to_a_limit() {
    let interim = |n| "HTTP/1.1 103 x\r\nlink: y\r\n\r\n".repeat(n);
    let most = usize::from(MAX_INTERIM);
    let got = read(PAIR, &format!("{0}{NEXT}{0}{NEXT}", interim(most)));
    assert_eq!(bodies(&got), ["z", "z"]);
    assert!(read(GET, &format!("{}{NEXT}", interim(most + 1))).failed);
    let got = read(GET, &format!("HTTP/1.1 101 x\r\nupgrade: y\r\n\r\n{NEXT}"));
    assert!(got.failed && got.answers.is_empty());
    // RFC 9112, 6.3: it ends at its empty line, whatever its fields say.
    for (start, reusable) in [
        ("100 x\r\ncontent-length: 0", true),
        ("100 x\r\ncontent-length: 5", false),
        ("103 x\r\ntransfer-encoding: chunked", false),
    ] {
        let got = read(PAIR, &format!("HTTP/1.1 {start}\r\n\r\n{NEXT}{NEXT}"));
        let expected = if reusable { &["z", "z"][..] } else { &["z"] };
        assert!(!got.failed, "{start}");
        assert_eq!(
            (bodies(&got), got.reusable),
            (expected.to_vec(), reusable),
            "{start}"
        );
        // A body that comes all the same is no answer.
        let got = read(GET, &format!("HTTP/1.1 {start}\r\n\r\nhello{NEXT}"));
        assert!(got.failed && got.answers.is_empty(), "{start}");
    }
    // One alone is no answer.
    assert!(read(GET, &interim(1)).failed);
}

#[test]
fn size_decides_between_whole_and_streamed() {
    for n in [63, 64, 65, 500] {
        let body = "x".repeat(n);
        let chunks: String = body.chars().map(|c| format!("1\r\n{c}\r\n")).collect();
        for wire in [
            format!("{OK}content-length: {n}\r\n\r\n{body}{NEXT}"),
            format!("{OK}transfer-encoding: chunked\r\n\r\n{n:x}\r\n{body}\r\n0\r\n\r\n{NEXT}"),
            format!("{OK}transfer-encoding: chunked\r\n\r\n{chunks}0\r\n\r\n{NEXT}"),
        ] {
            let got = read(PAIR, &wire);
            assert_eq!(bodies(&got), [&body, "z"]);
            assert_eq!(got.answers[0].streamed, n > LIMITS.whole);
        }
    }
}

#[test]
fn an_end_within_an_answer_is_no_answer() {
    for wire in [
        format!("{OK}content-length: 5\r\n\r\nhello"),
        format!("{OK}transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\na: b\r\n\r\n"),
        format!("{OK}content-length: 70\r\n\r\n{}", "x".repeat(70)),
    ] {
        for end in 0..wire.len() {
            let got = read(GET, &wire[..end]);
            assert!(
                got.failed && got.answers.iter().all(|a| !a.complete),
                "{end}: {wire}"
            );
        }
        assert!(read(GET, &wire).reusable);
    }
}

fn decode(decoder: &mut Decoder, wire: &[u8]) -> Result<Decoded<Response>, Error> {
    decoder.decode(Method::Get, &mut BytesMut::from(wire), false)
}

#[test]
fn a_reader_that_has_gone_is_followed_to_a_limit() {
    let cx = &mut Context::from_waker(std::task::Waker::noop());
    let drain = LIMITS.drain;
    for (length, kept) in [(drain, false), (drain, true)] {
        let mut decoder = Decoder::new(LIMITS);
        let extra = usize::from(!kept);
        let head = format!("{OK}content-length: {}\r\n\r\n", 100 + length + extra);
        let Ok(Decoded::Open(reply)) = decode(&mut decoder, head.as_bytes()) else {
            panic!("it opens");
        };
        assert!(matches!(
            decode(&mut decoder, &[b'x'; 100]),
            Ok(Decoded::More)
        ));
        drop(reply);
        let ready = decoder.poll_ready(cx).map(|r| r.is_ok());
        assert_eq!(ready, Poll::Ready(kept));
        let rest = vec![b'x'; length + extra];
        let ended = matches!(
            decode(&mut decoder, &rest),
            Ok(Decoded::End { reusable: true })
        );
        assert_eq!(ended, kept);
    }
    let mut decoder = Decoder::new(LIMITS);
    let head = format!(
        "{OK}transfer-encoding: chunked\r\n\r\n50\r\n{}\r\n",
        "x".repeat(80)
    );
    let mut input = BytesMut::from(head.as_bytes());
    let opened = decoder.decode(Method::Get, &mut input, false);
    assert!(matches!(opened, Ok(Decoded::Open(_))));
    drop(opened);
    let chunk = b"10\r\n0123456789abcdef\r\n";
    let mut read = 0;
    input.extend_from_slice(&chunk.repeat(100));
    while decoder.decode(Method::Get, &mut input, false).is_ok() {
        read += 1;
    }
    assert_eq!(read, 0);
    assert!(decoder.drained > drain && decoder.drained <= drain + 16);
}

#[test]
fn a_body_under_way_fails_with_its_connection() {
    let mut decoder = Decoder::new(LIMITS);
    decoder.abort(&Error::new(Kind::Closed, "there is no body to fail"));
    let head = format!("{OK}content-length: 100\r\n\r\nhello");
    let mut input = BytesMut::from(head.as_bytes());
    let Ok(Decoded::Open(mut reply)) = decoder.decode(Method::Get, &mut input, false) else {
        panic!("it opens");
    };
    assert!(matches!(
        decoder.decode(Method::Get, &mut input, false),
        Ok(Decoded::More)
    ));
    assert!(decoder.is_amid() && !decoder.is_deserted());
    decoder.abort(&Error::new(Kind::Timeout, "it took too long"));
    let cx = &mut Context::from_waker(std::task::Waker::noop());
    let mut next = || match Pin::new(reply.body_mut()).poll_next(cx) {
        Poll::Ready(next) => next,
        Poll::Pending => panic!("nothing more comes"),
    };
    assert_eq!(next().unwrap().unwrap(), "hello");
    let error = next().unwrap().unwrap_err();
    assert_eq!(error.kind(), Kind::Timeout);
    assert!(error.may_have_been_sent());
    assert!(next().is_none());
}

#[test]
fn what_waits_for_a_slow_reader_is_bounded() {
    let cx = &mut Context::from_waker(std::task::Waker::noop());
    let mut decoder = Decoder::new(LIMITS);
    let head = format!(
        "{OK}transfer-encoding: chunked\r\n\r\n41\r\n{}\r\n",
        "x".repeat(65)
    );
    let mut input = BytesMut::from(head.as_bytes());
    let Ok(Decoded::Open(_reply)) = decoder.decode(Method::Get, &mut input, false) else {
        panic!("it opens");
    };
    // Chunks of one byte weigh more than their byte.
    let mut chunks = 0;
    while decoder.poll_ready(cx).is_ready() {
        chunks += 1;
        assert!(matches!(
            decode(&mut decoder, b"1\r\nx\r\n"),
            Ok(Decoded::More)
        ));
    }
    assert!(chunks <= LIMITS.window / 64);
}

#[test]
fn an_announced_length_takes_no_memory_before_its_bytes_come() {
    let limits = Limits {
        whole: usize::MAX,
        ..LIMITS
    };
    let mut decoder = Decoder::new(limits);
    let length = 1_u64 << 40;
    let head = format!("{OK}content-length: {length}\r\n\r\n");
    let mut input = BytesMut::from(head.as_bytes());
    for _ in 0..64 {
        let more = decoder.decode(Method::Get, &mut input, false);
        assert!(matches!(more, Ok(Decoded::More)));
        assert!(input.capacity() <= 4 * (input.len() + MAX_RESERVED_BODY));
        input.extend_from_slice(&[b'x'; 64 * 1024]);
    }
}
