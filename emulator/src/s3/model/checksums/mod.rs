//! Checksums of objects: compared with what a request says, and kept.

pub(in crate::s3) mod fields;
pub(in crate::s3) mod given;

use base64::prelude::*;
use s3s::checksum::ChecksumHasher;
use s3s::crypto::Checksum as _;
use s3s::crypto::{Crc32, Crc32c, Crc64Nvme, Sha1, Sha256};
use s3s::dto::{ChecksumAlgorithm, ChecksumType};
use s3s::{S3Error, S3Result, s3_error};

use self::fields::Fields;

/// The kinds that there are: name and how many bytes.
const KINDS: [(&str, usize); 5] = [
    (ChecksumAlgorithm::CRC32, 4),
    (ChecksumAlgorithm::CRC32C, 4),
    (ChecksumAlgorithm::CRC64NVME, 8),
    (ChecksumAlgorithm::SHA1, 20),
    (ChecksumAlgorithm::SHA256, 32),
];

/// The checksum that an object or a part of one has: of one kind, or none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::s3) struct Checksums(Option<Sum>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Sum {
    /// One of [`KINDS`].
    kind: &'static str,
    /// In Base64; of a checksum of checksums with the number of parts behind a hyphen.
    value: String,
    /// Whether it is one of the checksums of the parts, rather than of all bytes.
    is_composite: bool,
}

impl Checksums {
    /// The checksum of this kind.
    pub(in crate::s3) fn of(kind: &str, body: &[u8]) -> S3Result<Self> {
        let mut hasher = ChecksumHasher::default();
        match kind {
            ChecksumAlgorithm::CRC32 => hasher.crc32 = Some(Crc32::new()),
            ChecksumAlgorithm::CRC32C => hasher.crc32c = Some(Crc32c::new()),
            ChecksumAlgorithm::CRC64NVME => hasher.crc64nvme = Some(Crc64Nvme::new()),
            ChecksumAlgorithm::SHA1 => hasher.sha1 = Some(Sha1::new()),
            ChecksumAlgorithm::SHA256 => hasher.sha256 = Some(Sha256::new()),
            _ => return Err(unknown()),
        }
        hasher.update(body);
        let mut sums = hasher.finalize();
        let mut values = KINDS.iter().zip(sums.values());
        let sum = values.find_map(|((kind, _), value)| {
            Some(Sum {
                kind,
                value: value.take()?,
                is_composite: false,
            })
        });
        Ok(Self(sum))
    }

    /// Its kind.
    pub(in crate::s3) fn kind(&self) -> Option<&'static str> {
        self.0.as_ref().map(|sum| sum.kind)
    }

    /// Its value, if it is of this kind.
    pub(in crate::s3) fn value(&self, kind: &str) -> Option<&str> {
        let sum = self.0.as_ref().filter(|sum| sum.kind == kind);
        sum.map(|sum| sum.value.as_str())
    }

    /// Returns its kind, its value, and whether it is one of the checksums of parts.
    pub(in crate::s3) fn parts(&self) -> Option<(&'static str, &str, bool)> {
        let sum = self.0.as_ref()?;
        Some((sum.kind, &sum.value, sum.is_composite))
    }

    /// Makes the checksum of such [`parts`](Self::parts); nothing if there is no such kind.
    pub(in crate::s3) fn of_parts(kind: &str, value: String, is_composite: bool) -> Option<Self> {
        let (kind, _) = KINDS.into_iter().find(|(name, _)| *name == kind)?;
        Some(Self(Some(Sum {
            kind,
            value,
            is_composite,
        })))
    }

    /// The same, told of a part of an object that has this one.
    pub(in crate::s3) fn within(&self, whole: &Self) -> Self {
        let is_composite = whole.0.as_ref().is_some_and(|whole| whole.is_composite);
        let sum = self.0.clone();
        Self(sum.map(|sum| Sum {
            is_composite,
            ..sum
        }))
    }

    /// The answer with the checksum in it.
    pub(in crate::s3) fn tell<T: Fields>(&self, mut answer: T) -> T {
        let Some(sum) = &self.0 else { return answer };
        for ((kind, _), value) in KINDS.iter().zip(answer.values()) {
            if *kind == sum.kind {
                *value = Some(sum.value.clone());
            }
        }
        if let Some(made) = answer.made() {
            *made = Some(made_as(sum.is_composite));
        }
        answer
    }
}

fn made_as(is_composite: bool) -> ChecksumType {
    ChecksumType::from_static(match is_composite {
        true => ChecksumType::COMPOSITE,
        false => ChecksumType::FULL_OBJECT,
    })
}

/// Which checksum an object gets that comes in parts.
#[derive(Clone, Debug)]
pub(in crate::s3) struct OfParts {
    kind: String,
    /// Whether the request to begin the upload named the kind.
    is_declared: bool,
    /// Whether it is one of the checksums of the parts, rather than of all bytes.
    is_composite: bool,
}

