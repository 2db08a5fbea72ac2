//! What a document is about: a bucket, or one object of it.

use aws_core::Result;
use pipeline_pool::Method;

use crate::bucket::Bucket;
use crate::operation::Changes;
use crate::unsigned::UnsignedRequest;

/// Says of a request for a document that it is about a whole bucket.
#[derive(Clone, Copy, Debug)]
pub struct OfBucket(());

/// Says of a request for a document that it is about one object, or one version of it.
#[derive(Clone, Debug)]
pub struct OfObject {
    key: String,
    version: Option<String>,
}

impl OfBucket {
    pub(crate) fn new() -> Self {
        Self(())
    }
}

impl OfObject {
    pub(crate) fn new(key: String) -> Self {
        Self { key, version: None }
    }

    pub(super) fn version(&mut self, id: String) {
        self.version = Some(id);
    }
}

/// What a document can be about. It is not exported, so that nobody else implements it.
pub trait Subject: Clone + std::fmt::Debug + Send + Sync + 'static {
    /// The object and its version, if it is about one.
    #[doc(hidden)]
    fn object(&self) -> Option<(&str, Option<&str>)>;

    /// Whether it is about one object.
    #[doc(hidden)]
    const IS_OBJECT: bool;
}

impl Subject for OfBucket {
    const IS_OBJECT: bool = false;

    fn object(&self) -> Option<(&str, Option<&str>)> {
        None
    }
}

impl Subject for OfObject {
    const IS_OBJECT: bool = true;

    fn object(&self) -> Option<(&str, Option<&str>)> {
        Some((&self.key, self.version.as_deref()))
    }
}

/// What a request that stores or removes a document about this subject changes.
pub(super) const fn changes<S: Subject>() -> Changes {
    if S::IS_OBJECT {
        Changes::Object
    } else {
        Changes::Bucket
    }
}

/// The request for the document about this subject that this parameter of the query names.
pub(super) fn wire(
    subject: &impl Subject,
    method: Method,
    bucket: &Bucket,
    query: &str,
) -> Result<UnsignedRequest> {
    let (mut wire, version) = match subject.object() {
        None => (UnsignedRequest::bucket_root(method, bucket)?, None),
        Some((key, version)) => (UnsignedRequest::object(method, bucket, key)?, version),
    };
    wire.query(query, "");
    if let Some(version) = version {
        wire.version(version)?;
    }
    Ok(wire)
}
