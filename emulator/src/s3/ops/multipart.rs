//! Uploads in parts.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use bytes::{Bytes, BytesMut};
use s3s::dto::{
    AbortMultipartUploadInput, Checksum, CommonPrefix, CompleteMultipartUploadInput,
    CompleteMultipartUploadOutput, CompletedPart, CopyPartResult, CreateMultipartUploadInput,
    CreateMultipartUploadOutput, ETag, Initiator, ListMultipartUploadsInput,
    ListMultipartUploadsOutput, ListPartsInput, ListPartsOutput, MultipartUpload,
    Part as PartEntry, Range, StorageClass, Timestamp, UploadPartCopyInput, UploadPartCopyOutput,
    UploadPartInput, UploadPartOutput,
};
use s3s::{S3Error, S3Result, TrailingHeaders, s3_error};

use crate::accounts::Account;
use crate::encode;
use crate::s3::access::Writer;
use crate::s3::model::acl::owner_of;
use crate::s3::model::attributes::{Encryption, Headers, customer_key, headers, source_key};
use crate::s3::model::checksums::{self, Given, OfParts, given};
use crate::s3::model::conditions::check_write;
use crate::s3::model::store::{Bucket, Object, Store, hidden};
use crate::s3::ops::copy::copy_source;
use crate::s3::ops::list::{Encoding, page_size};
use crate::s3::ops::object::collect;

const PART_NUMBER_MAX: i32 = 10_000;

#[derive(Debug)]
struct Part {
    body: Bytes,
    digest: [u8; 16],
    /// As it came with the part or was computed of it.
    checksums: Checksum,
    modified: SystemTime,
}

impl Part {
    /// What its entity tag is made of: for one that is encrypted not its digest.
    fn tag(&self, upload: &Upload) -> String {
        let digest = encode::hex(&self.digest);
        match &upload.headers.encryption {
            hiding if hiding.hides_tag() => hidden(&digest, hiding.customer_key.as_deref()),
            _ => digest,
        }
    }
}

#[derive(Debug)]
struct Upload {
    headers: Headers,
    checksum: OfParts,
    initiated: SystemTime,
    parts: BTreeMap<i32, Part>,
}

/// The unfinished uploads of a bucket, by key and upload id.
#[derive(Debug, Default)]
pub(in crate::s3) struct Uploads(Mutex<BTreeMap<(String, String), Upload>>);

impl Uploads {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<(String, String), Upload>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with<T>(
        &self,
        key: &str,
        id: &str,
        act: impl FnOnce(&mut Upload) -> S3Result<T>,
    ) -> S3Result<T> {
        let mut uploads = self.lock();
        let upload = uploads
            .get_mut(&(key.to_owned(), id.to_owned()))
            .ok_or_else(no_such_upload)?;
        act(upload)
    }
}

fn no_such_upload() -> S3Error {
    s3_error!(
        NoSuchUpload,
        "The specified upload does not exist. The upload ID may be invalid, or the upload may \
         have been aborted or completed."
    )
}

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
        let name = (input.key.clone(), id.clone());
        bucket.uploads.lock().insert(name, upload);
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
    Err(s3_error!(
        InvalidArgument,
        "Part number must be an integer between 1 and 10000, inclusive"
    ))
}

