use aws_core::awaitable;
use std::fmt;

use aws_core::operation::Answer;
use aws_core::{Idempotency, Operation, Result};
use pipeline_pool::Method;

use crate::bucket::Bucket;
use crate::idempotency::{self, Row};
use crate::object::ObjectHead;
use crate::options::Options;
use crate::wire::{S3, Wire};

/// A request to remove an object; made by [`Bucket::delete`].
#[must_use = "nothing is sent until this is awaited"]
#[derive(Clone)]
pub struct Delete {
    bucket: Bucket,
    key: String,
    row: Row,
    options: Options,
}

impl Delete {
    pub(crate) fn new(bucket: Bucket, key: String) -> Self {
        Self {
            bucket,
            key,
            row: idempotency::DELETE_OBJECT,
            options: Options::default(),
        }
    }

    /// Never sends it a second time once the server may have seen it.
    pub fn once(mut self) -> Self {
        self.row = idempotency::DELETE_OBJECT_ONCE;
        self
    }

    /// Sends it.
    ///
    /// # Errors
    /// As sending and the store say; an object that is not there is no error.
    pub async fn send(self) -> Result<Deleted> {
        let mut wire = Wire::object(Method::Delete, &self.bucket, &self.key)?;
        wire.options(self.options);
        self.bucket
            .client
            .call(&DeleteObject {
                wire,
                row: self.row,
            })
            .await
    }
}

options!(Delete);
awaitable!(Delete, Deleted);

impl fmt::Debug for Delete {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delete")
            .field("bucket", &self.bucket)
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}

/// What the store says of an object that it has removed.
#[derive(Clone, Debug)]
pub struct Deleted(ObjectHead);

impl Deleted {
    /// The version removed, or that of the marker put in its place, in a bucket that keeps versions.
    pub fn version_id(&self) -> Option<&str> {
        self.0.version_id()
    }

    /// Whether a delete marker was put in its place.
    pub fn is_marker(&self) -> bool {
        self.0.header("x-amz-delete-marker") == Some("true")
    }

    /// The service's identifier of the request.
    pub fn request_id(&self) -> Option<&str> {
        self.0.request_id()
    }
}

struct DeleteObject {
    wire: Wire,
    row: Row,
}

impl Operation for DeleteObject {
    type Output = Deleted;
    const NAME: &'static str = idempotency::DELETE_OBJECT.operation;

    from_wire!();

    fn idempotency(&self) -> Idempotency {
        self.row.idempotency
    }

    fn parse(&self, _: &S3, answer: Answer) -> Result<Deleted> {
        Ok(Deleted(ObjectHead::new(answer.head)))
    }
}
