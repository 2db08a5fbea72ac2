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

/// The most bytes that room is made for at once, ahead of a body whose length was only announced.
const MAX_RESERVED_BODY: usize = 256 * 1024;
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

enum DecoderState {
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
    state: DecoderState,
    reusable: bool,
    sender: Option<Sender>,
    heads: Heads,
    interim: u8,
    /// An interim answer has announced a body, which the server may send though there is none.
    doubtful: bool,
    /// Whether the server has said that the body may come.
    continued: bool,
    /// Bytes thrown away since the reader of the open body went away.
    drained: usize,
}

impl Decoder {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            limits,
            state: DecoderState::Head,
            reusable: true,
            sender: None,
            heads: Heads::default(),
            interim: 0,
            doubtful: false,
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
                DecoderState::Length(left) if left > self.limits.drain as u64 => {
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
        !matches!(self.state, DecoderState::Head)
    }

    /// How many bytes of a large body that is read are still to come, where its length is known.
    pub(crate) fn bulk(&self) -> u64 {
        match self.state {
            DecoderState::Length(left) if !self.is_deserted() => left,
            _ => 0,
        }
    }

    /// Whether the reader of the open body has gone away.
    pub(crate) fn is_deserted(&self) -> bool {
        self.sender.as_ref().is_some_and(Sender::is_dropped)
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
                DecoderState::Head => match self.head(method, input)? {
                    Some(decoded) => return Ok(decoded),
                    None => continue,
                },
                DecoderState::Whole(_, len) => {
                    let len = *len;
                    if input.len() < len {
                        // Doubled from there on, so that what comes is copied a few times at most.
                        let step = MAX_RESERVED_BODY.max(input.len());
                        input.reserve(step.min(len - input.len()));
                        return Ok(Decoded::More);
                    }
                    let body = input.split_to(len).freeze();
                    let DecoderState::Whole(head, _) =
                        std::mem::replace(&mut self.state, DecoderState::Head)
                    else {
                        continue;
                    };
                    return Ok(self.whole(head, body));
                }
                DecoderState::Length(left) => {
                    let n = (*left).min(input.len() as u64) as usize;
                    *left -= n as u64;
                    let ended = *left == 0;
                    if n > 0 {
                        let piece = input.split_to(n).freeze();
                        self.push(piece)?;
                    }
                    return Ok(if ended { self.end() } else { Decoded::More });
                }
                DecoderState::Chunked(chunked, _) => match chunked.next(input)? {
                    None => return Ok(Decoded::More),
                    Some(Piece::Data(piece)) => {
                        if let Some(decoded) = self.sink(piece)? {
                            return Ok(decoded);
                        }
                    }
                    Some(Piece::End) => return Ok(self.finish_sink()),
                },
                DecoderState::UntilClose(_) => {
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
            // RFC 9112, 6.3: it ends at its empty line, whatever its fields say.
            self.doubtful |= parsed.chunked || parsed.length.is_some_and(|n| n > 0);
            self.continued |= status == 100;
            input.advance(parsed.end);
            return Ok(Some(Decoded::Interim));
        }
        self.interim = 0;
        let doubtful = std::mem::take(&mut self.doubtful);
        self.reusable = !(parsed.close || doubtful) && (!parsed.http10 || parsed.keep_alive);
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
            self.state = DecoderState::Chunked(Chunked::new(), Sink::Heap(head, Heap::default()));
            return Ok(None);
        }
        match parsed.length {
            Some(n) if n <= input.len().min(self.limits.whole) as u64 => {
                let body = input.split_to(n as usize).freeze();
                Ok(Some(self.whole(head, body)))
            }
            Some(n) if n <= self.limits.whole as u64 => {
                self.state = DecoderState::Whole(head, n as usize);
                Ok(None)
            }
            Some(n) => {
                self.state = DecoderState::Length(n);
                Ok(Some(self.open(head, Some(n))))
            }
            None => {
                self.reusable = false;
                self.state = DecoderState::UntilClose(Sink::Heap(head, Heap::default()));
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
        self.state = DecoderState::Head;
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
        let (DecoderState::Chunked(_, sink) | DecoderState::UntilClose(sink)) = &mut self.state
        else {
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
        match std::mem::replace(&mut self.state, DecoderState::Head) {
            DecoderState::Chunked(_, Sink::Heap(head, heap))
            | DecoderState::UntilClose(Sink::Heap(head, heap)) => {
                self.whole(head, heap.into_bytes())
            }
            _ => self.end(),
        }
    }
}

fn abandoned() -> Error {
    let text = "the reader of a large body has gone away";
    Error::new(Kind::Closed, text).because(CloseReason::Caller)
}

#[cfg(test)]
mod tests;
