//! Values that are longer than SimpleDB takes, over several attributes.

use std::fmt::Write as _;

use aws_core::{Error, Result};

use crate::change::PutItem;
use crate::item::{Attribute, Item};
use crate::limits::{MAX_PAIRS, MAX_TEXT};

/// What the attribute itself holds where its value is in others: this, how many they are, and how many bytes.
const MARK: &str = "long-value:";

/// Values of any length up to what an item holds, by choice: where both who writes and who reads agree to it.
///
/// SimpleDB's values have up to 1,024 bytes. A longer one is cut, at characters, over `NAME.0000`, `NAME.0001` and
/// so on, and `NAME` itself holds `long-value:PIECES:BYTES`; all are written by one request, so they change together. A
/// shorter value is stored as it is, unless it begins with `long-value:`. Pieces that are left of a longer value
/// before are not read. Comparisons in a select see the first attribute only, and the pieces by their own names.
impl PutItem {
    /// Sets a value of any length in place of what the attribute has.
    ///
    /// # Errors
    /// [`Kind::Invalid`](crate::Kind::Invalid) when it would take more than the 256 pairs of an item.
    pub fn replace_long(self, name: impl Into<String>, value: &str) -> Result<Self> {
        Ok(self.replace_all(split(&name.into(), value)?))
    }
}

impl Item {
    /// A value that [`PutItem::replace_long`] has written; one that is not cut is given as it is.
    ///
    /// # Errors
    /// [`Kind::Protocol`](crate::Kind::Protocol) when pieces are missing: the item was read in part, or written by
    /// something else.
    pub fn long(&self, name: &str) -> Result<Option<String>> {
        let value = |name: &str| self.first(name);
        value(name).map(|head| join(name, head, value)).transpose()
    }
}

/// The attributes of a value, longer than one takes or not.
pub(crate) fn split(name: &str, value: &str) -> Result<Vec<Attribute>> {
    let attribute = |name: &str, value: &str| Attribute {
        name: name.to_owned(),
        value: value.to_owned(),
    };
    if value.len() <= MAX_TEXT && !value.starts_with(MARK) {
        return Ok(vec![attribute(name, value)]);
    }
    let mut all = vec![attribute(name, "")];
    let mut rest = value;
    while !rest.is_empty() {
        let (piece, after) = rest.split_at(rest.floor_char_boundary(MAX_TEXT));
        all.push(attribute(&piece_name(name, all.len() - 1), piece));
        rest = after;
        if all.len() > MAX_PAIRS {
            return Err(Error::invalid(format!(
                "a value of {} bytes takes more than the {MAX_PAIRS} pairs of an item",
                value.len()
            )));
        }
    }
    all[0].value = format!("{MARK}{}:{}", all.len() - 1, value.len());
    Ok(all)
}

/// The value whose first attribute is `head`.
pub(crate) fn join<'a>(
    name: &str,
    head: &str,
    value: impl Fn(&str) -> Option<&'a str>,
) -> Result<String> {
    let Some(sizes) = head.strip_prefix(MARK) else {
        return Ok(head.to_owned());
    };
    let broken = || Error::protocol(format!("pieces of the long value {name:?} are missing"));
    let (pieces, bytes) = sizes.split_once(':').ok_or_else(broken)?;
    let pieces: usize = pieces.parse().map_err(|_| broken())?;
    let bytes: usize = bytes.parse().map_err(|_| broken())?;
    // The attribute itself is one of the pairs.
    if pieces >= MAX_PAIRS {
        return Err(broken());
    }
    let mut all = String::new();
    for piece in 0..pieces {
        all.push_str(value(&piece_name(name, piece)).ok_or_else(broken)?);
    }
    if all.len() == bytes {
        Ok(all)
    } else {
        Err(broken())
    }
}

/// Whether `piece` is the name of a piece of the value `name`.
#[cfg(feature = "serde")]
pub(crate) fn is_piece(name: &str, piece: &str) -> bool {
    piece
        .strip_prefix(name)
        .and_then(|rest| rest.strip_prefix('.'))
        .is_some_and(|rest| rest.len() == 4 && rest.bytes().all(|b| b.is_ascii_digit()))
}

fn piece_name(name: &str, piece: usize) -> String {
    let mut text = name.to_owned();
    // Writing into a string does not fail.
    let _ = write!(text, ".{piece:04}");
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn item(attributes: Vec<Attribute>) -> Item {
        Item {
            name: "i".into(),
            attributes,
        }
    }

    proptest! {
        #[test]
        fn values_come_back(value in any::<String>(), times in 0..200usize, before in 0..5000usize, mark: bool) {
            let (value, before) = (value.repeat(times), "x".repeat(before));
            let value = if mark { format!("{MARK}{value}") } else { value };
            // Pieces of an older value stay where the newer one has fewer.
            let mut attributes = split("v", &value).unwrap();
            for old in split("v", &before).unwrap() {
                if attributes.iter().all(|new| new.name != old.name) {
                    attributes.push(old);
                }
            }
            prop_assert!(attributes.iter().all(|a| a.value.len() <= MAX_TEXT));
            prop_assert_eq!(item(attributes).long("v").unwrap(), Some(value));
        }
    }

    #[test]
    fn the_limit_is_that_of_an_item() {
        let most = "x".repeat(255 * 1024);
        assert_eq!(split("v", &most).unwrap().len(), 256);
        assert!(PutItem::new("i").replace_long("v", &most).is_ok());
        assert!(
            PutItem::new("i")
                .replace_long("v", &format!("{most}x"))
                .is_err()
        );
    }

    #[test]
    fn missing_pieces_are_noticed() {
        let whole = split("v", &"x".repeat(3000)).unwrap();
        assert_eq!(whole[0].value, "long-value:3:3000");
        for place in 1..whole.len() {
            let mut part = whole.clone();
            part.remove(place);
            assert!(item(part).long("v").is_err());
        }
        let rest: Vec<_> = (1..256)
            .map(|piece| Attribute {
                name: piece_name("v", piece),
                value: "four".into(),
            })
            .collect();
        for head in [
            "long-value:",
            "long-value:1",
            "long-value:x:1",
            "long-value:1:5",
            "long-value:99999999999:1",
            // Of 256 pieces: more than an item has room for beside the attribute itself.
            "long-value:256:1024",
        ] {
            let attributes = vec![
                Attribute {
                    name: "v".into(),
                    value: head.into(),
                },
                Attribute {
                    name: "v.0000".into(),
                    value: "four".into(),
                },
            ];
            let attributes: Vec<_> = attributes.into_iter().chain(rest.clone()).collect();
            assert!(item(attributes).long("v").is_err(), "{head}");
        }
        assert_eq!(item(vec![]).long("v").unwrap(), None);
    }
}
