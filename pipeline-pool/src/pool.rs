//! The pool of HTTP/1.1 connections.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::error::{Error, Kind};
use crate::http1::{Request, Response};
use crate::origin::Origin;

/// A pool; cheap to clone.
#[derive(Clone, Debug)]
pub struct HttpPool(());

/// Builds an [`HttpPool`].
#[derive(Debug)]
pub struct HttpPoolBuilder(());

/// A request under way.
#[must_use = "nothing is sent until this is awaited"]
#[derive(Debug)]
pub struct Sending(());

impl HttpPool {
    /// Sends a request.
    pub fn send(&self, _origin: &Origin, _request: Request) -> Sending {
        Sending(())
    }
    /// A pool with other settings than the defaults.
    pub fn builder() -> HttpPoolBuilder {
        HttpPoolBuilder(())
    }
}

impl HttpPoolBuilder {
    /// The pool.
    pub fn build(self) -> HttpPool {
        HttpPool(())
    }
}

impl Future for Sending {
    type Output = Result<Response, Error>;
    fn poll(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(Err(Error::new(Kind::Shutdown, "not built yet")))
    }
}
