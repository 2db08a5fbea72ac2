//! The body of an answer, with errors that say whose it was.
//!
//! *Problem:* A repeated attempt needs the body again, and a stream can be read once. *Decision:* Bytes and files are
//! opened anew for each attempt. A stream is lent to an attempt, and comes back if nothing of it was read; once it was
//! read, no further attempt is made, so that the first error is the one that is reported. Large bodies get more time:
//! one second for each 128 KiB. *Cost:* A failed upload from a stream has to be begun again by the caller.
//!
//! The body of an answer that is cut is no attempt's any more. Where its operation knows how ([`Resume`]), the rest is
//! fetched by a further operation, and what looks at the bytes sees those of both as one body.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use futures_core::Stream;

use crate::error::{Error, Result, Site};
use crate::visibility::KeyVisibility;

/// For so many bytes of a body that is read whole room is made before they come.
const ROOM: usize = 1 << 20;

/// A body: here whole when it is small, else a [`Stream`] read from its connection as fast as it is consumed.
///
/// The operation's deadline ends with the head of the answer; a stalled stream is ended by the transport.
///
/// ```
/// # async fn example(mut body: aws_core::Body) -> aws_core::Result<()> {
/// let mut size = 0;
/// while let Some(piece) = body.chunk().await {
///     size += piece?.len();
/// }
/// # let _ = size;
/// # Ok(()) }
/// # async fn whole(body: aws_core::Body) -> Result<(), Box<dyn std::error::Error>> {
/// // Or all of it, as text:
/// let text = String::from_utf8(body.bytes(1 << 20).await?.into())?;
/// # drop(text);
/// # Ok(()) }
/// ```
pub struct Body {
    inner: pipeline_pool::Body,
    site: Site,
    inspector: Option<Box<dyn Inspect>>,
    resuming: Option<Box<Resuming>>,
}

/// Fetches the rest of a body that was cut.
pub trait Resume: Send + Sync + 'static {
    /// Begins to fetch what comes after so many bytes; nothing to leave it at the error.
    fn resume(&mut self, read: u64) -> Option<Rest>;
}

/// The rest of a body, on its way.
pub type Rest = Pin<Box<dyn Future<Output = Result<Body>> + Send>>;

struct Resuming {
    resume: Box<dyn Resume>,
    /// The bytes that were handed out.
    read: u64,
    /// Here only to be polled; the mutex makes it `Sync`, and is never locked.
    rest: Option<Mutex<Rest>>,
}

/// Looks at the bytes of a body as they pass, and says at the end whether they are right.
pub trait Inspect: Send + Sync + 'static {
    /// Looks at the next bytes.
    fn update(&mut self, piece: &[u8]);

    /// All bytes have passed; an error becomes that of the body, in place of its end.
    ///
    /// # Errors
    /// When they are not right.
    fn finish(self: Box<Self>) -> Result<()>;
}

impl Body {
    pub(crate) fn new(inner: pipeline_pool::Body, site: Site) -> Self {
        Self {
            inner,
            site,
            inspector: None,
            resuming: None,
        }
    }

    /// Has its errors name the key of the object that it is of, where keys are shown. One that came whole with its answer
    /// does not know it, so that nothing is allocated for it.
    pub fn name_key(&mut self, key: String, keys: KeyVisibility) {
        if keys.in_errors() && self.site.key.is_none() {
            self.site.key = Some(key.into_boxed_str());
        }
    }

    /// The same body, the rest of which is fetched by this where it is cut. A body that is here already stays as it is.
    pub fn resumed(mut self, resume: impl Resume) -> Self {
        if self.as_whole().is_none() {
            self.resuming = Some(Box::new(Resuming {
                resume: Box::new(resume),
                read: 0,
                rest: None,
            }));
        }
        self
    }

    /// The same body, looked at by this besides any that looks already at the rest: bytes that are here at once, a
    /// stream as it is read.
    ///
    /// # Errors
    /// The inspector's, when all bytes are here.
    pub fn inspected(mut self, mut inspector: impl Inspect) -> Result<Self> {
        if let Some(bytes) = self.as_whole() {
            inspector.update(bytes);
            Box::new(inspector).finish()?;
            return Ok(self);
        }
        self.inspector = Some(match self.inspector {
            None => Box::new(inspector),
            Some(first) => Box::new(Both(first, Box::new(inspector))),
        });
        Ok(self)
    }

