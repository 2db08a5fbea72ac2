//! Checksums of bodies, sent with them and checked against what comes back.
//!
//! *Problem:* A checksum that goes before the body needs the body to be read twice; one behind it cannot be signed by
//! Version 2. *Decision:* It goes before the body where that costs no second reading, else behind it. By Version 2 a
//! file is read once more, and a stream is refused rather than sent unchecked. The digest that an object lock demands
//! is the MD5, since every store with locks takes it. A small body is compared with its checksum before it is handed
//! out, so that a mismatch is repeated; for a stream the error comes in place of its end. What no checksum covers
//! (ranges, parts, checksums of checksums) is not compared, and the caller can ask what was. *Cost:* A file in a bucket
//! with object lock is read twice.

use std::fmt;

use aws_core::{Error, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha1::Sha1;
use sha2::{Digest, Sha256};

mod crc;
#[cfg(feature = "fs")]
mod join;
mod trailing;
mod verify;

pub(crate) use trailing::{Trailing, read_ahead, summed};
pub use verify::VerifiedBy;
pub(crate) use verify::verified;

use crc::{CRC32C, Crc};
#[cfg(feature = "fs")]
pub(crate) use join::Joinable;

/// A way to compute a [checksum](https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html)
/// of an object.
///
/// ```
/// use s3_client::Checksum;
///
/// assert_eq!(Checksum::Crc32.of(b"123456789"), "y/Q5Jg==");
/// let mut hasher = Checksum::Crc32.hasher();
/// hasher.update(b"12345");
/// hasher.update(b"6789");
/// assert_eq!(hasher.finish(), "y/Q5Jg==");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Checksum {
    /// CRC-32, as of zip: 4 bytes.
    Crc32,
    /// The checksum is CRC-32C (Castagnoli), of 4 bytes.
    Crc32c,
    /// The checksum is CRC-64/NVME, of 8 bytes. S3 computes it by itself where nobody gives a checksum.
    Crc64Nvme,
    /// The digest is SHA-1, of 20 bytes. It finds accidents; it does not stop somebody who makes a collision on purpose.
    Sha1,
    /// The digest is SHA-256, of 32 bytes.
    Sha256,
}

impl Checksum {
    /// All of them, those first that find more.
    pub const ALL: [Self; 5] = [
        Self::Sha256,
        Self::Sha1,
        Self::Crc64Nvme,
        Self::Crc32c,
        Self::Crc32,
    ];

    /// The name in the protocol, for example `CRC32C`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Crc32 => "CRC32",
            Self::Crc32c => "CRC32C",
            Self::Crc64Nvme => "CRC64NVME",
            Self::Sha1 => "SHA1",
            Self::Sha256 => "SHA256",
        }
    }

    /// How many bytes it has, before Base64.
    pub fn size(self) -> usize {
        match self {
            Self::Crc32 | Self::Crc32c => 4,
            Self::Crc64Nvme => 8,
            Self::Sha1 => 20,
            Self::Sha256 => 32,
        }
    }

    /// The checksum of these bytes, in Base64 as the protocol has it.
    pub fn of(self, bytes: &[u8]) -> String {
        let mut hasher = self.hasher();
        hasher.update(bytes);
        hasher.finish()
    }

    /// For bytes that come in pieces.
    pub fn hasher(self) -> ChecksumHasher {
        ChecksumHasher(match self {
            Self::Crc32 => HasherState::Crc32(crc32fast::Hasher::new()),
            Self::Crc32c => HasherState::Crc32c(&CRC32C, CRC32C.start()),
            Self::Crc64Nvme => HasherState::Crc64(crc64fast_nvme::Digest::new()),
            Self::Sha1 => HasherState::Sha1(Sha1::new()),
            Self::Sha256 => HasherState::Sha256(Sha256::new()),
        })
    }

    /// The header field that carries it.
    pub(crate) fn header(self) -> &'static str {
        match self {
            Self::Crc32 => "x-amz-checksum-crc32",
            Self::Crc32c => "x-amz-checksum-crc32c",
            Self::Crc64Nvme => "x-amz-checksum-crc64nvme",
            Self::Sha1 => "x-amz-checksum-sha1",
            Self::Sha256 => "x-amz-checksum-sha256",
        }
    }

    /// Refuses what is no value of it.
    pub(crate) fn check(self, value: &str) -> Result<()> {
        match STANDARD.decode(value) {
            Ok(bytes) if bytes.len() == self.size() => Ok(()),
            Ok(bytes) => Err(Error::invalid(format!(
                "the checksum has {} bytes, not the {} of {}",
                bytes.len(),
                self.size(),
                self.name()
            ))),
            Err(_) => Err(Error::invalid(format!(
                "the {} checksum is not in Base64",
                self.name()
            ))),
        }
    }
}

