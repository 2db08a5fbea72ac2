//! One domain, and the writes that change it.

use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use super::content::{After, DomainContent};
use super::{Batch, Condition, rules};
use crate::disk::Ticket;
use crate::sdb::SdbJournal;
use crate::sdb::error::{SdbError, SdbResult};
use crate::sdb::options::Limits;
use crate::sdb::record::SdbRecord;

#[derive(Debug)]
pub(crate) struct Domain {
    name: String,
    content: RwLock<DomainContent>,
}

/// What a write has to keep to, and where it is written down.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms<'a> {
    pub(crate) limits: &'a Limits,
    pub(crate) journal: &'a SdbJournal,
    /// For how long a read may miss the write.
    pub(crate) stale: Duration,
}

impl Domain {
    pub(super) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            content: RwLock::default(),
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn read(&self) -> RwLockReadGuard<'_, DomainContent> {
        self.content.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, DomainContent> {
        self.content.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the domain if that can be written down.
    pub(super) fn close(&self, record: impl FnOnce() -> SdbResult<Ticket>) -> SdbResult<Ticket> {
        let mut content = self.write();
        let ticket = record()?;
        content.closed = true;
        Ok(ticket)
    }

    /// Puts all of the items or none. A condition is about the first of them.
    pub(crate) fn put(
        &self,
        batch: &Batch,
        expected: Option<&Condition>,
        terms: Terms<'_>,
    ) -> SdbResult<Ticket> {
        rules::check_put(batch)?;
        let record = SdbRecord::Put(&self.name, batch);
        self.change(batch, expected, terms, &record, |content| {
            let after = content.after_put(batch);
            for (_, item) in &after {
                rules::check_item(item)?;
            }
            content.check_growth(&after, terms.limits)?;
            Ok(after)
        })
    }

    /// Deletes from all of the items. A condition is about the first of them.
    pub(crate) fn delete(
        &self,
        batch: &Batch,
        expected: Option<&Condition>,
        terms: Terms<'_>,
    ) -> SdbResult<Ticket> {
        rules::check_batch(batch)?;
        let record = SdbRecord::Take(&self.name, batch);
        self.change(batch, expected, terms, &record, |content| {
            Ok(content.after_delete(batch))
        })
    }

    fn change(
        &self,
        batch: &Batch,
        expected: Option<&Condition>,
        terms: Terms<'_>,
        record: &SdbRecord<'_>,
        after: impl FnOnce(&DomainContent) -> SdbResult<After>,
    ) -> SdbResult<Ticket> {
        let mut content = self.write();
        if content.closed {
            return Err(SdbError::no_such_domain());
        }
        if let Some((first, _)) = batch.first() {
            rules::check_expected(content.get(first).map(|item| &**item), expected)?;
        }
        let after = after(&content)?;
        // What cannot be written down did not happen.
        let ticket = terms.journal.append(record)?;
        content.remember(&after, terms.stale);
        content.apply(after);
        Ok(ticket)
    }

    pub(super) fn replay(&self, batch: &Batch, delete: bool) {
        let mut content = self.write();
        let after = if delete {
            content.after_delete(batch)
        } else {
            content.after_put(batch)
        };
        content.apply(after);
    }
}

#[cfg(test)]
mod tests {
    use super::super::Change;
    use super::super::sizes::Sizes;
    use super::*;

    fn change(name: &str, value: &str, replace: bool) -> Change {
        Change {
            name: name.into(),
            value: Some(value.into()),
            replace,
        }
    }

    fn values(domain: &Domain, item: &str, name: &str) -> Vec<String> {
        let content = domain.read();
        let values = content.get(item).and_then(|item| item.get(name));
        let values = values.into_iter().flatten();
        values.map(|value| value.to_string()).collect()
    }

    fn one(item: &str, changes: &[Change]) -> Vec<(String, Vec<Change>)> {
        vec![(item.to_owned(), changes.to_vec())]
    }

    struct World {
        domain: Domain,
        limits: Limits,
        journal: SdbJournal,
        stale: Duration,
    }

    impl World {
        fn new() -> Self {
            Self {
                domain: Domain::new("dom"),
                limits: Limits::default(),
                journal: SdbJournal::none(),
                stale: Duration::ZERO,
            }
        }

        fn terms(&self) -> Terms<'_> {
            Terms {
                limits: &self.limits,
                journal: &self.journal,
                stale: self.stale,
            }
        }

        fn put(&self, item: &str, changes: &[Change]) -> std::result::Result<(), &'static str> {
            let put = self.domain.put(&one(item, changes), None, self.terms());
            put.map(drop).map_err(|error| error.code)
        }

