//! What is known of the peers, and what has been told of it. No clock and no socket: lists, failures and times go in,
//! events and the time of the next list come out.
//!
//! ```text
//!                        a whole list shows it running, with an address
//!   (unknown) ------------------------------------------------------------> (member)
//!      ^  |  running, without the address                                    |  ^  |
//!      |  +--------------------------> (skipped) ----------------------------+  |  | not in a whole list,
//!      |                                   | not in a whole list                |  | or without the address
//!      |                                   v                                    |  v
//!      +------------------------------ (unknown)             seen again +--- (missed once)
//!      |                                                                            |
//!      +--- shutting down, terminated, stopping, stopped; or missed a second time --+
//! ```
//!
//! A failure moves nothing. What is told is the difference between `told` and `now` of each entry, when it is asked for; so
//! what was never told and is over is never told at all, and the memory is that of two lists.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use aws_core::Error;
use tokio::time::Instant;

use super::address::Address;
use super::pace;
use super::peer::{Peer, PeerEvent, Why};
use crate::instances::State;

/// How many whole lists in a row have to miss a peer.
const MISSES: u8 = 2;

/// An instance in a list.
#[derive(Clone, Debug)]
pub(super) struct Sighting {
    pub(super) id: String,
    pub(super) state: State,
    /// Nothing where it lacks the address that was asked for.
    pub(super) peer: Option<Peer>,
}

/// A whole list.
#[derive(Clone, Debug, Default)]
pub(super) struct Round {
    pub(super) sightings: Vec<Sighting>,
    pub(super) pages: u32,
}

impl Round {
    /// The instances by id. One may be on two pages, if it moved in between; the later counts.
    pub(super) fn into_sightings(self) -> BTreeMap<String, Sighting> {
        let sightings = self.sightings.into_iter();
        sightings
            .map(|sighting| (sighting.id.clone(), sighting))
            .collect()
    }
}

#[derive(Debug, Default)]
struct Entry {
    told: Option<Peer>,
    now: Option<Peer>,
    /// Why it is none, once it was one.
    why: Option<Why>,
    misses: u8,
    skipped: Skipped,
    /// Whether `now` has changed with this list.
    changed: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Skipped {
    #[default]
    No,
    Untold,
    Told,
}

impl Entry {
    fn differs(&self) -> bool {
        self.told != self.now || self.skipped == Skipped::Untold
    }

    /// Whether there is nothing to remember.
    fn is_blank(&self) -> bool {
        self.told.is_none() && self.now.is_none() && self.skipped == Skipped::No
    }

    fn see(&mut self, sighting: Sighting) {
        let why = match sighting.state {
            State::ShuttingDown => Why::ShuttingDown,
            State::Terminated => Why::Terminated,
            State::Stopping => Why::Stopping,
            State::Stopped => Why::Stopped,
            State::Running => {
                match sighting.peer {
                    Some(peer) => {
                        self.misses = 0;
                        self.skipped = Skipped::No;
                        self.changed |= self.now.as_ref() != Some(&peer);
                        self.now = Some(peer);
                    }
                    None if self.now.is_some() => self.miss(Why::NoAddress),
                    None if self.skipped == Skipped::No => self.skipped = Skipped::Untold,
                    None => {}
                }
                return;
            }
            // It is there, and what it was it may still be.
            State::Pending | State::Other(_) => {
                self.misses = 0;
                return;
            }
        };
        self.leave(why);
    }

    fn miss(&mut self, why: Why) {
        self.misses += 1;
        if self.misses >= MISSES || self.now.is_none() {
            self.leave(why);
        }
    }

    fn leave(&mut self, why: Why) {
        self.misses = 0;
        self.skipped = Skipped::No;
        if self.now.take().is_some() {
            self.why = Some(why);
            self.changed = true;
        }
    }
}

/// Failures since a time.
#[derive(Debug)]
struct Failing {
    since: Instant,
    /// So many failures came in a row.
    count: u32,
    /// The last of them, until it is told.
    error: Option<Error>,
    told: bool,
}

/// See the [module](self).
#[derive(Debug)]
pub(super) struct Tracker {
    address: Address,
    every: Duration,
    entries: BTreeMap<String, Entry>,
    /// The ids of those of which something is to be told.
    differing: BTreeSet<String>,
    members: usize,
    /// Goes up when the members change.
    version: u64,
    /// Whether there has been a whole list.
    complete: bool,
    ready_is_due: bool,
    failing: Option<Failing>,
    /// The interval of late, if it is longer than the one that was asked for.
    stretched: Option<Duration>,
    /// The one that was told.
    stretched_told: Option<Duration>,
    stretched_is_due: bool,
    next: Option<Instant>,
}

impl Tracker {
    pub(super) fn new(address: Address, every: Duration) -> Self {
        Self {
            address,
            every,
            entries: BTreeMap::new(),
            differing: BTreeSet::new(),
            members: 0,
            version: 0,
            complete: false,
            ready_is_due: false,
            failing: None,
            stretched: None,
            stretched_told: None,
            stretched_is_due: false,
            next: None,
        }
    }

