//! Storing an object of any size: [`Bucket::upload`].
//!
//! *Problem:* A transfer should take less memory than the parts that it has under way, and its doubtful end must not
//! leave a caller without an answer. *Decision:* Parts of a stream are gathered in small blocks that are used again; a
//! buffer for a whole part would keep its pages when idle. The part that is gathered counts among those allowed. A part
//! stays in memory until it is confirmed, since it may have to be sent again. Digests are computed beside the sending,
//! on another thread and those of several parts in step. Bytes at hand are cut without being copied. An upload is a task: when it is dropped it stops its
//! parts and aborts until the store no longer knows it. A completion whose answer was lost is settled by asking the
//! store what is there. *Cost:* Of a stream, one part fewer is under way than of a file.

use std::borrow::Cow;
use std::fmt;
use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use aws_core::{Error, Kind, Result, awaitable};
use tokio::sync::oneshot;
use tokio::task::{JoinError, JoinSet};

use super::feed::Feed;
use super::sizes::Sizes;
use super::{CancelOnDrop, Meter, Progress, Report};
use crate::answer::etag;
use crate::bucket::Bucket;
use crate::checksum::Checksum;
use crate::limits;
use crate::md5sums::Md5Sums;
use crate::multipart::{CompleteMultipart, MultipartUpload, Part, UploadPart};
use crate::object::put::Put;
use crate::request::attributes::Attributes;
use crate::request::body::Payload;
use crate::request::options::Options;
use crate::request::source::Source;
use crate::unsigned::Field;

/// How many parts are worked on at the same time unless it is told.
const PARALLEL: usize = 4;
/// How often a part is sent whose bytes were not what arrived.
const TRIES: u32 = 3;
/// The longest time that is spent on removing what is left of an upload.
const CLEANUP: Duration = Duration::from_secs(60);

/// A request to store an object of any size; made by [`Bucket::upload`].
///
/// What fits into one part is put in one request; the rest goes up in parts, several at the same time, each of which
/// is sent again by itself when it fails. Header fields, time limits and retries that this request is told hold for
/// each of the requests that it makes; the limit of the client's grows with the bytes of a part.
///
/// **Memory**: a transfer takes less than [`parallel`](Self::parallel) times the [size of a
/// part](Self::part_size), all that it needs besides included, where that is more than one part. Of a stream, one
/// of the parts is being gathered while the others are sent, and only half of it until one of those is done; the same
/// memory is used for the next. Files are read as they are sent, and bytes at hand are not copied.
///
/// **Failure and giving up**: when a part fails, or this request is dropped before it is done, the upload is aborted,
/// so that no parts are left in the store. That is the work of a task of its own, which outlives the drop by 60 s at
/// most and needs the runtime to go on; where that may not be, give the bucket [a rule that removes unfinished
/// uploads](https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpu-abort-incomplete-mpu-lifecycle-config.html).
///
/// ```
/// # use s3_client::{Credentials, S3Client};
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let store = emulator::Emulator::start_blocking()?;
/// # let s3 = S3Client::builder()
/// #     .endpoint(store.url())
/// #     .credentials(Credentials::new(store.access_key(), store.secret_key()))
/// #     .build()?;
/// # let films = s3.bucket("films");
/// # films.create().await?;
/// let film = films
///     .upload("cat.mp4", vec![7; 20 << 20])
///     .content_type("video/mp4")
///     .progress(|done| println!("{} bytes are there", done.bytes))
///     .await?;
/// assert_eq!((film.size(), film.parts()), (20 << 20, 3));
/// # Ok(()) }
/// ```
#[must_use = "nothing is sent until this is awaited"]
#[derive(Clone)]
pub struct Upload {
    bucket: Bucket,
    key: String,
    source: Source,
    attributes: Attributes,
    part_size: Option<u64>,
    parallel: usize,
    verify: bool,
    checksum: Option<Checksum>,
    md5: bool,
    condition: Option<Field>,
    report: Report,
    options: Options,
}

impl Bucket {
    /// Stores an object of any size up to 48.8 TiB: bytes, a [file](Source::file), a [stream](Source::stream), or what is
    /// [read](Source::reader) until it ends.
    ///
    /// [Uploading objects in parts](https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html)
    pub fn upload(&self, key: impl Into<String>, source: impl Into<Source>) -> Upload {
        Upload {
            bucket: self.clone(),
            key: key.into(),
            source: source.into(),
            attributes: Attributes::default(),
            part_size: None,
            parallel: PARALLEL,
            verify: true,
            checksum: None,
            md5: false,
            condition: None,
            report: Report::default(),
            options: Options::default(),
        }
    }
}

