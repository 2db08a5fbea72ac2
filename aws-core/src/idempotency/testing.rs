//! What the tests of each client ask of its table.

use std::path::{Path, PathBuf};

use super::Row;

/// Sees that a page shows each row of this table, and no other.
///
/// # Panics
/// When it does not.
pub fn assert_shows(page: &str, table: &[Row]) {
    for row in table {
        assert!(page.contains(&row.to_string()), "the page lacks:\n{row}");
    }
    let lines = page.lines().filter(|line| line.starts_with("| ")).count();
    assert_eq!(lines, table.len() + 1, "the page has other rows");
}

/// Sees that the sources of a crate make rows in their table only, `idempotency.rs`. An operation names its row, as its
/// type demands; that row is then one of the table's. Returns how many types there are of this trait of operations.
///
/// # Panics
/// When a source makes a row, or cannot be read.
pub fn assert_rows_are_of_the_table(sources: &Path, operation: &str) -> usize {
    let implements = format!("{operation} for ");
    let mut operations = 0;
    let mut folders = vec![PathBuf::from(sources)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder of sources") {
            let path = entry.expect("an entry of a folder").path();
            if path.is_dir() {
                folders.push(path);
            } else if !path.ends_with("idempotency.rs") {
                let text = std::fs::read_to_string(&path).expect("a source");
                assert!(!text.contains("Row::new"), "{path:?}");
                operations += text.matches(&implements).count();
            }
        }
    }
    operations
}
