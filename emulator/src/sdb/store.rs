//! Domains, items and attributes, and the rules by which they change.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::error::{Error, Result};

/// The most pairs of name and value that an item holds.
const ITEM_PAIRS_MAX: usize = 256;
/// The most attributes that one call may submit for an item.
const SUBMITTED_MAX: usize = 256;
/// The most items that a batch may submit.
const BATCH_MAX: usize = 25;
/// The most domains of an account.
const DOMAINS_MAX: usize = 250;

/// The values of each attribute; no attribute is without one.
pub(crate) type Item = BTreeMap<String, BTreeSet<String>>;

/// The items of a domain; no item is without an attribute.
pub(crate) type Items = BTreeMap<String, Item>;

/// One submitted attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) name: String,
    /// Without one, a delete takes the whole attribute.
    pub(crate) value: Option<String>,
    pub(crate) replace: bool,
}

/// What a conditional write expects: this value, or with `None` that there is no such attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Condition {
    pub(crate) name: String,
    pub(crate) value: Option<String>,
}

#[derive(Debug, Default)]
pub(crate) struct Domain(RwLock<Items>);

impl Domain {
    pub(crate) fn read(&self) -> RwLockReadGuard<'_, Items> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Items> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn put(
        &self,
        item: &str,
        changes: &[Change],
        expected: Option<&Condition>,
    ) -> Result<()> {
        check_submitted(item, changes)?;
        let mut items = self.write();
        check(items.get(item), expected)?;
        let changed = put(items.get(item), changes)?;
        items.insert(item.to_owned(), changed);
        Ok(())
    }

    /// Puts all of the items or none.
    pub(crate) fn put_all(&self, batch: &[(String, Vec<Change>)]) -> Result<()> {
        check_batch(batch)?;
        for (item, changes) in batch {
            check_submitted(item, changes)?;
        }
        let mut items = self.write();
        let changed = batch
            .iter()
            .map(|(item, changes)| Ok((item.clone(), put(items.get(item), changes)?)))
            .collect::<Result<Vec<_>>>()?;
        items.extend(changed);
        Ok(())
    }

    pub(crate) fn delete(
        &self,
        item: &str,
        changes: &[Change],
        expected: Option<&Condition>,
    ) -> Result<()> {
        let mut items = self.write();
        check(items.get(item), expected)?;
        delete(&mut items, item, changes);
        Ok(())
    }

    pub(crate) fn delete_all(&self, batch: &[(String, Vec<Change>)]) -> Result<()> {
        check_batch(batch)?;
        let mut items = self.write();
        for (item, changes) in batch {
            delete(&mut items, item, changes);
        }
        Ok(())
    }

    pub(crate) fn metadata(&self) -> Metadata {
        let items = self.read();
        let mut names = BTreeSet::new();
        let mut metadata = Metadata {
            items: items.len(),
            ..Metadata::default()
        };
        for (item, attributes) in items.iter() {
            metadata.item_bytes += item.len();
            for (name, values) in attributes {
                names.insert(name.as_str());
                metadata.values += values.len();
                metadata.value_bytes += values.iter().map(String::len).sum::<usize>();
            }
        }
        metadata.names = names.len();
        metadata.name_bytes = names.iter().map(|name| name.len()).sum();
        metadata
    }
}

/// The sizes of a domain; an attribute name counts once, however many items have it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Metadata {
    pub(crate) items: usize,
    pub(crate) item_bytes: usize,
    pub(crate) names: usize,
    pub(crate) name_bytes: usize,
    pub(crate) values: usize,
    pub(crate) value_bytes: usize,
}

fn check_submitted(item: &str, changes: &[Change]) -> Result<()> {
    if changes.is_empty() {
        return Err(Error::new(
            "MissingParameter",
            format!("No attributes for item ({item})"),
        ));
    }
    if changes.len() > SUBMITTED_MAX {
        return Err(Error::new(
            "NumberSubmittedAttributesExceeded",
            "Too many attributes in a single call. Only up to 256 per call allowed.",
        ));
    }
    Ok(())
}

