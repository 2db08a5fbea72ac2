use super::Root;

document! {
    /// How new objects are
    /// [encrypted](https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-encryption.html) that do not say it.
    pub struct Encryption {
        /// The rules; Amazon takes one.
        all rules + rule: EncryptionRule = "Rule",
    }

    /// One rule of it.
    pub struct EncryptionRule {
        /// What objects get that say nothing.
        opt by_default: DefaultEncryption = "ApplyServerSideEncryptionByDefault",
        /// Whether one key of the bucket is used, in place of a request to the key service for each object.
        val bucket_key_enabled: bool = "BucketKeyEnabled",
        /// Ways of encryption that are refused.
        opt blocked: BlockedEncryption = "BlockedEncryptionTypes",
    }

    /// What objects get that say nothing.
    pub struct DefaultEncryption {
        /// `AES256`, `aws:kms` or `aws:kms:dsse`.
        must algorithm: String = "SSEAlgorithm",
        /// The key, for the two that have one. Defaults to Amazon's own.
        opt kms_key_id: String = "KMSMasterKeyID",
    }

    /// Ways of encryption that are refused.
    pub struct BlockedEncryption {
        /// `SSE-C`, or `NONE` for none.
        all types + kind: String = "EncryptionType",
    }
}

impl Root for Encryption {
    const ROOT: &'static str = "ServerSideEncryptionConfiguration";
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::testing::{reads, round_trips};

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
