//! Items as lines of JSON: `{"name":"u1","attributes":{"phone":["555 1","555 2"]}}`.

use std::collections::BTreeMap;

use sdb_client::{Item, PutItem};
use serde_json::{Value, json};

/// An item as a line, with its end. The same item always gives the same line.
pub fn write(item: &Item) -> String {
    let mut attributes: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for attribute in &item.attributes {
        let values = attributes.entry(&attribute.name).or_default();
        values.push(&attribute.value);
    }
    for values in attributes.values_mut() {
        values.sort_unstable();
    }
    format!(
        "{}\n",
        json!({ "name": item.name, "attributes": attributes })
    )
}

/// The item of a line, as a write of all its attributes.
///
/// # Errors
/// A sentence that says what is wrong with the line.
pub fn read(line: &str) -> Result<PutItem, String> {
    let value: Value = serde_json::from_str(line).map_err(|error| error.to_string())?;
    let name = value["name"].as_str().ok_or("it has no name")?;
    let attributes = value["attributes"]
        .as_object()
        .ok_or("it has no attributes")?;
    let mut item = PutItem::new(name);
    for (name, values) in attributes {
        let values = values.as_array().ok_or("an attribute is no list")?;
        for value in values {
            let value = value.as_str().ok_or("a value is no text")?;
            item = item.replace(name, value);
        }
    }
    Ok(item)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_comes_back() {
        let line = "{\"attributes\":{\"a\":[\"1\",\"2\"],\"caf\u{e9} \\\"x\\\"\":[\"\\u0001\\n\"]},\"name\":\"u 1\"}\n";
        let put = read(line).unwrap();
        assert_eq!((put.name(), put.len()), ("u 1", 3));
        let expected = PutItem::new("u 1");
        let expected = expected.replace("a", "1").replace("a", "2");
        assert_eq!(put, expected.replace("caf\u{e9} \"x\"", "\u{1}\n"));
    }

    #[test]
    fn other_lines_are_explained() {
        for line in [
            "",
            "[]",
            "{}",
            "{\"name\":\"u\"}",
            "{\"name\":1,\"attributes\":{}}",
            "{\"name\":\"u\",\"attributes\":{\"a\":\"1\"}}",
            "{\"name\":\"u\",\"attributes\":{\"a\":[1]}}",
            "{\"name\":\"u\",\"attributes\":{\"a\":[\"1\"]}",
        ] {
            assert!(read(line).is_err(), "{line}");
        }
    }
}
