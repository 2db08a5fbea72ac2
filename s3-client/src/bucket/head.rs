use aws_core::operation::Answer;
use aws_core::{Idempotency, Operation, Result, awaitable};
use pipeline_pool::Method;

use crate::bucket::Bucket;
use crate::idempotency;
use crate::request::options::Options;
use crate::wire::{S3, Wire};

/// A question whether a bucket is there; made by [`Bucket::head_bucket`].
#[must_use = "nothing is sent until this is awaited"]
#[derive(Clone, Debug)]
pub struct HeadBucket {
    bucket: Bucket,
    options: Options,
}

impl HeadBucket {
    pub(crate) fn new(bucket: Bucket) -> Self {
        Self {
            bucket,
            options: Options::default(),
        }
    }

    /// Sends it.
    ///
    /// # Errors
    /// [`is_not_found`](crate::Error::is_not_found) when it is not there; otherwise as sending and the store say.
    pub async fn send(self) -> Result<()> {
        let mut wire = Wire::bucket_root(Method::Head, &self.bucket)?;
        wire.options(self.options);
        self.bucket.client.call(&HeadBucketOperation { wire }).await
    }
}

options!(HeadBucket);
awaitable!(HeadBucket, ());

struct HeadBucketOperation {
    wire: Wire,
}

impl Operation for HeadBucketOperation {
    type Output = ();
    const NAME: &'static str = idempotency::HEAD_BUCKET.operation;

    from_wire!();

    fn idempotency(&self) -> Idempotency {
        idempotency::HEAD_BUCKET.idempotency
    }

    fn parse(&self, _: &S3, _: Answer) -> Result<()> {
        Ok(())
    }
}
