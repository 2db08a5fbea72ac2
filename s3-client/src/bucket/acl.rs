use std::borrow::Cow;

use aws_core::idempotency::Row;
use aws_core::operation::Answer;
use aws_core::{Idempotency, Operation, Result, awaitable};
use bytes::Bytes;
use pipeline_pool::Method;

use super::config::document_fields;
use crate::bucket::Bucket;
use crate::config::{Acl, CannedAcl, Root};
use crate::request::options::Options;
use crate::wire::{S3, Wire};

/// What an access control list is replaced by.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AclChange {
    /// One that has a name.
    Canned(CannedAcl),
    /// This one.
    Acl(Acl),
}

impl From<CannedAcl> for AclChange {
    fn from(acl: CannedAcl) -> Self {
        Self::Canned(acl)
    }
}

impl From<Acl> for AclChange {
    fn from(acl: Acl) -> Self {
        Self::Acl(acl)
    }
}

/// A request to replace the access control list of a bucket; made by [`Bucket::put_acl`].
#[must_use = "nothing is sent until this is awaited"]
#[derive(Clone, Debug)]
pub struct PutBucketAcl {
    bucket: Bucket,
    acl: AclChange,
    options: Options,
}

impl Bucket {
    /// Replaces who may do what with the bucket, by a [`CannedAcl`] or an [`Acl`].
    ///
    /// [PutBucketAcl](https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketAcl.html)
    pub fn put_acl(&self, acl: impl Into<AclChange>) -> PutBucketAcl {
        PutBucketAcl {
            bucket: self.clone(),
            acl: acl.into(),
            options: Options::default(),
        }
    }
}

impl PutBucketAcl {
    /// Sends it.
    ///
    /// # Errors
    /// [`Kind::Invalid`](crate::Kind::Invalid) when there are more than 100 grants; otherwise as sending and the
    /// store say.
    pub async fn send(self) -> Result<()> {
        let mut wire = Wire::bucket_root(Method::Put, &self.bucket)?;
        wire.options(self.options);
        wire.query("acl", "");
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
        self.bucket.client.call(&PutAclOperation { wire }).await
    }
}

options!(PutBucketAcl);
awaitable!(PutBucketAcl, ());

pub(crate) const ROW: Row = Row::new(
    "PutBucketAcl",
    "always",
    Idempotency::Repeatable,
    "it replaces the whole by the same",
);

struct PutAclOperation {
    wire: Wire,
}

impl Operation for PutAclOperation {
    type Output = ();
    const NAME: &'static str = ROW.operation;

    from_wire!();
    changes_bucket!();

    fn idempotency(&self) -> Idempotency {
        ROW.idempotency
    }

    fn parse(&self, _: &S3, _: Answer) -> Result<()> {
        Ok(())
    }
}
