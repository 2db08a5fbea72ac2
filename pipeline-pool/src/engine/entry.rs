//! One request on its way, wherever it is at the moment.

use std::time::Instant;

use tokio::sync::oneshot;

use super::teller::Teller;
use crate::error::{Error, Sent};
use crate::protocol::{Class, ConnectionId, Protocol};

/// A request with all that the engine knows of it.
pub(crate) struct Entry<P: Protocol> {
    pub(crate) request: P::Request,
    pub(crate) class: Class,
    /// Where the outcome goes; nothing once it has been told.
    pub(crate) teller: Option<Teller<P>>,
    pub(crate) ticket: Ticket,
    /// Where its bytes lie in what its connection writes.
    pub(crate) start: u64,
    pub(crate) end: u64,
    /// When it was encoded.
    pub(crate) sent_at: Option<Instant>,
}

/// What stays the same when a request moves to another connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ticket {
    /// Its place in the order of arrival.
    pub(crate) seq: u64,
    /// Until when it may wait for a connection.
    pub(crate) wait_until: Instant,
    /// Until when its reply must have begun.
    pub(crate) deadline: Instant,
    /// How much of it was written in the worst case so far.
    pub(crate) sent: Sent,
    pub(crate) replays: u8,
    pub(crate) moves: u8,
    /// The only connection that it may go to.
    pub(crate) bound: Option<ConnectionId>,
}

/// How it ended for one request.
pub(crate) enum Outcome<P: Protocol> {
    Done(Result<P::Reply, Error>),
    /// The runtime that served it is gone: it has to be handed in again from its own.
    Again(Box<(P::Request, Ticket)>),
}

impl<P: Protocol> Entry<P> {
    pub(crate) fn new(
        request: P::Request,
        ticket: Ticket,
    ) -> (Self, oneshot::Receiver<Outcome<P>>) {
        let (teller, outcome) = oneshot::channel();
        let mut class = P::class(&request);
        // What was lost once goes alone, so that it is not lost again for another's sake.
        class.alone |= ticket.replays > 0;
        let entry = Self {
            request,
            class,
            teller: Some(Teller::One(teller)),
            ticket,
            start: 0,
            end: 0,
            sent_at: None,
        };
        (entry, outcome)
    }

    /// Whether its caller has gone away, or has been told already.
    pub(crate) fn is_abandoned(&self) -> bool {
        self.teller.as_ref().is_none_or(Teller::is_closed)
    }

    /// Tells the caller of a reply; a reply to nobody is dropped.
    pub(crate) fn reply(&mut self, reply: P::Reply) {
        if let Some(teller) = self.teller.take() {
            teller.tell(Outcome::Done(Ok(reply)));
        }
    }

    /// Tells the caller of a reply that ends its request: what the request holds is free when the
    /// caller hears of it.
    pub(crate) fn finish(self, reply: P::Reply) {
        let Self {
            request, teller, ..
        } = self;
        drop(request);
        if let Some(teller) = teller {
            teller.tell(Outcome::Done(Ok(reply)));
        }
    }

    /// Tells the caller of a failure that ends its request, as [`finish`](Self::finish) does.
    pub(crate) fn end(self, error: &Error) {
        let Self {
            request,
            teller,
            ticket,
            ..
        } = self;
        drop(request);
        if let Some(teller) = teller {
            let sent = ticket.sent.max(error.sent());
            teller.tell_failure(Outcome::Done(Err(error.clone().with_sent(sent))));
        }
    }

    /// Tells the caller of a failure.
    pub(crate) fn fail(&mut self, error: &Error) {
        if let Some(teller) = self.teller.take() {
            let sent = self.ticket.sent.max(error.sent());
            teller.tell_failure(Outcome::Done(Err(error.clone().with_sent(sent))));
        }
    }

    /// Hands the request back to its caller, to be sent from another runtime.
    pub(crate) fn bounce(mut self) {
        if let Some(teller) = self.teller.take() {
            teller.tell_failure(Outcome::Again(Box::new((self.request, self.ticket))));
        }
    }

    /// A second copy of a request that may run twice, for another connection.
    pub(crate) fn hedge(&mut self) -> Option<Self> {
        let fixed = !self.class.repeatable || self.ticket.bound.is_some();
        if fixed || self.is_abandoned() || self.is_hedged() {
            return None;
        }
        let request = P::duplicate(&self.request)?;
        let (mine, teller) = self.teller.take()?.split();
        self.teller = Some(mine);
        Some(Self {
            request,
            class: self.class,
            teller: Some(teller),
            ticket: self.ticket,
            start: 0,
            end: 0,
            sent_at: None,
        })
    }

    fn is_hedged(&self) -> bool {
        matches!(self.teller, Some(Teller::Shared(_)))
    }
}
