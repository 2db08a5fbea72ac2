//! What the reads and writes of one cache share.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;

use super::entry::{self, Entry, Form};
use super::flight::Flight;
#[cfg(feature = "local")]
use super::local::Local;
use super::name::Name;
use super::shelf::Shelf;
use super::stats::Counters;
use super::trust::Trust;

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

    /// How long a doubt lasts: until all is gone that could be kept before it. That can be stored later than the
    /// doubt begins, by a fill that began earlier: for as long as its lease lasts, or what it renews.
    pub(crate) fn doubt(&self) -> Duration {
        self.longest() + self.lease.max(self.stale_for) + Duration::from_secs(1)
    }

    /// How long an entry is fresh, and how long it is kept.
    pub(crate) fn times(&self, absent: bool) -> Option<(Duration, Duration)> {
        let ttl = if absent { self.absent_ttl? } else { self.ttl };
        let fresh = ttl.mul_f64(1.0 - self.jitter * fastrand::f64());
        // Absence is not worth a second life.
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

pub(crate) struct Core<S: Shelf> {
    pub(crate) shelf: S,
    pub(crate) config: Config,
    pub(crate) counters: Counters,
    #[cfg(feature = "local")]
    pub(crate) local: Option<Local>,
    /// Whether entries are asked for before a read is known to others: where a hit has nothing else to do than to be
    /// an answer, neither to be kept in the first tier nor to be renewed.
    pub(crate) finds: bool,
    /// What may be believed.
    pub(crate) trust: Trust<Arc<Flight>>,
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
        Self {
            shelf,
            counters: Counters::default(),
            #[cfg(feature = "local")]
            local,
            finds: !keeps && config.stale_for.is_zero(),
            trust: Trust::new(config.doubt(), config.max_doubted),
            config,
        }
    }

    /// An entry as it is stored, if it may be: it is not too large, and there is a time for it.
    pub(crate) fn to_keep(&self, name: &Name, entry: &Entry) -> Option<ToKeep> {
        let (fresh, ttl) = self.config.times(entry.absent)?;
        if entry.head.len() + entry.body.len() > self.config.max_value {
            return None;
        }
        let until = entry::unix_ms(SystemTime::now() + fresh);
        let value = self.config.form.encode(&name.key, entry, until);
        Some(ToKeep { value, fresh, ttl })
    }

    /// Nothing of this group is believed for as long as anything can be kept.
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
