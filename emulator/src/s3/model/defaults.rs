//! How a bucket encrypts what does not say how it is to be encrypted.
//!
//! See [Setting default server-side encryption behavior](https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-encryption.html):
//! without a configuration, all new objects are encrypted with keys that S3 keeps (SSE-S3).

use s3s::dto::ServerSideEncryption;

use crate::s3::config::schema::Node;
use crate::s3::model::attributes::Encryption;
use crate::s3::model::store::Bucket;

impl Encryption {
    /// This, or what the bucket does by default where nothing was said.
    pub(in crate::s3) fn or_default(self, bucket: &Bucket) -> Self {
        if self.kind.is_some() || self.customer_key.is_some() {
            return self;
        }
        let configuration = bucket.config("encryption");
        let rule = configuration.as_ref().and_then(|it| it.child("Rule"));
        rule.map_or_else(plain, of_rule)
    }
}

fn plain() -> Encryption {
    Encryption {
        kind: Some(ServerSideEncryption::from_static(
            ServerSideEncryption::AES256,
        )),
        ..Encryption::default()
    }
}

fn of_rule(rule: &Node) -> Encryption {
    let Some(usual) = rule.child("ApplyServerSideEncryptionByDefault") else {
        return plain();
    };
    let text = |name| Some(usual.text_of(name).trim().to_owned()).filter(|text| !text.is_empty());
    let bucket_key = rule.text_of("BucketKeyEnabled").trim() == "true";
    Encryption {
        kind: text("SSEAlgorithm").map(ServerSideEncryption::from),
        kms_key: text("KMSMasterKeyID"),
        bucket_key: bucket_key.then_some(true),
        customer_key: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_says_it_all() {
        let rule = |text: &str| of_rule(&Node::parse(text.as_bytes()).unwrap());
        let kms = rule(
            "<Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>aws:kms</SSEAlgorithm><KMSMasterKeyID>k             </KMSMasterKeyID></ApplyServerSideEncryptionByDefault><BucketKeyEnabled>true</BucketKeyEnabled></Rule>",
        );
        assert_eq!(kms.kind.unwrap().as_str(), "aws:kms");
        assert_eq!(
            (kms.kms_key.as_deref(), kms.bucket_key),
            (Some("k"), Some(true))
        );
        let empty = rule("<Rule><BucketKeyEnabled>false</BucketKeyEnabled></Rule>");
        assert_eq!(empty.kind.unwrap().as_str(), "AES256");
    }
}
