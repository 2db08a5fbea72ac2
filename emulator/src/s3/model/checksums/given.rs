//! What requests say of checksums, and whether it is so.

use base64::prelude::*;
use hyper::HeaderMap;
use s3s::dto::{ChecksumAlgorithm, CompletedPart};
use s3s::{S3Result, s3_error};

use super::fields::Fields;
use super::{Checksums, KINDS, OfParts};

/// What a request says of the checksum of its body.
#[derive(Clone, Debug, Default)]
pub(in crate::s3) struct Given {
    /// By kind, in the order of [`KINDS`].
    values: [Option<String>; 5],
    algorithm: Option<String>,
}

impl Given {
    /// Takes what the input of a request has, and the algorithm that it names.
    pub(in crate::s3) fn take(
        input: &mut impl Fields,
        algorithm: Option<ChecksumAlgorithm>,
    ) -> Self {
        Self {
            values: input.values().map(Option::take),
            algorithm: algorithm.map(|name| name.as_str().to_owned()),
        }
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
    pub(in crate::s3) fn check(&self, body: &[u8]) -> S3Result<Checksums> {
        let mut given = KINDS.iter().zip(&self.values);
        let Some(((name, size), value)) = given.find(|(_, value)| value.is_some()) else {
            let kind = match self.algorithm.as_deref() {
                None => ChecksumAlgorithm::CRC64NVME,
                Some(name) => name,
            };
            return Checksums::of(kind, body);
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
        let sums = Checksums::of(name, body)?;
        if sums.value(name) != Some(value) {
            return Err(s3_error!(
                BadDigest,
                "The {name} you specified did not match the calculated checksum."
            ));
        }
        Ok(sums)
    }

    /// Compares what the completion of an upload says of the whole object with what it is.
    pub(in crate::s3) fn check_whole(&self, sums: &Checksums) -> S3Result<()> {
        for ((name, _), value) in KINDS.iter().zip(&self.values) {
            // A checksum of checksums may be sent without the number of parts.
            let fits = |is: &str, said: &str| is == said || is.split('-').next() == Some(said);
            let is = sums.value(name).unwrap_or_default();
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
    pub(in crate::s3) fn check_part(&self, body: &[u8], upload: &OfParts) -> S3Result<Checksums> {
        let kind = upload.kind();
        let mut given = KINDS.iter().zip(&self.values);
        match given.find(|(_, value)| value.is_some()) {
            None => Checksums::of(kind, body),
            Some(((name, _), _)) if upload.is_declared() && *name != kind => Err(s3_error!(
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
pub(in crate::s3) fn fit(sums: &Checksums, given: &CompletedPart) -> bool {
    let mut given = given.clone();
    let mut said = KINDS.iter().zip(given.values());
    said.all(|((name, _), value)| value.is_none() || value.as_deref() == sums.value(name))
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
        assert_eq!(sums.kind(), Some("CRC32"));
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
        assert_eq!(sums.value("CRC64NVME"), Some("rosUhgp5mIg="));
        let asked = Given {
            algorithm: Some("SHA1".to_owned()),
            ..Given::default()
        };
        assert_eq!(asked.check(TEXT).unwrap().kind(), Some("SHA1"));
        let unknown = Given {
            algorithm: Some("MD4".to_owned()),
            ..Given::default()
        };
        assert!(unknown.check(TEXT).is_err());
    }

    #[test]
    fn what_is_said_of_a_part_has_to_fit() {
        let sums = Checksums::of("CRC32", TEXT).unwrap();
        let mut part = CompletedPart::default();
        assert!(fit(&sums, &part));
        part.checksum_crc32 = Some("y/Q5Jg==".to_owned());
        assert!(fit(&sums, &part));
        part.checksum_crc32 = None;
        part.checksum_sha1 = Some("y/Q5Jg==".to_owned());
        assert!(!fit(&sums, &part));
    }

    #[test]
    fn trailers_count() {
        let mut given = Given::default();
        let mut trailers = HeaderMap::new();
        trailers.insert("x-amz-checksum-crc32c", "4waSgw==".parse().unwrap());
        given.trailing(&trailers);
        assert_eq!(given.check(TEXT).unwrap().kind(), Some("CRC32C"));
        assert!(given.check(b"other").is_err());
    }
}
