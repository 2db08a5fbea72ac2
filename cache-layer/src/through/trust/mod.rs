//! What may be believed of what the cache has. This is the one place that decides it, for reads and for writes.
//!
//! Memcached is shared by several processes, forgets entries, and answers late. What this process knows better is which
//! of its own writes may not have reached it. [`Trust`] keeps that knowledge, without a lock, a clock or a socket; the
//! model in `through/testing/model` takes this very code through all orders of events. [`SharedTrust`] puts it
//! behind a lock and a clock. It answers these questions:
//!
//! - [`believes`](Trust::believes): may a read that begins now believe what memcached has? Such a read fills nothing and
//!   nobody waits for it, so that a hit costs no more than the question. In the usual case two looks at atomic numbers
//!   answer it.
//! - [`admit`](Trust::admit): how does a read go on that found nothing?
//! - [`begin_write`](Trust::begin_write), [`close_write`](Trust::close_write) and [`end_write`](Trust::end_write): which
//!   entries does a write make old, and what is doubted after it?
//! - [`forget_group`](Trust::forget_group): what is doubted when something was changed that nobody can name?
//!
//! *Problem:* A cache must not serve what a write of the same process has made old, even when an answer about that
//! write was lost. *Decision:* A fill holds a lease of memcached, and a write deletes the key before and after itself,
//! so that what was fetched before a write cannot be stored behind it. A deletion that nobody acknowledged, or a write
//! that may still happen, makes the process read that key past the cache for as long as anything can be kept; beyond a
//! bound, the whole shard. A hit asks a count of doubted keys by hash, without a lock; only a miss pays for more.
//! *Cost:* Other processes may read the old value until its time to live is over, if a deletion was lost.
//!
//! # The states of a key
//!
//! In this process a key is in one of these states:
//!
//! ```text
//!              begin_write                          end_write, acknowledged and certain
//!   ┌──────┐ ───────────────► ┌─────────────────┐ ──────────────────────────────► ┌──────┐
//!   │ open │                  │ being written   │                                 │ open │
//!   │      │ ◄─────────────── │ (by n writes)   │ ───────────► ┌─────────┐ ─────► │      │
//!   └──────┘   the last ends  └─────────────────┘  end_write,  │ doubted │  time  └──────┘
//!     │  ▲                             ▲           otherwise   └─────────┘
//!     │  │ leave, or cut off           └───────────── begin_write ──┘
//!     ▼  │ by a write
//!   ┌────────────────┐
//!   │ open, and one  │   open: reads believe memcached, and one read that leads fetches what is missing
//!   │ read leads     │   being written, doubted: reads go past the cache, and fill nothing
//!   └────────────────┘
//! ```
//!
//! # What is doubted, and for how long
//!
//! A doubt lasts until nothing is left that could have been kept before it. That is the longest time to live, after the
//! time in which a fill that began earlier may still land. There are four sorts:
//!
//! - a [key](keys) is doubted after a write whose deletion was not acknowledged, or that may still happen;
//! - a [server](shards) is doubted when more of its keys are than can be remembered one by one;
//! - a [group](groups) is doubted when something was changed in it that nobody can name;
//! - a thing is doubted for an [owner](owners) that no write of it was told of.
//!
//! # When the list of servers changes
//!
//! The deletions of a write reach the server where the key is by the list of that time. By another list the key may be on
//! a server that has kept it from an earlier time. So what was written under one list is not believed under another, for
//! as long as a doubt lasts, and an answer that came after the list had changed is not believed at all. The cost is that
//! every read takes the lock for that time after a change of the list.
//!
//! # Reads that share
//!
//! A read shares what began after it did, and nothing older. Each read that leads has a number. A read that meets one
//! with a number that was given before its own beginning waits only for its end, and shares the next one. So what is
//! promised of a write, here and in other processes, holds for reads that share too.

mod filter;
mod groups;
mod keys;
mod owners;
mod seen_owners;
mod shards;
mod shared;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;

