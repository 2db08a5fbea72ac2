//! What carries requests: the pool, or anything else.
//!
//! *Problem:* Tests need scripted answers, and some networks need HTTP/2 or the proxies of a system. *Decision:*
//! [`Transport`] is the line between clients and what carries requests. The pool is one; tests script another; reqwest
//! is a third, behind a feature. Reqwest cannot carry every key, since its URL library rewrites `..`, and then answers
//! with an error instead of sending what was not signed. *Cost:* One indirect call for each attempt.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use pipeline_pool::{HttpPool, Origin, Request, Response, Sending};

#[cfg(feature = "reqwest")]
pub mod reqwest;
#[cfg(feature = "testing")]
mod scripted;

#[cfg(feature = "reqwest")]
pub use self::reqwest::Reqwest;
#[cfg(feature = "testing")]
pub use self::scripted::{Scripted, ScriptedRequest, Step};

/// Carries one request to a server and brings its answer back.
///
/// [`HttpPool`] is the transport of the clients by default. Another one can stand in for a proxy, for another
/// HTTP library, or for the server in a test:
///
/// ```
/// use aws_core::transport::{ResponseFuture, Transport};
/// use pipeline_pool::{Head, Origin, Request, Response};
///
/// #[derive(Debug)]
/// struct Always(u16);
///
/// impl Transport for Always {
///     fn send(&self, _origin: &Origin, _request: Request) -> ResponseFuture {
///         let response = Response::new(Head::new(self.0, []), bytes::Bytes::new());
///         ResponseFuture::ready(Ok(response))
///     }
/// }
/// ```
pub trait Transport: fmt::Debug + Send + Sync {
    /// Sends a request; the future ends when the head of the answer is here.
    ///
    /// A transport must not send a request twice unless [`Request::is_repeatable`], and an error must say
    /// how much was sent.
    fn send(&self, origin: &Origin, request: Request) -> ResponseFuture;

    /// Whether [`Request::timeout`] and [`Request::deadline`] are kept by the transport itself. If not, a
    /// timer of the caller's keeps them. Defaults to no.
    fn keeps_deadlines(&self) -> bool {
        false
    }
}

impl Transport for HttpPool {
    fn send(&self, origin: &Origin, request: Request) -> ResponseFuture {
        ResponseFuture(ResponseState::Pool(HttpPool::send(self, origin, request)))
    }

    fn keeps_deadlines(&self) -> bool {
        true
    }
}

/// One transport can be given to several clients, or kept by the test that looks at it afterwards.
impl<T: Transport + ?Sized> Transport for Arc<T> {
    fn send(&self, origin: &Origin, request: Request) -> ResponseFuture {
        (**self).send(origin, request)
    }

    fn keeps_deadlines(&self) -> bool {
        (**self).keeps_deadlines()
    }
}

type Outcome = Result<Response, pipeline_pool::Error>;

/// A request under way in a [`Transport`].
#[must_use = "nothing happens until this is awaited"]
pub struct ResponseFuture(ResponseState);

enum ResponseState {
    Pool(Sending),
    Ready(Option<Outcome>),
    Boxed(Pin<Box<dyn Future<Output = Outcome> + Send>>),
}

impl ResponseFuture {
    /// The outcome of this future.
    pub fn new(future: impl Future<Output = Outcome> + Send + 'static) -> Self {
        Self(ResponseState::Boxed(Box::pin(future)))
    }

    /// An outcome that is already known.
    pub fn ready(outcome: Outcome) -> Self {
        Self(ResponseState::Ready(Some(outcome)))
    }
}

impl Future for ResponseFuture {
    type Output = Outcome;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Outcome> {
        match &mut self.0 {
            ResponseState::Pool(sending) => Pin::new(sending).poll(cx),
            ResponseState::Boxed(future) => future.as_mut().poll(cx),
            ResponseState::Ready(outcome) => match outcome.take() {
                Some(outcome) => Poll::Ready(outcome),
                None => Poll::Pending,
            },
        }
    }
}

impl fmt::Debug for ResponseFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arc_is_the_transport_in_it() {
        #[derive(Debug)]
        struct Never;

        impl Transport for Never {
            fn send(&self, _origin: &Origin, _request: Request) -> ResponseFuture {
                unreachable!("nothing is sent here")
            }
        }
        assert!(Arc::new(HttpPool::builder().build()).keeps_deadlines());
        assert!(!Arc::new(Never).keeps_deadlines());
    }
}
