//! The waiting line: first come, first served, bounded by its users.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::entry::Entry;
use crate::error::{Error, Kind};
use crate::protocol::Protocol;

/// For each of those who wait: how long it takes at least until the line is looked through again.
const PAUSE: Duration = Duration::from_micros(1);

/// Why a request fails that is bound to a connection.
pub(crate) fn gone() -> Error {
    let text = "the connection that the request was bound to is gone, or waits for a late answer";
    Error::new(Kind::Gone, text)
}

/// Requests that wait for a connection, in the order of their arrival.
pub(crate) struct Line<P: Protocol> {
    entries: VecDeque<Entry<P>>,
    /// Nobody has to be told before this instant that the time is up.
    earliest: Option<Instant>,
}

impl<P: Protocol> Line<P> {
    pub(crate) fn new() -> Self {
        Self {
            entries: VecDeque::new(),
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
    pub(crate) fn insert(&mut self, entry: Entry<P>) {
        let until = entry.order().leave_by();
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

    /// Puts back an entry that had a connection; one that may only go to that one fails instead.
    pub(crate) fn put_back(&mut self, mut entry: Entry<P>) {
        match entry.order().bound {
            Some(_) => entry.fail(&gone()),
            None => self.insert(entry),
        }
    }

    /// The first whose caller still waits.
    pub(crate) fn front(&mut self) -> Option<&Entry<P>> {
        while self.entries.front().is_some_and(Entry::is_abandoned) {
            self.entries.pop_front();
        }
        self.entries.front()
    }

    /// Takes the first whose caller still waits.
    pub(crate) fn pop(&mut self) -> Option<Entry<P>> {
        self.front()?;
        self.entries.pop_front()
    }

    /// Takes out the entry of a caller that has gone away.
    pub(crate) fn remove(&mut self, seq: u64) -> Option<Entry<P>> {
        let at = self
            .entries
            .binary_search_by_key(&seq, |e| e.order().seq)
            .ok()?;
        self.entries.remove(at)
    }

    /// Tells those whose time is up.
    pub(crate) fn expire(&mut self, now: Instant) {
        if self.earliest.is_none_or(|earliest| now < earliest) {
            return;
        }
        let waiters = self.entries.len();
        self.entries.retain_mut(|entry| {
            if entry.order().leave_by() > now {
                return true;
            }
            let error = Error::new(
                Kind::WaitTimeout,
                format!("no connection became free in time; {waiters} requests were waiting"),
            );
            entry.fail(&error);
            false
        });
        let earliest = self.entries.iter().map(|e| e.order().leave_by()).min();
        // A long line is not looked through for each of those who leave it one after another.
        let pause = PAUSE * u32::try_from(self.entries.len()).unwrap_or(u32::MAX);
        self.earliest = earliest.map(|earliest| earliest.max(now + pause));
    }

    /// Takes all of them.
    pub(crate) fn drain(&mut self) -> VecDeque<Entry<P>> {
        self.earliest = None;
        std::mem::take(&mut self.entries)
    }
}

#[cfg(test)]
#[cfg(feature = "http1")]
mod tests {
    use std::task::{Context, Poll, Waker};

    use super::*;
    use crate::engine::call::{Caller, Order, Outcome};
    use crate::http1::codec::Http1;
    use crate::{Method, Origin, Request};

    #[test]
    fn a_long_line_is_not_looked_through_for_each_who_leaves_it() {
        const MANY: u64 = 2000;
        let start = Instant::now();
        let origin = Origin::parse("http://a.example").unwrap();
        let mut line = Line::<Http1>::new();
        let mut callers: Vec<_> = (0..MANY)
            .map(|seq| {
                let request = Request::new(Method::Get, &origin, "/").unwrap();
                let mut caller = Caller::new(request, start);
                let until = start + Duration::from_micros(seq);
                let order = Order {
                    seq,
                    wait_until: until,
                    deadline: until,
                    bound: None,
                };
                line.insert(caller.hand_in(order, Waker::noop()).unwrap());
                caller
            })
            .collect();
        let mut looks = 0;
        while let Some(now) = line.earliest() {
            line.expire(now);
            looks += 1;
            let late = Duration::from_micros(MANY);
            assert!(
                line.front()
                    .is_none_or(|e| e.order().leave_by() + late > now)
            );
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
}
