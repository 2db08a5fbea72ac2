//! Fetching an object of any size into a file: [`Bucket::download`].

use std::collections::BTreeMap;
use std::fmt;
use std::io::{Seek as _, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use aws_core::{Error, Kind, Result, awaitable};
use tokio::task::JoinSet;

use super::destination::Destination;
use super::resume_state::ResumeState;
use super::sum::Sum;
use super::{Meter, Progress, Report};
use crate::answer::object::ObjectHead;
use crate::bucket::Bucket;
use crate::checksum::{ChecksumHasher, Joinable};
use crate::file::{BlockWriter, failed};
use crate::object::get::Get;
use crate::request::encryption::CustomerKey;
use crate::request::options::Options;

/// How many ranges are fetched at the same time unless it is told.
const PARALLEL: usize = 4;
/// The size of a range unless it is told, or more would be needed than [`MOST`].
const PART: u64 = 8 << 20;
const MIN_PART: u64 = 64 << 10;
const MAX_PART: u64 = 5 << 30;
/// How many ranges there are at most.
const MOST: u64 = 10_000;
/// How often a range that was cut off is asked for again without any byte in between.
const TRIES: u32 = 4;

/// A request to fetch an object of any size in several ranges at the same time; made by [`Bucket::download`].
///
/// [`to_file`](Self::to_file) says where to. Header fields, time limits and retries that this request is told hold
/// for each of the requests that it makes.
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
/// # films.put("cat.mp4", vec![7; 20 << 20]).await?;
/// # let path = std::env::temp_dir().join(format!("cat-{}.mp4", std::process::id()));
/// let film = films.download("cat.mp4").parallel(8).to_file(&path).resumable(true).await?;
/// assert_eq!(film.size(), Some(std::fs::metadata(&path)?.len()));
/// # std::fs::remove_file(&path)?;
/// # Ok(()) }
/// ```
#[derive(Clone)]
#[must_use = "nothing is sent before it is told where to"]
pub struct Download {
    bucket: Bucket,
    key: String,
    version: Option<String>,
    customer_key: Option<CustomerKey>,
    part_size: Option<u64>,
    parallel: usize,
    report: Report,
    options: Options,
}

impl Bucket {
    /// Fetches an object of any size in several ranges at the same time.
    ///
    /// Each of them comes only if the object is still the one that was there at first (`If-Match`). A range that is
    /// cut off goes on where it ended.
    ///
    /// [GetObject](https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html)
    pub fn download(&self, key: impl Into<String>) -> Download {
        Download {
            bucket: self.clone(),
            key: key.into(),
            version: None,
            customer_key: None,
            part_size: None,
            parallel: PARALLEL,
            report: Report::default(),
            options: Options::default(),
        }
    }
}

impl Download {
    /// Fetches this version of it. Defaults to the current one.
    pub fn version(mut self, id: impl Into<String>) -> Self {
        self.version = Some(id.into());
        self
    }

    /// The key that it was [encrypted](CustomerKey) with.
    pub fn customer_key(mut self, key: CustomerKey) -> Self {
        self.customer_key = Some(key);
        self
    }

    /// The size of a range in bytes, 64 KiB to 5 GiB; more where there would be over 10,000 of them. Defaults to
    /// 8 MiB.
    pub fn part_size(mut self, bytes: u64) -> Self {
        self.part_size = Some(bytes);
        self
    }

    /// How many ranges are fetched at the same time, at least 1. Defaults to 4. Each takes 3 MiB of memory at
    /// the most: the pool's window for a body, and what is being written.
    pub fn parallel(mut self, ranges: usize) -> Self {
        self.parallel = ranges.max(1);
        self
    }

    /// Calls this whenever more has come. It is called by tasks of the runtime, and must not block.
    pub fn progress(mut self, report: impl Fn(Progress) + Send + Sync + 'static) -> Self {
        self.report = Report::to(report);
        self
    }

    /// Fetches it into this file, in place of one that is there. The bytes go to another file in the same folder,
    /// which takes the name once it is whole and verified.
    pub fn to_file(self, path: impl AsRef<Path>) -> DownloadFile {
        DownloadFile {
            download: self,
            path: path.as_ref().to_owned(),
            resumable: false,
            sync: false,
            verify: true,
        }
    }

    async fn head(&self) -> Result<ObjectHead> {
        let mut head = self.bucket.head(&*self.key);
        if let Some(version) = &self.version {
            head = head.version(&**version);
        }
        if let Some(key) = &self.customer_key {
            head = head.customer_key(key.clone());
        }
        let head = head.with(self.options.clone());
        head.header("x-amz-checksum-mode", "ENABLED").send().await
    }

    /// A request for the object of this tag.
    fn get(&self, etag: &str) -> Get {
        let mut get = self.bucket.get(&*self.key).if_match(etag);
        if let Some(version) = &self.version {
            get = get.version(&**version);
        }
        if let Some(key) = &self.customer_key {
            get = get.customer_key(key.clone());
        }
        get.with(self.options.clone())
    }

    fn size_of_parts(&self, size: u64) -> Result<u64> {
        let wish = self.part_size.unwrap_or(PART);
        if !(MIN_PART..=MAX_PART).contains(&wish) {
            return Err(Error::invalid(format!(
                "a part size of {wish} bytes is not within {MIN_PART} to {MAX_PART}"
            )));
        }
        Ok(wish.max(size.div_ceil(MOST)))
    }
}

options!(Download);

impl fmt::Debug for Download {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Download")
            .field("bucket", &self.bucket)
            .field("key", &self.key)
            .field("version", &self.version)
            .field("part_size", &self.part_size)
            .field("parallel", &self.parallel)
            .finish_non_exhaustive()
    }
}