    /// The bytes, when all of them are here.
    pub fn as_whole(&self) -> Option<&Bytes> {
        self.inner.as_whole()
    }

    /// How many bytes are still to come, when that is known.
    pub fn remaining(&self) -> Option<u64> {
        self.inner.remaining()
    }

    /// Reads all of it, up to `limit` bytes.
    ///
    /// # Errors
    /// [`Kind::Protocol`](crate::Kind::Protocol) when there are more than `limit` bytes; otherwise as the
    /// connection fails.
    #[doc(alias("text", "collect"))]
    pub async fn bytes(mut self, limit: usize) -> Result<Bytes> {
        let is_looked_at = self.inspector.is_some() || self.resuming.is_some();
        if !is_looked_at
            && self.as_whole().is_some_and(|bytes| bytes.len() <= limit)
            && let Some(bytes) = self.inner.take_whole()
        {
            return Ok(bytes);
        }
        // Whoever reads a small body does not pay for the room that this needs.
        Box::pin(self.read(limit)).await
    }

    /// Reads all of a body, up to `limit` bytes.
    async fn read(self, limit: usize) -> Result<Bytes> {
        if self.resuming.is_some() {
            return self.gather(limit).await;
        }
        let Self {
            inner,
            site,
            inspector,
            resuming: _,
        } = self;
        let read = inner.bytes(limit).await.map_err(failed);
        let checked = read.and_then(|bytes| {
            if let Some(mut inspector) = inspector {
                inspector.update(&bytes);
                inspector.finish().map_err(Error::after_answer)?;
            }
            Ok(bytes)
        });
        checked.map_err(|e| e.with_site(|| site))
    }

    /// Reads all of a body that may be cut, up to `limit` bytes.
    async fn gather(mut self, limit: usize) -> Result<Bytes> {
        let over = |more: u64| more > limit as u64;
        let mut is_over = self.remaining().is_some_and(over);
        // What is announced need not come: a little room is made for it at once, and more as it does.
        let announced = self.remaining().unwrap_or(0).min(ROOM as u64);
        let mut all = BytesMut::new();
        while !is_over && let Some(piece) = self.chunk().await {
            let piece = piece?;
            is_over = over(all.len() as u64 + piece.len() as u64);
            if all.is_empty() {
                all.reserve(piece.len().max(announced as usize));
            }
            all.extend_from_slice(&piece);
        }
        if is_over {
            let error = Error::protocol(format!("the body is over {limit} bytes"));
            return Err(error.after_answer().with_site(|| self.site));
        }
        Ok(all.freeze())
    }

    /// The next piece, or nothing at the end.
    ///
    /// # Errors
    /// When the connection fails first.
    pub async fn chunk(&mut self) -> Option<Result<Bytes>> {
        poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }
}

impl Stream for Body {
    type Item = Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        let item = match &mut this.resuming {
            None => ready!(Pin::new(&mut this.inner).poll_next(cx)).map(|p| p.map_err(failed)),
            Some(resuming) => ready!(resuming.poll_next(&mut this.inner, cx)),
        };
        let item = match item {
            Some(Ok(piece)) => {
                if let Some(inspector) = &mut this.inspector {
                    inspector.update(&piece);
                }
                Some(Ok(piece))
            }
            Some(Err(error)) => Some(Err(error)),
            None => {
                let finished = this.inspector.take().map(Inspect::finish);
                finished
                    .and_then(Result::err)
                    .map(|e| Err(e.after_answer()))
            }
        };
        Poll::Ready(item.map(|piece| piece.map_err(|e| e.with_site(|| this.site.clone()))))
    }
}

