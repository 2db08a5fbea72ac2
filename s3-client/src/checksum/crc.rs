//! The cyclic redundancy check CRC-32C. CRC-32 is that of the crate `crc32fast`, CRC-64/NVME that of `crc64fast-nvme`.
//!
//! CRC-32C is reflected and begins and ends with every bit turned. Eight bytes are taken at a time ("slicing by 8").
//!
//! **Problem.** Three checks are needed. S3 keeps one of CRC-64/NVME or CRC-32 with what is stored, against which each
//! object is compared that comes back. **Decision.** These two come from crates that use the processor's own instructions: 36
//! and 51 us of it for a MiB, where tables take 520. `crc64fast-nvme` brings two crates of constants. CRC-32C, which is
//! sent and compared where somebody asks for it, is computed here. **Cost.** It is some ten times slower. `crc-fast` 1.10
//! has all three; it brings seven crates, one with a build script, adds 745 KB of tables and code to a stripped program on
//! x86-64, and does not build without `std`, under which it brings a second version of `digest`. **What would change
//! it.** A crate that has all three for less.

/// A polynomial with its tables: the n-th says what a byte does that n more bytes follow.
pub(super) struct Crc {
    tables: [[u32; 256]; 8],
}

pub(super) static CRC32C: Crc = Crc::new(POLYNOMIAL_32C as u32);

/// The polynomial in reversed bits.
pub(super) const POLYNOMIAL_32C: u64 = 0x82f6_3b78;

impl Crc {
    /// Of a polynomial in reversed bits.
    const fn new(polynomial: u32) -> Self {
        let mut tables = [[0; 256]; 8];
        let mut byte = 0;
        while byte < 256 {
            let mut crc = byte as u32;
            let mut bit = 0;
            while bit < 8 {
                crc = (crc >> 1) ^ (polynomial * (crc & 1));
                bit += 1;
            }
            tables[0][byte] = crc;
            byte += 1;
        }
        let mut table = 1;
        while table < 8 {
            let mut byte = 0;
            while byte < 256 {
                let before = tables[table - 1][byte];
                tables[table][byte] = (before >> 8) ^ tables[0][(before & 0xff) as usize];
                byte += 1;
            }
            table += 1;
        }
        Self { tables }
    }

    /// The register before the first byte.
    pub(super) fn start(&self) -> u32 {
        u32::MAX
    }

    /// The register after these bytes.
    pub(super) fn update(&self, mut register: u32, bytes: &[u8]) -> u32 {
        let (eights, rest) = bytes.as_chunks::<8>();
        for eight in eights {
            let mixed = (u64::from(register) ^ u64::from_le_bytes(*eight)).to_le_bytes();
            register = 0;
            for (table, byte) in self.tables.iter().rev().zip(mixed) {
                register ^= table[usize::from(byte)];
            }
        }
        for byte in rest {
            let at = (register ^ u32::from(*byte)) & 0xff;
            register = (register >> 8) ^ self.tables[0][at as usize];
        }
        register
    }

    /// The value after the last byte.
    pub(super) fn finish(&self, register: u32) -> u32 {
        !register
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn check_value() {
        // The value for "123456789" in the catalogue of parametrised CRC algorithms.
        let text = b"123456789";
        for cut in 0..=text.len() {
            let (one, two) = text.split_at(cut);
            let register = CRC32C.update(CRC32C.update(CRC32C.start(), one), two);
            assert_eq!(CRC32C.finish(register), 0xe306_9283, "cut at {cut}");
        }
        assert_eq!(CRC32C.finish(CRC32C.start()), 0);
    }

    #[test]
    fn eight_bytes_are_eight_times_one() {
        let bytes: Vec<u8> = (0..1000u32).map(|i| (i * 7 + i / 256) as u8).collect();
        let start = CRC32C.start();
        let singly = bytes.iter().fold(start, |r, b| CRC32C.update(r, &[*b]));
        assert_eq!(CRC32C.update(start, &bytes), singly);
    }
}
