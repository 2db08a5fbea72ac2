#![doc = include_str!("idempotency.md")]

pub use aws_core::idempotency::Row;

use crate::bucket::config::ROWS as CONFIGS;

aws_core::rows! {
    const ROWS;

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
    PUT_OBJECT_TAGGING = "PutObjectTagging", "always", Repeatable, "the same tags in place of all that there were";
    DELETE_OBJECT_TAGGING = "DeleteObjectTagging", "always", Repeatable,
        "what is gone stays gone, and the answer is the same";
    GET_OBJECT_RETENTION = "GetObjectRetention", "always", Repeatable, "it reads";
    PUT_OBJECT_RETENTION = "PutObjectRetention", "always", Repeatable, "the same end in place of what there was";
    GET_OBJECT_LEGAL_HOLD = "GetObjectLegalHold", "always", Repeatable, "it reads";
    PUT_OBJECT_LEGAL_HOLD = "PutObjectLegalHold", "always", Repeatable, "the same hold in place of what there was";
    CREATE_MULTIPART_UPLOAD = "CreateMultipartUpload", "always", Repeatable,
        "each run begins an upload of its own; one that nobody heard of has no parts and takes no room, and is listed \
         until it is aborted";
    UPLOAD_PART = "UploadPart", "plain", Repeatable, "the same bytes under the same number, and the same answer";
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
}

/// All rows.
pub const TABLE: &[Row] = &join::<{ ROWS.len() + CONFIGS.len() }>(ROWS, CONFIGS);

const fn join<const N: usize>(first: &[Row], second: &[Row]) -> [Row; N] {
    let mut all = [first[0]; N];
    let mut i = 0;
    while i < N {
        all[i] = if i < first.len() {
            first[i]
        } else {
            second[i - first.len()]
        };
        i += 1;
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_shows_the_table() {
        let page = include_str!("idempotency.md");
        for row in TABLE {
            assert!(page.contains(&row.to_string()), "the page lacks:\n{row}");
        }
        assert_eq!(
            page.lines().filter(|line| line.starts_with("| ")).count(),
            TABLE.len() + 1
        );
    }

    #[test]
    fn every_operation_has_a_row() {
        let mut operations = 0;
        let mut folders = vec![concat!(env!("CARGO_MANIFEST_DIR"), "/src").into()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir::<std::path::PathBuf>(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                    continue;
                }
                // This text speaks of operations and has none.
                if path.ends_with("idempotency.rs") {
                    continue;
                }
                let text = std::fs::read_to_string(&path).unwrap();
                let names = text
                    .lines()
                    .filter_map(|line| line.trim().strip_prefix("const NAME: &'static str = "))
                    .filter(|name| !name.starts_with('"'))
                    .inspect(|row| assert!(row.ends_with(".operation;"), "{row} in {path:?}"))
                    .count();
                assert_eq!(names, text.matches("Operation for ").count(), "{path:?}");
                operations += names;
            }
        }
        assert!(operations > 5);
    }
}
