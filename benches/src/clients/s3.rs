//! The whole S3 client of this workspace: typed calls, signed with Version 2, answers read.
//!
//! The target is `/bucket/key`, path-style.

use std::time::Duration;

use bytes::Bytes;
use pipeline_pool::HttpPool;
use s3_client::{Addressing, Bucket, Credentials, S3Client, Signature};

use super::pool::Pool;
use super::{Client, Session, Writer, bucket_and_key};
use crate::BoxError;
use crate::keys::Keys;

/// For how long a link is good.
const LINK: Duration = Duration::from_hours(1);

/// A bucket, a key in it, and the pool below.
#[derive(Clone, Debug)]
pub struct S3 {
    bucket: Bucket,
    key: String,
    pool: Pool,
}

impl S3 {
    /// A client of its own with these keys, over a pool as [`Pool::new`] makes it.
    ///
    /// # Errors
    /// When the target is not `/bucket/key`, or the endpoint cannot be read.
    pub fn new(
        endpoint: &str,
        target: &str,
        keys: &Keys,
        connections: Option<usize>,
        depth: Option<usize>,
    ) -> Result<Self, BoxError> {
        Self::over(
            Pool::new(endpoint, target, connections, depth)?,
            endpoint,
            target,
            keys,
        )
    }

    /// A client of its own with these keys, over this pool.
    ///
    /// # Errors
    /// When the target is not `/bucket/key`, or the endpoint cannot be read.
    pub fn over(pool: Pool, endpoint: &str, target: &str, keys: &Keys) -> Result<Self, BoxError> {
        let (bucket, key) = bucket_and_key(target)?;
        Ok(Self {
            bucket: signing(&pool, endpoint, keys, Signature::V2)?.bucket(bucket),
            key: key.to_owned(),
            pool,
        })
    }

    /// The same, signing by Version 4 with these keys.
    ///
    /// # Errors
    /// When the keys are none.
    pub fn by_v4(self, keys: &Keys) -> Result<Self, BoxError> {
        let endpoint = self.pool.endpoint();
        let client = signing(&self.pool, &endpoint, keys, Signature::v4("us-east-1"))?;
        Ok(Self {
            bucket: client.bucket(self.bucket.name()),
            ..self
        })
    }

    /// Stores an object of so many bytes at the target, in a bucket that is made if need be.
    ///
    /// # Errors
    /// What the server says.
    pub async fn upload(&self, body: usize) -> Result<(), BoxError> {
        if self.bucket.head_bucket().await.is_err() {
            self.bucket.create().await?;
        }
        let body = vec![b'x'; body];
        self.bucket.put(self.key.as_str(), body).await?;
        Ok(())
    }

    /// The path and query of a link to the target that is good for an hour: for clients that do not sign.
    ///
    /// # Errors
    /// When the key cannot be in a link.
    pub async fn link(&self) -> Result<String, BoxError> {
        let link = self.bucket.presign_get(self.key.as_str());
        let url = link.expires(LINK).await?.into_url();
        let path = url
            .split_once("://")
            .and_then(|(_, rest)| Some(&rest[rest.find('/')?..]));
        Ok(path.ok_or("a link without a path")?.to_owned())
    }

    /// The pool below.
    pub fn pool(&self) -> &Pool {
        &self.pool
    }
}

/// A client over this pool that signs so.
fn signing(
    pool: &Pool,
    endpoint: &str,
    keys: &Keys,
    signature: Signature,
) -> Result<S3Client, BoxError> {
    let http: HttpPool = pool.inner().clone();
    let builder = S3Client::builder().endpoint(endpoint).pool(http);
    let credentials = Credentials::new(keys.access()?, keys.secret()?);
    let builder = builder.addressing(Addressing::Path);
    Ok(builder
        .signature(signature)
        .credentials(credentials)
        .build()?)
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

impl Writer for S3 {
    async fn put(&mut self, body: Bytes) -> Result<(), BoxError> {
        self.bucket.put(self.key.as_str(), body).send().await?;
        Ok(())
    }
}
