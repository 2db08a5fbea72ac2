//! What the reads and writes of one cache share.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;

use super::backend::Backend;
use super::entry::{self, Entry, Form};
use super::flight::Flight;
#[cfg(feature = "local")]
use super::local::Local;
use super::name::Name;
use super::stats::{CacheCounters, Savings};
use super::trust::SharedTrust;

#[derive(Clone, Debug)]
pub(crate) struct Config {
    pub(crate) prefix: String,
    pub(crate) ttl: Duration,
    /// How long it is kept that a thing does not exist; not at all if this is nothing.
    pub(crate) absent_ttl: Option<Duration>,
    /// How long entries past their time are served while they are fetched anew.
    pub(crate) stale_for: Duration,
    pub(crate) jitter: f64,
    pub(crate) max_value: usize,
    pub(crate) form: Form,
    pub(crate) lease: Duration,
    /// How long a read waits for another process that fills the key, and for its own fill.
    pub(crate) wait: Duration,
    pub(crate) max_doubted: usize,
    pub(crate) write_through: bool,
}

impl Config {
    /// The longest time that anything is kept in memcached.
    pub(crate) fn longest(&self) -> Duration {
        let ttl = self.absent_ttl.map_or(self.ttl, |t| t.max(self.ttl));
        // Memcached counts whole seconds, and a second that has begun counts as one.
        ttl + self.stale_for + Duration::from_secs(1)
    }

    /// How long a doubt lasts: until everything is gone that could be kept before it. A fill that began before the
    /// doubt may land later, as long as its lease lasts, or the entry that it renews.
    pub(crate) fn doubt(&self) -> Duration {
        self.longest() + self.lease.max(self.stale_for) + Duration::from_secs(1)
    }

    /// How long an entry is fresh, and how long it is kept. Gives nothing if it is not kept at all.
    pub(crate) fn times(&self, absent: bool) -> Option<(Duration, Duration)> {
        let ttl = if absent { self.absent_ttl? } else { self.ttl };
        let fresh = ttl.mul_f64(1.0 - self.jitter * fastrand::f64());
        // It costs little to ask again for a thing that did not exist.
        let stale = if absent {
            Duration::ZERO
        } else {
            self.stale_for
        };
        Some((fresh, fresh + stale))
    }
}

/// An entry as it is to be stored.
pub(crate) struct ToKeep {
    pub(crate) value: Bytes,
    pub(crate) fresh: Duration,
    pub(crate) ttl: Duration,
}

pub(crate) struct Core<S: Backend> {
    pub(crate) backend: S,
    pub(crate) config: Config,
    pub(crate) counters: CacheCounters,
    pub(crate) savings: Savings,
    #[cfg(feature = "local")]
    pub(crate) local: Option<Local>,
    /// Whether a read asks memcached before it is known to other reads. That is so where a hit is only an answer, and
    /// is neither kept in the first tier nor renewed.
    pub(crate) finds: bool,
    /// What may be believed of what memcached has.
    pub(crate) trust: SharedTrust<Arc<Flight>>,
}

impl<S: Backend> Core<S> {
    pub(crate) fn new(
        backend: S,
        config: Config,
        #[cfg(feature = "local")] local: Option<Local>,
    ) -> Self {
        #[cfg(feature = "local")]
        let keeps = local.is_some();
        #[cfg(not(feature = "local"))]
        let keeps = false;
        Self {
            backend,
            counters: CacheCounters::default(),
            savings: Savings::default(),
            #[cfg(feature = "local")]
            local,
            finds: !keeps && config.stale_for.is_zero(),
            trust: SharedTrust::new(config.doubt(), config.max_doubted),
            config,
        }
    }

    /// The form in which an entry is stored. Gives nothing if the entry is too large, or is not to be kept.
    pub(crate) fn to_keep(&self, name: &Name, entry: &Entry) -> Option<ToKeep> {
        let (fresh, ttl) = self.config.times(entry.absent)?;
        if entry.head.len() + entry.body.len() > self.config.max_value {
            return None;
        }
        let until = entry::unix_ms(SystemTime::now() + fresh);
        let value = self.config.form.encode(&name.key, entry, until);
        Some(ToKeep { value, fresh, ttl })
    }

    /// Has this process believe nothing of this group for as long as anything can be kept.
    pub(crate) fn forget_group(&self, name: &Name) {
        self.trust.forget_group(name);
        #[cfg(feature = "local")]
        if let Some(local) = &self.local {
            local.clear();
        }
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