fn check_batch(batch: &[(String, Vec<Change>)]) -> Result<()> {
    if batch.is_empty() {
        return Err(Error::new("MissingParameter", "No items"));
    }
    if batch.len() > BATCH_MAX {
        return Err(Error::new(
            "NumberSubmittedItemsExceeded",
            "Too many items in a single call. Only up to 25 items per call allowed.",
        ));
    }
    let mut seen = BTreeSet::new();
    match batch.iter().find(|(item, _)| !seen.insert(item)) {
        Some((item, _)) => Err(Error::new(
            "DuplicateItemName",
            format!("Item {item} was specified more than once."),
        )),
        None => Ok(()),
    }
}

fn check(item: Option<&Item>, expected: Option<&Condition>) -> Result<()> {
    let Some(Condition { name, value }) = expected else {
        return Ok(());
    };
    let stored = item.and_then(|item| item.get(name));
    let failed = |message| Err(Error::new("ConditionalCheckFailed", message));
    match (stored, value) {
        (None, None) => Ok(()),
        (None, Some(_)) => Err(Error::new(
            "AttributeDoesNotExist",
            format!("Attribute ({name}) does not exist"),
        )),
        (Some(_), None) => failed(format!(
            "Conditional check failed. Attribute ({name}) value exists"
        )),
        (Some(stored), Some(_)) if stored.len() > 1 => Err(Error::new(
            "MultiValuedAttribute",
            format!(
                "Attribute ({name}) is multi-valued. Conditional check can only be performed on \
                 a single-valued attribute"
            ),
        )),
        (Some(stored), Some(value)) if stored.contains(value) => Ok(()),
        (Some(stored), Some(value)) => {
            let stored = stored.first().map_or("", String::as_str);
            failed(format!(
                "Conditional check failed. Attribute ({name}) value is ({stored}) but was \
                 expected ({value})"
            ))
        }
    }
}

fn put(item: Option<&Item>, changes: &[Change]) -> Result<Item> {
    let mut item = item.cloned().unwrap_or_default();
    for change in changes.iter().filter(|change| change.replace) {
        item.remove(&change.name);
    }
    for change in changes {
        let value = change.value.clone().unwrap_or_default();
        item.entry(change.name.clone()).or_default().insert(value);
    }
    if item.values().map(BTreeSet::len).sum::<usize>() > ITEM_PAIRS_MAX {
        return Err(Error::new(
            "NumberItemAttributesExceeded",
            "Too many attributes in this item",
        ));
    }
    Ok(item)
}

fn delete(items: &mut Items, name: &str, changes: &[Change]) {
    let Some(item) = items.get_mut(name) else {
        return;
    };
    for change in changes {
        match &change.value {
            None => {
                item.remove(&change.name);
            }
            Some(value) => {
                if let Some(values) = item.get_mut(&change.name) {
                    values.remove(value);
                    if values.is_empty() {
                        item.remove(&change.name);
                    }
                }
            }
        }
    }
    if changes.is_empty() || item.is_empty() {
        items.remove(name);
    }
}

/// All domains of the emulator.
#[derive(Debug, Default)]
pub(crate) struct Domains(RwLock<BTreeMap<String, Arc<Domain>>>);

impl Domains {
    pub(crate) fn get(&self, name: &str) -> Result<Arc<Domain>> {
        let domains = self.0.read().unwrap_or_else(PoisonError::into_inner);
        domains.get(name).cloned().ok_or_else(Error::no_such_domain)
    }

    pub(crate) fn create(&self, name: &str) -> Result<()> {
        let mut domains = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if domains.len() >= DOMAINS_MAX && !domains.contains_key(name) {
            return Err(Error::new(
                "NumberDomainsExceeded",
                "Number of domains limit exceeded",
            ));
        }
        domains.entry(name.to_owned()).or_default();
        Ok(())
    }

    pub(crate) fn delete(&self, name: &str) {
        let mut domains = self.0.write().unwrap_or_else(PoisonError::into_inner);
        domains.remove(name);
    }

