//! Asking whether a bucket is there: [`Bucket::head_bucket`].

use aws_core::operation::Answer;
use aws_core::{Result, awaitable};
use pipeline_pool::Method;

use crate::bucket::Bucket;
use crate::idempotency::{self, Row};
use crate::operation::{Call, S3Operation};
use crate::request::options::Options;
use crate::unsigned::UnsignedRequest;

/// A question whether a bucket is there; made by [`Bucket::head_bucket`].
#[must_use = "nothing is sent until this is awaited"]
#[derive(Clone, Debug)]
pub struct HeadBucket {
    bucket: Bucket,
    options: Options,
}

impl Bucket {
    /// Asks whether the bucket is there and may be read.
    ///
    /// [HeadBucket](https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadBucket.html)
    #[doc(alias = "exists")]
    pub fn head_bucket(&self) -> HeadBucket {
        HeadBucket::new(self.clone())
    }
}

impl HeadBucket {
    pub(crate) fn new(bucket: Bucket) -> Self {
        Self {
            bucket,
            options: Options::default(),
        }
    }

    /// Sends HeadBucket, as `.await` does.
    ///
    /// # Errors
    /// [`is_not_found`](crate::Error::is_not_found) when it is not there; otherwise as sending and the store say.
    pub async fn send(self) -> Result<()> {
        let mut wire = UnsignedRequest::bucket_root(Method::Head, &self.bucket)?;
        wire.options(self.options);
        self.bucket
            .client()
            .call(&Call::new(wire, HeadBucketOperation))
            .await
    }
}

options!(HeadBucket);
awaitable!(HeadBucket, ());

struct HeadBucketOperation;

impl S3Operation for HeadBucketOperation {
    type Output = ();
    const ROW: Row = idempotency::HEAD_BUCKET;

    fn parse(&self, _: Answer) -> Result<()> {
        Ok(())
    }
}
