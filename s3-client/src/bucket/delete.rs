use aws_core::operation::Answer;
use aws_core::{Idempotency, Operation, Result, awaitable};
use pipeline_pool::Method;

use crate::bucket::Bucket;
use crate::idempotency;
use crate::request::options::Options;
use crate::wire::{S3, Wire};

/// A request to remove a bucket; made by [`Bucket::delete_bucket`].
#[must_use = "nothing is sent until this is awaited"]
#[derive(Clone, Debug)]
pub struct DeleteBucket {
    bucket: Bucket,
    options: Options,
}

impl DeleteBucket {
    pub(crate) fn new(bucket: Bucket) -> Self {
        Self {
            bucket,
            options: Options::default(),
        }
    }

    /// Sends it.
    ///
    /// # Errors
    /// `BucketNotEmpty`, `NoSuchBucket`; otherwise as sending and the store say.
    pub async fn send(self) -> Result<()> {
        let mut wire = Wire::bucket_root(Method::Delete, &self.bucket)?;
        wire.options(self.options);
        self.bucket
            .client
            .call(&DeleteBucketOperation { wire })
            .await
    }
}

options!(DeleteBucket);
awaitable!(DeleteBucket, ());

struct DeleteBucketOperation {
    wire: Wire,
}

impl Operation for DeleteBucketOperation {
    type Output = ();
    const NAME: &'static str = idempotency::DELETE_BUCKET.operation;

    from_wire!();
    changes_bucket!();

    fn idempotency(&self) -> Idempotency {
        idempotency::DELETE_BUCKET.idempotency
    }

    fn parse(&self, _: &S3, _: Answer) -> Result<()> {
        Ok(())
    }
}
