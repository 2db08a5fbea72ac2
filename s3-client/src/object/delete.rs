//! Removing an object: [`Bucket::delete`].

use std::fmt;

use aws_core::operation::Answer;
use aws_core::{Idempotency, Result, awaitable};
use pipeline_pool::Method;

use crate::answer::object::ObjectHead;
use crate::bucket::Bucket;
use crate::client::S3Client;
use crate::idempotency::{self, Row};
use crate::operation::{Call, Changes, S3Operation};
use crate::request::attributes::put;
use crate::request::options::Options;
use crate::unsigned::{Field, UnsignedRequest};

/// A request to remove an object; made by [`Bucket::delete`].
#[must_use = "nothing is sent until this is awaited"]
#[derive(Clone)]
pub struct Delete {
    bucket: Bucket,
    key: String,
    version: Option<String>,
    fields: Vec<Field>,
    row: &'static Row,
    options: Options,
}

impl Bucket {
    /// Removes an object; one that is not there is no error.
    ///
    /// [DeleteObject](https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObject.html)
    #[doc(alias("delete_object", "DeleteObject"))]
    pub fn delete(&self, key: impl Into<String>) -> Delete {
        Delete::new(self.clone(), key.into())
    }
}

impl Delete {
    pub(crate) fn new(bucket: Bucket, key: String) -> Self {
        Self {
            bucket,
            key,
            version: None,
            fields: Vec::new(),
            row: &idempotency::DELETE_OBJECT,
            options: Options::default(),
        }
    }

    pub(crate) fn options(mut self, options: Options) -> Self {
        self.options = options;
        self
    }

    /// Removes this version of it for good. Defaults to the current one: a bucket that keeps versions then hides it
    /// behind a delete marker.
    pub fn version(mut self, id: impl Into<String>) -> Self {
        self.version = Some(id.into());
        self
    }

    /// Removes it only if it has this entity tag, or is there at all for `*`; else the error
    /// [`is_condition_failed`](crate::Error::is_condition_failed). Sent once. Not every store knows this condition:
    /// one that does not removes the object.
    pub fn if_match(mut self, etag: impl Into<String>) -> Self {
        put(&mut self.fields, "if-match", etag.into());
        self.row = &idempotency::DELETE_OBJECT_IF;
        self
    }

    /// The serial number of the owner's device, a blank, and the code that it shows: needed to remove versions from a
    /// bucket with [`MfaDelete`](https://docs.aws.amazon.com/AmazonS3/latest/userguide/MultiFactorAuthenticationDelete.html).
    /// Sent once, as a code counts once.
    pub fn mfa(mut self, serial_and_code: impl Into<String>) -> Self {
        put(&mut self.fields, "x-amz-mfa", serial_and_code.into());
        self.once()
    }

    /// Removes a version that [governance
    /// mode](https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock.html#object-lock-retention-modes) keeps.
    pub fn bypass_governance(mut self) -> Self {
        let name = "x-amz-bypass-governance-retention";
        put(&mut self.fields, name, "true".to_owned());
        self
    }

    /// Never sends it a second time once the server may have seen it.
    pub fn once(mut self) -> Self {
        if self.row.idempotency == Idempotency::Repeatable {
            self.row = &idempotency::DELETE_OBJECT_ONCE;
        }
        self
    }

    /// Sends DeleteObject, as `.await` does.
    ///
    /// # Errors
    /// As sending and the store say; an object that is not there is no error.
    pub fn send(self) -> impl Future<Output = Result<Deleted>> + Send {
        S3Client::run(self.ready())
    }

    /// What is to be sent.
    fn ready(self) -> Result<Call<DeleteObject>> {
        let mut wire = UnsignedRequest::object_of(Method::Delete, self.bucket, self.key)?;
        let mut row = self.row;
        if let Some(version) = &self.version {
            wire.version(version)?;
            if row.idempotency == Idempotency::Repeatable {
                row = &idempotency::DELETE_OBJECT_VERSION;
            }
        }
        wire.fields(self.fields)?;
        wire.options(self.options);
        let idempotency = row.idempotency;
        Ok(Call::new(wire, DeleteObject { idempotency }))
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
#[derive(Clone)]
pub struct Deleted(ObjectHead);

/// Without what belongs to an object that is there.
impl fmt::Debug for Deleted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deleted")
            .field("version_id", &self.version_id())
            .finish_non_exhaustive()
    }
}

impl Deleted {
    /// The version removed, or that of the marker put in its place, in a bucket that keeps versions.
    pub fn version_id(&self) -> Option<&str> {
        self.0.version_id()
    }

    /// Whether the [version](Self::version_id) is a delete marker: one that was put in the object's place, or one that
    /// was removed.
    pub fn is_marker(&self) -> bool {
        self.0.header("x-amz-delete-marker") == Some("true")
    }

    /// The service's identifier of the request.
    pub fn request_id(&self) -> Option<&str> {
        self.0.request_id()
    }
}

struct DeleteObject {
    idempotency: Idempotency,
}

impl S3Operation for DeleteObject {
    type Output = Deleted;
    const ROW: Row = idempotency::DELETE_OBJECT;
    const CHANGES: Changes = Changes::Object;

    fn idempotency(&self) -> Idempotency {
        self.idempotency
    }

    fn parse(&self, answer: Answer) -> Result<Deleted> {
        Ok(Deleted(ObjectHead::new(answer.head)))
    }
}
