//! Unfinished uploads: their parts, and the objects that these make.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use s3s::dto::{CompletedPart, ETag};
use s3s::{S3Error, S3Result, s3_error};

use crate::encode;
use crate::s3::keep::body::Body;
use crate::s3::model::attributes::Headers;
use crate::s3::model::checksums::given::fit;
use crate::s3::model::checksums::{Checksums, OfParts};
use crate::s3::model::store::{Object, hidden};

#[derive(Clone, Debug)]
pub(in crate::s3) struct Part {
    pub(in crate::s3) body: Body,
    pub(in crate::s3) digest: [u8; 16],
    /// As it came with the part or was computed of it.
    pub(in crate::s3) checksums: Checksums,
    pub(in crate::s3) modified: SystemTime,
}

impl Part {
    /// What its entity tag is made of: for one that is encrypted not its digest.
    pub(in crate::s3) fn tag(&self, upload: &Upload) -> String {
        let digest = encode::hex(&self.digest);
        match &upload.headers.encryption {
            hiding if hiding.hides_tag() => hidden(&digest, hiding.customer_key.as_deref()),
            _ => digest,
        }
    }
}

#[derive(Clone, Debug)]
pub(in crate::s3) struct Upload {
    pub(in crate::s3) headers: Headers,
    pub(in crate::s3) checksum: OfParts,
    pub(in crate::s3) initiated: SystemTime,
    pub(in crate::s3) parts: BTreeMap<i32, Part>,
}

impl Upload {
    /// The object that the listed parts make.
    pub(in crate::s3) fn join(&self, wanted: &[CompletedPart], part_min: u64) -> S3Result<Object> {
        let number = |given: &CompletedPart| given.part_number.unwrap_or_default();
        if !wanted.is_sorted_by(|one, next| number(one) < number(next)) {
            return Err(s3_error!(
                InvalidPartOrder,
                "The list of parts was not in ascending order. Parts must be ordered by part number."
            ));
        }
        let mut bodies = Vec::with_capacity(wanted.len());
        let mut digests = Vec::with_capacity(wanted.len() * 16);
        let mut sizes = Vec::with_capacity(wanted.len());
        let mut sums = Vec::with_capacity(wanted.len());
        for (index, given) in wanted.iter().enumerate() {
            let etag = given.e_tag.as_ref().map(ETag::value);
            let part = self.parts.get(&number(given)).filter(|part| {
                etag.is_some_and(|etag| etag.trim_matches('"') == part.tag(self))
                    && fit(&part.checksums, given)
            });
            let part = part.ok_or_else(|| {
                s3_error!(
                    InvalidPart,
                    "One or more of the specified parts could not be found. The part may not have \
                 been uploaded, or the specified entity tag may not match the part's entity tag."
                )
            })?;
            if index + 1 < wanted.len() && part.body.len() < part_min {
                return Err(s3_error!(
                    EntityTooSmall,
                    "Your proposed upload is smaller than the minimum allowed size"
                ));
            }
            bodies.push(&part.body);
            sizes.push(part.body.len());
            sums.push((number(given), part.checksums.clone()));
            digests.extend_from_slice(&part.digest);
        }
        let etag = format!("{}-{}", encode::hex(&encode::md5(&digests)), wanted.len());
        let body = Body::join(bodies.into_iter());
        let checksums = self.checksum.of(&body.read()?, &sizes)?;
        let mut object = Object::new(body, etag, self.headers.clone());
        object.checksums = checksums;
        object.parts = sizes.into();
        object.part_sums = sums.into();
        Ok(object)
    }
}

/// The unfinished uploads of a bucket, by key and upload id.
#[derive(Debug, Default)]
pub(in crate::s3) struct Uploads(Mutex<BTreeMap<(String, String), Upload>>);

impl Uploads {
    pub(in crate::s3) fn lock(&self) -> MutexGuard<'_, BTreeMap<(String, String), Upload>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(in crate::s3) fn with<T>(
        &self,
        key: &str,
        id: &str,
        act: impl FnOnce(&mut Upload) -> S3Result<T>,
    ) -> S3Result<T> {
        let mut uploads = self.lock();
        let upload = uploads
            .get_mut(&(key.to_owned(), id.to_owned()))
            .ok_or_else(no_such_upload)?;
        act(upload)
    }
}

pub(in crate::s3) fn no_such_upload() -> S3Error {
    s3_error!(
        NoSuchUpload,
        "The specified upload does not exist. The upload ID may be invalid, or the upload may \
         have been aborted or completed."
    )
}
