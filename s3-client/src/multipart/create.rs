//! Beginning an upload in parts: [`Bucket::create_multipart`].

use std::fmt;

use aws_core::operation::Answer;
use aws_core::xml::{Xml, XmlError};
use aws_core::{Result, awaitable};
use pipeline_pool::Method;

use super::MultipartUpload;
use crate::answer::values;
use crate::bucket::Bucket;
use crate::checksum::Checksum;
use crate::idempotency::{self, Row};
use crate::operation::{Call, S3Operation};
use crate::request::attributes::Attributes;
use crate::request::options::Options;
use crate::unsigned::UnsignedRequest;

/// A request to begin an upload in parts; made by [`Bucket::create_multipart`].
#[must_use = "nothing is sent until this is awaited"]
#[derive(Clone)]
pub struct CreateMultipart {
    bucket: Bucket,
    key: String,
    attributes: Attributes,
    options: Options,
}

impl CreateMultipart {
    pub(crate) fn new(bucket: Bucket, key: String) -> Self {
        Self {
            bucket,
            key,
            attributes: Attributes::default(),
            options: Options::default(),
        }
    }

    /// Announces that the parts come with this checksum, which the store then keeps of the whole.
    pub fn checksum(mut self, checksum: Checksum) -> Self {
        let name = "x-amz-checksum-algorithm";
        self.attributes.field(name, checksum.name().to_owned());
        self
    }

    /// The same with other attributes of the object.
    pub(crate) fn with(mut self, attributes: Attributes, options: Options) -> Self {
        self.attributes = attributes;
        self.options = options;
        self
    }

    /// Sends CreateMultipartUpload, as `.await` does.
    ///
    /// # Errors
    /// [`Kind::Invalid`](crate::Kind::Invalid) when a limit is broken; otherwise as sending and the store say.
    pub async fn send(self) -> Result<MultipartUpload> {
        let mut wire = UnsignedRequest::object(Method::Post, &self.bucket, &self.key)?;
        wire.flag("uploads");
        let customer_key = self.attributes.customer_key().cloned();
        let locked = self.attributes.is_locked();
        wire.fields(self.attributes.into_fields(wire.origin())?)?;
        wire.options(self.options);
        let id = self
            .bucket
            .client()
            .call(&Call::new(wire, CreateMultipartUpload))
            .await?;
        let mut upload = self.bucket.multipart(self.key, id);
        upload.customer_key = customer_key;
        upload.locked = locked;
        Ok(upload)
    }
}

attributes!(CreateMultipart);
options!(CreateMultipart);
awaitable!(CreateMultipart, MultipartUpload);

impl fmt::Debug for CreateMultipart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CreateMultipart")
            .field("bucket", &self.bucket)
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}

struct CreateMultipartUpload;

impl S3Operation for CreateMultipartUpload {
    type Output = String;
    const ROW: Row = idempotency::CREATE_MULTIPART_UPLOAD;

    fn parse(&self, answer: Answer) -> Result<String> {
        Ok(read(&answer.bytes())?)
    }
}

fn read(text: &[u8]) -> Result<String, XmlError> {
    let mut id = None;
    let mut xml = Xml::new(text)?;
    xml.expect_root("InitiateMultipartUploadResult")?;
    while let Some(tag) = xml.child()? {
        match tag.name() {
            "UploadId" => id = values::text(&mut xml)?,
            _ => xml.skip()?,
        }
    }
    id.ok_or_else(|| XmlError::new("an upload without an identifier"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_identifier_is_read() {
        let text = b"<InitiateMultipartUploadResult><Bucket>b</Bucket><Key>k</Key><UploadId>a&amp;b</UploadId>\
                     </InitiateMultipartUploadResult>";
        assert_eq!(read(text).unwrap(), "a&b");
        for text in [
            "<InitiateMultipartUploadResult/>",
            "<InitiateMultipartUploadResult><UploadId/></InitiateMultipartUploadResult>",
            "<Other><UploadId>a</UploadId></Other>",
            "",
        ] {
            assert!(read(text.as_bytes()).is_err(), "{text}");
        }
    }
}
