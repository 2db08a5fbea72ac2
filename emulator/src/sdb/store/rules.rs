//! What a write may do, and what becomes of an item by it.

use std::collections::{BTreeMap, BTreeSet};

use super::{Batch, Change, Condition, Index, Item, Text};
use crate::sdb::error::{SdbError, SdbResult};

/// The most pairs of name and value that an item holds.
const ITEM_PAIRS_MAX: usize = 256;
/// The most attributes that one call may submit for an item.
const SUBMITTED_MAX: usize = 256;
/// The most items that a batch may submit.
const BATCH_MAX: usize = 25;

/// Checks what can be told from a put alone.
pub(super) fn check_put(batch: &Batch) -> SdbResult<()> {
    check_batch(batch)?;
    for (item, changes) in batch {
        if changes.is_empty() {
            return Err(SdbError::new(
                "MissingParameter",
                format!("No attributes for item ='{item}'"),
            ));
        }
        if changes.len() > SUBMITTED_MAX {
            return Err(SdbError::new(
                "NumberSubmittedAttributesExceeded",
                format!(
                    "Too many attributes for item {item} in a single call. Up to 256 attributes \
                     per call allowed."
                ),
            ));
        }
    }
    Ok(())
}

/// Checks what can be told from the items of a call alone.
pub(super) fn check_batch(batch: &Batch) -> SdbResult<()> {
    if batch.is_empty() {
        return Err(SdbError::new("MissingParameter", "No items"));
    }
    check_count(batch.len())?;
    let mut seen = BTreeSet::new();
    match batch.iter().find(|(item, _)| !seen.insert(item)) {
        Some((item, _)) => Err(SdbError::new(
            "DuplicateItemName",
            format!("Item {item} was specified more than once."),
        )),
        None => Ok(()),
    }
}

/// Checks how many items a call has.
pub(crate) fn check_count(items: usize) -> SdbResult<()> {
    if items > BATCH_MAX {
        return Err(SdbError::new(
            "NumberSubmittedItemsExceeded",
            "Too many items in a single call. Up to 25 items per call allowed.",
        ));
    }
    Ok(())
}

/// Checks the condition of a write.
pub(super) fn check_expected(item: Option<&Item>, expected: Option<&Condition>) -> SdbResult<()> {
    let Some(Condition { name, value }) = expected else {
        return Ok(());
    };
    let stored = item.and_then(|item| item.get(name.as_str()));
    let failed = |message| Err(SdbError::new("ConditionalCheckFailed", message));
    match (stored, value) {
        (None, None) => Ok(()),
        (None, Some(_)) => Err(SdbError::new(
            "AttributeDoesNotExist",
            format!("Attribute ({name}) does not exist"),
        )),
        (Some(_), None) => failed(format!(
            "Conditional check failed. Attribute ({name}) value exists."
        )),
        (Some(stored), Some(_)) if stored.len() > 1 => Err(SdbError::new(
            "MultiValuedAttribute",
            format!(
                "Attribute ({name}) is multi-valued. Conditional check can only be performed on \
                 a single-valued attribute"
            ),
        )),
        (Some(stored), Some(value)) if stored.contains(value.as_str()) => Ok(()),
        (Some(stored), Some(value)) => {
            let stored = stored.first().map_or("", |value| value);
            failed(format!(
                "Conditional check failed. Attribute ({name}) value is ({stored}) but was \
                 expected ({value})"
            ))
        }
    }
}

/// The item after a put.
pub(super) fn put(item: Option<&Item>, changes: &[Change], index: &Index) -> Item {
    let mut item = item.cloned().unwrap_or_default();
    for change in changes.iter().filter(|change| change.replace) {
        item.remove(change.name.as_str());
    }
    for change in changes {
        let value = change.value.as_deref().unwrap_or_default();
        match item.get_mut(change.name.as_str()) {
            Some(values) if values.contains(value) => {}
            Some(values) => {
                values.insert(Text::from(value));
            }
            None => {
                let values = BTreeSet::from([Text::from(value)]);
                item.insert(index.name(&change.name), values);
            }
        }
    }
    item
}

/// Checks what an item may hold.
pub(super) fn check_item(item: &Item) -> SdbResult<()> {
    if item.values().map(BTreeSet::len).sum::<usize>() > ITEM_PAIRS_MAX {
        return Err(SdbError::new(
            "NumberItemAttributesExceeded",
            "Too many attributes in this item.",
        ));
    }
    Ok(())
}

/// The item after a delete; an empty one is none.
pub(super) fn delete(item: &Item, changes: &[Change]) -> Item {
    if changes.is_empty() {
        return BTreeMap::new();
    }
    let mut item = item.clone();
    for change in changes {
        let Some(value) = change.value.as_deref() else {
            item.remove(change.name.as_str());
            continue;
        };
        if let Some(values) = item.get_mut(change.name.as_str()) {
            values.remove(value);
            if values.is_empty() {
                item.remove(change.name.as_str());
            }
        }
    }
    item
}
