//! One connection at an instant, and a protocol of single bytes, for the tests of the rules.

use std::sync::{Arc, Mutex};

use super::*;
use crate::engine::config::Config;
use crate::engine::core::call::{Caller, Order, Outcome};
use crate::error::Sent;
use crate::protocol::{Decoded, Treatment};

pub(super) const ONCE: Treatment = Treatment {
    repeatable: false,
    alone: true,
};
pub(super) const READ: Treatment = Treatment {
    repeatable: true,
    alone: false,
};

/// What a request is like.
#[derive(Clone, Copy)]
pub(super) struct MarkRequest {
    pub(super) treatment: Treatment,
    /// Its bytes.
    pub(super) len: usize,
    /// It comes in pieces, and this is whether one was taken.
    pub(super) pieces: Option<bool>,
}

impl MarkRequest {
    pub(super) fn new(treatment: Treatment) -> Self {
        Self {
            treatment,
            len: 8,
            pieces: None,
        }
    }
}

/// Whole replies are `.`, one that is handed out early is `o`, and `e` its end; `i` is an interim
/// reply, and `f` a farewell.
#[derive(Default)]
pub(super) struct Marks {
    /// The reader of an open reply has no room.
    pub(super) full: bool,
    pub(super) aborted: Arc<Mutex<Option<Error>>>,
}

impl Protocol for Marks {
    type Request = MarkRequest;
    type Reply = ();

    fn treatment(ask: &MarkRequest) -> Treatment {
        ask.treatment
    }

    fn duplicate(ask: &MarkRequest) -> Option<MarkRequest> {
        Some(*ask)
    }

    fn encode(&mut self, ask: &mut MarkRequest, out: &mut Outbox) -> Encoded {
        out.put_bytes(vec![b'x'; ask.len].into());
        match ask.pieces {
            Some(_) => Encoded::Partly,
            None => Encoded::Wholly,
        }
    }

    fn poll_encode(
        &mut self,
        _: &mut MarkRequest,
        _: &mut Outbox,
        _: &mut Context<'_>,
    ) -> Poll<Result<bool, Error>> {
        Poll::Pending
    }

    fn is_untouched(ask: &MarkRequest) -> bool {
        ask.pieces == Some(false)
    }

    fn is_farewell(input: &[u8]) -> bool {
        input == b"f"
    }

    fn decode(
        &mut self,
        _: &MarkRequest,
        input: &mut BytesMut,
        _: bool,
    ) -> Result<Decoded<()>, Error> {
        if input.is_empty() {
            return Ok(Decoded::More);
        }
        let (reply, reusable) = ((), true);
        match input.split_to(1)[0] {
            b'.' => Ok(Decoded::Reply { reply, reusable }),
            b'o' => Ok(Decoded::Open(reply)),
            b'e' => Ok(Decoded::End { reusable }),
            b'i' => Ok(Decoded::Interim),
            _ => Err(Error::new(Kind::Protocol, "not a mark")),
        }
    }

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
        match self.full {
            true => Poll::Pending,
            false => Poll::Ready(Ok(())),
        }
    }

    fn is_amid(&self) -> bool {
        false
    }

    fn abort(&mut self, cause: &Error) {
        *self.aborted.lock().unwrap() = Some(cause.clone());
    }
}

/// One connection, at an instant.
pub(super) struct OneConnection {
    pub(super) pipeline: Pipeline<Marks>,
    pub(super) config: Config,
    pub(super) now: Instant,
    pub(super) seq: u64,
    /// What goes elsewhere.
    pub(super) again: Vec<Ticket<Marks>>,
}

impl OneConnection {
    pub(super) fn new() -> Self {
        let now = Instant::now();
        Self {
            pipeline: Pipeline::new(Marks::default(), now),
            config: Config::default(),
            now,
            seq: 0,
            again: Vec::new(),
        }
    }

    /// Hands in a request that has this long, and encodes what may go out.
    pub(super) fn push_for(&mut self, ask: MarkRequest, time: Duration) -> Caller<Marks> {
        let caller = self.queue_for(ask, time);
        self.pipeline.fill(self.now);
        caller
    }

    /// Hands in a request that has this long, and encodes nothing.
    pub(super) fn queue_for(&mut self, ask: MarkRequest, time: Duration) -> Caller<Marks> {
        let order = Order {
            seq: self.seq,
            since: self.now,
            deadline: self.now + time,
            bound: None,
        };
        self.seq += 1;
        let mut caller = Caller::new(ask, self.now);
        let ticket = caller.hand_in(order, Waker::noop()).unwrap();
        self.pipeline.queued.push_back(ticket);
        caller
    }

    pub(super) fn push(&mut self, ask: MarkRequest) -> Caller<Marks> {
        self.push_for(ask, Duration::from_secs(3600))
    }

    pub(super) fn pass(&mut self, time: Duration) -> &mut Self {
        self.now += time;
        self
    }

    /// So many bytes are written.
    pub(super) fn write(&mut self, n: usize) {
        self.pipeline.handle_written(n, self.now);
    }

    pub(super) fn write_all(&mut self) {
        self.write(self.pipeline.out.len());
    }

    pub(super) fn read(&mut self, input: &[u8]) -> Result<(), Error> {
        self.pipeline.input.extend_from_slice(input);
        self.pipeline.handle_input(self.now)
    }

    pub(super) fn tick(&mut self) -> Result<(), Error> {
        self.pipeline.handle_timeout(self.now, &self.config)
    }

    /// What the driver does before it writes.
    pub(super) fn encode(&mut self) -> Poll<Result<(), Error>> {
        let cx = &mut Context::from_waker(Waker::noop());
        self.pipeline.poll_encode(cx)
    }

    /// Ends the connection, and tells how many requests go elsewhere.
    pub(super) fn close(&mut self, cause: &Error) -> usize {
        self.again = self.pipeline.close(cause, &self.config).again;
        self.again.len()
    }
}

pub(super) fn heard(caller: &mut Caller<Marks>) -> Option<Result<(), Error>> {
    match caller.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(Outcome::Done(outcome)) => Some(outcome),
        Poll::Ready(Outcome::Again(..)) => panic!("nobody bounces here"),
        Poll::Pending => None,
    }
}

pub(super) fn failure(caller: &mut Caller<Marks>) -> (Kind, Sent) {
    let error = heard(caller).unwrap().unwrap_err();
    (error.kind(), error.sent())
}

pub(super) fn lost() -> Error {
    Error::new(Kind::Closed, "lost")
}
