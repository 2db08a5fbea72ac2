#![doc = include_str!("idempotency.md")]

use aws_core::Idempotency::{Once, Repeatable};
pub use aws_core::idempotency::Row;

use crate::ops::buckets::ROWS as CONFIGS;

pub(crate) const LIST_BUCKETS: Row = Row::new("ListBuckets", "always", Repeatable, "it reads");
pub(crate) const HEAD_BUCKET: Row = Row::new("HeadBucket", "always", Repeatable, "it reads");
pub(crate) const CREATE_BUCKET: Row = Row::new(
    "CreateBucket",
    "always",
    Once,
    "a replay answers BucketAlreadyOwnedByYou for the bucket that the first has just made",
);
pub(crate) const DELETE_BUCKET: Row = Row::new(
    "DeleteBucket",
    "always",
    Once,
    "a replay answers NoSuchBucket, and could remove a bucket made anew in between",
);
pub(crate) const GET_OBJECT: Row = Row::new("GetObject", "always", Repeatable, "it reads");
pub(crate) const HEAD_OBJECT: Row = Row::new("HeadObject", "always", Repeatable, "it reads");
pub(crate) const LIST_OBJECTS: Row = Row::new("ListObjectsV2", "always", Repeatable, "it reads");
pub(crate) const LIST_OBJECTS_V1: Row = Row::new("ListObjects", "always", Repeatable, "it reads");
pub(crate) const LIST_OBJECT_VERSIONS: Row =
    Row::new("ListObjectVersions", "always", Repeatable, "it reads");
pub(crate) const PUT_OBJECT: Row = Row::new(
    "PutObject",
    "plain",
    Repeatable,
    "the same bytes under the same key; under versioning a replay makes one more version of them: say `once()` \
     where that matters",
);
pub(crate) const PUT_OBJECT_IF: Row = Row::new(
    "PutObject",
    "with if-match or if-none-match",
    Once,
    "a replay meets what the first has just stored, and reports a false conflict",
);
pub(crate) const PUT_OBJECT_STREAM: Row = Row::new(
    "PutObject",
    "of a stream",
    Once,
    "what has been read from the stream is gone; with nothing read it is sent again",
);
pub(crate) const PUT_OBJECT_ONCE: Row =
    Row::new("PutObject", "with `once()`", Once, "the caller says so");
pub(crate) const DELETE_OBJECT: Row = Row::new(
    "DeleteObject",
    "plain",
    Repeatable,
    "what is gone stays gone, and the answer is the same; under versioning a replay adds one more delete marker: \
     say `once()` where that matters",
);
pub(crate) const DELETE_OBJECT_VERSION: Row = Row::new(
    "DeleteObject",
    "of a version",
    Repeatable,
    "a version that is gone stays gone; a replay does not say any more whether it was a delete marker: say `once()` \
     where that matters",
);
pub(crate) const DELETE_OBJECT_IF: Row = Row::new(
    "DeleteObject",
    "with if-match",
    Once,
    "a replay meets what the first has just removed, and reports a false conflict",
);
pub(crate) const DELETE_OBJECTS: Row = Row::new(
    "DeleteObjects",
    "plain",
    Repeatable,
    "what is gone stays gone; under versioning a replay adds more delete markers: say `once()` where that matters",
);
pub(crate) const DELETE_OBJECTS_VERSIONS: Row = Row::new(
    "DeleteObjects",
    "all with a version",
    Repeatable,
    "a version that is gone stays gone, and the answer is the same",
);
pub(crate) const DELETE_OBJECTS_ONCE: Row =
    Row::new("DeleteObjects", "with `once()`", Once, "the caller says so");
pub(crate) const DELETE_OBJECT_ONCE: Row =
    Row::new("DeleteObject", "with `once()`", Once, "the caller says so");
pub(crate) const COPY_OBJECT: Row = Row::new(
    "CopyObject",
    "plain",
    Repeatable,
    "the same bytes under the same key, unless the source was changed meanwhile; under versioning a replay makes one \
     more version of them: say `once()` where that matters",
);
pub(crate) const COPY_OBJECT_IF: Row = Row::new(
    "CopyObject",
    "with a condition on what is replaced, or onto itself with one on the source",
    Once,
    "a replay meets what the first has just stored, and reports a false conflict",
);
pub(crate) const COPY_OBJECT_ONCE: Row =
    Row::new("CopyObject", "with `once()`", Once, "the caller says so");
pub(crate) const GET_OBJECT_ATTRIBUTES: Row =
    Row::new("GetObjectAttributes", "always", Repeatable, "it reads");
pub(crate) const RESTORE_OBJECT: Row = Row::new(
    "RestoreObject",
    "always",
    Once,
    "a replay reports that the restoration which the first has begun is in progress already",
);
pub(crate) const GET_OBJECT_ACL: Row = Row::new("GetObjectAcl", "always", Repeatable, "it reads");
pub(crate) const PUT_OBJECT_ACL: Row = Row::new(
    "PutObjectAcl",
    "always",
    Repeatable,
    "it replaces the whole by the same",
);
pub(crate) const GET_OBJECT_TAGGING: Row =
    Row::new("GetObjectTagging", "always", Repeatable, "it reads");
pub(crate) const PUT_OBJECT_TAGGING: Row = Row::new(
    "PutObjectTagging",
    "always",
    Repeatable,
    "the same tags in place of all that there were",
);
pub(crate) const DELETE_OBJECT_TAGGING: Row = Row::new(
    "DeleteObjectTagging",
    "always",
    Repeatable,
    "what is gone stays gone, and the answer is the same",
);
pub(crate) const GET_OBJECT_RETENTION: Row =
    Row::new("GetObjectRetention", "always", Repeatable, "it reads");