use filter::DoubtFilter;
use groups::DoubtedGroups;
use keys::KeyGate;
use owners::{Owners, Standing};
use shards::DoubtedShards;
pub(crate) use shards::{Placement, Shard};
pub(crate) use shared::{SharedTrust, now};

use super::name::Name;
use crate::memcached::Key;

/// An instant, and the instant by which all is gone that could be kept at the first.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment<T> {
    pub(crate) now: T,
    pub(crate) until: T,
}

/// How a read that found nothing goes on.
#[derive(Debug)]
pub(crate) enum Admission<F> {
    /// Past the cache, and it fills nothing.
    Past,
    /// It meets a read that leads. `shares` says that this one began later than it did, so that its answer is good
    /// for both; otherwise only its end is waited for.
    Join {
        number: u64,
        shares: bool,
        flight: F,
    },
    /// It leads, under this number.
    Lead(u64, F),
}

/// What a read takes along from one admission to the next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Visit {
    /// The last number that had been given when this read began.
    began: Option<u64>,
    /// The read of this number is not waited for any longer.
    pub(crate) over: Option<u64>,
}

/// A write that has begun.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct WriteTicket {
    /// Owners that were met after this turn are not told yet.
    turn: u64,
    /// The list of servers that its first deletions go by.
    list: u64,
}

/// Whether the cache may be believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Belief {
    pub(crate) believed: bool,
    /// The owner is one that every write is told of.
    pub(crate) sure: bool,
}

/// All that is known of what may be believed; `F` is what those wait for who meet a read that leads.
#[derive(Clone, Debug)]
pub(crate) struct Trust<T, F> {
    gates: HashMap<Key, KeyGate<T, F>>,
    /// Gates with a doubt.
    doubted: usize,
    max_doubted: usize,
    /// No doubt of a gate is over before this: until then nobody has to look for one.
    next_over: Option<T>,
    shards: DoubtedShards<T>,
    groups: DoubtedGroups<T>,
    owners: Owners<T>,
    /// Hears which keys are suspect.
    filter: Option<Arc<DoubtFilter>>,
    /// The last number that was given to a read that leads.
    last: u64,
    /// The list of servers that was seen last.
    list: u64,
    /// Until then something may have been written under another list.
    moved_until: Option<T>,
    /// How often all gates were looked at.
    #[cfg(test)]
    looks: usize,
}

impl<T: Ord + Copy, F: Clone> Trust<T, F> {
    pub(crate) fn new(max_doubted: usize, filter: Option<Arc<DoubtFilter>>) -> Self {
        Self {
            gates: HashMap::new(),
            doubted: 0,
            max_doubted,
            next_over: None,
            shards: DoubtedShards::default(),
            groups: DoubtedGroups::default(),
            owners: Owners::new(max_doubted),
            filter,
            last: 0,
            list: 0,
            moved_until: None,
            #[cfg(test)]
            looks: 0,
        }
    }

    /// The list of servers now.
    fn see_list(&mut self, places: &impl Placement, at: Moment<T>) -> u64 {
        let list = places.list();
        if self.list != list {
            self.list = list;
            self.moved_until = Some(at.until);
        }
        list
    }

    /// Whether a read that begins now, that fills nothing and that nobody meets may believe what the cache has.
    pub(crate) fn believes(
        &mut self,
        name: &Name,
        places: &impl Placement,
        at: Moment<T>,
    ) -> Belief {
        let now = at.now;
        let list = self.see_list(places, at);
        let standing = self.owners.meet(name, at);
        let doubted = self.is_doubted_group(name, now)
            || self.is_doubted_shard(name, places, now)
            || self.owners.may_be_old(name, standing, list, now);
        let believed = !doubted && self.is_open(&name.key, now);
        self.note_others(now);
        Belief {
            believed,
            sure: standing == Standing::Sure,
        }
    }

