//! The two hash functions rings are made with.

use md5::block_api::compress;

const BLOCK: usize = 64;

/// The MD5 digest ([RFC 1321](https://www.rfc-editor.org/rfc/rfc1321)) as four little-endian words: the points of
/// a server text; the first is the place of a key.
///
/// Over the block function itself: most keys are one block, which needs no buffer.
pub(super) fn md5(data: &[u8]) -> [u32; 4] {
    let mut state = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476];
    let (blocks, rest) = data.as_chunks::<BLOCK>();
    if !blocks.is_empty() {
        compress(&mut state, blocks);
    }
    let mut last = [0; BLOCK];
    last[..rest.len()].copy_from_slice(rest);
    last[rest.len()] = 0x80;
    // The length takes the last eight bytes, if need be of one more block.
    if rest.len() >= BLOCK - 8 {
        compress(&mut state, &[last]);
        last = [0; BLOCK];
    }
    last[BLOCK - 8..].copy_from_slice(&((data.len() as u64) << 3).to_le_bytes());
    compress(&mut state, &[last]);
    state
}

/// [Jenkins' one-at-a-time](https://www.burtleburtle.net/bob/hash/doobs.html) as
/// libmemcached computes it where `char` is signed (x86): bytes from 0x80 up count as
/// negative.
pub(super) fn one_at_a_time(data: &[u8]) -> u32 {
    let mut hash = 0u32;
    for &byte in data {
        hash = hash.wrapping_add_signed(i32::from(byte.cast_signed()));
        hash = hash.wrapping_add(hash << 10);
        hash ^= hash >> 6;
    }
    hash = hash.wrapping_add(hash << 3);
    hash ^= hash >> 11;
    hash.wrapping_add(hash << 15)
}

#[cfg(test)]
mod tests {
    use super::*;
    use md5::{Digest, Md5};

    #[test]
    fn md5_is_the_rfc_1321_digest_in_little_endian_words() {
        assert_eq!(
            md5(b"abc"),
            [0x9850_0190, 0xb04f_d23c, 0x7d3f_96d6, 0x727f_e128]
        );
        assert_eq!(
            md5(b""),
            [0xd98c_1dd4, 0x04b2_008f, 0x9809_80e9, 0x7e42_f8ec]
        );
    }

    #[test]
    fn every_length_is_hashed_as_by_the_streaming_type() {
        let text: Vec<u8> = (0..300_u32).map(|i| (i * 7 % 251) as u8).collect();
        for length in 0..text.len() {
            let text = &text[..length];
            let bytes: Vec<u8> = md5(text).into_iter().flat_map(u32::to_le_bytes).collect();
            assert_eq!(bytes, Md5::digest(text)[..], "{length}");
        }
    }

    #[test]
    fn one_at_a_time_gives_the_published_values() {
        assert_eq!(one_at_a_time(b""), 0);
        assert_eq!(one_at_a_time(b"a"), 0xca2e_9442);
        assert_eq!(
            one_at_a_time(b"The quick brown fox jumps over the lazy dog"),
            0x519e_91f5
        );
    }
}
