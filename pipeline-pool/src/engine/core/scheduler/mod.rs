//! Which connection a request goes to, and when one more is opened.
//!
//! A request goes, in this order of preference, to a connection in use that has fewer requests than are
//! packed, where packing has been learnt to pay; to the connection that became idle last; to a new one,
//! up to the cap and a few at a time; at the cap, behind the requests of the connection with the
//! shortest expected wait, up to the depth; into the queue.
//!
//! ```text
//!                       handle_submit
//!                             │ no room           room
//!                  ┌──────────┴───────┬─────────────────────┐
//!                  ▼                  │                     ▼
//!   handle_timeout, leave_by       queued ── a connection ─▶ handed to a connection
//!   ◀───────── fails, unsent          ▲     has room        │   │
//!                                     │                     │   │ handle_report: done
//!                                     └─────────────────────┘   ▼
//!                        handle_report: stuck or streaming    answered, or failed
//!                        handle_ended: may be sent again
//! ```
//!
//! *Problem:* The pool has to choose, for each request, between an idle connection, a new one, a place
//! behind other requests, and waiting. *Decision:* It takes the connection that became idle last; else
//! it opens another, up to the cap and a few at a time; at the cap it takes the connection with the
//! least expected wait, up to the learnt depth; else the request waits in line. Where it is learnt that
//! requests are served faster when they share reads and writes, the fullest connection in use comes
//! first that has not as many as are packed, so that others run out of requests. A request that may run
//! only once never stands behind another one, since it could be sent and then lost for a reason that is
//! not its own; at the cap it reserves the next connection to drain. Idle connections are closed after
//! 15 s, since S3 closes them after about 20 s, and a request that enters a closing socket has to be
//! repeated. *Cost:* One lock for each origin is taken for every request. It is held for as long as the
//! choice takes, and nothing of the caller's runs under it.
//!
//! The scheduler is told what happens by `handle_*`, and says by `poll_*` what is to be done. It has
//! neither a clock nor a socket: every instant is handed in. The shell keeps it under one lock.

mod lifecycle;
mod reports;
mod requests;

use std::task::Waker;
use std::time::Instant;

use super::action::{Action, Actions};
use super::connection::ConnId;
#[cfg(test)]
use super::connection::Phase;
use super::connections::Connections;
use super::depth::DepthControl;
#[cfg(test)]
use super::depth::Width;
use super::growth::Growth;
use super::hedging::HedgeBudget;
use super::permits::Holdings;
use super::queue::WaitQueue;
use crate::engine::config::Config;
use crate::protocol::{ConnectionId, Protocol};

/// One endpoint's connections and its queue.
pub(crate) struct Scheduler<P: Protocol> {
    queue: WaitQueue<P>,
    max_waiters: usize,
    connections: Connections<P>,
    /// How many there are, and when one more is opened.
    growth: Growth,
    /// How deep each may be.
    depth: DepthControl,
    /// How many requests may be sent a second time now.
    hedges: HedgeBudget,
    /// What the shell has to do.
    actions: Actions<P>,
    /// A connection was wanted and none was allowed by the cap in all; the endpoint has a place
    /// among those who wait for a permit.
    starved: bool,
    /// Connections being opened that are to be given up for other endpoints, each after it has
    /// served one request.
    owed: usize,
    /// Callers who were told of their replies and have not come with their next request yet, as far
    /// as it is expected of them.
    away: usize,
    /// Requests that have come out of the queue to a connection.
    served: u64,
    /// Since when there has been no connection, while there is none.
    quiet: Instant,
    /// Callers look at their own clocks, as what serves them may stand still.
    callers_keep_time: bool,
    /// No new request is taken.
    closed: bool,
    /// What is under way is given up too.
    aborted: bool,
    /// Idle connections are not kept.
    retired: bool,
}

/// Where a request has gone that was taken.
#[derive(Debug)]
pub(crate) enum Submitted {
    /// To a connection, whose driver has to be woken if it is given.
    Handed(Option<Waker>),
    /// The request goes into the queue.
    Queued,
}

/// What has gone elsewhere with a report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rerouted {
    /// Requests that went back to the queue.
    pub(crate) moved: usize,
    /// Second copies of requests that wait for a late reply.
    pub(crate) hedged: usize,
    /// There may be more connections than before, which is to be asked for.
    pub(crate) widened: bool,
}

impl<P: Protocol> Scheduler<P> {
    pub(crate) fn new(config: &Config, born: Instant) -> Self {
        Self {
            queue: WaitQueue::new(config.wait_timeout),
            max_waiters: config.max_waiters,
            connections: Connections::new(),
            growth: Growth::new(config),
            depth: DepthControl::new(config.max_depth, config.fixed_depth),
            hedges: HedgeBudget::new(config.hedge),
            actions: Actions::new(),
            starved: false,
            owed: 0,
            away: 0,
            served: 0,
            quiet: born,
            callers_keep_time: false,
            closed: false,
            aborted: false,
            retired: false,
        }
    }

