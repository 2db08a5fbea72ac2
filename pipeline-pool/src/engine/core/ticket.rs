//! One request on its way, wherever it is at the moment.
//!
//! A ticket is small, as it moves from queue to queue, and it is never copied: at every instant a
//! request is in one place only, or in two where it was [hedged](Ticket::hedge). Whoever ends a
//! request tells its caller through the ticket, at most once.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::BytesMut;

use super::call::{Call, Order, Outcome, RuntimeTag};
use crate::error::{Error, Kind, Sent};
use crate::outbox::Outbox;
use crate::protocol::{Decoded, Encoded, Protocol, Treatment};

/// So many copies are made of a request: the first one may have met a late reply as well.
const MAX_COPIES: u8 = 2;

/// A request as those hold it who serve it.
pub(crate) struct Ticket<P: Protocol> {
    call: Arc<Call<P>>,
    treatment: Treatment,
    history: History,
    /// Its caller has been told.
    told: bool,
    /// A further copy of it was made, or cannot be.
    hedged: bool,
    /// How many copies of the request were made before this one.
    copies: u8,
}

/// What a request has been through.
#[derive(Clone, Copy, Debug)]
pub(crate) struct History {
    /// How much of it was written in the worst case so far.
    pub(crate) sent: Sent,
    /// How often it was sent again after it may have reached a server.
    pub(crate) replays: u8,
    /// How often it has gone elsewhere before it was sent.
    pub(crate) moves: u8,
}

impl History {
    /// Nothing has happened to the request yet.
    pub(crate) const NONE: Self = Self {
        sent: Sent::No,
        replays: 0,
        moves: 0,
    };
}

impl<P: Protocol> Ticket<P> {
    pub(super) fn new(call: Arc<Call<P>>, mut treatment: Treatment, history: History) -> Self {
        // What was lost once goes alone, so that it is not lost again for another's sake.
        treatment.alone |= history.replays > 0;
        Self {
            call,
            treatment,
            history,
            told: false,
            hedged: false,
            copies: 0,
        }
    }

    /// What does not change while it is under way.
    pub(crate) fn order(&self) -> &Order {
        self.call.order()
    }

    /// Whether nothing may be in flight on its connection beside it.
    pub(crate) fn is_alone(&self) -> bool {
        self.treatment.alone
    }

    /// Whether the server may run it twice.
    pub(crate) fn is_repeatable(&self) -> bool {
        self.treatment.repeatable
    }

    /// What it has been through.
    pub(crate) fn history(&self) -> History {
        self.history
    }

    /// Notes how much of it may have reached a server.
    pub(crate) fn note_sent(&mut self, sent: Sent) {
        self.history.sent = self.history.sent.max(sent);
    }

    /// Notes that it goes elsewhere before it was sent.
    pub(crate) fn note_move(&mut self) {
        self.history.moves = self.history.moves.saturating_add(1);
    }

    /// Notes that it is sent again after it may have reached a server. From then on it goes alone.
    pub(crate) fn note_replay(&mut self) {
        self.history.replays = self.history.replays.saturating_add(1);
        self.treatment.alone = true;
    }

    /// Whether its caller has gone away, or has been told already.
    pub(crate) fn is_abandoned(&self) -> bool {
        self.told || self.call.is_over()
    }

    /// Whether its caller has been told by way of this ticket.
    pub(crate) fn is_told(&self) -> bool {
        self.told
    }

    /// Appends it to what is to be written.
    pub(crate) fn encode(&mut self, protocol: &mut P, out: &mut Outbox) -> Encoded {
        match &mut *self.call.request() {
            Some(request) if !self.call.is_answered() => protocol.encode(request, out),
            _ => Encoded::Wholly,
        }
    }

    /// Appends more of it; ready with `true` once it is complete.
    pub(crate) fn poll_encode(
        &mut self,
        protocol: &mut P,
        out: &mut Outbox,
        cx: &mut Context<'_>,
    ) -> Poll<Result<bool, Error>> {
        if self.call.is_answered() {
            return Poll::Ready(Ok(true));
        }
        // Where it comes from is the caller's code, which runs with nothing locked.
        let taken = self.call.request().take();
        let more = match taken {
            Some(mut request) => {
                let more = protocol.poll_encode(&mut request, out, cx);
                *self.call.request() = Some(request);
                more
            }
            None => Poll::Ready(Ok(true)),
        };
        if more.is_pending() {
            self.watch(cx);
        }
        more
    }

