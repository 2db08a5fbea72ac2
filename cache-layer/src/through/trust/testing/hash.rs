//! Digests of the rules, whatever the order of their tables: for the model in `through/testing/model`.

use std::collections::HashMap;
use std::hash::{Hash, Hasher};

use super::super::{DoubtedGroups, DoubtedShards, Owners, Trust};

/// Hashes the entries of a table in the order of their keys.
fn table<K: Hash + Ord, V>(
    table: &HashMap<K, V>,
    state: &mut impl Hasher,
    mut value: impl FnMut(&V, &mut dyn Hasher),
) {
    let mut all: Vec<_> = table.iter().collect();
    all.sort_unstable_by_key(|(key, _)| *key);
    state.write_usize(all.len());
    for (key, entry) in all {
        key.hash(state);
        value(entry, state);
    }
}

impl<T: Hash, F: Hash> Hash for Trust<T, F> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        table(&self.gates, state, |gate, mut state| gate.hash(&mut state));
        (self.doubted, self.last, self.list).hash(state);
        (&self.moved_until, &self.next_over).hash(state);
        self.shards.hash(state);
        self.groups.hash(state);
        self.owners.hash(state);
    }
}

impl<T: Hash> Hash for DoubtedShards<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        table(&self.servers, state, |until, mut state| {
            until.hash(&mut state);
        });
        (self.list, &self.all).hash(state);
    }
}

impl<T: Hash> Hash for DoubtedGroups<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        table(&self.groups, state, |until, mut state| {
            until.hash(&mut state);
        });
        self.all.hash(state);
    }
}

impl<T: Hash> Hash for Owners<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        table(&self.readers, state, |group, mut state| {
            table(group, &mut state, |reader, mut state| {
                reader.hash(&mut state);
            });
        });
        table(&self.written, state, |written, mut state| {
            written.hash(&mut state);
        });
        (self.turn, &self.all, &self.next_over).hash(state);
    }
}
