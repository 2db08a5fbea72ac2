//! What a domain holds: its items, its index, its sizes, and what it was a moment ago.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::history::{History, Overlay};
use super::sizes::Sizes;
use super::{Batch, Index, Item, Text, rules};
use crate::sdb::error::{SdbError, SdbResult};
use crate::sdb::options::Limits;

/// The items of a domain and what is derived from them; no item is without an attribute.
#[derive(Debug, Default)]
pub(crate) struct DomainContent {
    items: BTreeMap<Text, Arc<Item>>,
    index: Index,
    sizes: Sizes,
    history: History,
    /// The domain was deleted while someone still held it.
    pub(super) closed: bool,
}

/// Items and what they become; an empty item goes.
pub(super) type After = Vec<(Text, Item)>;

impl DomainContent {
    pub(crate) fn get(&self, name: &str) -> Option<&Arc<Item>> {
        self.items.get(name)
    }

    /// How many items there are.
    pub(crate) fn len(&self) -> usize {
        self.items.len()
    }

    /// The item with its name as the domain keeps it.
    pub(crate) fn entry(&self, name: &str) -> Option<(&Text, &Arc<Item>)> {
        self.items.get_key_value(name)
    }

    pub(crate) fn index(&self) -> &Index {
        &self.index
    }

    pub(crate) fn sizes(&self) -> Sizes {
        self.sizes
    }

    /// Items from one name up to another, in order.
    pub(crate) fn range<'a>(
        &'a self,
        low: Bound<&str>,
        high: Bound<&str>,
    ) -> impl DoubleEndedIterator<Item = (&'a Text, &'a Arc<Item>)> + use<'a> {
        let empty = match (low, high) {
            (Bound::Included(low), Bound::Included(high)) => low > high,
            (
                Bound::Included(low) | Bound::Excluded(low),
                Bound::Included(high) | Bound::Excluded(high),
            ) => low >= high,
            _ => false,
        };
        // A range that ends before it begins would panic.
        (!empty)
            .then(|| self.items.range::<str, _>((low, high)))
            .into_iter()
            .flatten()
    }

    /// How many of the last writes a read may miss.
    pub(crate) fn recent(&self, age: Duration) -> usize {
        self.history.recent(Instant::now(), age)
    }

    /// The domain as it was before its last `unseen` writes.
    pub(crate) fn view(&self, unseen: usize) -> DomainView<'_> {
        DomainView {
            content: self,
            overlay: self.history.past(unseen),
        }
    }

    pub(super) fn after_put(&self, batch: &Batch) -> After {
        let after = batch.iter().map(|(name, changes)| {
            let (name, item) = match self.entry(name) {
                Some((name, item)) => (name.clone(), Some(&**item)),
                None => (Text::from(name.as_str()), None),
            };
            (name, rules::put(item, changes, &self.index))
        });
        after.collect()
    }

    pub(super) fn after_delete(&self, batch: &Batch) -> After {
        let after = batch.iter().filter_map(|(name, changes)| {
            let (name, item) = self.entry(name)?;
            Some((name.clone(), rules::delete(item, changes)))
        });
        after.collect()
    }

    /// Checks whether the domain may hold what it would.
    pub(super) fn check_growth(&self, after: &After, limits: &Limits) -> SdbResult<()> {
        let mut sizes = self.sizes;
        let mut new_names: Vec<&Text> = Vec::new();
        for (name, item) in after {
            if let Some(before) = self.items.get(name) {
                sizes.remove(name, before);
            }
            sizes.add(name, item);
            let new = item
                .keys()
                .filter(|name| self.index.attribute(name).is_none());
            new_names.extend(new);
        }
        new_names.sort_unstable();
        new_names.dedup();
        sizes.name_bytes += new_names.iter().map(|name| name.len()).sum::<usize>();
        if sizes.values as u64 > limits.domain_pairs {
            return Err(SdbError::new(
                "NumberDomainAttributesExceeded",
                "Too many attributes in this domain.",
            ));
        }
        if sizes.bytes() > limits.domain_bytes {
            return Err(SdbError::new(
                "NumberDomainBytesExceeded",
                "Too many bytes in this domain.",
            ));
        }
        Ok(())
    }

    pub(super) fn remember(&mut self, after: &After, age: Duration) {
        let items = &self.items;
        self.history.push(Instant::now(), age, || {
            let before = after.iter();
            before
                .map(|(name, _)| (name.clone(), items.get(name).cloned()))
                .collect()
        });
    }

    pub(super) fn apply(&mut self, after: After) {
        for (name, item) in after {
            let before = if item.is_empty() {
                self.items.remove(&name)
            } else {
                self.items.insert(name.clone(), Arc::new(item))
            };
            let now = self.items.get(&name);
            let none = Item::new();
            let (before_item, after_item) = (
                before.as_deref().unwrap_or(&none),
                now.map_or(&none, |item| item),
            );
            self.index.update(&name, before_item, after_item);
            if before.is_some() {
                self.sizes.remove(&name, before_item);
            }
            if now.is_some() {
                self.sizes.add(&name, after_item);
            }
        }
        (self.sizes.names, self.sizes.name_bytes) = self.index.names();
    }
}

/// A domain as one read sees it.
#[derive(Debug)]
pub(crate) struct DomainView<'a> {
    content: &'a DomainContent,
    overlay: Overlay,
}

impl DomainView<'_> {
    pub(crate) fn get(&self, name: &str) -> Option<&Arc<Item>> {
        match self.overlay.get(name) {
            Some(past) => past.as_ref(),
            None => self.content.get(name),
        }
    }

    /// The present, if that is what this is: only it has an index.
    pub(crate) fn present(&self) -> Option<&DomainContent> {
        self.overlay.is_empty().then_some(self.content)
    }

    /// All items, in no order.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&Text, &Arc<Item>)> {
        let now = self.content.items.iter();
        let now = now.filter(|(name, _)| !self.overlay.contains_key(*name));
        let past = self.overlay.iter();
        now.chain(past.filter_map(|(name, item)| Some((name, item.as_ref()?))))
    }
}
