//! Reading answers: strict framing, small bodies whole, large ones as a stream.

use std::mem::MaybeUninit;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};

use super::body::{Body, Sender};
use super::chunked::{Chunked, Piece};
use super::request::Method;
use super::response::{Head, Response};
use crate::error::{Error, Kind};
use crate::protocol::Decoded;

/// Fields that one head may have.
const MAX_FIELDS: usize = 100;
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
    Heap(Head, BytesMut),
    Stream,
}

/// Reads one answer after another.
pub(crate) struct Decoder {
    limits: Limits,
    state: State,
    reusable: bool,
    sender: Option<Sender>,
    /// Bytes of the input in which the end of the head was looked for already.
    scanned: usize,
    interim: u8,
    /// Bytes thrown away since the reader of the open body went away.
    drained: usize,
    /// The server has said 100 Continue to the request under way.
    pub(crate) continued: bool,
}

impl Decoder {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            limits,
            state: State::Head,
            reusable: true,
            sender: None,
            scanned: 0,
            interim: 0,
            drained: 0,
            continued: false,
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
        let Some(end) = self.head_end(input)? else {
            return Ok(Some(Decoded::More));
        };
        let mut raw = input.split_to(end);
        let parsed = match parse(&raw) {
            Ok(parsed) => parsed,
            // Folded lines are rare: they are looked for only when the head is not understood.
            Err(error) => {
                if !unfold(&mut raw) {
                    return Err(error);
                }
                parse(&raw)?
            }
        };
        let Parsed {
            status,
            http10,
            close,
            keep_alive,
            length,
            chunked,
            fields,
        } = parsed;
        if (100..200).contains(&status) {
            self.interim += 1;
            if status == 101 || self.interim > MAX_INTERIM {
                return Err(violation("an interim answer that was not asked for"));
            }
            self.continued |= status == 100;
            return Ok(Some(Decoded::Interim));
        }
        self.interim = 0;
        self.continued = false;
        self.reusable = !close && (!http10 || keep_alive);
        let head = Head {
            status,
            fields: raw.freeze().slice(fields..end - 2),
        };
        if method == Method::Head || status == 204 || status == 304 {
            return Ok(Some(self.whole(head, Bytes::new())));
        }
        if chunked {
            if http10 {
                return Err(violation("chunks in HTTP/1.0"));
            }
            let sink = Sink::Heap(head, BytesMut::new());
            self.state = State::Chunked(Chunked::new(), sink);
            return Ok(None);
        }
        match length {
            Some(0) => Ok(Some(self.whole(head, Bytes::new()))),
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
                self.state = State::UntilClose(Sink::Heap(head, BytesMut::new()));
                Ok(None)
            }
        }
    }

    /// Where the head ends, if all of it is here.
    fn head_end(&mut self, input: &[u8]) -> Result<Option<usize>, Error> {
        let expected = b"HTTP/1.";
        let seen = input.len().min(expected.len());
        if input[..seen] != expected[..seen] {
            return Err(violation("it does not begin with HTTP/1"));
        }
        let from = self.scanned.saturating_sub(3);
        match memchr::memmem::find(&input[from..], b"\r\n\r\n") {
            Some(i) if from + i + 4 <= self.limits.head => {
                self.scanned = 0;
                Ok(Some(from + i + 4))
            }
            None if input.len() <= self.limits.head => {
                self.scanned = input.len();
                Ok(None)
            }
            _ => Err(violation("its head is over the limit")),
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
                heap.extend_from_slice(&piece);
                Ok(None)
            }
            Sink::Heap(..) => {
                let Sink::Heap(head, heap) = std::mem::replace(sink, Sink::Stream) else {
                    return Ok(None);
                };
                let opened = self.open(head, None);
                self.push(heap.freeze())?;
                self.push(piece)?;
                Ok(Some(opened))
            }
        }
    }

    fn finish_sink(&mut self) -> Decoded<Response> {
        match std::mem::replace(&mut self.state, State::Head) {
            State::Chunked(_, Sink::Heap(head, heap)) | State::UntilClose(Sink::Heap(head, heap)) => {
                self.whole(head, heap.freeze())
            }
            _ => self.end(),
        }
    }
}

