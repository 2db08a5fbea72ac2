//! What comes in is split into replies.

use std::task::{Context, Poll};
use std::time::Instant;

use super::{InFlight, Pipeline};
use crate::error::{Error, Kind};
use crate::protocol::{Decoded, Protocol};

impl<P: Protocol> Pipeline<P> {
    /// Takes note that the peer will send no more.
    pub(crate) fn handle_eof(&mut self) {
        self.eof = true;
    }

    /// Whether replies can be taken in now.
    pub(crate) fn poll_ready(
        &mut self,
        cx: &mut Context<'_>,
        now: Instant,
    ) -> Poll<Result<(), Error>> {
        let ready = self.protocol.poll_ready(cx);
        if ready.is_pending() {
            // A slow reader is no stall of the server.
            self.heard = now;
        }
        ready
    }

    /// Splits the input into replies and tells their callers, whom
    /// [`wake_told`](Self::wake_told) wakes.
    ///
    /// # Errors
    /// When the connection has to be closed: the peer did, or what came is doubtful.
    pub(crate) fn handle_input(&mut self, now: Instant) -> Result<(), Error> {
        if !self.input.is_empty() {
            self.heard = now;
        }
        self.look_for_reader(now);
        loop {
            if self.input.is_empty() && !self.eof {
                return Ok(());
            }
            let Some(head) = self.flight.front_mut() else {
                return Err(unasked::<P>(&self.input));
            };
            if head.start >= self.out.written() && !self.input.is_empty() {
                return Err(unasked::<P>(&self.input));
            }
            let ticket = &mut head.ticket;
            let since = (!ticket.is_abandoned()).then(|| ticket.order().since);
            let mut last = None;
            let reusable = match ticket.decode(&mut self.protocol, &mut self.input, self.eof)? {
                Decoded::More if self.eof => {
                    return Err(Error::new(
                        Kind::Closed,
                        "the server closed the connection before the whole answer had come",
                    ));
                }
                Decoded::More => return Ok(()),
                Decoded::Interim => continue,
                Decoded::Open(reply) => {
                    self.open = true;
                    self.sample.answered(since, head.sent_at, &self.marks, now);
                    self.wakes.extend(ticket.reply(reply));
                    continue;
                }
                Decoded::Reply { reply, reusable } => {
                    self.sample.answered(since, head.sent_at, &self.marks, now);
                    last = Some(reply);
                    reusable
                }
                Decoded::End { reusable } => reusable,
            };
            // An answer before the whole request is out leaves the connection in doubt.
            let early = self.is_leaving_first();
            if let (Some(mut first), Some(reply)) = (self.flight.pop_front(), last) {
                self.wakes.extend(first.ticket.reply(reply));
            }
            self.open = false;
            self.deserted = None;
            self.replies += 1;
            self.done += 1;
            self.idle_since = now;
            if !reusable {
                self.spent = true;
                let text = "the server ends the connection after this answer";
                return Err(Error::new(Kind::Closed, text));
            }
            if early {
                let text = "the answer came before the whole request was sent";
                return Err(Error::new(Kind::Closed, text));
            }
        }
    }

    /// Whether a part of the first request in flight is not written yet.
    fn is_leaving_first(&self) -> bool {
        self.flight.front().is_some_and(|f| self.is_leaving(f))
    }

    /// Whether a part of this request, the first or the last in flight, is not written yet.
    pub(super) fn is_leaving(&self, request: &InFlight<P>) -> bool {
        request.end > self.out.written() || (self.encoding && self.flight.len() == 1)
    }

    /// Takes note of a reply that comes for nobody: it may be thrown away, but not for ever.
    fn look_for_reader(&mut self, now: Instant) {
        let deserted = match self.open {
            true => self.protocol.is_deserted(),
            false => self.flight.front().is_some_and(|f| f.ticket.is_abandoned()),
        };
        if deserted {
            self.deserted.get_or_insert(now);
        }
    }
}

/// The end of a connection on which this came while the server owed no reply.
fn unasked<P: Protocol>(input: &[u8]) -> Error {
    if input.is_empty() || P::is_farewell(input) {
        return Error::new(Kind::Closed, "the server closed the connection");
    }
    Error::new(Kind::Protocol, "the server sent what nobody asked for")
}
