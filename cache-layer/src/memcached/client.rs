//! The client of several memcached servers as one cache.

use std::collections::HashSet;
use std::fmt;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, StreamExt};

use super::builder::{MemcachedBuilder, OnDead};
use super::error::{Error, Kind, Result};
use super::key::{Key, WireKey};
use super::node::{StandInNote, join};
use super::ops::{
    Count, Delete, EachServer, Fill, Flush, Get, GetLease, GetMany, Inspect, Store, Touch,
};
use super::stats::ServerStats;
use super::topology::{Route, Servers, Topology};
use super::value::Lease;
use super::wire::StoreMode;
use crate::Server;

/// A client of a set of memcached servers. It is cheap to clone, and clones share everything.
///
/// Each method gives a request that is sent when it is awaited, within a tokio runtime, and that
/// borrows nothing.
///
/// ```no_run
/// use std::time::Duration;
/// use cache_layer::Memcached;
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let cache = Memcached::builder()
///     .servers(["10.0.1.1:11211 600", "10.0.1.2:11211 300"])
///     .build()?;
/// cache.set("user:17", "Ann").ttl(Duration::from_secs(60)).await?;
/// if let Some(value) = cache.get("user:17").await? {
///     assert_eq!(value.data, "Ann");
/// }
/// cache.delete("user:17").await?;
/// # Ok(())
/// # }
/// ```
///
/// While a server is ejected, reads of its keys find nothing, and changes fail with
/// [`Kind::Down`]; see [the module](super) for what that means for later reads. A failed change
/// [says](Error::is_owed) whether it was noted.
#[derive(Clone)]
pub struct Memcached(pub(crate) Arc<Shared>);

pub(crate) struct Shared {
    pub(crate) servers: Arc<Servers>,
    pub(crate) on_dead: OnDead,
    pub(crate) binary: bool,
    pub(crate) split: bool,
    /// Whether all servers are spoken to in the classic protocol.
    pub(crate) classic: bool,
    pub(crate) max_read: usize,
    pub(crate) timeout: Duration,
}

impl Memcached {
    /// The settings of a client.
    pub fn builder() -> MemcachedBuilder {
        MemcachedBuilder::default()
    }

    pub(crate) fn now(&self) -> Arc<Topology> {
        self.0.servers.now()
    }

    pub(crate) fn wire(&self, key: impl Into<Key>) -> WireKey {
        key.into().into_wire(self.0.binary)
    }

    pub(crate) fn route(&self, key: &WireKey) -> Route {
        self.0.servers.route(key, self.0.on_dead)
    }

    /// Where a change of this key goes. Servers that are away are told that another stands in for
    /// them; without room for that, they are to be emptied, and it says so.
    pub(crate) fn place(&self, key: &WireKey) -> (Route, bool) {
        loop {
            let route = self.route(key);
            let mut room = true;
            let mut back = false;
            for away in &route.skipped {
                match away.note(key, &route.node) {
                    StandInNote::Yes => {}
                    StandInNote::Full => room = false,
                    // The server has come back since, and is the one to go to.
                    StandInNote::Back => back = true,
                }
            }
            if !back {
                return (route, room);
            }
        }
    }

    /// Reads a value. Gives nothing when there is none.
    pub fn get(&self, key: impl Into<Key>) -> Get {
        Get::new(self.clone(), self.wire(key))
    }

    /// Reads a value with the number that [`cas`](Self::cas) takes.
    pub fn gets(&self, key: impl Into<Key>) -> Get {
        self.get(key).with_cas()
    }

    /// Reads several values at once, from all servers in parallel.
    pub fn get_many<K: Into<Key>>(&self, keys: impl IntoIterator<Item = K>) -> GetMany {
        let keys = keys.into_iter().map(|key| self.wire(key)).collect();
        GetMany::new(self.clone(), keys)
    }

    /// Reads a value, or asks for the right to fill it, so that of many callers in all processes
    /// one fetches it. Needs the meta protocol.
    pub fn get_lease(&self, key: impl Into<Key>) -> GetLease {
        GetLease::new(self.clone(), self.wire(key))
    }

