//! What an answer says of its bytes, and whether they are those.

use aws_core::body::Inspect;
use aws_core::{Body, Error, Result};
use md5::{Digest, Md5};

use super::{Checksum, ChecksumHasher};
use crate::etag;
use crate::object::ObjectHead;

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
    // A range has checksums of the object, of a part or of nothing, and does not say which.
    if head.range().is_some() {
        return Ok((body, None));
    }
    for checksum in Checksum::ALL {
        // Of an object that came in parts it may be the checksum of their checksums, which says nothing of a whole.
        if let Some(value) = head.checksum(checksum).filter(|_| !head.is_composite()) {
            checksum.check(value).map_err(|_| {
                Error::protocol(format!("the answer's {checksum} checksum is not one"))
            })?;
            let inspector = Sum {
                checksum,
                hasher: checksum.hasher(),
                value: value.to_owned(),
            };
            return Ok((
                body.inspected(inspector)?,
                Some(VerifiedBy::Checksum(checksum)),
            ));
        }
    }
    let Some(digest) = etag::md5_of_whole(head) else {
        return Ok((body, None));
    };
    let inspector = Tag {
        hasher: Md5::new(),
        digest,
    };
    Ok((body.inspected(inspector)?, Some(VerifiedBy::EntityTag)))
}

struct Sum {
    checksum: Checksum,
    hasher: ChecksumHasher,
    value: String,
}

impl Inspect for Sum {
    fn update(&mut self, piece: &[u8]) {
        self.hasher.update(piece);
    }

    fn finish(self: Box<Self>) -> Result<()> {
        let found = self.hasher.finish();
        if found == self.value {
            return Ok(());
        }
        Err(Error::protocol(format!(
            "the bytes are not those of the store: their {} checksum is {found}, not {}",
            self.checksum, self.value
        )))
    }
}

struct Tag {
    hasher: Md5,
    digest: [u8; 16],
}

impl Inspect for Tag {
    fn update(&mut self, piece: &[u8]) {
        self.hasher.update(piece);
    }

    fn finish(self: Box<Self>) -> Result<()> {
        if self.hasher.finalize().as_slice() == self.digest {
            return Ok(());
        }
        Err(etag::mismatch())
    }
}
