//! Uploads in parts.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

use s3s::dto::{
    AbortMultipartUploadInput, CompleteMultipartUploadInput, CompleteMultipartUploadOutput,
    CopyPartResult, CreateMultipartUploadInput, CreateMultipartUploadOutput, ETag, Range,
    Timestamp, UploadPartCopyInput, UploadPartCopyOutput, UploadPartInput, UploadPartOutput,
};
use s3s::{S3Result, TrailingHeaders, s3_error};

use crate::encode;
use crate::s3::access::Writer;
use crate::s3::keep::body::Body;
use crate::s3::keep::record::{S3Record, UploadName};
use crate::s3::model::attributes::{Encryption, customer_key, headers, source_key};
use crate::s3::model::checksums::given::Given;
use crate::s3::model::checksums::{Checksums, OfParts};
use crate::s3::model::conditions::check_write;
use crate::s3::model::error::{invalid_part_number, malformed_xml};
use crate::s3::model::store::{Bucket, Store};
use crate::s3::model::uploads::{Part, Upload, no_such_upload};
use crate::s3::ops::copy::copy_source;
use crate::s3::ops::object::collect;

const PART_NUMBER_MAX: i32 = 10_000;

pub(in crate::s3) fn create(
    writer: Writer<'_>,
    mut input: CreateMultipartUploadInput,
) -> S3Result<CreateMultipartUploadOutput> {
    let store = writer.store;
    let bucket = store.bucket(&input.bucket)?;
    let checksum = OfParts::new(
        input.checksum_algorithm.as_ref(),
        input.checksum_type.as_ref(),
    )?;
    let upload = Upload {
        headers: headers!(input, &bucket, writer),
        checksum,
        initiated: SystemTime::now(),
        parts: BTreeMap::new(),
    };
    let checksum_type = upload.checksum.declared_type();
    let id = store.fresh_id();
    let encryption = upload.headers.encryption.clone();
    store.within(&input.bucket, |bucket| {
        bucket.read().lock_of(upload.headers.lock.clone())?;
        let mut uploads = bucket.uploads.lock();
        let name = (input.bucket.as_str(), input.key.as_str(), id.as_str());
        store.keeping.write(&S3Record::Upload(name, &upload))?;
        uploads.insert((input.key.clone(), id.clone()), upload);
        Ok(())
    })?;
    Ok(CreateMultipartUploadOutput {
        bucket: Some(input.bucket),
        key: Some(input.key),
        upload_id: Some(id),
        checksum_algorithm: input.checksum_algorithm,
        checksum_type,
        sse_customer_algorithm: encryption.customer_algorithm(),
        sse_customer_key_md5: encryption.customer_key,
        server_side_encryption: encryption.kind,
        ssekms_key_id: encryption.kms_key,
        bucket_key_enabled: encryption.bucket_key,
        ..Default::default()
    })
}

fn check_number(number: i32) -> S3Result<()> {
    if (1..=PART_NUMBER_MAX).contains(&number) {
        return Ok(());
    }
    Err(invalid_part_number())
}

fn store_part(
    store: &Store,
    name: UploadName<'_>,
    number: i32,
    (body, digest): (Body, [u8; 16]),
    checksums: Checksums,
) -> S3Result<(ETag, Encryption)> {
    let (bucket, key, id) = name;
    store.bucket(bucket)?.uploads.with(key, id, |upload| {
        let part = Part {
            body,
            digest,
            checksums,
            modified: SystemTime::now(),
        };
        let tag = part.tag(upload);
        store.keeping.write(&S3Record::Part(name, number, &part))?;
        upload.parts.insert(number, part);
        Ok((ETag::Strong(tag), upload.headers.encryption.clone()))
    })
}

pub(in crate::s3) async fn upload_part(
    store: &Store,
    mut input: UploadPartInput,
    trailers: Option<TrailingHeaders>,
) -> S3Result<UploadPartOutput> {
    check_number(input.part_number)?;
    let bucket = store.bucket(&input.bucket)?;
    let (checksum, lock) = bucket
        .uploads
        .with(&input.key, &input.upload_id, |upload| {
            let encryption = &upload.headers.encryption;
            encryption.unlock_part(customer_key!(input))?;
            let lock = upload.headers.lock.clone();
            Ok((upload.checksum.clone(), lock))
        })?;
    let algorithm = input.checksum_algorithm.take();
    let mut given = Given::take(&mut input, algorithm);
    let has_md5 = input.content_md5.is_some();
    let content = collect(input.body, input.content_md5.as_deref()).await?;
    if let Some(trailers) = trailers.and_then(|trailers| trailers.take()) {
        given.trailing(&trailers);
    }
    if !has_md5 && !given.has_value() {
        bucket.read().check_undigested(&lock, "Put Part")?;
    }
    let sums = given.check_part(&content.0, &checksum)?;
    let (bytes, digest) = content;
    let content = (store.keeping.body(bytes, true).await?, digest);
    let name = (&*input.bucket, &*input.key, &*input.upload_id);
    let number = input.part_number;
    let (etag, encryption) = store_part(store, name, number, content, sums.clone())?;
    Ok(sums.tell(UploadPartOutput {
        e_tag: Some(etag),
        sse_customer_algorithm: encryption.customer_algorithm(),
        sse_customer_key_md5: encryption.customer_key,
        server_side_encryption: encryption.kind,
        ssekms_key_id: encryption.kms_key,
        bucket_key_enabled: encryption.bucket_key,
        ..Default::default()
    }))
}

