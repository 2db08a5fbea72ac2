//! The pool of HTTP/1.1 connections.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::task::{Context, Poll};
use std::time::Duration;

use crate::builder::HttpPoolBuilder;
use crate::connect::{self, Settings, SharedConnect};
use crate::engine::config::Config;
use crate::engine::shell::endpoint::{self, Endpoint};
use crate::engine::shell::extra_permit::ExtraPermits;
use crate::engine::shell::open::{Dialing, Open};
use crate::engine::shell::permits::SharedPermits;
use crate::engine::shell::sending::SendingCall;
use crate::engine::shell::spare_buffers::SpareBuffers;
use crate::error::Error;
use crate::http1::codec::Http1;
use crate::http1::decode::Limits;
use crate::http1::wait::Silences;
use crate::http1::{Request, Response};
use crate::origin::Origin;
use crate::origins::Origins;
use crate::protocol::ConnectionId;
use crate::stats::Stats;

/// A bounded pool of pipelined HTTP/1.1 connections to any number of origins.
///
/// Cheap to clone; clones share everything. Connections open on demand, within the caps of the
/// [builder](HttpPoolBuilder), and a pool outlives the runtime that opened them: used from another
/// one it opens new ones. Dropping the last clone lets idle connections go at once and the others
/// when they are done.
#[derive(Clone)]
pub struct HttpPool(Arc<HttpPoolInner>);

struct HttpPoolInner {
    config: Config,
    limits: Limits,
    connect: Arc<SharedConnect>,
    permits: Arc<SharedPermits>,
    buffers: Arc<SpareBuffers>,
    endpoints: RwLock<Origins>,
    /// No new request is taken, nor for an origin that was not known then.
    closed: AtomicBool,
}

impl Default for HttpPool {
    fn default() -> Self {
        Self::new()
    }
}

impl HttpPool {
    /// A pool with the default bounds.
    pub fn new() -> Self {
        HttpPoolBuilder::default().build()
    }

    /// A pool with bounds of one's own.
    pub fn builder() -> HttpPoolBuilder {
        HttpPoolBuilder::default()
    }

    pub(crate) fn with(config: Config, limits: Limits, settings: Settings) -> Self {
        Self(Arc::new(HttpPoolInner {
            permits: SharedPermits::new(config.max_total),
            buffers: Arc::new(SpareBuffers::new(config.read_buffer)),
            config,
            limits,
            connect: SharedConnect::new(settings),
            endpoints: RwLock::default(),
            closed: AtomicBool::new(false),
        }))
    }

    /// Sends a request; the future resolves once the head of the answer is here, with the whole
    /// body when that is small.
    ///
    /// A body over [`max_whole_body`](HttpPoolBuilder::max_whole_body) (64 KiB by default) is read
    /// from its connection as its reader takes it, and that connection serves nothing else until the
    /// body is read to its end or dropped. Whoever holds as many such responses unread as there may
    /// be [connections](HttpPoolBuilder::max_connections) leaves none for further requests, which
    /// then fail with [`Kind::WaitTimeout`](crate::Kind::WaitTimeout) after the
    /// [`wait_timeout`](HttpPoolBuilder::wait_timeout); the error says how many connections are held
    /// so.
    ///
    /// Nothing happens before the first poll, which must be within a tokio runtime with time and
    /// IO enabled. Dropping the future gives the request up: if it is already written, its answer
    /// is read and thrown away, and no other request is hurt.
    ///
    /// # Errors
    /// The future fails as [`Error::kind`] says; [`Error::may_have_been_sent`] tells whether the
    /// server may have run the request.
    pub fn send(&self, origin: &Origin, request: Request) -> Sending {
        let endpoint = self.endpoint(origin);
        let (timeout, deadline) = (request.timeout, request.deadline);
        // OpenTelemetry's names; https://opentelemetry.io/docs/specs/semconv/http/http-spans/
        let span = tracing::debug_span!(
            "http.client.request",
            otel.kind = "client",
            http.request.method = request.method().as_str(),
            url.scheme = if origin.is_tls() { "https" } else { "http" },
            server.address = origin.host(),
            server.port = origin.port(),
            network.protocol.version = "1.1",
            http.response.status_code = tracing::field::Empty,
            error.type = tracing::field::Empty,
        );
        let inner = SendingCall::new(endpoint, request, timeout, deadline);
        Sending { inner, span }
    }

