//! Columns of text, for people.

use std::fmt;

/// Rows under a head; all columns but the first few are as wide as what is in them, up to a bound.
#[derive(Clone, Debug, Default)]
pub struct Table {
    rows: Vec<Vec<String>>,
    right: bool,
}

/// The most characters of one cell.
const WIDEST: usize = 48;

impl Table {
    /// A table with these heads.
    pub fn new<S: Into<String>>(heads: impl IntoIterator<Item = S>) -> Self {
        let mut table = Self::default();
        table.row(heads);
        table
    }

    /// The same table with all columns but the first set to the right, as numbers are.
    #[must_use]
    pub fn numbers(mut self) -> Self {
        self.right = true;
        self
    }

    /// One more row.
    pub fn row<S: Into<String>>(&mut self, cells: impl IntoIterator<Item = S>) {
        self.rows
            .push(cells.into_iter().map(|cell| short(&cell.into())).collect());
    }
}

/// The text with blanks for control characters: it may be from somebody who would like to move the cursor.
pub fn plain(text: &str) -> String {
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    text.chars().map(plain).collect()
}

/// The text without control characters, cut where it is too wide.
fn short(text: &str) -> String {
    match text.chars().nth(WIDEST) {
        None => plain(text),
        Some(_) => {
            let start: String = text.chars().take(WIDEST - 1).collect();
            plain(&start) + "…"
        }
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        for row in &self.rows {
            let mut line = String::new();
            for (column, cell) in row.iter().enumerate() {
                let width = widths[column];
                match self.right && column > 0 {
                    true => line.push_str(&format!("{cell:>width$}  ")),
                    false => line.push_str(&format!("{cell:<width$}  ")),
                }
            }
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

/// Digits in groups of three.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_set() {
        let mut table = Table::new(["", "n"]).numbers();
        table.row(["caf\u{e9}", "1"]);
        table.row(["b\tc".to_owned(), grouped(1_234_567)]);
        assert_eq!(
            table.to_string(),
            "              n\ncaf\u{e9}          1\nb c   1,234,567\n"
        );
        let long = Table::new(["x".repeat(100)]).to_string();
        assert_eq!(long.chars().count(), WIDEST + 1);
    }
}
