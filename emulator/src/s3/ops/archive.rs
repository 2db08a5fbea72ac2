//! Archived objects, which have to be brought back before they are read. That is done at once here.

use std::time::{Duration, SystemTime};

use s3s::dto::{RestoreObjectInput, RestoreObjectOutput, StorageClass};
use s3s::{S3Response, S3Result, s3_error};

use crate::s3::model::error::malformed_xml;
use crate::s3::model::store::{Object, Store};

/// Marks the answer to the first wish for an object: it has a status of its own, which the engine does not write.
#[derive(Clone, Copy, Debug)]
pub(in crate::s3) struct Begun;

impl Object {
    fn is_archived(&self) -> bool {
        matches!(
            self.class(),
            StorageClass::GLACIER | StorageClass::DEEP_ARCHIVE
        )
    }

    /// Refuses to read what is in the archive.
    pub(in crate::s3) fn check_there(&self) -> S3Result<()> {
        let back = self.restored.is_some_and(|until| SystemTime::now() < until);
        if back || !self.is_archived() {
            return Ok(());
        }
        Err(s3_error!(
            InvalidObjectState,
            "The operation is not valid for the object's storage class"
        ))
    }

    /// Writes the value of `x-amz-restore`.
    pub(in crate::s3) fn restore_field(&self) -> Option<String> {
        let until = httpdate::fmt_http_date(self.restored?);
        Some(format!(
            "ongoing-request=\"false\", expiry-date=\"{until}\""
        ))
    }
}

pub(in crate::s3) fn restore(
    store: &Store,
    input: &RestoreObjectInput,
) -> S3Result<S3Response<RestoreObjectOutput>> {
    let request = input.restore_request.as_ref();
    let days = request.and_then(|request| request.days).unwrap_or_default();
    let days = u64::try_from(days).ok().filter(|days| *days > 0);
    let days = days.ok_or_else(malformed_xml)?;
    let until = SystemTime::now() + Duration::from_secs(days.saturating_mul(86_400));
    store.within(&input.bucket, |bucket| {
        let mut objects = bucket.write();
        let version = input.version_id.as_deref();
        let (object, _) = objects.find(&input.key, version)?;
        if !object.is_archived() {
            return Err(s3_error!(
                InvalidObjectState,
                "Restore is not allowed for the object's current storage class"
            ));
        }
        let begun = object.restored.is_none();
        let pen = store.pen(&input.bucket);
        objects.change(pen, &input.key, version, |object| {
            object.restored = Some(until);
            Ok(())
        })?;
        let mut response = S3Response::new(RestoreObjectOutput::default());
        if begun {
            response.extensions.insert(Begun);
        }
        Ok(response)
    })
}