    fn endpoint(&self, origin: &Origin) -> Arc<Endpoint<Http1>> {
        let endpoints = self.0.endpoints.read();
        let found = endpoints
            .unwrap_or_else(PoisonError::into_inner)
            .get(origin)
            .cloned();
        if let Some(endpoint) = found {
            return endpoint;
        }
        let mut endpoints = self
            .0
            .endpoints
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        let make = || {
            let opener = HttpOpener {
                connect: connect::Opener::new(origin, &self.0.connect),
                limits: self.0.limits,
                silences: Silences::default(),
            };
            let endpoint = Endpoint::new(
                self.0.config.clone(),
                Box::new(opener),
                self.0.permits.clone(),
                self.0.buffers.clone(),
            );
            if self.0.closed.load(Ordering::Acquire) {
                endpoint.retire(true);
            }
            endpoint
        };
        let now = tokio::time::Instant::now().into_std();
        endpoints.get_or_make(origin, now, make)
    }

    /// What the pool has done so far, and what it is doing now.
    pub fn stats(&self) -> Stats {
        let endpoints = self
            .0
            .endpoints
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        let (connections, most_connections) = self.0.permits.used();
        let (origins, forgotten) = endpoints.stats();
        Stats {
            connections,
            most_connections,
            origins,
            forgotten,
        }
    }

    /// Takes no new request, and resolves once every connection is closed; those that are not
    /// done after `grace` are given up.
    pub async fn close(self, grace: Duration) {
        // Whoever adds an endpoint later, under the same lock, sees it.
        self.0.closed.store(true, Ordering::Release);
        let endpoints: Vec<_> = {
            let endpoints = self
                .0
                .endpoints
                .read()
                .unwrap_or_else(PoisonError::into_inner);
            endpoints.all().cloned().collect()
        };
        endpoint::close(&endpoints, grace).await;
    }
}

impl Drop for HttpPoolInner {
    fn drop(&mut self) {
        let endpoints = self
            .endpoints
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner);
        for endpoint in endpoints.all() {
            endpoint.retire(false);
        }
    }
}

impl fmt::Debug for HttpPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpPool")
            .field("config", &self.0.config)
            .finish_non_exhaustive()
    }
}

/// Makes the connections of one origin.
struct HttpOpener {
    connect: connect::Opener,
    limits: Limits,
    silences: Silences,
}

impl Open<Http1> for HttpOpener {
    fn open<'a>(&'a self, permits: &'a dyn ExtraPermits, _: ConnectionId) -> Dialing<'a, Http1> {
        Box::pin(async {
            let opened = self.connect.open(permits).await?;
            opened.works();
            let http = Http1::new(self.limits).with_silences(self.silences.clone());
            Ok((opened, http))
        })
    }

    fn name(&self) -> String {
        self.connect.origin().to_string()
    }
}

/// A request under way, made by [`HttpPool::send`].
#[must_use = "nothing is sent until this is awaited"]
pub struct Sending {
    inner: SendingCall<Http1>,
    span: tracing::Span,
}

impl Future for Sending {
    type Output = Result<Response, Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let _entered = this.span.enter();
        let outcome = Pin::new(&mut this.inner).poll(cx);
        if let Poll::Ready(outcome) = &outcome
            && !this.span.is_disabled()
        {
            match outcome {
                Ok(response) => {
                    this.span
                        .record("http.response.status_code", response.status());
                }
                Err(error) => {
                    this.span
                        .record("error.type", tracing::field::debug(error.kind()));
                }
            }
        }
        outcome
    }
}

impl fmt::Debug for Sending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sending")
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};

    use super::*;
    use crate::Method;

    const REPLY: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello";

    /// Takes one request.
    async fn asked(server: &TcpListener) -> TcpStream {
        let (mut stream, _) = server.accept().await.unwrap();
        let (mut request, mut part) = (Vec::new(), [0; 1024]);
        while !request.ends_with(b"\r\n\r\n") {
            let n = stream.read(&mut part).await.unwrap();
            request.extend_from_slice(&part[..n]);
        }
        stream
    }

    #[tokio::test]
    async fn connections_of_all_origins_read_into_the_same_memory() {
        let pool = HttpPool::new();
        let mut asking = Vec::new();
        for _ in 0..2 {
            let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let origin = format!("http://{}", server.local_addr().unwrap());
            let origin = Origin::parse(&origin).unwrap();
            let request = Request::new(Method::Get, &origin, "/").unwrap();
            let sending = tokio::spawn(pool.send(&origin, request));
            asking.push((sending, asked(&server).await));
        }
        // Both wait, so neither has a buffer; each of them gets it once its reply comes.
        let mut places = Vec::new();
        let mut replies = Vec::new();
        for (sending, mut stream) in asking.into_iter().rev() {
            stream.write_all(REPLY).await.unwrap();
            let reply = sending.await.unwrap().unwrap();
            places.push(reply.body().as_whole().unwrap().as_ptr() as usize);
            replies.push((reply, stream));
        }
        assert_eq!(places[1], places[0] + REPLY.len());
    }
}
