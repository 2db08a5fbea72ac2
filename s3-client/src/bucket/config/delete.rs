//! Removing a document: [`Bucket::delete_config`].

use std::fmt;
use std::marker::PhantomData;

use aws_core::idempotency::Row;
use aws_core::operation::Answer;
use aws_core::{Result, awaitable};
use pipeline_pool::Method;

use super::document::Readable;
use super::subject::{self, OfBucket, OfObject, Subject};
use crate::bucket::Bucket;
use crate::operation::{Call, Changes, S3Operation};
use crate::request::options::Options;

/// A document that can be removed: one of a bucket, by [`Bucket::delete_config`], or one of an object
/// (`Removable<OfObject>`). The types of [`config`](crate::config) implement it; nobody else can.
pub trait Removable<S = OfBucket>: Readable {
    /// The operation that removes it, and whether it may be sent twice.
    const DELETE: Row;
}

/// A request to remove a document of a bucket, made by [`Bucket::delete_config`], or of an object, made by
/// [`Bucket::delete_object_tagging`].
///
/// A store that does not know the document may take this for the deletion of the bucket itself, which succeeds where
/// the bucket is empty: Ceph RGW 16.2 does for [`Encryption`](crate::config::Encryption) and
/// [`Ownership`](crate::config::Ownership).
#[must_use = "nothing is sent until this is awaited"]
pub struct DeleteConfig<C: Removable<S>, S: Subject = OfBucket> {
    bucket: Bucket,
    subject: S,
    options: Options,
    config: PhantomData<fn() -> C>,
}

impl Bucket {
    /// Removes a document about the bucket, for example its CORS rules by `delete_config::<Cors>()`. A document that
    /// is not there is no error.
    ///
    /// The table of [`config`](crate::config) has all documents, and the operation of AWS for each.
    ///
    /// ```
    /// use s3_client::config::Cors;
    ///
    /// # async fn example(photos: s3_client::Bucket) -> s3_client::Result<()> {
    /// photos.delete_config::<Cors>().await?;
    /// assert!(photos.get_config::<Cors>().await.unwrap_err().is_not_found());
    /// # Ok(()) }
    /// ```
    pub fn delete_config<C: Removable>(&self) -> DeleteConfig<C> {
        DeleteConfig::new(self.clone(), OfBucket::new())
    }
}

impl<C: Removable<S>, S: Subject> DeleteConfig<C, S> {
    pub(crate) fn new(bucket: Bucket, subject: S) -> Self {
        Self {
            bucket,
            subject,
            options: Options::default(),
            config: PhantomData,
        }
    }

    /// Sends the request that removes the document, as `.await` does.
    ///
    /// # Errors
    /// As sending and the store say; a document that is not there is no error.
    pub async fn send(self) -> Result<()> {
        let mut wire = subject::wire(&self.subject, Method::Delete, &self.bucket, C::QUERY)?;
        wire.options(self.options);
        let operation = DeleteDocument::<C, S>(PhantomData);
        self.bucket.client().call(&Call::new(wire, operation)).await
    }
}

impl<C: Removable<OfObject>> DeleteConfig<C, OfObject> {
    /// Removes the document of this version of the object. Defaults to the current version.
    pub fn version(mut self, id: impl Into<String>) -> Self {
        self.subject.version(id.into());
        self
    }
}

options!(DeleteConfig<C, S>, C: Removable<S>, S: Subject);
awaitable!(DeleteConfig<C, S>, (), C: Removable<S>, S: Subject);

impl<C: Removable<S>, S: Subject> Clone for DeleteConfig<C, S> {
    fn clone(&self) -> Self {
        Self {
            bucket: self.bucket.clone(),
            subject: self.subject.clone(),
            options: self.options.clone(),
            config: PhantomData,
        }
    }
}

impl<C: Removable<S>, S: Subject> fmt::Debug for DeleteConfig<C, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(C::DELETE.operation)
            .field("bucket", &self.bucket)
            .field("of", &self.subject)
            .finish_non_exhaustive()
    }
}

struct DeleteDocument<C, S>(PhantomData<fn() -> (C, S)>);

impl<C: Removable<S>, S: Subject> S3Operation for DeleteDocument<C, S> {
    type Output = ();
    const ROW: Row = C::DELETE;
    const CHANGES: Changes = subject::changes::<S>();

    fn parse(&self, _: Answer) -> Result<()> {
        Ok(())
    }
}
