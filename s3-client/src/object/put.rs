//! Storing an object in one request: [`Bucket::put`].

use std::borrow::Cow;
use std::fmt;

use aws_core::cache::Snapshot;
use aws_core::operation::Answer;
use aws_core::{Error, Idempotency, Kind, Result, awaitable};
use bytes::Bytes;
use futures_core::Stream;
use pipeline_pool::{BodyError, Method};

use crate::answer::object::ObjectHead;
use crate::bucket::Bucket;
use crate::cached::{self, CachedOperation};
use crate::checksum::{Checksum, read_ahead, summed};
use crate::client::S3Client;
use crate::digest;
use crate::idempotency::{self, Row};
use crate::limits;
use crate::operation::{Call, Changes, S3Operation};
use crate::request::attributes::Attributes;
use crate::request::body::Payload;
use crate::request::options::Options;
use crate::request::source::Source;
use crate::sign::Signature;
use crate::transfer::{Progress, Report};
use crate::unsigned::{Field, UnsignedRequest};

/// A request to store an object; made by [`Bucket::put`].
#[must_use = "nothing is sent until this is awaited"]
#[derive(Clone)]
pub struct Put {
    bucket: Bucket,
    key: String,
    source: Source,
    attributes: Attributes,
    sum: SentChecksum,
    md5: bool,
    /// The MD5 digest of a file, in Base64, once it is known.
    digest: Option<String>,
    row: &'static Row,
    options: Options,
    report: Report,
}

/// Which checksum goes with the body.
#[derive(Clone)]
enum SentChecksum {
    None,
    /// The checksum by this algorithm is to be computed.
    Of(Checksum),
    /// The caller gave the checksum.
    Is(Checksum, String),
}

impl Bucket {
    /// Stores an object of up to 5 GiB: bytes, or another [`Source`].
    ///
    /// [PutObject](https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html)
    #[doc(alias("put_object", "PutObject"))]
    pub fn put(&self, key: impl Into<String>, body: impl Into<Source>) -> Put {
        Put::new(self.clone(), key.into(), body.into())
    }

    /// Stores an object of exactly `len` bytes, up to 5 GiB, which are read from a stream while they are sent.
    ///
    /// It is sent again after a failure only if nothing had been read. As [`put`](Self::put) of a [`Source::stream`].
    pub fn put_stream<S, E>(&self, key: impl Into<String>, len: u64, stream: S) -> Put
    where
        S: Stream<Item = Result<Bytes, E>> + Send + 'static,
        E: Into<BodyError> + 'static,
    {
        self.put(key, Source::stream(len, stream))
    }

    /// Stores a file of up to 5 GiB in one request, with the media type of its name. As [`put`](Self::put) of a
    /// [`Source::file`].
    #[cfg(feature = "fs")]
    pub fn put_file(&self, key: impl Into<String>, path: impl AsRef<std::path::Path>) -> Put {
        self.put(key, Source::file(path))
    }
}

impl Put {
    pub(crate) fn new(bucket: Bucket, key: String, source: Source) -> Self {
        Self {
            bucket,
            key,
            source,
            attributes: Attributes::default(),
            sum: SentChecksum::None,
            md5: false,
            digest: None,
            row: &idempotency::PUT_OBJECT,
            options: Options::default(),
            report: Report::default(),
        }
    }

    /// The same with what an upload was told.
    pub(crate) fn with(
        mut self,
        attributes: Attributes,
        condition: Option<Field>,
        options: Options,
    ) -> Self {
        self.attributes = attributes;
        self.options = options;
        match condition {
            Some((_, etag)) if etag != "*" => self.if_match(etag),
            Some(_) => self.if_none_match_any(),
            None => self,
        }
    }

    /// Sends the MD5 digest of the body, with which the store checks what arrived. A file is read once more for it; a
    /// stream, which can be read only once, is refused with [`Kind::Invalid`](crate::Kind::Invalid).
    ///
    /// Defaults to no. Where no other checksum goes with the body, it defaults to yes for an object that is locked
    /// ([`retention`](Self::retention), [`legal_hold`](Self::legal_hold)), and in a bucket that has refused an upload
    /// for want of a digest, as S3 does where the bucket [locks what is stored](crate::config::ObjectLock): that
    /// refusal is not reported, and the request is sent again with a digest. Behind a stream then goes a CRC32
    /// [checksum](Self::checksum) if Version 4 signs the request, and nothing if it is Version 2. Stores that take no
    /// checksum behind a body, as Ceph's RADOS Gateway 16, refuse that: give [its value](Self::checksum_is) then.
    pub fn content_md5(mut self, yes: bool) -> Self {
        self.md5 = yes;
        self
    }

