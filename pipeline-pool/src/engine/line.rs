//! The waiting line: first come, first served, bounded by its users.
//!
//! A request may wait for `wait_timeout` each time it comes here, within its deadline. It comes
//! here more than once when a connection ends that had it.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::deferred::Deferred;
use super::entry::Entry;
use crate::error::Error;
use crate::protocol::Protocol;

/// For each of those who wait: how long it takes at least until the line is looked through again.
const PAUSE: Duration = Duration::from_micros(1);

/// Requests that wait for a connection, in the order of their arrival.
pub(crate) struct Line<P: Protocol> {
    entries: VecDeque<Entry<P>>,
    /// How long a request may wait here before it fails.
    wait_timeout: Duration,
    /// Nobody has to be told before this instant that the time is up.
    earliest: Option<Instant>,
}

impl<P: Protocol> Line<P> {
    pub(crate) fn new(wait_timeout: Duration) -> Self {
        Self {
            entries: VecDeque::new(),
            wait_timeout,
            earliest: None,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The instant before which nobody has to be told that the time is up.
    pub(crate) fn earliest(&self) -> Option<Instant> {
        self.earliest
    }

    /// Puts an entry where its arrival says: one that comes back goes before all later ones.
    pub(crate) fn insert(&mut self, mut entry: Entry<P>, now: Instant) {
        entry.wait_until(now + self.wait_timeout);
        self.restore(entry);
    }

    /// Puts an entry back that was taken out a moment ago; its wait goes on.
    pub(crate) fn restore(&mut self, entry: Entry<P>) {
        let until = entry.leave_by();
        self.earliest = Some(self.earliest.map_or(until, |e| e.min(until)));
        let seq = entry.order().seq;
        if self
            .entries
            .back()
            .is_none_or(|last| last.order().seq < seq)
        {
            self.entries.push_back(entry);
        } else {
            let at = self.entries.partition_point(|e| e.order().seq < seq);
            self.entries.insert(at, entry);
        }
    }

    /// Whether somebody waits; what nobody waits for any more, in front of those, is thrown out.
    pub(crate) fn has_next(&mut self, out: &mut Deferred<P>) -> bool {
        while let Some(first) = self.entries.front() {
            if !first.is_abandoned() {
                return true;
            }
            if let Some(first) = self.entries.pop_front() {
                out.discard(first);
            }
        }
        false
    }

    /// The first whose caller still waits.
    pub(crate) fn front(&mut self, out: &mut Deferred<P>) -> Option<&Entry<P>> {
        self.has_next(out);
        self.entries.front()
    }

    /// Takes the first whose caller still waits.
    pub(crate) fn pop(&mut self, out: &mut Deferred<P>) -> Option<Entry<P>> {
        self.has_next(out);
        self.entries.pop_front()
    }

    /// The entry of this place in the order of arrival.
    pub(crate) fn find(&self, seq: u64) -> Option<&Entry<P>> {
        let at = self.entries.binary_search_by_key(&seq, |e| e.order().seq);
        self.entries.get(at.ok()?)
    }

    /// Takes out the entry of a caller that has gone away.
    pub(crate) fn remove(&mut self, seq: u64) -> Option<Entry<P>> {
        let at = self
            .entries
            .binary_search_by_key(&seq, |e| e.order().seq)
            .ok()?;
        self.entries.remove(at)
    }

    /// Whether [`expire`](Self::expire) would look through the line.
    pub(crate) fn is_due(&self, now: Instant) -> bool {
        self.earliest.is_some_and(|earliest| earliest <= now)
    }

    /// Has those told of `error` whose time is up.
    pub(crate) fn expire(&mut self, now: Instant, error: &Error, out: &mut Deferred<P>) {
        if !self.is_due(now) {
            return;
        }
        let mut kept = VecDeque::with_capacity(self.entries.len());
        for entry in self.entries.drain(..) {
            match entry.leave_by() > now {
                true => kept.push_back(entry),
                false => out.fail(entry, error.clone()),
            }
        }
        self.entries = kept;
        let earliest = self.entries.iter().map(Entry::leave_by).min();
        // A long line is not looked through for each of those who leave it one after another.
        let pause = PAUSE * u32::try_from(self.entries.len()).unwrap_or(u32::MAX);
        self.earliest = earliest.map(|earliest| earliest.max(now + pause));
    }

    /// All who wait, in their order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Entry<P>> {
        self.entries.iter()
    }

    /// Takes all of them.
    pub(crate) fn drain(&mut self) -> VecDeque<Entry<P>> {
        self.earliest = None;
        std::mem::take(&mut self.entries)
    }
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Poll, Waker};

    use super::*;
    use crate::engine::call::{Caller, Outcome};
    use crate::engine::testing::{Toy, caller, order};
    use crate::error::Kind;

    #[test]
    fn a_long_line_is_not_looked_through_for_each_who_leaves_it() {
        const MANY: u64 = 2000;
        let start = Instant::now();
        let error = Error::new(Kind::WaitTimeout, "too long");
        let mut line = Line::<Toy>::new(Duration::from_secs(10));
        let mut callers: Vec<_> = (0..MANY)
            .map(|seq| {
                let until = start + Duration::from_micros(seq);
                let (caller, entry) = caller(order(seq, until));
                line.insert(entry, start);
                caller
            })
            .collect();
        let mut looks = 0;
        while let Some(now) = line.earliest() {
            let mut out = Deferred::new();
            line.expire(now, &error, &mut out);
            looks += 1;
            let late = Duration::from_micros(MANY);
            let first = line.front(&mut out);
            assert!(first.is_none_or(|e| e.leave_by() + late > now));
        }
        assert!(looks < 20, "{looks}");
        for caller in &mut callers {
            let told = caller.poll(&mut Context::from_waker(Waker::noop()));
            let Poll::Ready(Outcome::Done(Err(error))) = told else {
                panic!("somebody was not told");
            };
            assert_eq!(error.kind(), Kind::WaitTimeout);
        }
    }

    #[test]
    fn each_wait_has_its_own_limit_within_the_deadline() {
        let start = Instant::now();
        let at = |secs| start + Duration::from_secs(secs);
        let mut line = Line::<Toy>::new(Duration::from_secs(10));
        let mut out = Deferred::new();
        let (_caller, entry): (Caller<Toy>, _) = caller(order(1, at(60)));
        line.insert(entry, start);
        assert_eq!(line.find(1).unwrap().leave_by(), at(10));
        // A look at who is first changes nothing.
        let entry = line.pop(&mut out).unwrap();
        line.restore(entry);
        assert_eq!(line.find(1).unwrap().leave_by(), at(10));
        // It comes back from a connection that died.
        let entry = line.pop(&mut out).unwrap();
        line.insert(entry, at(30));
        assert_eq!(line.find(1).unwrap().leave_by(), at(40));
        let entry = line.pop(&mut out).unwrap();
        line.insert(entry, at(55));
        assert_eq!(line.find(1).unwrap().leave_by(), at(60));
    }
}
