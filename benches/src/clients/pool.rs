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
    /// Replies and writes up to the last mark.
    before: Arc<Mutex<(u64, u64)>>,
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
        Self::refused(endpoint, target, connections, depth, None)
    }

    /// The same, with every so many-th connection refused.
    ///
    /// # Errors
    /// When the endpoint is not `http://host:port`.
    pub fn refused(
        endpoint: &str,
        target: &str,
        connections: Option<usize>,
        depth: Option<usize>,
        refuse: Option<usize>,
    ) -> Result<Self, BoxError> {
        let mut builder = HttpPool::builder();
        if let Some(every) = refuse {
            builder = builder.connector(Refusing::new(every));
        }
        if let Some(n) = connections {
            builder = builder.max_connections(n).max_total_connections(n.max(256));
        }
        if let Some(depth) = depth {
            builder = builder.max_pipeline(depth);
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

    /// The depth that connections are pipelined to now.
    pub fn depth(&self) -> usize {
        let stats = self.pool.stats();
        stats.origins.first().map_or(0, |origin| origin.depth)
    }

    fn written(&self) -> (u64, u64) {
        let stats = self.pool.stats();
        let origin = stats.origins.first();
        origin.map_or((0, 0), |o| (o.replies, o.writes))
    }

    fn before(&self) -> MutexGuard<'_, (u64, u64)> {
        self.before.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From here on [`per_write`](Self::per_write) counts.
    pub fn mark(&self) {
        *self.before() = self.written();
    }

    /// Requests that left in one write on average since the mark.
    pub fn per_write(&self) -> f64 {
        let (replies, writes) = self.written();
        let (replies_before, writes_before) = *self.before();
        (replies - replies_before) as f64 / (writes - writes_before).max(1) as f64
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
        let request = Request::new(Method::Get, &self.origin, &self.target)?;
        let (head, body) = self.pool.send(&self.origin, request).await?.into_parts();
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
