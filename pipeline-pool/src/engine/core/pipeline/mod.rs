//! One connection's order, without a socket or a clock.
//!
//! ```text
//!             fill: encoded              handle_written              handle_input
//!   queued ─────────────────▶ in flight ────────────────▶ in flight ─────────────▶ answered
//!     │  ▲                    in the outbox               on the wire                │
//!     │  │ Scheduler::           │      │                    │     │         a large reply is
//!     │  │ handle_report         │      │ handle_timeout:    │     │         open until its end
//!     ▼  │                       │      ▼ the caller is told │     ▼
//!   (the wait queue)             │      and its reply is     │   close: replayed, if it may run
//!                                ▼      thrown away          │   twice and may have been sent;
//!                        close: moved, if nothing            └─▶ else failed
//!                        of it has been sent
//! ```
//!
//! *Problem:* An answer must never reach the wrong request, whatever the server sends and however the
//! bytes are cut. *Decision:* The order of a connection is kept by code that takes bytes and an instant
//! and gives bytes and verdicts; it touches no socket. Bytes that nobody asked for, two lengths, a
//! length together with chunked coding, a bad chunk or a head over its bound end the connection: the
//! request at the front fails, and those behind it are repeated only if they may be. A caller that goes
//! away leaves its place in the order: its answer is read and thrown away, and if that answer is large
//! or stalls, the connection closes. *Cost:* A server that sends one byte too many loses a connection
//! that might have been used further.
//!
//! Replies are handed out in the order of the requests. When the connection ends,
//! [`Pipeline::close`] gives the verdict on each request: moved, replayed, or failed.
//!
//! Methods are of four kinds: getters, `handle_*` for what happened, commands, and `poll_*`.

mod ending;
mod input;
mod timing;

use std::collections::VecDeque;
use std::task::{Context, Poll, Waker, ready};
use std::time::{Duration, Instant};

use bytes::BytesMut;

use self::timing::{earlier, too_late};
use super::action::wake;
use super::connection::Report;
use super::depth::{Marks, Sample};
use super::ticket::Ticket;
use crate::error::{Error, Kind};
use crate::event::CloseReason;
use crate::outbox::Outbox;
use crate::protocol::{Encoded, Protocol};

pub(crate) use self::ending::Ending;

/// No more is encoded while this many bytes wait to be written.
const MAX_OUTBOX: usize = 256 * 1024;
/// How long it takes until a request is looked at again that is late and could not be sent a second
/// time: the replies of that time earn further copies.
const HEDGE_PAUSE: Duration = Duration::from_millis(5);
/// Bytes of a request that are still written when nobody waits for it any more: another connection
/// costs more than they do.
const MAX_WASTED_WRITE: usize = 64 * 1024;

/// The requests of one connection, and the bytes on their way.
pub(crate) struct Pipeline<P: Protocol> {
    protocol: P,
    /// Requests that are not encoded yet.
    queued: VecDeque<Ticket<P>>,
    /// Requests that are encoded, their replies to come in this order.
    flight: VecDeque<InFlight<P>>,
    out: Outbox,
    input: BytesMut,
    /// The last in flight has more to be encoded.
    encoding: bool,
    /// The reply of the first in flight has been handed out and is still coming.
    open: bool,
    /// The peer will send no more.
    eof: bool,
    /// No further request may go out on this connection.
    spent: bool,
    /// Replies so far.
    replies: u64,
    /// Requests that have left since the last report.
    done: usize,
    /// What the replies since the last report tell of the server.
    sample: Sample,
    /// The times that replies are held against.
    marks: Marks,
    /// When the requests behind a late reply are looked at again that could not be sent a second time.
    hedge_again: Option<Instant>,
    /// The most requests that were in flight at once.
    deepest: usize,
    /// Callers who have been told and are still to be woken.
    wakes: Vec<Waker>,
    /// When bytes last came, or the wait for the present head began.
    heard: Instant,
    /// Since when a reply has come for which nobody waits.
    deserted: Option<Instant>,
    /// When bytes last went out, or began to wait.
    wrote: Instant,
    /// When nothing was left to do.
    idle_since: Instant,
    /// The earliest deadline of the requests seen since the timer was last set.
    soonest: Option<Instant>,
}

