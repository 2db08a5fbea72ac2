//! The queue of requests that wait for a connection: first come, first served, bounded by its users.
//!
//! A request may wait for `wait_timeout` each time it comes here, within its deadline. It comes
//! here more than once when a connection ends that had it, and then goes before all later ones.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::action::Actions;
use super::ticket::Ticket;
use crate::error::Error;
use crate::protocol::Protocol;

/// How long it takes at least, for each of those who wait, until the queue is looked through again.
const PAUSE_PER_WAITER: Duration = Duration::from_micros(1);

/// Requests that wait for a connection, in the order of their arrival.
pub(crate) struct WaitQueue<P: Protocol> {
    waiting: VecDeque<Waiting<P>>,
    /// How long a request may wait here before it fails.
    wait_timeout: Duration,
    /// Nobody has to be told before this instant that the time is up.
    earliest: Option<Instant>,
}

/// A request that waits.
struct Waiting<P: Protocol> {
    ticket: Ticket<P>,
    /// When it must have come out of the queue.
    leave_by: Instant,
}

impl<P: Protocol> Waiting<P> {
    fn seq(&self) -> u64 {
        self.ticket.order().seq
    }
}

impl<P: Protocol> WaitQueue<P> {
    pub(crate) fn new(wait_timeout: Duration) -> Self {
        Self {
            waiting: VecDeque::new(),
            wait_timeout,
            earliest: None,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// The instant before which nobody has to be told that the time is up.
    pub(crate) fn earliest(&self) -> Option<Instant> {
        self.earliest
    }

    /// Puts a request where its arrival says: one that comes back goes before all later ones.
    pub(crate) fn insert(&mut self, ticket: Ticket<P>, now: Instant) {
        let leave_by = (now + self.wait_timeout).min(ticket.order().deadline);
        self.earliest = Some(self.earliest.map_or(leave_by, |e| e.min(leave_by)));
        let waiting = Waiting { ticket, leave_by };
        let seq = waiting.seq();
        if self.waiting.back().is_none_or(|last| last.seq() < seq) {
            self.waiting.push_back(waiting);
        } else {
            let at = self.waiting.partition_point(|w| w.seq() < seq);
            self.waiting.insert(at, waiting);
        }
    }

    /// Tells whether somebody waits. What nobody waits for any more, in front of those, is thrown out.
    pub(crate) fn has_next(&mut self, actions: &mut Actions<P>) -> bool {
        while let Some(first) = self.waiting.front() {
            if !first.ticket.is_abandoned() {
                return true;
            }
            if let Some(first) = self.waiting.pop_front() {
                actions.discard(first.ticket);
            }
        }
        false
    }

    /// The first whose caller still waits.
    pub(crate) fn front(&mut self, actions: &mut Actions<P>) -> Option<&Ticket<P>> {
        self.has_next(actions);
        self.waiting.front().map(|first| &first.ticket)
    }

    /// Takes the first whose caller still waits.
    pub(crate) fn pop(&mut self, actions: &mut Actions<P>) -> Option<Ticket<P>> {
        self.has_next(actions);
        self.waiting.pop_front().map(|first| first.ticket)
    }

    fn position(&self, seq: u64) -> Option<usize> {
        self.waiting.binary_search_by_key(&seq, Waiting::seq).ok()
    }

    /// When the request of this place in the order of arrival must have come out of the queue.
    pub(crate) fn leave_by(&self, seq: u64) -> Option<Instant> {
        Some(self.waiting[self.position(seq)?].leave_by)
    }

    /// Takes out the request of a caller that has gone away.
    pub(crate) fn remove(&mut self, seq: u64) -> Option<Ticket<P>> {
        let removed = self.waiting.remove(self.position(seq)?);
        removed.map(|waiting| waiting.ticket)
    }

    /// Whether [`expire`](Self::expire) would look through the queue.
    pub(crate) fn is_due(&self, now: Instant) -> bool {
        self.earliest.is_some_and(|earliest| earliest <= now)
    }

    /// Has those told of `error` whose time is up.
    pub(crate) fn expire(&mut self, now: Instant, error: &Error, actions: &mut Actions<P>) {
        if !self.is_due(now) {
            return;
        }
        let mut kept = VecDeque::with_capacity(self.waiting.len());
        for waiting in self.waiting.drain(..) {
            match waiting.leave_by > now {
                true => kept.push_back(waiting),
                false => actions.fail(waiting.ticket, error.clone()),
            }
        }
        self.waiting = kept;
        let earliest = self.waiting.iter().map(|w| w.leave_by).min();
        // A long queue is not looked through for each of those who leave it one after another.
        let pause = PAUSE_PER_WAITER * u32::try_from(self.waiting.len()).unwrap_or(u32::MAX);
        self.earliest = earliest.map(|earliest| earliest.max(now + pause));
    }

    /// All who wait, in their order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Ticket<P>> {
        self.waiting.iter().map(|w| &w.ticket)
    }

    /// Takes all of them, in their order.
    pub(crate) fn drain(&mut self) -> Vec<Ticket<P>> {
        self.earliest = None;
        let all = std::mem::take(&mut self.waiting);
        all.into_iter().map(|w| w.ticket).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Poll, Waker};

    use super::*;
    use crate::engine::core::action::Action;
    use crate::engine::core::call::{Caller, Outcome};
    use crate::engine::core::testing::{Toy, caller, order};
    use crate::error::Kind;

    #[test]
    fn a_long_queue_is_not_looked_through_for_each_who_leaves_it() {
        const MANY: u64 = 2000;
        let start = Instant::now();
        let error = Error::new(Kind::WaitTimeout, "too long");
        let mut queue = WaitQueue::<Toy>::new(Duration::from_secs(10));
        let mut callers: Vec<_> = (0..MANY)
            .map(|seq| {
                let until = start + Duration::from_micros(seq);
                let (caller, ticket) = caller(order(seq, until));
                queue.insert(ticket, start);
                caller
            })
            .collect();
        let mut looks = 0;
        while let Some(now) = queue.earliest() {
            let mut out = Actions::new();
            queue.expire(now, &error, &mut out);
            looks += 1;
            let late = Duration::from_micros(MANY);
            let first = queue.front(&mut out).map(|ticket| ticket.order().deadline);
            assert!(first.is_none_or(|leave_by| leave_by + late > now));
            while let Some(Action::Fail(mut ticket, error)) = out.poll() {
                ticket.fail(&error);
            }
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
    fn nobody_is_looked_for_before_the_first_is_due() {
        let start = Instant::now();
        let ms = |ms| start + Duration::from_millis(ms);
        let error = Error::new(Kind::WaitTimeout, "too long");
        let mut queue = WaitQueue::<Toy>::new(Duration::from_secs(10));
        assert!(!queue.is_due(start), "nobody waits");
        // So many that the pause after a look is longer than the first of them has left.
        for seq in 0..2000 {
            queue.insert(caller(order(seq, ms(1))).1, start);
        }
        assert!(!queue.is_due(start));
        let mut out = Actions::new();
        queue.expire(start, &error, &mut out);
        assert_eq!((queue.len(), queue.earliest()), (2000, Some(ms(1))));
        assert!(queue.is_due(ms(1)));
        queue.expire(ms(1), &error, &mut out);
        assert!(queue.is_empty());
        assert!(!queue.is_due(ms(1000)), "they have all been told");
    }

    #[test]
    fn each_wait_has_its_own_limit_within_the_deadline() {
        let start = Instant::now();
        let at = |secs| start + Duration::from_secs(secs);
        let mut queue = WaitQueue::<Toy>::new(Duration::from_secs(10));
        let mut out = Actions::new();
        let (_caller, ticket): (Caller<Toy>, _) = caller(order(1, at(60)));
        queue.insert(ticket, start);
        assert_eq!(queue.leave_by(1).unwrap(), at(10));
        // A look at who is first changes nothing.
        assert!(queue.front(&mut out).is_some());
        assert_eq!(queue.leave_by(1).unwrap(), at(10));
        // It comes back from a connection that died.
        let ticket = queue.pop(&mut out).unwrap();
        queue.insert(ticket, at(30));
        assert_eq!(queue.leave_by(1).unwrap(), at(40));
        let ticket = queue.pop(&mut out).unwrap();
        queue.insert(ticket, at(55));
        assert_eq!(queue.leave_by(1).unwrap(), at(60));
    }
}
