//! Reading answers: strict framing, small bodies whole, large ones as a stream.

use std::task::{Context, Poll};

use bytes::{Buf, Bytes, BytesMut};

use super::body::{Body, Sender};
use super::chunked::{Chunked, Piece};
use super::head::{Heads, violation};
use super::request::Method;
use super::response::{Head, Response};
use crate::error::{Error, Kind};
use crate::event::CloseReason;
use crate::protocol::Decoded;

/// Interim answers that one request may get.
const MAX_INTERIM: u8 = 32;

/// What an answer may measure; set by the pool's builder.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Bytes of a head, status line and fields together.
    pub(crate) head: usize,
    /// Bytes up to which a body is handed out whole.
    pub(crate) whole: usize,
    /// Bytes of a streamed body that wait for their reader.
    pub(crate) window: usize,
    /// Bytes that are read and thrown away to keep a connection whose reader has gone.
    pub(crate) drain: usize,
}

enum State {
    Head,
    /// A small body of known length, to be handed out whole.
    Whole(Head, usize),
    /// A large body of known length.
    Length(u64),
    Chunked(Chunked, Sink),
    UntilClose(Sink),
}

/// Where the pieces of a body of unknown length go: a heap until it is clear that it is large.
enum Sink {
    Heap(Head, Heap),
    Stream,
}

/// Pieces joined; one that stays alone is not copied.
#[derive(Default)]
struct Heap {
    first: Bytes,
    /// When there is more than one piece: all of them.
    all: BytesMut,
}

impl Heap {
    fn len(&self) -> usize {
        self.first.len().max(self.all.len())
    }

    fn push(&mut self, piece: Bytes) {
        if self.len() == 0 {
            self.first = piece;
            return;
        }
        let first = std::mem::take(&mut self.first);
        self.all.extend_from_slice(&first);
        self.all.extend_from_slice(&piece);
    }

    fn into_bytes(self) -> Bytes {
        if self.all.is_empty() {
            self.first
        } else {
            self.all.freeze()
        }
    }
}

/// Reads one answer after another.
pub(crate) struct Decoder {
    limits: Limits,
    state: State,
    reusable: bool,
    sender: Option<Sender>,
    heads: Heads,
    interim: u8,
    /// Whether the server has said that the body may come.
    continued: bool,
    /// Bytes thrown away since the reader of the open body went away.
    drained: usize,
}

