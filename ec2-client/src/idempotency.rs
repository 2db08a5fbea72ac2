#![doc = include_str!("idempotency.md")]

pub use aws_core::idempotency::Row;

aws_core::rows! {
    /// All rows of the table.
    pub const TABLE;

    DESCRIBE_INSTANCES = "DescribeInstances", "always", Repeatable, "it reads";
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
}
