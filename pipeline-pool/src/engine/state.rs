//! Which connection a request goes to.
//!
//! The rules, in this order: the connection that became idle last; a new one, up to the cap and a
//! few at a time; at the cap, pipelined onto the connection with the least expected wait, up to
//! the depth; the line. Everything here is decided under one lock, without a clock or a socket.

use std::collections::VecDeque;
use std::task::Waker;
use std::time::{Duration, Instant};

use tokio::runtime;

use super::config::Config;
use super::deferred::Deferred;
use super::entry::Entry;
use super::growth::Growth;
use super::learn::Learn;
use super::line::Line;
use super::ranks::Ranks;
use super::slot::{ConnId, Phase, Report, Slot};
use crate::error::{Error, Kind};
use crate::event::CloseReason;
use crate::protocol::{ConnectionId, Protocol};

/// Why a request fails that is bound to a connection.
pub(crate) fn gone() -> Error {
    let text = "the connection that the request was bound to is gone, or waits for a late answer";
    Error::new(Kind::Gone, text)
}

/// Why a request fails when its pool has been closed and the time for that is over.
pub(crate) fn aborted() -> Error {
    Error::new(Kind::Shutdown, "the pool was closed")
}

/// One endpoint's connections and its line.
pub(crate) struct State<P: Protocol> {
    pub(crate) line: Line<P>,
    slots: Vec<Option<Slot<P>>>,
    /// The expected wait at each connection that may have one more request pipelined now.
    ranks: Ranks,
    /// How many there are, and when one more is opened.
    pub(crate) growth: Growth,
    /// What is to be done when the endpoint is unlocked.
    pub(crate) deferred: Deferred<P>,
    /// Idle connections, the last used at the end.
    idle: Vec<ConnId>,
    pub(crate) learn: Learn,
    /// A connection was wanted and none was allowed by the cap in all; the endpoint has a place
    /// among those who wait for a permit.
    pub(crate) starved: bool,
    /// Connections being opened that are to be given up for other endpoints, each after it has
    /// served one request.
    owed: usize,
    /// Requests that may be sent a second time now.
    pub(crate) hedges: f64,
    /// Callers who were told of their replies and have not come with their next request yet, as far
    /// as it is expected of them.
    pub(crate) away: usize,
    /// Requests that have come out of the line to a connection.
    pub(crate) served: u64,
    /// Since when there has been no connection, while there is none.
    pub(crate) quiet: Instant,
    /// The runtime that everything here has come from so far, and whether it is not the only one.
    home: Option<runtime::Id>,
    pub(crate) mixed: bool,
    /// A runtime that has been seen to have a timer.
    pub(crate) timed: Option<runtime::Id>,
    /// No new request is taken.
    pub(crate) closed: bool,
    /// What is under way is given up too.
    pub(crate) aborted: bool,
    /// Idle connections are not kept.
    pub(crate) retired: bool,
}

impl<P: Protocol> State<P> {
    pub(crate) fn new(config: &Config, born: Instant) -> Self {
        Self {
            line: Line::new(config.wait_timeout),
            slots: Vec::new(),
            ranks: Ranks::new(),
            growth: Growth::new(config),
            deferred: Deferred::new(),
            idle: Vec::new(),
            learn: Learn::new(config.max_depth, config.fixed_depth),
            starved: false,
            owed: 0,
            hedges: 0.0,
            away: 0,
            served: 0,
            quiet: born,
            home: None,
            mixed: false,
            timed: None,
            closed: false,
            aborted: false,
            retired: false,
        }
    }

    /// Connections, those being opened and those closing included.
    pub(crate) fn live(&self) -> usize {
        self.growth.live()
    }

    /// Whether there is neither a connection nor a request that waits for one.
    pub(crate) fn is_gone(&self) -> bool {
        self.live() == 0 && self.line.is_empty()
    }

    /// Connections that are going to end for the sake of other endpoints, or anyway.
    pub(crate) fn leaving(&self) -> usize {
        let slots = self.slots.iter().flatten();
        self.owed + slots.filter(|slot| slot.phase == Phase::Closing).count()
    }

