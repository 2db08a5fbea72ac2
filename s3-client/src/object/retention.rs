//! Until when an object is kept from removal: [`Bucket::get_object_retention`] and [`Bucket::put_object_retention`].

use crate::bucket::Bucket;
use crate::bucket::config::{Config, GetConfig, OfObject, PutConfig, Retention, Settable};
use crate::idempotency::{self, Row};

impl Bucket {
    /// Fetches until when an object is kept from removal.
    ///
    /// An object that has no retention is [`is_not_found`](crate::Error::is_not_found), at some stores with the status
    /// 400 and the code `NoSuchObjectLockConfiguration`; the code is `InvalidRequest` where the bucket has no object
    /// lock.
    ///
    /// [GetObjectRetention](https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectRetention.html)
    pub fn get_object_retention(&self, key: impl Into<String>) -> GetConfig<Retention, OfObject> {
        GetConfig::new(self.clone(), OfObject::new(key.into()))
    }

    /// Keeps an object in a [mode](crate::config::RetentionMode) until some time, or, with a retention that is empty,
    /// no longer. Anybody who may do this can put the time off; to bring it forward takes
    /// [`bypass_governance`](PutConfig::bypass_governance). The code is `InvalidRequest` where the bucket has no object
    /// lock.
    ///
    /// ```
    /// # use std::time::{Duration, SystemTime};
    /// # async fn example(files: s3_client::Bucket) -> s3_client::Result<()> {
    /// use s3_client::config::RetentionMode;
    ///
    /// let month = SystemTime::now() + Duration::from_secs(30 * 86_400);
    /// files.put_object_retention("invoice.pdf", (RetentionMode::Compliance, month)).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// [PutObjectRetention](https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObjectRetention.html)
    pub fn put_object_retention(
        &self,
        key: impl Into<String>,
        retention: impl Into<Retention>,
    ) -> PutConfig<Retention, OfObject> {
        PutConfig::new(self.clone(), OfObject::new(key.into()), retention.into())
    }
}

impl Config<OfObject> for Retention {
    const GET: Row = idempotency::GET_OBJECT_RETENTION;
}

impl Settable<OfObject> for Retention {
    const PUT: Row = idempotency::PUT_OBJECT_RETENTION;
}
