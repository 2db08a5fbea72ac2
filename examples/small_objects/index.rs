//! The index, in SimpleDB.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};

use sdb_client::answer::SelectPage;
use sdb_client::query::{quote_name, quote_value};
use sdb_client::{Domain, Error, Item, SdbClient};

use crate::Failure;
use crate::phase::Tally;
use crate::source::{Entry, printable};

/// A domain, or a part of one.
pub(crate) struct Index {
    sdb: SdbClient,
    domain: Domain,
    /// Whether it is this run that makes the domain.
    ours: bool,
    made: AtomicBool,
    prefix: String,
}

impl Index {
    pub(crate) fn new(sdb: &SdbClient, domain: &str, ours: bool, prefix: String) -> Self {
        Self {
            sdb: sdb.clone(),
            domain: sdb.domain(domain),
            ours,
            made: AtomicBool::new(false),
            prefix,
        }
    }

    /// Makes the domain, or checks that the one to use is there.
    pub(crate) async fn open(&self, tally: &Tally) -> Result<(), Failure> {
        if self.ours {
            tally.time(self.domain.create().send(), |_| 0).await?;
            self.made.store(true, Ordering::Relaxed);
        } else {
            let any = format!("select itemName() from {} limit 1", self.quoted());
            tally
                .time(self.sdb.select(any).send(), |_| 0)
                .await
                .map_err(|error| {
                    let name = printable(self.domain.name());
                    Failure(format!("the domain {name}: {error}"))
                })?;
        }
        Ok(())
    }

    pub(crate) async fn close(&self, tally: &Tally) -> Result<(), Failure> {
        if self.made.load(Ordering::Relaxed) {
            tally
                .time(self.domain.delete_domain().send(), |_| 0)
                .await?;
        }
        Ok(())
    }

    pub(crate) async fn put(
        &self,
        name: &str,
        entry: &Entry,
        tally: &Tally,
    ) -> Result<(), Failure> {
        let put = self
            .domain
            .put(self.item(name))
            .replace("path", name)
            .replace("md5", &*entry.md5)
            // SimpleDB compares text only: numbers of one width sort as numbers do.
            .replace("size", format!("{:012}", entry.size))
            .replace("mtime", format!("{:012}", entry.mtime));
        let put = tally.time(put.send(), |_| payload(name, entry)).await;
        put.map(drop).map_err(|error| about(name, &error))
    }

    /// What the item of a thing says; nothing if it is not whole.
    pub(crate) async fn get(&self, name: &str, tally: &Tally) -> Result<Option<Entry>, Failure> {
        let get = self.domain.get(self.item(name)).send();
        let fetched = tally.time(get, |fetched| size_of_item(&fetched.item)).await;
        let fetched = fetched.map_err(|error| about(name, &error))?;
        Ok(entry_of(&fetched.item, name))
    }

    pub(crate) async fn delete(&self, name: &str, tally: &Tally) -> Result<(), Failure> {
        let deleted = tally
            .time(self.domain.delete(self.item(name)).send(), |_| 0)
            .await;
        deleted.map(drop).map_err(|error| about(name, &error))
    }

    /// All entries by name; nothing in place of one that is not whole.
    pub(crate) async fn select(
        &self,
        tally: &Tally,
    ) -> Result<HashMap<String, Option<Entry>>, Failure> {
        let mut query = format!("select * from {}", self.quoted());
        if !self.prefix.is_empty() {
            let pattern = quote_value(&format!("{}%", self.prefix));
            query += &format!(" where itemName() like {pattern}");
        }
        query += " limit 2500";
        let mut found = HashMap::new();
        let mut next = self.sdb.select(query).consistent(true);
        loop {
            let bytes = |page: &SelectPage| page.items.iter().map(size_of_item).sum();
            let page = tally.time(next.clone().send(), bytes).await?;
            for item in page.items {
                let name = item.name.strip_prefix(&self.prefix).unwrap_or(&item.name);
                found.insert(name.to_owned(), entry_of(&item, name));
            }
            match page.next_token {
                Some(token) => next = next.token(token),
                None => return Ok(found),
            }
        }
    }

    fn item(&self, name: &str) -> String {
        [&self.prefix, name].concat()
    }

    fn quoted(&self) -> String {
        quote_name(self.domain.name())
    }
}

/// Reads an item back; nothing if an attribute is missing, twice there, or speaks of another path.
fn entry_of(item: &Item, name: &str) -> Option<Entry> {
    let only = |attribute| {
        let mut values = item.all(attribute);
        values.next().filter(|_| values.next().is_none())
    };
    let entry = Entry {
        size: only("size")?.parse().ok()?,
        md5: only("md5")?.to_owned(),
        mtime: only("mtime")?.parse().ok()?,
    };
    (only("path")? == name && item.attributes.len() == 4).then_some(entry)
}

fn payload(name: &str, entry: &Entry) -> u64 {
    (2 * name.len() + entry.md5.len() + 24) as u64
}

fn size_of_item(item: &Item) -> u64 {
    let values: usize = item.attributes.iter().map(|pair| pair.value.len()).sum();
    (item.name.len() + values) as u64
}

/// The error with the item, which it does not name.
fn about(name: &str, error: &Error) -> Failure {
    Failure(format!("{}: {error}", printable(name)))
}

impl fmt::Display for Index {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the domain {}", self.domain.name())?;
        if !self.prefix.is_empty() {
            write!(f, " below {}", self.prefix)?;
        }
        Ok(())
    }
}
