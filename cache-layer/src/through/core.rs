//! What the reads and writes of one cache share.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::entry::Form;
use super::fence::Fences;
use super::flight::Flight;
#[cfg(feature = "local")]
use super::local::Local;
use super::name::Name;
use super::shelf::Shelf;
use super::stats::Counters;
use super::suspects::Suspects;

#[derive(Clone, Debug)]
pub(crate) struct Config {
    pub(crate) prefix: String,
    pub(crate) ttl: Duration,
    /// Absent things are kept for this long, or not.
    pub(crate) absent_ttl: Option<Duration>,
    /// Entries past their time are served for this long, while they are fetched anew.
    pub(crate) stale_for: Duration,
    pub(crate) jitter: f64,
    pub(crate) max_value: usize,
    pub(crate) form: Form,
    pub(crate) lease: Duration,
    /// The longest wait for another process that fills.
    pub(crate) wait: Duration,
    pub(crate) max_doubted: usize,
    pub(crate) write_through: bool,
}

impl Config {
    /// The longest time that anything is kept in memcached.
    pub(crate) fn longest(&self) -> Duration {
        let ttl = self.absent_ttl.map_or(self.ttl, |t| t.max(self.ttl));
        // Whole seconds there, and begun ones count.
        ttl + self.stale_for + Duration::from_secs(1)
    }
}

/// Groups that are doubted as a whole, at most.
const MAX_GROUPS: usize = 10_000;

pub(crate) struct Core<S: Shelf> {
    pub(crate) shelf: S,
    pub(crate) config: Config,
    pub(crate) counters: Counters,
    #[cfg(feature = "local")]
    pub(crate) local: Option<Local>,
    /// Whether entries are asked for before a read is known to others: where a hit has nothing else to do than to be
    /// an answer, neither to be kept in the first tier nor to be renewed.
    pub(crate) finds: bool,
    suspects: Arc<Suspects>,
    fences: Mutex<Fences<Arc<Flight>>>,
    /// Groups whose entries are not to be believed before that.
    groups: Mutex<HashMap<Bytes, Instant>>,
    any_group: AtomicBool,
    /// Who has read here.
    owners: RwLock<Vec<Owner>>,
    began: Instant,
}

/// Somebody whose things are read.
struct Owner {
    name: Bytes,
    /// When last, in whole seconds since the cache was made.
    last: AtomicU64,
}

impl<S: Shelf> Core<S> {
    pub(crate) fn new(
        shelf: S,
        config: Config,
        #[cfg(feature = "local")] local: Option<Local>,
    ) -> Self {
        #[cfg(feature = "local")]
        let keeps = local.is_some();
        #[cfg(not(feature = "local"))]
        let keeps = false;
        let suspects = Arc::new(Suspects::new());
        Self {
            shelf,
            counters: Counters::default(),
            #[cfg(feature = "local")]
            local,
            finds: !keeps && config.stale_for.is_zero(),
            fences: Mutex::new(Fences::new(config.max_doubted, suspects.clone())),
            suspects,
            groups: Mutex::default(),
            any_group: AtomicBool::new(false),
            owners: RwLock::default(),
            began: tokio::time::Instant::now().into_std(),
            config,
        }
    }

    /// Whether a read that fills nothing may believe what memcached has of this name.
    pub(crate) fn trusts(&self, name: &Name, now: Instant) -> bool {
        self.note_owner(name, now);
        if self.is_doubted_group(name, now) {
            return false;
        }
        let shard = || self.shelf.shard(&name.key);
        !self.suspects.may_have(&name.key) || self.fences().trusts(&name.key, shard, now)
    }

    pub(crate) fn fences(&self) -> MutexGuard<'_, Fences<Arc<Flight>>> {
        self.fences.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn groups(&self) -> MutexGuard<'_, HashMap<Bytes, Instant>> {
        self.groups.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Nothing of this group is believed for as long as anything can be kept.
    pub(crate) fn doubt_group(&self, name: &Name, now: Instant) {
        let until = now + self.config.longest();
        let mut groups = self.groups();
        groups.retain(|_, until| now < *until);
        // Beyond the bound all are doubted: the empty group is one of every name.
        let group = match groups.len() < MAX_GROUPS {
            true => Bytes::copy_from_slice(name.group()),
            false => Bytes::new(),
        };
        groups.insert(group, until);
        self.any_group.store(true, Ordering::Release);
        #[cfg(feature = "local")]
        if let Some(local) = &self.local {
            local.clear();
        }
    }

    pub(crate) fn is_doubted_group(&self, name: &Name, now: Instant) -> bool {
        if !self.any_group.load(Ordering::Acquire) {
            return false;
        }
        let mut groups = self.groups();
        let mut doubted = |group: &[u8]| match groups.get(group) {
            Some(until) if now < *until => true,
            Some(_) => {
                groups.remove(group);
                false
            }
            None => false,
        };
        let doubted = doubted(name.group()) || doubted(b"");
        if groups.is_empty() {
            self.any_group.store(false, Ordering::Release);
        }
        doubted
    }

    /// Notes whose things are read: a write by one makes what the others have old too.
    pub(crate) fn note_owner(&self, name: &Name, now: Instant) {
        let second = now.saturating_duration_since(self.began).as_secs();
        let owners = self.owners.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(owner) = owners.iter().find(|owner| owner.name == name.owner()) {
            if owner.last.load(Ordering::Relaxed) < second {
                owner.last.store(second, Ordering::Relaxed);
            }
            return;
        }
        drop(owners);
        // What one has read who has not been here for so long is gone by now.
        let longest = self.config.longest().as_secs() + 1;
        let mut owners = self.owners.write().unwrap_or_else(PoisonError::into_inner);
        owners.retain_mut(|owner| *owner.last.get_mut() + longest >= second);
        // Another of the same name may have been quicker; twice does no harm.
        owners.push(Owner {
            name: Bytes::copy_from_slice(name.owner()),
            last: AtomicU64::new(second),
        });
    }

    /// These things as everybody sees them who has read here.
    pub(crate) fn for_all_owners(&self, names: Vec<Name>) -> Vec<Name> {
        let owners = self.owners.read().unwrap_or_else(PoisonError::into_inner);
        let mut all = names;
        let own = all.len();
        for owner in owners.iter() {
            let Ok(owner) = std::str::from_utf8(&owner.name) else {
                continue;
            };
            for i in 0..own {
                if all[i].owner() != owner.as_bytes() {
                    let other = all[i].of(owner);
                    all.push(other);
                }
            }
        }
        all
    }

    pub(crate) fn forget_local(&self, name: &Name) {
        #[cfg(feature = "local")]
        if let Some(local) = &self.local {
            local.remove(&name.key);
        }
        #[cfg(not(feature = "local"))]
        let _ = name;
    }
}
