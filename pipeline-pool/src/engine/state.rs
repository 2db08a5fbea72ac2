//! Which connection a request goes to.
//!
//! The rules, in this order: the connection that became idle last; a new one, up to the cap and a
//! few at a time; at the cap, pipelined onto the connection with the least expected wait, up to
//! the depth; the line. Everything here is decided under one lock, without a clock or a socket.

use std::collections::VecDeque;
use std::task::Waker;
use std::time::{Duration, Instant};

use super::config::Config;
use super::entry::Entry;
use super::learn::Learn;
use super::line::Line;
use super::ranks::Ranks;
use super::slot::{ConnId, Phase, Report, Slot};
use crate::error::{Error, Kind};
use crate::event::CloseReason;
use crate::protocol::{ConnectionId, Protocol};

/// One endpoint's connections and its line.
pub(crate) struct State<P: Protocol> {
    pub(crate) line: Line<P>,
    slots: Vec<Option<Slot<P>>>,
    /// The expected wait at each connection that may have one more request pipelined now.
    ranks: Ranks,
    live: usize,
    pub(crate) opening: usize,
    /// Sockets beside those of connections being opened.
    pub(crate) racing: usize,
    /// Idle connections, the last used at the end.
    idle: Vec<ConnId>,
    /// No connection is opened before this instant.
    pub(crate) open_after: Option<Instant>,
    /// Failures to open, or to get any answer, in a row.
    pub(crate) failures: u32,
    pub(crate) learn: Learn,
    /// A connection was wanted and none was allowed by the cap in all.
    pub(crate) starved: bool,
    /// Connections being opened that are to be given up for other endpoints.
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
    /// No new request is taken.
    pub(crate) closed: bool,
    /// Idle connections are not kept.
    pub(crate) retired: bool,
}

impl<P: Protocol> State<P> {
    pub(crate) fn new(learn: Learn, born: Instant) -> Self {
        Self {
            line: Line::new(),
            slots: Vec::new(),
            ranks: Ranks::new(),
            live: 0,
            opening: 0,
            racing: 0,
            idle: Vec::new(),
            open_after: None,
            failures: 0,
            learn,
            starved: false,
            owed: 0,
            hedges: 0.0,
            away: 0,
            served: 0,
            quiet: born,
            closed: false,
            retired: false,
        }
    }

    /// Connections, those being opened and those closing included.
    pub(crate) fn live(&self) -> usize {
        self.live
    }

    /// Whether there is neither a connection nor a request that waits for one.
    pub(crate) fn is_gone(&self) -> bool {
        self.live == 0 && self.line.is_empty()
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
        self.live += 1;
        self.opening += 1;
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

    /// Takes a connection out; gives back what it had been handed and not taken.
    pub(crate) fn remove(&mut self, id: ConnId) -> VecDeque<Entry<P>> {
        self.idle.retain(|i| *i != id);
        self.ranks.set(id.0, f64::INFINITY);
        match self.slots.get_mut(id.0).and_then(Option::take) {
            Some(slot) => {
                self.live -= 1;
                if slot.phase == Phase::Opening {
                    self.opening -= 1;
                    self.owed = self.owed.min(self.opening);
                }
                slot.mail
            }
            None => VecDeque::new(),
        }
    }

    /// A connection that was being opened is.
    pub(crate) fn opened(&mut self, id: ConnId, rtt: Option<Duration>) {
        let owed = self.owed > 0;
        if let Some(slot) = self.slot(id)
            && slot.phase == Phase::Opening
        {
            slot.phase = if owed { Phase::Closing } else { Phase::Ready };
            slot.rtt = rtt;
            self.opening -= 1;
            self.owed -= usize::from(owed);
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
    ) -> Result<Option<Waker>, Entry<P>> {
        self.away = self.away.saturating_sub(1);
        if self.line.front().is_none() {
            if let Some(id) = self.choose(&entry, config) {
                return Ok(self.hand(id, entry));
            }
        } else if self.line.len() >= config.max_waiters {
            return Err(entry);
        }
        self.line.insert(entry);
        Ok(None)
    }

    /// The connection that this request should go to now.
    fn choose(&mut self, entry: &Entry<P>, config: &Config) -> Option<ConnId> {
        while let Some(id) = self.idle.pop() {
            if self
                .slot(id)
                .is_some_and(|s| s.phase == Phase::Ready && s.load == 0)
            {
                return Some(id);
            }
        }
        if !self.at_cap(config) {
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

    fn at_cap(&self, config: &Config) -> bool {
        self.live + self.racing >= config.max_connections || self.starved
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

    /// Hands out what waits, as far as connections are free; adds who has to be woken.
    pub(crate) fn pump(&mut self, config: &Config, wake: &mut Vec<Waker>) {
        while self.line.front().is_some() {
            let Some(entry) = self.line.pop() else { break };
            match self.choose(&entry, config) {
                Some(id) => {
                    self.served += 1;
                    wake.extend(self.hand(id, entry));
                }
                None => {
                    self.line.insert(entry);
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
        let connections = self.live;
        let retired = self.retired;
        let Some(slot) = self.slots.get_mut(id.0).and_then(Option::as_mut) else {
            return Err(Error::new(Kind::Shutdown, "the connection was given up"));
        };
        let was_busy = slot.load > 0;
        slot.load -= report.done.min(slot.load);
        if report.proven && !slot.proven {
            slot.proven = true;
            self.failures = 0;
            self.open_after = None;
        }
        slot.stuck = report.stuck;
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
        }
        if report.expired && matches!(slot.phase, Phase::Ready | Phase::Exclusive) {
            slot.phase = Phase::Closing;
        }
        let mut moved = 0;
        if report.streaming || report.stuck {
            if report.streaming && slot.phase == Phase::Ready {
                slot.phase = Phase::Exclusive;
            }
            moved = slot.mail.len();
            slot.load -= moved.min(slot.load);
            for entry in slot.mail.drain(..) {
                self.line.put_back(entry);
            }
        }
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
            let Some(next) = self.line.front() else { break };
            // One that goes alone takes this connection when it has drained, and reserves it now.
            if next.class.alone {
                slot.phase = Phase::Exclusive;
            }
            let Some(next) = self.line.pop() else { break };
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

    /// Whether one more connection should be opened now.
    pub(crate) fn wants_connection(&mut self, now: Instant, config: &Config) -> bool {
        self.line.front().is_some()
            && self.line.len() > self.opening
            && self.live + self.racing < config.max_connections
            && self.opening < config.max_opening
            && self.open_after.is_none_or(|after| after <= now)
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
                .min_by_key(|(_, s)| s.load)
                .map(|(id, _)| id)
        };
        let Some(id) = self.idle.first().copied().or_else(least_busy) else {
            self.owed = (self.owed + 1).min(self.opening);
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
