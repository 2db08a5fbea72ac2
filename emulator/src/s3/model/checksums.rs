//! Checksums of objects: compared with what a request says, and kept.

use base64::prelude::*;
use hyper::HeaderMap;
use s3s::checksum::ChecksumHasher;
use s3s::crypto::Checksum as _;
use s3s::crypto::{Crc32, Crc32c, Crc64Nvme, Sha1, Sha256};
use s3s::dto::{Checksum, ChecksumAlgorithm, ChecksumType, CompletedPart};
use s3s::{S3Error, S3Result, s3_error};

/// The kinds that there are: name and how many bytes.
const KINDS: [(&str, usize); 5] = [
    (ChecksumAlgorithm::CRC32, 4),
    (ChecksumAlgorithm::CRC32C, 4),
    (ChecksumAlgorithm::CRC64NVME, 8),
    (ChecksumAlgorithm::SHA1, 20),
    (ChecksumAlgorithm::SHA256, 32),
];

/// What a request says of the checksum of its body.
#[derive(Clone, Debug, Default)]
pub(in crate::s3) struct Given {
    /// By kind, in the order of [`KINDS`].
    values: [Option<String>; 5],
    algorithm: Option<String>,
}

/// What the input of a request says of the checksum of its body.
macro_rules! given {
    ($input:expr) => {
        $crate::s3::model::checksums::Given::new(
            [
                $input.checksum_crc32.take(),
                $input.checksum_crc32c.take(),
                $input.checksum_crc64nvme.take(),
                $input.checksum_sha1.take(),
                $input.checksum_sha256.take(),
            ],
            $input.checksum_algorithm.take(),
        )
    };
}

pub(in crate::s3) use given;

impl Given {
    pub(in crate::s3) fn new(
        values: [Option<String>; 5],
        algorithm: Option<ChecksumAlgorithm>,
    ) -> Self {
        let algorithm = algorithm.map(|name| name.as_str().to_owned());
        Self { values, algorithm }
    }

    /// Takes in what came behind the body.
    pub(in crate::s3) fn trailing(&mut self, trailers: &HeaderMap) {
        for ((name, _), value) in KINDS.iter().zip(&mut self.values) {
            let field = format!("x-amz-checksum-{}", name.to_ascii_lowercase());
            if let Some(found) = trailers.get(&field).and_then(|found| found.to_str().ok()) {
                *value = Some(found.to_owned());
            }
        }
    }

    /// Whether there is a value to compare the body with.
    pub(in crate::s3) fn has_value(&self) -> bool {
        self.values.iter().any(Option::is_some)
    }

    /// Takes in what the header fields of a request say.
    pub(in crate::s3) fn of_fields(fields: &HeaderMap) -> Self {
        let mut given = Self::default();
        given.trailing(fields);
        given
    }

    /// The checksum of a body: of the kind that is given, and then the same as given; else CRC-64/NVME, as S3 has
    /// it of everything.
    pub(in crate::s3) fn check(&self, body: &[u8]) -> S3Result<Checksum> {
        let mut given = KINDS.iter().zip(&self.values);
        let Some(((name, size), value)) = given.find(|(_, value)| value.is_some()) else {
            let kind = match self.algorithm.as_deref() {
                None => ChecksumAlgorithm::CRC64NVME,
                Some(name) => name,
            };
            return of(kind, body);
        };
        if given.any(|(_, value)| value.is_some()) {
            return Err(s3_error!(
                InvalidRequest,
                "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed."
            ));
        }
        let value = value.as_deref().unwrap_or_default();
        let bytes = BASE64_STANDARD.decode(value).unwrap_or_default();
        if bytes.len() != *size {
            return Err(s3_error!(
                InvalidRequest,
                "Value for x-amz-checksum-{} header is invalid.",
                name.to_ascii_lowercase()
            ));
        }
        let sums = of(name, body)?;
        if value_of(&sums, name) != Some(value) {
            return Err(s3_error!(
                BadDigest,
                "The {name} you specified did not match the calculated checksum."
            ));
        }
        Ok(sums)
    }
}

