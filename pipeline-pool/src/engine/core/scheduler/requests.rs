//! Requests come, find a connection or wait, come back, and leave.

use std::task::Waker;
use std::time::Instant;

use super::{Scheduler, Submitted};
use crate::engine::core::connection::ConnId;
use crate::engine::core::refusal::{self, Refusal};
use crate::engine::core::ticket::Ticket;
use crate::error::{Error, Kind};
use crate::protocol::{ConnectionId, Protocol};

impl<P: Protocol> Scheduler<P> {
    /// Takes a new request. `can_open` says whether a connection could be opened for it from where
    /// it was handed in.
    ///
    /// # Errors
    /// [`Kind::Shutdown`] when the pool is closed, [`Kind::Gone`] when the only connection that it
    /// may go to is no more, [`Kind::Busy`] when the queue is full, and [`Kind::NoRuntime`] when it
    /// would have to wait for a connection that cannot be opened.
    pub(crate) fn handle_submit(
        &mut self,
        ticket: Ticket<P>,
        can_open: bool,
        now: Instant,
    ) -> Result<Submitted, Refusal<P>> {
        if self.closed {
            let error = refusal::closed();
            return Err(Refusal { ticket, error });
        }
        if let Some(name) = ticket.order().bound {
            return self.hand_to(name, ticket);
        }
        self.away = self.away.saturating_sub(1);
        if !self.queue.has_next(&mut self.actions) {
            if let Some(id) = self.choose(ticket.is_alone()) {
                return Ok(Submitted::Handed(self.hand(id, ticket)));
            }
        } else if self.queue.len() >= self.max_waiters {
            let error = Error::new(
                Kind::Busy,
                self.describe("the waiting line is full (max_waiters of the pool)"),
            );
            return Err(Refusal { ticket, error });
        }
        if !can_open {
            let error = refusal::without_runtime();
            return Err(Refusal { ticket, error });
        }
        self.wait(ticket, now);
        Ok(Submitted::Queued)
    }

    /// Has a request wait for a connection.
    fn wait(&mut self, ticket: Ticket<P>, now: Instant) {
        if self.queue.is_empty() {
            self.depth.note_waiting(now);
        }
        self.queue.insert(ticket, now);
    }

    /// Hands a request to the one connection that it may go to, however much that has to do.
    fn hand_to(&mut self, name: ConnectionId, ticket: Ticket<P>) -> Result<Submitted, Refusal<P>> {
        let Some(id) = self.connections.find(name) else {
            let error = refusal::gone();
            return Err(Refusal { ticket, error });
        };
        self.connections.unmark_idle(id);
        Ok(Submitted::Handed(self.hand(id, ticket)))
    }

    /// The connection that a request should go to now.
    pub(super) fn choose(&mut self, alone: bool) -> Option<ConnId> {
        if !alone && let Some(id) = self.connections.to_pack() {
            return Some(id);
        }
        if let Some(id) = self.connections.take_idle() {
            return Some(id);
        }
        if self.growth.has_room() && !self.starved {
            return None;
        }
        match alone {
            true => self.connections.shortest_to_drain(self.depth.usual_secs()),
            false => self.connections.shortest_wait(),
        }
    }

    /// Hands a request to a connection, and gives back who has to be woken.
    pub(super) fn hand(&mut self, id: ConnId, ticket: Ticket<P>) -> Option<Waker> {
        let waker = self.connections.get(id)?.push(ticket);
        self.rank(id);
        waker
    }

    /// Notes the expected wait at a connection, after a change to what it has or may have.
    pub(super) fn rank(&mut self, id: ConnId) {
        let usual = self.depth.usual_secs();
        self.connections.rank(id, self.depth.setting(), usual);
    }

    pub(super) fn rank_all(&mut self) {
        let usual = self.depth.usual_secs();
        self.connections.rank_all(self.depth.setting(), usual);
    }

    /// Hands out what waits, as far as connections are free.
    pub(super) fn hand_out(&mut self) {
        while let Some(next) = self.queue.front(&mut self.actions) {
            let alone = next.is_alone();
            let Some(id) = self.choose(alone) else {
                break;
            };
            let Some(ticket) = self.queue.pop(&mut self.actions) else {
                break;
            };
            self.served += 1;
            let waker = self.hand(id, ticket);
            self.actions.wake(waker);
        }
    }

    /// Takes a request out of the queue whose caller sees that it has waited too long, and has it
    /// told so. Otherwise gives back until when it may wait, if it still does.
    pub(crate) fn leave_by(&mut self, seq: u64, now: Instant) -> Option<Instant> {
        let until = self.queue.leave_by(seq)?;
        if until > now {
            return Some(until);
        }
        let error = self.waited_too_long();
        if let Some(ticket) = self.queue.remove(seq) {
            self.actions.fail(ticket, error);
        }
        None
    }

    /// Takes the request out of the queue whose caller has gone away.
    pub(crate) fn handle_gone_caller(&mut self, seq: u64) {
        if let Some(ticket) = self.queue.remove(seq) {
            self.actions.discard(ticket);
        }
    }

    /// Takes all requests out of the queue, for their callers to hand them in again.
    pub(crate) fn take_queue(&mut self) -> Vec<Ticket<P>> {
        self.queue.drain()
    }

    pub(super) fn waited_too_long(&self) -> Error {
        let what =
            "no connection became free in time (wait_timeout and max_connections of the pool)";
        let text = self.describe(what);
        Error::new(Kind::WaitTimeout, text)
    }

    /// Why a request gets no connection, with what may be the matter.
    pub(super) fn describe(&self, what: &str) -> String {
        let (waiting, live) = (self.queue.len(), self.live());
        match self.connections.iter().filter(|c| c.is_streaming()).count() {
            0 => format!("{what}; {waiting} requests were waiting"),
            held => format!(
                "{what}; {waiting} requests were waiting, and {held} of {live} connections were \
                 held by large messages under way, such as answers whose body is not read to its end"
            ),
        }
    }

    /// Puts back a request that had a connection. One that may only go to that one fails instead,
    /// as all do once the endpoint is given up.
    pub(super) fn put_back(&mut self, ticket: Ticket<P>, now: Instant) {
        if self.aborted {
            self.actions.fail(ticket, refusal::aborted());
        } else if ticket.order().bound.is_some() {
            self.actions.fail(ticket, refusal::gone());
        } else {
            if self.callers_keep_time {
                self.actions.wake(ticket.nudge());
            }
            self.wait(ticket, now);
        }
    }

    /// Callers look at their own clocks from now on, or do so no more. Those who wait are woken.
    pub(crate) fn handle_timekeeping(&mut self, callers_keep_time: bool) {
        self.callers_keep_time = callers_keep_time;
        if callers_keep_time {
            let waiting = self.queue.iter().filter_map(Ticket::nudge);
            self.actions.wake(waiting);
        }
    }
}
