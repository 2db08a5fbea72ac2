//! The whole S3 client of this workspace: typed calls, signed with Version 2, answers read.
//!
//! The target is `/bucket/key`, path-style.

use pipeline_pool::HttpPool;
use s3_client::{Bucket, Credentials, S3Client};

use super::pool::Pool;
use super::{Client, Session};
use crate::BoxError;

/// A bucket, a key in it, and the pool below.
#[derive(Clone, Debug)]
pub struct S3 {
    bucket: Bucket,
    key: String,
    pool: Pool,
}

impl S3 {
    /// A client of its own over a pool as [`Pool::new`] makes it.
    ///
    /// # Errors
    /// When the target is not `/bucket/key`, or the endpoint cannot be read.
    pub fn new(
        endpoint: &str,
        target: &str,
        connections: Option<usize>,
        depth: Option<usize>,
    ) -> Result<Self, BoxError> {
        let path = target.strip_prefix('/').and_then(|t| t.split_once('/'));
        let (bucket, key) = path.ok_or("the target must be /bucket/key")?;
        let pool = Pool::new(endpoint, target, connections, depth)?;
        let http: HttpPool = pool.inner().clone();
        let client = S3Client::builder()
            .endpoint(endpoint)
            .credentials(Credentials::new("AKIDBENCH", "the-secret-of-the-benchmark"))
            .pool(http)
            .build()?;
        Ok(Self {
            bucket: client.bucket(bucket),
            key: key.to_owned(),
            pool,
        })
    }

    /// The pool below.
    pub fn pool(&self) -> &Pool {
        &self.pool
    }
}

impl Client for S3 {
    type Session = Self;

    fn session(&self) -> Self {
        self.clone()
    }
}

impl Session for S3 {
    async fn get(&mut self) -> Result<usize, BoxError> {
        let object = self.bucket.get(self.key.as_str()).send().await?;
        Ok(object.body.bytes(usize::MAX).await?.len())
    }
}
