#![doc = include_str!("idempotency.md")]

use aws_core::Idempotency::{Once, Repeatable};
pub use aws_core::idempotency::Row;

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
pub(crate) const DELETE_OBJECT_ONCE: Row =
    Row::new("DeleteObject", "with `once()`", Once, "the caller says so");

/// All rows.
pub const TABLE: &[Row] = &[
    LIST_BUCKETS,
    HEAD_BUCKET,
    CREATE_BUCKET,
    DELETE_BUCKET,
    GET_OBJECT,
    HEAD_OBJECT,
    LIST_OBJECTS,
    PUT_OBJECT,
    PUT_OBJECT_IF,
    PUT_OBJECT_STREAM,
    PUT_OBJECT_ONCE,
    DELETE_OBJECT,
    DELETE_OBJECT_ONCE,
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
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/ops");
        let mut names = Vec::new();
        for file in std::fs::read_dir(folder).unwrap() {
            let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
            let operations = text.matches("Operation for ").count();
            let rows = text
                .matches("const NAME: &'static str = idempotency::")
                .count();
            assert_eq!(operations, rows, "an operation takes its name from its row");
            for piece in text
                .split("const NAME: &'static str = idempotency::")
                .skip(1)
            {
                names.extend(piece.split('.').next().map(|name| name.replace('_', "")));
            }
        }
        assert!(!names.is_empty());
        for name in names {
            let has = |row: &Row| row.operation.trim_end_matches("V2").to_uppercase() == name;
            assert!(TABLE.iter().any(has), "{name} has no row");
        }
    }
}
