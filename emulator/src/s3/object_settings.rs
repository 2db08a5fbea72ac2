//! Sub-resources of an object: tags, access control, attributes.

use s3s::dto::{
    DeleteObjectTaggingInput, DeleteObjectTaggingOutput, GetObjectAclInput, GetObjectAclOutput,
    GetObjectAttributesInput, GetObjectAttributesOutput, GetObjectAttributesParts,
    GetObjectTaggingInput, GetObjectTaggingOutput, ObjectAttributes, PutObjectAclInput,
    PutObjectAclOutput, PutObjectTaggingInput, PutObjectTaggingOutput, StorageClass, Tag,
};
use s3s::{S3Result, s3_error};

use super::attributes::{check_tags, customer_key};
use super::grants;
use super::list::owner;
use super::store::{Object, Store};

fn change(
    store: &Store,
    (bucket, key): (&str, &str),
    version: Option<&str>,
    act: impl FnOnce(&mut Object),
) -> S3Result<Option<String>> {
    store.within(bucket, |bucket| bucket.write().change(key, version, act))
}

pub(super) fn get_tagging(
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

pub(super) fn put_tagging(
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

pub(super) fn delete_tagging(
    store: &Store,
    input: &DeleteObjectTaggingInput,
) -> S3Result<DeleteObjectTaggingOutput> {
    let name = (&*input.bucket, &*input.key);
    let version_id = change(store, name, input.version_id.as_deref(), |object| {
        object.headers.tags.clear();
    })?;
    Ok(DeleteObjectTaggingOutput { version_id })
}

pub(super) fn get_acl(store: &Store, input: &GetObjectAclInput) -> S3Result<GetObjectAclOutput> {
    let version = input.version_id.as_deref();
    let (object, _) = store.find(&input.bucket, &input.key, version)?;
    let grants = object.headers.grants.clone();
    Ok(GetObjectAclOutput {
        grants: Some(grants.unwrap_or_else(grants::private)),
        owner: Some(owner()),
        ..Default::default()
    })
}

pub(super) fn put_acl(store: &Store, mut input: PutObjectAclInput) -> S3Result<PutObjectAclOutput> {
    let in_fields = grants::given(
        input.acl.take(),
        [
            input.grant_full_control.as_deref(),
            input.grant_read.as_deref(),
            input.grant_read_acp.as_deref(),
            input.grant_write_acp.as_deref(),
        ],
    )?;
    let grants = match (in_fields, input.access_control_policy.take()) {
        (Some(grants), None) => grants,
        (None, Some(document)) => grants::of_document(document)?,
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
    let name = (&*input.bucket, &*input.key);
    change(store, name, input.version_id.as_deref(), |object| {
        object.headers.grants = Some(grants);
    })?;
    Ok(PutObjectAclOutput::default())
}

pub(super) fn get_attributes(
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
    let parts = i32::try_from(object.parts.len()).ok();
    let parts = parts.filter(|parts| *parts > 0 && asks(ObjectAttributes::OBJECT_PARTS));
    Ok(GetObjectAttributesOutput {
        e_tag: asks(ObjectAttributes::ETAG).then(|| object.etag()),
        object_size: asks(ObjectAttributes::OBJECT_SIZE).then(|| object.size()),
        storage_class: asks(ObjectAttributes::STORAGE_CLASS)
            .then(|| StorageClass::from(object.class().to_owned())),
        checksum: asks(ObjectAttributes::CHECKSUM).then(|| object.checksums.clone()),
        object_parts: parts.map(|parts| GetObjectAttributesParts {
            total_parts_count: Some(parts),
            ..Default::default()
        }),
        last_modified: Some(object.modified()),
        version_id,
        ..Default::default()
    })
}