/// A request to fetch an object into a file in several ranges; made by [`Download::to_file`].
#[derive(Clone, Debug)]
#[must_use = "nothing is sent until this is awaited"]
pub struct DownloadFile {
    download: Download,
    path: PathBuf,
    resumable: bool,
    sync: bool,
    verify: bool,
}

impl DownloadFile {
    /// Keeps what has come when it fails, is dropped or ends with the program, and goes on from there the next time,
    /// if the object is the same then (by entity tag and size). Defaults to no: nothing is left.
    ///
    /// What has come is in `NAME.part`, and what that is in `NAME.part-state`, a small text; both go when the file is
    /// whole. Each range is on the disk before it is noted. Of one file only one download may run at a time.
    pub fn resumable(mut self, yes: bool) -> Self {
        self.resumable = yes;
        self
    }

    /// Has bytes and name on the disk before it is done (`fsync`), so that they outlast a loss of power.
    /// Defaults to no.
    pub fn sync(mut self, yes: bool) -> Self {
        self.sync = yes;
        self
    }

    /// Compares what came with the checksum that the store keeps of the whole, or with the entity tag where that is
    /// the MD5 digest. What came up in parts may have neither. A CRC is taken of the ranges as they come, before they are
    /// written; for digests, and where an earlier download left some of it, the file is read again. Defaults to
    /// yes; not for stores whose tags look like MD5 and are not.
    pub fn verify(mut self, yes: bool) -> Self {
        self.verify = yes;
        self
    }

    /// Sends it; the answer is what is known of the object. Works only within a tokio runtime.
    ///
    /// # Errors
    /// [`is_not_found`](crate::Error::is_not_found) when there is no such object;
    /// [`is_condition_failed`](crate::Error::is_condition_failed) when it was replaced while it was fetched;
    /// [`Kind::File`](crate::Kind::File) when the file cannot be written;
    /// [`Kind::Protocol`](crate::Kind::Protocol) when what came is not what was stored; otherwise as sending and the
    /// store say.
    pub async fn send(self) -> Result<ObjectHead> {
        self.download.size_of_parts(0)?;
        let head = self.download.head().await?;
        let etag = head.etag().filter(|tag| !tag.contains(['\n', '\r']));
        let etag = etag.ok_or_else(|| Error::protocol("the object has no entity tag"))?;
        let size = head
            .size()
            .ok_or_else(|| Error::protocol("the object has no size"))?;
        let fresh = ResumeState::new(etag.to_owned(), size, self.download.size_of_parts(size)?);
        let (mut destination, mut noted) = if self.resumable {
            Destination::resume(&self.path, fresh).await?
        } else {
            (Destination::once(&self.path, size).await?, fresh)
        };
        let sum = Sum::of(&head).filter(|_| self.verify);
        // What is in the file already was not seen as it came.
        let joinable = sum
            .as_ref()
            .and_then(Sum::joinable)
            .filter(|_| noted.bytes() == 0);
        let joined = self.fetch(&mut destination, &mut noted, joinable).await?;
        if let Some(sum) = sum
            && let Err(error) = check(sum, joined, &destination).await
        {
            // It would be as wrong the next time.
            destination.forget().await;
            return Err(error);
        }
        destination.finish(&self.path, self.sync).await?;
        Ok(head)
    }

