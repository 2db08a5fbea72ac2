//! The list of a node's items, as their keys tell it.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::time::SystemTime;

use super::Item;
use crate::names::{escape, hex, unescape};

/// Digits of the time of creation in a key.
const CREATED: usize = 20;

/// Characters of the hash of the creator in a key.
const CREATOR: usize = 8;

/// An item as the list knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ItemRef {
    /// Its name.
    pub id: String,
    /// When it was published first, in microseconds since 1970.
    pub created: u64,
    /// Who published it first, as [`creator_hash`] makes it of his bare JID.
    pub creator: String,
    /// The last parts of all its keys, with a `/` between, the newest first: what a [`Commit`](crate::pubsub::Commit)
    /// asks for to remove or replace it. There are several where two published a new name at the same moment.
    pub keys: String,
    /// When its object was stored, by the clock of S3, to the second.
    pub(crate) stored: Option<SystemTime>,
    /// Whether the name was cut for the key, so that only the object has it.
    pub(crate) is_cut: bool,
}

/// The items of a node, oldest first, each name once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    items: Vec<ItemRef>,
}

impl Listing {
    /// The list that these last parts of keys are, each with when its object was stored. What is none of an item is
    /// passed over.
    pub(crate) fn of<'a>(keys: impl IntoIterator<Item = (&'a str, Option<SystemTime>)>) -> Self {
        let mut parsed: Vec<_> = keys
            .into_iter()
            .filter_map(|(key, at)| parse(key, at))
            .collect();
        parsed.sort_by(|(_, a), (_, b)| b.keys.cmp(&a.keys));
        let mut items: Vec<ItemRef> = Vec::with_capacity(parsed.len());
        let mut places: HashMap<String, usize> = HashMap::with_capacity(parsed.len());
        for (form, item) in parsed {
            match places.entry(form) {
                Entry::Vacant(place) => {
                    place.insert(items.len());
                    items.push(item);
                }
                Entry::Occupied(place) => {
                    if let Some(newer) = items.get_mut(*place.get()) {
                        newer.keys.push('/');
                        newer.keys.push_str(&item.keys);
                    }
                }
            }
        }
        items.reverse();
        Self { items }
    }

    /// All items, oldest first.
    pub fn items(&self) -> &[ItemRef] {
        &self.items
    }

    /// The item of this name.
    pub fn find(&self, id: &str) -> Option<&ItemRef> {
        self.items.iter().find(|item| item.id == id)
    }

    /// Gives the items whose names were cut the names that their objects have; those without an object are gone.
    pub(crate) fn name(&mut self, whole: &[Item]) {
        let mut names: HashMap<String, &str> = whole
            .iter()
            .map(|item| (key_name(item.created, &item.creator, &item.id), &*item.id))
            .collect();
        self.items.retain_mut(|item| {
            if !item.is_cut {
                return true;
            }
            let newest = item.keys.split('/').next().unwrap_or_default();
            let Some(id) = names.remove(newest) else {
                return false;
            };
            item.id = id.to_owned();
            true
        });
    }

    /// Those that were stored last, of which there are at least `count` if there are so many items: with them comes
    /// what was stored in the same second, since the clock of S3 tells no more.
    pub(crate) fn stored_last(&self, count: usize) -> Vec<&ItemRef> {
        let mut all: Vec<&ItemRef> = self.items.iter().collect();
        all.sort_by(|a, b| b.stored.cmp(&a.stored).then(b.created.cmp(&a.created)));
        let Some(least) = count
            .checked_sub(1)
            .and_then(|last| all.get(last.min(all.len().saturating_sub(1))))
        else {
            return Vec::new();
        };
        let least = least.stored;
        all.retain(|item| item.stored >= least);
        all
    }
}

/// The last part of an item's key.
pub(crate) fn key_name(created: u64, creator: &str, id: &str) -> String {
    format!(
        "{created:0CREATED$}!{}!{}",
        creator_hash(creator),
        escape(id)
    )
}

/// Whether this is the last part of an item's key.
pub(crate) fn is_key_name(key: &str) -> bool {
    parse(key, None).is_some()
}

/// The escaped name and the item of the last part of a key.
fn parse(key: &str, stored: Option<SystemTime>) -> Option<(String, ItemRef)> {
    let mut parts = key.splitn(3, '!');
    let (created, creator, form) = (parts.next()?, parts.next()?, parts.next()?);
    let digits = created.len() == CREATED && created.bytes().all(|b| b.is_ascii_digit());
    if !digits || creator.len() != CREATOR || form.is_empty() {
        return None;
    }
    let item = ItemRef {
        id: unescape(form).unwrap_or_default(),
        created: created.parse().ok()?,
        creator: creator.to_owned(),
        keys: key.to_owned(),
        stored,
        is_cut: form.contains('~'),
    };
    if item.id.is_empty() && !item.is_cut {
        return None;
    }
    Some((form.to_owned(), item))
}

