//! The default encryption of a bucket.

use super::{Config, Removable, Root, Settable};
use crate::idempotency::{self, Row};

document! {
    /// The [default encryption](https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-encryption.html) of a bucket
    /// says how objects are encrypted that are stored without a word about it.
    pub struct Encryption {
        /// The rules; Amazon takes exactly one.
        all rules + rule: EncryptionRule = "Rule",
    }

    /// A rule of the default encryption.
    pub struct EncryptionRule {
        /// The encryption of objects whose request says nothing about it.
        opt by_default: DefaultEncryption = "ApplyServerSideEncryptionByDefault",
        /// Whether one [key of the bucket](https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-key.html) is used,
        /// in place of a request to the key management service for each object.
        val bucket_key_enabled: bool = "BucketKeyEnabled",
        /// The ways of encryption that are refused.
        opt blocked: BlockedEncryption = "BlockedEncryptionTypes",
    }

    /// The encryption of objects whose request says nothing about it.
    pub struct DefaultEncryption {
        /// The algorithm: `AES256`, `aws:kms` or `aws:kms:dsse`.
        must algorithm: String = "SSEAlgorithm",
        /// The id or ARN of the key, for `aws:kms` and `aws:kms:dsse`. Defaults to the key that Amazon manages.
        opt kms_key_id: String = "KMSMasterKeyID",
    }

    /// The ways of encryption that a bucket refuses.
    pub struct BlockedEncryption {
        /// The ways: `SSE-C`, or `NONE` if none is refused.
        all types + kind: String = "EncryptionType",
    }
}

impl Root for Encryption {
    const ROOT: &'static str = "ServerSideEncryptionConfiguration";
    const QUERY: &'static str = "encryption";
}

impl Config for Encryption {
    const GET: Row = idempotency::GET_BUCKET_ENCRYPTION;
}

impl Settable for Encryption {
    const PUT: Row = idempotency::PUT_BUCKET_ENCRYPTION;
}

impl Removable for Encryption {
    const DELETE: Row = idempotency::DELETE_BUCKET_ENCRYPTION;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::documents::{reads, round_trips};

    #[test]
    fn amazons_example_is_read() {
        let encryption: Encryption = reads(
            "<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>aws:kms\
             </SSEAlgorithm><KMSMasterKeyID>arn:aws:kms:us-east-1:1234/5678example</KMSMasterKeyID>\
             </ApplyServerSideEncryptionByDefault><BucketKeyEnabled>true</BucketKeyEnabled><BlockedEncryptionTypes>\
             <EncryptionType>SSE-C</EncryptionType></BlockedEncryptionTypes></Rule></ServerSideEncryptionConfiguration>",
        );
        let rule = &encryption.rules[0];
        assert_eq!(rule.by_default.as_ref().unwrap().algorithm, "aws:kms");
        assert_eq!(rule.blocked.as_ref().unwrap().types, ["SSE-C"]);
        assert!(rule.bucket_key_enabled.unwrap() && rule.other.is_empty());
        round_trips::<Encryption>();
    }
}
