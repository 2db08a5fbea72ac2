//! What SimpleDB's journal is made of, and how its domains are saved and read.
//!
//! A record tells what a call did, not what came of it. Each sets or clears pairs whatever they
//! were, so that doing all of them again, on any state that some of them have already led to,
//! leads to the same.

use std::io;
use std::ops::Bound;

use super::store::{Batch, Change, Domain, Domains, Item, Text};
use crate::disk::code::{Coded, Cursor, length, text};
use crate::disk::{self, Save, State};

const CREATE: u8 = 1;
const DELETE: u8 = 2;
const PUT: u8 = 3;
const TAKE: u8 = 4;

/// How many items are read in one turn, for which writers wait.
const TURN: usize = 64;

/// A record to write.
#[derive(Clone, Copy, Debug)]
pub(crate) enum SdbRecord<'a> {
    /// A domain came to be.
    Create(&'a str),
    /// A domain went, with all that it held.
    Delete(&'a str),
    Put(&'a str, &'a Batch),
    /// Attributes or items were deleted.
    Take(&'a str, &'a Batch),
}

/// A record that was read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum SdbEntry {
    Create(String),
    Delete(String),
    Put(String, Vec<(String, Vec<Change>)>),
    Take(String, Vec<(String, Vec<Change>)>),
}

impl disk::Record for SdbRecord<'_> {
    fn encode(&self, out: &mut Vec<u8>) {
        let (kind, domain, items) = match self {
            Self::Create(domain) => (CREATE, domain, None),
            Self::Delete(domain) => (DELETE, domain, None),
            Self::Put(domain, items) => (PUT, domain, Some(items)),
            Self::Take(domain, items) => (TAKE, domain, Some(items)),
        };
        out.push(kind);
        text(out, domain);
        if let Some(items) = items {
            batch(out, items);
        }
    }
}

fn batch(out: &mut Vec<u8>, items: &Batch) {
    length(out, items.len());
    for (item, changes) in items {
        text(out, item);
        changes.encode(out);
    }
}

impl Coded for Change {
    fn encode(&self, out: &mut Vec<u8>) {
        text(out, &self.name);
        let flags = u8::from(self.replace) | u8::from(self.value.is_some()) << 1;
        out.push(flags);
        if let Some(value) = &self.value {
            text(out, value);
        }
    }

    fn decode(cursor: &mut Cursor<'_>) -> Option<Self> {
        let name = String::decode(cursor)?;
        let flags = cursor.byte()?;
        let value = match flags & 2 {
            0 => None,
            _ => Some(String::decode(cursor)?),
        };
        Some(Self {
            name,
            value,
            replace: flags & 1 != 0,
        })
    }
}

impl State for Domains {
    type Entry = SdbEntry;

    fn read(payload: &[u8]) -> Option<SdbEntry> {
        let (kind, rest) = payload.split_first()?;
        let mut cursor = Cursor::new(rest);
        let domain = String::decode(&mut cursor)?;
        let entry = match *kind {
            CREATE => SdbEntry::Create(domain),
            DELETE => SdbEntry::Delete(domain),
            PUT => SdbEntry::Put(domain, Vec::decode(&mut cursor)?),
            TAKE => SdbEntry::Take(domain, Vec::decode(&mut cursor)?),
            _ => return None,
        };
        cursor.is_empty().then_some(entry)
    }

    fn replay(&self, entry: SdbEntry) {
        self.redo(entry);
    }

    fn may_be_saved(entry: &SdbEntry) -> bool {
        matches!(entry, SdbEntry::Create(_) | SdbEntry::Put(..))
    }

    fn save(&self, to: &mut Save<'_>) -> io::Result<()> {
        for domain in self.all() {
            to.write(&SdbRecord::Create(domain.name()))?;
            items(to, &domain)?;
        }
        Ok(())
    }
}

fn items(to: &mut Save<'_>, domain: &Domain) -> io::Result<()> {
    let mut last: Option<Text> = None;
    loop {
        let mut batch = Vec::new();
        {
            let content = domain.read();
            let low = last.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
            let mut end = None;
            for (name, item) in content.range(low, Bound::Unbounded).take(TURN) {
                end = Some(name.clone());
                batch.push((name.to_string(), changes(item)));
            }
            last = end;
        }
        if batch.is_empty() {
            return Ok(());
        }
        to.write(&SdbRecord::Put(domain.name(), &batch))?;
    }
}

fn changes(item: &Item) -> Vec<Change> {
    let pairs = item
        .iter()
        .flat_map(|(name, values)| values.iter().map(move |value| (name, value)));
    let changes = pairs.map(|(name, value)| Change {
        name: name.to_string(),
        value: Some(value.to_string()),
        replace: false,
    });
    changes.collect()
}
