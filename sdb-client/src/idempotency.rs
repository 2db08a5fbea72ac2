#![doc = include_str!("idempotency.md")]

use aws_core::Idempotency::{Once, Repeatable};
pub use aws_core::idempotency::Row;

pub(crate) const CREATE_DOMAIN: Row = Row::new(
    "CreateDomain",
    "always",
    Repeatable,
    "making a domain that is there changes nothing and is no error",
);
pub(crate) const DELETE_DOMAIN: Row = Row::new(
    "DeleteDomain",
    "always",
    Repeatable,
    "removing a domain that is not there is no error",
);
pub(crate) const LIST_DOMAINS: Row = Row::new("ListDomains", "always", Repeatable, "it reads");
pub(crate) const DOMAIN_METADATA: Row =
    Row::new("DomainMetadata", "always", Repeatable, "it reads");
pub(crate) const PUT_ATTRIBUTES: Row = Row::new(
    "PutAttributes",
    "plain",
    Repeatable,
    "an item is a set of pairs: adding or setting a pair twice changes nothing",
);
pub(crate) const PUT_ATTRIBUTES_IF: Row = Row::new(
    "PutAttributes",
    "with expect",
    Once,
    "a replay meets what the first has just written, and reports a false conflict",
);
pub(crate) const BATCH_PUT_ATTRIBUTES: Row = Row::new(
    "BatchPutAttributes",
    "always",
    Repeatable,
    "as a plain PutAttributes: it takes no condition",
);
pub(crate) const GET_ATTRIBUTES: Row = Row::new("GetAttributes", "always", Repeatable, "it reads");
pub(crate) const DELETE_ATTRIBUTES: Row = Row::new(
    "DeleteAttributes",
    "plain",
    Repeatable,
    "what is gone stays gone, and the answer is the same",
);
pub(crate) const DELETE_ATTRIBUTES_IF: Row = Row::new(
    "DeleteAttributes",
    "with expect",
    Once,
    "a replay meets what the first has just removed, and reports a false conflict",
);
pub(crate) const BATCH_DELETE_ATTRIBUTES: Row = Row::new(
    "BatchDeleteAttributes",
    "always",
    Repeatable,
    "as a plain DeleteAttributes: it takes no condition",
);
pub(crate) const SELECT: Row = Row::new("Select", "always", Repeatable, "it reads");
pub(crate) const START_DOMAIN_EXPORT: Row = Row::new(
    "StartDomainExport",
    "always",
    Repeatable,
    "it carries a token by which the service knows it again",
);
pub(crate) const GET_EXPORT: Row = Row::new("GetExport", "always", Repeatable, "it reads");
pub(crate) const LIST_EXPORTS: Row = Row::new("ListExports", "always", Repeatable, "it reads");

/// All rows.
pub const TABLE: &[Row] = &[
    CREATE_DOMAIN,
    DELETE_DOMAIN,
    LIST_DOMAINS,
    DOMAIN_METADATA,
    PUT_ATTRIBUTES,
    PUT_ATTRIBUTES_IF,
    BATCH_PUT_ATTRIBUTES,
    GET_ATTRIBUTES,
    DELETE_ATTRIBUTES,
    DELETE_ATTRIBUTES_IF,
    BATCH_DELETE_ATTRIBUTES,
    SELECT,
    START_DOMAIN_EXPORT,
    GET_EXPORT,
    LIST_EXPORTS,
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
            let has = |row: &Row| row.operation.to_uppercase() == name;
            assert!(TABLE.iter().any(has), "{name} has no row");
        }
    }
}