impl Given {
    /// Compares what the completion of an upload says of the whole object with what it is.
    pub(in crate::s3) fn check_whole(&self, sums: &Checksum) -> S3Result<()> {
        for ((name, _), value) in KINDS.iter().zip(&self.values) {
            // A checksum of checksums may be sent without the number of parts.
            let fits = |is: &str, said: &str| is == said || is.split('-').next() == Some(said);
            let is = value_of(sums, name).unwrap_or_default();
            if value.as_deref().is_some_and(|said| !fits(is, said)) {
                return Err(s3_error!(
                    BadDigest,
                    "The {name} you specified did not match the calculated checksum."
                ));
            }
        }
        Ok(())
    }

    /// The checksum of a part: of the kind that the upload has, and the same as given, if one is. Where the upload
    /// declared no kind, a part may have any.
    pub(in crate::s3) fn check_part(&self, body: &[u8], upload: &OfParts) -> S3Result<Checksum> {
        let kind = upload.kind.as_str();
        let mut given = KINDS.iter().zip(&self.values);
        match given.find(|(_, value)| value.is_some()) {
            None => of(kind, body),
            Some(((name, _), _)) if upload.is_declared && *name != kind => Err(s3_error!(
                InvalidRequest,
                "Checksum Type mismatch occurred, expected checksum Type: {}, actual checksum Type: {}",
                kind.to_ascii_lowercase(),
                name.to_ascii_lowercase()
            )),
            Some(_) => self.check(body),
        }
    }
}

/// Whether what the completion of an upload says of a part, if anything, is so.
pub(in crate::s3) fn fit(sums: &Checksum, given: &CompletedPart) -> bool {
    let values = [
        &given.checksum_crc32,
        &given.checksum_crc32c,
        &given.checksum_crc64nvme,
        &given.checksum_sha1,
        &given.checksum_sha256,
    ];
    let mut said = KINDS.iter().zip(values);
    said.all(|((name, _), value)| value.is_none() || value.as_deref() == value_of(sums, name))
}

/// Which checksum an object gets that comes in parts.
#[derive(Clone, Debug)]
pub(in crate::s3) struct OfParts {
    kind: String,
    /// Whether the request to begin the upload named the kind.
    is_declared: bool,
    /// Whether it is one of the checksums of the parts, rather than of all bytes.
    composite: bool,
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
        let composite = match kind.map(ChecksumType::as_str) {
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
        of(name, &[])?;
        Ok(Self {
            kind: name.to_owned(),
            is_declared: algorithm.is_some(),
            composite,
        })
    }

    /// How the checksum is made, if a kind was named.
    pub(in crate::s3) fn declared_type(&self) -> Option<ChecksumType> {
        let name = match self.composite {
            true => ChecksumType::COMPOSITE,
            false => ChecksumType::FULL_OBJECT,
        };
        self.is_declared.then(|| ChecksumType::from_static(name))
    }

    /// The kind that its parts have.
    pub(in crate::s3) fn kind(&self) -> &str {
        &self.kind
    }

    /// The checksum of an object of parts of these sizes.
    pub(in crate::s3) fn of(&self, body: &[u8], sizes: &[u64]) -> S3Result<Checksum> {
        if !self.composite {
            return of(&self.kind, body);
        }
        let mut rest = body;
        let mut joined = Vec::new();
        for size in sizes {
            let size = usize::try_from(*size).unwrap_or(usize::MAX);
            let (part, behind) = rest.split_at(size.min(rest.len()));
            rest = behind;
            let sums = of(&self.kind, part)?;
            let value = value_of(&sums, &self.kind).unwrap_or_default();
            joined.extend(BASE64_STANDARD.decode(value).unwrap_or_default());
        }
        let mut sums = of(&self.kind, &joined)?;
        for value in [
            &mut sums.checksum_crc32,
            &mut sums.checksum_crc32c,
            &mut sums.checksum_sha1,
            &mut sums.checksum_sha256,
        ]
        .into_iter()
        .flatten()
        {
            value.push_str(&format!("-{}", sizes.len()));
        }
        sums.checksum_type = Some(ChecksumType::from_static(ChecksumType::COMPOSITE));
        Ok(sums)
    }
}

