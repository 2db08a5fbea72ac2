//! Sub-resources of an object: tags, access control, attributes.

use s3s::dto::{
    Checksum, DeleteObjectTaggingInput, DeleteObjectTaggingOutput, GetObjectAclInput,
    GetObjectAclOutput, GetObjectAttributesInput, GetObjectAttributesOutput,
    GetObjectAttributesParts, GetObjectTaggingInput, GetObjectTaggingOutput, ObjectAttributes,
    ObjectPart, PutObjectAclInput, PutObjectAclOutput, PutObjectTaggingInput,
    PutObjectTaggingOutput, StorageClass, Tag,
};
use s3s::{S3Result, s3_error};

use crate::s3::access::{self, Writer};
use crate::s3::model::acl::{Acl, Parties, owner_of};
use crate::s3::model::attributes::{acl_fields, check_tags, customer_key};
use crate::s3::model::store::{Object, Store};
use crate::s3::ops::list::page_size;

fn change(
    store: &Store,
    (bucket, key): (&str, &str),
    version: Option<&str>,
    act: impl FnOnce(&mut Object),
) -> S3Result<Option<String>> {
    let pen = store.pen(bucket);
    store.within(bucket, |bucket| {
        bucket.write().change(pen, key, version, |object| {
            act(object);
            Ok(())
        })
    })
}

pub(in crate::s3) fn get_tagging(
    store: &Store,
    input: &GetObjectTaggingInput,
) -> S3Result<GetObjectTaggingOutput> {
    let version = input.version_id.as_deref();
    let (object, version_id) = store.find(&input.bucket, &input.key, version)?;
    Ok(GetObjectTaggingOutput {
        tag_set: object.headers.tags.clone(),
        version_id,
    })
}

pub(in crate::s3) fn put_tagging(
    store: &Store,
    input: PutObjectTaggingInput,
) -> S3Result<PutObjectTaggingOutput> {
    let tags = check_tags(input.tagging.tag_set, || {
        s3_error!(InvalidTag, "Cannot provide multiple Tags with the same key")
    })?;
    // A value that is left out is an empty one.
    let whole = |tag: Tag| Tag {
        value: Some(tag.value.unwrap_or_default()),
        ..tag
    };
    let tags: Vec<_> = tags.into_iter().map(whole).collect();
    let name = (&*input.bucket, &*input.key);
    let version_id = change(store, name, input.version_id.as_deref(), |object| {
        object.headers.tags = tags;
    })?;
    Ok(PutObjectTaggingOutput { version_id })
}

pub(in crate::s3) fn delete_tagging(
    store: &Store,
    input: &DeleteObjectTaggingInput,
) -> S3Result<DeleteObjectTaggingOutput> {
    let name = (&*input.bucket, &*input.key);
    let version_id = change(store, name, input.version_id.as_deref(), |object| {
        object.headers.tags.clear();
    })?;
    Ok(DeleteObjectTaggingOutput { version_id })
}

pub(in crate::s3) fn get_acl(
    store: &Store,
    input: &GetObjectAclInput,
) -> S3Result<GetObjectAclOutput> {
    let version = input.version_id.as_deref();
    let (object, _) = store.find(&input.bucket, &input.key, version)?;
    Ok(GetObjectAclOutput {
        grants: Some(object.headers.acl.entries(&store.accounts)),
        owner: Some(owner_of(&object.headers.owner)),
        ..Default::default()
    })
}

pub(in crate::s3) fn put_acl(
    writer: Writer<'_>,
    mut input: PutObjectAclInput,
) -> S3Result<PutObjectAclOutput> {
    let store = writer.store;
    let bucket = store.bucket(&input.bucket)?;
    let version = input.version_id.as_deref();
    let (object, _) = store.find(&input.bucket, &input.key, version)?;
    let parties = Parties {
        accounts: &store.accounts,
        owner: &object.headers.owner,
        bucket_owner: &bucket.owner,
    };
    let canned = input.acl.as_ref().map(|acl| acl.as_str());
    let fields = acl_fields!(input);
    let field = |name: &str| match name {
        "x-amz-acl" => canned,
        "x-amz-grant-write" => input.grant_write.as_deref(),
        _ => fields
            .iter()
            .find(|(n, _)| *n == name)
            .and_then(|(_, value)| *value),
    };
    let in_fields = Acl::from_fields(field, parties)?;
    let acl = match (in_fields, input.access_control_policy.take()) {
        (Some(acl), None) => acl,
        (None, Some(document)) => Acl::from_policy(document, parties)?,
        (Some(_), Some(_)) => {
            return Err(s3_error!(
                UnexpectedContent,
                "This request does not support content"
            ));
        }
        (None, None) => {
            return Err(s3_error!(
                MissingSecurityHeader,
                "Your request was missing a required header: x-amz-acl"
            ));
        }
    };
    access::check_given(&bucket, &acl, canned == Some("bucket-owner-full-control"))?;
    let name = (&*input.bucket, &*input.key);
    change(store, name, version, |object| {
        object.headers.acl = acl;
    })?;
    Ok(PutObjectAclOutput::default())
}

/// A page of the parts that an object came in.
fn parts_of(
    object: &Object,
    marker: Option<i32>,
    max: Option<i32>,
) -> S3Result<GetObjectAttributesParts> {
    let marker = marker.unwrap_or_default();
    let max = page_size(max)?;
    let parts = object.part_sums.iter().zip(&*object.parts);
    let mut parts: Vec<_> = parts
        .filter(|((number, _), _)| *number > marker)
        .map(|((number, sums), size)| {
            sums.tell(ObjectPart {
                part_number: Some(*number),
                size: i64::try_from(*size).ok(),
                ..Default::default()
            })
        })
        .collect();
    let max_len = usize::try_from(max).unwrap_or_default();
    let truncated = parts.len() > max_len;
    parts.truncate(max_len);
    let next = parts.last().and_then(|part| part.part_number);
    Ok(GetObjectAttributesParts {
        is_truncated: Some(truncated),
        max_parts: Some(max),
        next_part_number_marker: next.filter(|_| truncated),
        part_number_marker: Some(marker),
        parts: Some(parts),
        total_parts_count: i32::try_from(object.parts.len()).ok(),
    })
}

pub(in crate::s3) fn get_attributes(
    store: &Store,
    input: &GetObjectAttributesInput,
) -> S3Result<GetObjectAttributesOutput> {
    let version = input.version_id.as_deref();
    let (object, version_id) = store.find(&input.bucket, &input.key, version)?;
    object.headers.encryption.unlock(customer_key!(input))?;
    // They come in several fields, or in one with commas.
    let asks = |name: &str| {
        let asked = input.object_attributes.iter();
        let mut asked = asked.flat_map(|attributes| attributes.as_str().split(','));
        asked.any(|attribute| attribute.trim() == name)
    };
    let parts = (!object.parts.is_empty() && asks(ObjectAttributes::OBJECT_PARTS))
        .then(|| parts_of(&object, input.part_number_marker, input.max_parts))
        .transpose()?;
    Ok(GetObjectAttributesOutput {
        e_tag: asks(ObjectAttributes::ETAG).then(|| object.etag()),
        object_size: asks(ObjectAttributes::OBJECT_SIZE).then(|| object.size()),
        storage_class: asks(ObjectAttributes::STORAGE_CLASS)
            .then(|| StorageClass::from(object.class().to_owned())),
        checksum: asks(ObjectAttributes::CHECKSUM)
            .then(|| object.checksums.tell(Checksum::default())),
        object_parts: parts,
        last_modified: Some(object.modified()),
        version_id,
        ..Default::default()
    })
}