    /// Has this driver woken when its caller goes away.
    pub(crate) fn watch(&self, cx: &Context<'_>) {
        if !self.told {
            self.call.watch(cx.waker());
        }
    }

    /// Whether it can be encoded from its beginning though a part of it was.
    pub(crate) fn is_untouched(&self) -> bool {
        !self.call.is_answered() && self.call.request().as_ref().is_some_and(P::is_untouched)
    }

    /// Reads what answers it. Once that is here, nothing of the request is sent any more.
    pub(crate) fn decode(
        &mut self,
        protocol: &mut P,
        input: &mut BytesMut,
        eof: bool,
    ) -> Result<Decoded<P::Reply>, Error> {
        let mut place = self.call.request();
        let Some(request) = place.as_ref().filter(|_| !self.call.is_answered()) else {
            return Err(Error::new(Kind::Closed, "the request was lost"));
        };
        let decoded = protocol.decode(request, input, eof)?;
        let done = match decoded {
            // Its caller has not heard of it yet, and takes the request when it does.
            Decoded::Reply { .. } => {
                self.call.note_answer();
                None
            }
            // Its caller has heard of the beginning already.
            Decoded::End { .. } => place.take(),
            _ => None,
        };
        drop(place);
        drop(done);
        Ok(decoded)
    }

    /// Tells the caller of a reply, and gives back who has to be woken for it; a reply to nobody
    /// is dropped.
    #[must_use]
    pub(crate) fn reply(&mut self, reply: P::Reply) -> Option<Waker> {
        match std::mem::replace(&mut self.told, true) {
            true => None,
            false => self.call.tell(Outcome::Done(Ok(reply))),
        }
    }

    /// Tells the caller of a failure that ends its request: what the request holds is free when
    /// the caller hears of it.
    pub(crate) fn end(mut self, error: &Error) {
        let request = self.call.request().take();
        drop(request);
        self.fail(error);
    }

    /// Tells the caller of a failure.
    pub(crate) fn fail(&mut self, error: &Error) {
        if !std::mem::replace(&mut self.told, true) {
            let sent = self.history.sent.max(error.sent());
            self.call.tell_failure(|| error.clone().with_sent(sent));
        }
    }

    /// Forgets a request that was not taken: its caller learns of that at once.
    pub(crate) fn withdraw(mut self) {
        self.told = true;
    }

    /// Hands the request back to its caller, to be handed in again: the task that served it was
    /// dropped, by the runtime that `from` names if it is known.
    pub(crate) fn bounce(mut self, from: Option<RuntimeTag>) {
        if !std::mem::replace(&mut self.told, true) {
            self.call.tell_again(self.history, from);
        }
    }

    /// Has its caller polled, though nothing has come of it yet: it is to look at its own clock.
    pub(crate) fn nudge(&self) -> Option<Waker> {
        self.call.nudge()
    }

    /// Whether a further copy of it may be made, if it only reads.
    pub(crate) fn may_hedge(&self) -> bool {
        let free = self.treatment.repeatable && self.order().bound.is_none();
        free && !self.hedged && self.copies < MAX_COPIES && !self.is_abandoned()
    }

    /// A further copy of a request that only reads, for another connection.
    pub(crate) fn hedge(&mut self) -> Option<Self> {
        if !self.may_hedge() {
            return None;
        }
        self.hedged = true;
        if self.call.is_answered() {
            return None;
        }
        let request = self.call.request().as_ref().and_then(P::duplicate)?;
        // Whatever becomes of the copy, the request has been sent.
        let history = History {
            sent: self.history.sent.max(Sent::Part),
            ..self.history
        };
        let mut copy = Self::new(Call::copy(&self.call, request), self.treatment, history);
        copy.copies = self.copies + 1;
        Some(copy)
    }
}

/// Every way out tells the caller; this one is the net under them, and the request may have been
/// written.
impl<P: Protocol> Drop for Ticket<P> {
    fn drop(&mut self) {
        if !self.told {
            let lost = || Error::new(Kind::Closed, "the request was lost").with_sent(Sent::Part);
            self.call.tell_failure(lost);
        }
    }
}
