//! Making the object of an upload in parts: [`MultipartUpload::complete`].

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use aws_core::operation::Answer;
use aws_core::xml::{Element, Xml, XmlError};
use aws_core::{Class, Error, Idempotency, Kind, Result, awaitable};
use pipeline_pool::Method;

use super::part::of_upload;
use super::{MultipartUpload, Part};
use crate::answer::etag;
use crate::answer::object::ObjectHead;
use crate::answer::values;
use crate::idempotency::{self, Row};
use crate::limits;
use crate::operation::{Call, Changes, S3Operation};
use crate::request::options::Options;
use crate::unsigned::Field;

/// Time beyond the usual for putting the parts together, which takes a store minutes when they are many.
const COMPLETE_TIME: Duration = Duration::from_secs(300);

/// A request to make the object of an upload; made by [`MultipartUpload::complete`].
#[must_use = "nothing is sent until this is awaited"]
#[derive(Clone)]
pub struct CompleteMultipart {
    upload: MultipartUpload,
    parts: Vec<Part>,
    condition: Option<Field>,
    options: Options,
}

impl CompleteMultipart {
    pub(crate) fn new(upload: MultipartUpload, parts: Vec<Part>) -> Self {
        Self {
            upload,
            parts,
            condition: None,
            options: Options::default(),
        }
    }

    pub(crate) fn with(mut self, condition: Option<Field>, options: Options) -> Self {
        self.condition = condition;
        self.options = options;
        self
    }

    /// Makes it only if there is no object of this key yet; else the error
    /// [`is_condition_failed`](crate::Error::is_condition_failed), and the upload stays. Sent once.
    pub fn if_none_match_any(mut self) -> Self {
        self.condition = Some((Cow::Borrowed("if-none-match"), "*".to_owned()));
        self
    }

    /// Replaces only the object with this entity tag. Sent once.
    pub fn if_match(mut self, etag: impl Into<String>) -> Self {
        self.condition = Some((Cow::Borrowed("if-match"), etag.into()));
        self
    }

    /// Sends CompleteMultipartUpload, as `.await` does.
    ///
    /// An answer that was lost may be that of a success, and the next attempt then finds no such upload. So that is
    /// no error when the upload is gone and the object is there with the tag that the parts make.
    ///
    /// # Errors
    /// [`Kind::Invalid`](crate::Kind::Invalid) when there are no parts, more than 10,000, or two of one number; the
    /// codes `NoSuchUpload`, `InvalidPart` and `EntityTooSmall` (a part of less than 5 MiB that is not the last);
    /// otherwise as sending and the store say.
    pub async fn send(mut self) -> Result<Completed> {
        check(&mut self.parts)?;
        let digests: Option<Vec<_>> = self
            .parts
            .iter()
            .map(|part| etag::md5(&part.etag))
            .collect();
        let expected = digests.map(|digests| etag::of_parts(&digests));
        let mut root = Element::new("CompleteMultipartUpload")
            .with_attribute("xmlns", "http://s3.amazonaws.com/doc/2006-03-01/");
        for part in &self.parts {
            root.push(part.element());
        }
        let mut wire = of_upload(Method::Post, &self.upload)?;
        let row = match (&self.condition, &expected) {
            (Some(_), _) => idempotency::COMPLETE_MULTIPART_UPLOAD_IF,
            (None, None) => idempotency::COMPLETE_MULTIPART_UPLOAD_OPAQUE,
            (None, Some(_)) => idempotency::COMPLETE_MULTIPART_UPLOAD,
        };
        let mut fields = vec![(Cow::Borrowed("content-type"), "application/xml".to_owned())];
        fields.extend(self.condition);
        wire.fields(fields)?;
        wire.body(root.to_xml()?.into());
        wire.server_time(COMPLETE_TIME);
        wire.options(self.options);
        let upload = self.upload;
        let outcome = upload
            .bucket
            .client()
            .call(&Call::new(wire, CompleteMultipartUpload { row }))
            .await;
        let Some(expected) = expected else {
            return outcome;
        };
        match outcome {
            Ok(mut completed) => {
                // Ceph RGW tells none.
                completed.etag.get_or_insert_with(|| etag::quoted(expected));
                Ok(completed)
            }
            Err(error) if row == idempotency::COMPLETE_MULTIPART_UPLOAD => {
                match upload.made(&error, &expected).await {
                    Some(completed) => Ok(completed),
                    None => Err(error),
                }
            }
            Err(error) => Err(error),
        }
    }
}

impl MultipartUpload {
    /// The object of this tag, if the upload has become it although completing it has ended with this error.
    async fn made(&self, error: &Error, expected: &str) -> Option<Completed> {
        let gone = error.code() == Some("NoSuchUpload");
        let doubtful = match error.kind() {
            Kind::Service => matches!(error.class(), Class::Transient | Class::Unavailable),
            _ => error.may_have_been_sent(),
        };
        if !gone && !doubtful {
            return None;
        }
        let head = self.bucket.head(&*self.key).await.ok()?;
        let tag = head
            .etag()
            .filter(|tag| tag.trim_matches('"') == expected)?;
        // An older object may be the same; then the upload is still there.
        if !gone && !self.parts().await.is_err_and(|error| error.is_not_found()) {
            return None;
        }
        Some(Completed {
            etag: Some(tag.to_owned()),
            version_id: head.version_id().map(str::to_owned),
            request_id: head.request_id().map(str::to_owned),
        })
    }
}

