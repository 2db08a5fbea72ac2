//! SHA-256 and HMAC over texts that are here whole.
//!
//! Over the block function itself: the streaming types keep a buffer that is copied for each signature and
//! overwritten after it, which costs as much as the hashing of a small request does.

use sha2::block_api::compress256;
use zeroize::Zeroizing;

const BLOCK: usize = 64;

/// A state before any block ([FIPS 180-4, 5.3.3](https://doi.org/10.6028/NIST.FIPS.180-4)).
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

/// The SHA-256 digest.
pub(super) fn sha256(text: &[u8]) -> [u8; 32] {
    finish(START, 0, text)
}

/// A key of HMAC-SHA256 ([RFC 2104](https://www.rfc-editor.org/rfc/rfc2104)): the states after its two blocks.
/// They are overwritten when it is dropped.
pub(super) struct Key {
    inner: Zeroizing<[u32; 8]>,
    outer: Zeroizing<[u32; 8]>,
}

impl Key {
    /// The key of these bytes; any length will do.
    pub(super) fn new(key: &[u8]) -> Self {
        let mut block = Zeroizing::new([0; BLOCK]);
        if key.len() > BLOCK {
            block[..32].copy_from_slice(&sha256(key));
        } else {
            block[..key.len()].copy_from_slice(key);
        }
        let state = |mask: u8| {
            let mut masked = Zeroizing::new(*block);
            masked.iter_mut().for_each(|byte| *byte ^= mask);
            let mut state = Zeroizing::new(START);
            compress256(&mut state, &[*masked]);
            state
        };
        Self {
            inner: state(0x36),
            outer: state(0x5c),
        }
    }

    /// The code of a text.
    pub(super) fn sign(&self, text: &[u8]) -> [u8; 32] {
        let inner = finish(*self.inner, BLOCK, text);
        finish(*self.outer, BLOCK, &inner)
    }
}

/// Goes on from a state after `before` bytes, which are whole blocks, to the digest of these and the text.
fn finish(mut state: [u32; 8], before: usize, text: &[u8]) -> [u8; 32] {
    let (blocks, rest) = text.as_chunks::<BLOCK>();
    compress256(&mut state, blocks);
    let mut last = [[0; BLOCK]; 2];
    let flat = last.as_flattened_mut();
    flat[..rest.len()].copy_from_slice(rest);
    flat[rest.len()] = 0x80;
    // The mark and the eight bytes of the length take nine.
    let end = if rest.len() + 9 <= BLOCK {
        BLOCK
    } else {
        2 * BLOCK
    };
    let bits = ((before + text.len()) as u64) << 3;
    flat[end - 8..end].copy_from_slice(&bits.to_be_bytes());
    compress256(&mut state, &last[..end / BLOCK]);
    let mut digest = [0; 32];
    for (bytes, word) in digest.as_chunks_mut::<4>().0.iter_mut().zip(state) {
        *bytes = word.to_be_bytes();
    }
    digest
}

#[cfg(test)]
mod tests {
    use super::*;
    use hmac::{Hmac, KeyInit, Mac};
    use sha2::{Digest, Sha256};

    #[test]
    fn every_length_is_hashed_as_by_the_streaming_types() {
        let text: Vec<u8> = (0..300_u32).map(|i| (i * 7 % 251) as u8).collect();
        for length in 0..text.len() {
            let text = &text[..length];
            assert_eq!(
                sha256(text),
                <[u8; 32]>::from(Sha256::digest(text)),
                "{length}"
            );
            for key in [&b""[..], b"k", &[7; 63], &[7; 64], &[7; 65], &[7; 200]] {
                let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
                mac.update(text);
                let expected = <[u8; 32]>::from(mac.finalize().into_bytes());
                assert_eq!(Key::new(key).sign(text), expected, "{length} {}", key.len());
            }
        }
    }
}