impl Upload {
    /// The size of the parts in bytes, 5 MiB to 5 GiB. Defaults to 8 MiB, or to what it takes to stay within 10,000
    /// parts; those of a stream of unknown length double after each 1,000, which is enough for 7.8 TiB.
    pub fn part_size(mut self, bytes: u64) -> Self {
        self.part_size = Some(bytes);
        self
    }

    /// How many parts are worked on at the same time, at least 1. Defaults to 4.
    ///
    /// Of bytes and files all of them are being sent. A stream's parts are in memory, which is bounded, and one of
    /// them is being gathered: so **one fewer** is being sent at a time, while half of the next is read; the other half
    /// is read when one of those is done. Only what the stream ends with goes besides, if it fits into that half. With
    /// 1 a stream is not read while a part of it is sent, and the memory is that of the part and a few MiB more.
    pub fn parallel(mut self, parts: usize) -> Self {
        self.parallel = parts.max(1);
        self
    }

    /// Compares the MD5 digest of what was sent with the entity tag that the store answers, where that is one, and
    /// sends a part again that did not arrive as it was. Defaults to yes; not for stores whose tags look like MD5
    /// and are not.
    pub fn verify(mut self, yes: bool) -> Self {
        self.verify = yes;
        self
    }

    /// Sends the MD5 digest of each part, or of what fits into one, with which the store checks what arrived. Files are
    /// read once more for it. Defaults to no, but to yes for an object that is locked, and in a bucket that locks
    /// what is stored, as [`Put::content_md5`](crate::request::Put::content_md5) says.
    pub fn content_md5(mut self, yes: bool) -> Self {
        self.md5 = yes;
        self
    }

    /// Sends this checksum of each part, or of what fits into one, with which the store checks what arrived and which it
    /// keeps. Defaults to none. Of files it follows the body, as [`Put::checksum`](crate::request::Put::checksum) says.
    pub fn checksum(mut self, checksum: Checksum) -> Self {
        self.checksum = Some(checksum);
        self
    }

    /// Stores only if there is no object of this key yet when the upload ends; else the error
    /// [`is_condition_failed`](crate::Error::is_condition_failed).
    pub fn if_none_match_any(mut self) -> Self {
        self.condition = Some((Cow::Borrowed("if-none-match"), "*".to_owned()));
        self
    }

    /// Replaces only the object with this entity tag; it is compared when the upload ends.
    pub fn if_match(mut self, etag: impl Into<String>) -> Self {
        self.condition = Some((Cow::Borrowed("if-match"), etag.into()));
        self
    }

    /// Calls this whenever the store has confirmed more. It is called by tasks of the runtime, and must not block.
    pub fn progress(mut self, report: impl Fn(Progress) + Send + Sync + 'static) -> Self {
        self.report = Report::to(report);
        self
    }

