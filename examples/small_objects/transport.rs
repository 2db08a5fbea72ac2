//! The pool, with a count of what is sent through it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use aws_core::Transport;
use aws_core::transport::ResponseFuture;
use pipeline_pool::{HttpPool, Origin, Request};

/// A pool that counts attempts: those beyond the number of requests were retries.
#[derive(Clone, Debug)]
pub(crate) struct Counted {
    pub pool: HttpPool,
    attempts: Arc<AtomicU64>,
}

impl Counted {
    pub(crate) fn new(pool: HttpPool) -> Self {
        Self {
            pool,
            attempts: Arc::default(),
        }
    }

    pub(crate) fn attempts(&self) -> u64 {
        self.attempts.load(Ordering::Relaxed)
    }
}

impl Transport for Counted {
    fn send(&self, origin: &Origin, request: Request) -> ResponseFuture {
        self.attempts.fetch_add(1, Ordering::Relaxed);
        Transport::send(&self.pool, origin, request)
    }

    fn keeps_deadlines(&self) -> bool {
        self.pool.keeps_deadlines()
    }
}
