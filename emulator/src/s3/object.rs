//! Reading, writing and copying one object.

use std::sync::Arc;

use base64::prelude::*;
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use hyper::HeaderMap;
use hyper::header::{CONTENT_RANGE, ETAG, LAST_MODIFIED};
use s3s::dto::{
    CopyObjectInput, CopyObjectOutput, CopyObjectResult, CopySource, DeleteObjectInput,
    DeleteObjectOutput, DeletedObject, ETagCondition, GetObjectInput, GetObjectOutput,
    HeadObjectInput, HeadObjectOutput, MetadataDirective, ObjectIdentifier, PutObjectInput,
    PutObjectOutput, Range, StreamingBlob, Timestamp,
};
use s3s::{Body, S3Error, S3ErrorCode, S3Result, s3_error};

use super::store::{Headers, Object, Store};
use super::versions::Objects;
use crate::encode;

/// What one put may bring, in bytes.
const OBJECT_MAX: usize = 5 << 30;

/// Reads a whole body and checks it against `Content-MD5`; returns it with its digest.
pub(super) async fn collect(
    body: Option<StreamingBlob>,
    content_md5: Option<&str>,
) -> S3Result<(Bytes, [u8; 16])> {
    let expected = content_md5.map(decode_md5).transpose()?;
    let bytes = match body {
        Some(body) => gather(body).await?,
        None => Bytes::new(),
    };
    let digest = encode::md5(&bytes);
    if expected.is_some_and(|expected| expected != digest) {
        return Err(s3_error!(
            BadDigest,
            "The Content-MD5 you specified did not match what we received."
        ));
    }
    Ok((bytes, digest))
}

fn decode_md5(text: &str) -> S3Result<Vec<u8>> {
    BASE64_STANDARD
        .decode(text)
        .ok()
        .filter(|digest| digest.len() == 16)
        .ok_or_else(|| s3_error!(InvalidDigest, "The Content-MD5 you specified is not valid."))
}

async fn gather(mut body: StreamingBlob) -> S3Result<Bytes> {
    let mut first = Bytes::new();
    let mut joined: Option<BytesMut> = None;
    while let Some(chunk) = body.next().await {
        let chunk = chunk.map_err(|error| match error.downcast::<S3Error>() {
            Ok(error) => *error,
            Err(error) => S3Error::with_source(S3ErrorCode::IncompleteBody, error),
        })?;
        let so_far = joined.as_ref().map_or(first.len(), BytesMut::len);
        if so_far + chunk.len() > OBJECT_MAX {
            return Err(s3_error!(
                EntityTooLarge,
                "Your proposed upload exceeds the maximum allowed size"
            ));
        }
        match &mut joined {
            Some(joined) => joined.extend_from_slice(&chunk),
            // Most bodies are small and come in one piece, which is kept as it is.
            None if first.is_empty() => first = chunk,
            None => {
                let mut all = BytesMut::with_capacity((first.len() + chunk.len()) * 2);
                all.extend_from_slice(&first);
                all.extend_from_slice(&chunk);
                joined = Some(all);
            }
        }
    }
    Ok(match joined {
        Some(joined) => joined.freeze(),
        // A copy, so that a small object does not hold on to a large read buffer.
        None => Bytes::copy_from_slice(&first),
    })
}

pub(super) async fn put(store: &Store, input: PutObjectInput) -> S3Result<PutObjectOutput> {
    store.bucket(&input.bucket)?;
    let (body, digest) = collect(input.body, input.content_md5.as_deref()).await?;
    let headers = Headers {
        content_type: input.content_type,
        cache_control: input.cache_control,
        content_disposition: input.content_disposition,
        content_encoding: input.content_encoding,
        content_language: input.content_language,
        expires: input.expires,
        metadata: input.metadata,
    };
    let object = Object::new(body, encode::hex(&digest), headers);
    let etag = object.etag();
    let version_id = store.within(&input.bucket, |bucket| {
        let mut objects = bucket.write();
        check_write(
            objects.get(&input.key).map(Arc::as_ref),
            input.if_match.as_ref(),
            input.if_none_match.as_ref(),
        )?;
        Ok(objects.insert(input.key, Arc::new(object)))
    })?;
    Ok(PutObjectOutput {
        e_tag: Some(etag),
        version_id,
        ..Default::default()
    })
}

