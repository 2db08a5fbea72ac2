//! Configurations of one or a few values.

use aws_core::xml::{Element, XmlError};

use super::{Part, Root};

document! {
    /// Whether a bucket keeps [versions](https://docs.aws.amazon.com/AmazonS3/latest/userguide/Versioning.html) of its
    /// objects.
    pub struct Versioning {
        /// Enabled or suspended; nothing for a bucket that never kept versions. It cannot become nothing again.
        opt status: Status = "Status",
        /// Whether versions are removed only with a code of the owner's device.
        opt mfa_delete: Status = "MfaDelete",
    }

    /// Which ways to [make a bucket public](https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html)
    /// are closed. What is not set is open.
    pub struct PublicAccessBlock {
        /// Access control lists that make something public are refused.
        val block_public_acls: bool = "BlockPublicAcls",
        /// Those that are there do not count.
        val ignore_public_acls: bool = "IgnorePublicAcls",
        /// Policies that make something public are refused.
        val block_public_policy: bool = "BlockPublicPolicy",
        /// Where there is one, it counts only for the owner's account and Amazon's services.
        val restrict_public_buckets: bool = "RestrictPublicBuckets",
    }

    /// [Whose objects are](https://docs.aws.amazon.com/AmazonS3/latest/userguide/about-object-ownership.html) that others
    /// store.
    pub struct Ownership {
        /// One rule.
        all rules + rule: OwnershipRule = "Rule",
    }

    /// The rule of it.
    pub struct OwnershipRule {
        /// Whose.
        opt object_ownership: ObjectOwnership = "ObjectOwnership",
    }

    /// [Who pays](https://docs.aws.amazon.com/AmazonS3/latest/userguide/RequesterPaysBuckets.html) for requests and what
    /// they transfer.
    pub struct RequestPayment {
        /// Who.
        opt payer: Payer = "Payer",
    }

    /// Whether a bucket has an endpoint of
    /// [Transfer Acceleration](https://docs.aws.amazon.com/AmazonS3/latest/userguide/transfer-acceleration.html).
    pub struct Accelerate {
        /// Enabled or suspended.
        opt status: Status = "Status",
    }
}

words! {
    /// Whether something holds.
    pub enum Status {
        /// It does.
        Enabled = "Enabled",
        /// It did.
        Suspended = "Suspended",
        /// It does not.
        Disabled = "Disabled",
    }

    /// Whose objects are that others store.
    pub enum ObjectOwnership {
        /// The bucket owner's; access control lists do not count.
        BucketOwnerEnforced = "BucketOwnerEnforced",
        /// The bucket owner's, if they are stored with `bucket-owner-full-control`.
        BucketOwnerPreferred = "BucketOwnerPreferred",
        /// Theirs.
        ObjectWriter = "ObjectWriter",
    }

    /// Who pays.
    pub enum Payer {
        /// The bucket's owner.
        BucketOwner = "BucketOwner",
        /// Who asks.
        Requester = "Requester",
    }
}

impl Root for Versioning {
    const ROOT: &'static str = "VersioningConfiguration";
}

impl Root for PublicAccessBlock {
    const ROOT: &'static str = "PublicAccessBlockConfiguration";
    // Ceph RGW, where none was stored.
    const ALSO: &'static [&'static str] = &["BlockPublicAccessBlockConfiguration"];
}

impl Root for Ownership {
    const ROOT: &'static str = "OwnershipControls";
}

impl Root for RequestPayment {
    const ROOT: &'static str = "RequestPaymentConfiguration";
}

impl Root for Accelerate {
    const ROOT: &'static str = "AccelerateConfiguration";
}

impl From<ObjectOwnership> for Ownership {
    fn from(whose: ObjectOwnership) -> Self {
        Self::new().rule(OwnershipRule::new().object_ownership(whose))
    }
}

/// Where a bucket is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Location {
    /// As the store writes it; empty in the oldest region.
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

impl Part for Location {
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
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::testing::{reads, round_trips};

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
