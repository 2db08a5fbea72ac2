//! Copying an object within the store: [`Bucket::copy`].

use std::borrow::Cow;
use std::fmt;
use std::time::{Duration, SystemTime};

use aws_core::operation::Answer;
use aws_core::xml::{Xml, XmlError};
use aws_core::{Error, Idempotency, Result, awaitable, http_date};
use aws_sigv2::escape;
use pipeline_pool::Method;

use crate::answer::etag::quoted;
use crate::answer::object::ObjectHead;
use crate::answer::values;
use crate::bucket::Bucket;
use crate::checksum::Checksum;
use crate::idempotency::{self, Row};
use crate::limits;
use crate::operation::{Call, Changes, S3Operation};
use crate::request::attributes::{Attributes, put};
use crate::request::encryption::{CustomerKey, Of};
use crate::request::options::Options;
use crate::unsigned::{Field, UnsignedRequest};

/// Time beyond the usual for what the store reads and writes meanwhile, up to 5 GiB.
const COPY_TIME: Duration = Duration::from_secs(300);

/// A request to copy an object within the store; made by [`Bucket::copy`].
///
/// The copy takes over what describes the content of its source, and the tags, unless it is told to
/// [replace](Self::replace_metadata) them. Storage class, encryption and access control are its own.
#[must_use = "nothing is sent until this is awaited"]
#[derive(Clone)]
pub struct Copy {
    bucket: Bucket,
    key: String,
    from_bucket: Option<String>,
    from_key: String,
    from_version: Option<String>,
    from_customer_key: Option<CustomerKey>,
    attributes: Attributes,
    conditions: Vec<Field>,
    replace_metadata: bool,
    replace_tags: bool,
    row: Row,
    options: Options,
    /// The first setting that cannot be sent.
    wrong: Option<Error>,
}

impl Bucket {
    /// Copies an object within the store, here from a key of this bucket; [`Copy::from_bucket`] takes another.
    ///
    /// [CopyObject](https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html)
    #[doc(alias("copy_object", "CopyObject"))]
    pub fn copy(&self, from: impl Into<String>, to: impl Into<String>) -> Copy {
        Copy::new(self.clone(), from.into(), to.into())
    }
}

impl Copy {
    pub(crate) fn new(bucket: Bucket, from_key: String, key: String) -> Self {
        Self {
            bucket,
            key,
            from_bucket: None,
            from_key,
            from_version: None,
            from_customer_key: None,
            attributes: Attributes::default(),
            conditions: Vec::new(),
            replace_metadata: false,
            replace_tags: false,
            row: idempotency::COPY_OBJECT,
            options: Options::default(),
            wrong: None,
        }
    }

    /// Copies from this bucket of the same store. Defaults to the one copied to.
    pub fn from_bucket(mut self, name: impl Into<String>) -> Self {
        self.from_bucket = Some(name.into());
        self
    }

    /// Copies this version. Defaults to the current one.
    pub fn from_version(mut self, id: impl Into<String>) -> Self {
        self.from_version = Some(id.into());
        self
    }

    /// The key that the source was [encrypted](CustomerKey) with.
    pub fn from_customer_key(mut self, key: CustomerKey) -> Self {
        self.from_customer_key = Some(key);
        self
    }

    /// Copies only if the source has this entity tag; else the error
    /// [`is_condition_failed`](crate::Error::is_condition_failed). Not every store knows conditions of copies: Ceph's
    /// RADOS Gateway 16 copies whatever they say.
    pub fn from_if_match(mut self, etag: impl Into<String>) -> Self {
        put(
            &mut self.conditions,
            "x-amz-copy-source-if-match",
            etag.into(),
        );
        self
    }

    /// Copies only if the source has another entity tag; else the error
    /// [`is_condition_failed`](crate::Error::is_condition_failed).
    pub fn from_if_none_match(mut self, etag: impl Into<String>) -> Self {
        let name = "x-amz-copy-source-if-none-match";
        put(&mut self.conditions, name, etag.into());
        self
    }

    /// Copies only if the source has been stored since, to the second; else the error
    /// [`is_condition_failed`](crate::Error::is_condition_failed).
    pub fn from_if_modified_since(self, time: SystemTime) -> Self {
        self.time("x-amz-copy-source-if-modified-since", time)
    }

    /// Copies only if the source has not been stored since, to the second; else the error
    /// [`is_condition_failed`](crate::Error::is_condition_failed).
    pub fn from_if_unmodified_since(self, time: SystemTime) -> Self {
        self.time("x-amz-copy-source-if-unmodified-since", time)
    }

    fn time(mut self, name: &'static str, time: SystemTime) -> Self {
        match limits::time(name, time) {
            Ok(()) => put(
                &mut self.conditions,
                name,
                http_date(time).as_ref().to_owned(),
            ),
            Err(error) => self.wrong = self.wrong.take().or(Some(error)),
        }
        self
    }

