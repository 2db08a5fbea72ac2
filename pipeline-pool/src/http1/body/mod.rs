//! A body: whole bytes, or a stream with backpressure.
//!
//! *Problem:* A channel and a second wake-up for each body would cost more than a small body itself,
//! and a large body must not fill the memory when its reader is slow. *Decision:* Bodies of up to 64
//! KiB come with the head. Larger ones come through a window of 256 KiB, and a connection whose reader
//! is slow is not read. A connection with a large answer under way takes no further requests. *Cost:* A
//! large body that is not read holds its connection.

use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::{Bytes, BytesMut};
use futures_core::Stream;

use super::request::BodyStream;
use crate::error::{Error, Kind, Sent};

/// For so many bytes of a body that is read whole room is made before they come.
const ROOM: usize = 1 << 20;

/// The body of an answer.
///
/// A small one is here whole; a large one is a [`Stream`] that reads from its connection only as
/// fast as it is consumed. Dropping a stream before its end closes its connection unless what is
/// left is small.
pub struct Body(Form);

enum Form {
    Whole(Bytes),
    Channel(Receiver),
    Stream(
        Option<u64>,
        Pin<Box<dyn Stream<Item = Result<Bytes, Error>> + Send>>,
    ),
}

impl Body {
    /// A body of no bytes.
    pub fn empty() -> Self {
        Self(Form::Whole(Bytes::new()))
    }

    /// A body read from `stream`, of `len` bytes if that is known.
    pub fn from_stream(
        len: Option<u64>,
        stream: impl Stream<Item = Result<Bytes, Error>> + Send + 'static,
    ) -> Self {
        Self(Form::Stream(len, Box::pin(stream)))
    }

    /// The bytes, when the body is here whole.
    pub fn as_whole(&self) -> Option<&Bytes> {
        match &self.0 {
            Form::Whole(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// Takes the bytes of a body that is here whole, and leaves it empty. Of one that is streamed it takes nothing, and
    /// returns `None`.
    #[inline]
    pub fn take_whole(&mut self) -> Option<Bytes> {
        match &mut self.0 {
            Form::Whole(bytes) => Some(std::mem::take(bytes)),
            _ => None,
        }
    }

    /// How many bytes are still to come, when that is known.
    pub fn remaining(&self) -> Option<u64> {
        match &self.0 {
            Form::Whole(bytes) => Some(bytes.len() as u64),
            Form::Channel(rx) => rx.remaining,
            Form::Stream(len, _) => *len,
        }
    }

    /// Reads all of it, up to `limit` bytes.
    ///
    /// # Errors
    /// [`Kind::Protocol`] when there are more than `limit` bytes; [`Kind::Closed`],
    /// [`Kind::Timeout`] or [`Kind::Protocol`] when the connection fails first. The request of an
    /// answer that has begun has been sent, and the errors [say so](Error::may_have_been_sent).
    pub async fn bytes(mut self, limit: usize) -> Result<Bytes, Error> {
        let over = || {
            let text = format!("the body is over the limit of {limit} bytes that its reader gave");
            Error::new(Kind::Protocol, text).with_sent(Sent::All)
        };
        if let Form::Whole(bytes) = self.0 {
            return if bytes.len() > limit {
                Err(over())
            } else {
                Ok(bytes)
            };
        }
        if self.remaining().is_some_and(|n| n > limit as u64) {
            return Err(over());
        }
        let Some(first) = self.chunk().await.transpose()? else {
            return Ok(Bytes::new());
        };
        if first.len() > limit {
            return Err(over());
        }
        let Some(second) = self.chunk().await.transpose()? else {
            return Ok(first);
        };
        // What is announced need not come: a little room is made for it at once, and more as it does.
        let announced = self.remaining().unwrap_or(0).min(ROOM as u64) as usize;
        let mut all = BytesMut::with_capacity(first.len() + second.len() + announced);
        all.extend_from_slice(&first);
        // Its room may be read into again before the next piece is waited for.
        drop(first);
        let mut next = Some(second);
        while let Some(chunk) = next {
            if all.len() + chunk.len() > limit {
                return Err(over());
            }
            all.extend_from_slice(&chunk);
            drop(chunk);
            next = self.chunk().await.transpose()?;
        }
        Ok(all.freeze())
    }

    /// The next piece, or nothing at the end.
    pub async fn chunk(&mut self) -> Option<Result<Bytes, Error>> {
        poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }

    /// The two ends of a body that comes in pieces; at most `capacity` bytes wait between them.
    pub(crate) fn channel(len: Option<u64>, capacity: usize) -> (Sender, Self) {
        let shared = Arc::new(Mutex::new(SharedBuffer {
            queue: VecDeque::new(),
            waiting: 0,
            end: None,
            dropped: false,
            reader: None,
            writer: None,
        }));
        let receiver = Receiver {
            shared: shared.clone(),
            remaining: len,
            ended: false,
        };
        (Sender { shared, capacity }, Self(Form::Channel(receiver)))
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        Self(Form::Whole(bytes))
    }
}

impl Stream for Body {
    type Item = Result<Bytes, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        match &mut self.0 {
            Form::Whole(bytes) if bytes.is_empty() => Poll::Ready(None),
            Form::Whole(bytes) => Poll::Ready(Some(Ok(std::mem::take(bytes)))),
            Form::Channel(rx) => rx.poll(cx),
            Form::Stream(len, stream) => {
                let item = stream.as_mut().poll_next(cx);
                if let (Some(n), Poll::Ready(Some(Ok(bytes)))) = (len, &item) {
                    *n = n.saturating_sub(bytes.len() as u64);
                }
                item
            }
        }
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match &self.0 {
            Form::Whole(_) => "Whole",
            _ => "Stream",
        };
        f.debug_struct("Body")
            .field("kind", &kind)
            .field("remaining", &self.remaining())
            .finish()
    }
}

/// A request's body stream with this crate's error.
pub(crate) struct BodyErrors(pub(crate) BodyStream);

impl Stream for BodyErrors {
    type Item = Result<Bytes, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.as_mut().poll_next(cx).map_err(body_failed)
    }
}

pub(crate) fn body_failed(cause: super::request::BodyError) -> Error {
    Error::new(Kind::Body, format!("the request's body failed: {cause}"))
}

struct SharedBuffer {
    queue: VecDeque<Bytes>,
    waiting: usize,
    end: Option<Result<(), Error>>,
    dropped: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

/// The memory that a waiting piece takes: a body in chunks of one byte is mostly overhead.
fn weight(piece: &Bytes) -> usize {
    piece.len() + 64
}

fn lock(shared: &Mutex<SharedBuffer>) -> MutexGuard<'_, SharedBuffer> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Receiver {
    shared: Arc<Mutex<SharedBuffer>>,
    remaining: Option<u64>,
    ended: bool,
}

impl Receiver {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Error>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let mut shared = lock(&self.shared);
        if let Some(bytes) = shared.queue.pop_front() {
            shared.waiting -= weight(&bytes);
            let writer = shared.writer.take();
            drop(shared);
            if let Some(writer) = writer {
                writer.wake();
            }
            if let Some(n) = &mut self.remaining {
                *n = n.saturating_sub(bytes.len() as u64);
            }
            return Poll::Ready(Some(Ok(bytes)));
        }
        match shared.end.take() {
            Some(end) => {
                drop(shared);
                self.ended = true;
                Poll::Ready(end.err().map(Err))
            }
            None => {
                if shared
                    .reader
                    .as_ref()
                    .is_some_and(|w| w.will_wake(cx.waker()))
                {
                    return Poll::Pending;
                }
                drop(shared);
                self.register(cx)
            }
        }
    }