    /// Takes note of the runtime that a request comes from. From the second one on, what serves a
    /// request may live in another runtime than its caller, and stand still with that: callers are
    /// then to look at their own clock. Those in line are told so. Says whether that has changed.
    pub(crate) fn visit(&mut self, home: Option<runtime::Id>) -> bool {
        if self.home == home && !(self.mixed && self.is_gone()) {
            return false;
        }
        let was = self.mixed;
        if self.is_gone() {
            self.home = home;
            self.mixed = false;
        } else if !self.mixed {
            self.mixed = true;
            let waiting = self.line.iter().filter_map(Entry::nudge);
            self.deferred.wake(waiting);
        }
        self.mixed != was
    }

    /// Puts back a request that had a connection; one that may only go to that one fails instead,
    /// as all do once the endpoint is given up.
    pub(crate) fn put_back(&mut self, entry: Entry<P>, now: Instant) {
        if self.aborted {
            self.deferred.fail(entry, aborted());
        } else if entry.order().bound.is_some() {
            self.deferred.fail(entry, gone());
        } else {
            if self.mixed {
                self.deferred.wake(entry.nudge());
            }
            self.line.insert(entry, now);
        }
    }

    /// Has those told who have waited too long.
    pub(crate) fn expire(&mut self, now: Instant) {
        if self.line.is_due(now) {
            let error = Error::new(
                Kind::WaitTimeout,
                self.crowd("no connection became free in time"),
            );
            self.line.expire(now, &error, &mut self.deferred);
        }
    }

    /// Takes a request out of the line whose caller sees that it has waited too long, and has it
    /// told so. Otherwise gives back until when it may wait, if it still does.
    pub(crate) fn leave_by(&mut self, seq: u64, now: Instant) -> Option<Instant> {
        let until = self.line.find(seq)?.leave_by();
        if until > now {
            return Some(until);
        }
        let text = self.crowd("no connection became free in time");
        if let Some(entry) = self.line.remove(seq) {
            self.deferred
                .fail(entry, Error::new(Kind::WaitTimeout, text));
        }
        None
    }

    /// Why a request gets no connection, with what may be the matter.
    pub(crate) fn crowd(&self, what: &str) -> String {
        let (waiting, live) = (self.line.len(), self.live());
        let slots = self.slots.iter().flatten();
        match slots.filter(|slot| slot.streaming).count() {
            0 => format!("{what}; {waiting} requests were waiting"),
            held => format!(
                "{what}; {waiting} requests were waiting, and {held} of {live} connections were \
                 held by large messages under way, such as answers whose body is not read to its end"
            ),
        }
    }

    pub(crate) fn idle(&self) -> usize {
        self.idle.len()
    }

    pub(crate) fn slot(&mut self, id: ConnId) -> Option<&mut Slot<P>> {
        self.slots.get_mut(id.0).and_then(Option::as_mut)
    }

    pub(crate) fn slots(&mut self) -> impl Iterator<Item = &mut Slot<P>> {
        self.slots.iter_mut().flatten()
    }

    /// Requests that were handed to a connection and not taken yet.
    pub(crate) fn mail(&mut self, id: ConnId) -> usize {
        self.slot(id).map_or(0, |slot| slot.mail.len())
    }

    /// Adds a connection that is being opened.
    pub(crate) fn add(&mut self, now: Instant) -> ConnId {
        self.growth.begin();
        let slot = Slot {
            connection: ConnectionId::next(),
            phase: Phase::Opening,
            mail: VecDeque::new(),
            load: 0,
            proven: false,
            awake: true,
            waker: None,
            idle_since: now,
            stuck: false,
            streaming: false,
            full_since: None,
            rtt: None,
            pace: 0.0,
        };
        match self.slots.iter().position(Option::is_none) {
            Some(free) => {
                self.slots[free] = Some(slot);
                ConnId(free)
            }
            None => {
                self.slots.push(Some(slot));
                ConnId(self.slots.len() - 1)
            }
        }
    }

    /// Notes the expected wait at a connection, after a change to what it has or may have.
    fn rank(&mut self, id: ConnId) {
        let wait = match self.slots.get(id.0) {
            Some(Some(slot)) if slot.takes_more() && slot.load < self.learn.depth_of(id) => {
                slot.wait(self.learn.usual_secs())
            }
            _ => f64::INFINITY,
        };
        self.ranks.set(id.0, wait);
    }

