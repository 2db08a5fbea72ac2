//! The front for Erlang: many calls at once over standard input and output.
//!
//! ```text
//!          4 bytes: length   8 bytes: id   the rest: a term
//! call     ───────────────   ───────────   {Operation, Argument…}
//! answer   ───────────────   the same id   {ok, Term} or {error, Atom}
//! ```
//!
//! This is what an Erlang port with the option `{packet, 4}` writes and reads. Answers come in any order.
//!
//! ```text
//!  stdin ──► Frames ──► permits ──► a task for each call ──► answers ──► stdout
//!              │           │          decode, do, encode        │
//!              │ too long  │ none left:                         │ written: the permits are given back
//!              └► an error └► nothing is read, and the pipe fills, which suspends
//!                 answer      the process in Erlang that writes to it
//! ```
//!
//! *Problem:* A caller in Erlang waits for its answer, and must never wait for longer than it is willing to; a thousand
//! callers at once must not take the memory of the machine. *Decision:* Each call holds one of `max_calls` permits and
//! permits for its bytes until its answer is written. Each has a deadline, which counts from when it was read. A call
//! that panics is answered, too. When standard input ends, the calls under way have [`DRAIN`] to end, since a write that
//! has begun is worth finishing. *Cost:* While all permits are taken, a call that needs no store waits, too.

mod frame;
#[cfg(test)]
mod tests;

use std::fmt;
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout, timeout_at};

use crate::etf::{self, Term};
use cloud_stores::Kind;
use frame::{Frames, Incoming, NoId};

/// How long the calls under way may go on after standard input has ended.
const DRAIN: Duration = Duration::from_secs(2);
/// How many answers are put together into one write.
const BATCH: usize = 64;
/// What one permit for bytes stands for.
const UNIT: usize = 1 << 10;

/// How much a port takes on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// How many calls may be under way.
    pub(crate) calls: u32,
    /// How long a call may take, from when it was read until its answer is handed to the writer.
    pub(crate) deadline: Duration,
    /// How many bytes a call may have, the 8 of its id included.
    pub(crate) frame: usize,
    /// How many bytes an answer may have, the 8 of its id included.
    pub(crate) answer: usize,
    /// How many bytes all calls under way may have together; at least as many as one may have.
    pub(crate) bytes: usize,
}

/// What does the calls.
pub(crate) trait Handler: Send + Sync + 'static {
    /// Does one call. The future is dropped when its time is over.
    fn call(&self, request: Term) -> impl Future<Output = Result<Term, Kind>> + Send;
}

/// Why a port ended before its standard input did.
#[derive(Debug)]
pub(crate) enum PortError {
    /// Standard input could not be read.
    Read(io::Error),
    /// A frame of so many bytes came, which has no room for an id.
    NoId(usize),
    /// Standard input ended within a call.
    Cut,
}

impl fmt::Display for PortError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read(error) => write!(f, "standard input cannot be read: {error}"),
            Self::NoId(length) => write!(
                f,
                "a frame of {length} bytes came, and each begins with 8 bytes of id: is this an Erlang port with {{packet, 4}}?"
            ),
            Self::Cut => f.write_str("standard input ended within a call"),
        }
    }
}

impl std::error::Error for PortError {}

/// Does the calls that come from `input` and writes the answers to `output`, until `input` ends or `output` takes no
/// more, which is how the end of the parent looks, and is no error.
pub(crate) async fn serve<H: Handler>(
    input: impl AsyncRead + Unpin,
    output: impl AsyncWrite + Unpin + Send + 'static,
    handler: Arc<H>,
    limits: Limits,
) -> Result<(), PortError> {
    let (answers, written) = unbounded_channel();
    let mut writer = tokio::spawn(write(output, written));
    let port = Port {
        calls: Arc::new(Semaphore::new(limits.calls as usize)),
        bytes: Arc::new(Semaphore::new(limits.bytes.div_ceil(UNIT))),
        answers,
        handler,
        limits,
    };
    let ended = tokio::select! {
        ended = port.read(input) => ended,
        _ = &mut writer => return Ok(()),
    };
    // All permits are there once all answers are written.
    let _ = timeout(DRAIN, port.calls.acquire_many(limits.calls)).await;
    writer.abort();
    ended
}

struct Port<H> {
    calls: Arc<Semaphore>,
    bytes: Arc<Semaphore>,
    answers: UnboundedSender<Answer>,
    handler: Arc<H>,
    limits: Limits,
}

