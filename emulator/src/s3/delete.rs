//! Deletions.

use std::sync::Arc;

use s3s::S3Result;
use s3s::dto::{DeleteObjectInput, DeleteObjectOutput, DeletedObject, ObjectIdentifier};

use super::conditions::check_write;
use super::store::Store;
use super::versions::Objects;

pub(super) fn delete(store: &Store, input: &DeleteObjectInput) -> S3Result<DeleteObjectOutput> {
    let bypass = input.bypass_governance_retention.unwrap_or(false);
    let removed = store.within(&input.bucket, |bucket| {
        let mut objects = bucket.write();
        match &input.version_id {
            Some(id) => objects.remove_version(&input.key, id, bypass),
            None => {
                let current = objects.get(&input.key).map(Arc::as_ref);
                check_write(current, input.if_match.as_ref(), None)?;
                Ok(objects.remove(&input.key))
            }
        }
    })?;
    Ok(DeleteObjectOutput {
        delete_marker: removed.marker.then_some(true),
        version_id: removed.version_id,
        ..Default::default()
    })
}

/// One entry of a multi-object delete.
pub(super) fn delete_one(
    objects: &mut Objects,
    entry: ObjectIdentifier,
    bypass: bool,
) -> S3Result<DeletedObject> {
    let removed = match &entry.version_id {
        Some(id) => objects.remove_version(&entry.key, id, bypass)?,
        None => objects.remove(&entry.key),
    };
    let marker = removed.marker;
    Ok(DeletedObject {
        key: Some(entry.key),
        version_id: entry.version_id,
        delete_marker: marker.then_some(true),
        delete_marker_version_id: removed.version_id.filter(|_| marker),
    })
}
