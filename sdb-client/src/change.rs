//! What a write does to one item.

use std::collections::HashSet;
use std::fmt;

use aws_core::{Error, Result};

use crate::item::{Attribute, Item};
use crate::limits;
use crate::wire::{UnsignedRequest, escaped_len};

/// What to write into one item: for [`Batch`](crate::request::Batch), [`Batcher`](crate::Batcher) and
/// [`Update`](crate::request::Update).
///
/// An item holds up to 256 pairs, and all pairs of one write end up in it, so a write of more is refused and
/// never split: no number of requests could make it fit. Pairs that are equal count once.
///
/// `Debug` shows the name and the number of pairs, not the values.
#[derive(Clone, PartialEq, Eq)]
pub struct PutItem {
    pub(crate) name: String,
    pub(crate) pairs: Vec<Pair>,
}

#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Pair {
    pub(crate) name: String,
    pub(crate) value: String,
    pub(crate) replace: bool,
}

impl PutItem {
    /// A write into the item of this name, of nothing yet.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            pairs: Vec::new(),
        }
    }

    /// Adds a value to those that the attribute has.
    #[must_use]
    pub fn add(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.push(name.into(), value.into(), false);
        self
    }

    /// Sets a value in place of all that the attribute has. Several for one name in one write all stay.
    #[must_use]
    pub fn replace(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.push(name.into(), value.into(), true);
        self
    }

    /// [Replaces](Self::replace) by all of these.
    #[must_use]
    pub fn replace_all(mut self, attributes: impl IntoIterator<Item = Attribute>) -> Self {
        for attribute in attributes {
            self.push(attribute.name, attribute.value, true);
        }
        self
    }

    /// The item's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The number of pairs of name and value that are put.
    pub fn len(&self) -> usize {
        self.pairs.len()
    }

    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }

    pub(crate) fn push(&mut self, name: String, value: String, replace: bool) {
        self.pairs.push(Pair {
            name,
            value,
            replace,
        });
    }

    /// Whether it is within the limits; leaves out what is there twice if that helps.
    pub(crate) fn check(&mut self) -> Result<()> {
        limits::item(&self.name)?;
        if self.pairs.is_empty() {
            return Err(Error::invalid("there is no attribute to write"));
        }
        if self.pairs.len() > limits::MAX_PAIRS {
            let mut seen = HashSet::with_capacity(self.pairs.len());
            self.pairs.retain(|pair| seen.insert(pair.clone()));
        }
        limits::pairs(self.pairs.len())?;
        for pair in &self.pairs {
            limits::attribute(&pair.name)?;
            limits::value(&pair.name, &pair.value)?;
        }
        Ok(())
    }

    pub(crate) fn write(self, wire: &mut UnsignedRequest, prefix: &str) {
        wire.about_item(prefix, self.name);
        for (i, pair) in self.pairs.into_iter().enumerate() {
            let n = i + 1;
            wire.param(format!("{prefix}Attribute.{n}.Name"), pair.name);
            wire.param(format!("{prefix}Attribute.{n}.Value"), pair.value);
            if pair.replace {
                wire.param(format!("{prefix}Attribute.{n}.Replace"), "true");
            }
        }
    }

    /// The most bytes that it takes in the form of a batch.
    pub(crate) fn encoded_len(&self) -> usize {
        const HEAD: usize = "&Item.25.ItemName=".len();
        const PAIR: usize = "&Item.25.Attribute.256.Name=&Item.25.Attribute.256.Value=\
            &Item.25.Attribute.256.Replace=true"
            .len();
        let pair = |p: &Pair| PAIR + escaped_len(&p.name) + escaped_len(&p.value);
        HEAD + escaped_len(&self.name) + self.pairs.iter().map(pair).sum::<usize>()
    }
}

/// A write that sets every attribute of the item to what it is here, in place of what the attribute has.
/// Attributes that are not here stay.
impl From<Item> for PutItem {
    fn from(item: Item) -> Self {
        Self::new(item.name).replace_all(item.attributes)
    }
}

