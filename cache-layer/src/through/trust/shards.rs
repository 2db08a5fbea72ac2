//! Servers that are doubted as a whole, since more of their keys are doubted than can be remembered one by one.

use std::collections::HashMap;

use crate::memcached::Key;

/// Which servers there are, and where keys live on them.
pub(crate) trait Placement {
    /// The number of the list of servers. A key that is asked for later goes by this list, or by one with another
    /// number.
    fn list(&self) -> u64;

    /// The server that a key belongs to.
    fn shard(&self, key: &Key) -> Shard;
}

/// Where a key lives: the number of its server, and the number of the list of servers that says so. Another list may
/// put the key on another server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Shard {
    pub(crate) list: u64,
    pub(crate) server: usize,
}

/// The servers whose keys are doubted, and until when each of them is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DoubtedShards<T> {
    /// The number of the list that the numbers of the servers belong to.
    pub(super) list: u64,
    pub(super) servers: HashMap<usize, T>,
    /// Until when all keys are doubted, since some server was doubted when another list came.
    pub(super) all: Option<T>,
}

impl<T> Default for DoubtedShards<T> {
    fn default() -> Self {
        Self {
            list: 0,
            servers: HashMap::new(),
            all: None,
        }
    }
}

impl<T: Ord + Copy> DoubtedShards<T> {
    pub(crate) fn is_empty(&self) -> bool {
        self.servers.is_empty() && self.all.is_none()
    }

    pub(crate) fn doubt(&mut self, shard: Shard, until: T, now: T) {
        self.settle(shard.list, now);
        let server = self.servers.entry(shard.server).or_insert(until);
        *server = until.max(*server);
    }

    pub(crate) fn is_doubted(&mut self, shard: Shard, now: T) -> bool {
        self.settle(shard.list, now);
        self.all.is_some() || self.servers.contains_key(&shard.server)
    }

    /// Forgets doubts that have ended. By a new list a doubted key can be on any server.
    fn settle(&mut self, list: u64, now: T) {
        self.servers.retain(|_, until| now < *until);
        if self.list != list {
            let latest = self.servers.drain().map(|(_, until)| until).max();
            self.all = self.all.max(latest);
            self.list = list;
        }
        self.all = self.all.filter(|until| now < *until);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_doubt_stays_when_the_list_of_servers_changes() {
        let shard = |list, server| Shard { list, server };
        let mut shards = DoubtedShards::default();
        shards.doubt(shard(0, 1), 10, 0);
        assert!(shards.is_doubted(shard(0, 1), 1) && !shards.is_doubted(shard(0, 2), 1));
        // The keys of server 1 are on any of them now.
        assert!(shards.is_doubted(shard(1, 2), 1) && shards.is_doubted(shard(1, 1), 9));
        shards.doubt(shard(1, 3), 20, 9);
        assert!(!shards.is_doubted(shard(1, 2), 10) && shards.is_doubted(shard(1, 3), 10));
        assert!(!shards.is_doubted(shard(1, 3), 20) && shards.is_empty());
    }
}