/// What the key of an item says of who created it: eight characters that depend on the bare JID alone.
pub fn creator_hash(jid: &str) -> String {
    // 48 bits: nobody finds a JID of his own that has the hash of somebody else's by trying some billions.
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let bare = jid.split_once('/').map_or(jid, |(bare, _)| bare);
    let bits = u64::from_str_radix(&hex(bare)[..12], 16).unwrap_or_default();
    let digit = |place: usize| {
        let six = bits >> (6 * (CREATOR - 1 - place)) & 63;
        DIGITS
            .get(usize::try_from(six).unwrap_or_default())
            .map_or('A', |byte| char::from(*byte))
    };
    (0..CREATOR).map(digit).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn of(keys: &[String]) -> Listing {
        Listing::of(keys.iter().map(|key| (key.as_str(), None)))
    }

    #[test]
    fn keys_are_the_list() {
        let names: Vec<String> = (0..4)
            .map(|i| key_name(i, "ann@h/phone", &format!("{i}!/x")))
            .collect();
        assert_eq!(
            names[1],
            format!("00000000000000000001!{}!1%21%2Fx", creator_hash("ann@h"))
        );
        let mut keys = names.clone();
        keys.reverse();
        keys.push("junk".to_owned());
        keys.push(format!("x{}", names[0]));
        keys.push("00000000000000000001!12345678!".to_owned());
        keys.push("00000000000000000001!12345678!%".to_owned());
        keys.push("00000000000000000001!1234567!a".to_owned());
        let list = of(&keys);
        let ids: Vec<&str> = list.items().iter().map(|item| item.id.as_str()).collect();
        assert_eq!(ids, ["0!/x", "1!/x", "2!/x", "3!/x"]);
        let second = list.find("1!/x").unwrap();
        assert_eq!(
            (second.created, &second.creator),
            (1, &creator_hash("ann@h"))
        );
        assert_eq!(second.keys, names[1]);
        assert!(list.find("4").is_none() && list.items().iter().all(|item| !item.is_cut));
    }

    #[test]
    fn of_two_keys_for_one_name_the_newer_counts() {
        let keys = [
            key_name(1, "a@h", "x"),
            key_name(2, "b@h", "y"),
            key_name(3, "b@h", "x"),
            key_name(4, "c@h", "x"),
        ];
        let list = of(&keys);
        let ids: Vec<(&str, u64)> = list
            .items()
            .iter()
            .map(|i| (i.id.as_str(), i.created))
            .collect();
        assert_eq!(ids, [("y", 2), ("x", 4)]);
        let all = format!("{}/{}/{}", keys[3], keys[2], keys[0]);
        assert_eq!(list.find("x").unwrap().keys, all);
    }

    #[test]
    fn names_that_were_cut_are_told_apart() {
        let long = "n".repeat(300);
        let keys = [
            key_name(1, "a@h", &long),
            key_name(2, "a@h", "x"),
            key_name(3, "a@h", &long),
        ];
        let list = of(&keys);
        let cut: Vec<bool> = list.items().iter().map(|item| item.is_cut).collect();
        assert_eq!(cut, [false, true]);
        let mut named = list.clone();
        let item = Item {
            id: long.clone(),
            created: 3,
            creator: "a@h".to_owned(),
            modified: 3,
            modifier: "a@h".to_owned(),
            payload: bytes::Bytes::new(),
        };
        named.name(&[item]);
        assert_eq!(named.find(&long).unwrap().created, 3);
        let mut gone = list;
        gone.name(&[]);
        assert_eq!(gone.items().len(), 1);
    }

    #[test]
    fn those_stored_last_come_with_their_second() {
        let at = |second| Some(SystemTime::UNIX_EPOCH + Duration::from_secs(second));
        let keys: Vec<String> = (0..5).map(|i| key_name(i, "a@h", &i.to_string())).collect();
        let stored = [9, 1, 2, 2, 3];
        let list = Listing::of(keys.iter().map(String::as_str).zip(stored.map(at)));
        let ids =
            |count| -> Vec<u64> { list.stored_last(count).iter().map(|i| i.created).collect() };
        assert_eq!(ids(0), [0u64; 0]);
        assert_eq!(ids(1), [0]);
        assert_eq!(ids(2), [0, 4]);
        assert_eq!(ids(3), [0, 4, 3, 2]);
        assert_eq!(ids(9), [0, 4, 3, 2, 1]);
        assert!(Listing::default().stored_last(3).is_empty());
    }

    #[test]
    fn the_hash_is_of_the_bare_jid() {
        assert_eq!(
            creator_hash("ann@example.com/phone"),
            creator_hash("ann@example.com")
        );
        assert_ne!(
            creator_hash("ann@example.com"),
            creator_hash("bob@example.com")
        );
        // The first 48 bits of `printf ann@example.com | sha256sum`, 71d4f55f72fa, in Base64 with - and _.
        assert_eq!(creator_hash("ann@example.com"), "cdT1X3L6");
    }
}
