//! The one task that touches a connection: it advances reads and writes together.

use std::collections::VecDeque;
use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWrite};
use tokio::runtime::RuntimeFlavor;
use tokio::time::Sleep;

use super::endpoint::{End, Endpoint};
use super::permits::Permit;
use super::pipeline::Pipeline;
use super::state::{ConnId, Report};
use crate::connect::{Lease, Opened, Stream, is_exhausted};
use crate::error::{Error, Kind};
use crate::event::{CloseReason, Event};
use crate::protocol::Protocol;

/// The first read buffer's bytes; it grows when reads fill it.
const READ_MIN: usize = 8 * 1024;
/// A read has room for so many bytes at least.
const READ_LEAST: usize = 1024;
/// A server that ends a connection before this many answers is not made for pipelining.
const FEW: u64 = 16;
/// Pieces that one write joins.
const SLICES: usize = 16;

fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// Whether a task that is woken runs before those that were woken earlier, as it does on the
/// multi-thread runtime: a driver would then write its requests one by one.
fn gathers() -> bool {
    tokio::runtime::Handle::try_current()
        .is_ok_and(|handle| handle.runtime_flavor() != RuntimeFlavor::CurrentThread)
}

/// Opens the connection and serves it to its end. To be spawned with nothing locked: a runtime that
/// goes down drops it at once.
pub(crate) fn run<P: Protocol>(
    endpoint: Arc<Endpoint<P>>,
    id: ConnId,
    permit: Permit,
) -> impl Future<Output = ()> + Send {
    // Made now, as the task may never be polled.
    let opening = Opening {
        endpoint,
        id,
        permit: Some(permit),
    };
    open_and_serve(opening)
}

async fn open_and_serve<P: Protocol>(mut opening: Opening<P>) {
    let (endpoint, id) = (opening.endpoint.clone(), opening.id);
    let limit = endpoint.config.connect_timeout;
    let begun = now();
    let connection = endpoint.lock().connection(id);
    let opening_now = endpoint.opener.open(&endpoint, connection);
    let opened = match tokio::time::timeout(limit, opening_now).await {
        Ok(opened) => opened,
        Err(_) => {
            let text = format!("no connection to {} within {limit:?}", endpoint.name);
            Err(Error::new(Kind::Connect, text))
        }
    };
    let Some(permit) = opening.permit.take() else {
        return;
    };
    drop(opening);
    match opened {
        Ok((opened, protocol)) => {
            endpoint.counters.opened.fetch_add(1, Ordering::Relaxed);
            let took = now().saturating_duration_since(begun);
            endpoint.tell(&Event::Opened { took });
            endpoint.lock().opened(id, opened.rtt);
            Driver::new(endpoint, id, permit, opened, protocol).await;
        }
        Err(error) => {
            // The permit goes first: those who wait may want it at once.
            drop(permit);
            endpoint.tell(&Event::OpenFailed {
                error: error.clone(),
            });
            endpoint.open_failed(id, &error, lacks_descriptor(&error), now());
            endpoint.pump(now());
        }
    }
}

/// Whether there was no file descriptor to open it with.
fn lacks_descriptor(error: &Error) -> bool {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(io) = error.downcast_ref::<io::Error>()
            && is_exhausted(io)
        {
            return true;
        }
        cause = error.source();
    }
    false
}

/// A connection being opened; sees to its place when the runtime goes away meanwhile.
struct Opening<P: Protocol> {
    endpoint: Arc<Endpoint<P>>,
    id: ConnId,
    permit: Option<Permit>,
}

impl<P: Protocol> Drop for Opening<P> {
    fn drop(&mut self) {
        if let Some(permit) = self.permit.take() {
            drop(permit);
            self.endpoint.lock().remove(self.id);
            self.endpoint.bounce_all();
        }
    }
}

struct Driver<P: Protocol> {
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
    gathered: bool,
    /// Replies that the counters know of.
    counted: u64,
    /// The transport still holds bytes that it has taken.
    unflushed: bool,
}

impl<P: Protocol> Driver<P> {
    fn new(
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
            gathered: false,
            counted: 0,
            unflushed: false,
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
        if self.gathers && !self.gathered && (!read || self.pipeline.has_done()) {
            // Those who were answered, or who hand in requests now, go first.
            if read {
                self.sync(cx, now, true)?;
            }
            self.gathered = true;
            cx.waker().wake_by_ref();
            return Ok(());
        }
        self.gathered = false;
        loop {
            if !std::mem::take(&mut read) {
                self.read(cx, now)?;
            }
            self.sync(cx, now, false)?;
            if self.pipeline.begins_once() && self.stream.as_ref().is_some_and(Stream::is_dead) {
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
        if self.pipeline.is_amid()
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
        // The last read has taken all that was there.
        let mut drained = false;
        loop {
            match self.pipeline.poll_ready(cx, now) {
                Poll::Ready(ready) => ready?,
                Poll::Pending => return Ok(any),
            }
            let input = &mut self.pipeline.input;
            let least = match drained {
                true => READ_LEAST,
                false => self.read_size / 2,
            };
            let mut room = input.capacity() - input.len();
            // By the next time the replies of this one may be used up, and their buffer free again.
            if room < least {
                input.reserve(self.read_size.saturating_sub(input.len()).max(least));
                room = input.capacity() - input.len();
            }
            let read = pin!(stream.read_buf(input)).poll(cx);
            match read {
                Poll::Pending => return Ok(any),
                Poll::Ready(Ok(0)) => self.pipeline.handle_eof(),
                Poll::Ready(Ok(n)) => {
                    let counters = &self.endpoint.counters;
                    counters.reads.fetch_add(1, Ordering::Relaxed);
                    counters.bytes_in.fetch_add(n as u64, Ordering::Relaxed);
                    let full = n == room;
                    if full && !drained {
                        self.read_size = (self.read_size * 2).min(self.endpoint.config.read_buffer);
                    }
                    drained = !full;
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

    /// Tells the endpoint what is done and takes what there is to do; with `soon` this task looks
    /// again without being woken for it.
    fn sync(&mut self, cx: &mut Context<'_>, now: Instant, soon: bool) -> Result<(), Error> {
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
            state.line.put_back(entry);
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
                    state.line.insert(copy);
                }
            }
        }
        self.pipeline.late_after = state.learn.late_after();
        if let Some(slot) = state.slot(self.id) {
            slot.awake = soon;
            if !slot.waker.as_ref().is_some_and(|w| w.will_wake(cx.waker())) {
                slot.waker = Some(cx.waker().clone());
            }
        }
        drop(state);
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
        if self.pipeline.is_idle() && self.endpoint.permits.wanted() {
            self.endpoint.permits.evict(&*self.endpoint);
        }
        Ok(())
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
            let end = End {
                again,
                proven: replies > 0,
                broken,
            };
            self.endpoint.ended(self.id, end, now);
            self.endpoint.pump(now);
        } else {
            self.stream = None;
            self.permit = None;
            let mail = self.endpoint.lock().remove(self.id);
            for entry in again.into_iter().chain(mail) {
                entry.bounce();
            }
            self.endpoint.bounce_all();
        }
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