    /// Fills an entry by the right that [`get_lease`](Self::get_lease) granted. It is refused when
    /// the entry has been deleted or changed since.
    pub fn fill(&self, lease: Lease, value: impl Into<Bytes>) -> Fill {
        Fill::new(self.clone(), lease, value.into())
    }

    fn store(&self, mode: StoreMode, key: impl Into<Key>, value: impl Into<Bytes>) -> Store {
        Store::new(self.clone(), mode, self.wire(key), value.into())
    }

    /// Stores a value, whether there is one or not.
    pub fn set(&self, key: impl Into<Key>, value: impl Into<Bytes>) -> Store {
        self.store(StoreMode::Set, key, value)
    }

    /// Stores a value if there is none.
    pub fn add(&self, key: impl Into<Key>, value: impl Into<Bytes>) -> Store {
        self.store(StoreMode::Add, key, value)
    }

    /// Stores a value if there is one.
    pub fn replace(&self, key: impl Into<Key>, value: impl Into<Bytes>) -> Store {
        self.store(StoreMode::Replace, key, value)
    }

    /// Puts bytes after the value that is there; its flags stay, and over the classic protocol its
    /// time to live does.
    pub fn append(&self, key: impl Into<Key>, value: impl Into<Bytes>) -> Store {
        self.store(StoreMode::Append, key, value)
    }

    /// Puts bytes before the value that is there, as [`append`](Self::append) does after it.
    pub fn prepend(&self, key: impl Into<Key>, value: impl Into<Bytes>) -> Store {
        self.store(StoreMode::Prepend, key, value)
    }

    /// Stores a value if nobody has changed the entry since it was read with
    /// [`gets`](Self::gets), which gave the number.
    pub fn cas(&self, key: impl Into<Key>, value: impl Into<Bytes>, cas: u64) -> Store {
        self.set(key, value).cas(cas)
    }

    /// Deletes what is stored under a key.
    pub fn delete(&self, key: impl Into<Key>) -> Delete {
        Delete::new(self.clone(), self.wire(key))
    }

    /// Sets an entry's time to live; `Duration::ZERO` ends it.
    pub fn touch(&self, key: impl Into<Key>, ttl: Duration) -> Touch {
        Touch::new(self.clone(), self.wire(key), ttl)
    }

    /// Adds to a counter, a value in decimal digits; past the largest `u64` it begins anew.
    pub fn incr(&self, key: impl Into<Key>, by: u64) -> Count {
        Count::new(self.clone(), self.wire(key), true, by)
    }

    /// Takes from a counter, which stays at 0 when it is less.
    pub fn decr(&self, key: impl Into<Key>, by: u64) -> Count {
        Count::new(self.clone(), self.wire(key), false, by)
    }

    /// What the server says of an entry, without its value. Needs the meta protocol.
    pub fn inspect(&self, key: impl Into<Key>) -> Inspect {
        Inspect::new(self.clone(), self.wire(key))
    }

    /// The version of each server.
    pub fn version(&self) -> EachServer<String> {
        EachServer::version(self.clone())
    }

    /// The statistics of each server, by its own names: the general ones for `""`, others for
    /// `"items"`, `"settings"`, `"slabs"` and the like.
    pub fn server_stats(&self, what: &str) -> EachServer<Vec<(String, String)>> {
        EachServer::stats(self.clone(), what)
    }

    /// Empties every server, for all of its users. A server that cannot be reached is emptied
    /// before it is used again.
    pub fn flush(&self) -> Flush {
        Flush::new(self.clone())
    }

    /// The figures of each server as this client saw it.
    pub fn stats(&self) -> Vec<ServerStats> {
        self.now().nodes.iter().map(|node| node.stats()).collect()
    }

    /// How long an operation takes at most, as the [builder](MemcachedBuilder::timeout) was told.
    pub fn timeout(&self) -> Duration {
        self.0.timeout
    }

    /// The servers now, in the order of their list.
    pub fn servers(&self) -> Vec<Server> {
        self.now().servers.clone()
    }

