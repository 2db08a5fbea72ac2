//! Items as types of your own, by serde (feature `serde`).
//!
//! Each field of a struct, or entry of a map, is an attribute:
//!
//! | type | attribute |
//! |---|---|
//! | text, character, number, bool | one value: the text, or what `{}` makes of it |
//! | `Option` | absent if there is none |
//! | `Vec`, set, tuple | one value for each element; absent if there is none |
//! | enum variant without data | its name |
//! | bytes (serde's, as of `serde_bytes`) | one value in base64 |
//! | struct or map within a field | an error, which names the attribute |
//!
//! **An attribute is a set**: the values of a `Vec` come back once each, and in any order. A field that may be
//! empty needs `#[serde(default)]`, since an attribute without values is one that is not there; `Option` does not.
//! **Numbers** are plain text by default, which anybody can read and which does not sort;
//! [`ordered`](crate::ordered) is the choice for those that a select compares. `#[serde(flatten)]` works for
//! fields of text only: serde forgets there which type is asked for.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let service = emulator::Emulator::start_blocking()?;
//! # let keys = sdb_client::Credentials::new(service.access_key(), service.secret_key());
//! # let sdb = sdb_client::SdbClient::builder().endpoint(service.url()).credentials(keys).build()?;
//! # let users = sdb.domain("users");
//! # users.create().await?;
//! use sdb_client::query::attr;
//! use sdb_client::{PutItem, ordered};
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Serialize, Deserialize)]
//! struct User {
//!     name: String,
//!     #[serde(with = "sdb_client::ordered")]
//!     age: u32,
//!     phone: Option<String>,
//!     #[serde(default)]
//!     tags: Vec<String>,
//! }
//!
//! let ann = User { name: "Ann".into(), age: 30, phone: None, tags: vec!["a".into(), "b".into()] };
//! users.put_item(PutItem::typed("u1", &ann)?).await?;
//!
//! let read: Option<User> = users.get("u1").consistent(true).await?.typed()?;
//! assert_eq!(read.map(|user| user.name).as_deref(), Some("Ann"));
//! let read: Option<User> = users.get("u2").consistent(true).await?.typed()?;
//! assert!(read.is_none(), "there is no such item");
//!
//! let grown = users.query().filter(attr("age").ge(ordered::encode(&18u32)?));
//! let mut found = sdb.select(grown).consistent(true).items();
//! while let Some(item) = found.try_next().await? {
//!     let user: User = item.typed()?;
//!     assert_eq!((&*user.name, user.age, user.tags.len()), ("Ann", 30, 2));
//! }
//! # Ok(()) }
//! ```

mod de;
mod ser;

use std::fmt;

use aws_core::{Error, Result};
use serde_core::Serialize;
use serde_core::de::DeserializeOwned;

use crate::change::PutItem;
use crate::item::{Attribute, Item};
use crate::long;
use crate::ops::get::Fetched;

/// Why an item without attributes is not of a type.
const NO_ITEM: &str =
    "there is no such item, as it has no attributes: Fetched::typed reads it as None";

/// This says how types become attributes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Format {
    long: bool,
}

/// A value, written as attributes.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Typed {
    /// The attributes of the fields that are there.
    pub attributes: Vec<Attribute>,
    /// The fields that are not there: `Option`s of nothing, and empty lists. A put leaves what the item has of
    /// them; removing it takes a delete of these attributes.
    pub absent: Vec<String>,
}

impl Format {
    /// The one that [`PutItem::typed`] and [`Item::typed`] use.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether values of more than 1,024 bytes are cut over several attributes as
    /// [`PutItem::replace_long`] does; only for fields of one value. Defaults to no: they are refused.
    #[must_use]
    pub fn long_values(mut self, yes: bool) -> Self {
        self.long = yes;
        self
    }

    /// Writes a value as attributes.
    ///
    /// # Errors
    /// [`Kind::Invalid`](crate::Kind::Invalid), naming the attribute, when a field has no form as attributes.
    pub fn encode<T: Serialize + ?Sized>(self, value: &T) -> Result<Typed> {
        let fields = value
            .serialize(ser::ItemSerializer)
            .map_err(Fault::into_invalid)?;
        let mut typed = Typed {
            attributes: Vec::with_capacity(fields.len()),
            absent: Vec::new(),
        };
        for (name, mut values) in fields {
            match (values.len(), values.pop()) {
                (1, Some(value)) if self.long => {
                    typed.attributes.extend(long::split(&name, &value)?);
                }
                (_, None) => typed.absent.push(name),
                (_, Some(last)) => {
                    values.push(last);
                    typed
                        .attributes
                        .extend(values.into_iter().map(|value| Attribute {
                            name: name.clone(),
                            value,
                        }));
                }
            }
        }
        Ok(typed)
    }

