//! What a thing is called in the cache.

use std::borrow::Cow;
use std::fmt;

use crate::memcached::Key;

/// The name of a thing that can be cached: whose it is, a group such as a bucket, and what it is called there.
/// Made by [`Cache::name`](super::Cache::name).
///
/// It is kept under `namespace:version:owner:`, the group, and the rest. In the namespace and the owner `:` is written
/// as `%3A` and `%` as `%25`, so that no two names share a key unless group and rest, put together, are the same text.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Name {
    /// The key that the thing is kept under.
    pub(crate) key: Key,
    /// Where the owner, the group and the rest begin in the key.
    owner: usize,
    group: usize,
    rest: usize,
}

impl Name {
    pub(crate) fn new(prefix: &str, owner: &str, group: &[&str], rest: &str) -> Self {
        let owner = escaped(owner);
        let before = [prefix, &owner, ":"];
        let parts = before.iter().chain(group).chain([&rest]);
        let group_at = prefix.len() + owner.len() + 1;
        Self {
            key: Key::concat(parts.map(|part| part.as_bytes())),
            owner: prefix.len(),
            group: group_at,
            rest: group_at + group.iter().map(|part| part.len()).sum::<usize>(),
        }
    }

    /// The same thing as another [owner](Self::owner) sees it.
    pub(crate) fn of(&self, owner: &[u8]) -> Self {
        let all = self.key.as_bytes();
        let (before, after) = (&all[..self.owner], &all[self.group - 1..]);
        let group = self.owner + owner.len() + 1;
        Self {
            key: Key::concat([before, owner, after].into_iter()),
            owner: self.owner,
            group,
            rest: group + self.rest - self.group,
        }
    }

    /// The owner as it stands in the key.
    pub(crate) fn owner(&self) -> &[u8] {
        &self.key.as_bytes()[self.owner..self.group - 1]
    }

    /// The key that the thing is kept under in memcached.
    pub fn key(&self) -> &Key {
        &self.key
    }

    /// The group, which is the same for all owners.
    pub(crate) fn group(&self) -> &[u8] {
        &self.key.as_bytes()[self.group..self.rest]
    }

    /// The group and the rest, which are the same for all owners.
    pub(crate) fn thing(&self) -> &[u8] {
        &self.key.as_bytes()[self.group..]
    }

    /// Owner and group, as one text.
    pub(crate) fn owner_and_group(&self) -> &[u8] {
        &self.key.as_bytes()[self.owner..self.rest]
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.key.fmt(f)
    }
}

/// The text that the keys of a cache begin with.
pub(crate) fn prefix(namespace: &str, version: u32) -> String {
    format!("{}:{version}:", escaped(namespace))
}

/// The text with `:` and `%` escaped, since `:` ends it in a key.
fn escaped(text: &str) -> Cow<'_, str> {
    match text.contains([':', '%']) {
        true => text.replace('%', "%25").replace(':', "%3A").into(),
        false => text.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owners_differ_in_nothing_else() {
        let name = Name::new("app:1:", "me", &["buck", "", "et/"], "a:b");
        assert_eq!(name.key.as_bytes(), b"app:1:me:bucket/a:b");
        let other = name.of(b"somebody");
        assert_eq!(other, Name::new("app:1:", "somebody", &["bucket/"], "a:b"));
        assert_eq!(other.owner(), b"somebody");
        assert_eq!(
            (name.group(), other.group()),
            (&b"bucket/"[..], &b"bucket/"[..])
        );
        assert_eq!(other.thing(), b"bucket/a:b");
        assert_eq!(other.owner_and_group(), b"somebody:bucket/");
        assert_eq!(other.of(b"me"), name);
    }

    #[test]
    fn no_two_names_share_a_key() {
        let name = |namespace: &str, version, owner: &str, group: &str| {
            Name::new(&prefix(namespace, version), owner, &[group], "k")
        };
        let pairs = [
            (
                name("", 0, "ann:b", "users/"),
                name("", 0, "ann", "b:users/"),
            ),
            (name("", 0, "a%3Ab", "g"), name("", 0, "a:b", "g")),
            (name("x:1", 2, "a", "g"), name("x", 1, "2", "a:g")),
            (name("", 0, "1", "a:g"), name("0", 1, "a", "g")),
            (name("", 0, "", ":g"), name("", 0, ":", "g")),
        ];
        for (one, other) in pairs {
            assert_ne!(one.key, other.key);
        }
        let odd = name("", 0, "a:b", "g");
        assert_eq!(odd.of(odd.owner()), odd);
    }
}
