//! The body of an answer, with errors that say whose it was.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_core::Stream;

use crate::error::{Error, Result, Site};

/// A body: here whole when it is small, else a [`Stream`] read from its connection as fast as it is consumed.
///
/// The operation's deadline ends with the head of the answer; a stalled stream is ended by the transport.
pub struct Body {
    inner: pipeline_pool::Body,
    site: Site,
}

impl Body {
    pub(crate) fn new(inner: pipeline_pool::Body, site: Site) -> Self {
        Self { inner, site }
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
    pub async fn bytes(self, limit: usize) -> Result<Bytes> {
        let Self { inner, site } = self;
        inner
            .bytes(limit)
            .await
            .map_err(|e| Error::from(e).with_site(|| site))
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
        let item = ready!(Pin::new(&mut self.inner).poll_next(cx));
        Poll::Ready(
            item.map(|piece| piece.map_err(|e| Error::from(e).with_site(|| self.site.clone()))),
        )
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}
