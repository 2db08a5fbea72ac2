//! What becomes of each request when the connection ends.
//!
//! | of the request was written | it may run twice | it may not |
//! |---|---|---|
//! | nothing | moved | moved |
//! | a part, or all | replayed, alone | failed: it may have run |
//!
//! *Problem:* a request that was lost may have run at the server, and one that waited behind it may
//! not even have left. *Decision:* what the outbox has written is counted in bytes, and each request
//! knows where it lies among them; so every error says whether none, some or all of its request may
//! have reached the server, and only what may run twice is sent twice. The first request fails where
//! the server sent nonsense or nothing: sent again, it would do the same to the next connection.
//! *Cost:* two positions for each request in flight.

use super::{InFlight, Pipeline};
use crate::engine::config::Config;
use crate::engine::core::refusal::gone;
use crate::engine::core::ticket::Ticket;
use crate::error::{Error, Kind, Sent};
use crate::event::CloseReason;
use crate::protocol::Protocol;

/// A server that ends a connection before this many answers is not made for pipelining.
const FEW_REPLIES: u64 = 16;

/// How a connection has ended.
pub(crate) struct Ending<P: Protocol> {
    /// The requests that go elsewhere, in their order.
    pub(crate) again: Vec<Ticket<P>>,
    /// How many of them had been sent here, and are sent again.
    pub(crate) replayed: u64,
    /// This says why the connection has ended.
    pub(crate) reason: CloseReason,
    /// The server ended it, and had not answered anything on it.
    pub(crate) dud: bool,
    /// It ended as one does that does not stand pipelining.
    pub(crate) broken: bool,
}

impl<P: Protocol> Pipeline<P> {
    /// Ends the order of this connection: tells those that cannot be sent again, and gives back
    /// the others in their order.
    pub(crate) fn close(&mut self, cause: &Error, config: &Config) -> Ending<P> {
        // Where splitting the input has panicked, those before have been told and not woken.
        self.wake_told();
        let reason = CloseReason::of(cause);
        let mut ending = Ending {
            again: Vec::new(),
            replayed: 0,
            reason,
            dud: self.replies == 0 && !self.open && reason.is_of_server(),
            broken: self.is_broken(cause, reason),
        };
        let written = self.out.written();
        let flight = std::mem::take(&mut self.flight);
        let last = flight.len().wrapping_sub(1);
        if let Some(first) = flight.front().filter(|_| self.open) {
            // The server has seen the request whose reply has begun, whatever ends that now.
            let sent = sent(first, written, self.encoding && last == 0).max(Sent::Part);
            self.protocol.abort(&cause.clone().at_least(sent));
        }
        for (i, request) in flight.into_iter().enumerate() {
            self.done += 1;
            let encoding = self.encoding && i == last;
            let sent = sent(&request, written, encoding);
            judge(
                request.ticket,
                sent,
                encoding,
                i == 0,
                cause,
                config,
                &mut ending,
            );
        }
        self.done += self.queued.len();
        for mut ticket in self.queued.drain(..) {
            ticket.note_move();
            if ticket.order().bound.is_some() {
                ticket.fail(&gone());
            } else if ticket.history().moves > config.max_moves {
                ticket.fail(cause);
            } else if !ticket.is_abandoned() {
                ending.again.push(ticket);
            }
        }
        ending
    }

    /// Whether the connection ends as one does whose server does not stand pipelining.
    fn is_broken(&self, cause: &Error, reason: CloseReason) -> bool {
        // What is ended from this side tells nothing of the server.
        let ours = matches!(reason, CloseReason::Caller | CloseReason::Shutdown);
        let few = self.replies < FEW_REPLIES && !ours;
        cause.kind() == Kind::Protocol || few && (self.spent || self.owes_replies())
    }

    /// Whether a request that was sent, wholly or in part, has no whole reply yet.
    fn owes_replies(&self) -> bool {
        self.flight.iter().any(|f| f.start < self.out.written())
    }
}

/// Gives the verdict on a request that is in flight when its connection ends: so much of it was
/// sent, and `encoding` says that there is more of it to be encoded.
fn judge<P: Protocol>(
    mut ticket: Ticket<P>,
    sent: Sent,
    encoding: bool,
    first: bool,
    cause: &Error,
    config: &Config,
    ending: &mut Ending<P>,
) {
    if ticket.is_abandoned() {
        return;
    }
    ticket.note_sent(sent);
    // The first is at fault for what came in its place, if the server can have seen it; those
    // behind it are not.
    let doubtful = matches!(cause.kind(), Kind::Protocol | Kind::Timeout);
    let at_fault = first && sent != Sent::No && doubtful || encoding && cause.kind() == Kind::Body;
    let whole = !encoding || ticket.is_untouched();
    let history = ticket.history();
    let may_move = sent == Sent::No && whole && history.moves < config.max_moves;
    let may_replay =
        sent != Sent::No && ticket.is_repeatable() && history.replays < config.max_replays;
    let bound = ticket.order().bound.is_some();
    if at_fault || bound || !(may_move || may_replay) {
        ticket.end(cause);
        return;
    }
    if sent == Sent::No {
        ticket.note_move();
    } else {
        ticket.note_replay();
        ending.replayed += 1;
    }
    ending.again.push(ticket);
}

/// How much of a request in flight was sent when so many bytes are written; `encoding` says that
/// there is more of it to be encoded.
pub(super) fn sent<P: Protocol>(request: &InFlight<P>, written: u64, encoding: bool) -> Sent {
    if written <= request.start {
        Sent::No
    } else if written < request.end || encoding {
        Sent::Part
    } else {
        Sent::All
    }
}