    /// The value of an item's attributes; those that the type does not have are left out.
    ///
    /// # Errors
    /// [`Kind::Protocol`](crate::Kind::Protocol), naming the attribute, when one is missing or is not what the type
    /// has there. Values are not shown.
    pub fn decode<T: DeserializeOwned>(self, item: &Item) -> Result<T> {
        let fields = de::fields(item, self.long)?;
        T::deserialize(de::ItemDeserializer(&fields)).map_err(|fault| match item.is_empty() {
            true => Error::protocol(NO_ITEM),
            false => fault.into_protocol(),
        })
    }
}

impl PutItem {
    /// Sets the attributes that a value has, in place of what they were; see [`typed`](crate::typed) for their
    /// form. Attributes of which the value has none stay as they are.
    ///
    /// # Errors
    /// As [`Format::encode`].
    pub fn typed<T: Serialize + ?Sized>(name: impl Into<String>, value: &T) -> Result<Self> {
        Ok(Self::new(name).replace_all(Format::new().encode(value)?.attributes))
    }
}

impl Item {
    /// The item as a type; see [`typed`](crate::typed). An item that was read by its name may be missing:
    /// [`Fetched::typed`] says so.
    ///
    /// # Errors
    /// As [`Format::decode`].
    pub fn typed<T: DeserializeOwned>(&self) -> Result<T> {
        Format::new().decode(self)
    }
}

impl Fetched {
    /// The item as a type, or `None` where there is none of this name; see [`typed`](crate::typed).
    ///
    /// # Errors
    /// As [`Format::decode`].
    pub fn typed<T: DeserializeOwned>(&self) -> Result<Option<T>> {
        match self.item.is_empty() {
            true => Ok(None),
            false => self.item.typed().map(Some),
        }
    }
}

impl fmt::Debug for Typed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Typed")
            .field("attributes", &self.attributes.len())
            .field("absent", &self.absent)
            .finish()
    }
}

/// What serde reports, without the values that it would show.
#[derive(Debug)]
struct Fault(String);

impl Fault {
    fn new(why: impl Into<String>) -> Self {
        Self(why.into())
    }

    fn of(self, attribute: &str) -> Self {
        let short: String = attribute.chars().take(80).collect();
        Self(format!("the attribute {short:?}: {}", self.0))
    }

    fn into_invalid(self) -> Error {
        Error::invalid(format!("a typed item cannot be written: {}", self.0))
    }

