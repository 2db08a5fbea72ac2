//! An HTTP server to measure clients against, as lean as tokio allows, with the habits of real
//! ones on demand: delay, late answers, requests worked in order, early closes, Nagle.

mod args;
mod conn;
mod content;
mod timer;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::tls;
pub use args::Args;
use conn::Conn;
pub use content::Content;
use content::Ready;
use timer::Timer;

/// The path that answers with [`Counts`] as JSON; with `?reset` the counts start anew after it.
pub const STATS_PATH: &str = "/__stats";

/// How a server answers.
#[derive(Clone, Debug)]
pub struct Mode {
    /// Bytes of the body of every answer to a GET, or keys of the listing. Defaults to 1,024.
    pub body: usize,
    /// What there is of that size. Defaults to one small body.
    pub content: Content,
    /// Whether the requests of one connection are worked one after another, as most servers do;
    /// else they are worked at once, and answered in order. Defaults to false.
    pub serial: bool,
    /// How long one request is worked on. Defaults to nothing.
    pub latency: Duration,
    /// Answers that take longer. Defaults to none.
    pub tail: Option<Tail>,
    /// After how many answers a connection is closed. Defaults to never.
    pub close_after: Option<u64>,
    /// Whether the last answer before that says `Connection: close`. Defaults to true.
    pub announce: bool,
    /// Whether head and body go out in two writes, with Nagle's algorithm on: an answer then
    /// waits for the acknowledgement of the one before. Defaults to false.
    pub nagle: bool,
    /// Whether it speaks TLS: where its certificate is written to, in PEM. Defaults to no.
    pub tls: Option<PathBuf>,
}

impl Default for Mode {
    fn default() -> Self {
        Self {
            body: 1024,
            content: Content::Body,
            serial: false,
            latency: Duration::ZERO,
            tail: None,
            close_after: None,
            announce: true,
            nagle: false,
            tls: None,
        }
    }
}

/// Which share of the answers is late, and by how much more than the others.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tail {
    /// The share, 0 to 1.
    pub share: f64,
    /// The delay on top of [`Mode::latency`].
    pub late: Duration,
}

impl FromStr for Tail {
    type Err = String;

    /// Reads `PERCENT:MS`, both with fractions.
    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || format!("{text:?} is not PERCENT:MS");
        let (percent, ms) = text.split_once(':').ok_or_else(bad)?;
        let percent: f64 = percent.parse().map_err(|_| bad())?;
        if !(0.0..=100.0).contains(&percent) {
            return Err(bad());
        }
        Ok(Self {
            share: percent / 100.0,
            late: millis(ms)?,
        })
    }
}

/// Reads milliseconds with a fraction.
///
/// # Errors
/// A text that says what is wrong, when it is no number, negative, or over a day.
pub fn millis(text: &str) -> Result<Duration, String> {
    match text.parse::<f64>() {
        Ok(ms) if (0.0..=86_400_000.0).contains(&ms) => Ok(Duration::from_secs_f64(ms / 1e3)),
        _ => Err(format!("{text:?} is not a number of milliseconds")),
    }
}

/// What a server has seen; the connections that only ask for it are left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Connections open now.
    pub open: u64,
    /// The most connections that were open at once.
    pub most: u64,
    /// Connections accepted.
    pub total: u64,
    /// Requests read.
    pub requests: u64,
}

/// A server that is bound and not yet serving.
pub struct Server {
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    shared: Arc<Shared>,
}

impl Server {
    /// Binds the address; port 0 picks a free one.
    ///
    /// # Errors
    /// What the system says of binding, and of the file of the certificate.
    pub async fn bind(addr: SocketAddr, mode: Mode) -> io::Result<Self> {
        let tls = mode.tls.as_deref().map(tls::acceptor).transpose();
        Ok(Self {
            tls: tls.map_err(io::Error::other)?,
            listener: TcpListener::bind(addr).await?,
            shared: Arc::new(Shared::new(mode)),
        })
    }

    /// The address it listens on.
    ///
    /// # Errors
    /// What the system says of the socket.
    pub fn addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until it is dropped; a failure to accept is waited out.
    pub async fn run(self) {
        tokio::spawn(self.shared.timer.clone().run());
        let mut number = 0;
        loop {
            let Ok((stream, _)) = self.listener.accept().await else {
                tokio::time::sleep(Duration::from_millis(10)).await;
                continue;
            };
            if !self.shared.mode.nagle && stream.set_nodelay(true).is_err() {
                continue;
            }
            number += 1;
            let (shared, tls) = (self.shared.clone(), self.tls.clone());
            tokio::spawn(async move {
                match tls {
                    None => Conn::new(stream, shared, number).run().await,
                    // A handshake that fails is its client's affair, which reports it.
                    Some(tls) => {
                        if let Ok(stream) = tls.accept(stream).await {
                            Conn::new(stream, shared, number).run().await;
                        }
                    }
                }
            });
        }
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("mode", &self.shared.mode)
            .finish_non_exhaustive()
    }
}