/// Decides a conditional write against what is stored now.
pub(super) fn check_write(
    current: Option<&Object>,
    if_match: Option<&ETagCondition>,
    if_none_match: Option<&ETagCondition>,
) -> S3Result<()> {
    if let Some(wanted) = if_match {
        let Some(current) = current else {
            return Err(s3_error!(NoSuchKey, "The specified key does not exist."));
        };
        if !matches(wanted, current) {
            return Err(failed("If-Match"));
        }
    }
    match (if_none_match, current) {
        (Some(unwanted), Some(current)) if matches(unwanted, current) => {
            Err(failed("If-None-Match"))
        }
        _ => Ok(()),
    }
}

fn matches(condition: &ETagCondition, object: &Object) -> bool {
    match condition {
        ETagCondition::Any => true,
        ETagCondition::ETag(etag) => etag.value() == object.etag,
    }
}

fn failed(condition: &str) -> S3Error {
    s3_error!(
        PreconditionFailed,
        "At least one of the pre-conditions you specified did not hold: {condition}"
    )
}

/// The conditions of a read, in the order RFC 9110, 13.2.2 gives them.
struct Conditions<'a> {
    if_match: Option<&'a ETagCondition>,
    if_none_match: Option<&'a ETagCondition>,
    if_modified_since: Option<&'a Timestamp>,
    if_unmodified_since: Option<&'a Timestamp>,
}

impl Conditions<'_> {
    fn check(&self, object: &Object) -> S3Result<()> {
        let since = |at: &Timestamp| time::OffsetDateTime::from(at.clone()).unix_timestamp();
        match (self.if_match, self.if_unmodified_since) {
            (Some(wanted), _) if !matches(wanted, object) => return Err(failed("If-Match")),
            (None, Some(at)) if object.modified_unix() > since(at) => {
                return Err(failed("If-Unmodified-Since"));
            }
            _ => {}
        }
        let unchanged = match (self.if_none_match, self.if_modified_since) {
            (Some(unwanted), _) => matches(unwanted, object),
            (None, Some(at)) => object.modified_unix() <= since(at),
            (None, None) => false,
        };
        if unchanged {
            return Err(not_modified(object));
        }
        Ok(())
    }
}

fn not_modified(object: &Object) -> S3Error {
    let mut headers = HeaderMap::new();
    if let Ok(etag) = object.etag().to_http_header() {
        headers.insert(ETAG, etag);
    }
    let modified = httpdate::fmt_http_date(object.modified);
    if let Ok(modified) = modified.try_into() {
        headers.insert(LAST_MODIFIED, modified);
    }
    let mut error = s3_error!(NotModified, "Not Modified");
    error.set_headers(headers);
    error
}

/// The bytes asked for, and the `Content-Range` that tells which they are.
fn slice(object: &Object, range: Option<&Range>) -> S3Result<(Bytes, Option<String>)> {
    let Some(range) = range else {
        return Ok((object.body.clone(), None));
    };
    let len = object.body.len();
    let span = range.check(len as u64).map_err(|_| {
        let mut error = s3_error!(InvalidRange, "The requested range is not satisfiable");
        let mut headers = HeaderMap::new();
        if let Ok(value) = format!("bytes */{len}").try_into() {
            headers.insert(CONTENT_RANGE, value);
        }
        error.set_headers(headers);
        error
    })?;
    let text = format!("bytes {}-{}/{len}", span.start, span.end.saturating_sub(1));
    // Both ends are at most `len`, which is a usize.
    let start = usize::try_from(span.start).unwrap_or(len).min(len);
    let end = usize::try_from(span.end).unwrap_or(len).clamp(start, len);
    Ok((object.body.slice(start..end), Some(text)))
}

pub(super) fn get(store: &Store, input: &GetObjectInput) -> S3Result<GetObjectOutput> {
    let (object, version_id) =
        store.find(&input.bucket, &input.key, input.version_id.as_deref())?;
    Conditions {
        if_match: input.if_match.as_ref(),
        if_none_match: input.if_none_match.as_ref(),
        if_modified_since: input.if_modified_since.as_ref(),
        if_unmodified_since: input.if_unmodified_since.as_ref(),
    }
    .check(&object)?;
    let (body, content_range) = slice(&object, input.range.as_ref())?;
    let headers = object.headers.clone();
    Ok(GetObjectOutput {
        accept_ranges: Some("bytes".into()),
        content_length: i64::try_from(body.len()).ok(),
        body: Some(StreamingBlob::from(Body::from(body))),
        content_range,
        e_tag: Some(object.etag()),
        last_modified: Some(object.modified()),
        content_type: Some(content_type(headers.content_type)),
        cache_control: headers.cache_control,
        content_disposition: headers.content_disposition,
        content_encoding: headers.content_encoding,
        content_language: headers.content_language,
        expires: headers.expires,
        metadata: headers.metadata,
        version_id,
        ..Default::default()
    })
}