    fn rank_all(&mut self) {
        (0..self.slots.len()).for_each(|i| self.rank(ConnId(i)));
    }

    /// A connection is gone: trials on it end, and with `spare` the server is spared pipelining.
    pub(crate) fn unlearn(&mut self, id: ConnId, spare: bool, now: Instant) {
        self.learn.forget(id, now);
        if spare {
            self.learn.spare(now);
        }
        self.rank_all();
    }

    /// Takes a connection out that was being opened.
    pub(crate) fn withdraw(&mut self, id: ConnId) {
        if self.take(id).is_some() {
            self.growth.withdrawn();
        }
        self.owed = self.owed.min(self.growth.opening());
    }

    /// Takes a connection out that could not be opened.
    pub(crate) fn open_failed(&mut self, id: ConnId, now: Instant) {
        if self.take(id).is_some() {
            self.growth.failed(now);
        }
        self.owed = self.owed.min(self.growth.opening());
        self.quiet = now;
    }

    /// Takes a connection out that was open; gives back what it had been handed and not taken.
    pub(crate) fn ended(&mut self, id: ConnId, dud: bool, now: Instant) -> VecDeque<Entry<P>> {
        self.quiet = now;
        let Some(slot) = self.take(id) else {
            return VecDeque::new();
        };
        self.growth.ended(dud, now);
        if self.live() == 0 {
            // It may ask for a permit as one that has none.
            self.starved = false;
        }
        slot.mail
    }

    fn take(&mut self, id: ConnId) -> Option<Slot<P>> {
        self.idle.retain(|i| *i != id);
        self.ranks.set(id.0, f64::INFINITY);
        self.slots.get_mut(id.0).and_then(Option::take)
    }

    /// A connection that was being opened is, and takes the request that has waited the longest:
    /// what waits then is what further connections are for. If it is to be given up for another
    /// endpoint it takes that one too, as endpoints that take turns would otherwise get nowhere.
    pub(crate) fn opened(&mut self, id: ConnId, rtt: Option<Duration>) {
        let owed = self.owed > 0;
        let Some(slot) = self.slots.get_mut(id.0).and_then(Option::as_mut) else {
            return;
        };
        if slot.phase != Phase::Opening {
            return;
        }
        slot.rtt = rtt;
        slot.phase = Phase::Ready;
        self.growth.opened();
        if let Some(entry) = self.line.pop(&mut self.deferred) {
            self.served += 1;
            self.hand(id, entry);
        }
        if owed {
            self.owed -= 1;
            if let Some(slot) = self.slot(id) {
                slot.phase = Phase::Closing;
            }
        }
    }

    /// The name that a connection is known by outside; one that is gone has a name of its own.
    pub(crate) fn connection(&mut self, id: ConnId) -> ConnectionId {
        self.slot(id)
            .map_or_else(ConnectionId::next, |slot| slot.connection)
    }

    /// Hands a request to the one connection that it may go to, however much that has to do, if
    /// it still takes requests; gives back who has to be woken.
    pub(crate) fn hand_to(
        &mut self,
        connection: ConnectionId,
        entry: Entry<P>,
    ) -> Result<Option<Waker>, Entry<P>> {
        let takes = |slot: &Slot<P>| {
            slot.connection == connection && matches!(slot.phase, Phase::Ready | Phase::Exclusive)
        };
        let found = |slot: &Option<Slot<P>>| slot.as_ref().is_some_and(takes);
        let Some(place) = self.slots.iter().position(found) else {
            return Err(entry);
        };
        let id = ConnId(place);
        self.idle.retain(|i| *i != id);
        Ok(self.hand(id, entry))
    }

    /// Takes a new request: onto a connection, whose driver may have to be woken, or into the line.
    pub(crate) fn admit(
        &mut self,
        entry: Entry<P>,
        config: &Config,
        now: Instant,
    ) -> Result<Option<Waker>, Entry<P>> {
        self.away = self.away.saturating_sub(1);
        if !self.line.has_next(&mut self.deferred) {
            if let Some(id) = self.choose(&entry) {
                return Ok(self.hand(id, entry));
            }
        } else if self.line.len() >= config.max_waiters {
            return Err(entry);
        }
        self.line.insert(entry, now);
        Ok(None)
    }

