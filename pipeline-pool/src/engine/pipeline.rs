//! One connection's order, without a socket or a clock.
//!
//! Requests go `queued` → encoded into the outbox → `flight`, and leave from the front of
//! `flight` as their replies come. When the connection ends, [`Pipeline::close`] gives the verdict
//! on each: moved, replayed, or failed.
//!
//! Methods are of four kinds: getters, `handle_*` for what happened, commands, and `poll_*`.

use std::collections::VecDeque;
use std::task::{Context, Poll, Waker, ready};
use std::time::{Duration, Instant};

use bytes::BytesMut;

use super::config::Config;
use super::deferred::wake;
use super::entry::Entry;
use super::learn::Sample;
use super::state::gone;
use crate::error::{Error, Kind, Sent};
use crate::event::CloseReason;
use crate::outbox::Outbox;
use crate::protocol::{Decoded, Encoded, Protocol};

/// No more is encoded while this many bytes wait to be written.
const OUT_HIGH: usize = 256 * 1024;
/// Bytes of a request that are still written when nobody waits for it any more: another connection
/// costs more than they do.
const WRITE_OFF: usize = 64 * 1024;

pub(crate) struct Pipeline<P: Protocol> {
    protocol: P,
    /// Not encoded yet.
    pub(crate) queued: VecDeque<Entry<P>>,
    /// Encoded, their replies to come in this order.
    flight: VecDeque<Entry<P>>,
    pub(crate) out: Outbox,
    pub(crate) input: BytesMut,
    /// The last in flight has more to be encoded.
    encoding: bool,
    /// The reply of the first in flight has been handed out and is still coming.
    open: bool,
    eof: bool,
    /// No further request may go out on this connection.
    spent: bool,
    /// Replies so far.
    replies: u64,
    /// Entries that have left since [`take_done`](Self::take_done) was last asked.
    done: usize,
    /// Requests that were sent and are to be sent again.
    replayed: u64,
    /// What the replies since [`take_sample`](Self::take_sample) was last asked tell of the server.
    sample: Sample,
    /// From this time on without its reply a request is late.
    pub(crate) late_after: Option<Duration>,
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
    /// The earliest deadline of the entries seen since the timer was last set.
    soonest: Option<Instant>,
}

impl<P: Protocol> Pipeline<P> {
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
            replayed: 0,
            sample: Sample::default(),
            late_after: None,
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

    /// Requests that were sent here and have to be sent again.
    pub(crate) fn replayed(&self) -> u64 {
        self.replayed
    }

    /// The most requests that were in flight at once.
    pub(crate) fn deepest(&self) -> usize {
        self.deepest
    }

    /// Whether a reply is being streamed, or a request.
    pub(crate) fn is_streaming(&self) -> bool {
        self.open || self.encoding
    }

    /// Whether a part of a reply is here and its rest is not.
    pub(crate) fn is_amid(&self) -> bool {
        !self.input.is_empty() || self.protocol.is_amid()
    }

    /// Whether the reply of the first in flight has been handed out and is still coming.
    pub(crate) fn is_open(&self) -> bool {
        self.open
    }

    /// Whether the next to go out, with nothing before it, is one that cannot be sent again.
    pub(crate) fn begins_once(&self) -> bool {
        self.flight.is_empty() && self.queued.front().is_some_and(|e| !e.class.repeatable)
    }

    /// Whether a request that comes in pieces is not out yet.
    pub(crate) fn is_encoding(&self) -> bool {
        self.encoding
    }

    /// Whether there are bytes to be written, or more of a request to be encoded.
    pub(crate) fn is_writing(&self) -> bool {
        self.encoding || !self.out.is_empty()
    }

    /// Whether entries have left since [`take_done`](Self::take_done) was last asked.
    pub(crate) fn has_done(&self) -> bool {
        self.done > 0
    }

    /// Whether [`fill`](Self::fill) would encode something now.
    pub(crate) fn can_fill(&self) -> bool {
        self.queued
            .front()
            .is_some_and(|next| self.may_encode(next))
    }

