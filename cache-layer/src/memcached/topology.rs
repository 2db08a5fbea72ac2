//! Which servers there are now, and the file that says so.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};
use std::time::{Duration, Instant, SystemTime};

use tokio::runtime::Handle;

use super::OnDead;
use super::error::{Error, Kind, Result};
use super::key::WireKey;
use super::node::{Node, NodeSettings, now};
use crate::{Mode, Ring, Server, parse_list};

/// The servers of one list.
#[derive(Debug)]
pub(crate) struct Topology {
    /// A number that grows with each list of servers.
    pub(crate) number: u64,
    ring: Ring,
    pub(crate) servers: Vec<Server>,
    pub(crate) nodes: Vec<Arc<Node>>,
}

/// This is where a request goes.
pub(crate) struct Route {
    pub(crate) node: Arc<Node>,
    /// The servers before it on the ring that are away: the server that the key belongs to, and others that would
    /// stand in for that.
    pub(crate) skipped: Vec<Arc<Node>>,
}

impl Topology {
    fn owner(&self, key: &WireKey) -> &Arc<Node> {
        match &self.nodes[..] {
            [only] => only,
            nodes => &nodes[self.ring.server(key.placed())],
        }
    }

    pub(crate) fn route(&self, key: &WireKey, on_dead: OnDead) -> Route {
        let home = self.owner(key);
        if on_dead == OnDead::Next && !home.admits() {
            let mut skipped = vec![home.clone()];
            for index in self.ring.successors(key.placed()).skip(1) {
                let node = self.nodes[index].clone();
                if node.admits() {
                    return Route { node, skipped };
                }
                skipped.push(node);
            }
        }
        Route {
            node: home.clone(),
            skipped: Vec::new(),
        }
    }
}

/// The servers of one client as they change.
#[derive(Debug)]
pub(crate) struct Servers {
    mode: Mode,
    terms: NodeSettings,
    current: RwLock<Arc<Topology>>,
    /// The number of the list. It changes before the list does.
    number: AtomicU64,
    /// Servers that were on the list once and are not now.
    left: Mutex<DepartedServers>,
    watch: Option<Watch>,
}

/// Servers that have entries of the time when they were on the list.
#[derive(Debug, Default)]
struct DepartedServers {
    endpoints: HashSet<(String, u16)>,
    /// Whether there were more than can be remembered, so that any server may be one of them.
    any: bool,
}

/// How many servers that left the list are remembered.
const MAX_DEPARTED_SERVERS: usize = 1000;

impl DepartedServers {
    fn add(&mut self, endpoint: (String, u16)) {
        if self.endpoints.len() >= MAX_DEPARTED_SERVERS {
            self.endpoints.clear();
            self.any = true;
        }
        self.endpoints.insert(endpoint);
    }

    fn has(&self, endpoint: &(String, u16)) -> bool {
        self.any || self.endpoints.contains(endpoint)
    }
}

/// A file with the list of servers.
#[derive(Debug)]
struct Watch {
    path: PathBuf,
    every: Duration,
    /// The file is not looked at before this. Every request asks, so nobody holds this lock for long.
    next: Mutex<Instant>,
    /// Held by the one who reads the file, for as long as that takes.
    stamp: Mutex<Option<Stamp>>,
    error: Mutex<Option<String>>,
}

/// What tells that a file has changed without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    modified: Option<SystemTime>,
    len: u64,
    inode: u64,
}

impl Stamp {
    fn of(path: &Path) -> std::io::Result<Self> {
        let file = std::fs::metadata(path)?;
        Ok(Self {
            modified: file.modified().ok(),
            len: file.len(),
            #[cfg(unix)]
            inode: std::os::unix::fs::MetadataExt::ino(&file),
            #[cfg(not(unix))]
            inode: 0,
        })
    }
}

