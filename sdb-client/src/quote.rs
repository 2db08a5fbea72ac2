//! Quoting for select expressions.

/// A value as a string of a select expression: in single quotes, with those within it doubled.
///
/// ```
/// assert_eq!(sdb_client::query::quote_value("O'Hara"), "'O''Hara'");
/// ```
pub fn quote_value(value: &str) -> String {
    quoted(value, '\'')
}

/// The name of an attribute or domain in a select expression: in backticks, with those within it doubled.
///
/// Only plain names that are no keyword may stand without them, so it is safe for all.
///
/// ```
/// assert_eq!(sdb_client::query::quote_name("first name"), "`first name`");
/// ```
pub fn quote_name(name: &str) -> String {
    quoted(name, '`')
}

fn quoted(text: &str, mark: char) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push(mark);
    for c in text.chars() {
        if c == mark {
            out.push(mark);
        }
        out.push(c);
    }
    out.push(mark);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_breaks_out() {
        assert_eq!(quote_value(""), "''");
        assert_eq!(quote_value("' or 'a' = 'a"), "''' or ''a'' = ''a'");
        assert_eq!(quote_value("\"\\%"), "'\"\\%'");
        assert_eq!(quote_name("a`b"), "`a``b`");
    }
}
