//! A connection whose replies leave together.
//!
//! A reply that is done waits for the requests that have already been read: they are answered
//! first, and all go out in one write as soon as the connection has nothing more to do. So a
//! pipeline of requests costs one write, and no reply ever waits for the peer.

use std::future::{Future, poll_fn};
use std::io::{Error, ErrorKind, IoSlice, Result};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::rt::TokioIo;
use tokio::io::AsyncWrite;
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

use crate::stats::Connection;

/// From here on replies do not wait for each other, in bytes.
const BATCH_MAX: usize = 64 << 10;

/// The server's end of a connection, as hyper sees it.
#[derive(Debug)]
pub(crate) struct Socket {
    read: TokioIo<OwnedReadHalf>,
    replies: Replies,
    connection: Arc<Connection>,
}

/// The replies of a connection that are yet to leave.
#[derive(Clone, Debug)]
pub(crate) struct Replies(Arc<Mutex<Outgoing>>);

#[derive(Debug)]
struct Outgoing {
    /// Nothing once the connection has been reset.
    half: Option<OwnedWriteHalf>,
    waiting: BytesMut,
}

impl Socket {
    pub(crate) fn new(stream: TcpStream, connection: Arc<Connection>) -> (Self, Replies) {
        let (read, half) = stream.into_split();
        let waiting = BytesMut::new();
        let half = Some(half);
        let replies = Replies(Arc::new(Mutex::new(Outgoing { half, waiting })));
        let socket = Self {
            read: TokioIo::new(read),
            replies: replies.clone(),
            connection,
        };
        (socket, replies)
    }
}

impl Replies {
    fn lock(&self) -> MutexGuard<'_, Outgoing> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the connection by a reset when it is dropped; what has not left never does.
    pub(crate) fn reset(&self) {
        let mut outgoing = self.lock();
        outgoing.waiting.clear();
        if let Some(half) = outgoing.half.take() {
            // Without it the peer sees an end instead.
            let _ = half.as_ref().set_zero_linger();
            half.forget();
        }
    }

    /// Sends these bytes after all replies so far.
    pub(crate) fn push(&self, bytes: &[u8]) {
        self.lock().waiting.extend_from_slice(bytes);
    }

    /// Runs a connection to its end and sends its replies whenever it rests.
    pub(crate) async fn drive(self, connection: impl Future) {
        let mut connection = pin!(connection);
        poll_fn(|cx| {
            let polled = connection.as_mut().poll(cx);
            match self.lock().poll_send(cx) {
                Poll::Ready(Err(_)) => Poll::Ready(()),
                // What fails in a connection is the peer's business: a bad head was answered,
                // and a lost socket is lost.
                _ => polled.map(|_| ()),
            }
        })
        .await;
        let _ = poll_fn(|cx| self.lock().poll_send(cx)).await;
    }
}

impl Outgoing {
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let Some(half) = &mut self.half else {
            return Poll::Ready(Ok(()));
        };
        while !self.waiting.is_empty() {
            let sent = ready!(Pin::new(&mut *half).poll_write(cx, &self.waiting))?;
            if sent == 0 {
                return Poll::Ready(Err(Error::from(ErrorKind::WriteZero)));
            }
            self.waiting.advance(sent);
        }
        Poll::Ready(Ok(()))
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, bufs: &[IoSlice<'_>]) -> Poll<Result<usize>> {
        let len: usize = bufs.iter().map(|buf| buf.len()).sum();
        if self.waiting.len() + len > BATCH_MAX {
            ready!(self.poll_send(cx))?;
            if len > BATCH_MAX
                && let Some(half) = &mut self.half
            {
                return Pin::new(half).poll_write_vectored(cx, bufs);
            }
        }
        self.waiting.reserve(len);
        for buf in bufs {
            self.waiting.extend_from_slice(buf);
        }
        Poll::Ready(Ok(len))
    }
}

impl Read for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: ReadBufCursor<'_>,
    ) -> Poll<Result<()>> {
        let polled = Pin::new(&mut self.read).poll_read(cx, buf);
        if polled.is_ready() {
            self.connection.read();
        }
        polled
    }
}

impl Write for Socket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<Result<usize>> {
        self.replies.lock().poll_write(cx, &[IoSlice::new(buf)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        self.replies.lock().poll_write(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    /// Left to [`Replies::drive`].
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let mut outgoing = self.replies.lock();
        ready!(outgoing.poll_send(cx))?;
        match &mut outgoing.half {
            Some(half) => Pin::new(half).poll_shutdown(cx),
            None => Poll::Ready(Ok(())),
        }
    }
}
