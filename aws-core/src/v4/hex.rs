//! Digests in lowercase hexadecimal.

const DIGITS: [[u8; 2]; 256] = {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let mut digits = [[0; 2]; 256];
    let mut byte = 0;
    while byte < 256 {
        digits[byte] = [HEX[byte >> 4], HEX[byte & 15]];
        byte += 1;
    }
    digits
};

/// The 64 digits of a SHA-256 digest. They begin at a whole word, which makes them cheap to look at as text.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(align(8))]
pub(super) struct Hex([u8; 64]);

impl Hex {
    pub(super) fn of(digest: impl Into<[u8; 32]>) -> Self {
        let mut text = [0; 64];
        for (pair, byte) in text.as_chunks_mut().0.iter_mut().zip(digest.into()) {
            *pair = DIGITS[usize::from(byte)];
        }
        Self(text)
    }

    pub(super) fn as_bytes(&self) -> &[u8; 64] {
        &self.0
    }

    pub(super) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_is_two_digits() {
        for first in (0..=255_u8).step_by(32) {
            let digest: [u8; 32] = std::array::from_fn(|i| first + i as u8);
            let expected: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(Hex::of(digest).as_str(), expected);
            assert_eq!(Hex::of(digest).as_bytes(), expected.as_bytes());
        }
    }
}