    fn into_protocol(self) -> Error {
        Error::protocol(format!("an item is not of the type: {}", self.0))
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Fault {}

impl serde_core::ser::Error for Fault {
    fn custom<T: fmt::Display>(why: T) -> Self {
        Self::new(why.to_string())
    }
}

impl serde_core::de::Error for Fault {
    fn custom<T: fmt::Display>(why: T) -> Self {
        Self::new(why.to_string())
    }

    fn invalid_type(
        _: serde_core::de::Unexpected<'_>,
        expected: &dyn serde_core::de::Expected,
    ) -> Self {
        Self(format!("it is not {expected}"))
    }

    fn invalid_value(
        _: serde_core::de::Unexpected<'_>,
        expected: &dyn serde_core::de::Expected,
    ) -> Self {
        Self(format!("it is not {expected}"))
    }

    fn unknown_variant(_: &str, expected: &'static [&'static str]) -> Self {
        Self(format!("it is none of {}", expected.join(", ")))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use serde::{Deserialize, Serialize};

    use super::*;
    use crate::ordered::Sorted;

    #[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
    enum Color {
        Red,
        #[serde(rename = "dark blue")]
        Blue,
    }

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct Newtype(String);

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct All {
        text: String,
        c: char,
        yes: bool,
        small: i8,
        large: i128,
        float: f64,
        color: Color,
        new: Newtype,
        #[serde(with = "crate::ordered")]
        age: u32,
        at: Option<Sorted<std::time::SystemTime>>,
        #[serde(default)]
        tags: BTreeSet<String>,
        #[serde(default)]
        scores: Vec<Sorted<i64>>,
        #[serde(default)]
        colors: Vec<Color>,
        pair: (u8, u8),
        none: Option<u8>,
        some: Option<u8>,
    }

    fn all() -> All {
        All {
            text: "caf\u{e9}".into(),
            c: '\u{1f600}',
            yes: true,
            small: -128,
            large: i128::MIN,
            float: 1e-320,
            color: Color::Blue,
            new: Newtype(String::new()),
            age: 30,
            at: Some(Sorted(std::time::UNIX_EPOCH)),
            tags: ["a".to_owned(), "b".to_owned()].into(),
            scores: vec![Sorted(-5), Sorted(7)],
            colors: Vec::new(),
            pair: (1, 2),
            none: None,
            some: Some(3),
        }
    }

    fn item(attributes: Vec<Attribute>) -> Item {
        Item {
            name: "i".into(),
            attributes,
        }
    }

    fn pairs(pairs: &[(&str, &str)]) -> Item {
        let pair = |(name, value): &(&str, &str)| Attribute {
            name: (*name).into(),
            value: (*value).into(),
        };
        item(pairs.iter().map(pair).collect())
    }

    #[test]
    fn a_type_comes_back() {
        let typed = Format::new().encode(&all()).unwrap();
        assert_eq!(typed.absent, ["colors", "none"]);
        let value = |name: &str| {
            let found = typed.attributes.iter().find(|a| a.name == name);
            found.map(|a| a.value.as_str())
        };
        assert_eq!(value("age"), Some("00000000000000000030"));
        assert_eq!(value("color"), Some("dark blue"));
        assert_eq!(
            (value("float"), value("small")),
            (Some("1e-320"), Some("-128"))
        );
        let mut attributes = typed.attributes.clone();
        attributes.reverse();
        let mut back: All = item(attributes).typed().unwrap();
        // An attribute is a set: its values come in any order.
        back.scores.reverse();
        back.pair = (back.pair.1, back.pair.0);
        assert_eq!(back, all());
        assert!(!format!("{typed:?}").contains("caf"));
    }

    #[test]
    fn maps_are_items_too() {
        let map = BTreeMap::from([("a", vec![1, 2]), ("b", vec![])]);
        let typed = Format::new().encode(&map).unwrap();
        assert_eq!(
            (typed.attributes.len(), typed.absent),
            (2, vec!["b".to_owned()])
        );
        let numbered = BTreeMap::from([(7, "x")]);
        assert_eq!(
            Format::new().encode(&numbered).unwrap().attributes[0].name,
            "7"
        );
        let back: BTreeMap<String, Vec<u8>> = pairs(&[("a", "1"), ("b", "2"), ("a", "3")])
            .typed()
            .unwrap();
        assert_eq!(
            back,
            BTreeMap::from([("a".into(), vec![1, 3]), ("b".into(), vec![2])])
        );
    }

    #[test]
    fn what_has_no_form_is_refused_by_name() {
        let deep = BTreeMap::from([("a", BTreeMap::from([("b", "c")]))]);
        let nested = BTreeMap::from([("a", vec![vec!["b"]])]);
        let data = BTreeMap::from([("a", Ok::<_, ()>("b"))]);
        for error in [
            Format::new().encode(&deep).unwrap_err(),
            Format::new().encode(&nested).unwrap_err(),
            Format::new().encode(&data).unwrap_err(),
        ] {
            assert!(error.to_string().contains("attribute \"a\""), "{error}");
        }
        for error in [Format::new().encode("text"), Format::new().encode(&[1])] {
            assert!(error.unwrap_err().to_string().contains("struct or a map"));
        }
    }

    #[derive(Debug, Deserialize)]
    struct One {
        #[expect(dead_code, reason = "it is only read")]
        a: u8,
    }

    #[derive(Debug, Deserialize)]
    struct Colored {
        #[expect(dead_code, reason = "it is only read")]
        color: Color,
    }

    #[test]
    fn an_item_that_does_not_exist_is_none() {
        let fetched = |item| Fetched {
            item,
            ..Fetched::default()
        };
        assert!(fetched(pairs(&[])).typed::<One>().unwrap().is_none());
        assert!(
            fetched(pairs(&[("a", "1")]))
                .typed::<One>()
                .unwrap()
                .is_some()
        );
        assert!(fetched(pairs(&[("other", "x")])).typed::<One>().is_err());
    }

    #[test]
    fn what_is_not_of_the_type_is_named_and_not_shown() {
        let table = [
            (pairs(&[("other", "x")]), "missing field `a`"),
            (pairs(&[]), "there is no such item"),
            (pairs(&[("a", "hush")]), "attribute \"a\": it is not a u8"),
            (pairs(&[("a", "256")]), "attribute \"a\""),
            (
                pairs(&[("a", "1"), ("a", "2")]),
                "attribute \"a\": it has 2 values",
            ),
        ];
        for (item, names) in table {
            let error = item.typed::<One>().unwrap_err().to_string();
            assert!(error.contains(names) && !error.contains("hush"), "{error}");
        }
        let error = pairs(&[("color", "hush")])
            .typed::<Colored>()
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("Red, dark blue") && !error.contains("hush"),
            "{error}"
        );
        assert!(pairs(&[("a", "1"), ("other", "x")]).typed::<One>().is_ok());
        assert!(pairs(&[("a", "1")]).typed::<Vec<u8>>().is_err());
        assert!(
            pairs(&[("a", "1")])
                .typed::<BTreeMap<String, BTreeMap<String, u8>>>()
                .is_err()
        );
    }

    #[test]
    fn long_values_are_cut_by_choice() {
        let long = BTreeMap::from([
            ("v".to_owned(), "\u{e9}".repeat(2000)),
            ("w".to_owned(), "x".into()),
        ]);
        let format = Format::new().long_values(true);
        let typed = format.encode(&long).unwrap();
        assert_eq!(typed.attributes.len(), 1 + 4 + 1);
        let back: BTreeMap<String, String> =
            format.decode(&item(typed.attributes.clone())).unwrap();
        assert_eq!(back, long);
        let mut part = typed.attributes;
        part.remove(2);
        assert!(
            format
                .decode::<BTreeMap<String, String>>(&item(part))
                .is_err()
        );
        assert_eq!(Format::new().encode(&long).unwrap().attributes.len(), 2);
    }
}