pub(super) fn head(store: &Store, input: &HeadObjectInput) -> S3Result<HeadObjectOutput> {
    let (object, version_id) =
        store.find(&input.bucket, &input.key, input.version_id.as_deref())?;
    Conditions {
        if_match: input.if_match.as_ref(),
        if_none_match: input.if_none_match.as_ref(),
        if_modified_since: input.if_modified_since.as_ref(),
        if_unmodified_since: input.if_unmodified_since.as_ref(),
    }
    .check(&object)?;
    let (body, content_range) = slice(&object, input.range.as_ref())?;
    let headers = object.headers.clone();
    Ok(HeadObjectOutput {
        accept_ranges: Some("bytes".into()),
        content_length: i64::try_from(body.len()).ok(),
        content_range,
        e_tag: Some(object.etag()),
        last_modified: Some(object.modified()),
        content_type: Some(content_type(headers.content_type)),
        cache_control: headers.cache_control,
        content_disposition: headers.content_disposition,
        content_encoding: headers.content_encoding,
        content_language: headers.content_language,
        expires: headers.expires,
        metadata: headers.metadata,
        version_id,
        ..Default::default()
    })
}

fn content_type(given: Option<String>) -> String {
    given.unwrap_or_else(|| "binary/octet-stream".into())
}

/// The object that a copy reads, its conditions met, and its version.
pub(super) fn copy_source(
    store: &Store,
    source: &CopySource,
    conditions: [Option<&ETagCondition>; 2],
    times: [Option<&Timestamp>; 2],
) -> S3Result<(Arc<Object>, Option<String>)> {
    let CopySource::Bucket {
        bucket,
        key,
        version_id,
    } = source
    else {
        return Err(s3_error!(NotImplemented, "Only buckets can be copied from"));
    };
    let (object, version) = store.find(bucket, key, version_id.as_deref())?;
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

pub(super) fn copy(store: &Store, input: CopyObjectInput) -> S3Result<CopyObjectOutput> {
    store.bucket(&input.bucket)?;
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
    )?;
    let replace = input
        .metadata_directive
        .as_ref()
        .is_some_and(|directive| directive.as_str() == MetadataDirective::REPLACE);
    let onto_itself = matches!(
        &input.copy_source,
        // An older version may be copied over the current one: that restores it.
        CopySource::Bucket { bucket, key, version_id: None }
            if **bucket == *input.bucket && **key == *input.key
    );
    if onto_itself && !replace {
        return Err(s3_error!(
            InvalidRequest,
            "This copy request is illegal because it is trying to copy an object to itself \
             without changing the object's metadata, storage class, website redirect location \
             or encryption attributes."
        ));
    }
    let headers = if replace {
        Headers {
            content_type: input.content_type,
            cache_control: input.cache_control,
            content_disposition: input.content_disposition,
            content_encoding: input.content_encoding,
            content_language: input.content_language,
            expires: input.expires,
            metadata: input.metadata,
        }
    } else {
        source.headers.clone()
    };
    // A copied upload is one object, and its ETag that of one.
    let etag = if source.etag.contains('-') {
        encode::hex(&encode::md5(&source.body))
    } else {
        source.etag.clone()
    };
    let object = Object::new(source.body.clone(), etag, headers);
    let result = CopyObjectResult {
        e_tag: Some(object.etag()),
        last_modified: Some(object.modified()),
        ..Default::default()
    };
    let version_id = store.within(&input.bucket, |bucket| {
        Ok(bucket.write().insert(input.key, Arc::new(object)))
    })?;
    Ok(CopyObjectOutput {
        copy_object_result: Some(result),
        version_id,
        copy_source_version_id,
        ..Default::default()
    })
}

pub(super) fn delete(store: &Store, input: &DeleteObjectInput) -> S3Result<DeleteObjectOutput> {
    let removed = store.within(&input.bucket, |bucket| {
        let mut objects = bucket.write();
        match &input.version_id {
            Some(id) => objects.remove_version(&input.key, id),
            None => Ok(objects.remove(&input.key)),
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
) -> S3Result<DeletedObject> {
    let removed = match &entry.version_id {
        Some(id) => objects.remove_version(&entry.key, id)?,
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
