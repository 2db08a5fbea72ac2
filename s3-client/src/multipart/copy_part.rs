//! Making a part of what another object has: [`MultipartUpload::copy_part`].

use std::fmt;
use std::ops::Range;
use std::time::{Duration, SystemTime};

use aws_core::operation::Answer;
use aws_core::xml::{Xml, XmlError};
use aws_core::{Error, Result, awaitable, http_date};
use aws_sigv2::escape;
use pipeline_pool::Method;

use super::part::part;
use super::{MultipartUpload, Part};
use crate::idempotency::{self, Row};
use crate::limits;
use crate::operation::{Call, S3Operation};
use crate::request::encryption::{CustomerKey, Of};
use crate::request::options::Options;
use crate::unsigned::Field;

/// Time beyond the usual for copying up to 5 GiB within the store.
const COPY_TIME: Duration = Duration::from_secs(300);

/// A request to make a part of another object; made by [`MultipartUpload::copy_part`].
#[must_use = "nothing is sent until this is awaited"]
#[derive(Clone)]
pub struct CopyPart {
    upload: MultipartUpload,
    number: u32,
    source_bucket: String,
    source_key: String,
    version: Option<String>,
    range: Option<Range<u64>>,
    from_customer_key: Option<CustomerKey>,
    fields: Vec<Field>,
    options: Options,
    /// The first setting that cannot be sent.
    wrong: Option<Error>,
}

impl CopyPart {
    pub(crate) fn new(
        upload: MultipartUpload,
        number: u32,
        source_bucket: String,
        source_key: String,
    ) -> Self {
        Self {
            upload,
            number,
            source_bucket,
            source_key,
            version: None,
            range: None,
            from_customer_key: None,
            fields: Vec::new(),
            options: Options::default(),
            wrong: None,
        }
    }

    /// Copies this version of the source. Defaults to the current one.
    pub fn from_version(mut self, id: impl Into<String>) -> Self {
        self.version = Some(id.into());
        self
    }

    /// Copies these bytes of the source, counted from 0. Defaults to all. The source has to have them all, and
    /// some stores copy ranges only of objects over 5 MiB.
    pub fn range(mut self, bytes: Range<u64>) -> Self {
        self.range = Some(bytes);
        self
    }

    /// The key that the source was [encrypted](CustomerKey) with.
    pub fn from_customer_key(mut self, key: CustomerKey) -> Self {
        self.from_customer_key = Some(key);
        self
    }

    /// Copies only if the source has this entity tag; else the error
    /// [`is_condition_failed`](crate::Error::is_condition_failed).
    pub fn from_if_match(self, etag: impl Into<String>) -> Self {
        self.field("x-amz-copy-source-if-match", etag.into())
    }

    /// Copies only if the source has another entity tag.
    pub fn from_if_none_match(self, etag: impl Into<String>) -> Self {
        self.field("x-amz-copy-source-if-none-match", etag.into())
    }

    /// Copies only if the source has been stored since.
    pub fn from_if_modified_since(self, time: SystemTime) -> Self {
        self.time("x-amz-copy-source-if-modified-since", time)
    }

    /// Copies only if the source has not been stored since.
    pub fn from_if_unmodified_since(self, time: SystemTime) -> Self {
        self.time("x-amz-copy-source-if-unmodified-since", time)
    }

    fn time(mut self, name: &'static str, time: SystemTime) -> Self {
        match limits::time(name, time) {
            Ok(()) => self.field(name, http_date(time).as_ref().to_owned()),
            Err(error) => {
                self.wrong.get_or_insert(error);
                self
            }
        }
    }

    fn field(mut self, name: &'static str, value: String) -> Self {
        self.fields.retain(|(n, _)| n != name);
        self.fields.push((name.into(), value));
        self
    }