impl<H: Handler> Port<H> {
    async fn read(&self, mut input: impl AsyncRead + Unpin) -> Result<(), PortError> {
        let mut frames = Frames::new(self.limits.frame);
        loop {
            while let Some(incoming) = frames
                .next()
                .map_err(|NoId(length)| PortError::NoId(length))?
            {
                self.take(incoming).await;
            }
            match input.read_buf(frames.buffer()).await {
                Ok(0) if frames.within_a_call() => return Err(PortError::Cut),
                Ok(0) => return Ok(()),
                Ok(_) => {}
                Err(error) => return Err(PortError::Read(error)),
            }
        }
    }

    /// Begins a call as soon as there are permits for it.
    async fn take(&self, incoming: Incoming) {
        let deadline = Instant::now() + self.limits.deadline;
        let (id, request) = match incoming {
            Incoming::Call(id, request) => (id, Some(request)),
            Incoming::TooLong(id) => (id, None),
        };
        let units = request.as_ref().map_or(0, Bytes::len).div_ceil(UNIT);
        // The number is at most that of all permits, and neither semaphore is ever closed.
        let units = u32::try_from(units).unwrap_or(u32::MAX);
        let (Ok(call), Ok(bytes)) = (
            self.calls.clone().acquire_owned().await,
            self.bytes.clone().acquire_many_owned(units).await,
        ) else {
            return;
        };
        let open = Open {
            id,
            max: self.limits.answer,
            answers: self.answers.clone(),
            permits: Some((call, bytes)),
        };
        let Some(request) = request else {
            return open.close(Err(Kind::TooLarge));
        };
        let handler = Arc::clone(&self.handler);
        tokio::spawn(async move {
            let done = match etf::decode(&request) {
                Ok(request) => timeout_at(deadline, handler.call(request))
                    .await
                    .unwrap_or(Err(Kind::Timeout)),
                Err(_) => Err(Kind::Invalid),
            };
            open.close(done);
        });
    }
}

/// What a call holds until its answer is written.
type Permits = (OwnedSemaphorePermit, OwnedSemaphorePermit);

/// A call that has no answer yet. One that is dropped without, as a panic does, is answered with an error.
struct Open {
    id: u64,
    max: usize,
    answers: UnboundedSender<Answer>,
    permits: Option<Permits>,
}

impl Open {
    fn close(mut self, done: Result<Term, Kind>) {
        self.send(done);
    }

    fn send(&mut self, done: Result<Term, Kind>) {
        let Some(permits) = self.permits.take() else {
            return;
        };
        let answer = Answer {
            bytes: frame(self.id, done, self.max),
            _permits: permits,
        };
        // If the writer is gone, there is nobody to answer.
        let _ = self.answers.send(answer);
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.send(Err(Kind::Unavailable));
    }
}

/// The frame of an answer.
fn frame(id: u64, done: Result<Term, Kind>, max: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(64);
    let term = match done {
        Ok(term) => Term::Tuple(vec![Term::atom("ok"), term]),
        Err(refusal) => Term::Tuple(vec![Term::atom("error"), Term::atom(refusal.as_str())]),
    };
    bytes.extend([0; 4]);
    bytes.extend(id.to_be_bytes());
    let encoded = etf::encode(&term, &mut bytes);
    match u32::try_from(bytes.len() - 4) {
        Ok(length) if encoded.is_ok() && bytes.len() - 4 <= max => {
            bytes[..4].copy_from_slice(&length.to_be_bytes());
            bytes
        }
        // An error is short enough for any limit.
        _ => frame(id, Err(Kind::TooLarge), usize::MAX),
    }
}

/// A framed answer, and the permits of its call, which end with it.
struct Answer {
    bytes: Vec<u8>,
    _permits: Permits,
}

/// Writes answers until there can be no more or they can no longer be written.
async fn write(
    mut output: impl AsyncWrite + Unpin,
    mut answers: UnboundedReceiver<Answer>,
) -> io::Result<()> {
    let mut batch = Vec::with_capacity(BATCH);
    let mut together = Vec::new();
    while answers.recv_many(&mut batch, BATCH).await > 0 {
        match &batch[..] {
            [alone] => output.write_all(&alone.bytes).await?,
            many => {
                together.clear();
                many.iter()
                    .for_each(|answer| together.extend_from_slice(&answer.bytes));
                output.write_all(&together).await?;
                together.shrink_to(UNIT * BATCH);
            }
        }
        output.flush().await?;
        batch.clear();
    }
    Ok(())
}