fn store_part(
    bucket: &Bucket,
    (key, id): (&str, &str),
    number: i32,
    (body, digest): (Bytes, [u8; 16]),
    checksums: Checksum,
) -> S3Result<(ETag, Encryption)> {
    bucket.uploads.with(key, id, |upload| {
        let part = Part {
            body,
            digest,
            checksums,
            modified: SystemTime::now(),
        };
        let tag = part.tag(upload);
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
    let mut given = given!(input);
    let has_md5 = input.content_md5.is_some();
    let content = collect(input.body, input.content_md5.as_deref()).await?;
    if let Some(trailers) = trailers.and_then(|trailers| trailers.take()) {
        given.trailing(&trailers);
    }
    if !has_md5 && !given.has_value() {
        bucket.read().check_undigested(&lock, "Put Part")?;
    }
    let sums = given.check_part(&content.0, &checksum)?;
    let name = (input.key.as_str(), input.upload_id.as_str());
    let number = input.part_number;
    let (etag, encryption) = store_part(&bucket, name, number, content, sums.clone())?;
    Ok(UploadPartOutput {
        e_tag: Some(etag),
        checksum_crc32: sums.checksum_crc32,
        checksum_crc32c: sums.checksum_crc32c,
        checksum_crc64nvme: sums.checksum_crc64nvme,
        checksum_sha1: sums.checksum_sha1,
        checksum_sha256: sums.checksum_sha256,
        sse_customer_algorithm: encryption.customer_algorithm(),
        sse_customer_key_md5: encryption.customer_key,
        server_side_encryption: encryption.kind,
        ssekms_key_id: encryption.kms_key,
        bucket_key_enabled: encryption.bucket_key,
        ..Default::default()
    })
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
            let len = source.body.len() as u64;
            let span = range.check(len).ok().filter(|_| last < len);
            let span = span.ok_or_else(|| {
                s3_error!(
                    InvalidArgument,
                    "Range specified is not valid for source object of size: {len}"
                )
            })?;
            let start = usize::try_from(span.start).unwrap_or_default();
            let end = usize::try_from(span.end).unwrap_or_default();
            source.body.slice(start..end)
        }
    };
    let digest = encode::md5(&body);
    let name = (input.key.as_str(), input.upload_id.as_str());
    let sums = checksums::of(&kind, &body)?;
    let number = input.part_number;
    let (etag, encryption) = store_part(&bucket, name, number, (body, digest), sums.clone())?;
    Ok(UploadPartCopyOutput {
        copy_part_result: Some(CopyPartResult {
            e_tag: Some(etag),
            last_modified: Some(Timestamp::from(SystemTime::now())),
            checksum_crc32: sums.checksum_crc32,
            checksum_crc32c: sums.checksum_crc32c,
            checksum_crc64nvme: sums.checksum_crc64nvme,
            checksum_sha1: sums.checksum_sha1,
            checksum_sha256: sums.checksum_sha256,
        }),
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
    input: CompleteMultipartUploadInput,
) -> S3Result<CompleteMultipartUploadOutput> {
    let said = Given::new(
        [
            input.checksum_crc32.clone(),
            input.checksum_crc32c.clone(),
            input.checksum_crc64nvme.clone(),
            input.checksum_sha1.clone(),
            input.checksum_sha256.clone(),
        ],
        None,
    );
    let wanted = input
        .multipart_upload
        .and_then(|upload| upload.parts)
        .filter(|parts| !parts.is_empty())
        .ok_or_else(|| {
            s3_error!(
                MalformedXML,
                "The XML you provided was not well-formed or did not validate against our \
                 published schema"
            )
        })?;
    let (etag, sums, encryption, version_id) = store.within(&input.bucket, |bucket| {
        let object = bucket
            .uploads
            .with(&input.key, &input.upload_id, |upload| {
                join(upload, &wanted, store.part_min)
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
        let version_id = objects.store(input.key.clone(), object)?;
        let name = (input.key.clone(), input.upload_id);
        bucket.uploads.lock().remove(&name);
        Ok((etag, sums, encryption, version_id))
    })?;
    Ok(CompleteMultipartUploadOutput {
        location: Some(format!("/{}/{}", input.bucket, input.key)),
        bucket: Some(input.bucket),
        key: Some(input.key),
        e_tag: Some(etag),
        checksum_crc32: sums.checksum_crc32,
        checksum_crc32c: sums.checksum_crc32c,
        checksum_crc64nvme: sums.checksum_crc64nvme,
        checksum_sha1: sums.checksum_sha1,
        checksum_sha256: sums.checksum_sha256,
        checksum_type: sums.checksum_type,
        server_side_encryption: encryption.kind,
        ssekms_key_id: encryption.kms_key,
        bucket_key_enabled: encryption.bucket_key,
        version_id,
        ..Default::default()
    })
}

/// The object that the listed parts make.
fn join(upload: &Upload, wanted: &[CompletedPart], part_min: u64) -> S3Result<Object> {
    let number = |given: &CompletedPart| given.part_number.unwrap_or_default();
    if !wanted.is_sorted_by(|one, next| number(one) < number(next)) {
        return Err(s3_error!(
            InvalidPartOrder,
            "The list of parts was not in ascending order. Parts must be ordered by part number."
        ));
    }
    let mut body = BytesMut::new();
    let mut digests = Vec::with_capacity(wanted.len() * 16);
    let mut sizes = Vec::with_capacity(wanted.len());
    let mut sums = Vec::with_capacity(wanted.len());
    for (index, given) in wanted.iter().enumerate() {
        let etag = given.e_tag.as_ref().map(ETag::value);
        let part = upload.parts.get(&number(given)).filter(|part| {
            etag.is_some_and(|etag| etag.trim_matches('"') == part.tag(upload))
                && checksums::fit(&part.checksums, given)
        });
        let part = part.ok_or_else(|| {
            s3_error!(
                InvalidPart,
                "One or more of the specified parts could not be found. The part may not have \
                 been uploaded, or the specified entity tag may not match the part's entity tag."
            )
        })?;
        if index + 1 < wanted.len() && (part.body.len() as u64) < part_min {
            return Err(s3_error!(
                EntityTooSmall,
                "Your proposed upload is smaller than the minimum allowed size"
            ));
        }
        body.extend_from_slice(&part.body);
        sizes.push(part.body.len() as u64);
        sums.push((number(given), part.checksums.clone()));
        digests.extend_from_slice(&part.digest);
    }
    let etag = format!("{}-{}", encode::hex(&encode::md5(&digests)), wanted.len());
    let mut object = Object::new(body.freeze(), etag, upload.headers.clone());
    object.checksums = upload.checksum.of(&object.body, &sizes)?;
    object.parts = sizes.into();
    object.part_sums = sums.into();
    Ok(object)
}

pub(in crate::s3) fn abort(store: &Store, input: AbortMultipartUploadInput) -> S3Result<()> {
    let bucket = store.bucket(&input.bucket)?;
    let removed = bucket.uploads.lock().remove(&(input.key, input.upload_id));
    removed.map(|_| ()).ok_or_else(no_such_upload)
}

pub(in crate::s3) fn list_parts(store: &Store, input: ListPartsInput) -> S3Result<ListPartsOutput> {
    let max = page_size(input.max_parts)?;
    let after = input.part_number_marker.unwrap_or_default();
    let bucket = store.bucket(&input.bucket)?;
    let (mut parts, owner) = bucket
        .uploads
        .with(&input.key, &input.upload_id, |upload| {
            let entry = |(number, part): (&i32, &Part)| PartEntry {
                part_number: Some(*number),
                e_tag: Some(ETag::Strong(part.tag(upload))),
                size: i64::try_from(part.body.len()).ok(),
                last_modified: Some(Timestamp::from(part.modified)),
                checksum_crc32: part.checksums.checksum_crc32.clone(),
                checksum_crc32c: part.checksums.checksum_crc32c.clone(),
                checksum_crc64nvme: part.checksums.checksum_crc64nvme.clone(),
                checksum_sha1: part.checksums.checksum_sha1.clone(),
                checksum_sha256: part.checksums.checksum_sha256.clone(),
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