impl Watch {
    /// Whether it is time to look at the file. Only the first caller after that time is told so.
    fn is_due(&self) -> bool {
        let (mut next, now) = (locked(&self.next), now());
        let due = *next <= now;
        if due {
            *next = now + self.every;
        }
        due
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn config(error: impl std::fmt::Display) -> Error {
    Error::new(Kind::Config, error.to_string())
}

fn read(path: &Path) -> Result<Vec<Server>> {
    let shown = path.display();
    let text = std::fs::read_to_string(path).map_err(|e| config(format!("{shown}: {e}")))?;
    let servers = parse_list(&text).map_err(|e| config(format!("{shown}, {e}")))?;
    match servers.is_empty() {
        true => Err(config(format!("{shown}: there are no servers in it"))),
        false => Ok(servers),
    }
}

impl Servers {
    /// The servers of this list, or of the file, which is looked at again after each `every`.
    ///
    /// # Errors
    /// [`Kind::Config`] for a list that makes no ring, or a file that cannot be read.
    pub(crate) fn new(
        mode: Mode,
        terms: NodeSettings,
        servers: &[Server],
        file: Option<(PathBuf, Duration)>,
    ) -> Result<Self> {
        let mut watch = None;
        let listed;
        let servers = match file {
            None => servers,
            Some((path, every)) => {
                let stamp = Stamp::of(&path).ok();
                listed = read(&path)?;
                watch = Some(Watch {
                    path,
                    every,
                    next: Mutex::new(now() + every),
                    stamp: Mutex::new(stamp),
                    error: Mutex::default(),
                });
                &listed[..]
            }
        };
        let ring = Ring::new(mode, servers).map_err(config)?;
        let nodes = servers.iter().map(|server| Node::new(server, &terms));
        let nodes = nodes.collect::<Result<_>>()?;
        Ok(Self {
            mode,
            terms,
            current: RwLock::new(Arc::new(Topology {
                number: 0,
                ring,
                servers: servers.to_vec(),
                nodes,
            })),
            number: AtomicU64::new(0),
            left: Mutex::default(),
            watch,
        })
    }

    /// The servers now. If it is time to look at the file, this begins it.
    pub(crate) fn now(self: &Arc<Self>) -> Arc<Topology> {
        self.watch();
        self.current().clone()
    }

    /// Where a request goes now, as [`now`](Self::now) and [`Topology::route`] say.
    pub(crate) fn route(self: &Arc<Self>, key: &WireKey, on_dead: OnDead) -> Route {
        self.watch();
        self.current().route(key, on_dead)
    }

    /// The number of the list. What is asked after the list has changed goes by a list whose number was told before.
    pub(crate) fn number(&self) -> u64 {
        self.number.load(Ordering::Acquire)
    }

    pub(crate) fn current(&self) -> RwLockReadGuard<'_, Arc<Topology>> {
        self.current.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn watch(self: &Arc<Self>) {
        let Some(watch) = &self.watch else { return };
        if !watch.is_due() {
            return;
        }
        if let Ok(runtime) = Handle::try_current() {
            let servers = self.clone();
            // The outcome is kept for `list_error`. Requests go on with the list that there is.
            drop(runtime.spawn_blocking(move || {
                // A file that takes long to be read, as on a lost network drive, takes one thread and no more.
                if let Some(watch) = &servers.watch
                    && let Ok(stamp) = watch.stamp.try_lock()
                {
                    drop(servers.read(watch, stamp));
                }
            }));
        }
    }

    /// What was wrong with the file when it was last read.
    pub(crate) fn file_error(&self) -> Option<String> {
        locked(&self.watch.as_ref()?.error).clone()
    }

    /// Reads the file if it has changed, and says whether the servers have. It blocks its thread.
    ///
    /// # Errors
    /// It fails when the list cannot be used. The list before stays.
    pub(crate) fn reload(&self) -> Result<bool> {
        match &self.watch {
            Some(watch) => self.read(watch, locked(&watch.stamp)),
            None => Ok(false),
        }
    }

    fn read(&self, watch: &Watch, mut known: MutexGuard<'_, Option<Stamp>>) -> Result<bool> {
        let stamp = Stamp::of(&watch.path).ok();
        if stamp.is_some() && stamp == *known {
            return match &*locked(&watch.error) {
                Some(error) => Err(config(error)),
                None => Ok(false),
            };
        }
        *known = stamp;
        let result = read(&watch.path).and_then(|servers| self.replace(&servers));
        let error = result.as_ref().err().map(ToString::to_string);
        locked(&watch.error).clone_from(&error);
        drop(known);
        if let Some(error) = error {
            tracing::warn!(error.message = error, "memcached server list not read");
        }
        result
    }

    /// Puts these servers in place of those before, as [`replace`](Self::replace) says, unless they come from a file.
    pub(crate) fn set(&self, servers: &[Server]) -> Result<bool> {
        match self.watch {
            Some(_) => Err(config("the servers come from a file")),
            None => self.replace(servers),
        }
    }

    /// Puts these servers in place of those before; those that stay keep their connections and
    /// what is known of them. Says whether anything has changed.
    fn replace(&self, servers: &[Server]) -> Result<bool> {
        let ring = Ring::new(self.mode, servers).map_err(config)?;
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        if current.servers == servers {
            return Ok(false);
        }
        let mut left = locked(&self.left);
        let known = |server: &Server| {
            let mut nodes = current.nodes.iter();
            nodes.find(|node| node.server.endpoint() == server.endpoint())
        };
        let mut nodes = Vec::with_capacity(servers.len());
        let mut returned = Vec::new();
        for server in servers {
            if let Some(node) = known(server) {
                // A new weight changes the ring, and not the node.
                nodes.push(node.clone());
                continue;
            }
            let node = Node::new(server, &self.terms)?;
            if left.has(&server.endpoint()) {
                node.distrust();
                returned.push(server.endpoint());
            }
            nodes.push(node);
        }
        for endpoint in returned {
            left.endpoints.remove(&endpoint);
        }
        let stays = |node: &Arc<Node>| nodes.iter().any(|other| Arc::ptr_eq(other, node));
        for node in current.nodes.iter().filter(|node| !stays(node)) {
            left.add(node.server.endpoint());
        }
        drop(left);
        let next = Arc::new(Topology {
            number: current.number + 1,
            ring,
            servers: servers.to_vec(),
            nodes,
        });
        self.number.store(next.number, Ordering::Release);
        let before = std::mem::replace(&mut *current, next);
        drop(current);
        // The nodes of the list before are dropped after the lock is released.
        drop(before);
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_request_of_each_interval_has_the_file_looked_at() {
        let every = Duration::from_secs(10);
        let watch = Watch {
            path: PathBuf::new(),
            every,
            next: Mutex::new(now()),
            stamp: Mutex::default(),
            error: Mutex::default(),
        };
        assert!(watch.is_due() && !watch.is_due());
        tokio::time::advance(every).await;
        assert!(watch.is_due() && !watch.is_due());
    }

    /// What was written under one list is not believed under another.
    #[test]
    fn each_list_that_differs_has_a_number_of_its_own() {
        let servers = ["127.0.0.1:1", "127.0.0.1:2"];
        let cache = crate::Memcached::builder()
            .servers(servers)
            .build()
            .unwrap();
        let set = |count: usize| {
            let list = servers[..count].iter().map(|place| place.parse().unwrap());
            cache.set_servers(list).unwrap();
            cache.list_number()
        };
        assert_eq!([2, 1, 1, 2].map(set), [0, 1, 1, 2]);
    }

    #[test]
    fn beyond_the_bound_any_server_may_have_left() {
        let endpoint = |i: usize| (format!("10.0.0.{i}"), 11211);
        let mut left = DepartedServers::default();
        for i in 0..MAX_DEPARTED_SERVERS {
            left.add(endpoint(i));
        }
        assert!(left.has(&endpoint(0)) && !left.has(&endpoint(MAX_DEPARTED_SERVERS)));
        for i in MAX_DEPARTED_SERVERS..3 * MAX_DEPARTED_SERVERS {
            left.add(endpoint(i));
            assert!(left.endpoints.len() <= MAX_DEPARTED_SERVERS);
        }
        assert!((0..4 * MAX_DEPARTED_SERVERS).all(|i| left.has(&endpoint(i))));
    }
}