impl fmt::Display for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A checksum under way; made by [`Checksum::hasher`].
#[derive(Clone)]
pub struct ChecksumHasher(HasherState);

#[derive(Clone)]
enum HasherState {
    Crc32(crc32fast::Hasher),
    /// The polynomial and the register.
    Crc32c(&'static Crc, u32),
    Crc64(crc64fast_nvme::Digest),
    Sha1(Sha1),
    Sha256(Sha256),
}

impl ChecksumHasher {
    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        match &mut self.0 {
            HasherState::Crc32(hasher) => hasher.update(bytes),
            HasherState::Crc32c(crc, register) => *register = crc.update(*register, bytes),
            HasherState::Crc64(digest) => digest.write(bytes),
            HasherState::Sha1(sha) => sha.update(bytes),
            HasherState::Sha256(sha) => sha.update(bytes),
        }
    }

    /// The checksum as a number; nothing of a digest.
    #[cfg(feature = "fs")]
    pub(crate) fn number(self) -> Option<u64> {
        match self.0 {
            HasherState::Crc32(hasher) => Some(hasher.finalize().into()),
            HasherState::Crc32c(crc, register) => Some(crc.finish(register).into()),
            HasherState::Crc64(digest) => Some(digest.sum64()),
            HasherState::Sha1(_) | HasherState::Sha256(_) => None,
        }
    }

    /// The checksum of all of them, in Base64.
    pub fn finish(self) -> String {
        match self.0 {
            HasherState::Crc32(hasher) => STANDARD.encode(hasher.finalize().to_be_bytes()),
            HasherState::Crc32c(crc, register) => {
                STANDARD.encode(crc.finish(register).to_be_bytes())
            }
            HasherState::Crc64(digest) => STANDARD.encode(digest.sum64().to_be_bytes()),
            HasherState::Sha1(sha) => STANDARD.encode(sha.finalize()),
            HasherState::Sha256(sha) => STANDARD.encode(sha.finalize()),
        }
    }
}

impl fmt::Debug for ChecksumHasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChecksumHasher").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_other_programs() {
        // By Python's zlib and hashlib, and by long division, bit by bit.
        for (checksum, value) in [
            (Checksum::Crc32, "DUoRhQ=="),
            (Checksum::Crc32c, "yZRlqg=="),
            (Checksum::Crc64Nvme, "jSnVw/bqjr4="),
            (Checksum::Sha1, "Kq5sNclPz7QV2+lfQIuc6R7oRu0="),
            (
                Checksum::Sha256,
                "uU0nuZNNPgilLlLX2n2r+sSE7+N6U4DukIj3rOLvzek=",
            ),
        ] {
            assert_eq!(checksum.of(b"hello world"), value, "{checksum}");
            assert!(checksum.check(value).is_ok());
        }
    }

    /// The values for "123456789" in the [catalogue of parametrised CRC
    /// algorithms](https://reveng.sourceforge.io/crc-catalogue/all.htm), however the bytes come.
    #[test]
    fn values_of_the_catalogue() {
        for (checksum, value) in [
            (Checksum::Crc32, &[0xcb, 0xf4, 0x39, 0x26][..]),
            (Checksum::Crc32c, &[0xe3, 0x06, 0x92, 0x83]),
            (
                Checksum::Crc64Nvme,
                &[0xae, 0x8b, 0x14, 0x86, 0x0a, 0x79, 0x98, 0x88],
            ),
        ] {
            let text = b"123456789";
            for cut in 0..=text.len() {
                let (one, two) = text.split_at(cut);
                let mut hasher = checksum.hasher();
                hasher.update(one);
                hasher.update(two);
                assert_eq!(
                    hasher.finish(),
                    STANDARD.encode(value),
                    "{checksum} cut at {cut}"
                );
            }
        }
    }

    #[test]
    fn debug_of_what_is_under_way_shows_no_state() {
        for checksum in [Checksum::Crc32, Checksum::Sha256] {
            let mut hasher = checksum.hasher();
            hasher.update(b"topsecret");
            assert_eq!(format!("{hasher:?}"), "ChecksumHasher { .. }");
        }
    }

    #[test]
    fn no_value_of_another_is_taken() {
        let short = Checksum::Sha256.check("y/Q5Jg==").unwrap_err().to_string();
        assert!(short.contains("4 bytes, not the 32 of SHA256"), "{short}");
        assert!(Checksum::Crc32.check("?").is_err());
        assert!(Checksum::Crc32.check("").is_err());
    }
}
