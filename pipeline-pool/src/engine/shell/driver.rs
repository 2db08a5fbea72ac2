//! The one task that touches a connection: it advances reads and writes together.
//!
//! ```text
//!          ┌────────────────────────── woken ◀───────────────────────────┐
//!          ▼                                                             │
//!        read ──▶ let others go first? ──▶ sync ──▶ encode ──▶ write ──▶ rest
//!                 (on several threads)      ▲                    │
//!                                           └── there is more ───┘
//! ```
//!
//! *Problem:* A connection that finishes its writes before it reads can lock up with a server that does
//! the same. On a runtime with several threads, each wake-up of a caller costs a system call.
//! *Decision:* One task drives one connection, and its reads and writes advance in the same poll. It
//! encodes what it was handed into one buffer and writes it in one call, reads, splits the answers, and
//! wakes all callers of one read together, after the endpoint knows what is done. A driver lets other
//! tasks run first as long as callers that were just answered are expected back, a few times at most; a
//! single request waits for nobody. Connections read into [buffers](super::spare_buffers) that they share, and replies are
//! slices of these. One that receives a large body has larger buffers of its own until it has been idle for a second. TCP_NODELAY is always set, and TCP_QUICKACK where a
//! reply is incomplete, but for the midst of a large body: a server that writes head and body apart with Nagle's algorithm on waits for
//! the acknowledgement of the head, which delays each small get by 40 ms. *Cost:* A driver belongs to
//! the runtime that spawned it. When that runtime ends, what it held is given back to its callers,
//! request and place in line included, and their own poll submits it anew.
//!
//! Every step may end the connection; [`Pipeline::close`] then says what becomes of its requests.

use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWrite};
use tokio::runtime;
use tokio::time::Sleep;

use super::counters::add;
use super::endpoint::Endpoint;
use super::gather::Gather;
use super::permits::Permit;
use super::read_buffer::ReadBuffer;
use super::runtimes::here;
use crate::connect::{Lease, Opened, Stream};
use crate::engine::core::connection::ConnId;
use crate::engine::core::pipeline::Pipeline;
use crate::engine::core::scheduler::Rerouted;
use crate::error::{Error, Kind};
use crate::event::{CloseReason, Event};
use crate::protocol::Protocol;

/// Pieces that one write joins.
const MAX_SLICES: usize = 16;
/// With more than this of a reply still to come, segments come that are full, and are acknowledged as they do.
const ACKNOWLEDGED_ANYWAY: u64 = 256 * 1024;
/// The timer of a connection is not set for less than this.
const MIN_SLEEP: Duration = Duration::from_millis(1);

/// The present instant, by the clock of tokio that a test may have paused.
pub(super) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// Serves a connection to its end.
pub(super) struct Driver<P: Protocol> {
    endpoint: Arc<Endpoint<P>>,
    id: ConnId,
    permit: Option<Permit>,
    stream: Option<Stream>,
    /// What the connection counts as at its address.
    _lease: Option<Lease>,
    pipeline: Pipeline<P>,
    sleep: Pin<Box<Sleep>>,
    born: Instant,
    gather: Gather,
    reads: ReadBuffer,
    /// Replies that the counters know of.
    counted: u64,
    /// The transport still holds bytes that it has taken.
    unflushed: bool,
    /// The runtime that this task lives in.
    home: Option<runtime::Id>,
}

impl<P: Protocol> Driver<P> {
    pub(super) fn new(
        endpoint: Arc<Endpoint<P>>,
        id: ConnId,
        permit: Permit,
        opened: Opened,
        protocol: P,
    ) -> Self {
        let now = now();
        Self {
            pipeline: Pipeline::new(protocol, now),
            sleep: Box::pin(tokio::time::sleep(endpoint.config.idle_timeout)),
            gather: Gather::new(now),
            reads: ReadBuffer::new(endpoint.config.read_buffer, endpoint.buffers.clone()),
            endpoint,
            id,
            permit: Some(permit),
            stream: Some(opened.stream),
            _lease: opened.lease,
            born: now,
            counted: 0,
            unflushed: false,
            home: here(),
        }
    }

    /// Does all that can be done now.
    ///
    /// # Errors
    /// Why the connection has to be closed.
    fn step(&mut self, cx: &mut Context<'_>) -> Result<(), Error> {
        if self.endpoint.is_aborted() {
            return Err(Error::new(Kind::Shutdown, "the pool was closed"));
        }
        let now = now();
        let mut read = self.read(cx, now)?;
        if self.gather.is_on() && self.lets_others_go(cx, now)? {
            return self.rest(cx, now);
        }
        loop {
            if !std::mem::take(&mut read) {
                self.read(cx, now)?;
            }
            self.sync(cx, now, false)?;
            if self.pipeline.begins_once() && self.stream.as_mut().is_some_and(Stream::is_dead) {
                let text = "the server closed the connection before it was used again";
                return Err(Error::new(Kind::Closed, text));
            }
            self.pipeline.fill(now);
            let encoded = match self.pipeline.poll_encode(cx) {
                Poll::Ready(result) => result.map(|()| true)?,
                Poll::Pending => false,
            };
            let blocked = self.write(cx, now)?;
            // Abandoned requests have left unseen, or there is room for more.
            let encode_more = encoded && self.pipeline.is_encoding();
            let write_more = !blocked && (encode_more || self.pipeline.can_fill());
            if !self.pipeline.has_done() && !write_more {
                break;
            }
        }
        self.rest(cx, now)
    }