    fn may_encode(&self, next: &Entry<P>) -> bool {
        // RFC 9112, 9.3.2: nothing is pipelined before the server has shown, by an answer, that
        // it keeps the connection.
        let alone = next.class.alone || self.replies == 0;
        let blocked = self
            .flight
            .back()
            .is_some_and(|last| alone || last.class.alone);
        !(blocked || self.encoding || self.spent || self.out.len() > OUT_HIGH)
    }

    /// What the replies since this was last asked tell of the server.
    pub(crate) fn take_sample(&mut self) -> Sample {
        std::mem::take(&mut self.sample)
    }

    /// Whether the first in flight has waited for its reply longer than is usual: what stands
    /// behind it waits as well.
    pub(crate) fn is_stuck(&self, now: Instant) -> bool {
        self.stuck_at().is_some_and(|at| at <= now)
    }

    fn stuck_at(&self) -> Option<Instant> {
        let front = self.flight.front()?;
        // A server is not late with the answer to what is still on its way to it.
        if self.open || self.is_leaving(front) {
            return None;
        }
        Some(front.sent_at? + self.late_after?)
    }

    /// Whether a part of this request, the first or the last in flight, is not written yet.
    fn is_leaving(&self, entry: &Entry<P>) -> bool {
        entry.end > self.out.written() || (self.encoding && self.flight.len() == 1)
    }

    /// Second copies of the requests that wait behind a late reply, or for it, up to `most`.
    pub(crate) fn hedge(&mut self, most: usize) -> Vec<Entry<P>> {
        self.flight
            .iter_mut()
            .filter_map(Entry::hedge)
            .take(most)
            .collect()
    }

    /// Whether a request that was sent, wholly or in part, has no whole reply yet.
    pub(crate) fn owes_replies(&self) -> bool {
        self.flight.iter().any(|e| e.start < self.out.written())
    }

    /// Whether the server has said that it ends the connection.
    pub(crate) fn is_spent(&self) -> bool {
        self.spent
    }

    /// How many entries have left since this was last asked.
    pub(crate) fn take_done(&mut self) -> usize {
        std::mem::take(&mut self.done)
    }

    /// Takes back what is queued behind a reply that will take long, or that cannot go out here.
    pub(crate) fn take_queued(&mut self) -> VecDeque<Entry<P>> {
        self.done += self.queued.len();
        std::mem::take(&mut self.queued)
    }

    /// Encodes what may go out now.
    pub(crate) fn fill(&mut self, now: Instant) {
        while let Some(entry) = self.queued.front() {
            if entry.is_abandoned() {
                self.queued.pop_front();
                self.done += 1;
                continue;
            }
            let late = entry.order().deadline <= now;
            if !late && !self.may_encode(entry) {
                break;
            }
            let Some(mut entry) = self.queued.pop_front() else {
                break;
            };
            if late {
                // It would be sent for nobody.
                self.done += 1;
                entry.fail(&too_late());
                continue;
            }
            if self.flight.is_empty() {
                self.heard = now;
            }
            if self.out.is_empty() {
                self.wrote = now;
            }
            entry.sent_at = Some(now);
            entry.start = self.out.end();
            self.encoding = entry.encode(&mut self.protocol, &mut self.out) == Encoded::Partly;
            entry.end = self.out.end();
            self.soonest = earlier(self.soonest, entry.order().deadline);
            self.flight.push_back(entry);
            self.deepest = self.deepest.max(self.flight.len());
        }
        for entry in &self.queued {
            self.soonest = earlier(self.soonest, entry.order().deadline);
        }
    }

    /// Encodes more of a request that comes in pieces.
    ///
    /// # Errors
    /// When its source fails, or nobody waits for it any more: the connection has to be closed.
    pub(crate) fn poll_encode(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.check_abandoned()?;
        while self.encoding && self.out.len() < OUT_HIGH {
            let open = self.open;
            let Some(entry) = self.flight.back_mut() else {
                break;
            };
            if entry.is_abandoned() && !open {
                // Those before it are served first.
                return Poll::Pending;
            }
            let complete = ready!(entry.poll_encode(&mut self.protocol, &mut self.out, cx))?;
            entry.end = self.out.end();
            self.encoding = !complete;
        }
        Poll::Ready(Ok(()))
    }

