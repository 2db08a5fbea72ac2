//! Removing everything from a bucket: [`Bucket::purge`].

use std::future::poll_fn;

use aws_core::paginate::{Paged, Pages};
use aws_core::{Error, Result, awaitable};

use super::bounded::{Bounded, Job};
use super::delete::DeleteSummary;
use super::{ObjectId, boxed, of_iter};
use crate::bucket::Bucket;
use crate::multipart::MultipartInfo;
use crate::request::options::Options;

/// How many failures a summary keeps.
const MAX_FAILURES: usize = 1000;
/// How many uploads are aborted at once.
const ABORTS: usize = 16;

/// A request to remove everything from a bucket; made by [`Bucket::purge`].
///
/// It lists a page, removes what is on it, and goes on, so that its memory does not grow with the bucket. Awaited it
/// goes to the end and answers with a [`PurgeSummary`]; [`steps`](Self::steps) makes a stream of it that tells how
/// far it has come. What is stored meanwhile may be left.
///
/// After an error it can just be begun again, since what is gone is not listed any more; with a
/// [position](Self::resume) it does not look again at what could not be removed.
#[must_use = "nothing is sent until this is awaited or made a stream"]
#[derive(Clone, Debug)]
pub struct Purge {
    bucket: Bucket,
    prefix: Option<String>,
    versions: bool,
    uploads: bool,
    page_size: Option<u32>,
    position: PurgePosition,
    /// What the last page began with: a store that still lists it must not be asked for ever.
    first: Option<ObjectId>,
    options: Options,
}

/// The stream of [`Purge::steps`].
pub type PurgeSteps = Pages<Purge>;

/// How far a purge has come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PurgePosition(Stage);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Stage {
    Objects(After),
    Uploads(After),
    Done,
}

/// A key, and a version or an upload of it.
type After = Option<(String, Option<String>)>;

impl Default for Stage {
    fn default() -> Self {
        Self::Objects(None)
    }
}

/// What one page came to.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct PurgeStep {
    /// How many objects, versions and delete markers were removed.
    pub deleted: u64,
    /// How many unfinished uploads were aborted.
    pub aborted: u64,
    /// What could not be removed: objects, versions, and the keys of uploads.
    pub failures: Vec<(ObjectId, Error)>,
    /// From where a purge goes on after this page.
    pub position: PurgePosition,
    /// What the page began with.
    first: Option<ObjectId>,
}

/// What a purge came to.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct PurgeSummary {
    /// How many objects, versions and delete markers were removed.
    pub deleted: u64,
    /// How many unfinished uploads were aborted.
    pub aborted: u64,
    /// How many of either could not be removed.
    pub failed: u64,
    /// The first 1,000 objects that were not removed, with the error of each.
    pub failures: Vec<(ObjectId, Error)>,
}

impl Bucket {
    /// Removes everything: all objects with all their versions and delete markers, and unfinished uploads. The
    /// bucket itself stays.
    ///
    /// ```
    /// # async fn example(photos: s3_client::Bucket) -> s3_client::Result<()> {
    /// let mut steps = photos.purge().steps();
    /// let mut deleted = 0;
    /// while let Some(step) = steps.try_next().await? {
    ///     deleted += step.deleted;
    ///     println!("{deleted} are gone");
    /// }
    /// photos.delete_bucket().await?;
    /// # Ok(()) }
    /// ```
    pub fn purge(&self) -> Purge {
        Purge {
            bucket: self.clone(),
            prefix: None,
            versions: true,
            uploads: true,
            page_size: None,
            position: PurgePosition::default(),
            first: None,
            options: Options::default(),
        }
    }
}

