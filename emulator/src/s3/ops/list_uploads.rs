//! Lists of unfinished uploads and of their parts.

use std::sync::Arc;

use s3s::S3Result;
use s3s::dto::{
    CommonPrefix, ETag, Initiator, ListMultipartUploadsInput, ListMultipartUploadsOutput,
    ListPartsInput, ListPartsOutput, MultipartUpload, Part as PartEntry, StorageClass, Timestamp,
};

use crate::accounts::Account;
use crate::s3::model::acl::owner_of;
use crate::s3::model::store::Store;
use crate::s3::model::uploads::Part;
use crate::s3::ops::list::{Encoding, page_size};

pub(in crate::s3) fn list_parts(store: &Store, input: ListPartsInput) -> S3Result<ListPartsOutput> {
    let max = page_size(input.max_parts)?;
    let after = input.part_number_marker.unwrap_or_default();
    let bucket = store.bucket(&input.bucket)?;
    let (mut parts, owner) = bucket
        .uploads
        .with(&input.key, &input.upload_id, |upload| {
            let entry = |(number, part): (&i32, &Part)| {
                part.checksums.tell(PartEntry {
                    part_number: Some(*number),
                    e_tag: Some(ETag::Strong(part.tag(upload))),
                    size: i64::try_from(part.body.len()).ok(),
                    last_modified: Some(Timestamp::from(part.modified)),
                    ..Default::default()
                })
            };
            let behind = upload.parts.range(after.saturating_add(1)..);
            let parts = behind.map(entry).collect::<Vec<_>>();
            Ok((parts, Arc::clone(&upload.headers.owner)))
        })?;
    let max_len = usize::try_from(max).unwrap_or_default();
    let truncated = max > 0 && parts.len() > max_len;
    parts.truncate(max_len);
    let next = parts.last().and_then(|part| part.part_number);
    Ok(ListPartsOutput {
        bucket: Some(input.bucket),
        key: Some(input.key),
        upload_id: Some(input.upload_id),
        initiator: Some(initiator(&owner)),
        owner: Some(owner_of(&owner)),
        storage_class: Some(StorageClass::from_static(StorageClass::STANDARD)),
        part_number_marker: Some(after),
        next_part_number_marker: next.filter(|_| truncated),
        max_parts: Some(max),
        is_truncated: Some(truncated),
        parts: Some(parts),
        ..Default::default()
    })
}

fn initiator(account: &Account) -> Initiator {
    let owner = owner_of(account);
    Initiator {
        display_name: owner.display_name,
        id: owner.id,
    }
}

pub(in crate::s3) fn list_uploads(
    store: &Store,
    input: ListMultipartUploadsInput,
) -> S3Result<ListMultipartUploadsOutput> {
    let encoding = Encoding::new(input.encoding_type.as_ref())?;
    let max = page_size(input.max_uploads)?;
    let max_len = usize::try_from(max).unwrap_or_default();
    let prefix = input.prefix.unwrap_or_default();
    let delimiter = input.delimiter.filter(|text| !text.is_empty());
    let key_marker = input.key_marker.unwrap_or_default();
    let id_marker = input.upload_id_marker.unwrap_or_default();
    let is_behind = |key: &str, id: &str| match key.cmp(&key_marker) {
        std::cmp::Ordering::Greater => true,
        std::cmp::Ordering::Equal => !id_marker.is_empty() && id > id_marker.as_str(),
        std::cmp::Ordering::Less => false,
    };
    // What a key is rolled up to, the delimiter included.
    let rolled = |key: &str| {
        let delimiter = delimiter.as_deref()?;
        let at = key.get(prefix.len()..)?.find(delimiter)?;
        Some(key[..prefix.len() + at + delimiter.len()].to_owned())
    };
    let bucket = store.bucket(&input.bucket)?;
    let uploads = bucket.uploads.lock();
    let mut page = Vec::new();
    let mut prefixes: Vec<String> = Vec::new();
    let mut last: Option<(String, String)> = None;
    let mut truncated = false;
    for ((key, id), upload) in uploads.iter() {
        if !key.starts_with(&prefix) || !is_behind(key, id) {
            continue;
        }
        let group = rolled(key);
        // Told already, on this page or on the one before.
        if let Some(group) = &group
            && (prefixes.last() == Some(group) || key_marker == *group)
        {
            continue;
        }
        if page.len() + prefixes.len() == max_len {
            truncated = max > 0;
            break;
        }
        match group {
            Some(group) => {
                last = Some((group.clone(), String::new()));
                prefixes.push(group);
            }
            None => {
                last = Some((key.clone(), id.clone()));
                page.push(MultipartUpload {
                    key: Some(encoding.apply(key)),
                    upload_id: Some(id.clone()),
                    initiated: Some(Timestamp::from(upload.initiated)),
                    initiator: Some(initiator(&upload.headers.owner)),
                    owner: Some(owner_of(&upload.headers.owner)),
                    storage_class: Some(StorageClass::from_static(StorageClass::STANDARD)),
                    ..Default::default()
                });
            }
        }
    }
    let last = last.filter(|_| truncated);
    let common = |group: &String| CommonPrefix {
        prefix: Some(encoding.apply(group)),
    };
    Ok(ListMultipartUploadsOutput {
        bucket: Some(input.bucket),
        prefix: Some(encoding.apply(&prefix)),
        delimiter: delimiter.as_deref().map(|text| encoding.apply(text)),
        common_prefixes: Some(prefixes.iter().map(common).collect()),
        key_marker: Some(encoding.apply(&key_marker)),
        upload_id_marker: Some(id_marker),
        next_key_marker: last.as_ref().map(|(key, _)| encoding.apply(key)),
        next_upload_id_marker: last.map(|(_, id)| id).filter(|id| !id.is_empty()),
        max_uploads: Some(max),
        is_truncated: Some(truncated),
        encoding_type: input.encoding_type,
        uploads: Some(page),
        ..Default::default()
    })
}