    /// Sends it. Works only within a tokio runtime.
    ///
    /// # Errors
    /// [`Kind::Invalid`](crate::Kind::Invalid) when a limit is broken, [`Kind::Body`](crate::Kind::Body) or
    /// [`Kind::File`](crate::Kind::File) when the source cannot be read; otherwise as sending and the store say.
    pub async fn send(self) -> Result<Uploaded> {
        limits::bucket(self.bucket.name())?;
        limits::key(&self.key)?;
        let runtime = tokio::runtime::Handle::try_current()
            .map_err(|_| Error::new(Kind::Shutdown, "there is no runtime to work on"))?;
        let (_waiting, wanted) = CancelOnDrop::new();
        match runtime.spawn(self.run(wanted)).await {
            Ok(outcome) => outcome,
            Err(ended) => match ended.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_) => Err(Error::new(Kind::Shutdown, "the runtime is shutting down")),
            },
        }
    }

    async fn run(mut self, mut wanted: CancelOnDrop) -> Result<Uploaded> {
        self.attributes.media_type_or(self.source.media_type());
        let Some(begun) = wanted.run(self.begin()).await else {
            return Err(given_up());
        };
        let (sizes, mut feed, first) = match begun? {
            Begun::Done(uploaded) => return Ok(uploaded),
            Begun::Large(sizes, feed, first) => (sizes, feed, first),
        };
        #[cfg(feature = "fs")]
        let file = match &first {
            Payload::File(part) => Some(part.clone()),
            _ => None,
        };
        // Seen to its end even if nobody waits any more: without the identifier there is nothing to abort.
        let create = self.bucket.create_multipart(&*self.key);
        let mut create = create.with(self.attributes.clone(), self.options.clone());
        if let Some(checksum) = self.checksum {
            create = create.checksum(checksum);
        }
        let upload = create.send().await?;
        let mut sending = JoinSet::new();
        let work = async {
            let parts = self
                .send_parts(&upload, sizes, &mut feed, first, &mut sending)
                .await?;
            #[cfg(feature = "fs")]
            if let Some(file) = file {
                file.check_unchanged().await?;
            }
            self.finish(&upload, parts).await
        };
        let outcome = wanted.run(work).await.unwrap_or_else(|| Err(given_up()));
        if outcome.is_err() {
            sending.shutdown().await;
            let _left_behind = tokio::time::timeout(CLEANUP, remove(&upload, &self.options)).await;
        }
        outcome
    }

    /// Puts the object if it is small; else what is needed to send it in parts.
    async fn begin(&self) -> Result<Begun> {
        let mut feed = self.source.clone().feed(self.verify).await?;
        let sizes = Sizes::new(feed.len(), self.part_size)?;
        let first = feed.next(sizes.of(1)).await?;
        if first.len() == sizes.of(1) && feed.len().is_none_or(|len| len > first.len()) {
            return Ok(Begun::Large(sizes, feed, first));
        }
        let size = first.len();
        let mut hash = Hash::of(&first, self.verify, &Md5Sums::default());
        let source = Source::of(first.clone());
        let put = Put::new(self.bucket.clone(), self.key.clone(), source);
        let mut put = put.with(
            self.attributes.clone(),
            self.condition.clone(),
            self.options.clone(),
        );
        put = put.content_md5(self.md5);
        if let Some(checksum) = self.checksum {
            put = put.checksum(checksum);
        }
        let stored = put.send().await?;
        if !hash.allows(&first, etag::md5_of_sent(stored.head())).await {
            return Err(etag::mismatch());
        }
        #[cfg(feature = "fs")]
        if let Payload::File(part) = &first {
            part.check_unchanged().await?;
        }
        Meter::new(self.report.clone(), Some(size)).add(size);
        Ok(Begun::Done(Uploaded {
            etag: stored.etag().map(str::to_owned),
            version_id: stored.version_id().map(str::to_owned),
            parts: 1,
            size,
        }))
    }

    /// Sends all parts, some at the same time; what they became and how many bytes they have.
    async fn send_parts(
        &self,
        upload: &MultipartUpload,
        sizes: Sizes,
        feed: &mut Feed,
        first: Payload,
        sending: &mut JoinSet<Result<(Part, u64)>>,
    ) -> Result<(Vec<Part>, u64)> {
        let meter = Meter::new(self.report.clone(), feed.len());
        let sums = Md5Sums::default();
        let mut parts = Vec::new();
        let mut ready = Some(first);
        let mut number = 0;
        loop {
            if let Some(body) = ready.take() {
                number += 1;
                if number > limits::MAX_PARTS {
                    return Err(Error::invalid(format!(
                        "there are more bytes than fit into {} parts of {}",
                        limits::MAX_PARTS,
                        sizes.of(1)
                    )));
                }
                let part = upload.part(number, Source::of(body.clone()));
                let mut part = part.with(self.options.clone()).content_md5(self.md5);
                if let Some(checksum) = self.checksum {
                    part = part.checksum(checksum);
                }
                sending.spawn(send_part(part, body, self.verify, sums.clone()));
            }
            let room = sending.len() < self.parallel;
            let size = sizes.of(number + 1);
            // What a transfer takes besides its parts fits into the half that has to wait.
            let last = self.parallel > 1 && sending.len() + 1 == self.parallel;
            let most = if last { size / 2 } else { size };
            let event = poll_fn(|cx| {
                if let Poll::Ready(Some(sent)) = sending.poll_join_next(cx) {
                    return Poll::Ready(Event::Sent(sent));
                }
                if room && let Poll::Ready(body) = feed.poll_next(size, most, cx) {
                    return Poll::Ready(Event::Body(body));
                }
                Poll::Pending
            });
            match event.await {
                Event::Sent(sent) => {
                    let (part, size) = joined(sent)?;
                    meter.add(size);
                    parts.push(part);
                }
                Event::Body(body) => {
                    let body = body?;
                    if body.len() == 0 {
                        break;
                    }
                    ready = Some(body);
                }
            }
        }
        while let Some(sent) = sending.join_next().await {
            let (part, size) = joined(sent)?;
            meter.add(size);
            parts.push(part);
        }
        Ok((parts, meter.bytes()))
    }

    async fn finish(&self, upload: &MultipartUpload, sent: (Vec<Part>, u64)) -> Result<Uploaded> {
        let (parts, size) = sent;
        let number = parts.len() as u32;
        let complete: CompleteMultipart = upload.complete(parts);
        let complete = complete.with(self.condition.clone(), self.options.clone());
        let completed = complete.send().await?;
        Ok(Uploaded {
            etag: completed.etag().map(str::to_owned),
            version_id: completed.version_id().map(str::to_owned),
            parts: number,
            size,
        })
    }
}