pub(crate) const PUT_OBJECT_RETENTION: Row = Row::new(
    "PutObjectRetention",
    "always",
    Repeatable,
    "the same end in place of what there was",
);
pub(crate) const GET_OBJECT_LEGAL_HOLD: Row =
    Row::new("GetObjectLegalHold", "always", Repeatable, "it reads");
pub(crate) const PUT_OBJECT_LEGAL_HOLD: Row = Row::new(
    "PutObjectLegalHold",
    "always",
    Repeatable,
    "the same hold in place of what there was",
);
pub(crate) const CREATE_MULTIPART_UPLOAD: Row = Row::new(
    "CreateMultipartUpload",
    "always",
    Repeatable,
    "each run begins an upload of its own; one that nobody heard of has no parts and takes no room, and is listed \
     until it is aborted",
);
pub(crate) const UPLOAD_PART: Row = Row::new(
    "UploadPart",
    "plain",
    Repeatable,
    "the same bytes under the same number, and the same answer",
);
pub(crate) const UPLOAD_PART_STREAM: Row = Row::new(
    "UploadPart",
    "of a stream",
    Once,
    "what has been read from the stream is gone; with nothing read it is sent again",
);
pub(crate) const UPLOAD_PART_COPY: Row = Row::new(
    "UploadPartCopy",
    "always",
    Repeatable,
    "the part becomes what the source is then, and the answer tells its tag",
);
pub(crate) const LIST_PARTS: Row = Row::new("ListParts", "always", Repeatable, "it reads");
pub(crate) const LIST_MULTIPART_UPLOADS: Row =
    Row::new("ListMultipartUploads", "always", Repeatable, "it reads");
pub(crate) const COMPLETE_MULTIPART_UPLOAD: Row = Row::new(
    "CompleteMultipartUpload",
    "plain",
    Repeatable,
    "a replay may answer NoSuchUpload for what the first has completed; then the object is asked for its tag, \
     which follows from those of the parts",
);
pub(crate) const COMPLETE_MULTIPART_UPLOAD_OPAQUE: Row = Row::new(
    "CompleteMultipartUpload",
    "of parts whose tags are no digests",
    Once,
    "a replay may answer NoSuchUpload, and nothing tells whether the first has completed it",
);
pub(crate) const COMPLETE_MULTIPART_UPLOAD_IF: Row = Row::new(
    "CompleteMultipartUpload",
    "with if-match or if-none-match",
    Once,
    "a replay meets what the first has just stored, and reports a false conflict",
);
pub(crate) const ABORT_MULTIPART_UPLOAD: Row = Row::new(
    "AbortMultipartUpload",
    "always",
    Repeatable,
    "what is gone stays gone, and NoSuchUpload is taken for that",
);

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

const ROWS: &[Row] = &[
    LIST_BUCKETS,
    HEAD_BUCKET,
    CREATE_BUCKET,
    DELETE_BUCKET,
    GET_OBJECT,
    HEAD_OBJECT,
    LIST_OBJECTS,
    LIST_OBJECTS_V1,
    LIST_OBJECT_VERSIONS,
    PUT_OBJECT,
    PUT_OBJECT_IF,
    PUT_OBJECT_STREAM,
    PUT_OBJECT_ONCE,
    DELETE_OBJECT,
    DELETE_OBJECT_VERSION,
    DELETE_OBJECT_IF,
    DELETE_OBJECT_ONCE,
    DELETE_OBJECTS,
    DELETE_OBJECTS_VERSIONS,
    DELETE_OBJECTS_ONCE,
    COPY_OBJECT,
    COPY_OBJECT_IF,
    COPY_OBJECT_ONCE,
    GET_OBJECT_ATTRIBUTES,
    RESTORE_OBJECT,
    GET_OBJECT_ACL,
    PUT_OBJECT_ACL,
    GET_OBJECT_TAGGING,
    PUT_OBJECT_TAGGING,
    DELETE_OBJECT_TAGGING,
    GET_OBJECT_RETENTION,
    PUT_OBJECT_RETENTION,
    GET_OBJECT_LEGAL_HOLD,
    PUT_OBJECT_LEGAL_HOLD,
    CREATE_MULTIPART_UPLOAD,
    UPLOAD_PART,
    UPLOAD_PART_STREAM,
    UPLOAD_PART_COPY,
    LIST_PARTS,
    LIST_MULTIPART_UPLOADS,
    COMPLETE_MULTIPART_UPLOAD,
    COMPLETE_MULTIPART_UPLOAD_OPAQUE,
    COMPLETE_MULTIPART_UPLOAD_IF,
    ABORT_MULTIPART_UPLOAD,
];

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

    #[test]
    fn every_row_is_in_the_table() {
        let text = include_str!("idempotency.rs");
        let table = text.split("const ROWS: &[Row] = &[").nth(1).unwrap();
        let table = table.split("];").next().unwrap();
        let rows = text
            .lines()
            .filter_map(|line| line.strip_prefix("pub(crate) const ")?.split_once(": Row"));
        let mut count = 0;
        for (row, _) in rows {
            let has = table.lines().any(|line| line.trim() == format!("{row},"));
            assert!(has, "{row} is not in the table");
            count += 1;
        }
        assert_eq!(count, ROWS.len());
    }
}
