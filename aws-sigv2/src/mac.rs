//! SHA-1, SHA-256 and HMAC over text that comes in pieces: what signatures are made of.
//!
//! Over the block functions of the crates `sha1` and `sha2` themselves. Their streaming types, and those of
//! `hmac`, keep a buffer that is copied for each signature and overwritten after it, which costs as much as
//! the hashing of a small request does. Here the keys are prepared once ([`Key`]), the text goes into blocks
//! on the stack ([`Feed`]), and the second hash of HMAC is one block.
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
use zeroize::{Zeroize, Zeroizing};

const BLOCK: usize = 64;

/// Bytes that wait for their blocks to be hashed. What Version 2 signs mostly fits.
const ROOM: usize = 3 * BLOCK;

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

/// A hash function by its blocks of 64 bytes: [`Sha1`] or [`Sha256`].
pub trait Hash {
    /// The words between two blocks.
    type State: Copy + Zeroize + 'static;

    /// The hash: the words in big-endian order.
    type Digest: Copy + AsRef<[u8]>;

    /// The state before any block.
    const START: Self::State;

    /// Takes blocks into a state.
    fn compress(state: &mut Self::State, blocks: &[[u8; BLOCK]]);

    /// The bytes of a last state.
    fn digest(state: &Self::State) -> Self::Digest;

    /// The bytes of a last state, as the one block that HMAC hashes after its key.
    fn last_block(state: &Self::State) -> [u8; BLOCK];
}

/// SHA-1 ([FIPS 180-4](https://doi.org/10.6028/NIST.FIPS.180-4)).
#[derive(Debug)]
pub enum Sha1 {}

/// SHA-256 ([FIPS 180-4](https://doi.org/10.6028/NIST.FIPS.180-4)).
#[derive(Debug)]
pub enum Sha256 {}

impl Hash for Sha1 {
    type State = [u32; 5];
    type Digest = [u8; 20];

    const START: [u32; 5] = [
        0x6745_2301,
        0xefcd_ab89,
        0x98ba_dcfe,
        0x1032_5476,
        0xc3d2_e1f0,
    ];

    #[inline]
    fn compress(state: &mut [u32; 5], blocks: &[[u8; BLOCK]]) {
        sha1::block_api::compress(state, blocks);
    }

    #[inline]
    fn digest(state: &[u32; 5]) -> [u8; 20] {
        let mut digest = [0; 20];
        write_words(&mut digest, state);
        digest
    }

    #[inline]
    fn last_block(state: &[u32; 5]) -> [u8; BLOCK] {
        last_block(state)
    }
}

impl Hash for Sha256 {
    type State = [u32; 8];
    type Digest = [u8; 32];

    const START: [u32; 8] = [
        0x6a09_e667,
        0xbb67_ae85,
        0x3c6e_f372,
        0xa54f_f53a,
        0x510e_527f,
        0x9b05_688c,
        0x1f83_d9ab,
        0x5be0_cd19,
    ];

    #[inline]
    fn compress(state: &mut [u32; 8], blocks: &[[u8; BLOCK]]) {
        sha2::block_api::compress256(state, blocks);
    }

    #[inline]
    fn digest(state: &[u32; 8]) -> [u8; 32] {
        let mut digest = [0; 32];
        write_words(&mut digest, state);
        digest
    }

    #[inline]
    fn last_block(state: &[u32; 8]) -> [u8; BLOCK] {
        last_block(state)
    }
}

#[inline]
fn write_words(bytes: &mut [u8], words: &[u32]) {
    for (bytes, word) in bytes.as_chunks_mut::<4>().0.iter_mut().zip(words) {
        *bytes = word.to_be_bytes();
    }
}