        fn delete(&self, item: &str, changes: &[Change]) {
            let batch = one(item, changes);
            self.domain.delete(&batch, None, self.terms()).unwrap();
        }
    }

    #[test]
    fn an_item_is_a_set_of_pairs() {
        let world = World::new();
        let twice = [
            change("a", "1", false),
            change("a", "1", false),
            change("a", "2", false),
        ];
        world.put("i", &twice).unwrap();
        assert_eq!(values(&world.domain, "i", "a"), ["1", "2"]);
        let both = [change("a", "3", true), change("a", "4", true)];
        world.put("i", &both).unwrap();
        assert_eq!(values(&world.domain, "i", "a"), ["3", "4"]);
        world.delete("i", &[change("a", "3", false)]);
        assert_eq!(values(&world.domain, "i", "a"), ["4"]);
        world.delete("i", &[change("a", "4", false)]);
        assert!(world.domain.read().get("i").is_none());
        world.delete("i", &[]);
        assert_eq!(world.domain.read().sizes(), Sizes::default());
    }

    #[test]
    fn conditions_decide_writes() {
        let world = World::new();
        let expect = |value: Option<&str>| Condition {
            name: "v".into(),
            value: value.map(Into::into),
        };
        let put = |value, expected: Option<&str>| {
            let batch = one("i", &[change("v", value, true)]);
            let put = world
                .domain
                .put(&batch, Some(&expect(expected)), world.terms());
            put.map(drop).map_err(|error| error.code)
        };
        assert_eq!(put("1", Some("0")), Err("AttributeDoesNotExist"));
        assert_eq!(put("1", None), Ok(()));
        assert_eq!(put("1", None), Err("ConditionalCheckFailed"));
        assert_eq!(put("2", Some("0")), Err("ConditionalCheckFailed"));
        assert_eq!(put("2", Some("1")), Ok(()));
        world.put("i", &[change("v", "3", false)]).unwrap();
        assert_eq!(put("2", Some("3")), Err("MultiValuedAttribute"));
    }

    #[test]
    fn limits_leave_the_item_as_it_was() {
        let world = World::new();
        let many: Vec<_> = (0..256)
            .map(|n| change("a", &n.to_string(), false))
            .collect();
        world.put("i", &many).unwrap();
        let one_more = [change("b", "1", false)];
        let full = Err("NumberItemAttributesExceeded");
        assert_eq!(world.put("i", &one_more), full);
        let put_all = |batch: &Batch| {
            let put = world.domain.put(batch, None, world.terms());
            put.map(drop).map_err(|error| error.code)
        };
        let batch = [
            ("j".to_owned(), vec![change("x", "1", false)]),
            ("i".to_owned(), one_more.to_vec()),
        ];
        assert_eq!(put_all(&batch), full);
        assert_eq!(world.domain.read().sizes().items, 1);
        let too_many = [many, one_more.to_vec()].concat();
        assert_eq!(
            world.put("j", &too_many),
            Err("NumberSubmittedAttributesExceeded")
        );
        assert_eq!(world.put("j", &[]), Err("MissingParameter"));
        let batch = |names: &[&str]| -> Vec<_> {
            let item = |name: &&str| ((*name).to_owned(), vec![change("a", "1", false)]);
            names.iter().map(item).collect()
        };
        assert_eq!(put_all(&batch(&["a", "b", "a"])), Err("DuplicateItemName"));
        assert_eq!(put_all(&[]), Err("MissingParameter"));
        assert_eq!(
            put_all(&batch(&["a"; 26])),
            Err("NumberSubmittedItemsExceeded")
        );
    }

    #[test]
    fn a_domain_has_ceilings() {
        let mut world = World::new();
        world.limits.domain_pairs = 2;
        world.limits.domain_bytes = 10;
        // One byte each for the item, the name and the value.
        assert_eq!(world.put("i", &[change("a", "1", false)]), Ok(()));
        assert_eq!(
            world.put("j", &[change("a", "12345678", false)]),
            Err("NumberDomainBytesExceeded")
        );
        assert_eq!(world.put("j", &[change("a", "123456", false)]), Ok(()));
        assert_eq!(
            world.put("k", &[change("a", "", false)]),
            Err("NumberDomainAttributesExceeded")
        );
        // What makes it smaller is allowed.
        assert_eq!(world.put("j", &[change("a", "1", true)]), Ok(()));
        assert_eq!(
            world.put("j", &[change("abcde", "1", true), change("a", "", true)]),
            Err("NumberDomainAttributesExceeded")
        );
        let sizes = world.domain.read().sizes();
        assert_eq!(
            (
                sizes.names,
                sizes.name_bytes,
                sizes.values,
                sizes.value_bytes
            ),
            (1, 1, 2, 2)
        );
    }

    #[test]
    fn a_read_may_see_the_past() {
        let mut world = World::new();
        world.stale = Duration::from_secs(3600);
        world.put("i", &[change("a", "1", true)]).unwrap();
        world.put("i", &[change("a", "2", true)]).unwrap();
        world.delete("i", &[]);
        let content = world.domain.read();
        assert_eq!(content.recent(world.stale), 3);
        let seen = |unseen| {
            let view = content.view(unseen);
            let all: Vec<_> = view.all().map(|(name, _)| name.to_string()).collect();
            let value = view
                .get("i")
                .and_then(|item| item.get("a")?.first().cloned());
            assert_eq!(all.len(), usize::from(value.is_some()));
            assert_eq!(view.present().is_some(), unseen == 0);
            value.map(|value| value.to_string())
        };
        assert_eq!(seen(0), None);
        assert_eq!(seen(1).as_deref(), Some("2"));
        assert_eq!(seen(2).as_deref(), Some("1"));
        assert_eq!(seen(3), None);
    }
}