struct Parsed {
    status: u16,
    http10: bool,
    close: bool,
    keep_alive: bool,
    length: Option<u64>,
    chunked: bool,
    /// Where the fields begin.
    fields: usize,
}

fn parse(raw: &[u8]) -> Result<Parsed, Error> {
    let mut slots = [const { MaybeUninit::uninit() }; MAX_FIELDS];
    let mut response = httparse::Response::new(&mut []);
    let config = httparse::ParserConfig::default();
    match config.parse_response_with_uninit_headers(&mut response, raw, &mut slots) {
        Ok(httparse::Status::Complete(n)) if n == raw.len() => {}
        Ok(_) => return Err(violation("its head ends early")),
        Err(error) => return Err(violation("its head is malformed").with_source(error)),
    }
    // httparse also takes lines that end without a carriage return; here they are doubtful.
    if memchr::memchr_iter(b'\n', raw).any(|i| i == 0 || raw[i - 1] != b'\r') {
        return Err(violation("a line of its head ends without CR"));
    }
    let status = response.code.unwrap_or(0);
    if !(100..=999).contains(&status) {
        return Err(violation("its status code is out of range"));
    }
    let mut parsed = Parsed {
        status,
        http10: response.version == Some(0),
        close: false,
        keep_alive: false,
        length: None,
        chunked: false,
        fields: memchr::memchr(b'\n', raw).map_or(raw.len(), |i| i + 1),
    };
    for field in response.headers.iter() {
        match field.name.len() {
            10 if field.name.eq_ignore_ascii_case("connection") => {
                for token in field.value.split(|&b| b == b',').map(<[u8]>::trim_ascii) {
                    parsed.close |= token.eq_ignore_ascii_case(b"close");
                    parsed.keep_alive |= token.eq_ignore_ascii_case(b"keep-alive");
                }
            }
            14 if field.name.eq_ignore_ascii_case("content-length") => {
                // A list of equal lengths is one length; anything else could be framed two ways.
                for value in field.value.split(|&b| b == b',').map(<[u8]>::trim_ascii) {
                    let n = length(value).ok_or_else(|| violation("a bad content-length"))?;
                    if parsed.length.is_some_and(|m| m != n) {
                        return Err(violation("two different content-lengths"));
                    }
                    parsed.length = Some(n);
                }
            }
            17 if field.name.eq_ignore_ascii_case("transfer-encoding") => {
                if parsed.chunked || !field.value.trim_ascii().eq_ignore_ascii_case(b"chunked") {
                    return Err(violation("an unknown transfer-encoding"));
                }
                parsed.chunked = true;
            }
            _ => {}
        }
    }
    if parsed.chunked && parsed.length.is_some() {
        return Err(violation("content-length beside transfer-encoding"));
    }
    Ok(parsed)
}

fn length(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || digits.len() > 18 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(
        digits
            .iter()
            .fold(0, |n, d| n * 10 + u64::from(d - b'0')),
    )
}

/// Replaces folded line ends by blanks, as
/// [RFC 9112, 5.2](https://www.rfc-editor.org/rfc/rfc9112#section-5.2) asks of a client; says
/// whether there were any.
fn unfold(head: &mut [u8]) -> bool {
    let mut found = false;
    let first = memchr::memchr(b'\n', head).unwrap_or(head.len());
    for i in first + 1..head.len().saturating_sub(2) {
        if head[i] == b'\r' && head[i + 1] == b'\n' && matches!(head[i + 2], b' ' | b'\t') {
            head[i] = b' ';
            head[i + 1] = b' ';
            found = true;
        }
    }
    found
}

pub(super) fn violation(what: &'static str) -> Error {
    Error::new(Kind::Protocol, format!("the answer breaks HTTP/1.1: {what}"))
}

fn abandoned() -> Error {
    Error::new(Kind::Closed, "the reader of a large body has gone away")
}