    /// Whether there is nothing to write yet, and others are to hand in more first.
    ///
    /// # Errors
    /// Why the connection has to be closed.
    fn lets_others_go(&mut self, cx: &mut Context<'_>, now: Instant) -> Result<bool, Error> {
        let told = self.pipeline.has_done();
        let more = if told {
            // Most of those who are told here come back with their next request.
            let more = self.sync(cx, now, true)?;
            self.gather.note_requests(self.pipeline.queued().len());
            more
        } else {
            let mut scheduler = self.endpoint.lock();
            let waiting = self.pipeline.queued().len() + scheduler.mail(self.id);
            let grown = self.gather.has_grown(waiting);
            if !grown {
                scheduler.forget_away();
            }
            grown && (scheduler.away() > 0 || self.gather.wrote_just_now(now))
        };
        if self.gather.waits(more) {
            cx.waker().wake_by_ref();
            return Ok(true);
        }
        // Whoever asks for something wakes this task.
        let writing = self.pipeline.is_writing() || self.unflushed;
        Ok(told && !more && !writing)
    }

    /// Sees that this task is woken for what comes next.
    fn rest(&mut self, cx: &mut Context<'_>, now: Instant) -> Result<(), Error> {
        if self.pipeline.is_amid()
            && self.pipeline.bulk() <= ACKNOWLEDGED_ANYWAY
            && let Some(stream) = &self.stream
        {
            // The rest of this reply may wait for an acknowledgement (Nagle's algorithm at the
            // server): it goes out now, not some 40 ms later.
            stream.quick_ack();
        }
        self.arm(cx, now)
    }

    /// Reads what is there and tells the callers; says whether there was something.
    fn read(&mut self, cx: &mut Context<'_>, now: Instant) -> Result<bool, Error> {
        let Some(stream) = &mut self.stream else {
            return Ok(false);
        };
        let mut any = false;
        loop {
            match self.pipeline.poll_ready(cx, now) {
                Poll::Ready(ready) => ready?,
                Poll::Pending => return Ok(any),
            }
            // It is looked whether there is something to read before room is made for it.
            if self.reads.is_drained() && stream.poll_readable(cx).is_pending() {
                return Ok(any);
            }
            let bulk = self.pipeline.bulk();
            let input = self.pipeline.input();
            let room = self.reads.prepare(input, any, bulk);
            let read = pin!(stream.read_buf(input)).poll(cx);
            match read {
                Poll::Pending => {
                    self.reads.note_empty();
                    self.reads.settle(input);
                    return Ok(any);
                }
                Poll::Ready(Ok(0)) => self.pipeline.handle_eof(),
                Poll::Ready(Ok(n)) => {
                    let counters = &self.endpoint.counters;
                    add(&counters.reads, 1);
                    add(&counters.bytes_in, n as u64);
                    self.reads.note_read(n, room, any, bulk);
                }
                Poll::Ready(Err(error)) => {
                    let lost = Error::new(Kind::Closed, "the connection was lost while reading");
                    return Err(lost.with_source(error));
                }
            }
            any = true;
            let handled = self.pipeline.handle_input(now);
            self.reads.settle(self.pipeline.input());
            handled?;
        }
    }

    /// Tells the endpoint what is done and takes what there is to do. With `soon` it says whether
    /// this task has to look again, without being woken for it.
    fn sync(&mut self, cx: &mut Context<'_>, now: Instant, soon: bool) -> Result<bool, Error> {
        self.count();
        let age = now.saturating_duration_since(self.born);
        let expired = age >= self.endpoint.config.max_age;
        let mut scheduler = self.endpoint.lock();
        let rerouted = scheduler.handle_report(self.id, &mut self.pipeline, expired, now)?;
        let again = soon && (scheduler.away() > 1 || !self.pipeline.queued().is_empty());
        let replaced = scheduler.handle_rest(self.id, cx.waker(), again);
        drop(scheduler);
        drop(replaced);
        self.pipeline.wake_told();
        if rerouted != Rerouted::default() {
            let counters = &self.endpoint.counters;
            add(&counters.moves, rerouted.moved as u64);
            add(&counters.hedges, rerouted.hedged as u64);
            self.endpoint.grow(now);
        }
        if self.pipeline.is_idle() {
            self.endpoint.permits.settle();
        }
        Ok(again)
    }

    fn count(&mut self) {
        let counters = &self.endpoint.counters;
        let replies = self.pipeline.replies();
        if replies > self.counted {
            add(&counters.replies, replies - self.counted);
            self.counted = replies;
        }
        counters
            .deepest
            .fetch_max(self.pipeline.deepest(), Ordering::Relaxed);
    }

