//! How the cyclic redundancy checks of two texts become that of both, so that ranges of an object are checked as they come.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::Checksum;
use super::crc::POLYNOMIAL_32C;

/// The other polynomials, in reversed bits.
const POLYNOMIAL_32: u64 = 0xedb8_8320;
const POLYNOMIAL_64_NVME: u64 = 0x9a6c_9329_ac4b_c9b5;

/// A check that can be taken of pieces apart and then be joined.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Joinable {
    checksum: Checksum,
    polynomial: u64,
    bits: u32,
}

impl Joinable {
    /// This checksum, unless it is a digest.
    pub(crate) fn new(checksum: Checksum) -> Option<Self> {
        let (polynomial, bits) = match checksum {
            Checksum::Crc32 => (POLYNOMIAL_32, 32),
            Checksum::Crc32c => (POLYNOMIAL_32C, 32),
            Checksum::Crc64Nvme => (POLYNOMIAL_64_NVME, 64),
            Checksum::Sha1 | Checksum::Sha256 => return None,
        };
        Some(Self {
            checksum,
            polynomial,
            bits,
        })
    }

    /// Which it is.
    pub(crate) fn checksum(self) -> Checksum {
        self.checksum
    }

    /// The check of a text and another one behind it, which has so many bytes. The one of no bytes is 0.
    ///
    /// That of the first is multiplied by x to the power of the bits that follow, as polynomials modulo that of the check.
    pub(crate) fn join(self, first: u64, second: u64, len: u64) -> u64 {
        // In reversed bits the highest is the power 0.
        let one = 1 << (self.bits - 1);
        let (mut power, mut square, mut left) = (one, one >> 8, len);
        while left > 0 {
            if left & 1 == 1 {
                power = self.product(power, square);
            }
            square = self.product(square, square);
            left >>= 1;
        }
        self.product(power, first) ^ second
    }

    fn product(self, one: u64, mut other: u64) -> u64 {
        let (mut product, mut bit) = (0, 1 << (self.bits - 1));
        while bit > 0 {
            if one & bit > 0 {
                product ^= other;
            }
            other = (other >> 1) ^ (self.polynomial * (other & 1));
            bit >>= 1;
        }
        product
    }

    /// The value in Base64, as the protocol has it.
    pub(crate) fn encode(self, number: u64) -> String {
        let bytes = number.to_be_bytes();
        let value = &bytes[bytes.len() - self.checksum.size()..];
        STANDARD.encode(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_check_of_a_whole_is_that_of_its_parts_joined() {
        let bytes: Vec<u8> = (0..100_000u32).map(|i| (i * 7 + i / 256) as u8).collect();
        let number = |checksum: Checksum, bytes: &[u8]| {
            let mut hasher = checksum.hasher();
            hasher.update(bytes);
            hasher.number().unwrap()
        };
        for checksum in [Checksum::Crc32, Checksum::Crc32c, Checksum::Crc64Nvme] {
            let joinable = Joinable::new(checksum).unwrap();
            for size in [1, 7, 4096, 99_999, 100_000] {
                let joined = bytes.chunks(size).fold(0, |all, part| {
                    joinable.join(all, number(checksum, part), part.len() as u64)
                });
                assert_eq!(
                    joinable.encode(joined),
                    checksum.of(&bytes),
                    "{checksum} {size}"
                );
            }
            assert_eq!(joinable.encode(0), checksum.of(b""));
        }
        assert!(Joinable::new(Checksum::Sha256).is_none());
    }
}
