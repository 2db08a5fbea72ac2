//! The rules of [`Trust`] as all tasks of a process share them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::filter::DoubtFilter;
use super::seen_owners::SeenOwners;
use super::{Moment, Placement, Trust, WriteTicket};
use crate::through::name::Name;

/// The [`Trust`] of a process, with a clock, behind a lock that all of its tasks share.
pub(crate) struct SharedTrust<F> {
    trust: Mutex<Trust<Instant, F>>,
    filter: Arc<DoubtFilter>,
    seen: SeenOwners,
    /// How long a doubt lasts.
    lasts: Duration,
}

impl<F: Clone> SharedTrust<F> {
    /// A doubt lasts that long. When more keys than `max_doubted` are doubted, whole servers are.
    pub(crate) fn new(lasts: Duration, max_doubted: usize) -> Self {
        let filter = Arc::new(DoubtFilter::new());
        Self {
            trust: Mutex::new(Trust::new(max_doubted, Some(filter.clone()))),
            filter,
            seen: SeenOwners::new(now()),
            lasts,
        }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Trust<Instant, F>> {
        self.trust.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs `act` under the lock. The time is taken under the lock too, since a task that has waited long for the lock
    /// would otherwise end its doubts too early.
    pub(crate) fn with<R>(
        &self,
        act: impl FnOnce(&mut Trust<Instant, F>, Moment<Instant>) -> R,
    ) -> R {
        let mut trust = self.lock();
        let now = now();
        let until = now + self.lasts;
        act(&mut trust, Moment { now, until })
    }

    /// Whether a read that begins now and fills nothing may believe what memcached has. In the usual case this takes no
    /// lock: no write of the key is under way or in doubt, and its owner has read in this second.
    ///
    /// The answer of memcached may be believed only if the [list](Placement::list) of servers is the same after the
    /// answer as it was before this call.
    pub(crate) fn believes(&self, name: &Name, places: &impl Placement) -> bool {
        let mark = self.seen.mark(name, now());
        if self.seen.has(mark) && !self.filter.may_have(&name.key, places.list()) {
            return true;
        }
        let belief = self.with(|trust, at| trust.believes(name, places, at));
        if belief.sure {
            self.seen.put(mark);
        }
        belief.believed
    }

    /// Whether a read that begins now may believe what the first tier has. A write removes the entries of all owners that
    /// it tells, so only the entries of other owners can be older than a write of this process.
    #[cfg(feature = "local")]
    pub(crate) fn believes_local(&self, name: &Name) -> bool {
        let mark = self.seen.mark(name, now());
        if self.seen.has(mark) && !self.filter.has_others() {
            return true;
        }
        let belief = self.with(|trust, at| trust.believes_local(name, at));
        if belief.sure {
            self.seen.put(mark);
        }
        belief.believed
    }

    pub(crate) fn begin_write(
        &self,
        names: Vec<Name>,
        places: &impl Placement,
    ) -> (Vec<Name>, WriteTicket) {
        self.with(|trust, at| trust.begin_write(names, places, at))
    }

    pub(crate) fn close_write(&self, names: &[Name], told: WriteTicket) -> Vec<Name> {
        self.with(|trust, at| trust.close_write(names, told, at))
    }

    pub(crate) fn end_write(
        &self,
        name: &Name,
        told: WriteTicket,
        doubted: bool,
        places: &impl Placement,
    ) {
        self.with(|trust, at| trust.end_write(&name.key, told, doubted, places, at));
    }

    pub(crate) fn forget_group(&self, name: &Name) {
        self.with(|trust, at| trust.forget_group(name.group(), at));
    }

    /// Keys that the cache is not asked for at present.
    pub(crate) fn doubted(&self) -> usize {
        self.lock().doubted(now())
    }
}

/// The instant now, on tokio's clock.
pub(crate) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
