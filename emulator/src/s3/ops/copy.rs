//! Copies of objects.

use std::sync::Arc;

use hyper::HeaderMap;
use s3s::dto::{
    CopyObjectInput, CopyObjectOutput, CopyObjectResult, CopySource, ETagCondition,
    MetadataDirective, TaggingDirective, Timestamp,
};
use s3s::{S3ErrorCode, S3Result, s3_error};

use crate::encode;
use crate::s3::access::Writer;
use crate::s3::model::attributes::{CustomerKey, Headers, customer_key, headers, source_key};
use crate::s3::model::checksums::Checksums;
use crate::s3::model::conditions::{Conditions, check_write, failed};
use crate::s3::model::store::{Object, Store};

/// The object that a copy reads, its conditions met and its key given, and its version.
pub(in crate::s3) fn copy_source(
    store: &Store,
    source: &CopySource,
    conditions: [Option<&ETagCondition>; 2],
    times: [Option<&Timestamp>; 2],
    key: CustomerKey<'_>,
) -> S3Result<(Arc<Object>, Option<String>)> {
    let CopySource::Bucket {
        bucket,
        key: name,
        version_id,
    } = source
    else {
        return Err(s3_error!(NotImplemented, "Only buckets can be copied from"));
    };
    let (object, version) = store.find(bucket, name, version_id.as_deref())?;
    object.headers.encryption.unlock(key)?;
    object.check_there()?;
    let [if_match, if_none_match] = conditions;
    let [if_modified_since, if_unmodified_since] = times;
    let checked = Conditions {
        if_match,
        if_none_match,
        if_modified_since,
        if_unmodified_since,
    }
    .check(&object);
    // A copy has no cached answer to fall back on, so "not modified" is a failure too.
    checked.map_err(|error| match error.code() {
        S3ErrorCode::NotModified => failed("x-amz-copy-source-If-None-Match"),
        _ => error,
    })?;
    Ok((object, version))
}

pub(in crate::s3) fn copy(
    writer: Writer<'_>,
    mut input: CopyObjectInput,
    fields: &HeaderMap,
) -> S3Result<CopyObjectOutput> {
    let store = writer.store;
    let bucket = store.bucket(&input.bucket)?;
    let (source, copy_source_version_id) = copy_source(
        store,
        &input.copy_source,
        [
            input.copy_source_if_match.as_ref(),
            input.copy_source_if_none_match.as_ref(),
        ],
        [
            input.copy_source_if_modified_since.as_ref(),
            input.copy_source_if_unmodified_since.as_ref(),
        ],
        source_key!(input),
    )?;
    let replace = input
        .metadata_directive
        .as_ref()
        .is_some_and(|directive| directive.as_str() == MetadataDirective::REPLACE);
    let replace_tags = input
        .tagging_directive
        .as_ref()
        .is_some_and(|directive| directive.as_str() == TaggingDirective::REPLACE);
    let onto_itself = matches!(
        &input.copy_source,
        // An older version may be copied over the current one: that restores it.
        CopySource::Bucket { bucket, key, version_id: None }
            if **bucket == *input.bucket && **key == *input.key
    );
    let encrypts = input.server_side_encryption.is_some();
    let mut headers = headers!(input, &bucket, writer);
    let changes = replace
        || headers.storage_class != source.headers.storage_class
        || headers.website_redirect.is_some()
        || encrypts
        || headers.encryption.customer_key != source.headers.encryption.customer_key;
    if onto_itself && !changes {
        return Err(s3_error!(
            InvalidRequest,
            "This copy request is illegal because it is trying to copy an object to itself \
             without changing the object's metadata, storage class, website redirect location \
             or encryption attributes."
        ));
    }
    if !replace {
        let Headers {
            content_type,
            cache_control,
            content_disposition,
            content_encoding,
            content_language,
            expires,
            metadata,
            ..
        } = source.headers.clone();
        headers = Headers {
            content_type,
            cache_control,
            content_disposition,
            content_encoding,
            content_language,
            expires,
            metadata,
            ..headers
        };
    }
    if !replace_tags {
        headers.tags = source.headers.tags.clone();
    }
    let encryption = headers.encryption.clone();
    let bytes = source.body.read()?;
    // A copied upload is one object, and its ETag and checksum those of one.
    let etag = encode::hex(&encode::md5(&bytes));
    let kind = input.checksum_algorithm.as_ref().map(|name| name.as_str());
    let kind = kind.or_else(|| source.checksums.kind());
    let mut object = Object::new(source.body.clone(), etag, headers);
    if let Some(kind) = kind {
        object.checksums = Checksums::of(kind, &bytes)?;
    }
    let result = object.checksums.tell(CopyObjectResult {
        e_tag: Some(object.etag()),
        last_modified: Some(object.modified()),
        ..Default::default()
    });
    let (if_match, if_none_match) = (
        etag_of(fields, "if-match")?,
        etag_of(fields, "if-none-match")?,
    );
    let version_id = store.within(&input.bucket, |bucket| {
        let mut objects = bucket.write();
        let current = objects.get(&input.key).map(Arc::as_ref);
        check_write(current, if_match.as_ref(), if_none_match.as_ref())?;
        objects.store(store.pen(&input.bucket), input.key, object)
    })?;
    Ok(CopyObjectOutput {
        copy_object_result: Some(result),
        version_id,
        copy_source_version_id,
        sse_customer_algorithm: encryption.customer_algorithm(),
        sse_customer_key_md5: encryption.customer_key,
        server_side_encryption: encryption.kind,
        ssekms_key_id: encryption.kms_key,
        bucket_key_enabled: encryption.bucket_key,
        ..Default::default()
    })
}

/// A condition on what is replaced, which the engine does not read for copies.
fn etag_of(fields: &HeaderMap, name: &str) -> S3Result<Option<ETagCondition>> {
    let value = fields.get(name).map(|value| value.as_bytes());
    value
        .map(ETagCondition::parse_http_header)
        .transpose()
        .map_err(|_| s3_error!(InvalidArgument, "Invalid entity tag: {name}"))
}
