//! The cap on sockets, shared by endpoints of several threads: it holds the lock of the core's
//! [`Permits`] and tells members of what is free.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use crate::engine::core::permits::{Holdings, MemberId, Permits, Refused};

/// An endpoint, as seen by the others that share the cap.
pub(crate) trait Member: Send + Sync {
    /// Tells what the member holds.
    fn holdings(&self) -> Holdings;
    /// Closes its longest idle connection, or its least busy one once that is done.
    fn close_one(&self);
    /// A permit may be free now: it is [acquired](SharedPermits::acquire), or
    /// [declined](SharedPermits::decline) when none is needed any more.
    fn permit_freed(&self);
}

/// Counts every socket, from before it is opened until after it is closed.
pub(crate) struct SharedPermits(Mutex<PermitBook>);

struct PermitBook {
    permits: Permits,
    members: BTreeMap<MemberId, Weak<dyn Member>>,
    /// Members are being told of what is free.
    telling: bool,
}

impl PermitBook {
    fn member(&self, id: MemberId) -> Option<Arc<dyn Member>> {
        self.members.get(&id)?.upgrade()
    }

    /// Forgets members that are gone.
    fn prune(&mut self) {
        let members = &mut self.members;
        members.retain(|_, member| member.strong_count() > 0);
        self.permits.retain(|id| members.contains_key(&id));
    }

    /// The next member that is to be told of a permit.
    fn next_told(&mut self) -> Option<(MemberId, Arc<dyn Member>)> {
        loop {
            let id = self.permits.poll_freed()?;
            match self.member(id) {
                Some(member) => return Some((id, member)),
                None => self.permits.decline(id),
            }
        }
    }
}

impl SharedPermits {
    pub(crate) fn new(max: usize) -> Arc<Self> {
        Arc::new(Self(Mutex::new(PermitBook {
            permits: Permits::new(max),
            members: BTreeMap::new(),
            telling: false,
        })))
    }

    fn lock(&self) -> MutexGuard<'_, PermitBook> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The name of a member, which has to [join](Self::join).
    pub(crate) fn add_member(&self) -> MemberId {
        self.lock().permits.add_member()
    }

    /// Has a member hear of what is free.
    pub(crate) fn join(&self, id: MemberId, member: Weak<dyn Member>) {
        let mut guarded = self.lock();
        guarded.prune();
        guarded.members.insert(id, member);
    }

    /// The sockets open now, and the most at once so far.
    #[cfg(feature = "http1")]
    pub(crate) fn used(&self) -> (usize, usize) {
        self.lock().permits.used()
    }

    /// A permit, or a place among those that are told when one is free.
    pub(crate) fn acquire(
        self: &Arc<Self>,
        member: MemberId,
        poor: bool,
    ) -> Result<Permit, Refused> {
        self.lock().permits.acquire(member, poor)?;
        Ok(Permit(self.clone()))
    }

    /// One more permit if one is free and nobody waits for it.
    pub(crate) fn acquire_extra(self: &Arc<Self>) -> Option<Permit> {
        let acquired = self.lock().permits.acquire_extra();
        acquired.then(|| Permit(self.clone()))
    }

    /// Gives up the place of a member that needs no permit any more. To be called under the lock
    /// that it would ask for one under, so that it does not lose a place that it has just taken.
    pub(crate) fn decline(&self, member: MemberId) {
        self.lock().permits.decline(member);
    }

    /// Tells the first of those who wait that a permit is free, as long as one is, and has a connection give
    /// way to those who are still waiting then. To be called with no endpoint locked.
    fn tell_next(&self) {
        let mut first = true;
        loop {
            let next = {
                let mut guarded = self.lock();
                // Whoever is at it already, this thread maybe, sees what is free now.
                if std::mem::take(&mut first) && guarded.telling {
                    return;
                }
                let next = guarded.next_told();
                guarded.telling = next.is_some();
                next
            };
            let Some((id, member)) = next else { break };
            let told = catch_unwind(AssertUnwindSafe(|| member.permit_freed()));
            if told.is_err() {
                // The panic has been reported. The others are told all the same, and this one is
                // not told for ever.
                self.decline(id);
            }
        }
        self.settle();
    }

    /// Sees whether a connection has to give way, after a member has one less: what was about to
    /// go is gone, and its permit may have gone to another than those who still wait. To be called
    /// with no endpoint locked.
    pub(crate) fn settle(&self) {
        if self.is_wanted() {
            self.evict();
        }
    }

    /// Has one connection give way, if more members wait than connections are about to go. To be
    /// called with no endpoint locked, whenever one gets a place among those who wait and whenever
    /// a connection becomes idle while somebody waits.
    pub(crate) fn evict(&self) {
        let (members, demand) = {
            let mut guarded = self.lock();
            guarded.prune();
            let members = guarded.members.values().filter_map(Weak::upgrade);
            (members.collect::<Vec<_>>(), guarded.permits.demand())
        };
        let holdings: Vec<_> = members.iter().map(|member| member.holdings()).collect();
        if let Some(chosen) = demand.choose(&holdings) {
            members[chosen].close_one();
        }
    }

    /// Whether somebody waits for a permit.
    pub(crate) fn is_wanted(&self) -> bool {
        self.lock().permits.is_wanted()
    }
}

/// One socket's permit; dropped after the socket, with no endpoint locked.
pub(crate) struct Permit(Arc<SharedPermits>);

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.lock().permits.release();
        self.0.tell_next();
    }
}

#[cfg(test)]
mod tests;