impl fmt::Debug for PutItem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PutItem")
            .field("name", &self.name)
            .field("pairs", &self.pairs.len())
            .finish()
    }
}

/// What to remove of one item: for [`Batch`](crate::request::Batch). Without
/// [`attribute`](Self::attribute) and [`value`](Self::value) the whole item goes.
///
/// `Debug` shows the name and the number of pairs, not the values.
#[derive(Clone, PartialEq, Eq)]
pub struct DeleteItem {
    pub(crate) name: String,
    pub(crate) pairs: Vec<(String, Option<String>)>,
}

impl DeleteItem {
    /// Removes the item of this name.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            pairs: Vec::new(),
        }
    }

    /// Removes all values of this attribute.
    #[must_use]
    pub fn attribute(mut self, name: impl Into<String>) -> Self {
        self.pairs.push((name.into(), None));
        self
    }

    /// Removes this value of this attribute.
    #[must_use]
    pub fn value(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.pairs.push((name.into(), Some(value.into())));
        self
    }

    /// The item's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn check(&self) -> Result<()> {
        limits::item(&self.name)?;
        limits::pairs(self.pairs.len())?;
        for (name, value) in &self.pairs {
            limits::attribute(name)?;
            if let Some(value) = value {
                limits::value(name, value)?;
            }
        }
        Ok(())
    }

    pub(crate) fn write(self, wire: &mut UnsignedRequest, prefix: &str) {
        wire.about_item(prefix, self.name);
        for (i, (name, value)) in self.pairs.into_iter().enumerate() {
            let n = i + 1;
            wire.param(format!("{prefix}Attribute.{n}.Name"), name);
            if let Some(value) = value {
                wire.param(format!("{prefix}Attribute.{n}.Value"), value);
            }
        }
    }

    /// The most bytes that it takes in the form of a batch.
    pub(crate) fn encoded_len(&self) -> usize {
        const HEAD: usize = "&Item.25.ItemName=".len();
        const PAIR: usize = "&Item.25.Attribute.256.Name=&Item.25.Attribute.256.Value=".len();
        let pair = |(name, value): &(String, Option<String>)| {
            PAIR + escaped_len(name) + value.as_deref().map_or(0, escaped_len)
        };
        HEAD + escaped_len(&self.name) + self.pairs.iter().map(pair).sum::<usize>()
    }
}

/// The whole item of this name.
impl<S: Into<String>> From<S> for DeleteItem {
    fn from(name: S) -> Self {
        Self::new(name)
    }
}

impl fmt::Debug for DeleteItem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeleteItem")
            .field("name", &self.name)
            .field("pairs", &self.pairs.len())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_twice_counts_once() {
        let mut put = PutItem::new("u");
        for i in 0..512 {
            put = put.add("n", (i % 256).to_string());
        }
        assert!(put.check().is_ok());
        assert_eq!(put.len(), 256);
        let mut put = put.add("n", "another");
        let error = put.check().unwrap_err().to_string();
        assert!(error.contains("257") && error.contains("256"), "{error}");
    }

    #[test]
    fn values_are_not_shown() {
        let put = PutItem::new("u").add("a", "hush");
        let delete = DeleteItem::new("u").value("a", "hush");
        let shown = format!("{put:?} {delete:?}");
        assert!(!shown.contains("hush"), "{shown}");
    }

    #[test]
    fn the_length_in_a_form_is_an_upper_bound() {
        let put = PutItem::new("a b").add("\u{e9}", "%&=").replace("n", "");
        // As item 25 with attributes 1 and 2.
        let form = "&Item.25.ItemName=a%20b\
            &Item.25.Attribute.1.Name=%C3%A9&Item.25.Attribute.1.Value=%25%26%3D\
            &Item.25.Attribute.2.Name=n&Item.25.Attribute.2.Value=&Item.25.Attribute.2.Replace=true";
        assert!((form.len()..form.len() + 60).contains(&put.encoded_len()));
    }
}