pub(in crate::s3) fn upload_part_copy(
    store: &Store,
    input: &UploadPartCopyInput,
) -> S3Result<UploadPartCopyOutput> {
    check_number(input.part_number)?;
    let bucket = store.bucket(&input.bucket)?;
    let kind = bucket
        .uploads
        .with(&input.key, &input.upload_id, |upload| {
            let encryption = &upload.headers.encryption;
            encryption.unlock_part(customer_key!(input))?;
            Ok(upload.checksum.kind().to_owned())
        })?;
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
    let body = match input.copy_source_range.as_deref() {
        None => source.body.clone(),
        Some(text) => {
            let invalid = || {
                s3_error!(
                    InvalidArgument,
                    "The x-amz-copy-source-range value must be of the form bytes=first-last \
                     where first and last are the zero-based offsets of the first and last \
                     bytes to copy"
                )
            };
            let range = Range::parse(text).map_err(|_| invalid())?;
            let Range::Int {
                last: Some(last), ..
            } = range
            else {
                return Err(invalid());
            };
            let len = source.body.len();
            let span = range.check(len).ok().filter(|_| last < len);
            let span = span.ok_or_else(|| {
                s3_error!(
                    InvalidArgument,
                    "Range specified is not valid for source object of size: {len}"
                )
            })?;
            source.body.slice(span)
        }
    };
    let bytes = body.read()?;
    let digest = encode::md5(&bytes);
    let name = (&*input.bucket, &*input.key, &*input.upload_id);
    let sums = Checksums::of(&kind, &bytes)?;
    let number = input.part_number;
    let (etag, encryption) = store_part(store, name, number, (body, digest), sums.clone())?;
    Ok(UploadPartCopyOutput {
        copy_part_result: Some(sums.tell(CopyPartResult {
            e_tag: Some(etag),
            last_modified: Some(Timestamp::from(SystemTime::now())),
            ..Default::default()
        })),
        copy_source_version_id,
        sse_customer_algorithm: encryption.customer_algorithm(),
        sse_customer_key_md5: encryption.customer_key,
        server_side_encryption: encryption.kind,
        ssekms_key_id: encryption.kms_key,
        bucket_key_enabled: encryption.bucket_key,
        ..Default::default()
    })
}

pub(in crate::s3) fn complete(
    store: &Store,
    mut input: CompleteMultipartUploadInput,
) -> S3Result<CompleteMultipartUploadOutput> {
    let said = Given::take(&mut input, None);
    let wanted = input
        .multipart_upload
        .and_then(|upload| upload.parts)
        .filter(|parts| !parts.is_empty())
        .ok_or_else(malformed_xml)?;
    let (etag, sums, encryption, version_id) = store.within(&input.bucket, |bucket| {
        let object = bucket
            .uploads
            .with(&input.key, &input.upload_id, |upload| {
                upload.join(&wanted, store.part_min)
            })?;
        let (etag, sums) = (object.etag(), object.checksums.clone());
        said.check_whole(&sums)?;
        let encryption = object.headers.encryption.clone();
        let mut objects = bucket.write();
        check_write(
            objects.get(&input.key).map(Arc::as_ref),
            input.if_match.as_ref(),
            input.if_none_match.as_ref(),
        )?;
        let pen = store.pen(&input.bucket);
        let version_id = objects.store(pen, input.key.clone(), object)?;
        end(store, bucket, (&input.bucket, &input.key, &input.upload_id))?;
        Ok((etag, sums, encryption, version_id))
    })?;
    Ok(sums.tell(CompleteMultipartUploadOutput {
        location: Some(format!("/{}/{}", input.bucket, input.key)),
        bucket: Some(input.bucket),
        key: Some(input.key),
        e_tag: Some(etag),
        server_side_encryption: encryption.kind,
        ssekms_key_id: encryption.kms_key,
        bucket_key_enabled: encryption.bucket_key,
        version_id,
        ..Default::default()
    }))
}

pub(in crate::s3) fn abort(store: &Store, input: &AbortMultipartUploadInput) -> S3Result<()> {
    let name = (&*input.bucket, &*input.key, &*input.upload_id);
    store.within(&input.bucket, |bucket| match end(store, bucket, name)? {
        true => Ok(()),
        false => Err(no_such_upload()),
    })
}

/// Forgets an upload; tells whether it was there.
fn end(store: &Store, bucket: &Bucket, name: UploadName<'_>) -> S3Result<bool> {
    let mut uploads = bucket.uploads.lock();
    let key = (name.1.to_owned(), name.2.to_owned());
    if !uploads.contains_key(&key) {
        return Ok(false);
    }
    store.keeping.write(&S3Record::UploadGone(name))?;
    uploads.remove(&key);
    Ok(true)
}
