//! Reading and writing one object.

use std::sync::Arc;

use base64::prelude::*;
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use hyper::HeaderMap;
use hyper::header::CONTENT_RANGE;
use s3s::dto::{
    ChecksumMode, GetObjectInput, GetObjectOutput, HeadObjectInput, HeadObjectOutput,
    PutObjectInput, PutObjectOutput, Range, StreamingBlob,
};
use s3s::{Body, S3Error, S3ErrorCode, S3Result, TrailingHeaders, s3_error};

use crate::encode;
use crate::s3::access::Writer;
use crate::s3::keep::body::Body as Kept;
use crate::s3::model::attributes::{customer_key, headers};
use crate::s3::model::checksums::Checksums;
use crate::s3::model::checksums::given::Given;
use crate::s3::model::conditions::{Conditions, check_write};
use crate::s3::model::error::{invalid_digest, invalid_part_number};
use crate::s3::model::store::{Object, Store};

/// What one put may bring, in bytes.
const OBJECT_MAX: usize = 5 << 30;

/// Reads a whole body and checks it against `Content-MD5`; returns it with its digest.
pub(in crate::s3) async fn collect(
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
        .ok_or_else(invalid_digest)
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

pub(in crate::s3) async fn put(
    writer: Writer<'_>,
    mut input: PutObjectInput,
    trailers: Option<TrailingHeaders>,
) -> S3Result<PutObjectOutput> {
    let store = writer.store;
    let bucket = store.bucket(&input.bucket)?;
    let headers = headers!(input, &bucket, writer);
    let algorithm = input.checksum_algorithm.take();
    let mut given = Given::take(&mut input, algorithm);
    let has_md5 = input.content_md5.is_some();
    let (body, digest) = collect(input.body, input.content_md5.as_deref()).await?;
    if let Some(trailers) = trailers.and_then(|trailers| trailers.take()) {
        given.trailing(&trailers);
    }
    let has_digest = has_md5 || given.has_value();
    let sums = given.check(&body)?;
    let body = store.keeping.body(body, false).await?;
    let encryption = headers.encryption.clone();
    let mut object = Object::new(body, encode::hex(&digest), headers);
    object.checksums = sums.clone();
    let etag = object.etag();
    let version_id = store.within(&input.bucket, |bucket| {
        let mut objects = bucket.write();
        check_write(
            objects.get(&input.key).map(Arc::as_ref),
            input.if_match.as_ref(),
            input.if_none_match.as_ref(),
        )?;
        if !has_digest {
            objects.check_undigested(&object.headers.lock, "Put Object")?;
        }
        objects.store(store.pen(&input.bucket), input.key, object)
    })?;
    Ok(sums.tell(PutObjectOutput {
        e_tag: Some(etag),
        version_id,
        sse_customer_algorithm: encryption.customer_algorithm(),
        sse_customer_key_md5: encryption.customer_key,
        server_side_encryption: encryption.kind,
        ssekms_key_id: encryption.kms_key,
        bucket_key_enabled: encryption.bucket_key,
        ..Default::default()
    }))
}

/// The bytes asked for, and the `Content-Range` that tells which they are.
fn slice(object: &Object, range: Option<&Range>) -> S3Result<(Kept, Option<String>)> {
    let Some(range) = range else {
        return Ok((object.body.clone(), None));
    };
    let len = object.body.len();
    // Of an empty object the last bytes are none, and S3 answers with the whole of it rather than with an error.
    if len == 0 && matches!(range, Range::Suffix { length } if *length > 0) {
        return Ok((object.body.clone(), None));
    }
    let span = range.check(len).map_err(|_| {
        let mut error = s3_error!(InvalidRange, "The requested range is not satisfiable");
        let mut headers = HeaderMap::new();
        if let Ok(value) = format!("bytes */{len}").try_into() {
            headers.insert(CONTENT_RANGE, value);
        }
        error.set_headers(headers);
        error
    })?;
    let text = format!("bytes {}-{}/{len}", span.start, span.end.saturating_sub(1));
    Ok((object.body.slice(span), Some(text)))
}

/// The bytes of a part, as a range of the object.
fn part(object: &Object, number: i32) -> S3Result<Option<Range>> {
    let missing = || {
        S3Error::with_message(
            S3ErrorCode::InvalidRange,
            "The requested partnumber is not satisfiable",
        )
    };
    let number = usize::try_from(number).unwrap_or_default();
    let at = number.checked_sub(1).ok_or_else(invalid_part_number)?;
    let (start, len) = match (object.parts.get(at), at) {
        (Some(len), _) => (object.parts[..at].iter().sum::<u64>(), *len),
        (None, 0) if object.parts.is_empty() => (0, object.body.len()),
        _ => return Err(missing()),
    };
    // Of no bytes there is no range.
    Ok((len > 0).then(|| Range::Int {
        first: start,
        last: Some(start + len - 1),
    }))
}

/// What is asked for of an object.
fn wanted(
    object: &Object,
    range: Option<Range>,
    number: Option<i32>,
) -> S3Result<(Kept, Option<String>, Option<i32>)> {
    let Some(number) = number else {
        let (body, content_range) = slice(object, range.as_ref())?;
        return Ok((body, content_range, None));
    };
    if range.is_some() {
        return Err(s3_error!(
            InvalidRequest,
            "Cannot specify both Range header and partNumber query parameter"
        ));
    }
    let range = part(object, number)?;
    let (body, content_range) = slice(object, range.as_ref())?;
    let count = i32::try_from(object.parts.len()).ok();
    Ok((body, content_range, count.filter(|count| *count > 0)))
}

/// The checksum of a part, as it is told with its bytes.
fn part_sums(
    object: &Object,
    number: Option<i32>,
    mode: Option<&ChecksumMode>,
) -> Option<Checksums> {
    mode.filter(|mode| mode.as_str() == ChecksumMode::ENABLED)?;
    let at = usize::try_from(number?).ok()?.checked_sub(1)?;
    let (_, sums) = object.part_sums.get(at)?;
    Some(sums.within(&object.checksums))
}

/// The output of a read, of either kind; `body` only counts for its length here.
macro_rules! output {
    ($output:ident, $input:expr, $object:expr, $version_id:expr) => {{
        let object = $object;
        let (body, content_range, parts_count) = wanted(object, $input.range, $input.part_number)?;
        let headers = object.headers.clone();
        let sums = $input
            .checksum_mode
            .as_ref()
            .filter(|mode| mode.as_str() == ChecksumMode::ENABLED && content_range.is_none())
            .map(|_| object.checksums.clone())
            // Of one part its own is told.
            .or_else(|| part_sums(object, $input.part_number, $input.checksum_mode.as_ref()))
            .unwrap_or_default();
        let output = sums.tell($output {
            accept_ranges: Some("bytes".into()),
            content_length: i64::try_from(body.len()).ok(),
            content_range,
            parts_count,
            e_tag: Some(object.etag()),
            last_modified: Some(object.modified()),
            content_type: Some(content_type(headers.content_type)),
            cache_control: headers.cache_control,
            content_disposition: headers.content_disposition,
            content_encoding: headers.content_encoding,
            content_language: headers.content_language,
            expires: headers.expires,
            metadata: headers.metadata,
            website_redirect_location: headers.website_redirect,
            storage_class: headers.storage_class,
            restore: object.restore_field(),
            sse_customer_algorithm: headers.encryption.customer_algorithm(),
            sse_customer_key_md5: headers.encryption.customer_key,
            server_side_encryption: headers.encryption.kind,
            ssekms_key_id: headers.encryption.kms_key,
            bucket_key_enabled: headers.encryption.bucket_key,
            object_lock_mode: headers.lock.mode(),
            object_lock_retain_until_date: headers.lock.until(),
            object_lock_legal_hold_status: headers.lock.hold(),
            version_id: $version_id,
            ..Default::default()
        });
        (output, body)
    }};
}

/// The object that a read asks for, its key given and its conditions met.
macro_rules! found {
    ($store:expr, $input:expr) => {{
        let version = $input.version_id.as_deref();
        let (object, version_id) = $store.find(&$input.bucket, &$input.key, version)?;
        object.headers.encryption.unlock(customer_key!($input))?;
        Conditions {
            if_match: $input.if_match.as_ref(),
            if_none_match: $input.if_none_match.as_ref(),
            if_modified_since: $input.if_modified_since.as_ref(),
            if_unmodified_since: $input.if_unmodified_since.as_ref(),
        }
        .check(&object)?;
        (object, version_id)
    }};
}

pub(in crate::s3) fn get(store: &Store, input: &GetObjectInput) -> S3Result<GetObjectOutput> {
    let (object, version_id) = found!(store, input);
    object.check_there()?;
    let (output, body) = output!(GetObjectOutput, input, &*object, version_id);
    let tags = i32::try_from(object.headers.tags.len()).ok();
    // What the request wants the answer to say is said by the engine.
    Ok(GetObjectOutput {
        tag_count: tags.filter(|tags| *tags > 0),
        body: Some(StreamingBlob::from(Body::from(body.read()?))),
        ..output
    })
}

/// How many tags a head tells, which the engine has no field for.
pub(in crate::s3) fn tag_count(store: &Store, input: &HeadObjectInput) -> S3Result<usize> {
    let version = input.version_id.as_deref();
    let (object, _) = store.find(&input.bucket, &input.key, version)?;
    Ok(object.headers.tags.len())
}

pub(in crate::s3) fn head(store: &Store, input: HeadObjectInput) -> S3Result<HeadObjectOutput> {
    let (object, version_id) = found!(store, input);
    let (output, _) = output!(HeadObjectOutput, input, &*object, version_id);
    Ok(HeadObjectOutput {
        content_type: input.response_content_type.or(output.content_type),
        content_language: input.response_content_language.or(output.content_language),
        expires: input.response_expires.or(output.expires),
        cache_control: input.response_cache_control.or(output.cache_control),
        content_disposition: input
            .response_content_disposition
            .or(output.content_disposition),
        content_encoding: input.response_content_encoding.or(output.content_encoding),
        ..output
    })
}

fn content_type(given: Option<String>) -> String {
    given.unwrap_or_else(|| "binary/octet-stream".into())
}
