//! object_store's S3 client, path-style: the target is `/bucket/key`. Requests are unsigned, or
//! signed as it does by itself (Version 4).
//!
//! Below the number of tasks a semaphore bounds the requests in flight, as for reqwest.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::path::Path;
use object_store::{Certificate, ClientOptions, ObjectStoreExt};
use tokio::sync::Semaphore;

use super::{Client, Session, Writer, bucket_and_key};
use crate::BoxError;
use crate::keys::Keys;

/// A store with at most so many requests in flight.
#[derive(Clone)]
pub struct Store {
    store: Arc<AmazonS3>,
    path: Path,
    permits: Arc<Semaphore>,
}

impl Store {
    /// At most `connections` at once; signed with these keys, or unsigned; trusting this certificate in PEM, where TLS is
    /// spoken.
    ///
    /// # Errors
    /// When the target is not `/bucket/key`, or object_store refuses the rest.
    pub fn new(
        endpoint: &str,
        target: &str,
        connections: usize,
        keys: Option<&Keys>,
        certificate: Option<&[u8]>,
    ) -> Result<Self, BoxError> {
        let mut options = ClientOptions::new()
            .with_allow_http(true)
            .with_pool_max_idle_per_host(connections);
        if let Some(pem) = certificate {
            options = options.with_root_certificate(Certificate::from_pem(pem)?);
        }
        let (bucket, key) = bucket_and_key(target)?;
        super::provide_tls();
        let mut builder = AmazonS3Builder::new()
            .with_endpoint(endpoint)
            .with_bucket_name(bucket)
            .with_region("us-east-1")
            .with_skip_signature(keys.is_none())
            .with_client_options(options);
        if let Some(keys) = keys {
            builder = builder
                .with_access_key_id(keys.access()?)
                .with_secret_access_key(keys.secret()?);
        }
        Ok(Self {
            store: Arc::new(builder.build()?),
            path: Path::from(key),
            permits: Arc::new(Semaphore::new(connections)),
        })
    }

    /// The store itself, and the path of the target.
    pub fn into_parts(self) -> (Arc<AmazonS3>, Path) {
        (self.store, self.path)
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

impl Writer for Store {
    async fn put(&mut self, body: Bytes) -> Result<(), BoxError> {
        let _permit = self.permits.acquire().await?;
        self.store.put(&self.path, body.into()).await?;
        Ok(())
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}
