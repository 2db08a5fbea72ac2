//! Making a bucket: [`Bucket::create`].

use std::borrow::Cow;
use std::fmt::Write as _;

use aws_core::operation::Answer;
use aws_core::{Error, Result, awaitable};
use pipeline_pool::Method;

use crate::bucket::Bucket;
use crate::bucket::config::{CannedAcl, Grantee, ObjectOwnership, Permission, grant_fields};
use crate::idempotency::{self, Row};
use crate::operation::{Call, S3Operation};
use crate::request::options::Options;
use crate::unsigned::{Field, UnsignedRequest};

/// A request to make a bucket; made by [`Bucket::create`].
#[must_use = "nothing is sent until this is awaited"]
#[derive(Clone, Debug)]
pub struct CreateBucket {
    bucket: Bucket,
    location: Option<String>,
    fields: Vec<Field>,
    grants: Vec<(Permission, Grantee)>,
    options: Options,
}

impl Bucket {
    /// Makes the bucket; the account of the keys becomes its owner.
    ///
    /// [CreateBucket](https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html)
    #[doc(alias("create_bucket", "CreateBucket"))]
    pub fn create(&self) -> CreateBucket {
        CreateBucket::new(self.clone())
    }
}

impl CreateBucket {
    pub(crate) fn new(bucket: Bucket) -> Self {
        Self {
            bucket,
            location: None,
            fields: Vec::new(),
            grants: Vec::new(),
            options: Options::default(),
        }
    }

    /// The region it is made in (`LocationConstraint`). Defaults to the client's at Amazon's endpoints, but to none in
    /// `us-east-1`, which is said by saying nothing; and to none at other stores, which then choose. Ceph's RADOS
    /// Gateway takes a zone group, and behind a colon a
    /// [placement](https://docs.ceph.com/en/latest/radosgw/placement/).
    pub fn location(mut self, region: impl Into<String>) -> Self {
        self.location = Some(region.into());
        self
    }

    /// Who may do what with it, by name. Defaults to [`CannedAcl::Private`].
    pub fn acl(self, acl: impl Into<CannedAcl>) -> Self {
        let acl = acl.into();
        self.field("x-amz-acl", acl.as_str())
    }

    /// Allows somebody something; not together with [`acl`](Self::acl).
    pub fn grant(mut self, permission: impl Into<Permission>, grantee: Grantee) -> Self {
        self.grants.push((permission.into(), grantee));
        self
    }

    /// Whose objects are that others store. Defaults to the store's choice, at Amazon the bucket owner's.
    pub fn object_ownership(self, whose: impl Into<ObjectOwnership>) -> Self {
        let whose = whose.into();
        self.field("x-amz-object-ownership", whose.as_str())
    }

    /// Whether its objects [can be
    /// locked](https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock.html) against removal. Defaults to no. It
    /// then keeps versions, and cannot be told otherwise.
    pub fn object_lock(self, yes: bool) -> Self {
        self.field(
            "x-amz-bucket-object-lock-enabled",
            if yes { "true" } else { "false" },
        )
    }

    fn field(mut self, name: &'static str, value: &str) -> Self {
        self.fields.retain(|(known, _)| known != name);
        self.fields.push((Cow::Borrowed(name), value.to_owned()));
        self
    }

    /// Sends CreateBucket, as `.await` does.
    ///
    /// # Errors
    /// `BucketAlreadyExists` and `BucketAlreadyOwnedByYou`; otherwise as sending and the store say.
    pub async fn send(self) -> Result<()> {
        let wire = UnsignedRequest::bucket_root(Method::Put, &self.bucket)?;
        let mut wire = self.bucket.client().at_region(wire);
        wire.options(self.options);
        let location = self.location.as_deref();
        if let Some(region) = location.or_else(|| self.bucket.client().location()) {
            wire.body(location_xml(region)?.into());
        }
        let mut fields = self.fields;
        fields.extend(grant_fields(&self.grants)?);
        wire.fields(fields)?;
        self.bucket
            .client()
            .call(&Call::new(wire, CreateBucketOperation))
            .await
    }
}

fn location_xml(region: &str) -> Result<String> {
    let legal = |b: u8| b.is_ascii_alphanumeric() || b"-_.:".contains(&b);
    if region.is_empty() || !region.bytes().all(legal) {
        return Err(Error::invalid(format!(
            "the region {region:?} is not letters, digits, hyphens, underscores, dots and colons"
        )));
    }
    let mut xml = String::from(
        "<CreateBucketConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">",
    );
    let _infallible = write!(
        xml,
        "<LocationConstraint>{region}</LocationConstraint></CreateBucketConfiguration>"
    );
    Ok(xml)
}

options!(CreateBucket);
awaitable!(CreateBucket, ());

struct CreateBucketOperation;

impl S3Operation for CreateBucketOperation {
    type Output = ();
    const ROW: Row = idempotency::CREATE_BUCKET;

    fn parse(&self, _: Answer) -> Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_cannot_break_out() {
        assert!(
            location_xml("eu-west-1")
                .unwrap()
                .contains("<LocationConstraint>eu-west-1</LocationConstraint>")
        );
        assert!(location_xml("eu_1.a:cold-placement").is_ok());
        assert!(location_xml("</x>").is_err() && location_xml("").is_err());
    }
}
