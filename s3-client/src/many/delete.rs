//! Removing many objects: [`Bucket::delete_many`].

use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use aws_core::{Error, Result, awaitable};
use futures_core::Stream;

use super::batches::{Batch, Batches, ObjectId};
use super::bounded::{Bounded, BoxStream, Job, Jobs};
use super::{boxed, of_iter};
use crate::bucket::Bucket;
use crate::checksum::Checksum;
use crate::limits;
use crate::object::delete_batch::DeleteBatch;
use crate::request::options::Options;

/// How many requests run at once unless it is said: each has a thousand keys.
const CONCURRENCY: usize = 4;
/// The most keys of a request.
const MAX_BATCH: usize = 1000;
/// How many failures a summary keeps.
const MAX_FAILURES: usize = 1000;

/// What became of an object that was removed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Removed {
    /// The version removed, or that of the marker put in its place, in a bucket that keeps versions.
    pub version_id: Option<String>,
    /// Whether that version is a delete marker: one that was put in the object's place, or one that was removed.
    #[doc(alias = "is_delete_marker")]
    pub is_marker: bool,
}

/// A request to remove many objects, up to 1,000 in each request that is sent; made by [`Bucket::delete_many`] and
/// [`Bucket::delete_many_from`].
///
/// Awaited it removes them all and answers with a [`DeleteSummary`]; [`results`](Self::results) makes a stream of it.
#[must_use = "nothing is sent until this is awaited or its results are read"]
pub struct DeleteMany {
    bucket: Bucket,
    ids: BoxStream<ObjectId>,
    concurrency: usize,
    how: How,
    options: Options,
}

/// What is the same for all batches.
#[derive(Clone)]
struct How {
    batch_size: usize,
    quiet: bool,
    once: bool,
    checksum: Option<Checksum>,
    bypass_governance: bool,
    options: Options,
}

impl Bucket {
    /// Removes many objects, or versions of them; what is not there is no error. The keys may be without end: no
    /// more of them are asked for than are sent at once.
    ///
    /// Keys with characters that XML cannot carry, such as U+0001, are removed one by one. Keys of which the answer says
    /// that the store was too busy for them (`SlowDown`, `InternalError`) are asked for again, as a failed request is.
    ///
    /// [DeleteObjects](https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html)
    ///
    /// ```
    /// # async fn example(photos: s3_client::Bucket) -> s3_client::Result<()> {
    /// let summary = photos.delete_many((0..10_000).map(|i| format!("{i}.jpg"))).await?;
    /// for (id, error) in &summary.failures {
    ///     println!("{}: {error}", id.key);
    /// }
    /// # Ok(()) }
    /// ```
    #[doc(alias("delete_objects", "DeleteObjects"))]
    pub fn delete_many<I>(&self, objects: I) -> DeleteMany
    where
        I: IntoIterator<IntoIter: Send + 'static>,
        I::Item: Into<ObjectId> + 'static,
    {
        self.delete_many_from(of_iter(objects))
    }

    /// Removes many objects that come as a stream. As [`delete_many`](Self::delete_many).
    pub fn delete_many_from<S>(&self, objects: S) -> DeleteMany
    where
        S: Stream<Item: Into<ObjectId> + 'static> + Send + 'static,
    {
        DeleteMany {
            bucket: self.clone(),
            ids: boxed(objects, |id| Some(id.into())),
            concurrency: CONCURRENCY,
            how: How {
                batch_size: MAX_BATCH,
                quiet: false,
                once: false,
                checksum: None,
                bypass_governance: false,
                options: Options::default(),
            },
            options: Options::default(),
        }
    }
}

impl DeleteMany {
    /// How many requests run at once, 1 or more. Defaults to 4.
    pub fn concurrency(mut self, requests: usize) -> Self {
        self.concurrency = requests;
        self
    }

    /// The most keys of one request, 1 to 1,000. Defaults to 1,000; with long keys there are fewer, so that a
    /// request stays below 1 MiB.
    pub fn batch_size(mut self, keys: usize) -> Self {
        self.how.batch_size = keys;
        self
    }

    /// Whether the store shall tell failures only; then so does the stream. Defaults to no.
    pub fn quiet(mut self, yes: bool) -> Self {
        self.how.quiet = yes;
        self
    }

    /// Sends this checksum of each request besides its MD5 digest. Defaults to none.
    pub fn checksum(mut self, checksum: Checksum) -> Self {
        self.how.checksum = Some(checksum);
        self
    }

    /// Removes versions that [governance
    /// mode](https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock.html#object-lock-retention-modes) keeps.
    pub fn bypass_governance(mut self) -> Self {
        self.how.bypass_governance = true;
        self
    }

    /// Never sends a request a second time once the server may have seen it.
    pub fn once(mut self) -> Self {
        self.how.once = true;
        self
    }

    pub(super) fn options(mut self, options: Options) -> Self {
        self.options = options;
        self
    }

