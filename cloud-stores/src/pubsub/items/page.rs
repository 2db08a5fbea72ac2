//! Which items are on a page of a [result set](https://xmpp.org/extensions/xep-0059.html).

use std::ops::Range;

use crate::pubsub::items::{Item, ItemRef};

/// Where a page begins, or ends. The items of a node are in the order of their creation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PageStart {
    /// It begins with the oldest item.
    #[default]
    First,
    /// It begins with the item of this index, from 0.
    Index(usize),
    /// It begins with the first item that was created after this time, in microseconds since 1970.
    After(u64),
    /// It ends with the last item that was created before this time, in microseconds since 1970.
    Before(u64),
    /// It ends with the newest item.
    Last,
}

/// A page of items: where it is, and how many it has at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// Where it begins or ends.
    pub start: PageStart,
    /// How many items it has at most. With 0 nothing is fetched, and the answer tells how many there are.
    pub max: usize,
}

/// The items of a page, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ItemPage {
    /// The items. One that was removed while they were fetched is not among them.
    pub items: Vec<Item>,
    /// The index of the first of them, from 0.
    pub first: usize,
    /// How many items the node has.
    pub count: usize,
}

impl Page {
    /// All items, however many there are.
    pub const ALL: Self = Self {
        start: PageStart::First,
        max: usize::MAX,
    };

    /// Which of these items, oldest first, are on the page.
    pub(crate) fn range(self, items: &[ItemRef]) -> Range<usize> {
        let up_to = |end: usize| end.saturating_sub(self.max)..end;
        let from = |start: usize| {
            let start = start.min(items.len());
            start..start.saturating_add(self.max).min(items.len())
        };
        match self.start {
            PageStart::First => from(0),
            PageStart::Index(index) => from(index),
            PageStart::After(time) => from(items.partition_point(|item| item.created <= time)),
            PageStart::Before(time) => up_to(items.partition_point(|item| item.created < time)),
            PageStart::Last => up_to(items.len()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pubsub::items::Listing;
    use crate::pubsub::items::listing::key_name;

    #[test]
    fn pages_are_these() {
        let keys: Vec<String> = [10, 20, 20, 30]
            .iter()
            .enumerate()
            .map(|(i, at)| key_name(*at, "a@h", &i.to_string()))
            .collect();
        let list = Listing::of(keys.iter().map(|key| (key.as_str(), None)));
        let range = |start, max| Page { start, max }.range(list.items());
        for (start, max, expected) in [
            (PageStart::First, 2, 0..2),
            (PageStart::First, usize::MAX, 0..4),
            (PageStart::First, 0, 0..0),
            (PageStart::Index(1), 2, 1..3),
            (PageStart::Index(3), 2, 3..4),
            (PageStart::Index(9), 2, 4..4),
            (PageStart::After(9), 1, 0..1),
            (PageStart::After(10), 2, 1..3),
            (PageStart::After(20), 2, 3..4),
            (PageStart::After(30), 2, 4..4),
            (PageStart::Before(10), 2, 0..0),
            (PageStart::Before(20), 2, 0..1),
            (PageStart::Before(30), 2, 1..3),
            (PageStart::Before(99), 2, 2..4),
            (PageStart::Last, 3, 1..4),
            (PageStart::Last, usize::MAX, 0..4),
        ] {
            assert_eq!(range(start, max), expected, "{start:?} {max}");
        }
        assert_eq!(Page::ALL.range(list.items()), 0..4);
        assert_eq!(Page::ALL.range(&[]), 0..0);
    }
}
