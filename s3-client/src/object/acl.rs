use std::borrow::Cow;

use aws_core::operation::Answer;
use aws_core::{Idempotency, Operation, Result, awaitable};
use bytes::Bytes;
use pipeline_pool::Method;

use crate::bucket::AclChange;
use crate::bucket::Bucket;
use crate::bucket::config::document_fields;
use crate::config::{Acl, Root as _};
use crate::idempotency;
use crate::limits;
use crate::request::options::Options;
use crate::wire::{S3, Wire};

/// A request for the access control list of an object; made by [`Bucket::get_object_acl`].
#[must_use = "nothing is sent until this is awaited"]
#[derive(Clone, Debug)]
pub struct GetObjectAcl {
    bucket: Bucket,
    key: String,
    version: Option<String>,
    options: Options,
}

/// A request to replace the access control list of an object; made by [`Bucket::put_object_acl`].
#[must_use = "nothing is sent until this is awaited"]
#[derive(Clone, Debug)]
pub struct PutObjectAcl {
    bucket: Bucket,
    key: String,
    version: Option<String>,
    acl: AclChange,
    options: Options,
}

impl GetObjectAcl {
    pub(crate) fn new(bucket: Bucket, key: String) -> Self {
        Self {
            bucket,
            key,
            version: None,
            options: Options::default(),
        }
    }

    /// That of this version of it. Defaults to the current one.
    pub fn version(mut self, id: impl Into<String>) -> Self {
        self.version = Some(id.into());
        self
    }

    /// Sends it.
    ///
    /// # Errors
    /// [`is_not_found`](crate::Error::is_not_found) when there is no such object; otherwise as sending and the
    /// store say.
    pub async fn send(self) -> Result<Acl> {
        let mut wire = wire(Method::Get, &self.bucket, &self.key, self.version)?;
        wire.options(self.options);
        self.bucket.client.call(&GetOperation { wire }).await
    }
}

impl PutObjectAcl {
    pub(crate) fn new(bucket: Bucket, key: String, acl: AclChange) -> Self {
        Self {
            bucket,
            key,
            version: None,
            acl,
            options: Options::default(),
        }
    }

    /// That of this version of it. Defaults to the current one.
    pub fn version(mut self, id: impl Into<String>) -> Self {
        self.version = Some(id.into());
        self
    }

    /// Sends it.
    ///
    /// # Errors
    /// [`Kind::Invalid`](crate::Kind::Invalid) when there are more than 100 grants;
    /// [`is_not_found`](crate::Error::is_not_found) when there is no such object; otherwise as sending and the store
    /// say.
    pub async fn send(self) -> Result<()> {
        let mut wire = wire(Method::Put, &self.bucket, &self.key, self.version)?;
        wire.options(self.options);
        match self.acl {
            AclChange::Canned(acl) => {
                wire.fields(vec![(Cow::Borrowed("x-amz-acl"), acl.as_str().to_owned())])?;
            }
            AclChange::Acl(acl) => {
                let body = acl.encode()?;
                wire.fields(document_fields(&body, "application/xml").into())?;
                wire.body(Bytes::from(body));
            }
        }
        self.bucket.client.call(&PutOperation { wire }).await
    }
}

fn wire(method: Method, bucket: &Bucket, key: &str, version: Option<String>) -> Result<Wire> {
    let mut wire = Wire::object(method, bucket, key)?;
    wire.query("acl", "");
    if let Some(version) = &version {
        limits::version(version)?;
        wire.query("versionId", version);
    }
    Ok(wire)
}

options!(GetObjectAcl);
options!(PutObjectAcl);
awaitable!(GetObjectAcl, Acl);
awaitable!(PutObjectAcl, ());

struct GetOperation {
    wire: Wire,
}

impl Operation for GetOperation {
    type Output = Acl;
    const NAME: &'static str = idempotency::GET_OBJECT_ACL.operation;

    from_wire!();

    fn idempotency(&self) -> Idempotency {
        idempotency::GET_OBJECT_ACL.idempotency
    }

    fn parse(&self, _: &S3, answer: Answer) -> Result<Acl> {
        Ok(Acl::decode(&answer.bytes())?)
    }
}

struct PutOperation {
    wire: Wire,
}

impl Operation for PutOperation {
    type Output = ();
    const NAME: &'static str = idempotency::PUT_OBJECT_ACL.operation;

    from_wire!();
    changes_object!();

    fn idempotency(&self) -> Idempotency {
        idempotency::PUT_OBJECT_ACL.idempotency
    }

    fn parse(&self, _: &S3, _: Answer) -> Result<()> {
        Ok(())
    }
}
