//! object_store's S3 client, path-style: the target is `/bucket/key`. Requests are unsigned, or
//! signed as it does by itself (Version 4).
//!
//! Below the number of tasks a semaphore bounds the requests in flight, as for reqwest.

use std::fmt;
use std::sync::Arc;

use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::path::Path;
use object_store::{ClientOptions, ObjectStoreExt};
use tokio::sync::Semaphore;

use super::{Client, Session};
use crate::BoxError;

/// A store with at most so many requests in flight.
#[derive(Clone)]
pub struct Store {
    store: Arc<AmazonS3>,
    path: Path,
    permits: Arc<Semaphore>,
}

impl Store {
    /// At most `connections` at once.
    ///
    /// # Errors
    /// When the target is not `/bucket/key`, or object_store refuses the rest.
    pub fn new(
        endpoint: &str,
        target: &str,
        connections: usize,
        signed: bool,
    ) -> Result<Self, BoxError> {
        let path = target.strip_prefix('/').and_then(|t| t.split_once('/'));
        let (bucket, key) = path.ok_or("the target must be /bucket/key")?;
        super::provide_tls();
        let store = AmazonS3Builder::new()
            .with_endpoint(endpoint)
            .with_bucket_name(bucket)
            .with_region("us-east-1")
            .with_skip_signature(!signed)
            .with_access_key_id("AKIDBENCH")
            .with_secret_access_key("the-secret-of-the-benchmark")
            .with_client_options(
                ClientOptions::new()
                    .with_allow_http(true)
                    .with_pool_max_idle_per_host(connections),
            )
            .build()?;
        Ok(Self {
            store: Arc::new(store),
            path: Path::from(key),
            permits: Arc::new(Semaphore::new(connections)),
        })
    }
}

impl Client for Store {
    type Session = Self;

    fn session(&self) -> Self {
        self.clone()
    }
}

impl Session for Store {
    async fn get(&mut self) -> Result<usize, BoxError> {
        let _permit = self.permits.acquire().await?;
        Ok(self.store.get(&self.path).await?.bytes().await?.len())
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}
