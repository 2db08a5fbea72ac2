//! How long a connection and its requests may take.

use std::time::Instant;

use super::Pipeline;
use super::ending::sent;
use crate::engine::config::Config;
use crate::error::{Error, Kind, Sent};
use crate::event::CloseReason;
use crate::protocol::Protocol;

impl<P: Protocol> Pipeline<P> {
    /// Whether the first in flight has waited for its reply longer than is usual: what stands
    /// behind it waits as well.
    pub(super) fn is_stuck(&self, now: Instant) -> bool {
        self.stuck_at().is_some_and(|at| at <= now)
    }

    fn stuck_at(&self) -> Option<Instant> {
        let first = self.flight.front()?;
        // A server is not late with the answer to what is still on its way to it.
        if self.open || self.is_leaving(first) {
            return None;
        }
        Some(first.sent_at + self.marks.late_after?)
    }

    /// When the connection as such has to be ended if nothing happens until then.
    fn due(&self, config: &Config) -> Option<Instant> {
        let due = self.silent_until(config);
        // Bytes that come one by one do not put off the end of what nobody waits for.
        match self.deserted {
            Some(since) => earlier(due, since + config.first_byte_timeout),
            None => due,
        }
    }

    /// When the connection has to be ended if nothing is heard or written until then.
    fn silent_until(&self, config: &Config) -> Option<Instant> {
        if self.is_idle() {
            Some(self.idle_since + config.idle_timeout)
        } else if self.open {
            Some(self.heard + config.body_timeout)
        } else if !self.out.is_empty() {
            Some(self.wrote + config.write_timeout)
        } else if self.encoding || self.flight.is_empty() {
            // It waits for its own caller, whose deadline counts.
            None
        } else {
            Some(self.heard + config.first_byte_timeout)
        }
    }

    /// An instant before which nothing new is due: cheap, and early rather than exact.
    pub(crate) fn take_soonest(&mut self, config: &Config) -> Option<Instant> {
        let mut due = self.due(config);
        for at in self.stuck_at().into_iter().chain(self.hedge_again) {
            due = earlier(due, at);
        }
        match self.soonest.take() {
            Some(soonest) => earlier(due, soonest),
            None => due,
        }
    }

    /// An instant before which nothing is due: exact, so it looks at every request.
    pub(crate) fn next_timeout(&self, now: Instant, config: &Config) -> Option<Instant> {
        let mut next = self.due(config);
        // Once it is stuck the endpoint knows, and there is nothing more to be woken for, unless
        // requests are left that may be sent a second time.
        let stuck_at = self.stuck_at().into_iter().chain(self.hedge_again);
        for at in stuck_at.filter(|at| *at > now) {
            next = earlier(next, at);
        }
        let flight = self.flight.iter().map(|f| &f.ticket);
        let tickets = flight.chain(&self.queued);
        tickets
            .filter(|ticket| !ticket.is_told())
            .fold(next, |next, ticket| earlier(next, ticket.order().deadline))
    }

    /// Acts on what is due.
    ///
    /// # Errors
    /// When the connection has to be closed.
    pub(crate) fn handle_timeout(&mut self, now: Instant, config: &Config) -> Result<(), Error> {
        let written = self.out.written();
        let encoding = self.encoding;
        let last = self.flight.len().wrapping_sub(1);
        for (i, request) in self.flight.iter_mut().enumerate() {
            if !request.ticket.is_told() && request.ticket.order().deadline <= now {
                // It is encoded, so it will go out even if it has not yet.
                let sent = sent(request, written, encoding && i == last).max(Sent::Part);
                request.ticket.fail(&late().with_sent(sent));
            }
        }
        for ticket in &mut self.queued {
            if ticket.order().deadline <= now {
                ticket.fail(&late());
            }
        }
        self.check_abandoned()?;
        if self.due(config).is_none_or(|due| due > now) {
            return Ok(());
        }
        let deserted = |at: Instant| at + config.first_byte_timeout <= now;
        Err(if self.is_idle() {
            Error::new(Kind::Closed, "the connection was idle").because(CloseReason::Idle)
        } else if self.deserted.is_some_and(deserted) {
            let text = "an answer that nobody waits for came too slowly";
            Error::new(Kind::Timeout, text)
        } else if self.open {
            let text = "the server stopped in the middle of an answer (body_timeout of the pool)";
            Error::new(Kind::Timeout, text)
        } else if !self.out.is_empty() {
            let text = "the server took no more of the request (write_timeout of the pool)";
            Error::new(Kind::Timeout, text)
        } else {
            let text = "the server did not answer (first_byte_timeout of the pool)";
            Error::new(Kind::Timeout, text)
        })
    }
}

pub(super) fn earlier(a: Option<Instant>, b: Instant) -> Option<Instant> {
    Some(a.map_or(b, |a| a.min(b)))
}

fn late() -> Error {
    let text = "no answer came before the deadline (timeout of the request, or of the pool)";
    Error::new(Kind::Timeout, text)
}

pub(super) fn too_late() -> Error {
    let text = "the deadline passed before the request was sent";
    Error::new(Kind::Timeout, text)
}