attributes!(Upload);
options!(Upload);
awaitable!(Upload, Uploaded);

enum Begun {
    Done(Uploaded),
    Large(Sizes, Feed, Payload),
}

enum Event {
    Sent(Result<Result<(Part, u64)>, JoinError>),
    Body(Result<Payload>),
}

fn joined(sent: Result<Result<(Part, u64)>, JoinError>) -> Result<(Part, u64)> {
    match sent {
        Ok(sent) => sent,
        Err(ended) => match ended.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Err(given_up()),
        },
    }
}

fn given_up() -> Error {
    Error::new(Kind::Shutdown, "the transfer was given up")
}

/// Sends a part until what has arrived is what was sent.
async fn send_part(
    part: UploadPart,
    body: Payload,
    verify: bool,
    sums: Md5Sums,
) -> Result<(Part, u64)> {
    let mut hash = Hash::of(&body, verify, &sums);
    let mut left = TRIES;
    loop {
        left -= 1;
        let (sent, kept) = part.clone().sent().await?;
        if hash.allows(&body, kept).await {
            return Ok((sent, body.len()));
        }
        if left == 0 {
            return Err(etag::mismatch());
        }
    }
}

/// The digest of a body: of bytes at hand it is computed beside the sending, of a file while it is read.
struct Hash {
    verify: bool,
    task: Option<oneshot::Receiver<[u8; 16]>>,
    known: Option<[u8; 16]>,
}

impl Hash {
    fn of(body: &Payload, verify: bool, sums: &Md5Sums) -> Self {
        let pieces = body.at_hand();
        Self {
            verify,
            task: pieces.filter(|_| verify).map(|pieces| sums.of(&pieces)),
            known: None,
        }
    }

    /// Whether the store can have taken this digest of what was sent. A file that was not read to its end has none
    /// that it could be. Behind this nothing holds the bytes any more.
    async fn allows(&mut self, body: &Payload, kept: Option<[u8; 16]>) -> bool {
        if let Some(task) = self.task.take() {
            self.known = task.await.ok();
        }
        if !self.verify || kept.is_none() {
            return true;
        }
        #[cfg(feature = "fs")]
        if let Payload::File(part) = body {
            return part.digest() == kept;
        }
        let _only_with_files = body;
        self.known.is_none() || self.known == kept
    }
}

/// Removes an upload with all its parts. One that was still on its way may arrive behind an abort, so that is
/// repeated until the store knows no such upload.
async fn remove(upload: &MultipartUpload, options: &Options) {
    for _ in 0..TRIES {
        let _tried_again = upload.abort().with(options.clone()).await;
        let left = upload.parts().page_size(1).with(options.clone()).await;
        if left.is_err_and(|error| error.is_not_found()) {
            return;
        }
    }
}

impl fmt::Debug for Upload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upload")
            .field("bucket", &self.bucket)
            .field("key", &self.key)
            .field("source", &self.source)
            .field("part_size", &self.part_size)
            .field("parallel", &self.parallel)
            .finish_non_exhaustive()
    }
}

/// What the store says of an object that was uploaded.
#[derive(Clone, Debug)]
pub struct Uploaded {
    etag: Option<String>,
    version_id: Option<String>,
    parts: u32,
    size: u64,
}

impl Uploaded {
    /// The entity tag, in its quotes.
    pub fn etag(&self) -> Option<&str> {
        self.etag.as_deref()
    }

    /// The version, in a bucket that keeps versions.
    pub fn version_id(&self) -> Option<&str> {
        self.version_id.as_deref()
    }

    /// In how many parts it went; 1 when it was put in one request.
    pub fn parts(&self) -> u32 {
        self.parts
    }

    /// How many bytes it has.
    pub fn size(&self) -> u64 {
        self.size
    }
}
