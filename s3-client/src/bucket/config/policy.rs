use aws_core::{Error, Result};

use super::Root;

/// A [policy](https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-policies.html) of a bucket: a JSON text, which
/// is neither read nor changed here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy(String);

/// The most bytes of a policy: 20 KiB.
const LIMIT: usize = 20 << 10;

impl Policy {
    /// A policy of this text, up to 20,480 bytes.
    pub fn new(json: impl Into<String>) -> Self {
        Self(json.into())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn read(document: &[u8]) -> Result<Self> {
        let text = std::str::from_utf8(document);
        let text = text.map_err(|_| Error::protocol("the policy is not UTF-8"))?;
        Ok(Self::new(text))
    }

    pub(crate) fn check(&self) -> Result<()> {
        if self.0.trim().is_empty() {
            return Err(Error::invalid("the policy is empty"));
        }
        if self.0.len() > LIMIT {
            return Err(Error::invalid(format!(
                "the policy has {} bytes, over the limit of {LIMIT}",
                self.0.len()
            )));
        }
        Ok(())
    }
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
    /// What a bucket's policy comes to.
    pub struct PolicyStatus {
        /// Whether it makes the bucket public.
        must is_public: bool = "IsPublic",
    }
}

impl Root for PolicyStatus {
    const ROOT: &'static str = "PolicyStatus";
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::testing::{reads, round_trips};

    #[test]
    fn limits() {
        assert!(Policy::new("x".repeat(20_480)).check().is_ok());
        let error = Policy::new("x".repeat(20_481)).check().unwrap_err();
        assert!(error.to_string().contains("20481"), "{error}");
        assert!(Policy::new(" ").check().is_err());
        assert!(Policy::read(b"\xff").is_err());
    }

    #[test]
    fn a_status_is_read() {
        let text = "<PolicyStatus xmlns='u'><IsPublic>TRUE</IsPublic></PolicyStatus>";
        assert!(reads::<PolicyStatus>(text).is_public);
        round_trips::<PolicyStatus>();
    }
}
