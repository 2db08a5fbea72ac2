//! The cyclic redundancy checks CRC-32C and CRC-64/NVME: two polynomials, one function. CRC-32 is that of the crate
//! `crc32fast`.
//!
//! Both are reflected and begin and end with every bit turned, so that one 64-bit register serves 32 bits as well. Eight
//! bytes are taken at a time ("slicing by 8").
//!
//! **Problem.** Three checks are needed, two of which few crates have. **Decision.** CRC-32, which is sent behind bodies
//! by default, comes from `crc32fast`, which is two small crates; the other two are computed here. **Cost.** These two
//! are some ten times slower than with the processor's own instructions. `crc-fast` 1.10 has all three with those; it
//! brings seven crates, one with a build script, adds 745 KB of tables and code to a stripped program on x86-64, and does
//! not build without `std`, under which it brings a second version of `digest`. **What would change it.** A crate that
//! has the two for less, or a need for more than about 1 GB/s of them on one core.

/// A polynomial with its tables: the n-th says what a byte does that n more bytes follow.
pub(super) struct Crc {
    tables: [[u64; 256]; 8],
    mask: u64,
}

pub(super) static CRC32C: Crc = Crc::new(0x82f6_3b78, u32::MAX as u64);
pub(super) static CRC64NVME: Crc = Crc::new(0x9a6c_9329_ac4b_c9b5, u64::MAX);

impl Crc {
    /// Of a polynomial in reversed bits.
    const fn new(polynomial: u64, mask: u64) -> Self {
        let mut tables = [[0; 256]; 8];
        let mut byte = 0;
        while byte < 256 {
            let mut crc = byte as u64;
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
        Self { tables, mask }
    }

    /// The register before the first byte.
    pub(super) fn start(&self) -> u64 {
        self.mask
    }

    /// The register after these bytes.
    pub(super) fn update(&self, mut register: u64, bytes: &[u8]) -> u64 {
        let (eights, rest) = bytes.as_chunks::<8>();
        for eight in eights {
            let mixed = (register ^ u64::from_le_bytes(*eight)).to_le_bytes();
            register = 0;
            for (table, byte) in self.tables.iter().rev().zip(mixed) {
                register ^= table[usize::from(byte)];
            }
        }
        for byte in rest {
            let at = (register ^ u64::from(*byte)) & 0xff;
            register = (register >> 8) ^ self.tables[0][at as usize];
        }
        register
    }

    /// The value after the last byte.
    pub(super) fn finish(&self, register: u64) -> u64 {
        register ^ self.mask
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn check_values() {
        // The values for "123456789" in the catalogue of parametrised CRC algorithms.
        for (crc, value) in [(&CRC32C, 0xe306_9283), (&CRC64NVME, 0xae8b_1486_0a79_9888)] {
            let text = b"123456789";
            for cut in 0..=text.len() {
                let (one, two) = text.split_at(cut);
                let register = crc.update(crc.update(crc.start(), one), two);
                assert_eq!(crc.finish(register), value, "cut at {cut}");
            }
            assert_eq!(crc.finish(crc.start()), 0);
        }
    }

    #[test]
    fn eight_bytes_are_eight_times_one() {
        let bytes: Vec<u8> = (0..1000u32).map(|i| (i * 7 + i / 256) as u8).collect();
        for crc in [&CRC32C, &CRC64NVME] {
            let singly = bytes.iter().fold(crc.start(), |r, b| crc.update(r, &[*b]));
            assert_eq!(crc.update(crc.start(), &bytes), singly);
        }
    }
}
