//! Which items have which values: each attribute's pairs of value and item, in order.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use super::{Item, Text};

#[derive(Debug, Default)]
pub(crate) struct Index {
    attributes: BTreeMap<Text, Attribute>,
    name_bytes: usize,
}

/// One attribute of a domain, over all of its items.
#[derive(Debug, Default)]
pub(crate) struct Attribute {
    /// Each entry is a value and the name of an item that has it.
    entries: BTreeSet<(Text, Text)>,
    /// How many items have more than one value of it.
    multi: usize,
}

impl Index {
    pub(crate) fn attribute(&self, name: &str) -> Option<&Attribute> {
        self.attributes.get(name)
    }

    /// How many attributes there are, and the bytes of their names.
    pub(super) fn names(&self) -> (usize, usize) {
        (self.attributes.len(), self.name_bytes)
    }

    /// The name as the index has it, so that it is kept once.
    pub(super) fn name(&self, name: &str) -> Text {
        match self.attributes.get_key_value(name) {
            Some((known, _)) => known.clone(),
            None => Text::from(name),
        }
    }

    /// Follows an item from what it was to what it is; an absent item is an empty one.
    pub(super) fn update(&mut self, item: &Text, before: &Item, after: &Item) {
        for (name, values) in before {
            let kept = after.get(name);
            let Some(attribute) = self.attributes.get_mut(name) else {
                continue;
            };
            attribute.multi -= usize::from(values.len() > 1);
            for value in values {
                if kept.is_none_or(|kept| !kept.contains(value)) {
                    attribute.entries.remove(&(value.clone(), item.clone()));
                }
            }
            if attribute.entries.is_empty() && kept.is_none() {
                self.attributes.remove(name);
                self.name_bytes -= name.len();
            }
        }
        for (name, values) in after {
            let was = before.get(name);
            let attribute = self.attributes.entry(name.clone()).or_insert_with(|| {
                self.name_bytes += name.len();
                Attribute::default()
            });
            attribute.multi += usize::from(values.len() > 1);
            for value in values {
                if was.is_none_or(|was| !was.contains(value)) {
                    attribute.entries.insert((value.clone(), item.clone()));
                }
            }
        }
    }
}

impl Attribute {
    /// How many pairs it has.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether no item has two values of it.
    pub(crate) fn is_single(&self) -> bool {
        self.multi == 0
    }

    /// Pairs of value and item from one pair up to another, which may be empty.
    pub(crate) fn range(
        &self,
        low: Bound<(Text, Text)>,
        high: Bound<(Text, Text)>,
    ) -> impl DoubleEndedIterator<Item = &(Text, Text)> {
        let empty = match (&low, &high) {
            (Bound::Included(low), Bound::Included(high)) => low > high,
            (
                Bound::Included(low) | Bound::Excluded(low),
                Bound::Included(high) | Bound::Excluded(high),
            ) => low >= high,
            _ => false,
        };
        // A range that ends before it begins would panic.
        (!empty)
            .then(|| self.entries.range((low, high)))
            .into_iter()
            .flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(pairs: &[(&str, &str)]) -> Item {
        let mut item = Item::new();
        for (name, value) in pairs {
            let values = item.entry(Text::from(*name)).or_default();
            values.insert(Text::from(*value));
        }
        item
    }

    fn pairs(index: &Index, name: &str) -> Vec<(String, String)> {
        let Some(attribute) = index.attribute(name) else {
            return Vec::new();
        };
        attribute
            .range(Bound::Unbounded, Bound::Unbounded)
            .map(|(value, item)| (value.to_string(), item.to_string()))
            .collect()
    }

    #[test]
    fn it_follows_items() {
        let mut index = Index::default();
        let (i, j) = (Text::from("i"), Text::from("j"));
        let none = Item::new();
        let one = item(&[("a", "1"), ("a", "2"), ("b", "1")]);
        let two = item(&[("a", "2"), ("c", "1")]);
        index.update(&i, &none, &one);
        index.update(&j, &none, &two);
        let pair = |value: &str, item: &str| (value.to_owned(), item.to_owned());
        assert_eq!(
            pairs(&index, "a"),
            [pair("1", "i"), pair("2", "i"), pair("2", "j")]
        );
        assert!(!index.attribute("a").unwrap().is_single());
        index.update(&i, &one, &two);
        assert_eq!(pairs(&index, "a"), [pair("2", "i"), pair("2", "j")]);
        assert!(index.attribute("a").unwrap().is_single());
        assert!(index.attribute("b").is_none());
        index.update(&i, &two, &none);
        index.update(&j, &two, &none);
        assert_eq!(index.names(), (0, 0));
    }

    #[test]
    fn a_range_may_be_empty_or_end_before_it_begins() {
        let mut index = Index::default();
        index.update(&Text::from("i"), &Item::new(), &item(&[("a", "5")]));
        let attribute = index.attribute("a").unwrap();
        let bound = |value: &str| (Text::from(value), Text::from(""));
        for (low, high, count) in [
            (Bound::Included(bound("5")), Bound::Excluded(bound("6")), 1),
            (Bound::Included(bound("6")), Bound::Excluded(bound("5")), 0),
            (Bound::Excluded(bound("5")), Bound::Excluded(bound("5")), 0),
            (Bound::Included(bound("6")), Bound::Included(bound("5")), 0),
        ] {
            assert_eq!(attribute.range(low, high).count(), count);
        }
    }
}
