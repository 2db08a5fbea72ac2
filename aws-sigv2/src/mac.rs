//! HMAC over text that comes in pieces: what signatures are made of.
//!
//! The hashing is that of the crates [`hmac`], [`sha1`] and [`sha2`]. This module adds two things to them: a key
//! that is prepared once and cloned for each signature ([`Key`]), so that a signature does not hash the key again,
//! and a common way to write canonical text either into a buffer that people read or into a hash ([`Sink`]).
//!
//! *Problem:* HMAC hashes two blocks of key for each signature, and most requests use the same key. *Decision:* A key
//! holds the state of HMAC, by the `hmac` crate, after these blocks, and each signature clones it. Text to sign goes
//! into the hash as it is written, instead of into a string first; many short pieces are gathered in 128 bytes on the stack
//! before. *Cost:* The prepared state is as secret as the key, and is kept from `Debug` in the same way.
//!
//! ```
//! use aws_sigv2::mac::{Key, Sha1, Sink};
//!
//! // https://www.rfc-editor.org/rfc/rfc2202#section-3, the second case
//! let key = Key::<Sha1>::new(b"Jefe");
//! let mut feed = key.feed();
//! feed.put(b"what do ya want ");
//! feed.put(b"for nothing?");
//! assert_eq!(feed.finish()[..4], [0xef, 0xfc, 0xdf, 0x6a]);
//! ```

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::digest::{FixedOutput, Output, Update};
use hmac::{EagerHash, Hmac, KeyInit};

pub use sha1::Sha1;
pub use sha2::Sha256;

/// Where canonical text goes: into a buffer that people read, or straight into a [`Feed`].
pub trait Sink {
    /// Puts some bytes.
    fn put(&mut self, bytes: &[u8]);

    /// Puts one byte.
    fn put_byte(&mut self, byte: u8) {
        self.put(&[byte]);
    }

    /// Puts text with its ASCII letters in lowercase.
    #[inline]
    fn put_lower(&mut self, text: &str) {
        // Most are lowercase already. To lower them where they were just put would wait for the put to end.
        if is_lower(text) {
            self.put(text.as_bytes());
        } else {
            text.bytes()
                .for_each(|byte| self.put_byte(byte.to_ascii_lowercase()));
        }
    }
}

/// Whether no ASCII letter is in uppercase.
#[inline]
#[must_use]
pub fn is_lower(text: &str) -> bool {
    // Without an early exit the compiler takes many bytes at a time.
    let upper = |found, byte: u8| found | byte.is_ascii_uppercase();
    !text.bytes().fold(false, upper)
}

impl Sink for Vec<u8> {
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

/// The hash of a text that is here whole.
#[must_use]
pub fn hash<H: Default + Update + FixedOutput>(text: &[u8]) -> Output<H> {
    let mut feed = Feed::<H>::new();
    feed.put(text);
    feed.finish()
}

/// A key of HMAC ([RFC 2104](https://www.rfc-editor.org/rfc/rfc2104)) whose two blocks are hashed already.
///
/// Its state is overwritten when it is dropped, and `Debug` shows nothing of it.
pub struct Key<H: EagerHash>(Hmac<H>);

impl<H: EagerHash> Key<H> {
    /// The key of these bytes. Any length will do: HMAC hashes a key that is longer than a block of 64 bytes.
    #[must_use]
    pub fn new(key: &[u8]) -> Self {
        #[expect(
            clippy::expect_used,
            reason = "HMAC is defined for keys of every length, so the crate has no length to refuse"
        )]
        Self(Hmac::new_from_slice(key).expect("HMAC takes keys of any length"))
    }

    /// Begins a code of this key.
    #[inline]
    pub fn feed(&self) -> Feed<Hmac<H>> {
        Feed(self.0.clone())
    }

    /// The code of a text that is here whole.
    #[must_use]
    pub fn sign(&self, text: &[u8]) -> Output<Hmac<H>> {
        let mut feed = self.feed();
        feed.put(text);
        feed.finish()
    }
}

impl<H: EagerHash> Clone for Key<H> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<H: EagerHash> fmt::Debug for Key<H> {
    /// Leaves out the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key").finish_non_exhaustive()
    }
}

/// A hash, or a code under a key, of what is [put](Sink::put) in.
///
/// Its state is overwritten when it is dropped, and `Debug` shows nothing of the text.
#[must_use = "a hash is of use when it is finished"]
#[derive(Default)]
pub struct Feed<F>(F);

impl<F: Default> Feed<F> {
    /// Begins a hash.
    #[inline]
    pub fn new() -> Self {
        Self::default()
    }
}

impl<F: FixedOutput> Feed<F> {
    /// The hash, or the code.
    #[inline]
    #[must_use]
    pub fn finish(self) -> Output<F> {
        self.0.finalize_fixed()
    }

    /// What [`finish`](Self::finish) answers, in base64.
    pub(crate) fn finish_base64(self) -> Signature {
        let mut signature = Signature {
            text: [0; SIGNATURE_ROOM],
            length: 0,
        };
        // `encode_string` works by way of a buffer of a kilobyte, which costs more than the encoding.
        let length = STANDARD.encode_slice(self.finish(), &mut signature.text);
        signature.length = length.unwrap_or_default();
        signature
    }
}

