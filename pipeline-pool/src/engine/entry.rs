//! One request on its way, wherever it is at the moment.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use bytes::BytesMut;
use tokio::runtime;

use super::call::{Call, Order, Outcome};
use crate::error::{Error, Kind, Sent};
use crate::outbox::Outbox;
use crate::protocol::{Class, Decoded, Encoded, Protocol};

/// A request as those hold it who serve it: small, as it moves from queue to queue.
pub(crate) struct Entry<P: Protocol> {
    pub(super) call: Arc<Call<P>>,
    pub(crate) class: Class,
    pub(crate) trail: Trail,
    /// Its caller has been told.
    told: bool,
    /// The request is, or was, under way more than once.
    hedged: bool,
    /// Where its bytes lie in what its connection writes.
    pub(crate) start: u64,
    pub(crate) end: u64,
    /// When it was encoded. While it waits in line: until when it may.
    pub(crate) sent_at: Option<Instant>,
}

/// What a request has been through.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Trail {
    /// How much of it was written in the worst case so far.
    pub(crate) sent: Sent,
    pub(crate) replays: u8,
    pub(crate) moves: u8,
}

impl Trail {
    /// Nothing yet.
    pub(crate) const NONE: Self = Self {
        sent: Sent::No,
        replays: 0,
        moves: 0,
    };
}

impl<P: Protocol> Entry<P> {
    pub(super) fn new(call: Arc<Call<P>>, mut class: Class, trail: Trail) -> Self {
        // What was lost once goes alone, so that it is not lost again for another's sake.
        class.alone |= trail.replays > 0;
        Self {
            call,
            class,
            trail,
            told: false,
            hedged: false,
            start: 0,
            end: 0,
            sent_at: None,
        }
    }

    /// What does not change while it is under way.
    pub(crate) fn order(&self) -> &Order {
        self.call.order()
    }

    /// Bounds its present wait in line.
    pub(crate) fn wait_until(&mut self, until: Instant) {
        self.sent_at = Some(until.min(self.order().deadline));
    }

    /// When it must have come out of the line that it waits in.
    pub(crate) fn leave_by(&self) -> Instant {
        self.sent_at.unwrap_or(self.order().deadline)
    }

    /// Whether its caller has gone away, or has been told already.
    pub(crate) fn is_abandoned(&self) -> bool {
        self.told || self.call.is_over()
    }

    /// Whether its caller has been told by way of this entry.
    pub(crate) fn is_told(&self) -> bool {
        self.told
    }

    /// Appends it to what is to be written.
    pub(crate) fn encode(&mut self, protocol: &mut P, out: &mut Outbox) -> Encoded {
        match &mut *self.call.request() {
            Some(request) => protocol.encode(request, out),
            None => Encoded::Wholly,
        }
    }

    /// Appends more of it; ready with `true` once it is complete.
    pub(crate) fn poll_encode(
        &mut self,
        protocol: &mut P,
        out: &mut Outbox,
        cx: &mut Context<'_>,
    ) -> Poll<Result<bool, Error>> {
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
        self.call.request().as_ref().is_some_and(P::is_untouched)
    }

    /// Reads what answers it. Once that is here, what the request holds is free.
    pub(crate) fn decode(
        &mut self,
        protocol: &mut P,
        input: &mut BytesMut,
        eof: bool,
    ) -> Result<Decoded<P::Reply>, Error> {
        let mut place = self.call.request();
        let Some(request) = &*place else {
            return Err(Error::new(Kind::Closed, "the request was lost"));
        };
        let decoded = protocol.decode(request, input, eof)?;
        let done = match decoded {
            Decoded::Reply { .. } | Decoded::End { .. } => place.take(),
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
            let sent = self.trail.sent.max(error.sent());
            self.call.tell_failure(|| error.clone().with_sent(sent));
        }
    }

    /// Forgets a request that was not taken: its caller learns of that at once.
    pub(crate) fn withdraw(mut self) {
        self.told = true;
    }

    /// Hands the request back to its caller, to be sent from another runtime than this, which has
    /// dropped the task that served it.
    pub(crate) fn bounce(mut self, from: Option<runtime::Id>) {
        if !std::mem::replace(&mut self.told, true) {
            self.call.tell_again(self.trail, from);
        }
    }

    /// Has its caller polled, though nothing has come of it yet: it is to look at its own clock.
    pub(crate) fn nudge(&self) -> Option<Waker> {
        self.call.nudge()
    }

    /// A second copy of a request that only reads, for another connection.
    pub(crate) fn hedge(&mut self) -> Option<Self> {
        let fixed = !self.class.repeatable || self.order().bound.is_some();
        if fixed || self.hedged || self.is_abandoned() {
            return None;
        }
        let request = self.call.request().as_ref().and_then(P::duplicate)?;
        self.hedged = true;
        // Whatever becomes of the copy, the request has been sent.
        let trail = Trail {
            sent: self.trail.sent.max(Sent::Part),
            ..self.trail
        };
        let mut copy = Self::new(Call::copy(&self.call, request), self.class, trail);
        copy.hedged = true;
        Some(copy)
    }
}

/// Every way out tells the caller; this one is the net under them, and the request may have been
/// written.
impl<P: Protocol> Drop for Entry<P> {
    fn drop(&mut self) {
        if !self.told {
            let lost = || Error::new(Kind::Closed, "the request was lost").with_sent(Sent::Part);
            self.call.tell_failure(lost);
        }
    }
}
