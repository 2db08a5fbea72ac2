//! Connections are opened, end, and give way.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::Scheduler;
use crate::engine::core::connection::{ConnId, Connection};
use crate::engine::core::pipeline::Ending;
use crate::engine::core::refusal;
use crate::engine::core::ticket::Ticket;
use crate::error::Error;
use crate::protocol::Protocol;

impl<P: Protocol> Scheduler<P> {
    /// There is a permit for a connection, which begins to be opened.
    pub(crate) fn handle_permit(&mut self, now: Instant) -> ConnId {
        self.growth.begin();
        self.connections.add(now)
    }

    /// There is no permit, and the endpoint has a place among those who wait for one.
    pub(crate) fn handle_refusal(&mut self) {
        self.starved = true;
        // At the cap by the word of others: what can be pipelined is.
        self.hand_out();
    }

    /// A permit may be free for this endpoint, which has waited for one.
    pub(crate) fn handle_permit_freed(&mut self) {
        self.starved = false;
    }

    /// A connection is open, and takes the request that has waited the longest: what waits then is
    /// what further connections are for. If it is to be given up for another endpoint it takes that
    /// one too, as endpoints that take turns would otherwise get nowhere.
    pub(crate) fn handle_opened(&mut self, id: ConnId, rtt: Option<Duration>) {
        let opened = self
            .connections
            .get(id)
            .is_some_and(|c| c.handle_opened(rtt));
        if !opened {
            return;
        }
        self.growth.opened();
        if let Some(ticket) = self.queue.pop(&mut self.actions) {
            self.served += 1;
            let waker = self.hand(id, ticket);
            self.actions.wake(waker);
        }
        if self.owed > 0 {
            self.owed -= 1;
            self.close(id);
        }
        if self.growth.opening() == 0 {
            // What was left for this connection, and has come too late for it, need not wait for
            // another one's next report.
            self.hand_out();
        }
    }

    /// A connection could not be opened. With nothing left that could serve them, those who wait
    /// hear of it now. Being out of file descriptors (`exhausted`) is no fault of the server, and is
    /// waited out.
    pub(crate) fn handle_open_failed(
        &mut self,
        id: ConnId,
        error: &Error,
        exhausted: bool,
        now: Instant,
    ) {
        if self.connections.remove(id).is_some() {
            self.growth.failed(now);
        }
        self.owed = self.owed.min(self.growth.opening());
        self.quiet = now;
        self.note_poverty();
        if !exhausted && self.live() == 0 {
            for ticket in self.queue.drain() {
                self.actions.fail(ticket, error.clone());
            }
        }
        self.hand_out();
    }

    /// A connection that was being opened is given up, through no fault of the server.
    pub(crate) fn handle_withdrawn(&mut self, id: ConnId) {
        if self.connections.remove(id).is_some() {
            self.growth.withdrawn();
        }
        self.owed = self.owed.min(self.growth.opening());
        self.note_poverty();
    }

    /// An endpoint that has lost its last connection may ask for a permit as one that has none.
    fn note_poverty(&mut self) {
        self.starved &= self.live() > 0;
    }

    /// Whether the endpoint's own cap leaves room for a socket beside that of a connection being
    /// opened.
    pub(crate) fn has_room(&self) -> bool {
        self.growth.has_room()
    }

    /// A socket is taken beside that of a connection being opened.
    pub(crate) fn handle_extra_socket(&mut self) {
        self.growth.race();
    }

    /// Such a socket is closed.
    pub(crate) fn handle_extra_closed(&mut self) {
        self.growth.raced();
        self.hand_out();
    }

    /// A connection that was open has ended. What it could not do and may be sent again goes back to
    /// the queue.
    pub(crate) fn handle_ended(&mut self, id: ConnId, ending: Ending<P>, now: Instant) {
        let mail = self.remove_open(id, ending.dud, now);
        if ending.broken {
            self.depth.forbid(now);
            self.apply_width();
        }
        self.rank_all();
        for ticket in ending.again.into_iter().chain(mail) {
            self.put_back(ticket, now);
        }
        self.hand_out();
    }

    /// A connection that was open has ended as its runtime goes down. Gives back what it had been
    /// handed and not taken, for the callers to hand it in again.
    pub(crate) fn handle_dropped(&mut self, id: ConnId, now: Instant) -> VecDeque<Ticket<P>> {
        let mail = self.remove_open(id, false, now);
        self.rank_all();
        mail
    }

    fn remove_open(&mut self, id: ConnId, dud: bool, now: Instant) -> VecDeque<Ticket<P>> {
        self.quiet = now;
        let Some(connection) = self.connections.remove(id) else {
            return VecDeque::new();
        };
        self.growth.ended(dud, now);
        self.note_poverty();
        connection.into_mail()
    }

    /// Has a connection close when all that it has is done.
    fn close(&mut self, id: ConnId) {
        if let Some(connection) = self.connections.get(id) {
            connection.close();
            let waker = connection.wake();
            self.actions.wake(waker);
        }
        self.rank(id);
    }

    /// Has one connection close for the sake of another endpoint: the one that has been idle the
    /// longest, else the least busy one once it is done, else one that is being opened as soon as it
    /// is open.
    pub(crate) fn handle_eviction(&mut self) {
        match self.connections.least_needed() {
            Some(id) => {
                self.connections.unmark_idle(id);
                self.close(id);
            }
            None => self.owed = (self.owed + 1).min(self.growth.opening()),
        }
    }

    /// Has idle connections close, and every other when it has nothing left to do. With `closed` no
    /// new request is taken either.
    pub(crate) fn handle_retirement(&mut self, closed: bool) {
        self.retired = true;
        self.closed |= closed;
        self.wake_drivers();
    }

    /// Gives up every connection at once, and all who wait.
    pub(crate) fn handle_abort(&mut self) {
        self.closed = true;
        self.aborted = true;
        self.wake_drivers();
        for ticket in self.queue.drain() {
            self.actions.fail(ticket, refusal::aborted());
        }
    }

    fn wake_drivers(&mut self) {
        let drivers = self.connections.iter();
        self.actions.wake(drivers.filter_map(Connection::waker));
    }
}