    /// Whether a read that begins now may believe what this process keeps itself. A write takes that away from all
    /// owners that it tells.
    #[cfg(feature = "local")]
    pub(crate) fn believes_local(&mut self, name: &Name, at: Moment<T>) -> Belief {
        let standing = self.owners.meet(name, at);
        // The list of servers does not matter here.
        let untold = self.owners.is_untold(name, standing, at.now);
        Belief {
            believed: !untold && !self.is_doubted_group(name, at.now),
            sure: standing == Standing::Sure,
        }
    }

    /// Lets a read in that found nothing; `flight` is made when it leads.
    pub(crate) fn admit(
        &mut self,
        name: &Name,
        places: &impl Placement,
        at: Moment<T>,
        visit: &mut Visit,
        flight: impl FnOnce() -> F,
    ) -> Admission<F> {
        let began = *visit.began.get_or_insert(self.last);
        if !self.believes(name, places, at).believed {
            return Admission::Past;
        }
        let gate = self.gates.entry(name.key.clone()).or_default();
        if let Some((number, flight)) = gate.flight()
            && visit.over != Some(*number)
        {
            return Admission::Join {
                number: *number,
                shares: *number > began,
                flight: flight.clone(),
            };
        }
        self.last += 1;
        let flight = flight();
        gate.lead(self.last, flight.clone());
        Admission::Lead(self.last, flight)
    }

    /// A read that leads goes on as another one, which those meet who come from now on. Nothing when it leads no more.
    pub(crate) fn succeed(&mut self, key: &Key, number: u64, flight: F) -> Option<u64> {
        let gate = self.gates.get_mut(key)?;
        gate.is_current(number).then(|| {
            self.last += 1;
            gate.lead(self.last, flight);
            self.last
        })
    }

    /// Whether a read still leads: nothing was written since it began. Only then may it fill.
    pub(crate) fn is_current(&self, key: &Key, number: u64) -> bool {
        self.gates
            .get(key)
            .is_some_and(|gate| gate.is_current(number))
    }

    /// A read that leads has ended.
    pub(crate) fn leave(&mut self, key: &Key, number: u64, now: T) {
        if let Some(gate) = self.gates.get_mut(key)
            && gate.is_current(number)
        {
            gate.cut_off();
            if gate.is_idle(now) {
                self.remove(key);
            }
        }
    }

    /// A write of these things begins; gives them as all owners see them that are known, these first.
    pub(crate) fn begin_write(
        &mut self,
        names: Vec<Name>,
        places: &impl Placement,
        at: Moment<T>,
    ) -> (Vec<Name>, WriteTicket) {
        for name in &names {
            // Its own entries are deleted, so what it reads later is no entry of an owner that nobody told.
            self.owners.meet(name, at);
        }
        let told = WriteTicket {
            turn: self.owners.turn(),
            list: self.see_list(places, at),
        };
        let mut all = names;
        for i in 0..all.len() {
            let others: Vec<Name> = self.owners.others(&all[i], 0, at.now).collect();
            all.extend(others);
        }
        for name in &all {
            self.begin_key(&name.key);
        }
        (all, told)
    }

    /// A write of these things is about to end: gives them as those owners see them that were met since it began.
    /// Owners that are met later are told of nothing, and are unsure of these things.
    pub(crate) fn close_write(
        &mut self,
        names: &[Name],
        told: WriteTicket,
        at: Moment<T>,
    ) -> Vec<Name> {
        let mut late = Vec::new();
        for name in names {
            late.extend(self.owners.others(name, told.turn, at.now));
            self.owners.wrote(name, told.list, at);
        }
        for name in &late {
            self.begin_key(&name.key);
        }
        late
    }

    fn begin_key(&mut self, key: &Key) {
        let gate = self.gates.entry(key.clone()).or_default();
        if !gate.is_suspect()
            && let Some(filter) = &self.filter
        {
            filter.add(key);
        }
        gate.begin_write();
    }

