//! The one task that touches a connection: it advances reads and writes together.

use std::collections::VecDeque;
use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWrite};
use tokio::runtime::{self, Handle, RuntimeFlavor};
use tokio::time::Sleep;

use super::endpoint::{End, Endpoint};
use super::permits::Permit;
use super::pipeline::Pipeline;
use super::room::make_room;
use super::slot::{ConnId, Report};
use crate::connect::{Lease, Opened, Stream};
use crate::error::{Error, Kind};
use crate::event::{CloseReason, Event};
use crate::protocol::Protocol;

/// The first read buffer's bytes; it grows when reads fill it.
const READ_MIN: usize = 8 * 1024;
/// A read has room for so many bytes at least.
const READ_LEAST: usize = 1024;
/// A server that ends a connection before this many answers is not made for pipelining.
const FEW: u64 = 16;
/// How often others may go first while requests come in, before those that came are written.
const LOOKS: u32 = 4;
/// So soon after a write others may go first too, whoever they are.
const SOON: Duration = Duration::from_micros(100);
/// Pieces that one write joins.
const SLICES: usize = 16;

pub(super) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// Whether a task that is woken runs before those that were woken earlier, as it does on the
/// multi-thread runtime: a driver would then write its requests one by one.
fn gathers() -> bool {
    tokio::runtime::Handle::try_current()
        .is_ok_and(|handle| handle.runtime_flavor() != RuntimeFlavor::CurrentThread)
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
    /// Bytes to make room for before a read.
    read_size: usize,
    /// This task lets others go first when it is woken for requests, so that they join it.
    gathers: bool,
    /// How often it did so since it last wrote, and the requests that it had at the last time.
    looks: u32,
    gathered: usize,
    /// When it last wrote.
    wrote: Instant,
    /// The last read took all that was there.
    drained: bool,
    /// Another buffer to read into, while callers still hold what was read into the first.
    spare: BytesMut,
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
            read_size: READ_MIN.min(endpoint.config.read_buffer),
            endpoint,
            id,
            permit: Some(permit),
            stream: Some(opened.stream),
            _lease: opened.lease,
            born: now,
            gathers: gathers(),
            looks: 0,
            gathered: 0,
            wrote: now,
            drained: false,
            spare: BytesMut::new(),
            counted: 0,
            unflushed: false,
            home: Handle::try_current().ok().map(|handle| handle.id()),
        }
    }

    /// Does all that can be done now.
    ///
    /// # Errors
    /// Why the connection has to be closed.
    fn step(&mut self, cx: &mut Context<'_>) -> Result<(), Error> {
        if self.endpoint.aborted.load(Ordering::Acquire) {
            return Err(Error::new(Kind::Shutdown, "the pool was closed"));
        }
        let now = now();
        let mut read = self.read(cx, now)?;
        if self.gathers && self.lets_others_go(cx, now)? {
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

    /// Whether there is nothing to write yet, and others are to hand in more first: on the
    /// multi-thread runtime this task runs before those that were woken earlier, and would write
    /// their requests one by one.
    ///
    /// # Errors
    /// Why the connection has to be closed.
    fn lets_others_go(&mut self, cx: &mut Context<'_>, now: Instant) -> Result<bool, Error> {
        let told = self.pipeline.has_done();
        let again = if told {
            // Most of those who are told here come back with their next request.
            let again = self.sync(cx, now, true)?;
            self.gathered = self.pipeline.queued.len();
            again
        } else {
            let mut state = self.endpoint.lock();
            let waiting = self.pipeline.queued.len() + state.mail(self.id);
            let more = waiting > std::mem::replace(&mut self.gathered, waiting);
            if !more {
                state.away = 0;
            }
            more && (state.away > 0 || now.saturating_duration_since(self.wrote) < SOON)
        };
        if again && self.looks < LOOKS {
            self.looks += 1;
            cx.waker().wake_by_ref();
            return Ok(true);
        }
        self.looks = 0;
        self.gathered = 0;
        // Whoever asks for something wakes this task.
        let writing = self.pipeline.is_writing() || self.unflushed;
        Ok(told && !again && !writing)
    }

    /// Sees that this task is woken for what comes next.
    fn rest(&mut self, cx: &mut Context<'_>, now: Instant) -> Result<(), Error> {
        if self.pipeline.is_amid()
            && let Some(stream) = &self.stream
        {
            // The rest of this reply may wait for an acknowledgement (Nagle's algorithm at the
            // server): it goes out now, not some 40 ms later.
            stream.quick_ack();
        }
        if self.pipeline.is_idle() {
            self.spare = BytesMut::new();
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
            if self.drained && stream.poll_readable(cx).is_pending() {
                return Ok(any);
            }
            let input = &mut self.pipeline.input;
            let least = match any && self.drained {
                true => READ_LEAST,
                false => self.read_size / 2,
            };
            let mut room = input.capacity() - input.len();
            // By the next time the replies of this one may be used up, and their buffer free again.
            if room < least {
                let size = self.read_size.saturating_sub(input.len()).max(least);
                make_room(input, &mut self.spare, size);
                room = input.capacity() - input.len();
            }
            let read = pin!(stream.read_buf(input)).poll(cx);
            match read {
                Poll::Pending => {
                    self.drained = true;
                    return Ok(any);
                }
                Poll::Ready(Ok(0)) => self.pipeline.handle_eof(),
                Poll::Ready(Ok(n)) => {
                    let counters = &self.endpoint.counters;
                    counters.reads.fetch_add(1, Ordering::Relaxed);
                    counters.bytes_in.fetch_add(n as u64, Ordering::Relaxed);
                    let full = n == room;
                    if full && !(any && self.drained) {
                        self.read_size = (self.read_size * 2).min(self.endpoint.config.read_buffer);
                    }
                    self.drained = !full;
                }
                Poll::Ready(Err(error)) => {
                    let lost = Error::new(Kind::Closed, "the connection was lost while reading");
                    return Err(lost.with_source(error));
                }
            }
            any = true;
            self.pipeline.handle_input(now)?;
        }
    }

    /// Tells the endpoint what is done and takes what there is to do. With `soon` it says whether
    /// this task has to look again, without being woken for it.
    fn sync(&mut self, cx: &mut Context<'_>, now: Instant, soon: bool) -> Result<bool, Error> {
        self.count();
        let stuck = self.pipeline.is_stuck(now);
        // What has not gone out yet need not wait for a large reply, or behind one that is stuck.
        let back = match stuck || self.pipeline.is_open() {
            true => self.pipeline.take_queued(),
            false => VecDeque::new(),
        };
        let report = Report {
            done: self.pipeline.take_done(),
            sample: self.pipeline.take_sample(),
            proven: self.pipeline.replies() > 0,
            streaming: self.pipeline.is_streaming(),
            expired: now.saturating_duration_since(self.born) >= self.endpoint.config.max_age,
            stuck,
        };
        let mut state = self.endpoint.lock();
        let mut moved = back.len();
        for entry in back {
            state.put_back(entry, now);
        }
        moved += state.report(self.id, report, &mut self.pipeline.queued, now)?;
        let share = self.endpoint.config.hedge;
        let mut hedged = 0;
        if share > 0.0 {
            state.earn_hedges(report.sample.replies, share);
            if stuck {
                let copies = self.pipeline.hedge(state.hedges as usize);
                hedged = copies.len();
                state.hedges -= hedged as f64;
                for copy in copies {
                    state.put_back(copy, now);
                }
            }
        }
        self.pipeline.late_after = state.learn.late_after();
        let again = soon && (state.away > 1 || !self.pipeline.queued.is_empty());
        let mut replaced = None;
        if let Some(slot) = state.slot(self.id) {
            slot.awake = again;
            if !slot.waker.as_ref().is_some_and(|w| w.will_wake(cx.waker())) {
                replaced = slot.waker.replace(cx.waker().clone());
            }
        }
        drop(state);
        drop(replaced);
        self.pipeline.wake_told();
        if hedged > 0 {
            self.endpoint
                .counters
                .hedges
                .fetch_add(hedged as u64, Ordering::Relaxed);
        }
        if moved + hedged > 0 {
            self.endpoint
                .counters
                .moves
                .fetch_add(moved as u64, Ordering::Relaxed);
            self.endpoint.pump(now);
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
            counters
                .replies
                .fetch_add(replies - self.counted, Ordering::Relaxed);
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
            if self.pipeline.out.is_empty() {
                break false;
            }
            let written = match self.pipeline.out.single() {
                Some(bytes) => stream.as_mut().poll_write(cx, bytes),
                None => {
                    let mut slices = [IoSlice::new(&[]); SLICES];
                    let n = self.pipeline.out.slices(&mut slices);
                    stream.as_mut().poll_write_vectored(cx, &slices[..n])
                }
            };
            let error = match written {
                Poll::Pending => break true,
                Poll::Ready(Ok(n)) if n > 0 => {
                    wrote = true;
                    self.wrote = now;
                    let counters = &self.endpoint.counters;
                    counters.writes.fetch_add(1, Ordering::Relaxed);
                    counters.bytes_out.fetch_add(n as u64, Ordering::Relaxed);
                    self.pipeline.handle_written(n, now);
                    continue;
                }
                Poll::Ready(Ok(_)) => io::ErrorKind::WriteZero.into(),
                Poll::Ready(Err(error)) => error,
            };
            // The server may have answered before it closed: what it said counts for more.
            self.read(cx, now)?;
            let lost = Error::new(Kind::Closed, "the connection was lost while writing");
            return Err(lost.with_source(error));
        };
        if blocked {
            self.pipeline.watch(cx);
        }
        if wrote || blocked || self.unflushed {
            // TLS keeps records of its own, and sends them only when it is asked again.
            let flushed = stream.poll_flush(cx);
            self.unflushed = flushed.is_pending();
            if let Poll::Ready(Err(error)) = flushed {
                let lost = Error::new(Kind::Closed, "the connection was lost while writing");
                return Err(lost.with_source(error));
            }
        }
        Ok(blocked)
    }

    /// Acts on what is due, and sees that this task is woken for the next.
    fn arm(&mut self, cx: &mut Context<'_>, now: Instant) -> Result<(), Error> {
        let config = &self.endpoint.config;
        let armed = self.sleep.deadline().into_std();
        let soonest = self.pipeline.take_soonest(config);
        if soonest.is_none_or(|s| s >= armed) && self.sleep.as_mut().poll(cx).is_pending() {
            return Ok(());
        }
        loop {
            self.pipeline.handle_timeout(now, config)?;
            let next = self.pipeline.next_timeout(now, config);
            let next = next.unwrap_or(now + config.idle_timeout);
            let next = next.max(now + Duration::from_millis(1));
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
        let replies = self.pipeline.replies();
        let reason = CloseReason::of(cause);
        // What is ended from this side tells nothing of the server.
        let ours = matches!(reason, CloseReason::Caller | CloseReason::Shutdown);
        let few = replies < FEW && !ours;
        let broken = cause.kind() == Kind::Protocol
            || few && (self.pipeline.is_spent() || self.pipeline.owes_replies());
        let dud = replies == 0 && !self.pipeline.is_open() && reason.is_of_server();
        let again = self.pipeline.close(cause, &self.endpoint.config);
        let counters = &self.endpoint.counters;
        counters.closed(reason);
        let replayed = self.pipeline.replayed();
        counters.replays.fetch_add(replayed, Ordering::Relaxed);
        self.endpoint.tell(&Event::Closed {
            reason,
            replies,
            age: now().saturating_duration_since(self.born),
            moved: again.len(),
        });
        if let (Some(stream), Some(cx)) = (&mut self.stream, cx) {
            // Says goodbye where the transport has a word for it; nobody waits for the answer.
            let _ = Pin::new(stream).poll_shutdown(cx);
            self.stream = None;
            // Before its place is free: whoever takes that takes a permit too.
            self.permit = None;
            let now = now();
            let end = End { again, dud, broken };
            self.endpoint.ended(self.id, end, now);
            self.endpoint.pump(now);
        } else {
            self.stream = None;
            self.permit = None;
            let mail = self.endpoint.lock().ended(self.id, false, now());
            for entry in again.into_iter().chain(mail) {
                entry.bounce(self.home);
            }
            self.endpoint.permits.settle();
            self.endpoint.bounce_all(self.home);
        }
        self.pipeline.wake_told();
    }
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
            let gone = Error::new(
                Kind::Closed,
                "the runtime that served the connection is gone",
            )
            .because(CloseReason::Shutdown);
            self.finish(&gone, None);
        }
    }
}