    /// Gives the copy the content headers and the metadata of this request, and none of its source. Defaults to no:
    /// those of the source, and [`Kind::Invalid`](crate::Kind::Invalid) when this request has any.
    pub fn replace_metadata(mut self) -> Self {
        self.replace_metadata = true;
        self
    }

    /// Gives the copy the tags of this request, which may be none, and none of its source. Implied by
    /// [`tag`](Self::tag).
    pub fn replace_tags(mut self) -> Self {
        self.replace_tags = true;
        self
    }

    /// Has the store compute this checksum of the copy and keep it. Defaults to that of the source.
    pub fn checksum(mut self, checksum: Checksum) -> Self {
        let name = "x-amz-checksum-algorithm";
        self.attributes.field(name, checksum.name().to_owned());
        self
    }

    /// Copies only if there is no object of this key yet; else the error
    /// [`is_condition_failed`](crate::Error::is_condition_failed). Sent once. Not every store knows this condition:
    /// one that does not replaces the object.
    pub fn if_none_match_any(mut self) -> Self {
        put(&mut self.conditions, "if-none-match", "*".to_owned());
        self.row = idempotency::COPY_OBJECT_IF;
        self
    }

    /// Replaces only the object with this entity tag. Sent once. Not every store knows this condition: one that does
    /// not replaces any object.
    pub fn if_match(mut self, etag: impl Into<String>) -> Self {
        put(&mut self.conditions, "if-match", etag.into());
        self.row = idempotency::COPY_OBJECT_IF;
        self
    }

    /// Never sends it a second time once the server may have seen it.
    pub fn once(mut self) -> Self {
        if self.row.idempotency == Idempotency::Repeatable {
            self.row = idempotency::COPY_OBJECT_ONCE;
        }
        self
    }

    fn onto_itself(&self) -> bool {
        let same_bucket = self.from_bucket.as_deref();
        self.key == self.from_key && same_bucket.is_none_or(|name| *name == *self.bucket.name())
    }

    /// The value of `x-amz-copy-source`.
    fn source(&self) -> Result<String> {
        let bucket = self.from_bucket.as_deref().unwrap_or(self.bucket.name());
        limits::bucket(bucket)?;
        limits::key(&self.from_key)?;
        let mut source = format!("/{bucket}/");
        escape::push_path(&mut source, &self.from_key);
        if let Some(version) = &self.from_version {
            limits::version(version)?;
            source.push_str("?versionId=");
            escape::push_component(&mut source, version);
        }
        Ok(source)
    }

    /// Sends it. The answer can take long, as the store may read and write up to 5 GiB meanwhile: unless it is given
    /// [a time of its own](Self::timeout), a copy has 300 s beyond the client's.
    ///
    /// # Errors
    /// [`is_not_found`](crate::Error::is_not_found) when there is no such source;
    /// [`Kind::Invalid`](crate::Kind::Invalid) when a limit is broken; otherwise as sending and the store say, also
    /// when it says so after it has begun to answer with success.
    pub async fn send(self) -> Result<Copied> {
        let call = self.ready()?;
        call.wire.client().call(&call).await
    }

    /// What is to be sent.
    fn ready(self) -> Result<Call<CopyObject>> {
        if let Some(error) = self.wrong {
            return Err(error);
        }
        let mut wire = UnsignedRequest::object(Method::Put, &self.bucket, &self.key)?;
        let source = self.source()?;
        if self.attributes.is_described() && !self.replace_metadata {
            return Err(Error::invalid(
                "the copy has metadata of its own, and would get that of its source: say replace_metadata()",
            ));
        }
        let conditional = self.onto_itself() && !self.conditions.is_empty();
        let row = match self.row.idempotency {
            Idempotency::Repeatable if conditional => idempotency::COPY_OBJECT_IF,
            _ => self.row,
        };
        let replace_tags = self.replace_tags || self.attributes.has_tags();
        let mut fields = self.attributes.into_fields(wire.origin())?;
        fields.push((Cow::Borrowed("x-amz-copy-source"), source));
        fields.extend(self.conditions);
        let replaced = [
            ("x-amz-metadata-directive", self.replace_metadata),
            ("x-amz-tagging-directive", replace_tags),
        ];
        for (name, _) in replaced.into_iter().filter(|(_, replace)| *replace) {
            fields.push((Cow::Borrowed(name), "REPLACE".to_owned()));
        }
        if let Some(key) = &self.from_customer_key {
            key.put_fields(Of::CopySource, wire.origin(), &mut fields)?;
        }
        wire.fields(fields)?;
        wire.server_time(COPY_TIME);
        wire.options(self.options);
        Ok(Call::new(wire, CopyObject { row }))
    }
}

attributes!(Copy);
options!(Copy);
awaitable!(Copy, Copied);

impl fmt::Debug for Copy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Copy")
            .field("bucket", &self.bucket)
            .field("key", &self.key)
            .field("from_bucket", &self.from_bucket)
            .field("from_key", &self.from_key)
            .field("from_version", &self.from_version)
            .finish_non_exhaustive()
    }
}

