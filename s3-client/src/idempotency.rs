#![doc = include_str!("idempotency.md")]

pub use aws_core::idempotency::Row;

aws_core::rows! {
    /// All rows of the table.
    pub const TABLE;

    LIST_BUCKETS = "ListBuckets", "always", Repeatable, "it reads";
    HEAD_BUCKET = "HeadBucket", "always", Repeatable, "it reads";
    CREATE_BUCKET = "CreateBucket", "always", Once,
        "a replay answers BucketAlreadyOwnedByYou for the bucket that the first has just made";
    DELETE_BUCKET = "DeleteBucket", "always", Once,
        "a replay answers NoSuchBucket, and could remove a bucket made anew in between";
    GET_OBJECT = "GetObject", "always", Repeatable, "it reads";
    HEAD_OBJECT = "HeadObject", "always", Repeatable, "it reads";
    LIST_OBJECTS = "ListObjectsV2", "always", Repeatable, "it reads";
    LIST_OBJECTS_V1 = "ListObjects", "always", Repeatable, "it reads";
    LIST_OBJECT_VERSIONS = "ListObjectVersions", "always", Repeatable, "it reads";
    PUT_OBJECT = "PutObject", "plain", Repeatable,
        "the same bytes under the same key; under versioning a replay makes one more version of them: say `once()` \
         where that matters";
    PUT_OBJECT_IF = "PutObject", "with if-match or if-none-match", Once,
        "a replay meets what the first has just stored, and reports a false conflict";
    PUT_OBJECT_STREAM = "PutObject", "of a stream", Once,
        "what has been read from the stream is gone; with nothing read it is sent again";
    PUT_OBJECT_ONCE = "PutObject", "with `once()`", Once, "the caller says so";
    DELETE_OBJECT = "DeleteObject", "plain", Repeatable,
        "what is gone stays gone, and the answer is the same; under versioning a replay adds one more delete marker: \
         say `once()` where that matters";
    DELETE_OBJECT_VERSION = "DeleteObject", "of a version", Repeatable,
        "a version that is gone stays gone; a replay does not say any more whether it was a delete marker: say `once()` \
         where that matters";
    DELETE_OBJECT_IF = "DeleteObject", "with if-match", Once,
        "a replay meets what the first has just removed, and reports a false conflict";
    DELETE_OBJECT_ONCE = "DeleteObject", "with `once()`", Once, "the caller says so";
    DELETE_OBJECTS = "DeleteObjects", "plain", Repeatable,
        "what is gone stays gone; under versioning a replay adds more delete markers: say `once()` where that matters";
    DELETE_OBJECTS_VERSIONS = "DeleteObjects", "all with a version", Repeatable,
        "a version that is gone stays gone, and the answer is the same";
    DELETE_OBJECTS_ONCE = "DeleteObjects", "with `once()`", Once, "the caller says so";
    COPY_OBJECT = "CopyObject", "plain", Repeatable,
        "the same bytes under the same key, unless the source was changed meanwhile; under versioning a replay makes one \
         more version of them: say `once()` where that matters";
    COPY_OBJECT_IF = "CopyObject", "with a condition on what is replaced, or onto itself with one on the source", Once,
        "a replay meets what the first has just stored, and reports a false conflict";
    COPY_OBJECT_ONCE = "CopyObject", "with `once()`", Once, "the caller says so";
    GET_OBJECT_ATTRIBUTES = "GetObjectAttributes", "always", Repeatable, "it reads";
    RESTORE_OBJECT = "RestoreObject", "always", Once,
        "a replay reports that the restoration which the first has begun is in progress already";
    GET_OBJECT_ACL = "GetObjectAcl", "always", Repeatable, "it reads";
    PUT_OBJECT_ACL = "PutObjectAcl", "always", Repeatable, "it replaces the whole by the same";
    GET_OBJECT_TAGGING = "GetObjectTagging", "always", Repeatable, "it reads";
    PUT_OBJECT_TAGGING = "PutObjectTagging", "always", Repeatable,
        "the same tags in place of all that there were";
    DELETE_OBJECT_TAGGING = "DeleteObjectTagging", "always", Repeatable,
        "what is gone stays gone, and the answer is the same";
    GET_OBJECT_RETENTION = "GetObjectRetention", "always", Repeatable, "it reads";
    PUT_OBJECT_RETENTION = "PutObjectRetention", "always", Repeatable,
        "the same end in place of what there was";
    GET_OBJECT_LEGAL_HOLD = "GetObjectLegalHold", "always", Repeatable, "it reads";
    PUT_OBJECT_LEGAL_HOLD = "PutObjectLegalHold", "always", Repeatable,
        "the same hold in place of what there was";
    CREATE_MULTIPART_UPLOAD = "CreateMultipartUpload", "always", Repeatable,
        "each run begins an upload of its own; one that nobody heard of has no parts and takes no room, and is listed \
         until it is aborted";
    UPLOAD_PART = "UploadPart", "plain", Repeatable,
        "the same bytes under the same number, and the same answer";
    UPLOAD_PART_STREAM = "UploadPart", "of a stream", Once,
        "what has been read from the stream is gone; with nothing read it is sent again";
    UPLOAD_PART_COPY = "UploadPartCopy", "always", Repeatable,
        "the part becomes what the source is then, and the answer tells its tag";
    LIST_PARTS = "ListParts", "always", Repeatable, "it reads";
    LIST_MULTIPART_UPLOADS = "ListMultipartUploads", "always", Repeatable, "it reads";
    COMPLETE_MULTIPART_UPLOAD = "CompleteMultipartUpload", "plain", Repeatable,
        "a replay may answer NoSuchUpload for what the first has completed; then the object is asked for its tag, \
         which follows from those of the parts";
    COMPLETE_MULTIPART_UPLOAD_OPAQUE = "CompleteMultipartUpload", "of parts whose tags are no digests", Once,
        "a replay may answer NoSuchUpload, and nothing tells whether the first has completed it";
    COMPLETE_MULTIPART_UPLOAD_IF = "CompleteMultipartUpload", "with if-match or if-none-match", Once,
        "a replay meets what the first has just stored, and reports a false conflict";
    ABORT_MULTIPART_UPLOAD = "AbortMultipartUpload", "always", Repeatable,
        "what is gone stays gone, and NoSuchUpload is taken for that";
    GET_BUCKET_LOCATION = "GetBucketLocation", "always", Repeatable, "it reads";
    GET_BUCKET_VERSIONING = "GetBucketVersioning", "always", Repeatable, "it reads";
    PUT_BUCKET_VERSIONING = "PutBucketVersioning", "always", Repeatable, "it replaces the whole by the same";
    PUT_BUCKET_VERSIONING_MFA = "PutBucketVersioning", "with `mfa`", Once,
        "a code of a device counts once: a replay is refused";
    GET_BUCKET_ACL = "GetBucketAcl", "always", Repeatable, "it reads";
    PUT_BUCKET_ACL = "PutBucketAcl", "always", Repeatable, "it replaces the whole by the same";
    GET_BUCKET_POLICY = "GetBucketPolicy", "always", Repeatable, "it reads";
    PUT_BUCKET_POLICY = "PutBucketPolicy", "always", Repeatable, "it replaces the whole by the same";
    DELETE_BUCKET_POLICY = "DeleteBucketPolicy", "always", Repeatable,
        "what is gone stays gone, and the answer is the same";
    GET_BUCKET_POLICY_STATUS = "GetBucketPolicyStatus", "always", Repeatable, "it reads";
    GET_BUCKET_CORS = "GetBucketCors", "always", Repeatable, "it reads";
    PUT_BUCKET_CORS = "PutBucketCors", "always", Repeatable, "it replaces the whole by the same";
    DELETE_BUCKET_CORS = "DeleteBucketCors", "always", Repeatable,
        "what is gone stays gone, and the answer is the same";
    GET_BUCKET_LIFECYCLE_CONFIGURATION = "GetBucketLifecycleConfiguration", "always", Repeatable, "it reads";
    PUT_BUCKET_LIFECYCLE_CONFIGURATION = "PutBucketLifecycleConfiguration", "always", Repeatable,
        "it replaces the whole by the same";
    DELETE_BUCKET_LIFECYCLE = "DeleteBucketLifecycle", "always", Repeatable,
        "what is gone stays gone, and the answer is the same";
    GET_BUCKET_TAGGING = "GetBucketTagging", "always", Repeatable, "it reads";
    PUT_BUCKET_TAGGING = "PutBucketTagging", "always", Repeatable, "it replaces the whole by the same";
    DELETE_BUCKET_TAGGING = "DeleteBucketTagging", "always", Repeatable,
        "what is gone stays gone, and the answer is the same";
    GET_BUCKET_WEBSITE = "GetBucketWebsite", "always", Repeatable, "it reads";
    PUT_BUCKET_WEBSITE = "PutBucketWebsite", "always", Repeatable, "it replaces the whole by the same";
    DELETE_BUCKET_WEBSITE = "DeleteBucketWebsite", "always", Repeatable,
        "what is gone stays gone, and the answer is the same";
    GET_BUCKET_ENCRYPTION = "GetBucketEncryption", "always", Repeatable, "it reads";
    PUT_BUCKET_ENCRYPTION = "PutBucketEncryption", "always", Repeatable, "it replaces the whole by the same";
    DELETE_BUCKET_ENCRYPTION = "DeleteBucketEncryption", "always", Repeatable,
        "what is gone stays gone, and the answer is the same";
    GET_PUBLIC_ACCESS_BLOCK = "GetPublicAccessBlock", "always", Repeatable, "it reads";
    PUT_PUBLIC_ACCESS_BLOCK = "PutPublicAccessBlock", "always", Repeatable, "it replaces the whole by the same";
    DELETE_PUBLIC_ACCESS_BLOCK = "DeletePublicAccessBlock", "always", Repeatable,
        "what is gone stays gone, and the answer is the same";
    GET_BUCKET_OWNERSHIP_CONTROLS = "GetBucketOwnershipControls", "always", Repeatable, "it reads";
    PUT_BUCKET_OWNERSHIP_CONTROLS = "PutBucketOwnershipControls", "always", Repeatable,
        "it replaces the whole by the same";
    DELETE_BUCKET_OWNERSHIP_CONTROLS = "DeleteBucketOwnershipControls", "always", Repeatable,
        "what is gone stays gone, and the answer is the same";
    GET_BUCKET_LOGGING = "GetBucketLogging", "always", Repeatable, "it reads";
    PUT_BUCKET_LOGGING = "PutBucketLogging", "always", Repeatable, "it replaces the whole by the same";
    GET_BUCKET_NOTIFICATION_CONFIGURATION = "GetBucketNotificationConfiguration", "always", Repeatable,
        "it reads";
    PUT_BUCKET_NOTIFICATION_CONFIGURATION = "PutBucketNotificationConfiguration", "always", Repeatable,
        "it replaces the whole by the same";
    GET_BUCKET_REQUEST_PAYMENT = "GetBucketRequestPayment", "always", Repeatable, "it reads";
    PUT_BUCKET_REQUEST_PAYMENT = "PutBucketRequestPayment", "always", Repeatable,
        "it replaces the whole by the same";
    GET_BUCKET_ACCELERATE_CONFIGURATION = "GetBucketAccelerateConfiguration", "always", Repeatable, "it reads";
    PUT_BUCKET_ACCELERATE_CONFIGURATION = "PutBucketAccelerateConfiguration", "always", Repeatable,
        "it replaces the whole by the same";
    GET_OBJECT_LOCK_CONFIGURATION = "GetObjectLockConfiguration", "always", Repeatable, "it reads";
    PUT_OBJECT_LOCK_CONFIGURATION = "PutObjectLockConfiguration", "always", Repeatable,
        "it replaces the whole by the same";
    GET_BUCKET_REPLICATION = "GetBucketReplication", "always", Repeatable, "it reads";
    PUT_BUCKET_REPLICATION = "PutBucketReplication", "always", Repeatable, "it replaces the whole by the same";
    DELETE_BUCKET_REPLICATION = "DeleteBucketReplication", "always", Repeatable,
        "what is gone stays gone, and the answer is the same";
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use aws_core::idempotency::testing::{assert_rows_are_of_the_table, assert_shows};

    use super::*;

    #[test]
    fn the_page_shows_the_table() {
        assert_shows(include_str!("idempotency.md"), TABLE);
    }

    #[test]
    fn no_row_is_made_elsewhere() {
        let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        assert!(assert_rows_are_of_the_table(&sources, "S3Operation") > 5);
    }
}
