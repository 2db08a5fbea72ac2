//! HTTP/1.1 as a protocol of the engine.

use std::task::{Context, Poll, ready};

use bytes::BytesMut;

use super::body::body_failed;
use super::decode::{Decoder, Limits};
use super::request::{Method, Payload, Request};
use super::response::Response;
use crate::error::{Error, Kind};
use crate::outbox::Outbox;
use crate::protocol::{Class, Decoded, Encoded, Protocol};

/// A request with a body of more bytes than this has its connection alone.
const PIPELINED_BODY: usize = 16 * 1024;

/// One connection's HTTP/1.1.
pub(crate) struct Http1 {
    decoder: Decoder,
    /// Bytes of the streamed request body that are still to come, when its length is known.
    left: Option<u64>,
}

impl Http1 {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            decoder: Decoder::new(limits),
            left: None,
        }
    }
}

impl Protocol for Http1 {
    type Request = Request;
    type Reply = Response;

    /// What may not run twice, what is large and what is streamed has its connection alone.
    fn class(request: &Request) -> Class {
        let repeatable = request.is_repeatable();
        let small = request
            .whole_body()
            .is_some_and(|body| body.len() <= PIPELINED_BODY);
        Class {
            repeatable,
            alone: request.alone || !repeatable || !small,
        }
    }

    fn duplicate(request: &Request) -> Option<Request> {
        request.duplicate()
    }

    fn encode(&mut self, request: &mut Request, out: &mut Outbox) -> Encoded {
        out.put(&request.head);
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
                length(out, bytes.len() as u64);
                out.put_bytes(bytes.clone());
                Encoded::Wholly
            }
            Payload::Stream { len, .. } => {
                self.left = *len;
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
        let Payload::Stream { stream, len } = &mut request.payload else {
            return Poll::Ready(Ok(true));
        };
        let chunk = match ready!(stream.as_mut().poll_next(cx)) {
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
        self.decoder.decode(request.method, input, eof)
    }

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.decoder.poll_ready(cx)
    }

    fn is_amid(&self) -> bool {
        self.decoder.is_amid()
    }

    fn abort(&mut self, cause: &Error) {
        self.decoder.abort(cause);
    }
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
