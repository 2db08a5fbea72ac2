//! Which items go together.

use std::collections::HashMap;

use super::Member;
use crate::limits::{MAX_BATCH_BYTES, MAX_BATCH_ITEMS};

/// Items in groups, one after another, such that no group has an item twice and each item's writes keep
/// their order.
pub(crate) fn waves<M: Member>(items: Vec<M>) -> Vec<Vec<M>> {
    let mut seen: HashMap<String, usize> = HashMap::with_capacity(items.len());
    let mut waves: Vec<Vec<M>> = Vec::new();
    for item in items {
        let times = seen.entry(item.name().to_owned()).or_default();
        if waves.len() == *times {
            waves.push(Vec::new());
        }
        waves[*times].push(item);
        *times += 1;
    }
    waves
}

/// Items, all different, in batches of legal size. One that is too large for any stands alone.
pub(crate) fn batches<M: Member>(items: Vec<M>) -> impl Iterator<Item = Vec<M>> {
    let mut rest = items.into_iter().peekable();
    std::iter::from_fn(move || {
        let first = rest.next()?;
        let mut bytes = first.encoded_len();
        let mut batch = vec![first];
        while batch.len() < MAX_BATCH_ITEMS
            && let Some(item) = rest.next_if(|item| bytes + item.encoded_len() <= MAX_BATCH_BYTES)
        {
            bytes += item.encoded_len();
            batch.push(item);
        }
        Some(batch)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::change::PutItem;

    fn put(name: usize, values: usize) -> PutItem {
        let item = PutItem::new(format!("i{name}"));
        (0..values).fold(item, |item, i| {
            item.add(format!("{i}"), "\u{e9}".repeat(512))
        })
    }

    #[test]
    fn batches_are_legal() {
        let sizes = |items: Vec<PutItem>| batches(items).map(|b| b.len()).collect::<Vec<_>>();
        assert!(sizes(vec![]).is_empty());
        assert_eq!(sizes((0..60).map(|n| put(n, 1)).collect()), [25, 25, 10]);
        // Each value takes 3 KB of form.
        assert_eq!(sizes((0..5).map(|n| put(n, 128)).collect()), [2, 2, 1]);
        // One that is too large for any batch.
        let name = |i: usize| format!("{i:03}{}", "\u{e9}".repeat(510));
        let large = (0..256).fold(PutItem::new("large"), |item, i| {
            item.add(name(i), "\u{e9}".repeat(512))
        });
        assert!(large.encoded_len() > MAX_BATCH_BYTES);
        assert_eq!(
            sizes(vec![put(0, 1), large, put(2, 1), put(3, 1)]),
            [1, 1, 2]
        );
    }

    #[test]
    fn writes_to_one_item_keep_their_order() {
        let item = |name: &str, value: &str| PutItem::new(name).add("v", value);
        let given = vec![
            item("a", "1"),
            item("b", "1"),
            item("a", "2"),
            item("a", "3"),
            item("b", "2"),
        ];
        let waves = waves(given);
        assert_eq!(
            waves,
            [
                vec![item("a", "1"), item("b", "1")],
                vec![item("a", "2"), item("b", "2")],
                vec![item("a", "3")],
            ]
        );
    }
}