    /// Writes what waits; says whether some of it still does.
    fn write(&mut self, cx: &mut Context<'_>, now: Instant) -> Result<bool, Error> {
        let Some(stream) = &mut self.stream else {
            return Ok(true);
        };
        let mut stream = Pin::new(stream);
        let mut wrote = false;
        let blocked = loop {
            let out = self.pipeline.out();
            if out.is_empty() {
                break false;
            }
            let written = match out.single() {
                Some(bytes) => stream.as_mut().poll_write(cx, bytes),
                None => {
                    let mut slices = [IoSlice::new(&[]); MAX_SLICES];
                    let n = out.slices(&mut slices);
                    stream.as_mut().poll_write_vectored(cx, &slices[..n])
                }
            };
            let error = match written {
                Poll::Pending => break true,
                Poll::Ready(Ok(n)) if n > 0 => {
                    wrote = true;
                    self.gather.note_write(now);
                    let counters = &self.endpoint.counters;
                    add(&counters.writes, 1);
                    add(&counters.bytes_out, n as u64);
                    self.pipeline.handle_written(n, now);
                    continue;
                }
                Poll::Ready(Ok(_)) => io::ErrorKind::WriteZero.into(),
                Poll::Ready(Err(error)) => error,
            };
            // The server may have answered before it closed: what it said counts for more.
            self.read(cx, now)?;
            return Err(lost_while_writing(error));
        };
        if blocked {
            self.pipeline.watch(cx);
        }
        if wrote || blocked || self.unflushed {
            // TLS keeps records of its own, and sends them only when it is asked again.
            let flushed = stream.poll_flush(cx);
            self.unflushed = flushed.is_pending();
            if let Poll::Ready(Err(error)) = flushed {
                return Err(lost_while_writing(error));
            }
        }
        Ok(blocked)
    }

    /// Acts on what is due, and sees that this task is woken for the next.
    fn arm(&mut self, cx: &mut Context<'_>, now: Instant) -> Result<(), Error> {
        let config = &self.endpoint.config;
        let is_idle = self.pipeline.is_idle();
        let tidy = self.reads.rest(is_idle, now, self.pipeline.input());
        let armed = self.sleep.deadline().into_std();
        let soonest = self.pipeline.take_soonest(config);
        let soonest = soonest.into_iter().chain(tidy).min();
        if soonest.is_none_or(|s| s >= armed) && self.sleep.as_mut().poll(cx).is_pending() {
            return Ok(());
        }
        loop {
            self.pipeline.handle_timeout(now, config)?;
            let next = self.pipeline.next_timeout(now, config);
            let next = next.into_iter().chain(tidy).min();
            let next = next.unwrap_or(now + config.idle_timeout);
            let next = next.max(now + MIN_SLEEP);
            self.sleep.as_mut().reset(next.into());
            if self.sleep.as_mut().poll(cx).is_pending() {
                return Ok(());
            }
        }
    }

    /// Ends the connection. Without a context the runtime is going down: what can be sent again
    /// goes back to its callers.
    fn finish(&mut self, cause: &Error, cx: Option<&mut Context<'_>>) {
        self.count();
        let ending = self.pipeline.close(cause, &self.endpoint.config);
        let counters = &self.endpoint.counters;
        counters.closed(ending.reason);
        add(&counters.replays, ending.replayed);
        self.endpoint.tell(&Event::Closed {
            reason: ending.reason,
            replies: self.pipeline.replies(),
            age: now().saturating_duration_since(self.born),
            moved: ending.again.len(),
        });
        let stream = self.stream.take();
        if let Some(cx) = cx {
            if let Some(mut stream) = stream {
                // Says goodbye where the transport has a word for it; nobody waits for the answer.
                let _ = Pin::new(&mut stream).poll_shutdown(cx);
            }
            // Before its place is free: whoever takes that takes a permit too.
            self.permit = None;
            self.endpoint.ended(self.id, ending, now());
        } else {
            drop(stream);
            self.permit = None;
            self.endpoint.dropped(self.id, ending, self.home, now());
        }
        self.pipeline.wake_told();
    }
}

fn lost_while_writing(error: io::Error) -> Error {
    let lost = Error::new(Kind::Closed, "the connection was lost while writing");
    lost.with_source(error)
}

impl<P: Protocol> Future for Driver<P> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        match this.step(cx) {
            Ok(()) => Poll::Pending,
            Err(cause) => {
                this.finish(&cause, Some(cx));
                Poll::Ready(())
            }
        }
    }
}

impl<P: Protocol> Unpin for Driver<P> {}

impl<P: Protocol> Drop for Driver<P> {
    fn drop(&mut self) {
        if self.permit.is_some() {
            let text = "the runtime that served the connection is gone";
            let gone = Error::new(Kind::Closed, text).because(CloseReason::Shutdown);
            self.finish(&gone, None);
        }
    }
}
