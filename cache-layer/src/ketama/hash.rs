//! The two hash functions rings are made with.

use md5::{Digest, Md5};

/// The MD5 digest as four little-endian words: the points of a server text; the first
/// is the place of a key.
pub(super) fn md5(data: &[u8]) -> [u32; 4] {
    let digest: [u8; 16] = Md5::digest(data).into();
    let (words, _) = digest.as_chunks::<4>();
    std::array::from_fn(|i| u32::from_le_bytes(words[i]))
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
    fn one_at_a_time_gives_the_published_values() {
        assert_eq!(one_at_a_time(b""), 0);
        assert_eq!(one_at_a_time(b"a"), 0xca2e_9442);
        assert_eq!(
            one_at_a_time(b"The quick brown fox jumps over the lazy dog"),
            0x519e_91f5
        );
    }
}