/// What the store says of a copy that it has made.
#[derive(Clone, Debug)]
pub struct Copied {
    head: ObjectHead,
    etag: Option<String>,
    last_modified: Option<SystemTime>,
}

impl Copied {
    /// The entity tag, in its quotes.
    pub fn etag(&self) -> Option<&str> {
        self.etag.as_deref()
    }

    /// The time at which the copy was stored.
    pub fn last_modified(&self) -> Option<SystemTime> {
        self.last_modified
    }

    /// The version, in a bucket that keeps versions.
    pub fn version_id(&self) -> Option<&str> {
        self.head.version_id()
    }

    /// The version that was copied, from a bucket that keeps versions.
    pub fn source_version_id(&self) -> Option<&str> {
        self.head.header("x-amz-copy-source-version-id")
    }

    /// The service's identifier of the request.
    pub fn request_id(&self) -> Option<&str> {
        self.head.request_id()
    }
}

struct CopyObject {
    row: Row,
}

impl S3Operation for CopyObject {
    type Output = Copied;
    const ROW: Row = idempotency::COPY_OBJECT;
    const CHANGES: Changes = Changes::Object;

    fn idempotency(&self) -> Idempotency {
        self.row.idempotency
    }

    fn parse(&self, answer: Answer) -> Result<Copied> {
        let text = answer.bytes();
        let (etag, last_modified) = read(&text)?;
        Ok(Copied {
            head: ObjectHead::new(answer.head),
            etag,
            last_modified,
        })
    }
}

fn read(text: &[u8]) -> Result<(Option<String>, Option<SystemTime>), XmlError> {
    let (mut etag, mut last_modified) = (None, None);
    let mut xml = Xml::new(text)?;
    xml.expect_root("CopyObjectResult")?;
    while let Some(tag) = xml.child()? {
        match tag.name() {
            "ETag" => etag = values::text(&mut xml)?.map(quoted),
            "LastModified" => last_modified = values::time(&mut xml)?,
            _ => xml.skip()?,
        }
    }
    Ok((etag, last_modified))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Credentials;
    use crate::S3Client;

    fn bucket() -> Bucket {
        let client = S3Client::builder()
            .endpoint("http://h")
            .credentials(Credentials::new("i", "s"));
        client.build().unwrap().bucket("photos")
    }

    #[test]
    fn sources_are_escaped() {
        let copy = bucket().copy("a b/+?versionId=\u{e9}", "k");
        assert_eq!(
            copy.source().unwrap(),
            "/photos/a%20b/%2B%3FversionId%3D%C3%A9"
        );
        let copy = copy.from_bucket("other").from_version("x/1");
        assert!(copy.source().unwrap().starts_with("/other/"));
        assert!(copy.source().unwrap().ends_with("?versionId=x%2F1"));
        for bad in [
            bucket().copy("", "k"),
            bucket().copy("a", "k").from_bucket("a/b"),
            bucket().copy("a", "k").from_version(""),
            bucket().copy("k".repeat(1025), "k"),
        ] {
            assert!(bad.source().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_copy_onto_itself_is_known() {
        assert!(bucket().copy("k", "k").onto_itself());
        assert!(bucket().copy("k", "k").from_bucket("photos").onto_itself());
        assert!(!bucket().copy("k", "k").from_bucket("other").onto_itself());
        assert!(!bucket().copy("k", "l").onto_itself());
    }

    #[test]
    fn a_copy_has_the_time_that_a_store_takes_for_5_gib() {
        use aws_core::Operation as _;
        let operation = bucket().copy("a", "k").ready().unwrap();
        assert!(operation.extra_time() >= Duration::from_secs(300));
    }

    #[test]
    fn settings_that_no_header_carries_are_refused() {
        for copy in [
            bucket().copy("a", "k").from_if_match("\u{e9}"),
            bucket().copy("a", "k").if_match("\n"),
            bucket().copy("a", "k").storage_class("\u{e9}"),
        ] {
            assert!(copy.ready().is_err());
        }
    }

    #[test]
    fn results_are_read() {
        let text =
            b"<CopyObjectResult xmlns='x'><LastModified>2009-10-28T22:32:00.000Z</LastModified>\
            <ETag>&quot;9b2c&quot;</ETag><New/></CopyObjectResult>";
        let (etag, time) = read(text).unwrap();
        assert_eq!(etag.as_deref(), Some("\"9b2c\""));
        assert!(time.is_some());
        let bare = read(b"<CopyObjectResult><ETag>9b2c</ETag></CopyObjectResult>").unwrap();
        assert_eq!(bare.0, etag);
        let empty = read(b"<CopyObjectResult><ETag/><LastModified/></CopyObjectResult>");
        assert_eq!(empty.unwrap(), (None, None));
        assert!(read(b"").is_err() && read(b"<Other/>").is_err());
    }
}