#[inline]
fn last_block<const WORDS: usize>(state: &[u32; WORDS]) -> [u8; BLOCK] {
    let mut words = [0; BLOCK / 4];
    words[..WORDS].copy_from_slice(state);
    words[WORDS] = 0x80 << 24;
    words[BLOCK / 4 - 1] = ((BLOCK + 4 * WORDS) << 3) as u32;
    let mut block = [0; BLOCK];
    write_words(&mut block, &words);
    block
}

/// The hash of a text that is here whole.
#[must_use]
pub fn hash<H: Hash>(text: &[u8]) -> H::Digest {
    let mut feed = Feed::<H>::new();
    feed.put(text);
    feed.finish()
}

/// A key of HMAC ([RFC 2104](https://www.rfc-editor.org/rfc/rfc2104)), prepared: the states after its two
/// blocks. They are overwritten when it is dropped, and `Debug` shows nothing of them.
pub struct Key<H: Hash> {
    inner: Zeroizing<H::State>,
    outer: Zeroizing<H::State>,
}

impl<H: Hash> Key<H> {
    /// The key of these bytes. Any length will do: a key that is longer than a block of 64 bytes is hashed.
    #[must_use]
    pub fn new(key: &[u8]) -> Self {
        let mut block = Zeroizing::new([0; BLOCK]);
        if key.len() > BLOCK {
            let mut feed = Feed::<H>::new();
            feed.put(key);
            let digest = feed.finish();
            block[..digest.as_ref().len()].copy_from_slice(digest.as_ref());
        } else {
            block[..key.len()].copy_from_slice(key);
        }
        let state = |mask: u8| {
            let mut masked = Zeroizing::new(*block);
            masked.iter_mut().for_each(|byte| *byte ^= mask);
            let mut state = Zeroizing::new(H::START);
            H::compress(&mut state, std::slice::from_ref(&*masked));
            state
        };
        Self {
            inner: state(0x36),
            outer: state(0x5c),
        }
    }

    /// Begins a code of this key.
    #[inline]
    pub fn feed(&self) -> Feed<'_, H> {
        Feed::from(*self.inner, BLOCK as u64, Some(&*self.outer))
    }

    /// The code of a text that is here whole.
    #[must_use]
    pub fn sign(&self, text: &[u8]) -> H::Digest {
        let mut feed = self.feed();
        feed.put(text);
        feed.finish()
    }
}

impl<H: Hash> Clone for Key<H> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            outer: self.outer.clone(),
        }
    }
}

impl<H: Hash> fmt::Debug for Key<H> {
    /// Leaves out the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key").finish_non_exhaustive()
    }
}

/// A hash, or a code under a key, of what is [put](Sink::put) in. Its state is overwritten when it is dropped,
/// and `Debug` shows nothing of the text.
#[must_use = "it is of use when it is finished"]
pub struct Feed<'k, H: Hash> {
    state: Zeroizing<H::State>,
    /// The second state of the key.
    outer: Option<&'k H::State>,
    /// Bytes that are in the state.
    taken: u64,
    /// What is not yet: `filled` bytes, and zeros.
    buffer: [u8; ROOM + BLOCK],
    filled: usize,
}

impl<H: Hash> Feed<'static, H> {
    /// Begins a hash.
    #[inline]
    pub fn new() -> Self {
        Self::from(H::START, 0, None)
    }
}

impl<H: Hash> Default for Feed<'static, H> {
    fn default() -> Self {
        Self::new()
    }
}

impl<'k, H: Hash> Feed<'k, H> {
    #[inline]
    fn from(state: H::State, taken: u64, outer: Option<&'k H::State>) -> Self {
        Self {
            state: Zeroizing::new(state),
            outer,
            taken,
            buffer: [0; ROOM + BLOCK],
            filled: 0,
        }
    }

