//! HTTP/1.1 as a protocol of the engine.

use std::task::{Context, Poll, ready};
use std::time::Instant;

use bytes::BytesMut;

use super::body::body_failed;
use super::decode::{Decoder, Limits};
use super::request::{Method, Payload, Request};
use super::response::Response;
use super::wait::{Silences, Wait};
use crate::error::{Error, Kind};
use crate::outbox::Outbox;
use crate::protocol::{Decoded, Encoded, Protocol, Treatment};

/// A request with a body of more bytes than this has its connection alone.
const MAX_PIPELINED_BODY: usize = 16 * 1024;

/// One connection's HTTP/1.1.
pub(crate) struct Http1 {
    decoder: Decoder,
    /// Bytes of the streamed request body that are still to come, when its length is known.
    left: Option<u64>,
    /// The body is held back until the server wants it.
    wait: Option<Wait>,
    silences: Silences,
}

impl Http1 {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            decoder: Decoder::new(limits),
            left: None,
            wait: None,
            silences: Silences::default(),
        }
    }

    /// Shares what is known of a server's answers to `Expect` with its other connections.
    pub(crate) fn with_silences(mut self, silences: Silences) -> Self {
        self.silences = silences;
        self
    }

    /// Holds the body of this request back, if that is wanted.
    fn expect(&mut self, request: &Request, out: &mut Outbox) {
        let patience = request.expect.filter(|_| self.silences.may_ask(now()));
        self.wait = patience.map(Wait::new);
        if self.wait.is_some() {
            out.put(b"expect: 100-continue\r\n");
        }
    }
}

impl Protocol for Http1 {
    type Request = Request;
    type Reply = Response;

    /// What may not run twice, what is large and what is streamed has its connection alone.
    fn treatment(request: &Request) -> Treatment {
        let repeatable = request.is_repeatable();
        let small = request
            .whole_body()
            .is_some_and(|body| body.len() <= MAX_PIPELINED_BODY);
        Treatment {
            repeatable,
            alone: request.alone || request.expect.is_some() || !repeatable || !small,
        }
    }

    fn duplicate(request: &Request) -> Option<Request> {
        request.duplicate()
    }

    fn is_untouched(request: &Request) -> bool {
        request.is_untouched()
    }

    /// Servers that close an idle connection may say so by a 408 that nobody has asked for
    /// ([RFC 9110, 15.5.9](https://www.rfc-editor.org/rfc/rfc9110#section-15.5.9)).
    fn is_farewell(input: &[u8]) -> bool {
        let same = |said: &[u8]| {
            let n = input.len().min(said.len());
            input[..n] == said[..n]
        };
        same(b"HTTP/1.1 408") || same(b"HTTP/1.0 408")
    }

    fn encode(&mut self, request: &mut Request, out: &mut Outbox) -> Encoded {
        out.put(request.head.as_bytes());
        match &request.payload {
            Payload::None => {
                // RFC 9110, 8.6: a method that usually has a body says so when it has none.
                if matches!(request.method, Method::Put | Method::Post) {
                    out.put(b"content-length: 0\r\n\r\n");
                } else {
                    out.put(b"\r\n");
                }
                Encoded::Wholly
            }
            Payload::Whole(bytes) => {
                if !bytes.is_empty() {
                    self.expect(request, out);
                }
                length(out, bytes.len() as u64);
                if self.wait.is_some() {
                    return Encoded::Partly;
                }
                out.put_bytes(bytes.clone());
                Encoded::Wholly
            }
            Payload::Stream { len, .. } => {
                self.left = *len;
                if *len != Some(0) {
                    self.expect(request, out);
                }
                match len {
                    Some(len) => length(out, *len),
                    None => out.put(b"transfer-encoding: chunked\r\n\r\n"),
                }
                Encoded::Partly
            }
        }
    }

    fn poll_encode(
        &mut self,
        request: &mut Request,
        out: &mut Outbox,
        cx: &mut Context<'_>,
    ) -> Poll<Result<bool, Error>> {
        if let Some(wait) = &mut self.wait {
            let heard = ready!(wait.poll(cx));
            self.silences.note(heard, now());
            self.wait = None;
        }
        let (stream, len, begun) = match &mut request.payload {
            Payload::Stream { stream, len, begun } => (stream, len, begun),
            Payload::Whole(bytes) => {
                out.put_bytes(bytes.clone());
                return Poll::Ready(Ok(true));
            }
            Payload::None => return Poll::Ready(Ok(true)),
        };
        let next = ready!(stream.as_mut().poll_next(cx));
        *begun = true;
        let chunk = match next {
            Some(chunk) => Some(chunk.map_err(body_failed)?),
            None => None,
        };
        let Some(chunk) = chunk else {
            if len.is_none() {
                out.put(b"0\r\n\r\n");
            } else if self.left != Some(0) {
                return Poll::Ready(Err(Error::new(
                    Kind::Body,
                    "the request's body ended before its stated length",
                )));
            }
            return Poll::Ready(Ok(true));
        };
        if chunk.is_empty() {
            return Poll::Ready(Ok(false));
        }
        if let Some(left) = &mut self.left {
            *left = left.checked_sub(chunk.len() as u64).ok_or_else(|| {
                Error::new(
                    Kind::Body,
                    "the request's body is longer than it was stated",
                )
            })?;
            out.put_bytes(chunk);
        } else {
            out.put(format!("{:x}\r\n", chunk.len()).as_bytes());
            out.put_bytes(chunk);
            out.put(b"\r\n");
        }
        Poll::Ready(Ok(false))
    }

    fn decode(
        &mut self,
        request: &Request,
        input: &mut BytesMut,
        eof: bool,
    ) -> Result<Decoded<Response>, Error> {
        let decoded = self.decoder.decode(request.method, input, eof);
        if self.decoder.take_continued()
            && let Some(wait) = &mut self.wait
        {
            wait.end();
        }
        if let Ok(Decoded::Reply { .. } | Decoded::Open(_)) = decoded
            && let Some(wait) = &mut self.wait
        {
            // It has been asked and has answered, though not with a 100: the body is not wanted.
            wait.refuse();
            self.silences.note(true, now());
        }
        decoded
    }

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.decoder.poll_ready(cx)
    }

    fn is_amid(&self) -> bool {
        self.decoder.is_amid()
    }

    fn bulk(&self) -> u64 {
        self.decoder.bulk()
    }

    fn is_deserted(&self) -> bool {
        self.decoder.is_deserted()
    }

    fn abort(&mut self, cause: &Error) {
        self.decoder.abort(cause);
    }
}

fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

fn length(out: &mut Outbox, mut n: u64) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (n % 10) as u8;
        n /= 10;
        if n == 0 {
            break;
        }
    }
    out.put(b"content-length: ");
    out.put(&digits[at..]);
    out.put(b"\r\n\r\n");
}

#[cfg(test)]
mod tests;