    /// A write of this key has ended, and what the cache has is doubted for as long as anything can be kept, or not.
    /// It is if the list of servers has changed since: nobody knows where the deletions went.
    pub(crate) fn end_write(
        &mut self,
        key: &Key,
        told: WriteTicket,
        doubted: bool,
        places: &impl Placement,
        at: Moment<T>,
    ) {
        let now = at.now;
        let doubted = doubted || self.see_list(places, at) != told.list;
        if doubted
            && self.doubted >= self.max_doubted
            && self.next_over.is_none_or(|over| over <= now)
        {
            self.forget_old(now);
        }
        let full = self.doubted >= self.max_doubted;
        let Some(gate) = self.gates.get_mut(key) else {
            return;
        };
        let (had, suspect) = (gate.has_doubt(), gate.is_suspect());
        // What cannot be remembered for a key is for all keys of its server.
        let whole_shard = doubted && full && !had;
        gate.end_write((doubted && !whole_shard).then_some(at.until));
        self.doubted += usize::from(!had && gate.has_doubt());
        if suspect
            && !gate.is_suspect()
            && let Some(filter) = &self.filter
        {
            filter.remove(key);
        }
        if gate.is_idle(now) {
            self.remove(key);
        }
        if whole_shard {
            self.shards.doubt(places.shard(key), at.until, now);
        }
        self.note_others(now);
    }

    /// Something was changed in a group that nobody can name.
    pub(crate) fn forget_group(&mut self, group: &[u8], at: Moment<T>) {
        self.groups.doubt(group, at.until, at.now);
        // Reads under way may have fetched what was there before. Those of other groups lose no more than their fill.
        for gate in self.gates.values_mut() {
            gate.cut_off();
        }
        self.forget_old(at.now);
        self.note_others(at.now);
    }

    pub(crate) fn is_doubted_group(&mut self, name: &Name, now: T) -> bool {
        !self.groups.is_empty() && self.groups.is_doubted(name.group(), now)
    }

    fn is_doubted_shard(&mut self, name: &Name, places: &impl Placement, now: T) -> bool {
        !self.shards.is_empty() && self.shards.is_doubted(places.shard(&name.key), now)
    }

    /// Whether no write of this key is under way or in doubt.
    fn is_open(&mut self, key: &Key, now: T) -> bool {
        let Some(gate) = self.gates.get(key) else {
            return true;
        };
        let open = gate.is_open(now);
        if gate.is_idle(now) {
            // Its doubt is over.
            self.remove(key);
        }
        open
    }

    fn remove(&mut self, key: &Key) {
        if let Some(gate) = self.gates.remove(key) {
            self.doubted -= usize::from(gate.has_doubt());
            if gate.is_suspect()
                && let Some(filter) = &self.filter
            {
                filter.remove(key);
            }
        }
    }

    fn forget_old(&mut self, now: T) {
        let filter = &self.filter;
        self.gates.retain(|key, gate| {
            let suspect = gate.is_suspect();
            gate.settle(now);
            if suspect
                && !gate.is_suspect()
                && let Some(filter) = filter
            {
                filter.remove(key);
            }
            !gate.is_idle(now)
        });
        let doubts = self.gates.values().filter_map(KeyGate::doubted_until);
        (self.doubted, self.next_over) = doubts.fold((0, None), |(n, over), until| {
            (n + 1, Some(over.map_or(until, |over| until.min(over))))
        });
        #[cfg(test)]
        {
            self.looks += 1;
        }
    }

    /// What those wait for who meet the read of this key that leads.
    #[cfg(test)]
    pub(crate) fn flight(&self, key: &Key) -> Option<F> {
        self.gates
            .get(key)?
            .flight()
            .map(|(_, flight)| flight.clone())
    }

    fn note_others(&mut self, now: T) {
        self.moved_until = self.moved_until.filter(|until| now < *until);
        let moved = self.moved_until.is_some();
        if let Some(filter) = &self.filter {
            filter.set_others(moved || !self.shards.is_empty() || !self.groups.is_empty());
            filter.set_list(self.list);
        }
    }

    /// Keys that the cache is not asked for at present.
    pub(crate) fn doubted(&mut self, now: T) -> usize {
        self.forget_old(now);
        self.doubted
    }
}
