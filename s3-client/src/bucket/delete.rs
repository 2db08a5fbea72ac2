//! Removing a bucket: [`Bucket::delete_bucket`].

use aws_core::operation::Answer;
use aws_core::{Result, awaitable};
use pipeline_pool::Method;

use crate::bucket::Bucket;
use crate::idempotency::{self, Row};
use crate::operation::{Call, Changes, S3Operation};
use crate::request::options::Options;
use crate::unsigned::UnsignedRequest;

/// A request to remove a bucket; made by [`Bucket::delete_bucket`].
#[must_use = "nothing is sent until this is awaited"]
#[derive(Clone, Debug)]
pub struct DeleteBucket {
    bucket: Bucket,
    options: Options,
}

impl Bucket {
    /// Removes the bucket, which must be empty.
    ///
    /// [DeleteBucket](https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucket.html)
    pub fn delete_bucket(&self) -> DeleteBucket {
        DeleteBucket::new(self.clone())
    }
}

impl DeleteBucket {
    pub(crate) fn new(bucket: Bucket) -> Self {
        Self {
            bucket,
            options: Options::default(),
        }
    }

    /// Sends DeleteBucket, as `.await` does.
    ///
    /// # Errors
    /// `BucketNotEmpty`, `NoSuchBucket`; otherwise as sending and the store say.
    pub async fn send(self) -> Result<()> {
        let wire = UnsignedRequest::bucket_root(Method::Delete, &self.bucket)?;
        let mut wire = self.bucket.client().at_region(wire);
        wire.options(self.options);
        self.bucket
            .client()
            .call(&Call::new(wire, DeleteBucketOperation))
            .await
    }
}

options!(DeleteBucket);
awaitable!(DeleteBucket, ());

struct DeleteBucketOperation;

impl S3Operation for DeleteBucketOperation {
    type Output = ();
    const ROW: Row = idempotency::DELETE_BUCKET;
    const CHANGES: Changes = Changes::Bucket;

    fn parse(&self, _: Answer) -> Result<()> {
        Ok(())
    }
}
