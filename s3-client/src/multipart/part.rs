//! Sending a part: [`MultipartUpload::part`].

use std::fmt;

use aws_core::operation::Answer;
use aws_core::{Error, Idempotency, Kind, Result, awaitable};
use pipeline_pool::Method;

use super::{MultipartUpload, Part};
use crate::answer::etag;
use crate::answer::object::ObjectHead;
use crate::checksum::{Checksum, read_ahead, summed};
use crate::digest;
use crate::idempotency::{self, Row};
use crate::limits;
use crate::operation::{Call, S3Operation};
use crate::request::body::Payload;
use crate::request::encryption::Of;
use crate::request::options::Options;
use crate::request::source::Source;
use crate::unsigned::{Field, UnsignedRequest};

/// A request to send a part; made by [`MultipartUpload::part`].
#[must_use = "nothing is sent until this is awaited"]
#[derive(Clone)]
pub struct UploadPart {
    upload: MultipartUpload,
    number: u32,
    source: Source,
    checksum: Option<Checksum>,
    md5: bool,
    options: Options,
}

impl UploadPart {
    pub(crate) fn new(upload: MultipartUpload, number: u32, source: Source) -> Self {
        Self {
            upload,
            number,
            source,
            checksum: None,
            md5: false,
            options: Options::default(),
        }
    }

    pub(crate) fn with(mut self, options: Options) -> Self {
        self.options = options;
        self
    }

    /// Sends the MD5 digest of the part, with which the store checks what arrived. Of files and streams, and what it
    /// defaults to, [`Put::content_md5`](crate::request::Put::content_md5) says; it is the lock that the upload was
    /// [begun](crate::request::CreateMultipart::retention) with which counts.
    pub fn content_md5(mut self, yes: bool) -> Self {
        self.md5 = yes;
        self
    }

    /// Sends this checksum of the part, with which the store checks what arrived. Defaults to none. The upload has to
    /// be [begun](crate::request::CreateMultipart::checksum) with it. Of files and streams it follows the body, as
    /// [`Put::checksum`](crate::request::Put::checksum) says.
    pub fn checksum(mut self, checksum: Checksum) -> Self {
        self.checksum = Some(checksum);
        self
    }

    /// Sends UploadPart, as `.await` does.
    ///
    /// # Errors
    /// [`Kind::Invalid`](crate::Kind::Invalid) when a limit is broken; the code `NoSuchUpload` when the upload was
    /// completed or aborted; otherwise as sending and the store say.
    pub async fn send(self) -> Result<Part> {
        Ok(self.sent().await?.0)
    }

    /// The part, and the digest that the store has taken of it, if it says so.
    pub(crate) async fn sent(self) -> Result<(Part, Option<[u8; 16]>)> {
        let payload = self.source.clone().payload().await?;
        let bucket = &self.upload.bucket;
        let demanded = || self.checksum.is_none() && bucket.client().demands_digest(bucket.name());
        let locked = self.checksum.is_none() && self.upload.locked;
        let mut digest = None;
        if self.md5 || locked || demanded() {
            digest = digest::md5(&payload).await?;
        }
        if self.md5 && digest.is_none() {
            return Err(Error::invalid(
                "the MD5 digest of a stream is known when it has been sent, and goes before it: send bytes or a file",
            ));
        }
        let unread = payload.is_file() && digest.is_none();
        match self.once(payload.clone(), digest).await {
            // The store has just said that it wants one, and the file was not read for it.
            Err(error) if error.kind() == Kind::Invalid && unread && demanded() => {
                let digest = digest::md5(&payload).await?;
                self.once(payload, digest).await
            }
            sent => sent,
        }
    }

    async fn once(
        &self,
        mut payload: Payload,
        digest: Option<String>,
    ) -> Result<(Part, Option<[u8; 16]>)> {
        let mut wire = part(Method::Put, &self.upload, self.number)?;
        limits::put(payload.len())?;
        let mut fields = Vec::new();
        let bucket = &self.upload.bucket;
        // What can be read only once may be followed by a checksum.
        let behind = payload.is_once() && self.upload.locked && digest.is_none();
        let by_v4 = bucket.client().signs_by_v4(bucket.shared_name());
        let behind = (behind && by_v4).then_some(digest::BEHIND_STREAMS);
        fields.extend(digest.map(|value| ("content-md5".into(), value)));
        if let Some(checksum) = self.checksum.or(behind) {
            match read_ahead(checksum, &payload, bucket).await? {
                Some(value) => fields.push((checksum.header().into(), value)),
                None => payload = summed(checksum, payload, by_v4, &mut fields)?,
            }
        }
        self.upload.put_key(&wire, &mut fields)?;
        wire.fields(fields)?;
        wire.digest_on_demand();
        let size = payload.len();
        let row = if payload.is_once() {
            idempotency::UPLOAD_PART_STREAM
        } else {
            idempotency::UPLOAD_PART
        };
        wire.payload(payload);
        wire.options(self.options.clone());
        let sending = Call::new(wire, UploadPartOperation { row });
        let head = self.upload.bucket.client().call(&sending).await?;
        let part = Part::sent(self.number, size, &head)?;
        Ok((part, etag::md5_of_sent(&head)))
    }
}

options!(UploadPart);
awaitable!(UploadPart, Part);

impl MultipartUpload {
    /// What a part has to bring when the object is encrypted with a key of the customer's.
    pub(super) fn put_key(&self, wire: &UnsignedRequest, fields: &mut Vec<Field>) -> Result<()> {
        match &self.customer_key {
            Some(key) => key.put_fields(Of::Object, wire.origin(), fields),
            None => Ok(()),
        }
    }
}

/// A request about a part.
pub(super) fn part(
    method: Method,
    upload: &MultipartUpload,
    number: u32,
) -> Result<UnsignedRequest> {
    limits::part(number)?;
    let mut wire = of_upload(method, upload)?;
    wire.query("partNumber", &number.to_string());
    Ok(wire)
}

/// A request about an upload.
pub(super) fn of_upload(method: Method, upload: &MultipartUpload) -> Result<UnsignedRequest> {
    if upload.id.is_empty() {
        return Err(Error::invalid("the identifier of the upload is empty"));
    }
    let mut wire = UnsignedRequest::object(method, &upload.bucket, &upload.key)?;
    wire.query("uploadId", &upload.id);
    Ok(wire)
}

impl fmt::Debug for UploadPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UploadPart")
            .field("upload", &self.upload)
            .field("number", &self.number)
            .field("source", &self.source)
            .finish_non_exhaustive()
    }
}

struct UploadPartOperation {
    row: Row,
}

impl S3Operation for UploadPartOperation {
    type Output = ObjectHead;
    const ROW: Row = idempotency::UPLOAD_PART;

    fn idempotency(&self) -> Idempotency {
        self.row.idempotency
    }

    fn parse(&self, answer: Answer) -> Result<ObjectHead> {
        Ok(ObjectHead::new(answer.head))
    }
}