    /// Fetches what is missing; the checksum of it all, if one that can be joined is wanted.
    async fn fetch(
        &self,
        destination: &mut Destination,
        noted: &mut ResumeState,
        joinable: Option<Joinable>,
    ) -> Result<Option<String>> {
        let mut sums = BTreeMap::new();
        let meter = Arc::new(Meter::new(self.download.report.clone(), Some(noted.size)));
        meter.add(noted.bytes());
        let missing: Vec<_> = noted.missing().collect();
        let mut missing = missing.into_iter();
        let get = self.download.get(&noted.etag);
        let mut fetching = JoinSet::new();
        loop {
            while fetching.len() < self.download.parallel
                && let Some((number, range)) = missing.next()
            {
                let piece = RangeFetch {
                    get: get.clone(),
                    etag: noted.etag.clone(),
                    path: destination.data().to_owned(),
                    range,
                    meter: meter.clone(),
                    sync: self.resumable,
                    hasher: joinable.map(|joinable| joinable.checksum().hasher()),
                };
                fetching.spawn(async move { piece.run().await.map(|sum| (number, sum)) });
            }
            let Some(done) = fetching.join_next().await else {
                return Ok(joinable.map(|joinable| {
                    let join = |all, (number, sum): (&usize, &u64)| {
                        let range = noted.range(*number);
                        joinable.join(all, *sum, range.end - range.start)
                    };
                    joinable.encode(sums.iter().fold(0, join))
                }));
            };
            let (number, sum) = match done {
                Ok(done) => done?,
                Err(ended) => match ended.try_into_panic() {
                    Ok(panic) => std::panic::resume_unwind(panic),
                    Err(_) => return Err(given_up()),
                },
            };
            sums.extend(sum.map(|sum| (number, sum)));
            noted.finish(number);
            destination.note(noted).await?;
        }
    }
}

awaitable!(DownloadFile, ObjectHead);

/// Compares the checksum of what came, or else reads the file.
async fn check(sum: Sum, joined: Option<String>, destination: &Destination) -> Result<()> {
    if let Some(found) = joined {
        return sum.compare(&found);
    }
    let path = destination.data().to_owned();
    let checked = tokio::task::spawn_blocking(move || sum.check(&path)).await;
    checked.unwrap_or_else(|_| Err(given_up()))
}

fn given_up() -> Error {
    Error::new(Kind::Shutdown, "the transfer was given up")
}

/// One range on its way into the file.
struct RangeFetch {
    get: Get,
    etag: String,
    path: PathBuf,
    range: Range<u64>,
    meter: Arc<Meter>,
    sync: bool,
    /// Takes the checksum of what comes, where that is wanted.
    hasher: Option<ChecksumHasher>,
}

impl RangeFetch {
    /// Fetches the range; its checksum, if that is taken.
    async fn run(mut self) -> Result<Option<u64>> {
        let path = self.path.clone();
        let io = |e| failed("write", &path, e);
        let mut file = std::fs::OpenOptions::new()
            .write(true)
            .open(&path)
            .map_err(io)?;
        file.seek(SeekFrom::Start(self.range.start)).map_err(io)?;
        let mut file = BlockWriter::new(file);
        let mut at = self.range.start;
        let mut fruitless = 0;
        while at < self.range.end {
            let before = at;
            let Err(error) = self.go_on(&mut file, &mut at).await else {
                continue;
            };
            fruitless = if at > before { 0 } else { fruitless + 1 };
            let passing = matches!(error.kind(), Kind::Closed | Kind::Timeout);
            if !passing || fruitless == TRIES {
                return Err(error);
            }
            tokio::time::sleep(Duration::from_millis(50) * fruitless).await;
        }
        file.flush(self.sync).await.map_err(io)?;
        Ok(self.hasher.and_then(ChecksumHasher::number))
    }

    /// Fetches what is missing until it is there or cut off.
    async fn go_on(&mut self, file: &mut BlockWriter, at: &mut u64) -> Result<()> {
        let asked = *at..self.range.end;
        let mut object = self.get.clone().range(asked.clone()).send().await?;
        if object.head.range() != Some(asked) || object.head.etag() != Some(&*self.etag) {
            return Err(Error::protocol(
                "the answer is not the range that was asked for",
            ));
        }
        while let Some(piece) = object.body.chunk().await.transpose()? {
            if piece.len() as u64 > self.range.end - *at {
                return Err(Error::protocol("the answer is longer than its range"));
            }
            if let Some(hasher) = &mut self.hasher {
                hasher.update(&piece);
            }
            let len = piece.len() as u64;
            let wrote = file.write(piece).await;
            wrote.map_err(|e| failed("write", &self.path, e))?;
            *at += len;
            self.meter.add(len);
        }
        if *at < self.range.end {
            return Err(Error::new(
                Kind::Closed,
                "the answer is shorter than its range",
            ));
        }
        Ok(())
    }
}