    /// Sends this checksum of the body, with which the store checks what arrived and which it keeps. Defaults to none.
    ///
    /// It is computed of bytes before they are sent. Of files and streams it is computed while they are sent, and
    /// follows them as a [trailer](https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming-trailers.html),
    /// signed like the body. That takes Version 4 of the signature: by another, a file is read once more before, and a
    /// stream is refused with [`Kind::Invalid`](crate::Kind::Invalid): give [its value](Self::checksum_is) then.
    pub fn checksum(mut self, checksum: Checksum) -> Self {
        self.sum = SentChecksum::Of(checksum);
        self
    }

    /// Sends this value of a checksum, in Base64, as the caller knows it.
    pub fn checksum_is(mut self, checksum: Checksum, value: impl Into<String>) -> Self {
        self.sum = SentChecksum::Is(checksum, value.into());
        self
    }

    /// Stores only if there is no object of this key yet; else the error
    /// [`is_condition_failed`](crate::Error::is_condition_failed). Sent once.
    pub fn if_none_match_any(mut self) -> Self {
        self.row = &idempotency::PUT_OBJECT_IF;
        self.attributes.field("if-none-match", "*".to_owned());
        self
    }

    /// Replaces only the object with this entity tag. Sent once.
    pub fn if_match(mut self, etag: impl Into<String>) -> Self {
        self.row = &idempotency::PUT_OBJECT_IF;
        self.attributes.field("if-match", etag.into());
        self
    }

    /// Never sends it a second time once the server may have seen it.
    pub fn once(mut self) -> Self {
        if self.row.idempotency == Idempotency::Repeatable {
            self.row = &idempotency::PUT_OBJECT_ONCE;
        }
        self
    }

    /// Calls this whenever more of the body has been handed to the connection; that it is stored is known only when the
    /// request ends. It must not block. The body is sent as a stream then, also where it is bytes at hand.
    pub fn progress(mut self, report: impl Fn(Progress) + Send + Sync + 'static) -> Self {
        self.report = Report::to(report);
        self
    }

    /// Sends PutObject, as `.await` does.
    ///
    /// # Errors
    /// [`Kind::Invalid`](crate::Kind::Invalid) when a limit is broken; otherwise as sending and the store say.
    pub fn send(mut self) -> impl Future<Output = Result<Stored>> + Send {
        let ready = match self.depends_on_version() {
            true => None,
            false => self.source.at_hand(),
        };
        let ready = match ready {
            Some(payload) => Ok(payload.and_then(|payload| self.ready(payload))),
            None => Err(Box::pin(self.send_later())),
        };
        async move {
            match ready {
                Ok(Ok(ref call)) => call.wire.client().write(call).await,
                Ok(Err(error)) => Err(error.of_operation::<Call<PutObject>>()),
                Err(later) => later.await.map_err(Error::of_operation::<Call<PutObject>>),
            }
        }
    }

    /// Whether a checksum goes behind a stream by Version 4 alone, and nobody knows yet by which version it is signed.
    fn depends_on_version(&self) -> bool {
        self.source.is_once()
            && (matches!(self.sum, SentChecksum::Of(_)) || self.attributes.is_locked())
            && self.bucket.signature() == Signature::Auto
    }

    /// Sends what cannot be made ready at once: a file, or a stream whose checksum depends on the signature.
    async fn send_later(mut self) -> Result<Stored> {
        if !self.source.is_once() {
            return self.send_file().await;
        }
        let bucket = self.bucket.clone();
        bucket.client().find_out(&bucket).await;
        let payload = match self.source.at_hand() {
            Some(payload) => payload?,
            None => Payload::None,
        };
        Box::pin(S3Client::run(self.ready(payload))).await
    }

    /// Sends a file, which is read before where its digest has to go ahead of it.
    async fn send_file(mut self) -> Result<Stored> {
        self.attributes.media_type_or(self.source.media_type());
        let payload = match self.source.clone().payload().await {
            Ok(payload) => payload,
            Err(error) => return Err(self.bucket.refused(error, &self.key)),
        };
        if let SentChecksum::Of(checksum) = self.sum {
            let read = read_ahead(checksum, &payload, &self.bucket).await;
            let read = read.map_err(|error| self.bucket.refused(error, &self.key))?;
            self.sum = read.map_or(self.sum, |value| SentChecksum::Is(checksum, value));
        }
        let bucket = self.bucket.clone();
        let unsummed = matches!(self.sum, SentChecksum::None);
        let demanded = || bucket.client().demands_digest(bucket.name());
        if !self.md5 && !(unsummed && (self.attributes.is_locked() || demanded())) {
            let sent = Box::pin(S3Client::run(self.clone().ready(payload.clone()))).await;
            match sent {
                // The store has just said that it wants one, and the file was not read for it.
                Err(error) if error.kind() == Kind::Invalid && unsummed && demanded() => {}
                sent => return sent,
            }
        }
        let digest = digest::md5(&payload).await;
        self.digest = digest.map_err(|error| self.bucket.refused(error, &self.key))?;
        Box::pin(S3Client::run(self.ready(payload))).await
    }