    /// The connection that this request should go to now.
    fn choose(&mut self, entry: &Entry<P>) -> Option<ConnId> {
        while let Some(id) = self.idle.pop() {
            if self
                .slot(id)
                .is_some_and(|s| s.phase == Phase::Ready && s.load == 0)
            {
                return Some(id);
            }
        }
        if self.growth.has_room() && !self.starved {
            return None;
        }
        if !entry.class.alone {
            return self.ranks.least().map(ConnId);
        }
        // A request that goes alone reserves a connection: it waits there, and nobody behind it.
        let usual = self.learn.usual_secs();
        let slots = self.slots.iter().enumerate();
        let waits = slots.filter_map(|(i, slot)| {
            let slot = slot.as_ref().filter(|slot| slot.takes_more())?;
            Some((ConnId(i), slot.wait(usual)))
        });
        let least = waits.min_by(|(_, a), (_, b)| a.total_cmp(b));
        least.map(|(id, _)| id)
    }

    /// Hands a request to a connection; gives back who has to be woken.
    fn hand(&mut self, id: ConnId, entry: Entry<P>) -> Option<Waker> {
        let alone = entry.class.alone;
        let slot = self.slot(id)?;
        slot.load += 1;
        if alone {
            slot.phase = Phase::Exclusive;
        }
        slot.mail.push_back(entry);
        let asleep = !std::mem::replace(&mut slot.awake, true);
        let waker = slot.waker.as_ref().filter(|_| asleep).cloned();
        self.rank(id);
        waker
    }

    /// Hands out what waits, as far as connections are free.
    pub(crate) fn pump(&mut self) {
        while let Some(entry) = self.line.pop(&mut self.deferred) {
            match self.choose(&entry) {
                Some(id) => {
                    self.served += 1;
                    let wake = self.hand(id, entry);
                    self.deferred.wake(wake);
                }
                None => {
                    self.line.restore(entry);
                    break;
                }
            }
        }
    }

    /// A driver reports: `done` of its requests are. It takes its mail, and from the line what it
    /// has room for. Gives back how many requests went back to the line instead.
    ///
    /// # Errors
    /// When the connection is to be closed, as it has nothing left to do and is not to be kept.
    pub(crate) fn report(
        &mut self,
        id: ConnId,
        report: Report,
        queue: &mut VecDeque<Entry<P>>,
        now: Instant,
    ) -> Result<usize, Error> {
        let depths = self.learn.depths();
        let moved = self.take_report(id, report, queue, now);
        if self.learn.depths() == depths {
            self.rank(id);
        } else {
            self.rank_all();
        }
        moved
    }

