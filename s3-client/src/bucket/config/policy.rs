//! Bucket policies, and whether one makes its bucket public.

use aws_core::{Error, Result};

use super::{Config, Encoded, Readable, Removable, Root, Settable, Writable};
use crate::idempotency::{self, Row};

/// The [policy](https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-policies.html) of a bucket: a text in JSON,
/// which is neither read nor changed here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy(String);

/// The most bytes of a policy: 20 KiB.
const LIMIT: usize = 20 << 10;

impl Policy {
    /// The policy of this text, which has up to 20,480 bytes.
    pub fn new(json: impl Into<String>) -> Self {
        Self(json.into())
    }

    /// The text of the policy.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Readable for Policy {
    const QUERY: &'static str = "policy";

    fn parse(document: &[u8]) -> Result<Self> {
        let text = std::str::from_utf8(document);
        let text = text.map_err(|_| Error::protocol("the policy is not UTF-8"))?;
        Ok(Self::new(text))
    }
}

impl Writable for Policy {
    const QUERY: &'static str = <Self as Readable>::QUERY;

    fn content(&self) -> Result<Encoded> {
        if self.0.trim().is_empty() {
            return Err(Error::invalid("the policy is empty"));
        }
        if self.0.len() > LIMIT {
            return Err(Error::invalid(format!(
                "the policy has {} bytes, over the limit of {LIMIT}",
                self.0.len()
            )));
        }
        Ok(Encoded::Body {
            text: self.0.clone(),
            media_type: "application/json",
        })
    }
}

impl Config for Policy {
    const GET: Row = idempotency::GET_BUCKET_POLICY;
}

impl Settable for Policy {
    const PUT: Row = idempotency::PUT_BUCKET_POLICY;
}

impl Removable for Policy {
    const DELETE: Row = idempotency::DELETE_BUCKET_POLICY;
}

impl From<String> for Policy {
    fn from(json: String) -> Self {
        Self(json)
    }
}

impl From<&str> for Policy {
    fn from(json: &str) -> Self {
        Self(json.to_owned())
    }
}

document! {
    /// The [status](https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html#access-control-block-public-access-policy-status)
    /// of a policy says whether it makes its bucket public.
    pub struct PolicyStatus {
        /// Whether the policy makes the bucket public.
        must is_public: bool = "IsPublic",
    }
}

impl Root for PolicyStatus {
    const ROOT: &'static str = "PolicyStatus";
    const QUERY: &'static str = "policyStatus";
}

impl Config for PolicyStatus {
    const GET: Row = idempotency::GET_BUCKET_POLICY_STATUS;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::documents::{reads, round_trips};

    #[test]
    fn limits() {
        assert!(Policy::new("x".repeat(20_480)).content().is_ok());
        let error = Policy::new("x".repeat(20_481)).content().unwrap_err();
        assert!(error.to_string().contains("20481"), "{error}");
        assert!(Policy::new(" ").content().is_err());
        assert!(Policy::parse(b"\xff").is_err());
    }

    #[test]
    fn a_status_is_read() {
        let text = "<PolicyStatus xmlns='u'><IsPublic>TRUE</IsPublic></PolicyStatus>";
        assert!(reads::<PolicyStatus>(text).is_public);
        round_trips::<PolicyStatus>();
    }
}