/// The checksum of this kind.
pub(in crate::s3) fn of(kind: &str, body: &[u8]) -> S3Result<Checksum> {
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
    sums.checksum_type = Some(ChecksumType::from_static(ChecksumType::FULL_OBJECT));
    Ok(sums)
}

/// The kind of a checksum that is kept.
pub(in crate::s3) fn kind_of(sums: &Checksum) -> Option<&'static str> {
    let mut kinds = KINDS.iter().map(|(name, _)| *name);
    kinds.find(|name| value_of(sums, name).is_some())
}

fn value_of<'a>(sums: &'a Checksum, kind: &str) -> Option<&'a str> {
    match kind {
        ChecksumAlgorithm::CRC32 => sums.checksum_crc32.as_deref(),
        ChecksumAlgorithm::CRC32C => sums.checksum_crc32c.as_deref(),
        ChecksumAlgorithm::CRC64NVME => sums.checksum_crc64nvme.as_deref(),
        ChecksumAlgorithm::SHA1 => sums.checksum_sha1.as_deref(),
        ChecksumAlgorithm::SHA256 => sums.checksum_sha256.as_deref(),
        _ => None,
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
    use super::*;

    const TEXT: &[u8] = b"123456789";

    #[test]
    fn a_given_value_is_compared() {
        let given = |value: &str| Given {
            values: [Some(value.to_owned()), None, None, None, None],
            algorithm: None,
        };
        let sums = given("y/Q5Jg==").check(TEXT).unwrap();
        assert_eq!(kind_of(&sums), Some("CRC32"));
        for bad in ["y/Q5Jw==", "y/Q5Jg", "", "AAAAAAAAAAA="] {
            assert!(given(bad).check(TEXT).is_err(), "{bad}");
        }
        let mut two = given("y/Q5Jg==");
        two.values[3] = Some("x".to_owned());
        assert!(two.check(TEXT).is_err());
    }

    #[test]
    fn everything_has_one() {
        let sums = Given::default().check(TEXT).unwrap();
        assert_eq!(sums.checksum_crc64nvme.as_deref(), Some("rosUhgp5mIg="));
        let asked = Given {
            algorithm: Some("SHA1".to_owned()),
            ..Given::default()
        };
        assert_eq!(kind_of(&asked.check(TEXT).unwrap()), Some("SHA1"));
        let unknown = Given {
            algorithm: Some("MD4".to_owned()),
            ..Given::default()
        };
        assert!(unknown.check(TEXT).is_err());
    }

    #[test]
    fn parts_have_checksums_of_checksums() {
        let named = |name: &'static str| ChecksumAlgorithm::from_static(name);
        let sha = OfParts::new(Some(&named("SHA256")), None).unwrap();
        let sums = sha.of(b"ab", &[1, 1]).unwrap();
        // sha256(sha256("a") + sha256("b")) by Python's hashlib.
        assert_eq!(
            sums.checksum_sha256.as_deref(),
            Some("5aAf7hTg7VxIcU8iGA8lrYNltT+XefedxKPX6Tlj+Uo=-2")
        );
        let whole = OfParts::new(None, None).unwrap();
        let sums = whole.of(TEXT, &[4, 5]).unwrap();
        assert_eq!(sums.checksum_crc64nvme.as_deref(), Some("rosUhgp5mIg="));
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
    fn trailers_count() {
        let mut given = Given::default();
        let mut trailers = HeaderMap::new();
        trailers.insert("x-amz-checksum-crc32c", "4waSgw==".parse().unwrap());
        given.trailing(&trailers);
        assert_eq!(kind_of(&given.check(TEXT).unwrap()), Some("CRC32C"));
        assert!(given.check(b"other").is_err());
    }
}