    /// Sends UploadPartCopy, as `.await` does.
    ///
    /// # Errors
    /// [`Kind::Invalid`](crate::Kind::Invalid) when a limit is broken; the codes `NoSuchUpload` and `NoSuchKey`;
    /// otherwise as sending and the store say.
    pub async fn send(self) -> Result<Part> {
        if let Some(error) = self.wrong {
            return Err(error);
        }
        let mut wire = part(Method::Put, &self.upload, self.number)?;
        limits::bucket(&self.source_bucket)?;
        limits::key(&self.source_key)?;
        let mut source = format!("/{}/", self.source_bucket);
        escape::push_path(&mut source, &self.source_key);
        if let Some(version) = &self.version {
            limits::version(version)?;
            source.push_str("?versionId=");
            escape::push_component(&mut source, version);
        }
        let mut fields = self.fields;
        fields.push(("x-amz-copy-source".into(), source));
        if let Some(range) = self.range {
            let last = range.end.checked_sub(1).filter(|last| *last >= range.start);
            let last = last.ok_or_else(|| Error::invalid("the range is empty"))?;
            limits::put(range.end - range.start)?;
            let value = format!("bytes={}-{last}", range.start);
            fields.push(("x-amz-copy-source-range".into(), value));
        }
        if let Some(key) = &self.from_customer_key {
            key.put_fields(Of::CopySource, wire.origin(), &mut fields)?;
        }
        self.upload.put_key(&wire, &mut fields)?;
        wire.fields(fields)?;
        wire.options(self.options);
        wire.server_time(COPY_TIME);
        let number = self.number;
        self.upload
            .bucket
            .client()
            .call(&Call::new(wire, UploadPartCopy { number }))
            .await
    }
}

options!(CopyPart);
awaitable!(CopyPart, Part);

impl fmt::Debug for CopyPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CopyPart")
            .field("upload", &self.upload)
            .field("number", &self.number)
            .field("source_bucket", &self.source_bucket)
            .field("source_key", &self.source_key)
            .field("range", &self.range)
            .finish_non_exhaustive()
    }
}

struct UploadPartCopy {
    number: u32,
}

impl S3Operation for UploadPartCopy {
    type Output = Part;
    const ROW: Row = idempotency::UPLOAD_PART_COPY;

    fn parse(&self, answer: Answer) -> Result<Part> {
        Ok(read(&answer.bytes(), self.number)?)
    }
}

fn read(text: &[u8], number: u32) -> Result<Part, XmlError> {
    let mut xml = Xml::new(text)?;
    xml.expect_root("CopyPartResult")?;
    Part::read(&mut xml, Some(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_limit_is_on_the_bytes_of_the_range_wherever_it_begins() {
        let client = crate::S3Client::builder()
            .endpoint("http://127.0.0.1:1")
            .credentials(crate::Credentials::new("AK", "secret"))
            .retry(aws_core::RetryConfig::none())
            .build()
            .unwrap();
        let upload = client.bucket("films").multipart("k", "id");
        let copied = async |range| {
            let copy = upload.copy_part(1, "films", "source").range(range);
            copy.send().await.unwrap_err().kind()
        };
        // Nobody listens there: a request that is sent fails by that.
        let most = limits::MAX_PUT;
        assert_eq!(copied(most..2 * most).await, crate::Kind::Connect);
        assert_eq!(copied(1..most + 2).await, crate::Kind::Invalid);
        assert_eq!(copied(7..7).await, crate::Kind::Invalid);
    }

    #[test]
    fn the_tag_is_read() {
        let text = b"<CopyPartResult><LastModified>2011-04-11T20:34:56.000Z</LastModified><ETag>\"x\"</ETag></CopyPartResult>";
        let part = read(text, 7).unwrap();
        assert_eq!((part.number, part.etag.as_str()), (7, "\"x\""));
        for text in ["<CopyPartResult/>", "<Other/>", ""] {
            assert!(read(text.as_bytes(), 7).is_err(), "{text}");
        }
    }
}