impl Decoder {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            limits,
            state: State::Head,
            reusable: true,
            sender: None,
            heads: Heads::default(),
            interim: 0,
            continued: false,
            drained: 0,
        }
    }

    pub(crate) fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let Some(sender) = &self.sender else {
            return Poll::Ready(Ok(()));
        };
        match sender.poll_ready(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(true) => Poll::Ready(Ok(())),
            Poll::Ready(false) => match self.state {
                State::Length(left) if left > self.limits.drain as u64 => {
                    Poll::Ready(Err(abandoned()))
                }
                _ => Poll::Ready(Ok(())),
            },
        }
    }

    /// Whether a 100 has come since this was last asked.
    pub(crate) fn take_continued(&mut self) -> bool {
        std::mem::take(&mut self.continued)
    }

    pub(crate) fn is_amid(&self) -> bool {
        !matches!(self.state, State::Head)
    }

    pub(crate) fn abort(&mut self, cause: &Error) {
        if let Some(sender) = self.sender.take() {
            sender.finish(Err(cause.clone()));
        }
    }

    pub(crate) fn decode(
        &mut self,
        method: Method,
        input: &mut BytesMut,
        eof: bool,
    ) -> Result<Decoded<Response>, Error> {
        loop {
            match &mut self.state {
                State::Head => match self.head(method, input)? {
                    Some(decoded) => return Ok(decoded),
                    None => continue,
                },
                State::Whole(_, len) => {
                    let len = *len;
                    if input.len() < len {
                        input.reserve(len - input.len());
                        return Ok(Decoded::More);
                    }
                    let body = input.split_to(len).freeze();
                    let State::Whole(head, _) = std::mem::replace(&mut self.state, State::Head)
                    else {
                        continue;
                    };
                    return Ok(self.whole(head, body));
                }
                State::Length(left) => {
                    let n = (*left).min(input.len() as u64) as usize;
                    *left -= n as u64;
                    let ended = *left == 0;
                    if n > 0 {
                        let piece = input.split_to(n).freeze();
                        self.push(piece)?;
                    }
                    return Ok(if ended { self.end() } else { Decoded::More });
                }
                State::Chunked(chunked, _) => match chunked.next(input)? {
                    None => return Ok(Decoded::More),
                    Some(Piece::Data(piece)) => {
                        if let Some(decoded) = self.sink(piece)? {
                            return Ok(decoded);
                        }
                    }
                    Some(Piece::End) => return Ok(self.finish_sink()),
                },
                State::UntilClose(_) => {
                    if !input.is_empty() {
                        let piece = input.split().freeze();
                        if let Some(decoded) = self.sink(piece)? {
                            return Ok(decoded);
                        }
                    } else if eof {
                        return Ok(self.finish_sink());
                    } else {
                        return Ok(Decoded::More);
                    }
                }
            }
        }
    }

    /// Reads a head; nothing when a body follows it that must be looked at.
    fn head(
        &mut self,
        method: Method,
        input: &mut BytesMut,
    ) -> Result<Option<Decoded<Response>>, Error> {
        let Some(parsed) = self.heads.next(input, self.limits.head)? else {
            return Ok(Some(Decoded::More));
        };
        let status = parsed.status;
        if (100..200).contains(&status) {
            self.interim += 1;
            if status == 101 || self.interim > MAX_INTERIM {
                return Err(violation("an interim answer that was not asked for"));
            }
            if parsed.chunked || parsed.length.is_some() {
                return Err(violation("an interim answer with a body"));
            }
            self.continued |= status == 100;
            input.advance(parsed.end);
            return Ok(Some(Decoded::Interim));
        }
        self.interim = 0;
        self.reusable = !parsed.close && (!parsed.http10 || parsed.keep_alive);
        let mut fields = input.split_to(parsed.end);
        fields.truncate(parsed.end - 2);
        fields.advance(parsed.fields);
        let head = Head {
            status,
            fields: fields.freeze(),
        };
        if status == 204 && (parsed.chunked || parsed.length.is_some_and(|n| n > 0)) {
            // RFC 9112, 6.3: there is no body, but a server that announces one may send one.
            self.reusable = false;
        }
        if method == Method::Head || status == 204 || status == 304 {
            return Ok(Some(self.whole(head, Bytes::new())));
        }
        if parsed.chunked {
            self.state = State::Chunked(Chunked::new(), Sink::Heap(head, Heap::default()));
            return Ok(None);
        }
        match parsed.length {
            Some(n) if n <= input.len().min(self.limits.whole) as u64 => {
                let body = input.split_to(n as usize).freeze();
                Ok(Some(self.whole(head, body)))
            }
            Some(n) if n <= self.limits.whole as u64 => {
                self.state = State::Whole(head, n as usize);
                Ok(None)
            }
            Some(n) => {
                self.state = State::Length(n);
                Ok(Some(self.open(head, Some(n))))
            }
            None => {
                self.reusable = false;
                self.state = State::UntilClose(Sink::Heap(head, Heap::default()));
                Ok(None)
            }
        }
    }

    fn whole(&mut self, head: Head, body: Bytes) -> Decoded<Response> {
        Decoded::Reply {
            reply: Response::new(head, body),
            reusable: self.reusable,
        }
    }

    fn open(&mut self, head: Head, len: Option<u64>) -> Decoded<Response> {
        let (sender, body) = Body::channel(len, self.limits.window);
        self.sender = Some(sender);
        self.drained = 0;
        Decoded::Open(Response::new(head, body))
    }

    fn end(&mut self) -> Decoded<Response> {
        self.state = State::Head;
        if let Some(sender) = self.sender.take() {
            sender.finish(Ok(()));
        }
        Decoded::End {
            reusable: self.reusable,
        }
    }

    fn push(&mut self, piece: Bytes) -> Result<(), Error> {
        let Some(sender) = &self.sender else {
            return Ok(());
        };
        if sender.is_dropped() {
            self.drained += piece.len();
            if self.drained > self.limits.drain {
                return Err(abandoned());
            }
        } else {
            sender.push(piece);
        }
        Ok(())
    }

    /// Adds to a body of unknown length; when it has become large, hands the reply out.
    fn sink(&mut self, piece: Bytes) -> Result<Option<Decoded<Response>>, Error> {
        let (State::Chunked(_, sink) | State::UntilClose(sink)) = &mut self.state else {
            return Ok(None);
        };
        match sink {
            Sink::Stream => {
                self.push(piece)?;
                Ok(None)
            }
            Sink::Heap(_, heap) if heap.len() + piece.len() <= self.limits.whole => {
                heap.push(piece);
                Ok(None)
            }
            Sink::Heap(..) => {
                let Sink::Heap(head, heap) = std::mem::replace(sink, Sink::Stream) else {
                    return Ok(None);
                };
                let opened = self.open(head, None);
                self.push(heap.into_bytes())?;
                self.push(piece)?;
                Ok(Some(opened))
            }
        }
    }

    fn finish_sink(&mut self) -> Decoded<Response> {
        match std::mem::replace(&mut self.state, State::Head) {
            State::Chunked(_, Sink::Heap(head, heap))
            | State::UntilClose(Sink::Heap(head, heap)) => self.whole(head, heap.into_bytes()),
            _ => self.end(),
        }
    }
}

fn abandoned() -> Error {
    let text = "the reader of a large body has gone away";
    Error::new(Kind::Closed, text).because(CloseReason::Caller)
}

#[cfg(test)]
mod tests {
    use super::super::check::{LIMITS, Run, run};
    use super::*;

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
        for start in [
            "101 x\r\nupgrade: y",
            "100 x\r\ncontent-length: 0",
            "100 x\r\ncontent-length: 5",
            "103 x\r\ntransfer-encoding: chunked",
        ] {
            let got = read(GET, &format!("HTTP/1.1 {start}\r\n\r\n{NEXT}"));
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
}