    fn take_report(
        &mut self,
        id: ConnId,
        report: Report,
        queue: &mut VecDeque<Entry<P>>,
        now: Instant,
    ) -> Result<usize, Error> {
        let connections = self.live();
        let retired = self.retired;
        let Some(slot) = self.slots.get_mut(id.0).and_then(Option::as_mut) else {
            return Err(Error::new(Kind::Shutdown, "the connection was given up"));
        };
        let was_busy = slot.load > 0;
        slot.load -= report.done.min(slot.load);
        if report.proven && !slot.proven {
            slot.proven = true;
            self.growth.answered();
        }
        slot.stuck = report.stuck;
        slot.streaming = report.streaming;
        let mut sample = report.sample;
        if sample.replies > 0 {
            self.away = self.away.saturating_add(sample.replies as usize);
            sample.full = slot
                .full_since
                .map(|since| now.saturating_duration_since(since));
            if let Some(full) = sample.full {
                let pace = full.as_secs_f64() / sample.replies as f64;
                let weight = if slot.pace == 0.0 { 1.0 } else { 0.125 };
                slot.pace += (pace - slot.pace) * weight;
            }
            self.learn
                .start(slot.rtt, sample.latency / sample.replies as u32);
            self.learn.observe(id, &sample, connections, now);
            self.deferred.decided(self.learn.take_decided());
        }
        if report.expired && matches!(slot.phase, Phase::Ready | Phase::Exclusive) {
            slot.phase = Phase::Closing;
        }
        let mut moved = 0;
        if report.streaming || report.stuck {
            if report.streaming && slot.phase == Phase::Ready {
                slot.phase = Phase::Exclusive;
            }
            let back = std::mem::take(&mut slot.mail);
            moved = back.len();
            slot.load -= moved.min(slot.load);
            back.into_iter().for_each(|entry| self.put_back(entry, now));
        }
        let Some(slot) = self.slots.get_mut(id.0).and_then(Option::as_mut) else {
            return Ok(moved);
        };
        if queue.is_empty() {
            std::mem::swap(queue, &mut slot.mail);
        } else {
            queue.append(&mut slot.mail);
        }
        if slot.load == 0 && slot.phase == Phase::Exclusive && !report.streaming {
            slot.phase = Phase::Ready;
        }
        let bound = if slot.proven {
            self.learn.depth_of(id)
        } else {
            1
        };
        while slot.phase == Phase::Ready && !slot.stuck && slot.load < bound {
            let Some(next) = self.line.front(&mut self.deferred) else {
                break;
            };
            // One that goes alone takes this connection when it has drained, and reserves it now.
            if next.class.alone {
                slot.phase = Phase::Exclusive;
            }
            let Some(next) = self.line.pop(&mut self.deferred) else {
                break;
            };
            self.served += 1;
            slot.load += 1;
            queue.push_back(next);
        }
        // A wait without replies goes on counting: a stall is part of what a connection achieves.
        if sample.replies > 0 || slot.full_since.is_none() {
            let full = slot.phase == Phase::Ready && slot.load >= bound;
            slot.full_since = full.then_some(now);
        }
        if slot.load > 0 {
            return Ok(moved);
        }
        slot.full_since = None;
        if slot.phase == Phase::Closing || retired {
            slot.phase = Phase::Closing;
            let reason = match report.expired {
                true => CloseReason::Age,
                false => CloseReason::Yielded,
            };
            return Err(Error::new(Kind::Closed, "the connection is not kept").because(reason));
        }
        if slot.phase == Phase::Ready && (was_busy || !self.idle.contains(&id)) {
            slot.idle_since = now;
            self.idle.retain(|i| *i != id);
            self.idle.push(id);
        }
        Ok(moved)
    }

    /// Earns the right to send some requests a second time: a share of the replies, saved up over
    /// at most a thousand of them.
    pub(crate) fn earn_hedges(&mut self, replies: u64, share: f64) {
        self.hedges = (self.hedges + replies as f64 * share).min((share * 1000.0).max(1.0));
    }

    /// Whether one more connection should be opened now, if there is a permit.
    pub(crate) fn wants_connection(&mut self, now: Instant) -> bool {
        !self.starved
            && !self.aborted
            && self.growth.wanted(self.line.len(), now) > 0
            && self.line.has_next(&mut self.deferred)
    }

    pub(crate) fn oldest_idle(&mut self) -> Option<(ConnId, Instant)> {
        let id = *self.idle.first()?;
        self.slot(id).map(|slot| (id, slot.idle_since))
    }

    /// Has one connection close: the one that has been idle the longest, else the least busy one
    /// once it is done, else one that is being opened as soon as it is. Gives back its driver.
    pub(crate) fn close_one(&mut self) -> Option<Waker> {
        let least_busy = || {
            let slots = self.slots.iter().enumerate();
            let open = slots.filter_map(|(i, s)| s.as_ref().map(|s| (ConnId(i), s)));
            open.filter(|(_, s)| matches!(s.phase, Phase::Ready | Phase::Exclusive))
                .min_by_key(|(_, s)| (s.streaming, s.load))
                .map(|(id, _)| id)
        };
        let Some(id) = self.idle.first().copied().or_else(least_busy) else {
            self.owed = (self.owed + 1).min(self.growth.opening());
            return None;
        };
        self.idle.retain(|i| *i != id);
        let slot = self.slot(id)?;
        slot.phase = Phase::Closing;
        slot.awake = true;
        let waker = slot.waker.clone();
        self.rank(id);
        waker
    }

    /// Has every connection close when it has nothing left to do; gives back the drivers.
    pub(crate) fn retire(&mut self) -> Vec<Waker> {
        self.retired = true;
        self.slots().filter_map(|slot| slot.waker.clone()).collect()
    }
}

#[cfg(test)]
mod tests;