    /// What is to be sent.
    fn ready(self, payload: Payload) -> Result<Call<PutObject>> {
        let Self { bucket, key, .. } = self;
        let mut wire = UnsignedRequest::object_of(Method::Put, bucket, key)?;
        let body = Body {
            attributes: self.attributes,
            sum: self.sum,
            md5: self.md5,
            digest: self.digest,
            report: self.report,
        };
        let payload = body.go_with(payload, &mut wire);
        let payload = payload.map_err(|error| wire.refused(error))?;
        wire.digest_on_demand();
        let row = if payload.is_once() && self.row.idempotency == Idempotency::Repeatable {
            &idempotency::PUT_OBJECT_STREAM
        } else {
            self.row
        };
        wire.payload(payload);
        wire.options(self.options);
        let idempotency = row.idempotency;
        Ok(Call::new(wire, PutObject { idempotency }))
    }
}

/// What goes with a body.
struct Body {
    attributes: Attributes,
    sum: SentChecksum,
    md5: bool,
    digest: Option<String>,
    report: Report,
}

impl Body {
    /// Gives a request its fields, and returns the body as it is to be sent.
    fn go_with(self, mut payload: Payload, wire: &mut UnsignedRequest) -> Result<Payload> {
        limits::put(payload.len())?;
        let by_v4 = wire
            .bucket()
            .is_some_and(|name| wire.client().signs_by_v4(name));
        let unsummed = matches!(self.sum, SentChecksum::None) && !self.md5 && self.digest.is_none();
        let locked = unsummed && self.attributes.is_locked();
        let at_hand = payload.at_hand().filter(|_| self.md5 || locked);
        let digest = self.digest.or_else(|| Some(digest::of_pieces(&at_hand?)));
        if self.md5 && digest.is_none() {
            return Err(Error::invalid(
                "the MD5 digest of a stream is known when it has been sent, and goes before it: send bytes or a file",
            ));
        }
        let mut fields = self.attributes.into_fields(wire.origin())?;
        match self.sum {
            SentChecksum::None if locked && digest.is_none() && by_v4 => {
                payload = summed(digest::BEHIND_STREAMS, payload, by_v4, &mut fields)?;
            }
            SentChecksum::None => {}
            SentChecksum::Of(checksum) => {
                payload = summed(checksum, payload, by_v4, &mut fields)?;
            }
            SentChecksum::Is(checksum, value) => {
                checksum.check(&value)?;
                fields.push((Cow::Borrowed(checksum.header()), value));
            }
        }
        fields.extend(digest.map(|value| (Cow::Borrowed("content-md5"), value)));
        wire.fields(fields)?;
        Ok(match self.report.is_wanted() && payload.len() > 0 {
            true => payload.metered(self.report),
            false => payload,
        })
    }
}

attributes!(Put);
options!(Put);
awaitable!(Put, Stored);

impl fmt::Debug for Put {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Put")
            .field("bucket", &self.bucket)
            .field("key", &self.key)
            .field("source", &self.source)
            .finish_non_exhaustive()
    }
}

/// What the store says of an object that it has stored.
#[derive(Clone)]
pub struct Stored(ObjectHead);

impl Stored {
    pub(crate) fn head(&self) -> &ObjectHead {
        &self.0
    }

    /// The entity tag, in its quotes.
    pub fn etag(&self) -> Option<&str> {
        self.0.etag()
    }

    /// The version, in a bucket that keeps versions.
    pub fn version_id(&self) -> Option<&str> {
        self.0.version_id()
    }

    /// A checksum that the store has computed or checked, in Base64.
    pub fn checksum(&self, checksum: Checksum) -> Option<&str> {
        self.0.checksum(checksum)
    }

    /// How the store has encrypted it, if with keys that it or the key management service keeps.
    pub fn encryption(&self) -> Option<&str> {
        self.0.encryption()
    }

    /// The service's identifier of the request.
    pub fn request_id(&self) -> Option<&str> {
        self.0.request_id()
    }
}

/// Without length and media type, which are those of the answer and not of the object.
impl fmt::Debug for Stored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stored")
            .field("etag", &self.etag())
            .field("version_id", &self.version_id())
            .finish_non_exhaustive()
    }
}

struct PutObject {
    idempotency: Idempotency,
}

impl CachedOperation for PutObject {
    fn wrote(&self, wire: &UnsignedRequest, stored: &Stored) -> Option<Snapshot> {
        cached::wrote(wire, &stored.0)
    }
}

impl S3Operation for PutObject {
    type Output = Stored;
    const ROW: Row = idempotency::PUT_OBJECT;
    const CHANGES: Changes = Changes::Object;

    fn idempotency(&self) -> Idempotency {
        self.idempotency
    }

    fn parse(&self, answer: Answer) -> Result<Stored> {
        Ok(Stored(ObjectHead::new(answer.head)))
    }
}
