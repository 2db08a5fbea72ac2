//! Drives the codec as the engine does, over bytes cut anywhere, and asserts what must always
//! hold; for the tests and the fuzz targets.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use bytes::{Bytes, BytesMut};
use futures_core::Stream;

use crate::http1::body::Body;
use crate::http1::codec::Http1;
use crate::http1::decode::Limits;
use crate::http1::request::{Method, Request};
use crate::http1::response::Response;
use crate::origin::Origin;
use crate::outbox::Outbox;
use crate::protocol::{Decoded, Encoded, Protocol};

/// Small, so that short inputs reach them.
pub(crate) const LIMITS: Limits = Limits {
    head: 1024,
    whole: 64,
    window: 128,
    drain: 64,
};

/// One answer as its caller sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) fields: Vec<(String, Vec<u8>)>,
    pub(crate) body: Vec<u8>,
    pub(crate) streamed: bool,
    /// Whether the body came to its end.
    pub(crate) complete: bool,
}

/// What one connection brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) answers: Vec<Answer>,
    /// Whether the connection could be used further after the last answer.
    pub(crate) reusable: bool,
    /// Whether it ended by a violation, or within an answer.
    pub(crate) failed: bool,
    /// Bytes that were left behind the last answer.
    pub(crate) left: usize,
}

pub(crate) fn origin() -> Origin {
    Origin::new(false, "h", 80).expect("an origin")
}

/// Reads the answers to requests of these methods from `wire`, cut into pieces of these lengths
/// (the last cut is followed by all the rest), and then the end of the connection.
pub(crate) fn run(
    methods: &[Method],
    wire: &[u8],
    cuts: impl IntoIterator<Item = usize>,
    limits: Limits,
) -> Run {
    let mut reading = Reading {
        http1: Http1::new(limits),
        input: BytesMut::new(),
        limits,
        open: None,
        run: Run {
            answers: Vec::new(),
            reusable: true,
            failed: false,
            left: 0,
        },
    };
    let mut rest = wire;
    let mut cuts = cuts.into_iter();
    let mut requests = methods
        .iter()
        .map(|&method| Request::new(method, &origin(), "/").expect("a request"));
    let Some(mut request) = requests.next() else {
        return reading.run;
    };
    loop {
        let n = cuts
            .next()
            .map_or(rest.len(), |n| n.clamp(1, rest.len().max(1)));
        let (piece, tail) = rest.split_at(n.min(rest.len()));
        rest = tail;
        reading.input.extend_from_slice(piece);
        let eof = piece.is_empty();
        while !reading.run.failed && reading.step(&request, eof) {
            match requests.next() {
                Some(next) if reading.run.reusable => request = next,
                _ => {
                    reading.run.left = reading.input.len() + rest.len();
                    return reading.run;
                }
            }
        }
        if reading.run.failed || eof {
            // As the engine does with what is under way.
            reading.run.failed = true;
            reading.run.reusable = false;
            reading.drain();
            return reading.run;
        }
    }
}

struct Reading {
    http1: Http1,
    input: BytesMut,
    limits: Limits,
    open: Option<Body>,
    run: Run,
}

impl Reading {
    /// Decodes until the answer to this request is complete (`true`), has failed, or needs more.
    fn step(&mut self, request: &Request, eof: bool) -> bool {
        loop {
            let before = self.input.len();
            let decoded = self.http1.decode(request, &mut self.input, eof);
            let used = before - self.input.len();
            match decoded {
                Err(_) => {
                    self.run.failed = true;
                    return false;
                }
                Ok(Decoded::More) => {
                    self.drain();
                    let held = self.limits.head.max(self.limits.whole).max(16 * 1024);
                    assert!(self.input.len() <= held, "holds {} bytes", self.input.len());
                    assert!(self.input.capacity() <= 4 * held + before);
                    return false;
                }
                Ok(Decoded::Interim) => assert!(used > 0, "an interim answer of no bytes"),
                Ok(Decoded::Reply { reply, reusable }) => {
                    assert!(self.open.is_none());
                    let body = reply.body().as_whole().expect("a whole body").clone();
                    assert!(body.len() <= self.limits.whole);
                    self.answer(&reply, body.to_vec(), false);
                    self.run.reusable = reusable;
                    return true;
                }
                Ok(Decoded::Open(reply)) => {
                    assert!(self.open.is_none());
                    assert!(self.http1.is_amid());
                    self.answer(&reply, Vec::new(), true);
                    self.open = Some(reply.into_parts().1);
                }
                Ok(Decoded::End { reusable }) => {
                    self.drain();
                    let answer = self.run.answers.last().expect("an answer");
                    assert!(answer.complete && answer.streamed);
                    assert!(self.open.take().is_some() && !self.http1.is_amid());
                    self.run.reusable = reusable;
                    return true;
                }
            }
        }
    }