impl OfParts {
    /// What the request to begin the upload asks for.
    pub(in crate::s3) fn new(
        algorithm: Option<&ChecksumAlgorithm>,
        kind: Option<&ChecksumType>,
    ) -> S3Result<Self> {
        let name = algorithm.map_or(ChecksumAlgorithm::CRC64NVME, ChecksumAlgorithm::as_str);
        // Checksums of wholes can be put together from those of parts for CRCs alone.
        let whole_only = name == ChecksumAlgorithm::CRC64NVME;
        let sha = name == ChecksumAlgorithm::SHA1 || name == ChecksumAlgorithm::SHA256;
        let is_composite = match kind.map(ChecksumType::as_str) {
            None => !whole_only,
            Some(ChecksumType::COMPOSITE) if !whole_only => true,
            Some(ChecksumType::FULL_OBJECT) if !sha => false,
            Some(kind) => {
                return Err(s3_error!(
                    InvalidRequest,
                    "The {kind} checksum type cannot be used with the {name} checksum algorithm."
                ));
            }
        };
        Checksums::of(name, &[])?;
        Ok(Self {
            kind: name.to_owned(),
            is_declared: algorithm.is_some(),
            is_composite,
        })
    }

    /// Returns all that there is to it: the kind, whether it was named, and whether it is one of checksums.
    pub(in crate::s3) fn to_code(&self) -> (&str, (bool, bool)) {
        (&self.kind, (self.is_declared, self.is_composite))
    }

    /// Makes what was told by [`to_code`](Self::to_code).
    pub(in crate::s3) fn from_code(
        kind: String,
        (is_declared, is_composite): (bool, bool),
    ) -> Self {
        Self {
            kind,
            is_declared,
            is_composite,
        }
    }

    /// How the checksum is made, if a kind was named.
    pub(in crate::s3) fn declared_type(&self) -> Option<ChecksumType> {
        self.is_declared.then(|| made_as(self.is_composite))
    }

    fn is_declared(&self) -> bool {
        self.is_declared
    }

    /// The kind that its parts have.
    pub(in crate::s3) fn kind(&self) -> &str {
        &self.kind
    }

    /// The checksum of an object of parts of these sizes.
    pub(in crate::s3) fn of(&self, body: &[u8], sizes: &[u64]) -> S3Result<Checksums> {
        if !self.is_composite {
            return Checksums::of(&self.kind, body);
        }
        let mut rest = body;
        let mut joined = Vec::new();
        for size in sizes {
            let size = usize::try_from(*size).unwrap_or(usize::MAX);
            let (part, behind) = rest.split_at(size.min(rest.len()));
            rest = behind;
            let sums = Checksums::of(&self.kind, part)?;
            let value = sums.value(&self.kind).unwrap_or_default();
            joined.extend(BASE64_STANDARD.decode(value).unwrap_or_default());
        }
        let sums = Checksums::of(&self.kind, &joined)?;
        Ok(Checksums(sums.0.map(|sum| Sum {
            value: format!("{}-{}", sum.value, sizes.len()),
            is_composite: true,
            ..sum
        })))
    }
}

fn unknown() -> S3Error {
    s3_error!(
        InvalidRequest,
        "Checksum algorithm provided is unsupported. Please try again with any of the valid types: \
         [CRC32, CRC32C, CRC64NVME, SHA1, SHA256]"
    )
}

#[cfg(test)]
mod tests {
    use s3s::dto::{GetObjectOutput, ObjectPart};

    use super::*;

    const TEXT: &[u8] = b"123456789";

    #[test]
    fn parts_have_checksums_of_checksums() {
        let named = |name: &'static str| ChecksumAlgorithm::from_static(name);
        let sha = OfParts::new(Some(&named("SHA256")), None).unwrap();
        let sums = sha.of(b"ab", &[1, 1]).unwrap();
        // sha256(sha256("a") + sha256("b")) by Python's hashlib.
        assert_eq!(
            sums.value("SHA256"),
            Some("5aAf7hTg7VxIcU8iGA8lrYNltT+XefedxKPX6Tlj+Uo=-2")
        );
        let whole = OfParts::new(None, None).unwrap();
        let sums = whole.of(TEXT, &[4, 5]).unwrap();
        assert_eq!(sums.value("CRC64NVME"), Some("rosUhgp5mIg="));
        for (name, kind) in [
            ("SHA256", ChecksumType::FULL_OBJECT),
            ("CRC64NVME", ChecksumType::COMPOSITE),
            ("MD4", ChecksumType::COMPOSITE),
        ] {
            let kind = ChecksumType::from_static(kind);
            assert!(
                OfParts::new(Some(&named(name)), Some(&kind)).is_err(),
                "{name}"
            );
        }
    }

    #[test]
    fn it_is_told_in_its_own_field() {
        let sums = Checksums::of("CRC32C", TEXT).unwrap();
        let part = sums.tell(ObjectPart::default());
        assert_eq!(part.checksum_crc32c.as_deref(), Some("4waSgw=="));
        assert!(part.checksum_crc32.is_none() && part.checksum_sha256.is_none());
        let upload = OfParts::new(Some(&ChecksumAlgorithm::from_static("CRC32C")), None);
        let whole = upload.unwrap().of(TEXT, &[4, 5]).unwrap();
        let made = |sums: &Checksums| sums.tell(GetObjectOutput::default()).checksum_type;
        assert_eq!(made(&sums), Some(made_as(false)));
        assert_eq!(made(&sums.within(&whole)), Some(made_as(true)));
        assert_eq!(made(&Checksums::default()), None);
    }
}