    /// Takes note of another waker, unless something has come meanwhile. A waker is the code of
    /// whoever polls: it is cloned and dropped with nothing locked.
    fn register(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Error>>> {
        let new = cx.waker().clone();
        let mut shared = lock(&self.shared);
        let empty = shared.queue.is_empty() && shared.end.is_none();
        let old = shared.reader.replace(new);
        drop(shared);
        drop(old);
        match empty {
            true => Poll::Pending,
            false => self.poll(cx),
        }
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        let writer = {
            let mut shared = lock(&self.shared);
            shared.dropped = true;
            shared.queue.clear();
            shared.waiting = 0;
            shared.writer.take()
        };
        if let Some(writer) = writer {
            writer.wake();
        }
    }
}

/// The connection's end of a body.
pub(crate) struct Sender {
    shared: Arc<Mutex<SharedBuffer>>,
    capacity: usize,
}

impl Sender {
    /// Ready when the reader has room (`true`) or has gone away (`false`).
    pub(crate) fn poll_ready(&self, cx: &mut Context<'_>) -> Poll<bool> {
        let mut shared = lock(&self.shared);
        if shared.dropped {
            return Poll::Ready(false);
        }
        let ready = match shared.waiting < self.capacity {
            true => Poll::Ready(true),
            false => Poll::Pending,
        };
        // Also when ready: the driver must hear of a reader that goes away while it waits for bytes.
        if shared
            .writer
            .as_ref()
            .is_some_and(|w| w.will_wake(cx.waker()))
        {
            return ready;
        }
        let old = shared.writer.replace(cx.waker().clone());
        drop(shared);
        drop(old);
        ready
    }

    pub(crate) fn is_dropped(&self) -> bool {
        lock(&self.shared).dropped
    }

    pub(crate) fn push(&self, bytes: Bytes) {
        if bytes.is_empty() {
            return;
        }
        let reader = {
            let mut shared = lock(&self.shared);
            if shared.dropped {
                return;
            }
            shared.waiting += weight(&bytes);
            shared.queue.push_back(bytes);
            shared.reader.take()
        };
        if let Some(reader) = reader {
            reader.wake();
        }
    }

    pub(crate) fn finish(&self, end: Result<(), Error>) {
        let reader = {
            let mut shared = lock(&self.shared);
            // Whoever reads an answer has sent its request, whatever the end of it is put down to.
            let end = end.map_err(|error| error.at_least(Sent::Part));
            shared.end.get_or_insert(end);
            shared.reader.take()
        };
        if let Some(reader) = reader {
            reader.wake();
        }
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        let cut = Error::new(Kind::Closed, "the connection ended within the body");
        self.finish(Err(cut.with_sent(Sent::All)));
    }
}

#[cfg(test)]
mod tests;