    /// Whether a connection is to be opened now, for which the shell has to ask for a permit. It
    /// answers with [`handle_permit`](Self::handle_permit) or
    /// [`handle_refusal`](Self::handle_refusal), and asks again. To be asked after everything that
    /// makes room, or makes the queue longer.
    pub(crate) fn poll_opening(&mut self, now: Instant) -> bool {
        !self.starved
            && !self.aborted
            && self.growth.wanted(self.queue.len(), now) > 0
            && self.queue.has_next(&mut self.actions)
    }

    /// Whether the endpoint gives up its place among those who wait for a permit, as nobody needs
    /// the permit any more that was asked for. To be asked after every change.
    pub(crate) fn poll_decline(&mut self) -> bool {
        let declines = self.starved && self.queue.is_empty();
        self.starved &= !declines;
        declines
    }

    /// The next thing to be done outside, once the scheduler is not locked any more.
    pub(crate) fn poll_action(&mut self) -> Option<Action<P>> {
        self.actions.poll()
    }

    #[cfg(test)]
    pub(crate) fn queue(&self) -> &WaitQueue<P> {
        &self.queue
    }

    /// Whether a connection takes requests.
    #[cfg(test)]
    pub(crate) fn is_ready(&self, id: ConnId) -> bool {
        let connection = self.connections.peek(id);
        connection.is_some_and(|c| c.phase() == Phase::Ready)
    }

    /// The most connections that there may be now.
    #[cfg(test)]
    pub(crate) fn cap(&self) -> usize {
        self.growth.cap()
    }

    /// Has there be as many connections as this width allows, as if that had been learnt.
    #[cfg(test)]
    pub(crate) fn teach_width(&mut self, width: Width) {
        let setting = self.depth.learnt();
        self.depth.teach(setting.with(width));
        self.apply_width();
        self.rank_all();
        self.hand_out();
    }

    #[cfg(test)]
    pub(crate) fn actions(&mut self) -> &mut Actions<P> {
        &mut self.actions
    }

    /// When [`handle_timeout`](Self::handle_timeout) is to be called if no connection reports
    /// before: the next of those who wait has waited too long, a pause is over, or a narrow setting
    /// has brought no reply for a second.
    pub(crate) fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        if self.queue.is_empty() {
            return None;
        }
        let paused = self.growth.paused_until().filter(|until| *until > now);
        let times = [self.queue.earliest(), paused, self.depth.narrow_until()];
        times.into_iter().flatten().min()
    }

    /// Has those told who have waited too long, and leaves a narrow setting that brings no reply while requests wait. It has
    /// to be asked afterwards whether a connection is to be opened.
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        let is_over = self.depth.narrow_until().is_some_and(|at| at <= now);
        if is_over && !self.queue.is_empty() {
            self.depth.leave_narrow(now);
            self.apply_width();
            self.rank_all();
            self.hand_out();
        }
        if self.queue.is_due(now) {
            let error = self.waited_too_long();
            self.queue.expire(now, &error, &mut self.actions);
        }
    }

    /// Connections, those being opened and those closing included.
    pub(crate) fn live(&self) -> usize {
        self.growth.live()
    }

    /// Connections that have nothing to do.
    pub(crate) fn idle(&self) -> usize {
        self.connections.idle()
    }

    /// Requests in the queue.
    pub(crate) fn waiting(&self) -> usize {
        self.queue.len()
    }

    /// Requests that have come out of the queue to a connection.
    pub(crate) fn served(&self) -> u64 {
        self.served
    }

    /// How deep connections are pipelined.
    pub(crate) fn depth(&self) -> &DepthControl {
        &self.depth
    }

    /// Since when there has been no connection, while there is none.
    #[cfg_attr(
        not(feature = "http1"),
        expect(dead_code, reason = "only a pool of several origins forgets one")
    )]
    pub(crate) fn quiet(&self) -> Instant {
        self.quiet
    }

    /// The connections, as those see them who share the cap.
    pub(crate) fn holdings(&mut self) -> Holdings {
        Holdings {
            oldest_idle: self.connections.oldest_idle(),
            live: self.live(),
            leaving: self.owed + self.connections.closing(),
        }
    }

    /// Whether there is neither a connection nor a request that waits for one.
    pub(crate) fn is_gone(&self) -> bool {
        self.live() == 0 && self.queue.is_empty()
    }

    /// Whether no new request is taken.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed
    }

    /// The name that a connection is known by outside; one that is gone has a name of its own.
    pub(crate) fn name(&mut self, id: ConnId) -> ConnectionId {
        let connection = self.connections.get(id);
        connection.map_or_else(ConnectionId::next, |c| c.name())
    }

    /// Requests that were handed to a connection and not taken yet.
    pub(crate) fn mail(&mut self, id: ConnId) -> usize {
        self.connections.get(id).map_or(0, |c| c.mail())
    }

    /// Callers who were told of their replies and are expected back with their next request.
    pub(crate) fn away(&self) -> usize {
        self.away
    }

    /// Expects nobody back.
    pub(crate) fn forget_away(&mut self) {
        self.away = 0;
    }
}

#[cfg(test)]
mod tests;