    /// What became of each, in the order in which requests are done. A request that fails is the failure of each
    /// of its keys.
    pub fn results(self) -> Deletions {
        let Self {
            bucket,
            mut how,
            options,
            ..
        } = self;
        how.options = options;
        let size = how.batch_size;
        let batches = Batches {
            ids: Some(self.ids),
            size: size.clamp(1, MAX_BATCH),
            next: None,
        };
        let jobs: Jobs<_> = boxed(batches, move |batch| {
            let (bucket, how) = (bucket.clone(), how.clone());
            let job: Job<_> = match batch {
                _ if !(1..=MAX_BATCH).contains(&size) => {
                    let error = format!("a batch size of {size} is not within 1 to {MAX_BATCH}");
                    let error = Error::invalid(error);
                    Box::pin(async move { batch.fail(&error) })
                }
                Batch::Many(ids) => Box::pin(many(bucket, how, ids)),
                Batch::One(id) => Box::pin(one(bucket, how, id)),
            };
            Some(job)
        });
        Deletions {
            running: Bounded::new(jobs, self.concurrency),
            ready: VecDeque::new(),
        }
    }

    /// Removes all the objects, as `.await` does.
    ///
    /// # Errors
    /// None: what fails is in the summary.
    pub async fn send(self) -> Result<DeleteSummary> {
        let mut summary = DeleteSummary::default();
        let mut running = self.results().running;
        while let Some(done) = poll_fn(|cx| running.poll(cx)).await {
            summary.add(done);
        }
        Ok(summary)
    }
}

options!(DeleteMany);
awaitable!(DeleteMany, DeleteSummary);

impl fmt::Debug for DeleteMany {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeleteMany")
            .field("bucket", &self.bucket)
            .field("concurrency", &self.concurrency)
            .finish_non_exhaustive()
    }
}

/// What became of many objects.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct DeleteSummary {
    /// How many were removed, or were not there.
    pub deleted: u64,
    /// How many were not removed; [`failures`](Self::failures) has the errors.
    pub failed: u64,
    /// The first 1,000 objects that were not removed, with the error of each.
    pub failures: Vec<(ObjectId, Error)>,
}

impl DeleteSummary {
    pub(super) fn add(&mut self, done: Done) {
        self.deleted += done.deleted;
        for (id, result) in done.results {
            if let Err(error) = result {
                self.failed += 1;
                if self.failures.len() < MAX_FAILURES {
                    self.failures.push((id, error));
                }
            }
        }
    }
}

/// What a request came to.
pub(super) struct Done {
    pub(super) deleted: u64,
    /// Without what was removed, where the store was told to be quiet.
    pub(super) results: Vec<(ObjectId, Result<Removed>)>,
}

impl Done {
    fn new(how: &How, mut results: Vec<(ObjectId, Result<Removed>)>) -> Self {
        let deleted = results.iter().filter(|(_, result)| result.is_ok()).count() as u64;
        if how.quiet {
            results.retain(|(_, result)| result.is_err());
        }
        Self { deleted, results }
    }
}

/// What became of each of many objects, as a [`Stream`]; made by [`DeleteMany::results`].
///
/// Requests run as tasks of the runtime while the stream is held, also between two looks at it. Dropping it ends
/// those that run: whether they came to pass is not known.
#[must_use = "nothing is sent before the stream is read"]
pub struct Deletions {
    running: Bounded<Done>,
    ready: VecDeque<(ObjectId, Result<Removed>)>,
}

impl Deletions {
    /// The next object and what became of it, or nothing after the last.
    pub async fn next(&mut self) -> Option<(ObjectId, Result<Removed>)> {
        poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }
}

impl Stream for Deletions {
    type Item = (ObjectId, Result<Removed>);

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if let Some(result) = self.ready.pop_front() {
                return Poll::Ready(Some(result));
            }
            match ready!(self.running.poll(cx)) {
                Some(done) => self.ready.extend(done.results),
                None => return Poll::Ready(None),
            }
        }
    }
}

impl fmt::Debug for Deletions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deletions")
            .field("ready", &self.ready.len())
            .field("requests", &self.running)
            .finish()
    }
}

async fn many(bucket: Bucket, how: How, ids: Vec<ObjectId>) -> Done {
    let mut results = Vec::with_capacity(ids.len());
    let mut legal = Vec::with_capacity(ids.len());
    for id in ids {
        match check(&id) {
            Ok(()) => legal.push(id),
            Err(error) => results.push((id, Err(error))),
        }
    }
    if !legal.is_empty() {
        let batch = DeleteBatch {
            quiet: how.quiet,
            once: how.once,
            checksum: how.checksum,
            bypass_governance: how.bypass_governance,
            options: how.options.clone(),
        };
        results.extend(batch.send(&bucket, legal).await);
    }
    Done::new(&how, results)
}

async fn one(bucket: Bucket, how: How, id: ObjectId) -> Done {
    let mut delete = bucket.delete(id.key.as_str()).options(how.options.clone());
    if let Some(version) = &id.version_id {
        delete = delete.version(version.as_str());
    }
    if how.bypass_governance {
        delete = delete.bypass_governance();
    }
    if how.once {
        delete = delete.once();
    }
    let removed = delete.send().await.map(|deleted| Removed {
        version_id: deleted.version_id().map(str::to_owned),
        is_marker: deleted.is_marker(),
    });
    Done::new(&how, vec![(id, removed)])
}

fn check(id: &ObjectId) -> Result<()> {
    limits::key(&id.key)?;
    id.version_id.as_deref().map_or(Ok(()), limits::version)
}

impl Batch {
    fn fail(self, error: &Error) -> Done {
        let ids = match self {
            Self::Many(ids) => ids,
            Self::One(id) => vec![id],
        };
        let results = ids.into_iter().map(|id| (id, Err(error.clone()))).collect();
        Done {
            deleted: 0,
            results,
        }
    }
}
