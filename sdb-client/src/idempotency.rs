#![doc = include_str!("idempotency.md")]

pub use aws_core::idempotency::Row;

aws_core::rows! {
    /// All rows of the table.
    pub const TABLE;

    CREATE_DOMAIN = "CreateDomain", "always", Repeatable,
        "making a domain that is there changes nothing and is no error";
    DELETE_DOMAIN = "DeleteDomain", "always", Repeatable, "removing a domain that is not there is no error";
    LIST_DOMAINS = "ListDomains", "always", Repeatable, "it reads";
    DOMAIN_METADATA = "DomainMetadata", "always", Repeatable, "it reads";
    PUT_ATTRIBUTES = "PutAttributes", "plain", Repeatable,
        "an item is a set of pairs: adding or setting a pair twice changes nothing";
    PUT_ATTRIBUTES_IF = "PutAttributes", "with expect", Once,
        "a replay meets what the first has just written, and reports a false conflict";
    BATCH_PUT_ATTRIBUTES = "BatchPutAttributes", "always", Repeatable,
        "as a plain PutAttributes: it takes no condition";
    GET_ATTRIBUTES = "GetAttributes", "always", Repeatable, "it reads";
    DELETE_ATTRIBUTES = "DeleteAttributes", "plain", Repeatable, "what is gone stays gone, and the answer is the same";
    DELETE_ATTRIBUTES_IF = "DeleteAttributes", "with expect", Once,
        "a replay meets what the first has just removed, and reports a false conflict";
    BATCH_DELETE_ATTRIBUTES = "BatchDeleteAttributes", "always", Repeatable,
        "as a plain DeleteAttributes: it takes no condition";
    SELECT = "Select", "always", Repeatable, "it reads";
    START_DOMAIN_EXPORT = "StartDomainExport", "always", Repeatable,
        "it carries a token by which the service knows it again";
    GET_EXPORT = "GetExport", "always", Repeatable, "it reads";
    LIST_EXPORTS = "ListExports", "always", Repeatable, "it reads";
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
        assert!(assert_rows_are_of_the_table(&sources, "SdbOperation") > 5);
    }
}