    /// The server that a key belongs to, whether it is there or not.
    pub fn shard(&self, key: impl Into<Key>) -> Server {
        self.home(key).1
    }

    /// Whether no server is asked for the meta protocol.
    pub(crate) fn is_classic(&self) -> bool {
        self.0.classic
    }

    /// Whether the server of a key can grant the right to fill, as far as is known.
    pub(crate) fn grants(&self, key: &Key) -> bool {
        self.route(&self.wire(key.clone())).node.grants()
    }

    /// The number of the list of servers, which another list has not, and the server of a key by it.
    pub(crate) fn home(&self, key: impl Into<Key>) -> (u64, Server) {
        let key = self.wire(key);
        let now = self.0.servers.current().clone();
        let route = now.route(&key, OnDead::Miss);
        (now.number, route.node.server.clone())
    }

    /// The number of the list of servers.
    pub(crate) fn list_number(&self) -> u64 {
        self.0.servers.number()
    }

    /// Reads the [file with the servers](MemcachedBuilder::servers_file) now, if it has changed;
    /// says whether the servers have.
    ///
    /// # Errors
    /// [`Kind::Config`] for a file that cannot be read or makes no sense. The servers stay as they
    /// are.
    pub async fn reload(&self) -> Result<bool> {
        let servers = self.0.servers.clone();
        let read = tokio::task::spawn_blocking(move || servers.reload());
        let failed = |_| Error::new(Kind::NoRuntime, "the runtime is going down");
        read.await.map_err(failed)?
    }

    /// Puts these servers in place of those before; says whether they have changed. Servers that stay keep their keys,
    /// their connections and what is known of them. One that was on a list before and returns is emptied before it is
    /// used, since it may hold what was changed meanwhile.
    ///
    /// Other processes that use the same servers have to learn of the change too: until they do, they read and write the
    /// keys that have moved elsewhere.
    ///
    /// # Errors
    /// [`Kind::Config`] for a list without servers or with one twice, and where the servers come from a
    /// [file](MemcachedBuilder::servers_file). The servers stay as they are.
    pub fn set_servers(&self, servers: impl IntoIterator<Item = Server>) -> Result<bool> {
        let servers: Vec<Server> = servers.into_iter().collect();
        self.0.servers.set(&servers)
    }

    /// Takes each list of servers that this stream gives, as [`set_servers`](Self::set_servers) does, until it ends: for
    /// servers that are discovered. A server that is twice on a list, as when an address has a new owner and the old one is
    /// not known to be gone, counts as it stands there first. A list that cannot be used, an empty one among them, is logged
    /// and changes nothing.
    pub async fn follow<S>(&self, lists: S)
    where
        S: Stream<Item = Vec<Server>>,
    {
        let mut lists = pin!(lists);
        while let Some(mut list) = lists.next().await {
            let mut seen = HashSet::new();
            list.retain(|server| seen.insert(server.endpoint()));
            if let Err(error) = self.set_servers(list) {
                tracing::warn!(error = %error, "memcached server list not taken");
            }
        }
    }

    /// What was wrong with the file with the servers when it was last read.
    pub fn list_error(&self) -> Option<String> {
        self.0.servers.file_error()
    }

    /// Takes no new command, and resolves once every connection is closed; those that are not done
    /// after `grace` are given up.
    pub async fn close(self, grace: Duration) {
        let now = self.now();
        let each = now.nodes.iter().map(|node| Box::pin(node.close(grace)));
        join(each.collect()).await;
    }

    /// Counts what was found.
    pub(crate) fn count(&self, node: &super::node::Node, found: usize, asked: usize) {
        let counters = &node.counters;
        if found > 0 {
            counters.hits.fetch_add(found as u64, Ordering::Relaxed);
        }
        let missed = asked.saturating_sub(found) as u64;
        if missed > 0 {
            counters.misses.fetch_add(missed, Ordering::Relaxed);
        }
    }
}

impl fmt::Debug for Memcached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memcached")
            .field("servers", &self.servers())
            .finish_non_exhaustive()
    }
}
