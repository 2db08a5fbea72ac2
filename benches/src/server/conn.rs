//! One connection of the server: requests in, answers out in order.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use memchr::{memchr, memmem};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::content::{BYTE, Made, PATTERN};
use super::{Content, STATS_PATH, Shared};

const READ: usize = 64 * 1024;
/// Room for requests with large bodies.
const LARGE_READ: usize = 512 * 1024;
/// What large bodies are written from.
static BYTES: [u8; PATTERN] = [BYTE; PATTERN];
/// No more is read while this much waits to be written.
const BACKLOG: usize = 1024 * 1024;

enum Kind {
    Get,
    /// What was made for this request.
    Made(Made),
    /// A head only: HEAD, PUT and DELETE.
    Empty,
    Stats {
        reset: bool,
    },
}

/// An answer that is being worked on.
struct Slot {
    due: Instant,
    kind: Kind,
}

pub(super) struct Conn<S> {
    stream: S,
    shared: Arc<Shared>,
    rng: fastrand::Rng,
    input: Vec<u8>,
    filled: usize,
    /// Bytes of a request's body that are still to come.
    skip: usize,
    /// The request whose body that is, or whose head was read just now.
    waiting: Option<Kind>,
    /// There may be requests in the input that were not looked at, behind a large answer.
    unparsed: bool,
    /// Bytes of a large body that come behind the output.
    rest: u64,
    queue: VecDeque<Slot>,
    last_due: Option<Instant>,
    armed: Option<Instant>,
    output: Vec<u8>,
    written: usize,
    /// With Nagle: the lengths of the writes to make, in order.
    pieces: VecDeque<usize>,
    answers: u64,
    closing: bool,
    /// Whether this connection asks for counts only.
    watcher: bool,
    /// Whether the server never had as many connections before this one.
    made_most: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Conn<S> {
    pub(super) fn new(stream: S, shared: Arc<Shared>, number: u64) -> Self {
        let made_most = shared.opened();
        let large = shared.mode.content == Content::Large;
        Self {
            stream,
            rng: fastrand::Rng::with_seed(number),
            input: vec![0; if large { LARGE_READ } else { READ }],
            filled: 0,
            skip: 0,
            waiting: None,
            unparsed: false,
            rest: 0,
            queue: VecDeque::new(),
            last_due: None,
            armed: None,
            output: Vec::new(),
            written: 0,
            pieces: VecDeque::new(),
            answers: 0,
            closing: false,
            watcher: false,
            made_most,
            shared,
        }
    }

    pub(super) async fn run(mut self) {
        // A connection's failure is its client's affair, which reports it.
        if poll_fn(|cx| self.poll(cx)).await.is_ok() && self.closing {
            let _ = poll_fn(|cx| self.linger(cx)).await;
        }
    }

    /// Serves until the client closes, or until the last answer is written.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            self.answer(cx);
            let was_amid = self.rest > 0;
            let flushed = self.flush(cx)?;
            if was_amid && self.rest == 0 && !self.closing {
                // What fell due in the meantime was not written behind a large body, and is not woken for again.
                continue;
            }
            if self.closing && flushed.is_ready() {
                return Poll::Ready(Ok(()));
            }
            let backlog = self.output.len() - self.written > BACKLOG || self.rest > 0;
            if self.closing || backlog {
                return Poll::Pending;
            }
            if self.unparsed {
                self.parse()?;
                continue;
            }
            if ready!(self.read(cx))? == 0 {
                return Poll::Ready(Ok(()));
            }
            self.parse()?;
        }
    }

    /// Says that nothing more comes, and reads until the client has seen it: closing at once
    /// would reset the connection under answers that are on their way.
    fn linger(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_shutdown(cx))?;
        loop {
            self.filled = 0;
            if ready!(self.read(cx))? == 0 {
                return Poll::Ready(Ok(()));
            }
        }
    }

    fn read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut buf = ReadBuf::new(&mut self.input[self.filled..]);
        ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buf))?;
        let n = buf.filled().len();
        self.filled += n;
        Poll::Ready(Ok(n))
    }

    fn flush(&mut self, cx: &mut Context<'_>) -> io::Result<Poll<()>> {
        while self.written < self.output.len() {
            let end = match self.pieces.front() {
                Some(len) => self.written + len,
                None => self.output.len(),
            };
            let out = &self.output[self.written..end];
            let Poll::Ready(n) = Pin::new(&mut self.stream).poll_write(cx, out)? else {
                return Ok(Poll::Pending);
            };
            self.written += n;
            if let Some(len) = self.pieces.front_mut() {
                *len -= n;
                if *len == 0 {
                    self.pieces.pop_front();
                }
            }
        }
        self.output.clear();
        self.written = 0;
        while self.rest > 0 {
            let out = &BYTES[..self.rest.min(PATTERN as u64) as usize];
            let Poll::Ready(n) = Pin::new(&mut self.stream).poll_write(cx, out)? else {
                return Ok(Poll::Pending);
            };
            self.rest -= n as u64;
        }
        // TLS keeps records of its own.
        Ok(Pin::new(&mut self.stream).poll_flush(cx)?)
    }

    /// Takes whole requests out of the input: all of them, or those up to one with a large answer.
    fn parse(&mut self) -> io::Result<()> {
        let now = self.shared.delays.then(Instant::now);
        let mut at = 0;
        self.unparsed = false;
        loop {
            let body = self.skip.min(self.filled - at);
            at += body;
            self.skip -= body;
            if self.skip > 0 {
                break;
            }
            if let Some(kind) = self.waiting.take() {
                match now {
                    Some(now) => self.enqueue(now, kind),
                    None => self.write(kind),
                }
                if self.rest > 0 {
                    self.unparsed = true;
                    break;
                }
            }
            let rest = &self.input[at..self.filled];
            let Some(end) = memmem::find(rest, b"\r\n\r\n") else {
                break;
            };
            let head = &rest[..end + 2];
            at += end + 4;
            let (kind, skip) = self.shared.kind(head)?;
            self.skip = skip;
            if matches!(kind, Kind::Stats { .. }) {
                self.watch();
            } else {
                self.shared.requests.fetch_add(1, Relaxed);
            }
            self.waiting = Some(kind);
        }
        self.input.copy_within(at..self.filled, 0);
        self.filled -= at;
        if self.filled == self.input.len() {
            return Err(io::Error::other("a head that is too long"));
        }
        Ok(())
    }

    fn enqueue(&mut self, now: Instant, kind: Kind) {
        let mode = &self.shared.mode;
        let mut work = mode.latency;
        if let Some(tail) = mode.tail
            && self.rng.f64() < tail.share
        {
            work += tail.late;
        }
        let start = match self.last_due {
            Some(last) if mode.serial => last.max(now),
            _ => now,
        };
        let due = start + work;
        self.last_due = Some(due);
        self.queue.push_back(Slot { due, kind });
    }

    /// Writes the answers that are due, and has itself woken for the next.
    fn answer(&mut self, cx: &mut Context<'_>) {
        if self.queue.is_empty() {
            return;
        }
        let now = Instant::now();
        while self.rest == 0
            && let Some(slot) = self.queue.pop_front_if(|slot| slot.due <= now)
        {
            self.write(slot.kind);
        }
        if let Some(next) = self.queue.front()
            && self.armed != Some(next.due)
        {
            self.armed = Some(next.due);
            self.shared.timer.wake_at(next.due, cx.waker());
        }
    }

    fn write(&mut self, kind: Kind) {
        if self.closing {
            return;
        }
        let shared = self.shared.clone();
        let mode = &shared.mode;
        self.answers += 1;
        self.closing = mode.close_after.is_some_and(|after| self.answers >= after);
        let last = self.closing && mode.announce;
        let answer = match kind {
            Kind::Made(made) => {
                self.output.extend_from_slice(&made.bytes);
                self.rest = made.rest;
                if mode.nagle {
                    self.pieces.push_back(made.bytes.len());
                }
                return;
            }
            Kind::Get if last => &shared.get_last,
            Kind::Get => &shared.get,
            Kind::Empty if last => &shared.empty_last,
            Kind::Empty => &shared.empty,
            Kind::Stats { reset } => {
                let counts = serde_json::to_vec(&shared.counts()).unwrap_or_default();
                if reset {
                    shared.reset();
                }
                &super::Answer::new("application/json", &counts, last)
            }
        };
        answer.write(self.answers, &mut self.output);
        if mode.nagle {
            self.pieces.push_back(answer.head);
            if answer.bytes.len() > answer.head {
                self.pieces.push_back(answer.bytes.len() - answer.head);
            }
        }
    }

    /// Takes this connection out of the counts.
    fn watch(&mut self) {
        if !self.watcher {
            self.watcher = true;
            self.shared.discount(self.made_most);
        }
    }
}