/// Room for the longest signature. A multiple of 16 bytes is cleared without a loop.
const SIGNATURE_ROOM: usize = SHA256_CHARS.next_multiple_of(16);

/// A code in base64, without an allocation.
///
/// Its alignment lets the check that the characters are UTF-8 go a word at a time.
#[repr(align(8))]
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Signature {
    text: [u8; SIGNATURE_ROOM],
    length: usize,
}

impl Signature {
    #[inline]
    pub(crate) fn as_str(&self) -> &str {
        // All of it is characters, as nothing stands behind the code but zeros. Whole words are looked at sooner.
        let text = std::str::from_utf8(&self.text).unwrap_or_default();
        text.get(..self.length).unwrap_or_default()
    }
}

impl<F: Update> Sink for Feed<F> {
    #[inline]
    fn put(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }
}

/// Text in many short pieces on its way into a [`Feed`], which takes each piece at a cost of its own: they are gathered,
/// and put in together.
pub(crate) struct Gathered<F> {
    feed: Feed<F>,
    text: [u8; 128],
    length: usize,
}

impl<F: Update> Gathered<F> {
    #[inline]
    pub(crate) fn new(feed: Feed<F>) -> Self {
        Self {
            feed,
            text: [0; 128],
            length: 0,
        }
    }

    /// The hash or code, with all text in it.
    #[inline]
    pub(crate) fn into_feed(mut self) -> Feed<F> {
        self.flush();
        self.feed
    }

    #[inline]
    fn flush(&mut self) {
        let text = self.text.get(..self.length).unwrap_or_default();
        self.feed.put(text);
        self.length = 0;
    }
}

impl<F: Update> Sink for Gathered<F> {
    #[inline]
    fn put_byte(&mut self, byte: u8) {
        match self.text.get_mut(self.length) {
            Some(room) => {
                *room = byte;
                self.length += 1;
            }
            None => self.put(&[byte]),
        }
    }

    #[inline]
    fn put(&mut self, bytes: &[u8]) {
        let end = self.length + bytes.len();
        if let Some(room) = self.text.get_mut(self.length..end) {
            room.copy_from_slice(bytes);
            self.length = end;
        } else {
            self.flush();
            self.feed.put(bytes);
        }
    }
}

impl<F> fmt::Debug for Feed<F> {
    /// Leaves out the text and the state.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Feed").finish_non_exhaustive()
    }
}

/// Length in characters of a base64 SHA-1 signature.
pub(crate) const SHA1_CHARS: usize = 28;

/// Length in characters of a base64 SHA-256 signature.
pub(crate) const SHA256_CHARS: usize = 44;

#[cfg(test)]
mod tests {
    use super::*;

    fn text() -> Vec<u8> {
        (0..1000_u32).map(|i| (i * 7 % 251) as u8).collect()
    }

    /// [RFC 2202](https://www.rfc-editor.org/rfc/rfc2202) and [RFC 4231](https://www.rfc-editor.org/rfc/rfc4231),
    /// the first case of each and one whose key is longer than a block.
    #[test]
    fn the_published_codes() {
        let hex = |bytes: &[u8]| -> String { bytes.iter().map(|b| format!("{b:02x}")).collect() };
        let long = b"Test Using Larger Than Block-Size Key - Hash Key First";
        for (key, text, sha1, sha256) in [
            (
                [0x0b; 20].as_slice(),
                &b"Hi There"[..],
                "b617318655057264e28bc0b6fb378c8ef146be00",
                "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
            ),
            (
                &[0xaa; 80],
                long,
                "aa4ae5e15272d00e95705637ce8a3b55ed402112",
                "",
            ),
            (
                &[0xaa; 131],
                long,
                "",
                "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
            ),
        ] {
            if !sha1.is_empty() {
                assert_eq!(hex(&Key::<Sha1>::new(key).sign(text)), sha1);
            }
            if !sha256.is_empty() {
                assert_eq!(hex(&Key::<Sha256>::new(key).sign(text)), sha256);
            }
        }
    }

    #[test]
    fn pieces_do_not_show() {
        let text = text();
        let key = Key::<Sha256>::new(b"hush");
        let whole = key.sign(&text);
        for piece in [1, 7, 55, 64, 191, 192, 193, 255, 256, 400, 999] {
            let mut feed = key.feed();
            for chunk in text.chunks(piece) {
                if let [byte] = chunk {
                    feed.put_byte(*byte);
                } else {
                    feed.put(chunk);
                }
            }
            assert_eq!(feed.finish(), whole, "pieces of {piece}");
        }
    }

    #[test]
    fn letters_are_lowered_wherever_they_fall() {
        let name = "X-Amz-Meta-Ä-Name";
        for before in [0, 170, 180, 190, 192] {
            let (mut feed, mut readable) = (Feed::<Sha1>::new(), vec![b'x'; before]);
            feed.put(&readable);
            feed.put_lower(name);
            readable.put_lower(name);
            assert!(readable.ends_with("x-amz-meta-Ä-name".as_bytes()));
            assert_eq!(feed.finish(), hash::<Sha1>(&readable), "{before}");
        }
    }

    #[test]
    fn debug_shows_neither_key_nor_text() {
        let key = Key::<Sha1>::new(b"hush");
        let mut feed = key.feed();
        feed.put(b"private");
        assert_eq!(format!("{key:?} {feed:?}"), "Key { .. } Feed { .. }");
    }
}
