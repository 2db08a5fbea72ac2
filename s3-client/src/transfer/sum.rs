//! Whether a whole file is what was stored.

use std::io::Read as _;
use std::path::Path;

use aws_core::{Error, Result};
use md5::{Digest, Md5};

use crate::answer::etag;
use crate::answer::object::ObjectHead;
use crate::checksum::{Checksum, ChecksumHasher, Joinable};
use crate::file::{CHUNK, failed};

/// What the whole has to be.
pub(super) enum Sum {
    Checksum(Checksum, String),
    Md5([u8; 16]),
}

impl Sum {
    pub(super) fn of(head: &ObjectHead) -> Option<Self> {
        if etag::is_transformed(head) {
            return None;
        }
        let kept = Checksum::ALL.into_iter().find_map(|checksum| {
            let value = head.checksum(checksum).filter(|_| !head.is_composite())?;
            Some(Self::Checksum(checksum, value.to_owned()))
        });
        kept.or_else(|| Some(Self::Md5(etag::md5_of_whole(head)?)))
    }

    /// The checksum, if it can be taken of ranges as they come.
    pub(super) fn joinable(&self) -> Option<Joinable> {
        match self {
            Self::Checksum(checksum, _) => Joinable::new(*checksum),
            Self::Md5(_) => None,
        }
    }

    /// Compares what was found of all bytes.
    pub(super) fn compare(&self, found: &str) -> Result<()> {
        match self {
            Self::Checksum(_, value) if found == value => Ok(()),
            Self::Checksum(checksum, value) => Err(Error::protocol(format!(
                "the bytes are not those of the store: their {checksum} checksum is {found}, not {value}"
            ))),
            Self::Md5(_) => Err(etag::mismatch()),
        }
    }

    /// Reads the file and compares. Blocks.
    pub(super) fn check(self, path: &Path) -> Result<()> {
        let io = |e| failed("read", path, e);
        let mut file = std::fs::File::open(path).map_err(io)?;
        let mut hasher = match &self {
            Self::Checksum(checksum, _) => Hasher::Checksum(checksum.hasher()),
            Self::Md5(_) => Hasher::Md5(Md5::new()),
        };
        let mut buffer = vec![0; CHUNK];
        loop {
            match file.read(&mut buffer).map_err(io)? {
                0 => break,
                n => hasher.update(&buffer[..n]),
            }
        }
        match (hasher, self) {
            (Hasher::Checksum(hasher), sum) => sum.compare(&hasher.finish()),
            (Hasher::Md5(hasher), Self::Md5(digest)) => {
                let found: [u8; 16] = hasher.finalize().into();
                if found == digest {
                    Ok(())
                } else {
                    Err(etag::mismatch())
                }
            }
            _ => Err(etag::mismatch()),
        }
    }
}

enum Hasher {
    Checksum(ChecksumHasher),
    Md5(Md5),
}

impl Hasher {
    fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Checksum(hasher) => hasher.update(bytes),
            Self::Md5(hasher) => hasher.update(bytes),
        }
    }
}
