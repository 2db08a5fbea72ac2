//! Deletions.

use std::sync::Arc;

use s3s::dto::{
    DeleteObjectInput, DeleteObjectOutput, DeletedObject, ETagCondition, ObjectIdentifier,
};
use s3s::{S3Result, s3_error};

use crate::s3::model::conditions::check_write;
use crate::s3::model::store::{Pen, Store};
use crate::s3::model::versions::Objects;

pub(in crate::s3) fn delete(
    store: &Store,
    input: &DeleteObjectInput,
) -> S3Result<DeleteObjectOutput> {
    let bypass = input.bypass_governance_retention.unwrap_or(false);
    check_directory_only(
        input.if_match_last_modified_time.is_some() || input.if_match_size.is_some(),
    )?;
    let pen = store.pen(&input.bucket);
    let removed = store.within(&input.bucket, |bucket| {
        let mut objects = bucket.write();
        match &input.version_id {
            Some(id) => objects.remove_version(pen, &input.key, id, bypass),
            None => {
                let current = objects.get(&input.key).map(Arc::as_ref);
                check_write(current, input.if_match.as_ref(), None)?;
                objects.remove(pen, &input.key)
            }
        }
    })?;
    Ok(DeleteObjectOutput {
        delete_marker: removed.marker.then_some(true),
        version_id: removed.version_id,
        ..Default::default()
    })
}

/// The conditions that only directory buckets have.
fn check_directory_only(given: bool) -> S3Result<()> {
    if !given {
        return Ok(());
    }
    Err(s3_error!(
        NotImplemented,
        "A condition you provided implies functionality that is only there for directory buckets"
    ))
}

/// One entry of a multi-object delete.
///
/// Its entity tag is compared with that of the current version, as `If-Match` of a single delete is:
/// [conditional deletes](https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-deletes.html).
pub(in crate::s3) fn delete_one(
    objects: &mut Objects,
    pen: Pen<'_>,
    entry: ObjectIdentifier,
    bypass: bool,
) -> S3Result<DeletedObject> {
    check_directory_only(entry.last_modified_time.is_some() || entry.size.is_some())?;
    if let Some(etag) = entry.e_tag {
        let wanted = match etag.value() {
            "*" => ETagCondition::Any,
            _ => ETagCondition::ETag(etag),
        };
        let current = objects.get(&entry.key).map(Arc::as_ref);
        check_write(current, Some(&wanted), None)?;
    }
    let removed = match &entry.version_id {
        Some(id) => objects.remove_version(pen, &entry.key, id, bypass)?,
        None => objects.remove(pen, &entry.key)?,
    };
    let marker = removed.marker;
    Ok(DeletedObject {
        key: Some(entry.key),
        version_id: entry.version_id,
        delete_marker: marker.then_some(true),
        delete_marker_version_id: removed.version_id.filter(|_| marker),
    })
}