    fn answer(&mut self, reply: &Response, body: Vec<u8>, streamed: bool) {
        let fields = reply
            .head()
            .headers()
            .map(|(name, value)| {
                assert!(!value.iter().any(|b| matches!(b, b'\r' | b'\n' | 0)));
                (name.to_owned(), value.to_vec())
            })
            .collect();
        assert!((200..1000).contains(&reply.status()));
        self.run.answers.push(Answer {
            status: reply.status(),
            fields,
            body,
            streamed,
            complete: !streamed,
        });
    }

    /// Reads what has come of an open body.
    fn drain(&mut self) {
        let Some(body) = &mut self.open else {
            return;
        };
        let Some(answer) = self.run.answers.last_mut() else {
            return;
        };
        let mut cx = Context::from_waker(Waker::noop());
        loop {
            match Pin::new(&mut *body).poll_next(&mut cx) {
                Poll::Ready(Some(Ok(piece))) => answer.body.extend_from_slice(&piece),
                Poll::Ready(None) => {
                    answer.complete = true;
                    break;
                }
                Poll::Ready(Some(Err(_))) | Poll::Pending => break,
            }
        }
        // Whoever has read all that waits leaves room for more.
        assert_eq!(
            self.http1.poll_ready(&mut cx).map(|r| r.is_ok()),
            Poll::Ready(true)
        );
    }
}

/// The bytes of this request, streamed bodies included.
pub(crate) fn encode(request: &mut Request) -> Vec<u8> {
    let mut http1 = Http1::new(LIMITS);
    let mut out = Outbox::default();
    let mut cx = Context::from_waker(Waker::noop());
    if http1.encode(request, &mut out) == Encoded::Partly {
        loop {
            match http1.poll_encode(request, &mut out, &mut cx) {
                Poll::Ready(Ok(true)) => break,
                Poll::Ready(Ok(false)) => {}
                other => panic!("{other:?}"),
            }
        }
    }
    let mut bytes = Vec::new();
    while !out.is_empty() {
        let mut slices = [std::io::IoSlice::new(&[]); 3];
        let n = out.slices(&mut slices);
        let start = bytes.len();
        for slice in &slices[..n] {
            bytes.extend_from_slice(slice);
        }
        let taken = bytes.len() - start;
        out.wrote(taken);
    }
    bytes
}

/// A request read back by the plainest code that can: line by line, with nothing shared.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Plain {
    pub(crate) line: String,
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

pub(crate) fn plain(bytes: &[u8]) -> Plain {
    let mut at = 0;
    let mut lines = Vec::new();
    while lines.last().is_none_or(|line: &String| !line.is_empty()) {
        let from = at;
        while bytes[at] != b'\n' {
            at += 1;
        }
        at += 1;
        let line = bytes[from..at]
            .strip_suffix(b"\r\n")
            .expect("a line ends with CRLF");
        assert!(!line.iter().any(|b| matches!(b, b'\r' | b'\n' | 0)));
        lines.push(String::from_utf8(line.to_vec()).expect("text"));
    }
    lines.pop();
    let fields: Vec<(String, String)> = lines[1..]
        .iter()
        .map(|line| {
            let (name, value) = line.split_once(':').expect("a field has a colon");
            (name.to_owned(), value.trim_matches([' ', '\t']).to_owned())
        })
        .collect();
    let all = |name: &str| -> Vec<&str> {
        let same = fields.iter().filter(|(n, _)| n.eq_ignore_ascii_case(name));
        same.map(|(_, value)| value.as_str()).collect()
    };
    assert_eq!(all("host").len(), 1);
    let rest = &bytes[at..];
    let body = match (&all("content-length")[..], &all("transfer-encoding")[..]) {
        ([], []) => {
            assert!(rest.is_empty(), "a body without framing");
            Vec::new()
        }
        ([n], []) => {
            assert_eq!(n.parse::<usize>().expect("a number"), rest.len());
            rest.to_vec()
        }
        ([], ["chunked"]) => unchunk(rest),
        other => panic!("framed as {other:?}"),
    };
    Plain {
        line: lines.swap_remove(0),
        fields,
        body,
    }
}

