//! The pool of this workspace: a fresh [`Request`] each time, the body of the answer taken whole.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use pipeline_pool::{HttpPool, Method, Origin, Request};

use super::{Client, Session, Writer, stored};
use crate::BoxError;
use crate::burst::Refusing;

/// The pool, one origin and one target.
#[derive(Clone, Debug)]
pub struct Pool {
    pool: HttpPool,
    origin: Origin,
    target: String,
    /// Replies, writes and second copies up to the last mark.
    before: Arc<Mutex<[u64; 3]>>,
}

/// The settings of a pool; without one, the pool's own default counts.
#[derive(Clone, Debug, Default)]
pub struct PoolSettings {
    /// The most connections.
    pub connections: Option<usize>,
    /// The most requests in flight on each.
    pub depth: Option<usize>,
    /// Whether that depth is not learnt, but set.
    pub fixed: bool,
    /// The share of requests that may be sent a second time while the first is late.
    pub hedge: Option<f64>,
    /// Every so many-th connection is refused.
    pub refuse: Option<usize>,
    /// The certificate that is trusted, in PEM.
    pub roots: Option<Vec<u8>>,
}

impl Pool {
    /// A pool of so many connections, each with up to `depth` requests in flight; `None` leaves
    /// the pool's own default.
    ///
    /// # Errors
    /// When the endpoint is not `http://host:port`.
    pub fn new(
        endpoint: &str,
        target: &str,
        connections: Option<usize>,
        depth: Option<usize>,
    ) -> Result<Self, BoxError> {
        let settings = PoolSettings {
            connections,
            depth,
            ..PoolSettings::default()
        };
        Self::with(endpoint, target, &settings)
    }

    /// A pool with these settings.
    ///
    /// # Errors
    /// When the endpoint is not `http://host:port`.
    pub fn with(endpoint: &str, target: &str, settings: &PoolSettings) -> Result<Self, BoxError> {
        let mut builder = HttpPool::builder();
        if let Some(every) = settings.refuse {
            builder = builder.connector(Refusing::new(every));
        }
        if let Some(n) = settings.connections {
            builder = builder.max_connections(n).max_total_connections(n.max(256));
        }
        match settings.depth {
            Some(depth) if settings.fixed => builder = builder.fixed_pipeline(depth),
            Some(depth) => builder = builder.max_pipeline(depth),
            None => {}
        }
        if let Some(share) = settings.hedge {
            builder = builder.hedge(share);
        }
        if let Some(pem) = &settings.roots {
            builder = builder.tls_roots(pem)?;
        }
        Ok(Self {
            pool: builder.build(),
            origin: Origin::parse(endpoint)?,
            target: target.to_owned(),
            before: Arc::default(),
        })
    }

    /// The pool itself.
    pub fn inner(&self) -> &HttpPool {
        &self.pool
    }

    /// The server's URL.
    pub fn endpoint(&self) -> String {
        self.origin.to_string()
    }

    /// The depth that connections are pipelined to now.
    pub fn depth(&self) -> usize {
        let stats = self.pool.stats();
        stats.origins.first().map_or(0, |origin| origin.depth)
    }

    /// Replies, writes and second copies so far.
    fn counted(&self) -> [u64; 3] {
        let stats = self.pool.stats();
        let origin = stats.origins.first();
        origin.map_or([0; 3], |o| [o.replies, o.writes, o.hedges])
    }

    fn before(&self) -> MutexGuard<'_, [u64; 3]> {
        self.before.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From here on [`per_write`](Self::per_write) and [`extra`](Self::extra) count.
    pub fn mark(&self) {
        *self.before() = self.counted();
    }

    /// Requests that left in one write on average since the mark.
    pub fn per_write(&self) -> f64 {
        let ([replies, writes, _], before) = (self.counted(), *self.before());
        (replies - before[0]) as f64 / (writes - before[1]).max(1) as f64
    }

    /// Requests that were sent a second time since the mark, for each reply.
    pub fn extra(&self) -> f64 {
        let ([replies, _, hedges], before) = (self.counted(), *self.before());
        (hedges - before[2]) as f64 / (replies - before[0]).max(1) as f64
    }

    /// The most requests that were in flight on one connection so far.
    pub fn deepest(&self) -> usize {
        self.pool.stats().deepest()
    }
}

impl Client for Pool {
    type Session = Self;

    fn session(&self) -> Self {
        self.clone()
    }
}

impl Session for Pool {
    async fn get(&mut self) -> Result<usize, BoxError> {
        Self::fetch(&self.pool, &self.origin, &self.target).await
    }
}

impl Pool {
    /// One GET by this pool. Returns the body's length in bytes.
    ///
    /// # Errors
    /// As [`Session::get`].
    pub async fn fetch(pool: &HttpPool, origin: &Origin, target: &str) -> Result<usize, BoxError> {
        let request = Request::new(Method::Get, origin, target)?;
        let (head, body) = pool.send(origin, request).await?.into_parts();
        if head.status() != 200 {
            return Err(format!("status {}", head.status()).into());
        }
        match body.as_whole() {
            Some(bytes) => Ok(bytes.len()),
            None => Ok(body.bytes(usize::MAX).await?.len()),
        }
    }
}

impl Writer for Pool {
    async fn put(&mut self, body: Bytes) -> Result<(), BoxError> {
        let mut request = Request::new(Method::Put, &self.origin, &self.target)?;
        request.body(body);
        let (head, body) = self.pool.send(&self.origin, request).await?.into_parts();
        stored(head.status())?;
        if body.as_whole().is_none() {
            body.bytes(usize::MAX).await?;
        }
        Ok(())
    }
}
