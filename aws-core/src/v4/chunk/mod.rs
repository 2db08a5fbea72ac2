//! Bodies in chunks, each with its own signature.

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use aws_sigv2::mac::{Key, Sha256, Sink, hash};
use bytes::{Bytes, BytesMut};
use futures_core::Stream;

use super::hex::Hex;
use super::payload::EMPTY;
use super::scope::Scope;
use super::time::AmzDate;

mod trailer;

pub use trailer::{Trailer, trailed_len};

/// The bytes of a chunk, but for the last: 64 KiB.
pub const CHUNK: usize = 64 << 10;

/// The fewest bytes that S3 takes in a chunk that is not the last: 8 KiB.
pub const MIN_CHUNK: usize = 8 << 10;

const FIELD: &str = ";chunk-signature=";

/// Signs the chunks of one body in their order, each over the signature before; made by
/// [`Request::sign_chunks`](super::Request::sign_chunks).
pub struct ChunkSigner {
    key: Arc<Key<Sha256>>,
    /// What all the strings to sign begin with: algorithm, time and scope, each with its line end.
    prefix: String,
    /// The signature before, in hexadecimal.
    last: String,
}

impl ChunkSigner {
    pub(super) fn new(key: Arc<Key<Sha256>>, scope: &Scope, date: AmzDate, seed: &str) -> Self {
        let mut prefix = String::with_capacity(64 + scope.len());
        prefix.push_str("AWS4-HMAC-SHA256-PAYLOAD\n");
        prefix.push_str(date.as_ref());
        prefix.push('\n');
        scope.push(&mut prefix, date);
        prefix.push('\n');
        Self {
            key,
            prefix,
            last: seed.to_owned(),
        }
    }

    /// The line that goes before a chunk; after it goes CR LF. An empty chunk ends the body.
    pub fn head(&mut self, chunk: &[u8]) -> String {
        let mut mac = self.key.feed();
        for piece in [&self.prefix, &*self.last, "\n", EMPTY, "\n"] {
            mac.put(piece.as_bytes());
        }
        mac.put(Hex::of(hash::<Sha256>(chunk)).as_bytes());
        self.last.clear();
        self.last.push_str(Hex::of(mac.finish()).as_str());
        format!("{:x}{FIELD}{}\r\n", chunk.len(), self.last)
    }

    /// The bytes of a body of `len` bytes as it is sent, in chunks of `chunk` bytes: what `content-length`
    /// says.
    pub fn encoded_len(len: u64, chunk: usize) -> u64 {
        let chunk = chunk.max(1) as u64;
        let framed = |n: u64| hex_digits(n) + (FIELD.len() + 64 + 4) as u64 + n;
        let rest = len % chunk;
        let last = if rest > 0 { framed(rest) } else { 0 };
        (len / chunk) * framed(chunk) + last + framed(0)
    }
}

fn hex_digits(n: u64) -> u64 {
    u64::from((64 - n.leading_zeros()).div_ceil(4).max(1))
}

impl fmt::Debug for ChunkSigner {
    /// Leaves out key and signature.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChunkSigner").finish_non_exhaustive()
    }
}

/// A body as it is sent: another stream of bytes, cut into chunks of one size, each after its signature, and what
/// is said of it [at its end](Trailer).
///
/// Memory stays below two chunks and what the stream yields at once.
pub struct Chunks<S> {
    stream: Pin<Box<S>>,
    signer: Option<ChunkSigner>,
    trailer: Option<Box<dyn Trailer>>,
    size: usize,
    /// Bytes that are not a whole chunk yet.
    held: BytesMut,
    ready: VecDeque<Bytes>,
    ended: bool,
}

impl<S> Chunks<S> {
    /// Cuts and signs `stream` in chunks of `size` bytes, at least [`MIN_CHUNK`]; [`CHUNK`] is usual.
    pub fn new(stream: S, signer: ChunkSigner, size: usize) -> Self {
        Self::framed(stream, Some(signer), None, size)
    }

    fn framed(
        stream: S,
        signer: Option<ChunkSigner>,
        trailer: Option<Box<dyn Trailer>>,
        size: usize,
    ) -> Self {
        Self {
            stream: Box::pin(stream),
            signer,
            trailer,
            size: size.max(MIN_CHUNK),
            held: BytesMut::new(),
            ready: VecDeque::new(),
            ended: false,
        }
    }

    fn push(&mut self, chunk: Bytes) {
        self.push_head(&chunk);
        if let Some(trailer) = &mut self.trailer {
            trailer.update(&chunk);
        }
        self.ready.push_back(chunk);
        self.ready.push_back(Bytes::from_static(b"\r\n"));
    }

    fn push_head(&mut self, chunk: &[u8]) {
        let head = match &mut self.signer {
            Some(signer) => signer.head(chunk),
            None => trailer::unsigned_head(chunk.len()),
        };
        self.ready.push_back(head.into());
    }

    fn take(&mut self, mut piece: Bytes) {
        if !self.held.is_empty() {
            let room = self.size - self.held.len();
            self.held
                .extend_from_slice(&piece.split_to(room.min(piece.len())));
            if self.held.len() == self.size {
                let chunk = self.held.split().freeze();
                self.push(chunk);
            }
        }
        while piece.len() >= self.size {
            let chunk = piece.split_to(self.size);
            self.push(chunk);
        }
        self.held.extend_from_slice(&piece);
    }

    fn end(&mut self) {
        self.ended = true;
        if !self.held.is_empty() {
            let chunk = self.held.split().freeze();
            self.push(chunk);
        }
        match self.trailer.take() {
            None => self.push(Bytes::new()),
            Some(trailer) => {
                self.push_head(&[]);
                let lines = trailer::lines(trailer, self.signer.as_mut());
                self.ready.push_back(lines.into());
            }
        }
    }
}

impl<S, E> Stream for Chunks<S>
where
    S: Stream<Item = Result<Bytes, E>>,
{
    type Item = Result<Bytes, E>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            while let Some(piece) = self.ready.pop_front() {
                if !piece.is_empty() {
                    return Poll::Ready(Some(Ok(piece)));
                }
            }
            if self.ended {
                return Poll::Ready(None);
            }
            match self.stream.as_mut().poll_next(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Some(Ok(piece))) => self.take(piece),
                Poll::Ready(Some(Err(error))) => {
                    self.ended = true;
                    return Poll::Ready(Some(Err(error)));
                }
                Poll::Ready(None) => self.end(),
            }
        }
    }
}

impl<S> fmt::Debug for Chunks<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Chunks")
            .field("size", &self.size)
            .field("ended", &self.ended)
            .finish_non_exhaustive()
    }
}
