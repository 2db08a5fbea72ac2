//! Documents of one or a few values: versioning, public access, ownership, who pays, acceleration, and the region.

use aws_core::xml::{Element, XmlError};

use super::{Config, Removable, Root, Settable, XmlPart};
use crate::idempotency::{self, Row};

document! {
    /// The [versioning](https://docs.aws.amazon.com/AmazonS3/latest/userguide/Versioning.html) of a bucket says whether it
    /// keeps versions of its objects.
    ///
    /// ```
    /// use s3_client::config::{Status, Versioning};
    ///
    /// # async fn example(photos: s3_client::Bucket) -> s3_client::Result<()> {
    /// photos.put_config(Versioning::new().status(Status::Enabled)).await?;
    /// # Ok(()) }
    /// ```
    pub struct Versioning {
        /// `Enabled` or `Suspended`. A bucket that never kept versions has none of them, and no bucket can go back to
        /// that.
        opt status: Status = "Status",
        /// Whether versions are removed only with a code of the owner's device (MFA delete): `Enabled` or `Disabled`.
        opt mfa_delete: Status = "MfaDelete",
    }

    /// The [public access block](https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html)
    /// of a bucket says which ways to make it public are closed. A way that is not set is open.
    pub struct PublicAccessBlock {
        /// Whether access control lists that make something public are refused.
        val block_public_acls: bool = "BlockPublicAcls",
        /// Whether the access control lists that are there and make something public are ignored.
        val ignore_public_acls: bool = "IgnorePublicAcls",
        /// Whether policies that make something public are refused.
        val block_public_policy: bool = "BlockPublicPolicy",
        /// Whether a policy that makes the bucket public counts only for the owner's account and for services of AWS.
        val restrict_public_buckets: bool = "RestrictPublicBuckets",
    }

    /// The [ownership controls](https://docs.aws.amazon.com/AmazonS3/latest/userguide/about-object-ownership.html) of a
    /// bucket say who owns the objects that other accounts store in it.
    pub struct Ownership {
        /// The rules: exactly one.
        all rules + rule: OwnershipRule = "Rule",
    }

    /// The rule of ownership controls.
    pub struct OwnershipRule {
        /// Who owns the objects that other accounts store.
        opt object_ownership: ObjectOwnership = "ObjectOwnership",
    }

    /// The setting for [requester pays](https://docs.aws.amazon.com/AmazonS3/latest/userguide/RequesterPaysBuckets.html)
    /// says who pays for requests and what they transfer.
    pub struct RequestPayment {
        /// Who pays for requests and what they transfer.
        opt payer: Payer = "Payer",
    }

    /// The setting for
    /// [Transfer Acceleration](https://docs.aws.amazon.com/AmazonS3/latest/userguide/transfer-acceleration.html) says whether
    /// a bucket has an accelerated endpoint.
    pub struct Accelerate {
        /// Whether there is one: `Enabled` or `Suspended`.
        opt status: Status = "Status",
    }
}

words! {
    /// Whether a setting or a rule is followed.
    pub enum Status {
        /// The setting or rule is followed.
        Enabled = "Enabled",
        /// The setting was followed before, and is not now: what it has made meanwhile stays.
        Suspended = "Suspended",
        /// The setting or rule is not followed.
        Disabled = "Disabled",
    }

    /// Who owns the objects that other accounts store in a bucket.
    pub enum ObjectOwnership {
        /// The bucket's owner owns them, and access control lists do not count.
        BucketOwnerEnforced = "BucketOwnerEnforced",
        /// The bucket's owner owns those that are stored with the access control list `bucket-owner-full-control`.
        BucketOwnerPreferred = "BucketOwnerPreferred",
        /// The account that has stored an object owns it.
        ObjectWriter = "ObjectWriter",
    }

    /// Who pays for requests and what they transfer.
    pub enum Payer {
        /// The bucket's owner pays.
        BucketOwner = "BucketOwner",
        /// The account that sends a request pays for it.
        Requester = "Requester",
    }
}

impl Root for Versioning {
    const ROOT: &'static str = "VersioningConfiguration";
    const QUERY: &'static str = "versioning";
}

impl Config for Versioning {
    const GET: Row = idempotency::GET_BUCKET_VERSIONING;
}

impl Settable for Versioning {
    const PUT: Row = idempotency::PUT_BUCKET_VERSIONING;
}

impl Root for PublicAccessBlock {
    const ROOT: &'static str = "PublicAccessBlockConfiguration";
    const QUERY: &'static str = "publicAccessBlock";
    // Ceph RGW, where none was stored.
    const ALSO: &'static [&'static str] = &["BlockPublicAccessBlockConfiguration"];
}