/// Brings the parts into their order, and sees that they can be sent.
fn check(parts: &mut [Part]) -> Result<()> {
    let most = limits::MAX_PARTS as usize;
    if parts.is_empty() || parts.len() > most {
        return Err(Error::invalid(format!(
            "an upload of {} parts: there have to be 1 to {most}",
            parts.len()
        )));
    }
    parts.sort_by_key(|part| part.number);
    for part in parts.iter() {
        limits::part(part.number)?;
    }
    match parts.windows(2).find(|two| two[0].number == two[1].number) {
        Some(two) => Err(Error::invalid(format!(
            "there are two parts of number {}",
            two[0].number
        ))),
        None => Ok(()),
    }
}

options!(CompleteMultipart);
awaitable!(CompleteMultipart, Completed);

impl fmt::Debug for CompleteMultipart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CompleteMultipart")
            .field("upload", &self.upload)
            .field("parts", &self.parts.len())
            .finish_non_exhaustive()
    }
}

/// What the store says of an object that it has made of parts.
#[derive(Clone, Debug, Default)]
pub struct Completed {
    etag: Option<String>,
    version_id: Option<String>,
    request_id: Option<String>,
}

impl Completed {
    /// The entity tag, in its quotes: with most stores the digest of the digests of the parts, a hyphen, and
    /// their number. Where the store does not tell it, that is what stands here.
    pub fn etag(&self) -> Option<&str> {
        self.etag.as_deref()
    }

    /// The version, in a bucket that keeps versions.
    pub fn version_id(&self) -> Option<&str> {
        self.version_id.as_deref()
    }

    /// The service's identifier of the request.
    pub fn request_id(&self) -> Option<&str> {
        self.request_id.as_deref()
    }
}

struct CompleteMultipartUpload {
    row: Row,
}

impl S3Operation for CompleteMultipartUpload {
    type Output = Completed;
    const ROW: Row = idempotency::COMPLETE_MULTIPART_UPLOAD;
    const CHANGES: Changes = Changes::Object;

    fn idempotency(&self) -> Idempotency {
        self.row.idempotency
    }

    /// An upload whose condition met a conflict has to be
    /// [begun anew](https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html#AmazonS3-CompleteMultipartUpload-request-header-IfNoneMatch).
    fn repeats_conflicts(&self) -> bool {
        self.row != idempotency::COMPLETE_MULTIPART_UPLOAD_IF
    }

    fn parse(&self, answer: Answer) -> Result<Completed> {
        let etag = read(&answer.bytes())?;
        let head = ObjectHead::new(answer.head);
        Ok(Completed {
            etag,
            version_id: head.version_id().map(str::to_owned),
            request_id: head.request_id().map(str::to_owned),
        })
    }
}

fn read(text: &[u8]) -> Result<Option<String>, XmlError> {
    let mut etag = None;
    let mut xml = Xml::new(text)?;
    xml.expect_root("CompleteMultipartUploadResult")?;
    while let Some(tag) = xml.child()? {
        match tag.name() {
            "ETag" => etag = values::text(&mut xml)?.map(etag::quoted),
            _ => xml.skip()?,
        }
    }
    Ok(etag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tag_is_read_behind_the_blanks_of_waiting() {
        let text =
            b"  \n <?xml version=\"1.0\"?>\n<CompleteMultipartUploadResult><Location>l</Location>\
                     <ETag>&quot;x-2&quot;</ETag></CompleteMultipartUploadResult>";
        assert_eq!(read(text).unwrap().as_deref(), Some("\"x-2\""));
        let empty = b"<CompleteMultipartUploadResult><ETag/></CompleteMultipartUploadResult>";
        assert_eq!(read(empty).unwrap(), None);
        assert!(read(b"").is_err() && read(b"<Other/>").is_err());
    }

    #[cfg(feature = "testing")]
    #[tokio::test]
    async fn the_version_and_the_request_are_those_of_the_answer() {
        use crate::transport::{Scripted, Step};

        let text =
            "<CompleteMultipartUploadResult><ETag>x-2</ETag></CompleteMultipartUploadResult>";
        let answer = || Step::any().answer(200).body(text);
        let versioned = answer()
            .header("x-amz-version-id", "v7")
            .header("x-amz-request-id", "r1");
        let client = crate::S3Client::builder()
            .endpoint("http://store.example")
            .credentials(crate::Credentials::new("AK", "secret"))
            .signature(crate::Signature::V2)
            .transport(Scripted::new().step(versioned).step(answer()))
            .build()
            .unwrap();
        let upload = client.bucket("films").multipart("k", "id");
        for (version, request) in [(Some("v7"), Some("r1")), (None, None)] {
            let completed = upload.complete([Part::new(1, "x")]).await.unwrap();
            assert_eq!(completed.etag(), Some("\"x-2\""));
            assert_eq!(
                (completed.version_id(), completed.request_id()),
                (version, request)
            );
        }
    }

    #[test]
    fn parts_are_put_in_order_and_checked() {
        let part = |n| Part::new(n, "\"x\"");
        let mut parts = [part(3), part(1)];
        check(&mut parts).unwrap();
        assert_eq!(parts[0].number, 1);
        for (mut parts, word) in [
            (vec![], "0 parts"),
            (vec![part(1), part(2), part(1)], "two parts of number 1"),
            (vec![part(0)], "0 is not within 1 to 10000"),
            (vec![part(10_001)], "10001"),
            ((1..=10_001).map(part).collect(), "10001 parts"),
        ] {
            let error = check(&mut parts).unwrap_err().to_string();
            assert!(error.contains(word), "{error}");
        }
    }
}
