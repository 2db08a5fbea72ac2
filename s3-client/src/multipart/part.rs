use std::fmt;

use aws_core::operation::Answer;
use aws_core::{Error, Idempotency, Operation, Result, awaitable};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest, Md5};
use pipeline_pool::Method;

use super::{MultipartUpload, Part};
use crate::checksum::{Checksum, read_ahead, summed};
use crate::encryption::Of;
use crate::etag;
use crate::idempotency::{self, Row};
use crate::limits;
use crate::object::ObjectHead;
use crate::options::Options;
use crate::payload::Source;
use crate::wire::{Field, S3, Wire};

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

    /// Sends the MD5 digest of the part, with which the store checks what arrived. Defaults to no; only for
    /// bytes at hand in one piece.
    pub fn content_md5(mut self, yes: bool) -> Self {
        self.md5 = yes;
        self
    }

    /// Sends this checksum of the part, with which the store checks what arrived. Defaults to none. The upload has to
    /// be [begun](crate::CreateMultipart::checksum) with it. Of files and streams it follows the body, as
    /// [`Put::checksum`](crate::Put::checksum) says.
    pub fn checksum(mut self, checksum: Checksum) -> Self {
        self.checksum = Some(checksum);
        self
    }

    /// Sends it.
    ///
    /// # Errors
    /// [`Kind::Invalid`](crate::Kind::Invalid) when a limit is broken; the code `NoSuchUpload` when the upload was
    /// completed or aborted; otherwise as sending and the store say.
    pub async fn send(self) -> Result<Part> {
        Ok(self.sent().await?.0)
    }

    /// The part, and the digest that the store has taken of it, if it says so.
    pub(crate) async fn sent(self) -> Result<(Part, Option<[u8; 16]>)> {
        let mut payload = self.source.payload().await?;
        let mut wire = part(Method::Put, &self.upload, self.number)?;
        limits::put(payload.len())?;
        let mut fields = Vec::new();
        if self.md5 {
            let body = payload.whole().ok_or_else(|| {
                Error::invalid("a digest is only made of a body that is at hand in one piece")
            })?;
            fields.push(("content-md5".into(), STANDARD.encode(Md5::digest(&body))));
        }
        if let Some(checksum) = self.checksum {
            let bucket = &self.upload.bucket;
            match read_ahead(checksum, &payload, bucket).await? {
                Some(value) => fields.push((checksum.header().into(), value)),
                None => {
                    let by_v4 = bucket.client.signs_by_v4(&bucket.name);
                    payload = summed(checksum, payload, by_v4, &mut fields)?;
                }
            }
        }
        self.upload.put_key(&wire, &mut fields)?;
        wire.fields(fields);
        let size = payload.len();
        let row = if payload.is_once() {
            idempotency::UPLOAD_PART_STREAM
        } else {
            idempotency::UPLOAD_PART
        };
        wire.payload(payload);
        wire.options(self.options);
        let sending = SendPart { wire, row };
        let head = self.upload.bucket.client.call(&sending).await?;
        let part = Part::sent(self.number, size, &head)?;
        Ok((part, etag::md5_of_sent(&head)))
    }
}

options!(UploadPart);
awaitable!(UploadPart, Part);

impl MultipartUpload {
    /// What a part has to bring when the object is encrypted with a key of the customer's.
    pub(super) fn put_key(&self, wire: &Wire, fields: &mut Vec<Field>) -> Result<()> {
        match &self.customer_key {
            Some(key) => key.put_fields(Of::Object, wire.origin(), fields),
            None => Ok(()),
        }
    }
}

/// A request about a part.
pub(super) fn part(method: Method, upload: &MultipartUpload, number: u32) -> Result<Wire> {
    limits::part(number)?;
    let mut wire = of_upload(method, upload)?;
    wire.query("partNumber", &number.to_string());
    Ok(wire)
}

/// A request about an upload.
pub(super) fn of_upload(method: Method, upload: &MultipartUpload) -> Result<Wire> {
    if upload.id.is_empty() {
        return Err(Error::invalid("the identifier of the upload is empty"));
    }
    let mut wire = Wire::object(method, &upload.bucket, &upload.key)?;
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

struct SendPart {
    wire: Wire,
    row: Row,
}

impl Operation for SendPart {
    type Output = ObjectHead;
    const NAME: &'static str = idempotency::UPLOAD_PART.operation;

    from_wire!();

    fn idempotency(&self) -> Idempotency {
        self.row.idempotency
    }

    fn parse(&self, _: &S3, answer: Answer) -> Result<ObjectHead> {
        Ok(ObjectHead::new(answer.head))
    }
}
