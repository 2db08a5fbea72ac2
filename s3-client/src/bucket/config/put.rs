//! Storing a document: [`Bucket::put_config`].

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use aws_core::idempotency::Row;
use aws_core::operation::Answer;
use aws_core::{Idempotency, Result, awaitable};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use md5::{Digest, Md5};
use pipeline_pool::Method;

use super::document::{Encoded, Writable};
use super::subject::{self, OfBucket, OfObject, Subject};
use super::{Retention, Versioning};
use crate::bucket::Bucket;
use crate::idempotency;
use crate::operation::{Call, Changes, S3Operation};
use crate::request::options::Options;
use crate::unsigned::Field;

/// A document that can be stored: one of a bucket, by [`Bucket::put_config`], or one of an object
/// (`Settable<OfObject>`). The types of [`config`](crate::config) implement it; nobody else can.
pub trait Settable<S = OfBucket>: Writable {
    /// The operation that stores it, and whether it may be sent twice.
    const PUT: Row;

    /// Whether it is within the limits that hold for this subject alone.
    #[doc(hidden)]
    fn check_subject(&self) -> Result<()> {
        Ok(())
    }
}

/// A request to store a document of a bucket, made by [`Bucket::put_config`], or of an object, made by a method of
/// [`Bucket`] such as [`put_object_tagging`](Bucket::put_object_tagging).
///
/// It replaces the whole document that was there. Its MD5 digest is sent with it.
#[must_use = "nothing is sent until this is awaited"]
pub struct PutConfig<C: Settable<S>, S: Subject = OfBucket> {
    bucket: Bucket,
    subject: S,
    config: C,
    fields: Vec<Field>,
    row: Row,
    options: Options,
}

impl Bucket {
    /// Replaces a document about the bucket by this one.
    ///
    /// The table of [`config`](crate::config) has all documents, and the operation of AWS for each.
    ///
    /// ```
    /// use s3_client::config::{CannedAcl, CorsRule, Cors, Status, Versioning};
    ///
    /// # async fn example(photos: s3_client::Bucket) -> s3_client::Result<()> {
    /// let rule = CorsRule::new().allowed_method("GET").allowed_origin("https://example.com");
    /// photos.put_config(Cors::new().rule(rule)).await?;
    /// photos.put_config(Versioning::from(Status::Enabled)).await?;
    /// photos.put_config(CannedAcl::PublicRead).await?;
    /// # Ok(()) }
    /// ```
    pub fn put_config<C: Settable>(&self, config: C) -> PutConfig<C> {
        PutConfig::new(self.clone(), OfBucket::new(), config)
    }
}

impl<C: Settable<S>, S: Subject> PutConfig<C, S> {
    pub(crate) fn new(bucket: Bucket, subject: S, config: C) -> Self {
        Self {
            bucket,
            subject,
            config,
            fields: Vec::new(),
            row: C::PUT,
            options: Options::default(),
        }
    }

    /// Sends the request that stores the document, as `.await` does.
    ///
    /// # Errors
    /// [`Kind::Invalid`](crate::Kind::Invalid) when a limit is broken; [`is_not_found`](crate::Error::is_not_found)
    /// when the bucket or the object is not there; otherwise as sending and the store say.
    pub async fn send(self) -> Result<()> {
        self.config.check_subject()?;
        let content = self.config.content()?;
        let mut wire = subject::wire(&self.subject, Method::Put, &self.bucket, C::QUERY)?;
        wire.options(self.options);
        let mut fields = self.fields;
        match content {
            Encoded::Field(field) => fields.push(field),
            Encoded::Body { text, media_type } => {
                fields.extend(document_fields(&text, media_type));
                wire.body(Bytes::from(text));
            }
        }
        wire.fields(fields)?;
        let operation = PutDocument::<C, S> {
            row: self.row,
            config: PhantomData,
        };
        self.bucket.client().call(&Call::new(wire, operation)).await
    }
}

impl<C: Settable<OfObject>> PutConfig<C, OfObject> {
    /// Stores the document of this version of the object. Defaults to the current version.
    pub fn version(mut self, id: impl Into<String>) -> Self {
        self.subject.version(id.into());
        self
    }
}

impl PutConfig<Versioning> {
    /// The serial number of the owner's device, a blank, and the code that it shows: needed when the bucket has or
    /// gets `MfaDelete`. The request is then sent once, as a code counts once.
    pub fn mfa(mut self, serial_and_code: impl Into<String>) -> Self {
        self.row = idempotency::PUT_BUCKET_VERSIONING_MFA;
        let field = (Cow::Borrowed("x-amz-mfa"), serial_and_code.into());
        self.fields.push(field);
        self
    }
}

impl PutConfig<Retention, OfObject> {
    /// Shortens or ends a retention in governance mode. Defaults to no: such a change is `AccessDenied`.
    pub fn bypass_governance(mut self) -> Self {
        let name = Cow::Borrowed("x-amz-bypass-governance-retention");
        self.fields = vec![(name, "true".to_owned())];
        self
    }
}

options!(PutConfig<C, S>, C: Settable<S>, S: Subject);
awaitable!(PutConfig<C, S>, (), C: Settable<S>, S: Subject);

/// The fields that go with a document: some servers refuse one without a digest.
pub(crate) fn document_fields(body: &str, media_type: &'static str) -> [Field; 2] {
    let digest = STANDARD.encode(Md5::digest(body));
    [
        (Cow::Borrowed("content-md5"), digest),
        (Cow::Borrowed("content-type"), media_type.to_owned()),
    ]
}

impl<C: Settable<S> + Clone, S: Subject> Clone for PutConfig<C, S> {
    fn clone(&self) -> Self {
        Self {
            bucket: self.bucket.clone(),
            subject: self.subject.clone(),
            config: self.config.clone(),
            fields: self.fields.clone(),
            row: self.row,
            options: self.options.clone(),
        }
    }
}

impl<C: Settable<S>, S: Subject> fmt::Debug for PutConfig<C, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(C::PUT.operation)
            .field("bucket", &self.bucket)
            .field("of", &self.subject)
            .finish_non_exhaustive()
    }
}

struct PutDocument<C, S> {
    row: Row,
    config: PhantomData<fn() -> (C, S)>,
}

impl<C: Settable<S>, S: Subject> S3Operation for PutDocument<C, S> {
    type Output = ();
    const ROW: Row = C::PUT;
    const CHANGES: Changes = subject::changes::<S>();

    fn idempotency(&self) -> Idempotency {
        self.row.idempotency
    }

    fn parse(&self, _: Answer) -> Result<()> {
        Ok(())
    }
}
