//! What a thing is called in the cache.

use std::fmt;

use crate::memcached::Key;

/// The name of a thing that can be cached: whose it is, a group such as a bucket, and what it is called there.
/// Made by [`Cache::name`](super::Cache::name).
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Name {
    /// What it is kept under: the cache's prefix, the owner, the group, the rest.
    pub(crate) key: Key,
    /// Where owner, group and rest begin.
    owner: usize,
    group: usize,
    rest: usize,
}

impl Name {
    pub(crate) fn new(prefix: &str, owner: &str, group: &[&str], rest: &str) -> Self {
        let before = [prefix, owner, ":"];
        let parts = before.iter().chain(group).chain([&rest]);
        let group_at = prefix.len() + owner.len() + 1;
        Self {
            key: Key::concat(parts.map(|part| part.as_bytes())),
            owner: prefix.len(),
            group: group_at,
            rest: group_at + group.iter().map(|part| part.len()).sum::<usize>(),
        }
    }

    /// The same thing as another owner sees it.
    pub(crate) fn of(&self, owner: &str) -> Self {
        let all = self.key.as_bytes();
        let (before, after) = (&all[..self.owner], &all[self.group - 1..]);
        let group = self.owner + owner.len() + 1;
        Self {
            key: Key::concat([before, owner.as_bytes(), after].into_iter()),
            owner: self.owner,
            group,
            rest: group + self.rest - self.group,
        }
    }

    pub(crate) fn owner(&self) -> &[u8] {
        &self.key.as_bytes()[self.owner..self.group - 1]
    }

    /// What it is kept under in memcached.
    pub fn key(&self) -> &Key {
        &self.key
    }

    /// The group, whoever the owner is.
    pub(crate) fn group(&self) -> &[u8] {
        &self.key.as_bytes()[self.group..self.rest]
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.key.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owners_differ_in_nothing_else() {
        let name = Name::new("app:1:", "me", &["buck", "", "et/"], "a:b");
        assert_eq!(name.key.as_bytes(), b"app:1:me:bucket/a:b");
        let other = name.of("somebody");
        assert_eq!(other, Name::new("app:1:", "somebody", &["bucket/"], "a:b"));
        assert_eq!(other.owner(), b"somebody");
        assert_eq!(
            (name.group(), other.group()),
            (&b"bucket/"[..], &b"bucket/"[..])
        );
        assert_eq!(other.of("me"), name);
    }
}
