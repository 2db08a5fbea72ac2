//! The pool with many origins, all of which are one server under other names.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use pipeline_pool::{HttpPool, Origin, Resolve, Resolving};

use super::pool::Pool;
use super::{Client, Session};
use crate::BoxError;

/// Every host has this address.
#[derive(Debug)]
pub struct Everywhere(pub SocketAddr);

impl Resolve for Everywhere {
    fn resolve(&self, _: &str, _: u16) -> Resolving {
        let address = self.0;
        Box::pin(async move { Ok(vec![address]) })
    }
}

/// One pool and its origins, which are asked in turn.
#[derive(Clone, Debug)]
pub struct Origins {
    pool: HttpPool,
    origins: Arc<[Origin]>,
    target: Arc<str>,
    next: Arc<AtomicUsize>,
}

impl Origins {
    /// So many origins, each with up to as many connections as the pool's default allows, all of them together with one for
    /// each and some more.
    ///
    /// # Errors
    /// When a name is none.
    pub fn new(server: SocketAddr, target: &str, count: usize) -> Result<Self, BoxError> {
        let builder = HttpPool::builder().resolver(Everywhere(server));
        let name = |i| Origin::parse(&format!("http://h{i}.bench:{}", server.port()));
        Ok(Self {
            pool: builder.max_total_connections(count + 256).build(),
            origins: (0..count).map(name).collect::<Result<_, _>>()?,
            target: target.into(),
            next: Arc::default(),
        })
    }
}

impl Client for Origins {
    type Session = Self;

    fn session(&self) -> Self {
        self.clone()
    }
}

impl Session for Origins {
    async fn get(&mut self) -> Result<usize, BoxError> {
        let at = self.next.fetch_add(1, Relaxed) % self.origins.len();
        Pool::fetch(&self.pool, &self.origins[at], &self.target).await
    }
}
