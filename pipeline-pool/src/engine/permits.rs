//! The cap on connections in all, over every endpoint that shares it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Instant;

/// An endpoint, as seen by the others that share the cap.
pub(crate) trait Member: Send + Sync {
    /// Since when its longest idle connection has been idle.
    fn oldest_idle(&self) -> Option<Instant>;
    /// How many connections it has.
    fn live(&self) -> usize;
    /// Closes its longest idle connection, or its least busy one once that is done.
    fn close_one(&self);
    /// A permit may be free now.
    fn permit_freed(&self);
}

/// Counts every socket, from before it is opened until after it is closed.
pub(crate) struct Permits {
    max: usize,
    state: Mutex<State>,
}

struct State {
    used: usize,
    most: usize,
    members: Vec<Weak<dyn Member>>,
    /// Who was refused, in that order.
    waiting: VecDeque<Weak<dyn Member>>,
}

impl Permits {
    pub(crate) fn new(max: usize) -> Arc<Self> {
        Arc::new(Self {
            max,
            state: Mutex::new(State {
                used: 0,
                most: 0,
                members: Vec::new(),
                waiting: VecDeque::new(),
            }),
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn join(&self, member: Weak<dyn Member>) {
        let mut state = self.lock();
        state.members.retain(|m| m.strong_count() > 0);
        state.members.push(member);
    }

    /// The sockets open now, and the most at once so far.
    #[cfg(feature = "http1")]
    pub(crate) fn used(&self) -> (usize, usize) {
        let state = self.lock();
        (state.used, state.most)
    }

    /// A permit, or a place among those that are told when one is free. Who was refused earlier
    /// comes first.
    pub(crate) fn acquire(self: &Arc<Self>, member: &Weak<dyn Member>) -> Option<Permit> {
        let mut state = self.lock();
        state.waiting.retain(|m| m.strong_count() > 0);
        let place = state.waiting.iter().position(|m| m.ptr_eq(member));
        let ahead = place.unwrap_or(state.waiting.len());
        if state.used + ahead < self.max {
            if let Some(place) = place {
                state.waiting.remove(place);
            }
            state.used += 1;
            state.most = state.most.max(state.used);
            return Some(Permit(self.clone()));
        }
        if place.is_none() {
            state.waiting.push_back(member.clone());
        }
        None
    }

    /// Gives up the place of a member that needs no permit any more.
    pub(crate) fn decline(&self, member: &Weak<dyn Member>) {
        self.lock().waiting.retain(|m| !m.ptr_eq(member));
        self.tell_next();
    }

    /// Tells the first in line that a permit is free, if one is. To be called with no endpoint
    /// locked.
    fn tell_next(&self) {
        let next = {
            let state = self.lock();
            if state.used >= self.max {
                return;
            }
            state.waiting.iter().find_map(Weak::upgrade)
        };
        if let Some(member) = next {
            member.permit_freed();
        }
    }

    /// One more permit if one is free and nobody waits for it.
    pub(crate) fn acquire_spare(self: &Arc<Self>) -> Option<Permit> {
        let mut state = self.lock();
        if state.used >= self.max || !state.waiting.is_empty() {
            return None;
        }
        state.used += 1;
        state.most = state.most.max(state.used);
        Some(Permit(self.clone()))
    }

    /// Has the connection closed that has been idle the longest, wherever it is; if none is idle
    /// and `who` has none at all, the endpoint with the most gives one up when that is done. To be
    /// called with no endpoint locked.
    pub(crate) fn evict(&self, who: &dyn Member) {
        let members: Vec<_> = {
            let state = self.lock();
            state.members.iter().filter_map(Weak::upgrade).collect()
        };
        let oldest = members
            .iter()
            .filter_map(|m| m.oldest_idle().map(|since| (since, m)))
            .min_by_key(|(since, _)| *since);
        if let Some((_, member)) = oldest {
            return member.close_one();
        }
        if who.live() == 0
            && let Some(richest) = members.iter().max_by_key(|m| m.live())
            && richest.live() > 0
        {
            richest.close_one();
        }
    }

    /// Whether somebody waits for a permit.
    pub(crate) fn wanted(&self) -> bool {
        !self.lock().waiting.is_empty()
    }
}

/// One socket's permit; dropped after the socket, with no endpoint locked.
pub(crate) struct Permit(Arc<Permits>);

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.lock().used -= 1;
        self.0.tell_next();
    }
}