    /// When the next list is due; nothing is at once.
    pub(super) fn next_round(&self) -> Option<Instant> {
        self.next
    }

    /// The time between two lists, but for the jitter.
    pub(super) fn interval(&self) -> Duration {
        self.stretched.unwrap_or(self.every)
    }

    /// Takes a whole list.
    pub(super) fn handle_round(&mut self, now: Instant, round: Round, random: f64) {
        let pages = round.pages;
        let seen = round.into_sightings();
        for (id, entry) in &mut self.entries {
            if !seen.contains_key(id) {
                entry.miss(Why::Missing);
            }
        }
        for (id, sighting) in seen {
            self.entries.entry(id).or_default().see(sighting);
        }
        self.settle();
        let was_failing = self.failing.take();
        self.ready_is_due |= !self.complete || was_failing.is_some_and(|failing| failing.told);
        self.complete = true;
        self.stretch(pages);
        self.next = Some(now + pace::jittered(self.interval(), random));
    }

    /// Notes of which entries something is to be told, and forgets those of which nothing is known.
    fn settle(&mut self) {
        let (mut members, mut changed) = (0, !self.complete);
        let differing = &mut self.differing;
        self.entries.retain(|id, entry| {
            members += usize::from(entry.now.is_some());
            changed |= std::mem::take(&mut entry.changed);
            if entry.differs() {
                differing.insert(id.clone());
            } else {
                differing.remove(id);
            }
            !entry.is_blank()
        });
        self.members = members;
        self.version += u64::from(changed);
    }

    fn stretch(&mut self, pages: u32) {
        self.stretched = pace::stretched(self.every, self.members, pages);
        self.stretched_is_due = match (self.stretched, self.stretched_told) {
            (Some(now), Some(told)) => now > told.mul_f64(1.5),
            (Some(_), None) => true,
            (None, _) => {
                self.stretched_told = None;
                false
            }
        };
    }

    /// Takes a failure. What is known stays; the next list is due after `pause`, if that is decided on elsewhere.
    pub(super) fn handle_failure(&mut self, now: Instant, error: Error, wait: Wait, random: f64) {
        let failing = self.failing.get_or_insert(Failing {
            since: now,
            count: 0,
            error: None,
            told: false,
        });
        failing.count = failing.count.saturating_add(1);
        failing.error = Some(error);
        let pause = pace::backoff(failing.count, random);
        self.next = match wait {
            Wait::Elsewhere => Some(now),
            Wait::Backoff => Some(now + pause),
            Wait::Interval => {
                let interval = pace::jittered(self.interval(), random);
                Some(now + pause.max(interval))
            }
        };
    }

    /// The next thing to tell.
    pub(super) fn poll_event(&mut self) -> Option<PeerEvent> {
        while let Some(id) = self.differing.pop_first() {
            let Some(entry) = self.entries.get_mut(&id) else {
                continue;
            };
            let told = std::mem::replace(&mut entry.told, entry.now.clone());
            let event = match (told, entry.now.clone()) {
                (None, Some(peer)) => Some(PeerEvent::Joined(peer)),
                (Some(told), Some(now)) if told != now => Some(PeerEvent::Changed(now)),
                (Some(told), None) => {
                    let why = entry.why.unwrap_or(Why::Missing);
                    Some(PeerEvent::Left(told, why))
                }
                _ => None,
            };
            let skipped = entry.skipped == Skipped::Untold;
            match event {
                Some(event) => {
                    if skipped {
                        self.differing.insert(id);
                    } else if entry.is_blank() {
                        self.entries.remove(&id);
                    }
                    return Some(event);
                }
                None if skipped => {
                    entry.skipped = Skipped::Told;
                    let address = self.address;
                    return Some(PeerEvent::Skipped { id, address });
                }
                None => {}
            }
        }
        if std::mem::take(&mut self.ready_is_due) {
            let count = self.members;
            return Some(PeerEvent::Ready { count });
        }
        if std::mem::take(&mut self.stretched_is_due)
            && let Some(every) = self.stretched
        {
            self.stretched_told = Some(every);
            return Some(PeerEvent::Stretched { every });
        }
        let failing = self.failing.as_mut()?;
        let error = failing.error.take()?;
        failing.told = true;
        Some(PeerEvent::Failing(error, failing.since.into_std()))
    }

    /// The members now, by id, and a number that changes with them; nothing before the first whole list.
    pub(super) fn list(&self) -> Option<(u64, Vec<Peer>)> {
        let members = self.entries.values().filter_map(|entry| entry.now.clone());
        self.complete.then(|| (self.version, members.collect()))
    }

    /// How many things it remembers, for tests of its bounds.
    #[cfg(test)]
    fn size(&self) -> usize {
        self.entries.len() + self.differing.len()
    }
}

/// Who decides when the list after a failure is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wait {
    /// The pause that all watches of a client share.
    Elsewhere,
    /// The failures in a row.
    Backoff,
    /// They too, and no sooner than the interval, since a repetition is not likely to help.
    Interval,
}

#[cfg(test)]
mod tests;