/// A request whose reply is to come.
struct InFlight<P: Protocol> {
    ticket: Ticket<P>,
    /// Where its bytes begin and end in all that its connection writes.
    start: u64,
    end: u64,
    /// When it was sent, or encoded while that has not happened yet.
    sent_at: Instant,
}

impl<P: Protocol> Pipeline<P> {
    /// The order of a connection that is open since `now`.
    pub(crate) fn new(protocol: P, now: Instant) -> Self {
        Self {
            protocol,
            queued: VecDeque::new(),
            flight: VecDeque::new(),
            out: Outbox::default(),
            input: BytesMut::new(),
            encoding: false,
            open: false,
            eof: false,
            spent: false,
            replies: 0,
            done: 0,
            sample: Sample::default(),
            marks: Marks::default(),
            hedge_again: None,
            deepest: 0,
            wakes: Vec::new(),
            heard: now,
            deserted: None,
            wrote: now,
            idle_since: now,
            soonest: None,
        }
    }

    /// Whether nothing is under way.
    pub(crate) fn is_idle(&self) -> bool {
        self.queued.is_empty() && self.flight.is_empty() && self.out.is_empty()
    }

    /// Replies that have come in whole.
    pub(crate) fn replies(&self) -> u64 {
        self.replies
    }

    /// The most requests that were in flight at once.
    pub(crate) fn deepest(&self) -> usize {
        self.deepest
    }

    /// Whether a part of a reply is here and its rest is not.
    pub(crate) fn is_amid(&self) -> bool {
        !self.input.is_empty() || self.protocol.is_amid()
    }

    /// How many bytes of the reply under way are still to come, as far as that is known.
    pub(crate) fn bulk(&self) -> u64 {
        self.protocol.bulk()
    }

    /// Whether the next to go out, with nothing before it, is one that cannot be sent again.
    pub(crate) fn begins_once(&self) -> bool {
        self.flight.is_empty() && self.queued.front().is_some_and(|t| !t.is_repeatable())
    }

    /// Whether a request that comes in pieces is not out yet.
    pub(crate) fn is_encoding(&self) -> bool {
        self.encoding
    }

    /// Whether there are bytes to be written, or more of a request to be encoded.
    pub(crate) fn is_writing(&self) -> bool {
        self.encoding || !self.out.is_empty()
    }

    /// Whether requests have left since the last report.
    pub(crate) fn has_done(&self) -> bool {
        self.done > 0
    }

    /// The requests that are not encoded yet.
    pub(crate) fn queued(&mut self) -> &mut VecDeque<Ticket<P>> {
        &mut self.queued
    }

    /// What is to be written. [`handle_written`](Self::handle_written) is told how much of it was.
    pub(crate) fn out(&self) -> &Outbox {
        &self.out
    }

    /// Where what is read goes. [`handle_input`](Self::handle_input) is called after that.
    pub(crate) fn input(&mut self) -> &mut BytesMut {
        &mut self.input
    }

    /// Sets the times that replies are held against.
    pub(super) fn set_marks(&mut self, marks: Marks) {
        self.marks = marks;
    }

    /// Whether [`fill`](Self::fill) would encode something now.
    pub(crate) fn can_fill(&self) -> bool {
        self.queued
            .front()
            .is_some_and(|next| self.may_encode(next))
    }

    fn may_encode(&self, next: &Ticket<P>) -> bool {
        // RFC 9112, 9.3.2: nothing is pipelined before the server has shown, by an answer, that
        // it keeps the connection.
        let alone = next.is_alone() || self.replies == 0;
        let blocked = self
            .flight
            .back()
            .is_some_and(|last| alone || last.ticket.is_alone());
        !(blocked || self.encoding || self.spent || self.out.len() > MAX_OUTBOX)
    }

    /// What has happened since this was last asked, and the requests that need not wait here: what
    /// has not gone out yet, where it stands behind a large reply or one that is late.
    pub(super) fn report(&mut self, expired: bool, now: Instant) -> (Report, VecDeque<Ticket<P>>) {
        let stuck = self.is_stuck(now);
        if !stuck {
            self.hedge_again = None;
        }
        let back = match stuck || self.open {
            true => std::mem::take(&mut self.queued),
            false => VecDeque::new(),
        };
        let report = Report {
            done: std::mem::take(&mut self.done) + back.len(),
            sample: std::mem::take(&mut self.sample),
            proven: self.replies > 0,
            streaming: self.open || self.encoding,
            expired,
            stuck,
        };
        (report, back)
    }

