//! Fetching a document: [`Bucket::get_config`].

use std::fmt;
use std::marker::PhantomData;

use aws_core::idempotency::Row;
use aws_core::operation::Answer;
use aws_core::{Result, awaitable};
use pipeline_pool::Method;

use super::document::Readable;
use super::subject::{self, OfBucket, OfObject, Subject};
use crate::bucket::Bucket;
use crate::operation::{Call, S3Operation};
use crate::request::options::Options;

/// A document that can be fetched: one of a bucket, by [`Bucket::get_config`], or one of an object
/// (`Config<OfObject>`). The types of [`config`](crate::config) implement it; nobody else can.
pub trait Config<S = OfBucket>: Readable {
    /// The operation that fetches it, and whether it may be sent twice.
    const GET: Row;

    /// The document that this answer is.
    #[doc(hidden)]
    fn of_answer(answer: &[u8]) -> Result<Self> {
        Self::parse(answer)
    }
}

/// A request for a document of a bucket, made by [`Bucket::get_config`], or of an object, made by a method of
/// [`Bucket`] such as [`get_object_tagging`](Bucket::get_object_tagging).
#[must_use = "nothing is sent until this is awaited"]
pub struct GetConfig<C: Config<S>, S: Subject = OfBucket> {
    bucket: Bucket,
    subject: S,
    options: Options,
    config: PhantomData<fn() -> C>,
}

impl Bucket {
    /// Fetches a document about the bucket, for example its CORS rules by `get_config::<Cors>()`.
    ///
    /// The table of [`config`](crate::config) has all documents, and the operation of AWS for each.
    ///
    /// ```
    /// use s3_client::config::{Cors, Versioning};
    ///
    /// # async fn example(photos: s3_client::Bucket) -> s3_client::Result<()> {
    /// let cors = photos.get_config::<Cors>().await?;
    /// let versioning: Versioning = photos.get_config().await?;
    /// println!("{} rules, versions: {:?}", cors.rules.len(), versioning.status);
    /// # Ok(()) }
    /// ```
    pub fn get_config<C: Config>(&self) -> GetConfig<C> {
        GetConfig::new(self.clone(), OfBucket::new())
    }
}

impl<C: Config<S>, S: Subject> GetConfig<C, S> {
    pub(crate) fn new(bucket: Bucket, subject: S) -> Self {
        Self {
            bucket,
            subject,
            options: Options::default(),
            config: PhantomData,
        }
    }

    /// Sends the request that fetches the document, as `.await` does.
    ///
    /// # Errors
    /// [`is_not_found`](crate::Error::is_not_found) when the bucket or the object is not there or, for what can be
    /// deleted, has no such document; otherwise as sending and the store say.
    pub async fn send(self) -> Result<C> {
        let mut wire = subject::wire(&self.subject, Method::Get, &self.bucket, C::QUERY)?;
        wire.options(self.options);
        let operation = GetDocument::<C, S>(PhantomData);
        self.bucket.client().call(&Call::new(wire, operation)).await
    }
}

impl<C: Config<OfObject>> GetConfig<C, OfObject> {
    /// Fetches the document of this version of the object. Defaults to the current version.
    pub fn version(mut self, id: impl Into<String>) -> Self {
        self.subject.version(id.into());
        self
    }
}

options!(GetConfig<C, S>, C: Config<S>, S: Subject);
awaitable!(GetConfig<C, S>, C, C: Config<S>, S: Subject);

impl<C: Config<S>, S: Subject> Clone for GetConfig<C, S> {
    fn clone(&self) -> Self {
        Self {
            bucket: self.bucket.clone(),
            subject: self.subject.clone(),
            options: self.options.clone(),
            config: PhantomData,
        }
    }
}

impl<C: Config<S>, S: Subject> fmt::Debug for GetConfig<C, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(C::GET.operation)
            .field("bucket", &self.bucket)
            .field("of", &self.subject)
            .finish_non_exhaustive()
    }
}

struct GetDocument<C, S>(PhantomData<fn() -> (C, S)>);

impl<C: Config<S>, S: Subject> S3Operation for GetDocument<C, S> {
    type Output = C;
    const ROW: Row = C::GET;

    fn parse(&self, answer: Answer) -> Result<C> {
        C::of_answer(&answer.bytes())
    }
}