fn unchunk(mut rest: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    loop {
        let end = rest.windows(2).position(|w| w == b"\r\n").expect("a size");
        let digits = std::str::from_utf8(&rest[..end]).expect("digits");
        let n = usize::from_str_radix(digits, 16).expect("a size");
        rest = &rest[end + 2..];
        body.extend_from_slice(&rest[..n]);
        assert_eq!(&rest[n..n + 2], b"\r\n");
        rest = &rest[n + 2..];
        if n == 0 {
            assert!(rest.is_empty());
            return body;
        }
    }
}

/// Any bytes, as the answers to up to eight requests: however they are cut, the callers see the
/// same, and no more than was sent.
pub fn response(data: &[u8]) {
    let [methods, cut, wire @ ..] = data else {
        return;
    };
    let methods: Vec<Method> = (0..8)
        .map(|i| match (methods >> i) & 1 {
            0 => Method::Get,
            _ => Method::Head,
        })
        .collect();
    let whole = run(&methods, wire, [], LIMITS);
    let seen: usize = whole.answers.iter().map(|a| a.body.len()).sum();
    assert!(seen + whole.left <= wire.len());
    let bytewise = run(&methods, wire, std::iter::repeat_n(1, wire.len()), LIMITS);
    assert_eq!(whole, bytewise);
    let two = run(&methods, wire, [usize::from(*cut)], LIMITS);
    assert_eq!(whole, two);
    // Larger limits can only let more through.
    let limits = Limits {
        head: 64 * 1024,
        whole: 64 * 1024,
        ..LIMITS
    };
    let large = run(&methods, wire, [], limits);
    for (i, a) in whole.answers.iter().enumerate().filter(|(_, a)| a.complete) {
        let b = &large.answers[i];
        assert_eq!(
            (a.status, &a.fields, &a.body),
            (b.status, &b.fields, &b.body)
        );
    }
}

/// Any bytes, as the parts of a request: what is not refused is read back as it was put in.
pub fn request(data: &[u8]) {
    let [method, rest @ ..] = data else {
        return;
    };
    let method = match method % 6 {
        0 => Method::Get,
        1 => Method::Head,
        2 => Method::Put,
        3 => Method::Post,
        4 => Method::Delete,
        _ => Method::Options,
    };
    let text = String::from_utf8_lossy(rest);
    // Split by a character that a fuzzer finds, and that may stand in none of the parts.
    let mut parts = text.split('\u{1}');
    let target = parts.next().unwrap_or_default();
    let Ok(mut request) = Request::new(method, &origin(), target) else {
        return;
    };
    let mut expected = vec![("host".to_owned(), "h".to_owned())];
    let body = parts.next().unwrap_or_default().as_bytes().to_vec();
    while let (Some(name), Some(value)) = (parts.next(), parts.next()) {
        if request.header(name, value).is_ok() {
            expected.push((name.to_owned(), value.trim_matches([' ', '\t']).to_owned()));
        }
    }
    assert_eq!(request.target(), target);
    if !body.is_empty() {
        request.body(Bytes::from(body.clone()));
    }
    let read = plain(&encode(&mut request));
    assert_eq!(read.line, format!("{method} {target} HTTP/1.1"));
    assert_eq!(read.fields[..expected.len()], expected[..]);
    assert_eq!(read.body, body);
}