    /// Second copies of the requests that wait behind a late reply, or for it, up to `most`. If there
    /// are more of them, they are looked at again some time later.
    pub(super) fn hedge(&mut self, most: usize, now: Instant) -> Vec<Ticket<P>> {
        let flight = self.flight.iter_mut();
        let copies = flight.filter_map(|f| f.ticket.hedge()).take(most);
        let copies = copies.collect();
        let left = self.flight.iter().any(|f| f.ticket.may_hedge());
        self.hedge_again = left.then(|| now + HEDGE_PAUSE);
        copies
    }

    /// Encodes what may go out now.
    pub(crate) fn fill(&mut self, now: Instant) {
        while let Some(ticket) = self.queued.front() {
            if ticket.is_abandoned() {
                self.queued.pop_front();
                self.done += 1;
                continue;
            }
            let late = ticket.order().deadline <= now;
            if !late && !self.may_encode(ticket) {
                break;
            }
            let Some(mut ticket) = self.queued.pop_front() else {
                break;
            };
            if late {
                // It would be sent for nobody.
                self.done += 1;
                ticket.fail(&too_late());
                continue;
            }
            self.encode(ticket, now);
        }
        for ticket in &self.queued {
            self.soonest = earlier(self.soonest, ticket.order().deadline);
        }
    }

    fn encode(&mut self, mut ticket: Ticket<P>, now: Instant) {
        if self.flight.is_empty() {
            self.heard = now;
        }
        if self.out.is_empty() {
            self.wrote = now;
        }
        let start = self.out.end();
        self.encoding = ticket.encode(&mut self.protocol, &mut self.out) == Encoded::Partly;
        self.soonest = earlier(self.soonest, ticket.order().deadline);
        self.flight.push_back(InFlight {
            ticket,
            start,
            end: self.out.end(),
            sent_at: now,
        });
        self.deepest = self.deepest.max(self.flight.len());
    }

    /// Encodes more of a request that comes in pieces.
    ///
    /// # Errors
    /// When its source fails, or nobody waits for it any more: the connection has to be closed.
    pub(crate) fn poll_encode(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.check_abandoned()?;
        while self.encoding && self.out.len() < MAX_OUTBOX {
            let Some(last) = self.flight.back_mut() else {
                break;
            };
            if last.ticket.is_abandoned() && !self.open {
                // Those before it are served first.
                return Poll::Pending;
            }
            let ticket = &mut last.ticket;
            let complete = ready!(ticket.poll_encode(&mut self.protocol, &mut self.out, cx))?;
            last.end = self.out.end();
            self.encoding = !complete;
        }
        Poll::Ready(Ok(()))
    }

    /// Whether much of the only request in flight is still to be read or written, before any reply.
    fn is_uploading(&self) -> bool {
        let much = self.encoding || self.out.len() > MAX_WASTED_WRITE;
        much && !self.open && self.flight.len() == 1
    }

    /// Has this driver woken when the caller goes away whose request it is about to write.
    pub(crate) fn watch(&self, cx: &Context<'_>) {
        if self.is_uploading()
            && let Some(first) = self.flight.front()
        {
            first.ticket.watch(cx);
        }
    }

    /// The rest of a request has to be neither read nor sent when its caller has gone away, and
    /// without it nothing more can go out here.
    fn check_abandoned(&self) -> Result<(), Error> {
        let first = self.flight.front();
        if self.is_uploading() && first.is_some_and(|f| f.ticket.is_abandoned()) {
            let text = "nobody waits for the request that was being sent";
            return Err(Error::new(Kind::Closed, text).because(CloseReason::Caller));
        }
        Ok(())
    }

    /// Takes note that `n` bytes were written.
    pub(crate) fn handle_written(&mut self, n: usize, now: Instant) {
        self.out.wrote(n);
        self.wrote = now;
        // The wait for an answer begins when the request is out.
        if self.flight.len() == 1
            && !self.open
            && let Some(front) = self.flight.front_mut()
        {
            self.heard = now;
            front.sent_at = now;
        }
    }

    /// Wakes the callers who have been told. All at once, and after the endpoint knows what is
    /// done: other threads may run them right away, and what they ask next should find the room
    /// that they left.
    pub(crate) fn wake_told(&mut self) {
        self.wakes.drain(..).for_each(wake);
    }
}

#[cfg(test)]
mod rules;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
