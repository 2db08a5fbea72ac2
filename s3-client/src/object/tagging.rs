use aws_core::operation::Answer;
use aws_core::{Idempotency, Operation, Result, awaitable};
use pipeline_pool::Method;

use super::target::Target;
use crate::bucket::Bucket;
use crate::bucket::config::document_fields;
use crate::config::{Root as _, Tagging};
use crate::idempotency;
use crate::limits;
use crate::request::options::Options;
use crate::wire::{S3, Wire};

/// Makes a request about the tags of one object.
macro_rules! about_tags {
    ($(#[$doc:meta])* $name:ident $(, $field:ident: $type:ty)?) => {
        $(#[$doc])*
        #[must_use = "nothing is sent until this is awaited"]
        #[derive(Clone, Debug)]
        pub struct $name {
            target: Target,
            $($field: $type,)?
            options: Options,
        }

        impl $name {
            pub(crate) fn new(bucket: Bucket, key: String $(, $field: $type)?) -> Self {
                Self {
                    target: Target::new(bucket, key),
                    $($field,)?
                    options: Options::default(),
                }
            }

            /// Those of this version of it. Defaults to the current one.
            pub fn version(mut self, id: impl Into<String>) -> Self {
                self.target.version = Some(id.into());
                self
            }
        }

        options!($name);
    };
}

about_tags! {
    /// A request for the tags of an object; made by [`Bucket::get_object_tagging`].
    GetObjectTagging
}

about_tags! {
    /// A request to give an object tags; made by [`Bucket::put_object_tagging`].
    PutObjectTagging, tagging: Tagging
}

about_tags! {
    /// A request to remove the tags of an object; made by [`Bucket::delete_object_tagging`].
    DeleteObjectTagging
}

impl GetObjectTagging {
    /// Sends it.
    ///
    /// # Errors
    /// [`is_not_found`](crate::Error::is_not_found) when there is no such object; otherwise as sending and the
    /// store say.
    pub async fn send(self) -> Result<Tagging> {
        let wire = self.target.wire(Method::Get, "tagging", self.options)?;
        let client = &self.target.bucket.client;
        client.call(&GetOperation { wire }).await
    }
}

impl PutObjectTagging {
    /// Sends it.
    ///
    /// # Errors
    /// [`Kind::Invalid`](crate::Kind::Invalid) when there are over 10 tags, or one has a name of over 128 or a value
    /// of over 256 characters; [`is_not_found`](crate::Error::is_not_found) when there is no such object; otherwise as
    /// sending and the store say.
    pub async fn send(self) -> Result<()> {
        limits::object_tags(&self.tagging)?;
        let body = self.tagging.encode()?;
        let mut wire = self.target.wire(Method::Put, "tagging", self.options)?;
        wire.fields(document_fields(&body, "application/xml").into())?;
        wire.body(body.into());
        let client = &self.target.bucket.client;
        client.call(&PutOperation { wire }).await
    }
}

impl DeleteObjectTagging {
    /// Sends it.
    ///
    /// # Errors
    /// [`is_not_found`](crate::Error::is_not_found) when there is no such object; otherwise as sending and the
    /// store say.
    pub async fn send(self) -> Result<()> {
        let wire = self.target.wire(Method::Delete, "tagging", self.options)?;
        let client = &self.target.bucket.client;
        client.call(&DeleteOperation { wire }).await
    }
}

awaitable!(GetObjectTagging, Tagging);
awaitable!(PutObjectTagging, ());
awaitable!(DeleteObjectTagging, ());

struct GetOperation {
    wire: Wire,
}

impl Operation for GetOperation {
    type Output = Tagging;
    const NAME: &'static str = idempotency::GET_OBJECT_TAGGING.operation;

    from_wire!();

    fn idempotency(&self) -> Idempotency {
        idempotency::GET_OBJECT_TAGGING.idempotency
    }

    fn parse(&self, _: &S3, answer: Answer) -> Result<Tagging> {
        let document = answer.bytes();
        // RGW says no more than that of an object that never had any.
        if document.is_empty() {
            return Ok(Tagging::new());
        }
        Ok(Tagging::decode(&document)?)
    }
}

struct PutOperation {
    wire: Wire,
}

impl Operation for PutOperation {
    type Output = ();
    const NAME: &'static str = idempotency::PUT_OBJECT_TAGGING.operation;

    from_wire!();
    changes_object!();

    fn idempotency(&self) -> Idempotency {
        idempotency::PUT_OBJECT_TAGGING.idempotency
    }

    fn parse(&self, _: &S3, _: Answer) -> Result<()> {
        Ok(())
    }
}

struct DeleteOperation {
    wire: Wire,
}

impl Operation for DeleteOperation {
    type Output = ();
    const NAME: &'static str = idempotency::DELETE_OBJECT_TAGGING.operation;

    from_wire!();
    changes_object!();

    fn idempotency(&self) -> Idempotency {
        idempotency::DELETE_OBJECT_TAGGING.idempotency
    }

    fn parse(&self, _: &S3, _: Answer) -> Result<()> {
        Ok(())
    }
}
