use std::borrow::Cow;
use std::fmt::Write as _;

use aws_core::operation::Answer;
use aws_core::{Error, Idempotency, Operation, Result, awaitable};
use pipeline_pool::Method;

use crate::bucket::Bucket;
use crate::config::{CannedAcl, Grantee, ObjectOwnership, Permission};
use crate::idempotency;
use crate::request::options::Options;
use crate::wire::{Field, S3, Wire};

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

    /// The region it is made in. Defaults to that of the endpoint. Amazon's `us-east-1` is said by saying nothing. Ceph's
    /// RADOS Gateway takes a zone group, and behind a colon a
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

    /// Sends it.
    ///
    /// # Errors
    /// `BucketAlreadyExists` and `BucketAlreadyOwnedByYou`; otherwise as sending and the store say.
    pub async fn send(self) -> Result<()> {
        let mut wire = Wire::bucket_root(Method::Put, &self.bucket)?;
        wire.options(self.options);
        if let Some(region) = &self.location {
            wire.body(location_xml(region)?.into());
        }
        let mut fields = self.fields;
        fields.extend(grant_fields(&self.grants)?);
        wire.fields(fields)?;
        self.bucket
            .client
            .call(&CreateBucketOperation { wire })
            .await
    }
}

/// One header field for each permission, with all who have it.
pub(crate) fn grant_fields(grants: &[(Permission, Grantee)]) -> Result<Vec<Field>> {
    let mut fields: Vec<Field> = Vec::new();
    for (permission, grantee) in grants {
        let name = match permission {
            Permission::FullControl => "x-amz-grant-full-control",
            Permission::Read => "x-amz-grant-read",
            Permission::Write => "x-amz-grant-write",
            Permission::ReadAcp => "x-amz-grant-read-acp",
            Permission::WriteAcp => "x-amz-grant-write-acp",
            Permission::Other(word) => {
                return Err(Error::invalid(format!(
                    "the permission {word:?} has no header"
                )));
            }
        };
        let grantee = grantee.header()?;
        match fields.iter_mut().find(|(known, _)| known == name) {
            Some((_, all)) => {
                all.push_str(", ");
                all.push_str(&grantee);
            }
            None => fields.push((Cow::Borrowed(name), grantee)),
        }
    }
    Ok(fields)
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

struct CreateBucketOperation {
    wire: Wire,
}

impl Operation for CreateBucketOperation {
    type Output = ();
    const NAME: &'static str = idempotency::CREATE_BUCKET.operation;

    from_wire!();

    fn idempotency(&self) -> Idempotency {
        idempotency::CREATE_BUCKET.idempotency
    }

    fn parse(&self, _: &S3, _: Answer) -> Result<()> {
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

    #[test]
    fn grants_are_joined_by_permission() {
        let all = Grantee::group(Grantee::ALL_USERS);
        let fields = grant_fields(&[
            (Permission::Read, all),
            (Permission::Write, Grantee::account("7")),
            (Permission::Read, Grantee::email("a@b.c")),
        ])
        .unwrap();
        assert_eq!(
            fields[0].1,
            "uri=\"http://acs.amazonaws.com/groups/global/AllUsers\", emailAddress=\"a@b.c\""
        );
        assert_eq!(
            (&*fields[1].0, &*fields[1].1),
            ("x-amz-grant-write", "id=\"7\"")
        );
        let other = (Permission::from("DANCE"), Grantee::account("7"));
        assert!(grant_fields(&[other]).is_err());
        assert!(grant_fields(&[(Permission::Read, Grantee::account("\n"))]).is_err());
    }
}