/// What the connections share: the mode, the answers made beforehand, and the counts.
struct Shared {
    mode: Mode,
    /// Whether an answer may have to wait at all.
    delays: bool,
    get: Answer,
    get_last: Answer,
    empty: Answer,
    empty_last: Answer,
    ready: Ready,
    timer: Timer,
    open: AtomicU64,
    most: AtomicU64,
    total: AtomicU64,
    requests: AtomicU64,
}

/// An answer as bytes, and where its head ends.
struct Answer {
    bytes: Vec<u8>,
    head: usize,
    /// Where sixteen hexadecimal digits lie that are others in each answer.
    digits: [usize; 2],
}

impl Answer {
    fn new(kind: &str, body: &[u8], last: bool) -> Self {
        // About the fields that stores send, so that parsing costs what it does there.
        let (digits, id) = ("0f343b0931126a20", "0000000000000000");
        let mut bytes = format!(
            "HTTP/1.1 200 OK\r\nServer: bench\r\nDate: Fri, 01 May 2026 00:00:00 GMT\r\n\
             Content-Type: {kind}\r\nContent-Length: {}\r\n\
             Last-Modified: Thu, 30 Apr 2026 00:00:00 GMT\r\n\
             ETag: \"{digits}f133d67c2b018a3b\"\r\nAccept-Ranges: bytes\r\n\
             x-amz-request-id: {id}\r\n{}\r\n",
            body.len(),
            if last { "Connection: close\r\n" } else { "" },
        )
        .into_bytes();
        let head = bytes.len();
        let at = |text: &str| memchr::memmem::find(&bytes, text.as_bytes()).unwrap_or_default();
        let digits = [at(digits), at(id)];
        bytes.extend_from_slice(body);
        Self {
            bytes,
            head,
            digits,
        }
    }

    /// Appends the answer of this number; no two have the same entity tag and request id, as
    /// those of a store do not.
    fn write(&self, number: u64, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(&self.bytes);
        for at in self.digits {
            for (i, place) in out[start + at..start + at + 16].iter_mut().enumerate() {
                *place = b"0123456789abcdef"[(number >> (60 - 4 * i)) as usize & 15];
            }
        }
    }
}

impl Shared {
    fn new(mode: Mode) -> Self {
        let small = match mode.content {
            Content::Body => mode.body,
            _ => 0,
        };
        let body = vec![b'x'; small];
        let kind = "application/octet-stream";
        Self {
            delays: !mode.latency.is_zero() || mode.tail.is_some(),
            get: Answer::new(kind, &body, false),
            get_last: Answer::new(kind, &body, true),
            empty: Answer::new(kind, b"", false),
            empty_last: Answer::new(kind, b"", true),
            ready: Ready::new(mode.content, mode.body),
            timer: Timer::default(),
            open: AtomicU64::new(0),
            most: AtomicU64::new(0),
            total: AtomicU64::new(0),
            requests: AtomicU64::new(0),
            mode,
        }
    }

    /// Counts one more; says whether there were never so many.
    fn opened(&self) -> bool {
        let open = self.open.fetch_add(1, Relaxed) + 1;
        self.total.fetch_add(1, Relaxed);
        self.most.fetch_max(open, Relaxed) < open
    }

    /// Takes one back that only asks for the counts.
    fn discount(&self, made_most: bool) {
        self.open.fetch_sub(1, Relaxed);
        self.total.fetch_sub(1, Relaxed);
        if made_most {
            self.most.fetch_sub(1, Relaxed);
        }
    }

    fn closed(&self) {
        self.open.fetch_sub(1, Relaxed);
    }

    fn counts(&self) -> Counts {
        Counts {
            open: self.open.load(Relaxed),
            most: self.most.load(Relaxed),
            total: self.total.load(Relaxed),
            requests: self.requests.load(Relaxed),
        }
    }

    fn reset(&self) {
        let open = self.open.load(Relaxed);
        self.most.store(open, Relaxed);
        self.total.store(open, Relaxed);
        self.requests.store(0, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tail_is_percent_and_milliseconds() {
        let tail: Tail = "0.5:100".parse().unwrap();
        assert_eq!(tail.share, 0.005);
        assert_eq!(tail.late, Duration::from_millis(100));
        for bad in ["", "1", "x:1", "101:1", "1:-1", "-1:1"] {
            assert!(bad.parse::<Tail>().is_err(), "{bad}");
        }
    }

    #[test]
    fn milliseconds_may_have_a_fraction() {
        assert_eq!(millis("0.25"), Ok(Duration::from_micros(250)));
        assert!(millis("NaN").is_err());
    }
}
