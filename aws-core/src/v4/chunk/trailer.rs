//! What is said of a body at its end, once all of it is known.

use std::time::SystemTime;

use aws_sigv2::Credentials;
use aws_sigv2::mac::{Sha256, Sink as _, hash};
use bytes::Bytes;
use futures_core::Stream;

use super::{ChunkSigner, Chunks, FIELD, hex_digits};
use crate::v4::hex::Hex;
use crate::v4::payload::Payload;
use crate::v4::{Authorization, Request, Scope};

const SIGNATURE: &str = "x-amz-trailer-signature:";

/// A field that goes behind a body that is sent in [`Chunks`], with what was computed of it meanwhile: a checksum.
pub trait Trailer: Send {
    /// The name of the field, in lowercase; `x-amz-trailer` has to announce it.
    fn name(&self) -> &'static str;

    /// Sees the next bytes.
    fn update(&mut self, piece: &[u8]);

    /// The value, when all bytes have been seen.
    fn value(self: Box<Self>) -> String;
}

/// The line before a chunk that is not signed.
pub(super) fn unsigned_head(len: usize) -> String {
    format!("{len:x}\r\n")
}

/// What goes behind the head of the empty chunk.
pub(super) fn lines(trailer: Box<dyn Trailer>, signer: Option<&mut ChunkSigner>) -> String {
    let name = trailer.name();
    let value = trailer.value();
    let mut out = format!("{name}:{value}\r\n");
    if let Some(signer) = signer {
        out.push_str(SIGNATURE);
        out.push_str(signer.trailer(&[(name, &value)]));
        out.push_str("\r\n");
    }
    out.push_str("\r\n");
    out
}

/// The bytes of a body of `len` bytes as it is sent in chunks of `chunk` bytes with a trailer: what `content-length`
/// says. The trailer has a name and a value of these lengths.
pub fn trailed_len(len: u64, chunk: usize, signed: bool, name: usize, value: usize) -> u64 {
    let chunk = chunk.max(1) as u64;
    let signature = if signed { FIELD.len() + 64 } else { 0 } as u64;
    let head = |n: u64| hex_digits(n) + signature + 2;
    let framed = |n: u64| head(n) + n + 2;
    let rest = len % chunk;
    let last = if rest > 0 { framed(rest) } else { 0 };
    let signed = if signed { SIGNATURE.len() + 64 + 2 } else { 0 };
    (len / chunk) * framed(chunk) + last + head(0) + (name + 1 + value + 2 + signed + 2) as u64
}

impl ChunkSigner {
    /// The signature of trailers, which goes behind them as `x-amz-trailer-signature`, after the
    /// [head](Self::head) of the empty chunk. Names are in lowercase and sorted, values without spaces around them.
    ///
    /// See [the S3 documentation](https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming-trailers.html).
    pub fn trailer(&mut self, fields: &[(&str, &str)]) -> &str {
        let mut lines = String::new();
        for (name, value) in fields {
            for text in [*name, ":", *value, "\n"] {
                lines.push_str(text);
            }
        }
        let prefix = self.prefix.replacen("-PAYLOAD\n", "-TRAILER\n", 1);
        let mut mac = self.key.feed();
        for piece in [&prefix, &*self.last, "\n"] {
            mac.put(piece.as_bytes());
        }
        mac.put(Hex::of(hash::<Sha256>(lines.as_bytes())).as_bytes());
        self.last.clear();
        self.last.push_str(Hex::of(mac.finish()).as_str());
        &self.last
    }
}

impl<S, E> Chunks<S>
where
    S: Stream<Item = Result<Bytes, E>>,
{
    /// Cuts `stream` in chunks of `size` bytes, at least [`MIN_CHUNK`](super::MIN_CHUNK), signs them where there is a
    /// signer, and adds a trailer.
    ///
    /// The signer is that of [`Request::sign_trailed_chunks`]; without one the payload is
    /// [`UnsignedTrailer`](Payload::UnsignedTrailer).
    pub fn trailed(
        stream: S,
        signer: Option<ChunkSigner>,
        trailer: impl Trailer + 'static,
        size: usize,
    ) -> Self {
        Self::framed(stream, signer, Some(Box::new(trailer)), size)
    }
}

impl<'a, H> Request<'a, H>
where
    H: Clone + IntoIterator<Item = (&'a str, &'a str)>,
{
    /// As [`sign_chunks`](Self::sign_chunks), for a body with a [trailer](Trailer), which is signed too.
    ///
    /// The headers must hold `x-amz-trailer` with the name of the trailer besides those that `sign_chunks` asks
    /// for; the length of the body is [`trailed_len`].
    pub fn sign_trailed_chunks<'c>(
        &self,
        scope: &Scope,
        credentials: &'c Credentials,
        time: SystemTime,
    ) -> (Authorization<'c>, ChunkSigner) {
        self.sign_chunks_as(Payload::ChunksTrailer, scope, credentials, time)
    }
}
