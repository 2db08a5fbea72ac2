use aws_core::awaitable;
use std::borrow::Cow;
use std::fmt;

use aws_core::operation::Answer;
use aws_core::{Error, Idempotency, Operation, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest, Md5};
use pipeline_pool::Method;

use crate::bucket::Bucket;
use crate::idempotency::{self, Row};
use crate::limits;
use crate::object::ObjectHead;
use crate::options::Options;
use crate::payload::Source;
use crate::wire::{Field, S3, Wire};

/// A request to store an object; made by [`Bucket::put`].
#[must_use = "nothing is sent until this is awaited"]
#[derive(Clone)]
pub struct Put {
    bucket: Bucket,
    key: String,
    source: Source,
    fields: Vec<Field>,
    metadata: Vec<(String, String)>,
    md5: bool,
    row: Row,
    options: Options,
}

impl Put {
    pub(crate) fn new(bucket: Bucket, key: String, source: Source) -> Self {
        Self {
            bucket,
            key,
            source,
            fields: Vec::new(),
            metadata: Vec::new(),
            md5: false,
            row: idempotency::PUT_OBJECT,
            options: Options::default(),
        }
    }

    /// The media type. Defaults to none: stores then say `binary/octet-stream`.
    pub fn content_type(self, value: impl Into<String>) -> Self {
        self.field("content-type", value)
    }

    /// How browsers and proxies may keep it.
    pub fn cache_control(self, value: impl Into<String>) -> Self {
        self.field("cache-control", value)
    }

    /// Under which name browsers save it.
    pub fn content_disposition(self, value: impl Into<String>) -> Self {
        self.field("content-disposition", value)
    }

    /// How the body is compressed.
    pub fn content_encoding(self, value: impl Into<String>) -> Self {
        self.field("content-encoding", value)
    }

    /// In which language it is.
    pub fn content_language(self, value: impl Into<String>) -> Self {
        self.field("content-language", value)
    }

    /// When proxies shall look for it again, as an HTTP date.
    pub fn expires(self, value: impl Into<String>) -> Self {
        self.field("expires", value)
    }

    /// An entry of the user's metadata: a header name without `x-amz-meta-`, printable ASCII; 2 KiB in all.
    pub fn metadata(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        let name = name.into().to_ascii_lowercase();
        self.metadata.retain(|(n, _)| *n != name);
        self.metadata.push((name, value.into()));
        self
    }

    /// Sends the MD5 digest of the body, with which the store checks what arrived. Defaults to no; only for
    /// bytes at hand in one piece.
    pub fn content_md5(mut self, yes: bool) -> Self {
        self.md5 = yes;
        self
    }

    /// Stores only if there is no object of this key yet; else the error
    /// [`is_condition_failed`](crate::Error::is_condition_failed). Sent once.
    pub fn if_none_match_any(mut self) -> Self {
        self.row = idempotency::PUT_OBJECT_IF;
        self.field("if-none-match", "*")
    }

    /// Replaces only the object with this entity tag. Sent once.
    pub fn if_match(mut self, etag: impl Into<String>) -> Self {
        self.row = idempotency::PUT_OBJECT_IF;
        self.field("if-match", etag)
    }

    /// Never sends it a second time once the server may have seen it.
    pub fn once(mut self) -> Self {
        if self.row.idempotency == Idempotency::Repeatable {
            self.row = idempotency::PUT_OBJECT_ONCE;
        }
        self
    }

    fn field(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.fields.retain(|(n, _)| n != name);
        self.fields.push((Cow::Borrowed(name), value.into()));
        self
    }

    /// Sends it.
    ///
    /// # Errors
    /// [`Kind::Invalid`](crate::Kind::Invalid) when a limit is broken; otherwise as sending and the store say.
    pub async fn send(self) -> Result<Stored> {
        let payload = self.source.payload().await?;
        limits::put(payload.len())?;
        limits::metadata(self.metadata.iter().map(|(n, v)| (n.as_str(), v.as_str())))?;
        let mut wire = Wire::object(Method::Put, &self.bucket, &self.key)?;
        let mut fields = self.fields;
        for (name, value) in self.metadata {
            fields.push((Cow::Owned(format!("x-amz-meta-{name}")), value));
        }
        if self.md5 {
            let body = payload.whole().ok_or_else(|| {
                Error::invalid("the MD5 digest is only made of a body that is at hand in one piece")
            })?;
            fields.push((
                Cow::Borrowed("content-md5"),
                STANDARD.encode(Md5::digest(&body)),
            ));
        }
        wire.fields(fields);
        let row = if payload.is_once() && self.row.idempotency == Idempotency::Repeatable {
            idempotency::PUT_OBJECT_STREAM
        } else {
            self.row
        };
        wire.payload(payload);
        wire.options(self.options);
        self.bucket.client.call(&PutObject { wire, row }).await
    }
}

options!(Put);
awaitable!(Put, Stored);

impl fmt::Debug for Put {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Put")
            .field("bucket", &self.bucket)
            .field("key", &self.key)
            .field("source", &self.source)
            .finish_non_exhaustive()
    }
}

/// What the store says of an object that it has stored.
#[derive(Clone, Debug)]
pub struct Stored(ObjectHead);

impl Stored {
    /// The entity tag, in its quotes.
    pub fn etag(&self) -> Option<&str> {
        self.0.etag()
    }

    /// The version, in a bucket that keeps versions.
    pub fn version_id(&self) -> Option<&str> {
        self.0.version_id()
    }

    /// The service's identifier of the request.
    pub fn request_id(&self) -> Option<&str> {
        self.0.request_id()
    }
}

struct PutObject {
    wire: Wire,
    row: Row,
}

impl Operation for PutObject {
    type Output = Stored;
    const NAME: &'static str = idempotency::PUT_OBJECT.operation;

    from_wire!();

    fn idempotency(&self) -> Idempotency {
        self.row.idempotency
    }

    fn parse(&self, _: &S3, answer: Answer) -> Result<Stored> {
        Ok(Stored(ObjectHead::new(answer.head)))
    }
}
