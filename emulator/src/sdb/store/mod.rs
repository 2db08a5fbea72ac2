//! Domains, items and attributes, and the rules by which they change.

mod content;
mod domain;
mod history;
mod index;
mod rules;
mod sizes;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError, RwLock};

pub(crate) use self::content::{DomainContent, DomainView};
pub(crate) use self::domain::{Domain, Terms};
pub(crate) use self::index::Attribute;
use self::index::Index;
pub(crate) use self::rules::check_count;

use super::SdbJournal;
use super::error::{SdbError, SdbResult};
use super::options::Limits;
use super::record::{SdbEntry, SdbRecord};
use crate::disk::Ticket;

/// A name or a value; one copy of it serves the item and the index.
pub(crate) type Text = Arc<str>;

/// The values of each attribute; no attribute is without one.
pub(crate) type Item = BTreeMap<Text, BTreeSet<Text>>;

/// The items that one call writes, each with its attributes.
pub(crate) type Batch = [(String, Vec<Change>)];

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

/// All domains of the emulator.
#[derive(Debug, Default)]
pub(crate) struct Domains(RwLock<BTreeMap<String, Arc<Domain>>>);

impl Domains {
    pub(crate) fn get(&self, name: &str) -> SdbResult<Arc<Domain>> {
        let domains = self.0.read().unwrap_or_else(PoisonError::into_inner);
        domains
            .get(name)
            .cloned()
            .ok_or_else(SdbError::no_such_domain)
    }

    /// Creates a domain, or leaves the one that is there.
    pub(crate) fn create(
        &self,
        name: &str,
        limits: &Limits,
        journal: &SdbJournal,
    ) -> SdbResult<Ticket> {
        let mut domains = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if domains.contains_key(name) {
            // It may be that nobody has been told of it yet, and that it is not safe yet.
            return Ok(journal.last());
        }
        if domains.len() >= limits.domains {
            return Err(SdbError::new(
                "NumberDomainsExceeded",
                "The domain limit was exceeded.",
            ));
        }
        let ticket = journal.append(&SdbRecord::Create(name))?;
        domains.insert(name.to_owned(), Arc::new(Domain::new(name)));
        Ok(ticket)
    }

    pub(crate) fn delete(&self, name: &str, journal: &SdbJournal) -> SdbResult<Ticket> {
        let mut domains = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let Some(domain) = domains.get(name) else {
            return Ok(journal.last());
        };
        let ticket = domain.close(|| Ok(journal.append(&SdbRecord::Delete(name))?))?;
        domains.remove(name);
        Ok(ticket)
    }

    /// At most `max` names behind `after`, and whether there are more.
    pub(crate) fn list(&self, after: &str, max: usize) -> (Vec<String>, bool) {
        let domains = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let mut behind = domains.keys().filter(|name| name.as_str() > after);
        let page = behind.by_ref().take(max).cloned().collect();
        (page, behind.next().is_some())
    }

    /// All domains of this instant.
    pub(crate) fn all(&self) -> Vec<Arc<Domain>> {
        let domains = self.0.read().unwrap_or_else(PoisonError::into_inner);
        domains.values().cloned().collect()
    }

    /// Does again what a journal tells of. It was within limits when it was done.
    pub(super) fn redo(&self, entry: SdbEntry) {
        let mut domains = self.0.write().unwrap_or_else(PoisonError::into_inner);
        match entry {
            SdbEntry::Create(name) => {
                let domain = Arc::new(Domain::new(&name));
                domains.entry(name).or_insert(domain);
            }
            SdbEntry::Delete(name) => {
                domains.remove(&name);
            }
            // Without its domain, it lost a race with the domain's end.
            SdbEntry::Put(name, batch) => {
                if let Some(domain) = domains.get(&name) {
                    domain.replay(&batch, false);
                }
            }
            SdbEntry::Take(name, batch) => {
                if let Some(domain) = domains.get(&name) {
                    domain.replay(&batch, true);
                }
            }
        }
    }
}
