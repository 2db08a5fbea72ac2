//! What the reads and writes of one cache share.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
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
    fences: Mutex<Fences<Arc<Flight>>>,
    /// Groups whose entries are not to be believed before that.
    groups: Mutex<HashMap<Bytes, Instant>>,
    any_group: AtomicBool,
    /// Who has read here, and when last, to the second.
    owners: Mutex<Vec<(Bytes, Instant)>>,
}

impl<S: Shelf> Core<S> {
    pub(crate) fn new(
        shelf: S,
        config: Config,
        #[cfg(feature = "local")] local: Option<Local>,
    ) -> Self {
        Self {
            shelf,
            counters: Counters::default(),
            #[cfg(feature = "local")]
            local,
            fences: Mutex::new(Fences::new(config.max_doubted)),
            groups: Mutex::default(),
            any_group: AtomicBool::new(false),
            owners: Mutex::default(),
            config,
        }
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
        let mut owners = self.owners.lock().unwrap_or_else(PoisonError::into_inner);
        match owners.iter_mut().find(|(owner, _)| owner == name.owner()) {
            Some((_, last)) => *last = now,
            None => {
                // What one has read who has not been here for so long is gone by now.
                let longest = self.config.longest();
                owners.retain(|(_, last)| now.saturating_duration_since(*last) <= longest);
                owners.push((Bytes::copy_from_slice(name.owner()), now));
            }
        }
    }

    /// These things as everybody sees them who has read here.
    pub(crate) fn for_all_owners(&self, names: Vec<Name>) -> Vec<Name> {
        let owners = self.owners.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all = names;
        let own = all.len();
        for (owner, _) in owners.iter() {
            let Ok(owner) = std::str::from_utf8(owner) else {
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