impl Resuming {
    /// The next piece of the body, which becomes that of the rest when it is cut.
    fn poll_next(
        &mut self,
        inner: &mut pipeline_pool::Body,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes>>> {
        loop {
            if let Some(rest) = &mut self.rest {
                let rest = rest.get_mut().unwrap_or_else(PoisonError::into_inner);
                let body = ready!(rest.as_mut().poll(cx));
                self.rest = None;
                match body {
                    Ok(body) => *inner = body.inner,
                    Err(error) => {
                        // Whoever reads on finds the end of it, not what is left of the connection.
                        *inner = pipeline_pool::Body::empty();
                        return Poll::Ready(Some(Err(error)));
                    }
                }
            }
            match ready!(Pin::new(&mut *inner).poll_next(cx)) {
                Some(Ok(piece)) => {
                    self.read += piece.len() as u64;
                    return Poll::Ready(Some(Ok(piece)));
                }
                None => return Poll::Ready(None),
                Some(Err(error)) => match self.resume.resume(self.read) {
                    Some(rest) => self.rest = Some(Mutex::new(rest)),
                    None => return Poll::Ready(Some(Err(failed(error)))),
                },
            }
        }
    }
}

/// The error of a body: its request was sent, whatever the transport says.
fn failed(cause: pipeline_pool::Error) -> Error {
    Error::from(cause).after_answer()
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

struct Both(Box<dyn Inspect>, Box<dyn Inspect>);

impl Inspect for Both {
    fn update(&mut self, piece: &[u8]) {
        self.0.update(piece);
        self.1.update(piece);
    }

    fn finish(self: Box<Self>) -> Result<()> {
        self.0.finish()?;
        self.1.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Kind;
    use futures_util::{StreamExt as _, stream};
    use pipeline_pool::Origin;

    /// Wants this many bytes.
    struct Count(usize);

    impl Inspect for Count {
        fn update(&mut self, piece: &[u8]) {
            self.0 = self.0.wrapping_sub(piece.len());
        }

        fn finish(self: Box<Self>) -> Result<()> {
            match self.0 {
                0 => Ok(()),
                n => Err(Error::protocol(format!("{n} off"))),
            }
        }
    }

    fn body(inner: pipeline_pool::Body) -> Body {
        let site = Site {
            service: "S3",
            operation: "GetObject",
            origin: Some(Origin::parse("http://h").unwrap()),
            resource: None,
            key: None,
        };
        Body::new(inner, site)
    }

    fn streamed() -> Body {
        let pieces = ["me", "ow"].map(|piece| Ok(Bytes::from(piece)));
        body(pipeline_pool::Body::from_stream(
            Some(4),
            stream::iter(pieces),
        ))
    }

    #[test]
    fn what_is_here_is_inspected_at_once() {
        let whole = || body(Bytes::from("meow").into());
        assert!(whole().inspected(Count(4)).is_ok());
        assert!(whole().inspected(Count(5)).is_err());
    }

    #[tokio::test]
    async fn what_is_here_is_held_to_the_limit() {
        let whole = || body(Bytes::from("meow").into());
        assert_eq!(whole().bytes(4).await.unwrap(), "meow");
        assert_eq!(whole().bytes(3).await.unwrap_err().kind(), Kind::Protocol);
    }

    #[tokio::test]
    async fn a_stream_is_inspected_as_it_is_read() {
        let right = streamed().inspected(Count(4)).unwrap();
        let right = right.inspected(Count(4)).unwrap();
        assert_eq!(right.bytes(9).await.unwrap(), "meow");
        // Each of two is asked.
        for (first, second) in [(5, 4), (4, 5)] {
            let two = || {
                let one = streamed().inspected(Count(first)).unwrap();
                one.inspected(Count(second)).unwrap()
            };
            let error = two().bytes(9).await.unwrap_err();
            assert_eq!(error.kind(), Kind::Protocol);
            assert!(error.to_string().contains("GetObject"), "{error}");
            let pieces: Vec<_> = two().collect().await;
            let ok: Vec<_> = pieces.iter().map(Result::is_ok).collect();
            assert_eq!(ok, [true, true, false]);
        }
    }

    struct Never;

    impl Resume for Never {
        fn resume(&mut self, _: u64) -> Option<Rest> {
            None
        }
    }

    #[tokio::test]
    async fn room_for_what_is_announced_is_made_once() {
        let pieces = [b'x'; 3].map(|x| Ok(Bytes::from(vec![x; 1000])));
        let inner = pipeline_pool::Body::from_stream(Some(3000), stream::iter(pieces));
        let whole = body(inner).resumed(Never).bytes(3000).await.unwrap();
        let whole = BytesMut::from(whole);
        assert_eq!((whole.len(), whole.capacity()), (3000, 3000));
    }
}
