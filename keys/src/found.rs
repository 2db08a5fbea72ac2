//! What a list finds, as a stream.

use std::fmt;
use std::future::ready;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;
use futures_util::{TryStreamExt as _, stream};
use s3_client::Result;

/// What a list finds, one after another: by [`try_next`](Self::try_next), or as a [`Stream`]. Pages are fetched as it is
/// read, and what is stored or removed meanwhile may be in it or not. After an error it may end early: begin a new list.
#[must_use = "nothing is fetched until the stream is read"]
pub struct Found<T>(Pin<Box<dyn Stream<Item = Result<T>> + Send>>);

impl<T> Found<T> {
    pub(crate) fn new(stream: impl Stream<Item = Result<T>> + Send + 'static) -> Self {
        Self(Box::pin(stream))
    }

    /// What is listed under a prefix, or why there is none.
    pub(crate) fn under(prefix: Result<String>, list: impl FnOnce(String) -> Self) -> Self
    where
        T: Send + 'static,
    {
        match prefix {
            Ok(prefix) => list(prefix),
            Err(error) => Self::new(stream::once(ready(Err(error)))),
        }
    }

    /// The next one, or nothing after the last.
    ///
    /// # Errors
    /// As the request for it fails.
    pub async fn try_next(&mut self) -> Result<Option<T>> {
        self.0.try_next().await
    }

    /// All that are left, in memory.
    ///
    /// # Errors
    /// As a request fails.
    pub async fn try_collect_all(self) -> Result<Vec<T>> {
        self.0.try_collect().await
    }

    /// Calls `step` with what came out so far, first `start`, and the next one; what comes out in the end. Nothing is
    /// kept in memory but that.
    ///
    /// # Errors
    /// As a request fails.
    pub async fn fold<A>(mut self, start: A, mut step: impl FnMut(A, T) -> A) -> Result<A> {
        let mut all = start;
        while let Some(one) = self.try_next().await? {
            all = step(all, one);
        }
        Ok(all)
    }
}

impl<T> Stream for Found<T> {
    type Item = Result<T>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<T>>> {
        self.0.as_mut().poll_next(cx)
    }
}

impl<T> fmt::Debug for Found<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Found").finish_non_exhaustive()
    }
}
