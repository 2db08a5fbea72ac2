//! Groups whose members are in each other's rosters: [`Stores::shared_roster`].
//!
//! All is in one domain, `shared`: an item `g|HOST|GROUP` for a group, and an item `u|HOST|K|GROUP` for each member, with
//! the host, the person and the group as attributes, so that members of a group and groups of a person are one selection.
//! They change seldom, and are asked for at each presence: where reads come from a cache, a process keeps what it selected for
//! as long as the generation of the host, an item `v|HOST`, is the same.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use sdb_client::query::{Filter, attr};
use sdb_client::{Domain, Item, PutItem};

use crate::error::{Error, Result};
use crate::jid::{BareJid, MAX_JID};
use crate::layout::{DomainKind, item_name};
use crate::names::escape;
use crate::snapshots::{Generation, Snapshots};
use crate::stores::{Freshness, Stores, check_item, long, replace_long};

/// The most bytes of the name of a group.
pub const MAX_GROUP: usize = 3071;

/// The most bytes of the options of a group.
pub const MAX_GROUP_OPTIONS: usize = 64 << 10;

/// What an item is: a group, or a member.
const TYPE: &str = "t";
const IS_GROUP: &str = "g";
const IS_MEMBER: &str = "u";
/// The host, the person and the group in the form of [`escape`], which are selected by.
const HOST: &str = "h";
const PERSON: &str = "k";
const GROUP: &str = "g";
/// The name of the group and the JID of the person as they are.
const NAME: &str = "n";
const JID: &str = "j";
const OPTIONS: &str = "o";

/// How many groups and members are kept at most, over all hosts.
const MAX_KEPT: usize = 100_000;

/// Shared groups of rosters; made by [`Stores::shared_roster`]. Clones share what they keep in memory, which is up to 100,000
/// groups and members.
#[derive(Clone)]
pub struct SharedRoster {
    stores: Stores,
    snapshots: Arc<Snapshots<Item>>,
}

/// A shared group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SharedGroup {
    /// Its name on the host.
    pub name: String,
    /// What it is set to, in whatever form the server keeps it.
    pub options: Bytes,
}

impl Stores {
    /// Shared groups of rosters. Make it once and clone it: one that is made anew keeps nothing in memory yet.
    pub fn shared_roster(&self) -> SharedRoster {
        SharedRoster {
            stores: self.clone(),
            snapshots: Arc::new(Snapshots::new(MAX_KEPT)),
        }
    }
}

impl SharedRoster {
    /// All groups of a host, in no order. One selection for each 2,500 of them, or none where this process has them and the
    /// cache says that they are still good.
    ///
    /// # Errors
    /// As the service fails.
    pub async fn groups(&self, host: &str) -> Result<Vec<SharedGroup>> {
        let work = async {
            let name = item_name(&["groups", host]);
            let items = self.select(host, name, of(host, IS_GROUP)).await?;
            items.iter().map(group).collect()
        };
        self.stores.action("shared groups", host, work).await
    }

    /// What a group is set to, if there is one. One request.
    ///
    /// # Errors
    /// As the service fails.
    pub async fn get(&self, host: &str, name: &str) -> Result<Option<Bytes>> {
        let work = async {
            let there = self
                .stores
                .get_item(&self.domain(), &group_name(host, name), Freshness::AsSet)
                .await?;
            there.map(|item| Ok(group(&item)?.options)).transpose()
        };
        self.stores
            .action("shared group", &about(host, name), work)
            .await
    }