impl Purge {
    /// Removes only what has a key that begins with this. Defaults to all.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = Some(prefix.into());
        self
    }

    /// Whether old versions and delete markers go too. Defaults to yes. If not, a bucket that keeps versions hides
    /// its objects behind delete markers; for stores that cannot list versions that is all the same.
    pub fn versions(mut self, yes: bool) -> Self {
        self.versions = yes;
        self
    }

    /// Whether unfinished uploads are aborted. Defaults to yes.
    pub fn uploads(mut self, yes: bool) -> Self {
        self.uploads = yes;
        self
    }

    /// How many are listed and removed in one step, 1 to 1,000. Defaults to 1,000.
    pub fn page_size(mut self, entries: u32) -> Self {
        self.page_size = Some(entries);
        self
    }

    /// Goes on where an earlier purge of the same settings has come to.
    pub fn resume(mut self, position: PurgePosition) -> Self {
        self.position = position;
        self
    }

    /// What each page came to, one after another.
    pub fn steps(self) -> PurgeSteps {
        Pages::new(self)
    }

    /// Goes to the end.
    ///
    /// # Errors
    /// As listing fails. What could not be removed is in the summary.
    pub async fn send(self) -> Result<PurgeSummary> {
        let mut summary = PurgeSummary::default();
        let mut steps = self.steps();
        while let Some(step) = steps.try_next().await? {
            summary.deleted += step.deleted;
            summary.aborted += step.aborted;
            summary.failed += step.failures.len() as u64;
            let room = MAX_FAILURES - summary.failures.len();
            summary
                .failures
                .extend(step.failures.into_iter().take(room));
        }
        Ok(summary)
    }

    async fn step(&self) -> Result<PurgeStep> {
        match &self.position.0 {
            Stage::Objects(after) if self.versions => self.remove_versions(after).await,
            Stage::Objects(after) => self.remove_objects(after).await,
            Stage::Uploads(after) => self.abort_uploads(after).await,
            Stage::Done => Ok(PurgeStep {
                position: PurgePosition(Stage::Done),
                ..PurgeStep::default()
            }),
        }
    }

    async fn remove_versions(&self, after: &After) -> Result<PurgeStep> {
        let mut list = self.bucket.list_versions().options(self.options.clone());
        if let Some(prefix) = &self.prefix {
            list = list.prefix(prefix.as_str());
        }
        if let Some(entries) = self.page_size {
            list = list.page_size(entries);
        }
        if let Some((key, version)) = after {
            list = list.key_marker(key.as_str());
            if let Some(version) = version {
                list = list.version_marker(version.as_str());
            }
        }
        let page = list.send().await?;
        let next = page.next_key.map(|key| (key, page.next_version));
        let ids = page.versions.into_iter().map(ObjectId::from).collect();
        self.remove(ids, after, next).await
    }

    async fn remove_objects(&self, after: &After) -> Result<PurgeStep> {
        let mut list = self.bucket.list().options(self.options.clone());
        if let Some(prefix) = &self.prefix {
            list = list.prefix(prefix.as_str());
        }
        if let Some(entries) = self.page_size {
            list = list.page_size(entries);
        }
        if let Some((key, _)) = after {
            list = list.start_after(key.as_str());
        }
        let mut pages = list.pages();
        while let Some(page) = pages.try_next().await? {
            let last = page.objects.last().map(|last| (last.key.clone(), None));
            if last.is_some() {
                // A key outlives a token, as far as positions are kept.
                let next = page.next_token.and(last);
                let ids = page.objects.into_iter().map(ObjectId::from).collect();
                return self.remove(ids, after, next).await;
            }
        }
        self.remove(Vec::new(), after, None).await
    }

    /// Removes what is on a page that begins after `after`. If all of it is gone, the next page begins there too: a
    /// marker that was itself removed leads Ceph RGW astray.
    async fn remove(&self, ids: Vec<ObjectId>, after: &After, next: After) -> Result<PurgeStep> {
        let first = ids.first().cloned();
        let stuck = first.is_none() || first == self.first;
        let DeleteSummary {
            deleted, failures, ..
        } = match ids.is_empty() {
            true => DeleteSummary::default(),
            false => {
                let delete = self.bucket.delete_many(ids).quiet(true);
                delete.options(self.options.clone()).send().await?
            }
        };
        let stage = match next {
            Some(next) if stuck || !failures.is_empty() => Stage::Objects(Some(next)),
            Some(_) => Stage::Objects(after.clone()),
            None if self.uploads => Stage::Uploads(None),
            None => Stage::Done,
        };
        Ok(PurgeStep {
            deleted,
            aborted: 0,
            failures,
            position: PurgePosition(stage),
            first,
        })
    }

    async fn abort_uploads(&self, after: &After) -> Result<PurgeStep> {
        let mut list = self.bucket.list_multipart().options(self.options.clone());
        if let Some(prefix) = &self.prefix {
            list = list.prefix(prefix.as_str());
        }
        if let Some(entries) = self.page_size {
            list = list.page_size(entries);
        }
        if let Some((key, id)) = after {
            list = list.after(key.as_str(), id.as_deref().unwrap_or_default());
        }
        let page = list.send().await?;
        let stage = match page.next {
            Some((key, id)) => Stage::Uploads(Some((key, Some(id)))),
            None => Stage::Done,
        };
        let mut step = PurgeStep {
            position: PurgePosition(stage),
            ..PurgeStep::default()
        };
        for (key, result) in self.abort(page.uploads).await {
            match result {
                Ok(()) => step.aborted += 1,
                Err(error) => step.failures.push((ObjectId::new(key), error)),
            }
        }
        Ok(step)
    }

    async fn abort(&self, uploads: Vec<MultipartInfo>) -> Vec<(String, Result<()>)> {
        let (bucket, options) = (self.bucket.clone(), self.options.clone());
        let jobs = boxed(of_iter(uploads), move |upload: MultipartInfo| {
            let handle = bucket.multipart(upload.key.as_str(), upload.id);
            let abort = handle.abort().with(options.clone());
            let job: Job<_> = Box::pin(async move { (upload.key, abort.send().await) });
            Some(job)
        });
        let mut running = Bounded::new(jobs, ABORTS);
        let mut results = Vec::new();
        while let Some(result) = poll_fn(|cx| running.poll(cx)).await {
            results.push(result);
        }
        results
    }
}

options!(Purge);
awaitable!(Purge, PurgeSummary);

impl Paged for Purge {
    type Page = PurgeStep;

    async fn fetch(mut self) -> Result<(PurgeStep, Option<Self>)> {
        let step = self.step().await?;
        if step.position.0 == Stage::Done {
            return Ok((step, None));
        }
        self.position = step.position.clone();
        self.first.clone_from(&step.first);
        Ok((step, Some(self)))
    }
}
