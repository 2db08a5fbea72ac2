//! What is signed of a body.

use std::fmt;

use aws_sigv2::mac::{Sha256, hash};

use super::hex::Hex;

/// What is signed of a body.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub enum Payload<'a> {
    /// The SHA-256 digest of these bytes.
    Bytes(&'a [u8]),
    /// This SHA-256 digest of the body.
    Sha256([u8; 32]),
    /// Nothing (`UNSIGNED-PAYLOAD`): TLS has to protect it. S3 alone takes that.
    Unsigned,
    /// Each chunk of it by itself (`STREAMING-AWS4-HMAC-SHA256-PAYLOAD`); see [`Request::sign_chunks`].
    ///
    /// [`Request::sign_chunks`]: super::Request::sign_chunks
    Chunks,
    /// Each chunk of it by itself, and the fields behind it (`STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER`); see
    /// [`Request::sign_trailed_chunks`].
    ///
    /// [`Request::sign_trailed_chunks`]: super::Request::sign_trailed_chunks
    ChunksTrailer,
    /// Nothing, with a checksum behind the body (`STREAMING-UNSIGNED-PAYLOAD-TRAILER`), as
    /// [`Chunks::trailed`](super::Chunks::trailed) has it.
    UnsignedTrailer,
}

impl Payload<'_> {
    pub(super) fn text(&self) -> PayloadText {
        match self {
            Self::Bytes([]) => PayloadText::Word(EMPTY),
            Self::Bytes(bytes) => PayloadText::Hex(Hex::of(hash::<Sha256>(bytes))),
            Self::Sha256(digest) => PayloadText::Hex(Hex::of(*digest)),
            Self::Unsigned => PayloadText::Word("UNSIGNED-PAYLOAD"),
            Self::Chunks => PayloadText::Word("STREAMING-AWS4-HMAC-SHA256-PAYLOAD"),
            Self::ChunksTrailer => PayloadText::Word("STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"),
            Self::UnsignedTrailer => PayloadText::Word("STREAMING-UNSIGNED-PAYLOAD-TRAILER"),
        }
    }
}

impl fmt::Debug for Payload<'_> {
    /// Leaves out the bytes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(bytes) => write!(f, "Bytes({} bytes)", bytes.len()),
            other => f.write_str(other.text().as_str()),
        }
    }
}

/// The digest of nothing.
pub(super) const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// The value of `x-amz-content-sha256`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum PayloadText {
    Word(&'static str),
    Hex(Hex),
}

impl PayloadText {
    pub(super) fn as_str(&self) -> &str {
        match self {
            Self::Word(word) => word,
            Self::Hex(text) => text.as_str(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_digests() {
        assert_eq!(Hex::of(hash::<Sha256>(b"")).as_str(), EMPTY);
        assert_eq!(Payload::Bytes(b"").text().as_str(), EMPTY);
        let welcome = "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072";
        assert_eq!(
            Payload::Bytes(b"Welcome to Amazon S3.").text().as_str(),
            welcome
        );
        assert_eq!(format!("{:?}", Payload::Bytes(b"hush")), "Bytes(4 bytes)");
        assert_eq!(format!("{:?}", Payload::Unsigned), "UNSIGNED-PAYLOAD");
    }
}