    /// Makes a group, or sets one anew. Two requests.
    ///
    /// # Errors
    /// [`Kind::TooLarge`](crate::Kind::TooLarge) for what is over [`MAX_GROUP`] or [`MAX_GROUP_OPTIONS`]; otherwise as the
    /// service fails.
    pub async fn set(&self, host: &str, name: &str, options: Bytes) -> Result<()> {
        let work = async {
            let bytes = options.len();
            if bytes > MAX_GROUP_OPTIONS {
                let what = "the configuration of a group";
                return Err(Error::too_large(what, bytes, "bytes", MAX_GROUP_OPTIONS));
            }
            let put = PutItem::new(group_name(host, name))
                .replace(TYPE, IS_GROUP)
                .replace(HOST, escape(host));
            let put = replace_long(put, NAME, name, "the name of a group", MAX_GROUP)?;
            // Values of SimpleDB are text.
            let put = replace_long(
                put,
                OPTIONS,
                &to_hex(&options),
                "the configuration",
                2 * MAX_GROUP_OPTIONS,
            )?;
            check_item(&put, &[])?;
            self.change(host, self.stores.put_item(&self.domain(), put))
                .await
        };
        self.stores
            .action("shared group", &about(host, name), work)
            .await
    }

    /// Removes a group and its members; one that is not there is no error. A selection, a request for each 25 members, and
    /// one for the group, after which it looks for members once more; and one to tell other processes.
    ///
    /// # Errors
    /// As the service fails: the group is still there, or only members are left, and it can be done again.
    pub async fn remove(&self, host: &str, name: &str) -> Result<()> {
        let work = async {
            self.remove_members(host, name).await?;
            self.stores
                .delete_item(&self.domain(), &group_name(host, name))
                .await?;
            // Who was added meanwhile would be in a group of this name that is made later.
            self.remove_members(host, name).await
        };
        let work = self.change(host, work);
        self.stores
            .action("shared group", &about(host, name), work)
            .await
    }

    /// The members of a group that were [added](Self::add), in no order. Requests as for [`groups`](Self::groups).
    ///
    /// # Errors
    /// As the service fails.
    pub async fn members(&self, host: &str, name: &str) -> Result<Vec<BareJid>> {
        let work = async {
            let filter = members_of(host, name);
            let name = item_name(&["members", host, name]);
            let items = self.select(host, name, filter).await?;
            items
                .iter()
                .map(|item| BareJid::parse(long(item, JID)?))
                .collect()
        };
        self.stores
            .action("shared group", &about(host, name), work)
            .await
    }

    /// The groups of a host that a person was [added](Self::add) to, in no order. Requests as for
    /// [`groups`](Self::groups).
    ///
    /// # Errors
    /// As the service fails.
    pub async fn groups_of(&self, host: &str, person: &BareJid) -> Result<Vec<String>> {
        let work = async {
            let his = attr(PERSON).eq(escape(person.as_str()));
            let name = item_name(&["of", host, person.as_str()]);
            let filter = his.and(of(host, IS_MEMBER));
            let items = self.select(host, name, filter).await?;
            items.iter().map(|item| long(item, NAME)).collect()
        };
        self.stores
            .action("shared groups", person.as_str(), work)
            .await
    }

    /// Whether a person was [added](Self::add) to a group. One request.
    ///
    /// # Errors
    /// As the service fails.
    pub async fn is_member(&self, host: &str, name: &str, person: &BareJid) -> Result<bool> {
        let work = async {
            let item = member_name(host, name, person);
            Ok(self
                .stores
                .get_item(&self.domain(), &item, Freshness::AsSet)
                .await?
                .is_some())
        };
        self.stores
            .action("shared group", &about(host, name), work)
            .await
    }

    /// Adds a person to a group, whether or not that is there. Two requests.
    ///
    /// # Errors
    /// [`Kind::TooLarge`](crate::Kind::TooLarge) for a name over [`MAX_GROUP`]; otherwise as the service fails.
    pub async fn add(&self, host: &str, name: &str, person: &BareJid) -> Result<()> {
        let work = async {
            let put = PutItem::new(member_name(host, name, person))
                .replace(TYPE, IS_MEMBER)
                .replace(HOST, escape(host))
                .replace(PERSON, escape(person.as_str()))
                .replace(GROUP, escape(name));
            let put = replace_long(put, NAME, name, "the name of a group", MAX_GROUP)?;
            let put = replace_long(put, JID, person.as_str(), "the JID of a member", MAX_JID)?;
            check_item(&put, &[])?;
            self.change(host, self.stores.put_item(&self.domain(), put))
                .await
        };
        self.stores
            .action("shared group", &about(host, name), work)
            .await
    }

