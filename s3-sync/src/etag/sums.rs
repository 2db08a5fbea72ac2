//! Digests of a content, all of which are taken in one pass over it.

use md5::{Digest as _, Md5};
use sha2::Sha256;

use super::{Md5Sum, Meaning};
use crate::digest::Digest;

/// Which digests are wanted besides the SHA-256.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// None.
    Sha,
    /// The MD5.
    Md5,
    /// That of the digests of so many parts.
    Parts(u32),
}

/// What was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sums {
    pub(crate) sha: Digest,
    pub(crate) md5: Option<Md5Sum>,
}

/// Takes the digests of a content whose size is known before.
pub(crate) struct Hasher {
    sha: Sha256,
    md5: Option<Md5>,
    /// One for each size of parts that is tried.
    parts: Vec<PartHasher>,
}

impl Hasher {
    pub(crate) fn new(wanted: Wanted, size: u64) -> Self {
        let sizes = match wanted {
            Wanted::Parts(parts) => Meaning::part_sizes(parts, size),
            Wanted::Sha | Wanted::Md5 => Vec::new(),
        };
        Self {
            sha: Sha256::new(),
            md5: (wanted == Wanted::Md5).then(Md5::new),
            parts: sizes.into_iter().map(PartHasher::new).collect(),
        }
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.sha.update(bytes);
        if let Some(md5) = &mut self.md5 {
            md5.update(bytes);
        }
        for part in &mut self.parts {
            part.update(bytes);
        }
    }

    /// The digests, and those of the parts of each size that was tried.
    pub(crate) fn finish(self) -> (Sums, Vec<Md5Sum>) {
        let sums = Sums {
            sha: Digest::from_bytes(self.sha.finalize().into()),
            md5: self.md5.map(|md5| md5.finalize().into()),
        };
        (
            sums,
            self.parts.into_iter().map(PartHasher::finish).collect(),
        )
    }
}

/// Takes the digest of the digests of parts of one size.
struct PartHasher {
    size: u64,
    left: u64,
    part: Md5,
    all: Md5,
    begun: bool,
}

impl PartHasher {
    fn new(size: u64) -> Self {
        Self {
            size,
            left: size,
            part: Md5::new(),
            all: Md5::new(),
            begun: false,
        }
    }

    fn update(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let now = bytes
                .len()
                .min(usize::try_from(self.left).unwrap_or(usize::MAX));
            let (part, rest) = bytes.split_at(now);
            self.part.update(part);
            self.begun = true;
            self.left -= now as u64;
            if self.left == 0 {
                self.end_part();
            }
            bytes = rest;
        }
    }

    fn end_part(&mut self) {
        let part = std::mem::replace(&mut self.part, Md5::new());
        self.all.update(part.finalize());
        self.left = self.size;
        self.begun = false;
    }

    fn finish(mut self) -> Md5Sum {
        if self.begun {
            self.end_part();
        }
        self.all.finalize().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_digests_are_taken_in_one_pass() {
        let size = 9 << 20;
        let content = vec![7; size];
        let mut hasher = Hasher::new(Wanted::Parts(2), size as u64);
        for piece in content.chunks(1_000_003) {
            hasher.update(piece);
        }
        let (sums, parts) = hasher.finish();
        assert_eq!(sums.sha, Digest::of(&content));
        assert_eq!(sums.md5, None);
        // Parts of 8 and of 5 MiB.
        let expected: Vec<Md5Sum> = [8 << 20, 5 << 20]
            .map(|part: usize| {
                let mut all = Md5::new();
                for part in content.chunks(part) {
                    all.update(Md5::digest(part));
                }
                all.finalize().into()
            })
            .to_vec();
        assert_eq!(parts, expected);
        let mut hasher = Hasher::new(Wanted::Md5, 2);
        hasher.update(b"ab");
        assert_eq!(hasher.finish().0.md5, Some(Md5::digest(b"ab").into()));
    }
}
