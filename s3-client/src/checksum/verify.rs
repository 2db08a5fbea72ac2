//! What an answer says of its bytes, and whether they are those.

use aws_core::body::Inspect;
use aws_core::{Body, Error, Result};
use md5::{Digest, Md5};

use super::{Checksum, ChecksumHasher};
use crate::answer::etag;
use crate::answer::object::ObjectHead;

/// What the bytes of an answer are compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum VerifiedBy {
    /// A checksum that the store keeps.
    Checksum(Checksum),
    /// The entity tag, which is the MD5 digest of the object.
    EntityTag,
}

/// The same body, which fails in place of its end when it is not what the answer says; and by what that is told,
/// if by anything. A body that is here already is compared at once.
pub(crate) fn verified(head: &ObjectHead, body: Body) -> Result<(Body, Option<VerifiedBy>)> {
    match Comparison::of(head)? {
        Some((comparison, by)) => Ok((body.inspected(comparison)?, Some(by))),
        None => Ok((body, None)),
    }
}

/// What bytes are held against.
enum Comparison {
    Sum(Checksum, ChecksumHasher, String),
    Tag(Md5, [u8; 16]),
}

impl Comparison {
    /// What an answer says of its bytes, if it says anything.
    ///
    /// # Errors
    /// When it has a checksum that is none.
    fn of(head: &ObjectHead) -> Result<Option<(Self, VerifiedBy)>> {
        // A range has checksums of the object, of a part or of nothing, and does not say which.
        if head.range().is_some() || etag::is_transformed(head) {
            return Ok(None);
        }
        for checksum in Checksum::ALL {
            // Of an object that came in parts it may be the checksum of their checksums, which says nothing of a whole.
            if let Some(value) = head.checksum(checksum).filter(|_| !head.is_composite()) {
                checksum.check(value).map_err(|_| {
                    Error::protocol(format!("the answer's {checksum} checksum is not one"))
                })?;
                let comparison = Self::Sum(checksum, checksum.hasher(), value.to_owned());
                return Ok(Some((comparison, VerifiedBy::Checksum(checksum))));
            }
        }
        let digest = etag::md5_of_whole(head);
        Ok(digest.map(|digest| (Self::Tag(Md5::new(), digest), VerifiedBy::EntityTag)))
    }
}

impl Inspect for Comparison {
    fn update(&mut self, piece: &[u8]) {
        match self {
            Self::Sum(_, hasher, _) => hasher.update(piece),
            Self::Tag(hasher, _) => hasher.update(piece),
        }
    }

    fn finish(self: Box<Self>) -> Result<()> {
        match *self {
            Self::Sum(checksum, hasher, value) => {
                let found = hasher.finish();
                if found == value {
                    return Ok(());
                }
                Err(Error::protocol(format!(
                    "the bytes are not those of the store: their {checksum} checksum is {found}, not {value}"
                )))
            }
            Self::Tag(hasher, digest) => {
                if hasher.finalize().as_slice() == digest {
                    return Ok(());
                }
                Err(etag::mismatch())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What comes of "unpacked", sent with these fields besides the checksum of other bytes.
    fn check(fields: &[(&str, &str)]) -> Result<Option<VerifiedBy>> {
        let packed = Checksum::Crc32.of(b"packed");
        let sum = [("x-amz-checksum-crc32", packed.as_str())];
        let all = sum.iter().chain(fields).map(|(n, v)| (*n, v.as_bytes()));
        let head = ObjectHead::new(pipeline_pool::Head::new(200, all));
        let Some((mut comparison, by)) = Comparison::of(&head)? else {
            return Ok(None);
        };
        comparison.update(b"unpacked");
        Box::new(comparison).finish().map(|()| Some(by))
    }

    #[test]
    fn bytes_are_compared_with_what_is_said_of_them() {
        let error = check(&[]).unwrap_err().to_string();
        assert!(error.contains("CRC32"), "{error}");
        assert!(check(&[("content-encoding", "gzip")]).is_err());
        assert!(check(&[("x-goog-stored-content-encoding", "identity")]).is_err());
        let stored = ("x-goog-stored-content-encoding", "gzip");
        assert!(check(&[stored, ("content-encoding", "gzip")]).is_err());
        assert!(check(&[("warning", "110 cache \"Response is Stale\"")]).is_err());
    }

    #[test]
    fn nothing_is_said_of_a_range_by_the_checksum_of_the_whole() {
        let range = ("content-range", "bytes 0-7/20");
        assert_eq!(check(&[range]).unwrap(), None);
    }

    #[test]
    fn nothing_is_said_of_what_was_unpacked_on_the_way() {
        for field in [
            ("x-goog-stored-content-encoding", "gzip"),
            ("warning", "214 UploadServer gunzipped"),
            ("etag", "W/\"x\""),
        ] {
            assert_eq!(check(&[field]).unwrap(), None, "{field:?}");
        }
    }
}