impl Config for PublicAccessBlock {
    const GET: Row = idempotency::GET_PUBLIC_ACCESS_BLOCK;
}

impl Settable for PublicAccessBlock {
    const PUT: Row = idempotency::PUT_PUBLIC_ACCESS_BLOCK;
}

impl Removable for PublicAccessBlock {
    const DELETE: Row = idempotency::DELETE_PUBLIC_ACCESS_BLOCK;
}

impl Root for Ownership {
    const ROOT: &'static str = "OwnershipControls";
    const QUERY: &'static str = "ownershipControls";
}

impl Config for Ownership {
    const GET: Row = idempotency::GET_BUCKET_OWNERSHIP_CONTROLS;
}

impl Settable for Ownership {
    const PUT: Row = idempotency::PUT_BUCKET_OWNERSHIP_CONTROLS;
}

impl Removable for Ownership {
    const DELETE: Row = idempotency::DELETE_BUCKET_OWNERSHIP_CONTROLS;
}

impl Root for RequestPayment {
    const ROOT: &'static str = "RequestPaymentConfiguration";
    const QUERY: &'static str = "requestPayment";
}

impl Config for RequestPayment {
    const GET: Row = idempotency::GET_BUCKET_REQUEST_PAYMENT;
}

impl Settable for RequestPayment {
    const PUT: Row = idempotency::PUT_BUCKET_REQUEST_PAYMENT;
}

impl Root for Accelerate {
    const ROOT: &'static str = "AccelerateConfiguration";
    const QUERY: &'static str = "accelerate";
}

impl Config for Accelerate {
    const GET: Row = idempotency::GET_BUCKET_ACCELERATE_CONFIGURATION;
}

impl Settable for Accelerate {
    const PUT: Row = idempotency::PUT_BUCKET_ACCELERATE_CONFIGURATION;
}

impl From<Status> for Versioning {
    fn from(status: Status) -> Self {
        Self::new().status(status)
    }
}

impl From<ObjectOwnership> for Ownership {
    fn from(whose: ObjectOwnership) -> Self {
        Self::new().rule(OwnershipRule::new().object_ownership(whose))
    }
}

/// The region that a bucket is in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Location {
    /// The location constraint as the store writes it: empty in `us-east-1`.
    pub constraint: String,
}

impl Location {
    /// The region: `us-east-1` for an empty constraint, and `eu-west-1` for `EU`, which was its name.
    pub fn region(&self) -> &str {
        match self.constraint.as_str() {
            "" => "us-east-1",
            "EU" => "eu-west-1",
            region => region,
        }
    }
}

impl XmlPart for Location {
    fn read(element: Element) -> Result<Self, XmlError> {
        let constraint = String::read(element)?.trim().to_owned();
        Ok(Self { constraint })
    }

    fn write(&self, name: &str) -> Element {
        self.constraint.write(name)
    }

    #[cfg(test)]
    fn any() -> proptest::strategy::BoxedStrategy<Self> {
        use proptest::strategy::Strategy as _;
        "[a-z0-9-]{0,12}"
            .prop_map(|constraint| Self { constraint })
            .boxed()
    }
}

impl Root for Location {
    const ROOT: &'static str = "LocationConstraint";
    const QUERY: &'static str = "location";
}

impl Config for Location {
    const GET: Row = idempotency::GET_BUCKET_LOCATION;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::documents::{reads, round_trips};

    #[test]
    fn examples_are_read() {
        let on: Versioning =
            reads("<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>");
        assert_eq!(on.status, Some(Status::Enabled));
        let never: Versioning = reads("<VersioningConfiguration xmlns='u'/>");
        assert_eq!(never, Versioning::new());
        let empty: Versioning = reads(
            "<VersioningConfiguration><Status></Status><MfaDelete/></VersioningConfiguration>",
        );
        assert_eq!(empty, Versioning::new());
        let ownership: Ownership = reads(
            "<OwnershipControls><Rule><ObjectOwnership>ObjectWriter</ObjectOwnership></Rule></OwnershipControls>",
        );
        assert_eq!(ownership, ObjectOwnership::ObjectWriter.into());
        for (text, region) in [
            ("<LocationConstraint xmlns='u'/>", "us-east-1"),
            ("<LocationConstraint>EU</LocationConstraint>", "eu-west-1"),
            (
                "<LocationConstraint>us-west-2</LocationConstraint>",
                "us-west-2",
            ),
        ] {
            assert_eq!(reads::<Location>(text).region(), region);
        }
    }

    #[test]
    fn all_make_the_round_trip() {
        round_trips::<Versioning>();
        round_trips::<PublicAccessBlock>();
        round_trips::<Ownership>();
        round_trips::<RequestPayment>();
        round_trips::<Accelerate>();
        round_trips::<Location>();
    }
}