    /// The hash, or the code.
    #[inline]
    #[must_use]
    pub fn finish(mut self) -> H::Digest {
        // The mark and the eight bytes of the length take nine.
        let end = (self.filled + 9).next_multiple_of(BLOCK);
        let bits = (self.taken + self.filled as u64) << 3;
        self.buffer[self.filled] = 0x80;
        self.buffer[end - 8..end].copy_from_slice(&bits.to_be_bytes());
        H::compress(&mut self.state, self.buffer[..end].as_chunks().0);
        let Some(outer) = self.outer else {
            return H::digest(&self.state);
        };
        let block = H::last_block(&self.state);
        *self.state = *outer;
        H::compress(&mut self.state, &[block]);
        H::digest(&self.state)
    }

    /// [`finish`](Self::finish), appended in base64.
    pub(crate) fn push_base64(self, out: &mut String) {
        /// Text is checked to be text by the word where it begins at one and is some words long.
        #[repr(align(8))]
        struct Words([u8; SHA256_CHARS.next_multiple_of(16)]);

        let digest = self.finish();
        // By way of the stack: `encode_string` works in chunks of a kilobyte.
        let mut text = Words([0; _]);
        let length = STANDARD.encode_slice(digest.as_ref(), &mut text.0);
        let text = std::str::from_utf8(&text.0).unwrap_or_default();
        out.push_str(text.get(..length.unwrap_or_default()).unwrap_or_default());
    }

    /// Takes what the buffer has no room for.
    #[cold]
    fn put_more(&mut self, bytes: &[u8]) {
        let (now, rest) = bytes.split_at(ROOM - self.filled);
        self.buffer[self.filled..ROOM].copy_from_slice(now);
        let (blocks, rest) = rest.as_chunks::<BLOCK>();
        H::compress(&mut self.state, self.buffer[..ROOM].as_chunks().0);
        H::compress(&mut self.state, blocks);
        self.taken += (ROOM + BLOCK * blocks.len()) as u64;
        self.buffer = [0; ROOM + BLOCK];
        self.buffer[..rest.len()].copy_from_slice(rest);
        self.filled = rest.len();
    }
}

impl<H: Hash> Sink for Feed<'_, H> {
    #[inline]
    fn put(&mut self, bytes: &[u8]) {
        let end = self.filled + bytes.len();
        if end > ROOM {
            return self.put_more(bytes);
        }
        self.buffer[self.filled..end].copy_from_slice(bytes);
        self.filled = end;
    }
}

impl<H: Hash> fmt::Debug for Feed<'_, H> {
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
    use hmac::{Hmac, KeyInit, Mac};
    use sha1::Digest;

    fn text() -> Vec<u8> {
        (0..1000_u32).map(|i| (i * 7 % 251) as u8).collect()
    }

    /// By the streaming types of the crates `hmac`, `sha1` and `sha2`.
    fn agrees(key: &[u8], text: &[u8]) {
        let case = format!("key of {}, text of {}", key.len(), text.len());
        assert_eq!(hash::<Sha1>(text)[..], sha1::Sha1::digest(text)[..]);
        assert_eq!(hash::<Sha256>(text)[..], sha2::Sha256::digest(text)[..]);
        let mut mac = Hmac::<sha1::Sha1>::new_from_slice(key).unwrap();
        mac.update(text);
        let expected = mac.finalize().into_bytes();
        assert_eq!(Key::<Sha1>::new(key).sign(text)[..], expected[..], "{case}");
        let mut mac = Hmac::<sha2::Sha256>::new_from_slice(key).unwrap();
        mac.update(text);
        let expected = mac.finalize().into_bytes();
        let ours = Key::<Sha256>::new(key).sign(text);
        assert_eq!(ours[..], expected[..], "{case}");
    }

    #[test]
    fn every_length_is_hashed_as_by_the_streaming_types() {
        let text = text();
        for length in 0..600 {
            agrees(b"hush", &text[..length]);
        }
        for key in [0, 1, 19, 20, 32, 63, 64, 65, 128, 200] {
            for length in [0, 1, 55, 56, 63, 64, 65, 183, 184, 192, 193, 900] {
                agrees(&text[..key], &text[..length]);
            }
        }
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