    /// Whether much of the only request in flight is still to be read or written, before any reply.
    fn is_uploading(&self) -> bool {
        let much = self.encoding || self.out.len() > WRITE_OFF;
        much && !self.open && self.flight.len() == 1
    }

    /// Has this driver woken when the caller goes away whose request it is about to write.
    pub(crate) fn watch(&self, cx: &Context<'_>) {
        if self.is_uploading()
            && let Some(entry) = self.flight.front()
        {
            entry.watch(cx);
        }
    }

    /// The rest of a request has to be neither read nor sent when its caller has gone away, and
    /// without it nothing more can go out here.
    fn check_abandoned(&self) -> Result<(), Error> {
        if self.is_uploading() && self.flight.front().is_some_and(Entry::is_abandoned) {
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
            front.sent_at = Some(now);
        }
    }

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
            let mut last = None;
            let reusable = match head.decode(&mut self.protocol, &mut self.input, self.eof)? {
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
                    self.sample.answered(head.sent_at, self.late_after, now);
                    self.wakes.extend(head.reply(reply));
                    continue;
                }
                Decoded::Reply { reply, reusable } => {
                    self.sample.answered(head.sent_at, self.late_after, now);
                    last = Some(reply);
                    reusable
                }
                Decoded::End { reusable } => reusable,
            };
            // An answer before the whole request is out leaves the connection in doubt.
            let early = head.end > self.out.written() || (self.encoding && self.flight.len() == 1);
            if let (Some(mut entry), Some(reply)) = (self.flight.pop_front(), last) {
                self.wakes.extend(entry.reply(reply));
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

    /// Takes note of a reply that comes for nobody: it may be thrown away, but not for ever.
    fn look_for_reader(&mut self, now: Instant) {
        let deserted = match self.open {
            true => self.protocol.is_deserted(),
            false => self.flight.front().is_some_and(Entry::is_abandoned),
        };
        if deserted {
            self.deserted.get_or_insert(now);
        }
    }

    /// Wakes the callers who have been told. All at once, and after the endpoint knows what is
    /// done: other threads may run them right away, and what they ask next should find the room
    /// that they left.
    pub(crate) fn wake_told(&mut self) {
        self.wakes.drain(..).for_each(wake);
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
        if let Some(at) = self.stuck_at() {
            due = earlier(due, at);
        }
        match self.soonest.take() {
            Some(soonest) => Some(due.map_or(soonest, |due| due.min(soonest))),
            None => due,
        }
    }

    /// An instant before which nothing is due; exact, so it looks at every entry.
    pub(crate) fn next_timeout(&self, now: Instant, config: &Config) -> Option<Instant> {
        let mut next = self.due(config);
        // Once it is stuck the endpoint knows, and there is nothing more to be woken for.
        if let Some(at) = self.stuck_at().filter(|at| *at > now) {
            next = earlier(next, at);
        }
        let entries = self.flight.iter().chain(&self.queued);
        entries
            .filter(|e| !e.is_told())
            .fold(next, |next, e| earlier(next, e.order().deadline))
    }

    /// Acts on what is due.
    ///
    /// # Errors
    /// When the connection has to be closed.
    pub(crate) fn handle_timeout(&mut self, now: Instant, config: &Config) -> Result<(), Error> {
        let written = self.out.written();
        let encoding = self.encoding;
        let last = self.flight.len().wrapping_sub(1);
        for (i, entry) in self.flight.iter_mut().enumerate() {
            if !entry.is_told() && entry.order().deadline <= now {
                // It is encoded, so it will go out even if it has not yet.
                let sent = sent(entry, written, encoding && i == last).max(Sent::Part);
                entry.fail(&late().with_sent(sent));
            }
        }
        for entry in &mut self.queued {
            if entry.order().deadline <= now {
                entry.fail(&late());
            }
        }
        self.check_abandoned()?;
        if self.due(config).is_none_or(|due| due > now) {
            return Ok(());
        }
        Err(if self.is_idle() {
            Error::new(Kind::Closed, "the connection was idle").because(CloseReason::Idle)
        } else if self
            .deserted
            .is_some_and(|at| at + config.first_byte_timeout <= now)
        {
            let text = "an answer that nobody waits for came too slowly";
            Error::new(Kind::Timeout, text)
        } else if self.open {
            Error::new(
                Kind::Timeout,
                "the server stopped in the middle of an answer",
            )
        } else if !self.out.is_empty() {
            Error::new(Kind::Timeout, "the server took no more of the request")
        } else {
            Error::new(Kind::Timeout, "the server did not answer")
        })
    }

    /// Ends the order of this connection: tells those that cannot be sent again, and gives back
    /// the others in their order.
    pub(crate) fn close(&mut self, cause: &Error, config: &Config) -> Vec<Entry<P>> {
        // Where splitting the input has panicked, those before have been told and not woken.
        self.wake_told();
        let written = self.out.written();
        let encoding = self.encoding;
        let flight = std::mem::take(&mut self.flight);
        let last = flight.len().wrapping_sub(1);
        if let Some(first) = flight.front().filter(|_| self.open) {
            // The server has seen the request whose reply has begun, whatever ends that now.
            let sent = sent(first, written, encoding && last == 0).max(Sent::Part);
            self.protocol.abort(&cause.clone().at_least(sent));
        }
        let mut again = Vec::new();
        for (i, mut entry) in flight.into_iter().enumerate() {
            self.done += 1;
            if entry.is_abandoned() {
                continue;
            }
            let sent = sent(&entry, written, encoding && i == last);
            entry.trail.sent = entry.trail.sent.max(sent);
            // The first is at fault for what came in its place, if the server can have seen it;
            // those behind it are not.
            let doubtful = matches!(cause.kind(), Kind::Protocol | Kind::Timeout);
            let at_fault = i == 0 && sent != Sent::No && doubtful
                || encoding && i == last && cause.kind() == Kind::Body;
            let whole = !(encoding && i == last) || entry.is_untouched();
            let may_move = sent == Sent::No && whole && entry.trail.moves < config.max_moves;
            let may_replay = entry.class.repeatable && entry.trail.replays < config.max_replays;
            let bound = entry.order().bound.is_some();
            if at_fault || bound || !(may_move || sent != Sent::No && may_replay) {
                entry.end(cause);
                continue;
            }
            if sent == Sent::No {
                entry.trail.moves += 1;
            } else {
                entry.trail.replays += 1;
                entry.class.alone = true;
                self.replayed += 1;
            }
            again.push(entry);
        }
        self.done += self.queued.len();
        for mut entry in self.queued.drain(..) {
            entry.trail.moves += 1;
            if entry.order().bound.is_some() {
                entry.fail(&gone());
            } else if entry.trail.moves > config.max_moves {
                entry.fail(cause);
            } else if !entry.is_abandoned() {
                again.push(entry);
            }
        }
        again
    }
}

fn sent<P: Protocol>(entry: &Entry<P>, written: u64, encoding: bool) -> Sent {
    if written <= entry.start {
        Sent::No
    } else if written < entry.end || encoding {
        Sent::Part
    } else {
        Sent::All
    }
}

fn earlier(a: Option<Instant>, b: Instant) -> Option<Instant> {
    Some(a.map_or(b, |a| a.min(b)))
}

/// The end of a connection on which this came while the server owed no reply.
fn unasked<P: Protocol>(input: &[u8]) -> Error {
    if input.is_empty() || P::is_farewell(input) {
        return Error::new(Kind::Closed, "the server closed the connection");
    }
    Error::new(Kind::Protocol, "the server sent what nobody asked for")
}

fn late() -> Error {
    Error::new(Kind::Timeout, "no answer came before the deadline")
}

fn too_late() -> Error {
    Error::new(
        Kind::Timeout,
        "the deadline passed before the request was sent",
    )
}

#[cfg(test)]
mod rules;
#[cfg(test)]
mod tests;
