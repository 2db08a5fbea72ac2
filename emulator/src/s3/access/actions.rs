//! What each request needs: the action that policies name it by, and the permission that lists grant it by.
//!
//! See [Actions for Amazon S3](https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html)
//! and [Mapping of ACL permissions](https://docs.aws.amazon.com/AmazonS3/latest/userguide/acl-overview.html#acl-access-policy-permission-mapping).

use crate::s3::model::acl::Permission;

/// Who may do something besides those whom a policy lets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Needs {
    /// Any account may do it.
    Account,
    /// The owner of the bucket, and whom its list grants this.
    Bucket(Permission),
    /// The owner of the object, and whom its list grants this.
    Object(Permission),
    /// The owner of the bucket.
    Owner,
    /// It is decided for each key.
    EachKey,
}

/// The action and the needs of an operation; `versioned` is whether it names a version.
pub(crate) fn of_operation(name: &str, versioned: bool) -> (&'static str, Needs) {
    use Permission::{Read, ReadAcp, Write, WriteAcp};
    let pick = |plain, of_version| if versioned { of_version } else { plain };
    match name {
        "ListBuckets" => ("s3:ListAllMyBuckets", Needs::Account),
        "CreateBucket" => ("s3:CreateBucket", Needs::Account),
        "HeadBucket" | "ListObjects" | "ListObjectsV2" => ("s3:ListBucket", Needs::Bucket(Read)),
        "ListObjectVersions" => ("s3:ListBucketVersions", Needs::Bucket(Read)),
        "ListMultipartUploads" => ("s3:ListBucketMultipartUploads", Needs::Bucket(Read)),
        "PutObject"
        | "PostObject"
        | "CopyObject"
        | "CreateMultipartUpload"
        | "UploadPart"
        | "UploadPartCopy"
        | "CompleteMultipartUpload" => ("s3:PutObject", Needs::Bucket(Write)),
        "DeleteObject" => (
            pick("s3:DeleteObject", "s3:DeleteObjectVersion"),
            Needs::Bucket(Write),
        ),
        "DeleteObjects" => ("s3:DeleteObject", Needs::EachKey),
        "AbortMultipartUpload" => ("s3:AbortMultipartUpload", Needs::Bucket(Write)),
        "ListParts" => ("s3:ListMultipartUploadParts", Needs::Bucket(Write)),
        "GetObject" | "HeadObject" => (
            pick("s3:GetObject", "s3:GetObjectVersion"),
            Needs::Object(Read),
        ),
        "GetObjectAttributes" => (
            pick("s3:GetObjectAttributes", "s3:GetObjectVersionAttributes"),
            Needs::Object(Read),
        ),
        "GetObjectAcl" => (
            pick("s3:GetObjectAcl", "s3:GetObjectVersionAcl"),
            Needs::Object(ReadAcp),
        ),
        "PutObjectAcl" => (
            pick("s3:PutObjectAcl", "s3:PutObjectVersionAcl"),
            Needs::Object(WriteAcp),
        ),
        "GetObjectTagging" => (
            pick("s3:GetObjectTagging", "s3:GetObjectVersionTagging"),
            Needs::Owner,
        ),
        "PutObjectTagging" => (
            pick("s3:PutObjectTagging", "s3:PutObjectVersionTagging"),
            Needs::Owner,
        ),
        "DeleteObjectTagging" => (
            pick("s3:DeleteObjectTagging", "s3:DeleteObjectVersionTagging"),
            Needs::Owner,
        ),
        "GetObjectRetention" => ("s3:GetObjectRetention", Needs::Owner),
        "PutObjectRetention" => ("s3:PutObjectRetention", Needs::Owner),
        "GetObjectLegalHold" => ("s3:GetObjectLegalHold", Needs::Owner),
        "PutObjectLegalHold" => ("s3:PutObjectLegalHold", Needs::Owner),
        "RestoreObject" => ("s3:RestoreObject", Needs::Owner),
        "DeleteBucket" => ("s3:DeleteBucket", Needs::Owner),
        "GetBucketLocation" => ("s3:GetBucketLocation", Needs::Owner),
        "GetBucketVersioning" => ("s3:GetBucketVersioning", Needs::Owner),
        "PutBucketVersioning" => ("s3:PutBucketVersioning", Needs::Owner),
        _ => ("s3:*", Needs::Owner),
    }
}

/// The action and the needs of a request about a bucket's configuration; one is deleted by who may put it.
pub(crate) fn of_configuration(query: &str, reads: bool, deletes: bool) -> (&'static str, Needs) {
    let action = match query {
        "acl" if reads => return ("s3:GetBucketAcl", Needs::Bucket(Permission::ReadAcp)),
        "acl" => return ("s3:PutBucketAcl", Needs::Bucket(Permission::WriteAcp)),
        "policy" if deletes => "s3:DeleteBucketPolicy",
        "website" if deletes => "s3:DeleteBucketWebsite",
        _ => {
            let (get, put) = match query {
                "policy" => ("s3:GetBucketPolicy", "s3:PutBucketPolicy"),
                "policyStatus" => ("s3:GetBucketPolicyStatus", "s3:*"),
                "cors" => ("s3:GetBucketCORS", "s3:PutBucketCORS"),
                "lifecycle" => (
                    "s3:GetLifecycleConfiguration",
                    "s3:PutLifecycleConfiguration",
                ),
                "tagging" => ("s3:GetBucketTagging", "s3:PutBucketTagging"),
                "website" => ("s3:GetBucketWebsite", "s3:PutBucketWebsite"),
                "encryption" => (
                    "s3:GetEncryptionConfiguration",
                    "s3:PutEncryptionConfiguration",
                ),
                "publicAccessBlock" => (
                    "s3:GetBucketPublicAccessBlock",
                    "s3:PutBucketPublicAccessBlock",
                ),
                "ownershipControls" => (
                    "s3:GetBucketOwnershipControls",
                    "s3:PutBucketOwnershipControls",
                ),
                "logging" => ("s3:GetBucketLogging", "s3:PutBucketLogging"),
                "object-lock" => (
                    "s3:GetBucketObjectLockConfiguration",
                    "s3:PutBucketObjectLockConfiguration",
                ),
                "replication" => (
                    "s3:GetReplicationConfiguration",
                    "s3:PutReplicationConfiguration",
                ),
                "notification" => ("s3:GetBucketNotification", "s3:PutBucketNotification"),
                "requestPayment" => ("s3:GetBucketRequestPayment", "s3:PutBucketRequestPayment"),
                "accelerate" => (
                    "s3:GetAccelerateConfiguration",
                    "s3:PutAccelerateConfiguration",
                ),
                _ => ("s3:*", "s3:*"),
            };
            if reads { get } else { put }
        }
    };
    (action, Needs::Owner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_have_actions_of_their_own() {
        assert_eq!(of_operation("GetObject", false).0, "s3:GetObject");
        assert_eq!(of_operation("GetObject", true).0, "s3:GetObjectVersion");
        assert_eq!(of_operation("SomethingNew", false).1, Needs::Owner);
        assert_eq!(
            of_configuration("policy", false, true),
            ("s3:DeleteBucketPolicy", Needs::Owner)
        );
        assert_eq!(
            of_configuration("acl", true, false).1,
            Needs::Bucket(Permission::ReadAcp)
        );
    }
}