    /// At most `max` names behind `after`, and whether there are more.
    pub(crate) fn list(&self, after: &str, max: usize) -> (Vec<String>, bool) {
        let domains = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let mut behind = domains.keys().filter(|name| name.as_str() > after);
        let page = behind.by_ref().take(max).cloned().collect();
        (page, behind.next().is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(name: &str, value: &str, replace: bool) -> Change {
        Change {
            name: name.into(),
            value: Some(value.into()),
            replace,
        }
    }

    fn values(domain: &Domain, item: &str, name: &str) -> Vec<String> {
        let items = domain.read();
        let values = items.get(item).and_then(|item| item.get(name));
        values.into_iter().flatten().cloned().collect()
    }

    #[test]
    fn an_item_is_a_set_of_pairs() {
        let domain = Domain::default();
        let twice = [
            change("a", "1", false),
            change("a", "1", false),
            change("a", "2", false),
        ];
        domain.put("i", &twice, None).unwrap();
        assert_eq!(values(&domain, "i", "a"), ["1", "2"]);
        domain
            .put("i", &[change("a", "3", true), change("a", "4", true)], None)
            .unwrap();
        assert_eq!(values(&domain, "i", "a"), ["3", "4"]);
        domain
            .delete("i", &[change("a", "3", false)], None)
            .unwrap();
        assert_eq!(values(&domain, "i", "a"), ["4"]);
        domain
            .delete("i", &[change("a", "4", false)], None)
            .unwrap();
        assert!(domain.read().is_empty());
        domain.delete("i", &[], None).unwrap();
    }

    #[test]
    fn conditions_decide_writes() {
        let domain = Domain::default();
        let expect = |value: Option<&str>| Condition {
            name: "v".into(),
            value: value.map(Into::into),
        };
        let put = |value, expected: Option<&str>| {
            let put = domain.put("i", &[change("v", value, true)], Some(&expect(expected)));
            put.map_err(|error| error.code)
        };
        assert_eq!(put("1", Some("0")), Err("AttributeDoesNotExist"));
        assert_eq!(put("1", None), Ok(()));
        assert_eq!(put("1", None), Err("ConditionalCheckFailed"));
        assert_eq!(put("2", Some("0")), Err("ConditionalCheckFailed"));
        assert_eq!(put("2", Some("1")), Ok(()));
        domain.put("i", &[change("v", "3", false)], None).unwrap();
        assert_eq!(put("2", Some("3")), Err("MultiValuedAttribute"));
    }

    #[test]
    fn limits_leave_the_item_as_it_was() {
        let domain = Domain::default();
        let many: Vec<_> = (0..256)
            .map(|n| change("a", &n.to_string(), false))
            .collect();
        domain.put("i", &many, None).unwrap();
        let code = |result: Result<()>| result.unwrap_err().code;
        let one_more = [change("b", "1", false)];
        assert_eq!(
            code(domain.put("i", &one_more, None)),
            "NumberItemAttributesExceeded"
        );
        let batch = [
            ("j".to_owned(), vec![change("x", "1", false)]),
            ("i".to_owned(), one_more.to_vec()),
        ];
        assert_eq!(code(domain.put_all(&batch)), "NumberItemAttributesExceeded");
        assert_eq!(domain.read().len(), 1);
        let too_many = [many, one_more.to_vec()].concat();
        assert_eq!(
            code(domain.put("j", &too_many, None)),
            "NumberSubmittedAttributesExceeded"
        );
        assert_eq!(code(domain.put("j", &[], None)), "MissingParameter");
        let batch = |names: &[&str]| -> Vec<_> {
            let item = |name: &&str| ((*name).to_owned(), vec![change("a", "1", false)]);
            names.iter().map(item).collect()
        };
        assert_eq!(
            code(domain.put_all(&batch(&["a", "b", "a"]))),
            "DuplicateItemName"
        );
        assert_eq!(code(domain.put_all(&[])), "MissingParameter");
        assert_eq!(
            code(domain.put_all(&batch(&["a"; 26]))),
            "NumberSubmittedItemsExceeded"
        );
    }
}
