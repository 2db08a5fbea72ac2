//! Objects through the cache of the S3 client, all of them in memcached.

use std::net::SocketAddr;
use std::time::Duration;

use s3_client::cache_layer::{Cache, Memcached};
use s3_client::{Bucket, Credentials, S3Client};

use crate::BoxError;
use crate::clients::{Client, Session};

/// Objects that are read, in no order: so many that two tasks seldom read the same at once and share an answer.
const OBJECTS: usize = 20_000;

/// A bucket behind a cache.
#[derive(Clone, Debug)]
pub struct Cached {
    bucket: Bucket,
    cache: Cache,
}

impl Cached {
    /// Over the memcached at one address and the store at the other, on so many connections to memcached, or as many
    /// as are its default.
    ///
    /// # Errors
    /// When it cannot be built.
    pub fn new(
        memcached: SocketAddr,
        store: SocketAddr,
        connections: Option<usize>,
    ) -> Result<Self, BoxError> {
        let mut builder = Memcached::builder().servers([memcached.to_string()]);
        if let Some(n) = connections {
            builder = builder.connections(n);
        }
        let memcached = builder.timeout(Duration::from_secs(10)).build()?;
        let cache = Cache::builder(memcached, Duration::from_secs(86_400)).build()?;
        let s3 = S3Client::builder()
            .endpoint(format!("http://{store}"))
            .credentials(Credentials::new("AKIDBENCH", "the-secret-of-the-benchmark"))
            .cache(cache.clone())
            .build()?;
        Ok(Self {
            bucket: s3.bucket("bench"),
            cache,
        })
    }

    /// Reads each object once, so that memcached has it.
    ///
    /// # Errors
    /// When one cannot be read, or is not stored.
    pub async fn fill(&self) -> Result<(), BoxError> {
        for number in 0..OBJECTS {
            self.read(number).await?;
        }
        match self.cache.stats().fills {
            fills if fills == OBJECTS as u64 => Ok(()),
            fills => Err(format!("only {fills} objects of {OBJECTS} were stored").into()),
        }
    }

    /// Reads that memcached did not answer.
    pub fn misses(&self) -> u64 {
        let stats = self.cache.stats();
        stats.misses + stats.past
    }

    async fn read(&self, number: usize) -> Result<usize, BoxError> {
        let object = self.bucket.get(format!("object/{number}")).send().await?;
        Ok(object.body.bytes(usize::MAX).await?.len())
    }
}

impl Client for Cached {
    type Session = Self;

    fn session(&self) -> Self {
        self.clone()
    }
}

impl Session for Cached {
    async fn get(&mut self) -> Result<usize, BoxError> {
        self.read(fastrand::usize(..OBJECTS)).await
    }
}