impl<S> Drop for Conn<S> {
    fn drop(&mut self) {
        if !self.watcher {
            self.shared.closed();
        }
    }
}

impl Shared {
    /// What a request of this head is answered with, and how many bytes its body has.
    fn kind(&self, head: &[u8]) -> io::Result<(Kind, usize)> {
        if head.starts_with(b"GET /__") && head[4..].starts_with(STATS_PATH.as_bytes()) {
            let reset = head[4 + STATS_PATH.len()..].starts_with(b"?reset");
            return Ok((Kind::Stats { reset }, 0));
        }
        let is_get = head.starts_with(b"GET ");
        let sent = if is_get { 0 } else { content_length(head)? };
        let kind = match self.ready.answer(head, sent) {
            Some(made) => Kind::Made(made),
            None if is_get => Kind::Get,
            None => Kind::Empty,
        };
        Ok((kind, sent))
    }
}

/// The value of `content-length`, 0 without one.
fn content_length(head: &[u8]) -> io::Result<usize> {
    let mut rest = head;
    while let Some(end) = memchr(b'\n', rest) {
        let line = &rest[..end];
        rest = &rest[end + 1..];
        let Some(colon) = memchr(b':', line) else {
            continue;
        };
        let bad = || io::Error::other("a body without a length that can be read");
        if line[..colon].eq_ignore_ascii_case(b"content-length") {
            let value = std::str::from_utf8(line[colon + 1..].trim_ascii()).map_err(|_| bad())?;
            return value.parse().map_err(|_| bad());
        }
        if line[..colon].eq_ignore_ascii_case(b"transfer-encoding") {
            return Err(bad());
        }
    }
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_found_in_any_case() {
        let head = b"PUT / HTTP/1.1\r\nhost: a\r\nCONTENT-length: 12 \r\n";
        assert_eq!(content_length(head).unwrap(), 12);
        assert_eq!(
            content_length(b"HEAD / HTTP/1.1\r\nhost: a\r\n").unwrap(),
            0
        );
        assert!(content_length(b"PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n").is_err());
    }
}
