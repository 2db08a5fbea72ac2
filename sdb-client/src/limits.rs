//! What SimpleDB allows, checked before anything is sent.

use aws_core::{Error, Result};

/// The most bytes of an item's name, an attribute's name and a value.
pub(crate) const MAX_TEXT: usize = 1024;
/// The most pairs of one request, as of one item.
pub(crate) const MAX_PAIRS: usize = 256;
/// The most comparisons, values of one comparison, and different attributes of a select.
pub(crate) const MAX_COMPARISONS: usize = 20;
/// The most items of one batch.
pub(crate) const MAX_BATCH_ITEMS: usize = 25;
/// The most bytes that the items of a batch take in a form: 1 MB, less what signature and session token may take.
pub(crate) const MAX_BATCH_BYTES: usize = 1_000_000 - 16_384;

/// A domain's name: 3 to 255 of `a-z A-Z 0-9 _ . -`.
pub(crate) fn domain(name: &str) -> Result<()> {
    let legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-');
    if (3..=255).contains(&name.len()) && name.bytes().all(legal) {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "the domain name {:?} is not 3 to 255 letters, digits, underscores, dots and hyphens",
        short(name)
    )))
}

/// The name of an item: 1 to 1,024 bytes.
pub(crate) fn item(name: &str) -> Result<()> {
    // Which item it is, is told where the names of items may be shown.
    match name.len() {
        0 => Err(Error::invalid("the item name is empty")),
        1..=MAX_TEXT => Ok(()),
        n => Err(Error::invalid(format!(
            "the item name has {n} bytes, over the limit of {MAX_TEXT}"
        ))),
    }
}

/// The name of an attribute: 1 to 1,024 bytes.
pub(crate) fn attribute(name: &str) -> Result<()> {
    text("attribute name", name, 1)
}

/// The value of the attribute `name`: up to 1,024 bytes. Values are data, so only their length is shown.
pub(crate) fn value(name: &str, value: &str) -> Result<()> {
    match value.len() {
        0..=MAX_TEXT => Ok(()),
        n => Err(Error::invalid(format!(
            "the value of {:?} has {n} bytes, over the limit of {MAX_TEXT}",
            short(name)
        ))),
    }
}

/// The pairs of one item.
pub(crate) fn pairs(count: usize) -> Result<()> {
    if count <= MAX_PAIRS {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "there are {count} pairs, over the limit of {MAX_PAIRS} for one item"
    )))
}

/// The items of one batch.
pub(crate) fn items(count: usize) -> Result<()> {
    if (1..=MAX_BATCH_ITEMS).contains(&count) {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "{count} items in one batch are not within 1 to {MAX_BATCH_ITEMS}"
    )))
}

/// The attributes that a select asks for.
pub(crate) fn selected(count: usize) -> Result<()> {
    at_most("attributes in the select", count, MAX_PAIRS)
}

/// The comparisons of a select.
pub(crate) fn comparisons(count: usize) -> Result<()> {
    at_most("comparisons in the select", count, MAX_COMPARISONS)
}

/// The different attributes that a select compares.
pub(crate) fn unique_attributes(count: usize) -> Result<()> {
    at_most("different attributes in the select", count, MAX_COMPARISONS)
}

/// The values of one `in`.
pub(crate) fn value_tests(name: &str, count: usize) -> Result<()> {
    if count == 0 {
        let name = short(name);
        return Err(Error::invalid(format!(
            "there is no value that {name:?} could be in"
        )));
    }
    at_most("values in one comparison", count, MAX_COMPARISONS)
}

/// The limit of a select: 1 to 2,500.
pub(crate) fn select_limit(items: u32) -> Result<()> {
    if (1..=2500).contains(&items) {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "a limit of {items} in the select is not within 1 to 2500"
    )))
}

fn at_most(what: &str, count: usize, limit: usize) -> Result<()> {
    if count <= limit {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "there are {count} {what}, over the limit of {limit}"
    )))
}

/// The size of a page of domains: 1 to 100.
pub(crate) fn page_size(domains: u32) -> Result<()> {
    if (1..=100).contains(&domains) {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "a page size of {domains} is not within 1 to 100"
    )))
}

fn text(what: &str, text: &str, least: usize) -> Result<()> {
    match text.len() {
        n if n < least => Err(Error::invalid(format!("the {what} is empty"))),
        0..=MAX_TEXT => Ok(()),
        n => Err(Error::invalid(format!(
            "the {what} {:?} has {n} bytes, over the limit of {MAX_TEXT}",
            short(text)
        ))),
    }
}

fn short(text: &str) -> String {
    text.chars().take(80).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_name_the_value() {
        for name in ["abc", "A_b.c-9", &"x".repeat(255)] {
            assert!(domain(name).is_ok(), "{name}");
        }
        for name in ["", "ab", "a b", "a/b", "caf\u{e9}", &"x".repeat(256)] {
            assert!(domain(name).is_err(), "{name}");
        }
        assert!(item("").is_err() && item(&"x".repeat(1024)).is_ok());
        let error = attribute(&"\u{e9}".repeat(513)).unwrap_err().to_string();
        assert!(error.contains("1026") && error.contains("1024"), "{error}");
        assert!(value("n", "").is_ok());
        // Bytes count, not characters.
        assert!(value("n", &"\u{e9}".repeat(512)).is_ok());
        let error = value("n", &"\u{e9}".repeat(513)).unwrap_err().to_string();
        assert!(error.contains("1026 bytes"), "{error}");
        assert!(item(&"\u{e9}".repeat(512)).is_ok() && item(&"\u{e9}".repeat(513)).is_err());
        let error = value("n", &"secret".repeat(300)).unwrap_err().to_string();
        assert!(
            error.contains("\"n\" has 1800 bytes") && !error.contains("secret"),
            "{error}"
        );
        assert!(pairs(256).is_ok() && pairs(257).is_err());
        assert!(items(0).is_err() && items(25).is_ok() && items(26).is_err());
        assert!(page_size(0).is_err() && page_size(100).is_ok() && page_size(101).is_err());
    }
}