    /// Takes a person out of a group; one who is not in it is no error. Two requests.
    ///
    /// # Errors
    /// As the service fails.
    pub async fn take_out(&self, host: &str, name: &str, person: &BareJid) -> Result<()> {
        let item = member_name(host, name, person);
        let domain = self.domain();
        let work = self.change(host, self.stores.delete_item(&domain, &item));
        self.stores
            .action("shared group", &about(host, name), work)
            .await
    }

    async fn remove_members(&self, host: &str, name: &str) -> Result<()> {
        let domain = self.domain();
        let filter = members_of(host, name);
        let members = self
            .stores
            .select_names(&domain, filter, Freshness::Newest)
            .await?;
        match members.is_empty() {
            true => Ok(()),
            false => self.stores.delete_items(&domain, members).await,
        }
    }

    /// What this filter finds, or has found before under this name.
    async fn select(&self, host: &str, name: String, filter: Filter) -> Result<Vec<Item>> {
        let domain = self.domain();
        let select = self.stores.select_items(&domain, filter, Freshness::AsSet);
        if !self.stores.is_cached() {
            return select.await;
        }
        let generation = self.generation(host);
        self.snapshots
            .read(&self.stores, &name, &generation, select)
            .await
    }

    /// Does a change, and tells all processes, also where it failed: it may be done in part.
    async fn change(&self, host: &str, work: impl Future<Output = Result<()>>) -> Result<()> {
        let done = work.await;
        let told = self.stores.renew(self.generation(host)).await;
        done.and(told)
    }

    fn generation(&self, host: &str) -> Generation {
        Generation {
            domain: self.domain(),
            item: item_name(&["v", host]),
        }
    }

    fn domain(&self) -> Domain {
        self.stores.domain(DomainKind::Shared, "")
    }
}

impl fmt::Debug for SharedRoster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedRoster")
            .field("stores", &self.stores)
            .finish_non_exhaustive()
    }
}

fn of(host: &str, kind: &str) -> Filter {
    attr(HOST).eq(escape(host)).and(attr(TYPE).eq(kind))
}

fn members_of(host: &str, name: &str) -> Filter {
    attr(GROUP).eq(escape(name)).and(of(host, IS_MEMBER))
}

fn group_name(host: &str, name: &str) -> String {
    item_name(&["g", host, name])
}

fn member_name(host: &str, name: &str, person: &BareJid) -> String {
    item_name(&["u", host, person.as_str(), name])
}

fn about(host: &str, name: &str) -> String {
    format!("{name} at {host}")
}

fn group(item: &Item) -> Result<SharedGroup> {
    let options = from_hex(&long(item, OPTIONS)?);
    Ok(SharedGroup {
        name: long(item, NAME)?,
        options: options
            .ok_or_else(|| Error::invalid("the configuration of a group is damaged"))?,
    })
}

fn to_hex(bytes: &[u8]) -> String {
    let digit = |half: u8| {
        char::from(
            b"0123456789abcdef"
                .get(usize::from(half))
                .copied()
                .unwrap_or(b'0'),
        )
    };
    bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)])
        .collect()
}

fn from_hex(text: &str) -> Option<Bytes> {
    let digits: Vec<u32> = text
        .chars()
        .map(|digit| digit.to_digit(16))
        .collect::<Option<_>>()?;
    let (pairs, rest) = digits.as_chunks::<2>();
    let byte = |[high, low]: &[u32; 2]| u8::try_from(high * 16 + low).ok();
    rest.is_empty()
        .then(|| pairs.iter().map(byte).collect::<Option<Vec<u8>>>())?
        .map(Bytes::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_back() {
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(from_hex(&to_hex(&all)).unwrap(), all);
        assert_eq!(to_hex(&[0, 171]), "00ab");
        for text in ["0", "0g", "\u{e9}\u{e9}"] {
            assert_eq!(from_hex(text), None);
        }
    }
}
