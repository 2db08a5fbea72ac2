//! Collecting garbage: old releases, and contents that no release has.
//!
//! *Problem:* A content may be removed only if nobody wants it: no release that is kept, and no publisher that has just found
//! it in the store. *Decision:* What is kept is decided by [`plan`] from manifests, all of which have to be readable: one that is
//! not ends the collection before anything is removed. Manifests go first and contents after them, so that a collection that
//! is killed leaves no release without its contents, and the next one goes on. Contents that are younger than a day stay,
//! as their release may be under way. For the publisher that reuses an older one there is the argument of
//! [`sweeps`](super::sweeps): it needs no clock but for a collection that was killed. *Cost:* One listing of everything, one
//! get for each release that is kept, one removal for each 1,000 objects, and two small puts.

mod plan;
mod sweep;

use std::collections::{BTreeSet, HashSet};
use std::time::{Duration, SystemTime};

use futures_util::{StreamExt as _, stream};

use self::plan::{Keep, OldRelease, doomed};
use self::sweep::{LEAST_TAKE_OVER, REMOVAL_TIME, Sweep, end_others};
use super::layout::Channel;
use super::manifest::{Bounds, Manifest};
use super::pointer::{Place, Pointers};
use super::store::{App, is_uncertain};
use crate::digest::Digest;
use crate::error::{Error, Kind, Result};
use crate::step::{Step, Steps};

/// How many objects one request removes.
const BATCH: usize = 1000;
/// How many manifests are read at once.
const READS: usize = 8;

/// A request to collect garbage; made by [`App::gc`].
#[derive(Clone, Debug)]
#[must_use = "nothing is removed until send() is awaited"]
pub struct Gc {
    app: App,
    place: Place,
    keep: Keep,
    young: Duration,
    dry: bool,
    take_over: Option<Duration>,
    least_take_over: Duration,
    end_only: bool,
    steps: Steps,
}

/// What was removed, or would be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Collected {
    /// The releases, by their numbers.
    pub releases: Vec<u64>,
    /// How many contents.
    pub blobs: u64,
    /// How many bytes those had.
    pub bytes: u64,
    /// How many moves of pointers.
    pub moves: u64,
    /// How many contents no release has that are too young.
    pub young: u64,
    /// Whether the time was over before all was removed: the next collection goes on.
    pub unfinished: bool,
    /// The collections that had not said that they have ended and were [ended](Gc::take_over), by their numbers.
    pub ended: Vec<u64>,
}

/// For so long a content may be without a release, as its publisher may still be at work: a day.
const YOUNG: Duration = Duration::from_secs(86_400);

impl App {
    /// Removes releases that are neither among the last nor young nor pointed at, and contents that no release has.
    pub fn gc(&self) -> Gc {
        Gc {
            app: self.clone(),
            place: Place::Bucket,
            keep: Keep::default(),
            young: YOUNG,
            dry: false,
            take_over: None,
            least_take_over: LEAST_TAKE_OVER,
            end_only: false,
            steps: Steps::default(),
        }
    }
}

impl Gc {
    /// How many of the last releases stay, 1 or more. Defaults to 10.
    pub fn keep(mut self, releases: usize) -> Self {
        self.keep.last = releases.max(1);
        self
    }

    /// Releases that are younger than this stay. Defaults to 7 days.
    pub fn older(mut self, age: Duration) -> Self {
        self.keep.younger = age;
        self
    }

    /// Contents that are younger than this stay, whether a release has them or not. Defaults to a day. With less, publishers
    /// that are under way have to send again what they have sent; nothing is lost.
    pub fn young(mut self, age: Duration) -> Self {
        self.young = age;
        self
    }

    /// Where the pointers are. Defaults to the bucket. Of pointers in SimpleDB, those of channels are not known: their
    /// releases have to be among those that stay.
    pub fn place(mut self, place: Place) -> Self {
        self.place = place;
        self
    }

    /// Says what would be removed, and removes nothing. Defaults to no.
    pub fn dry_run(mut self, yes: bool) -> Self {
        self.dry = yes;
        self
    }

    /// Ends the collections that have begun before and not said that they have ended: they are told to stop, and count as ended
    /// after this time, 2 minutes or more. Defaults to no: such a one is an error for an hour.
    ///
    /// One whose process is there stops before its next removal, and says so: nobody waits for it any longer. What one that is
    /// dead has sent has to arrive within this time: a removal that arrives later may take a content that a publisher counts
    /// on. A removal takes at most a minute of it.
    pub fn take_over(mut self, after: Duration) -> Self {
        self.take_over = Some(after);
        self
    }

    /// Ends others, after 2 minutes if no [time](Self::take_over) is said, and collects nothing. Defaults to no.
    pub fn end_only(mut self, yes: bool) -> Self {
        self.end_only = yes;
        self
    }

    /// For tests, which know that nothing is on its way.
    #[doc(hidden)]
    pub fn least_take_over(mut self, least: Duration) -> Self {
        self.least_take_over = least;
        self
    }

    /// Whom to tell of each step before it is done.
    pub fn on_step(mut self, told: impl Fn(Step<'_>) + Send + Sync + 'static) -> Self {
        self.steps = Steps::new(told);
        self
    }

    /// Collects it.
    ///
    /// # Errors
    /// When others are to be ended in less than 2 minutes, when another collection is under way or takes over, when a manifest or
    /// a pointer that counts cannot be read, when there are releases and no pointer names one, and as the store says.
    pub async fn send(self) -> Result<Collected> {
        let ended = self.end_others().await?;
        if self.end_only {
            let nothing = Collected::default();
            return Ok(Collected { ended, ..nothing });
        }
        let sweep = match self.dry {
            true => None,
            false => Some(Sweep::announce(&self.app, &self.steps).await?),
        };
        let collected = self.collect(sweep.as_ref()).await;
        // What is not known to have ended counts as under way.
        let has_ended = match &collected {
            Ok(_) => true,
            Err(error) => !error.store().is_some_and(is_uncertain),
        };
        if let Some(sweep) = sweep.filter(|_| has_ended) {
            sweep.end().await?;
        }
        collected.map(|collected| Collected { ended, ..collected })
    }

    /// Ends those that have not ended, if that is wanted.
    async fn end_others(&self) -> Result<Vec<u64>> {
        let least = self.least_take_over;
        let after = self.take_over.or(self.end_only.then_some(least));
        let Some(after) = after.filter(|_| !self.dry) else {
            return Ok(Vec::new());
        };
        if after < least {
            return Err(Error::usage(format!(
                "to take over after {after:?} is too early: what another collection has sent may arrive up to {} s later",
                least.as_secs()
            )));
        }
        end_others(&self.app, &self.steps, after).await
    }

    async fn collect(&self, sweep: Option<&Sweep>) -> Result<Collected> {
        let mut collected = Collected::default();
        self.releases(&mut collected).await?;
        let wanted = self.wanted(&collected.releases).await?;
        let manifests = collected
            .releases
            .iter()
            .map(|number| self.app.layout.release(*number));
        self.remove(manifests.collect(), sweep, &mut collected)
            .await?;
        self.blobs(&wanted, sweep, &mut collected).await?;
        self.moves(sweep, &mut collected).await?;
        Ok(collected)
    }

    /// Decides which releases go.
    async fn releases(&self, collected: &mut Collected) -> Result<()> {
        let layout = &self.app.layout;
        let mut listed = Vec::new();
        let mut objects = self.app.bucket.list().prefix(layout.releases()).objects();
        while let Some(object) = objects.try_next().await? {
            if let Some(number) = layout.release_of(&object.key) {
                let age = age(object.last_modified);
                listed.push(OldRelease { number, age });
            }
        }
        let named = self.named().await?;
        if named.is_empty() && !listed.is_empty() {
            let what = "there are releases and no pointer that names one, which may be kept elsewhere: nothing is removed";
            return Err(Error::new(Kind::Guard, layout.releases(), what));
        }
        let pointed = self.pointed(named).await?;
        for number in &pointed {
            if !listed.iter().any(|release| release.number == *number) {
                let what = "a pointer names it, and it is not there: nothing is removed";
                return Err(Error::new(Kind::Content, layout.release(*number), what));
            }
        }
        collected.releases = doomed(&listed, &pointed, &self.keep);
        Ok(())
    }

    /// The releases that pointers name.
    async fn named(&self) -> Result<BTreeSet<u64>> {
        let mut named = BTreeSet::new();
        for channel in self.app.channels().await? {
            let pointers = self.pointers(channel);
            if let Some(last) = pointers.last(None).await? {
                named.insert(last.target.release);
                named.extend(last.before.map(|before| before.release));
            }
        }
        Ok(named)
    }

    /// These releases, and those that nodes say that they run: they may start anew.
    async fn pointed(&self, mut pointed: BTreeSet<u64>) -> Result<BTreeSet<u64>> {
        let layout = &self.app.layout;
        let reports = self.app.all_reports().await?;
        let there = self.app.keys(layout.releases(), None).await?;
        let there: HashSet<u64> = there
            .iter()
            .filter_map(|key| layout.release_of(key))
            .collect();
        let run = reports.iter().filter_map(|report| report.release);
        pointed.extend(run.filter(|release| there.contains(release)));
        Ok(pointed)
    }

    fn pointers(&self, channel: Channel) -> Pointers {
        Pointers {
            place: self.place.clone(),
            channel,
            ..Pointers::of(&self.app)
        }
    }

    /// The contents of all releases that stay.
    async fn wanted(&self, doomed: &[u64]) -> Result<HashSet<Digest>> {
        let layout = &self.app.layout;
        let keys = self.app.keys(layout.releases(), None).await?;
        let stay = keys.iter().filter_map(|key| layout.release_of(key));
        let stay: Vec<u64> = stay.filter(|number| !doomed.contains(number)).collect();
        let reads = stream::iter(stay)
            .map(|number| async move { self.app.manifest(number, &Bounds::none()).await });
        let mut reads = reads.buffer_unordered(READS);
        let mut wanted = HashSet::new();
        while let Some(read) = reads.next().await {
            // One that somebody has removed since it was listed has no say.
            if let Some((Manifest { files, .. }, ..)) = read? {
                wanted.extend(files.iter().map(|file| file.digest));
            }
        }
        Ok(wanted)
    }

    async fn blobs(
        &self,
        wanted: &HashSet<Digest>,
        sweep: Option<&Sweep>,
        collected: &mut Collected,
    ) -> Result<()> {
        let layout = &self.app.layout;
        let mut batch = Vec::new();
        let mut objects = self.app.bucket.list().prefix(layout.blobs()).objects();
        while let Some(object) = objects.try_next().await? {
            let Some(digest) = layout.blob_of(&object.key) else {
                continue;
            };
            if wanted.contains(&digest) {
                continue;
            }
            if age(object.last_modified) < self.young {
                collected.young += 1;
                continue;
            }
            collected.blobs += 1;
            collected.bytes += object.size;
            batch.push(object.key);
            if batch.len() == BATCH {
                self.remove(std::mem::take(&mut batch), sweep, collected)
                    .await?;
            }
        }
        self.remove(batch, sweep, collected).await
    }

    /// Removes moves of pointers that are older than releases may be, but for the last ones.
    async fn moves(&self, sweep: Option<&Sweep>, collected: &mut Collected) -> Result<()> {
        let layout = &self.app.layout;
        let mut keys = Vec::new();
        for channel in self.app.channels().await? {
            let mut objects = self
                .app
                .bucket
                .list()
                .prefix(layout.history(&channel))
                .objects();
            let mut moves = Vec::new();
            while let Some(object) = objects.try_next().await? {
                if layout.seq_of(&channel, &object.key).is_some() {
                    moves.push((object.key, age(object.last_modified)));
                }
            }
            let old = moves.len().saturating_sub(self.keep.last);
            let old = moves
                .into_iter()
                .take(old)
                .filter(|(_, age)| *age >= self.keep.younger);
            keys.extend(old.map(|(key, _)| key));
        }
        collected.moves = keys.len() as u64;
        for keys in keys.chunks(BATCH) {
            self.remove(keys.to_vec(), sweep, collected).await?;
        }
        Ok(())
    }

    /// Removes objects, unless this is only to be told or its time is over.
    async fn remove(
        &self,
        keys: Vec<String>,
        sweep: Option<&Sweep>,
        collected: &mut Collected,
    ) -> Result<()> {
        let Some(first) = keys.first() else {
            return Ok(());
        };
        let Some(sweep) = sweep.filter(|_| !collected.unfinished) else {
            return Ok(());
        };
        if !sweep.may_remove().await? {
            collected.unfinished = true;
            return Ok(());
        }
        self.steps.tell("remove", first);
        // Each is sent once, so that no removal can arrive after this collection has said that it has ended.
        let removal = self.app.bucket.delete_many(keys).once();
        let summary = removal.timeout(REMOVAL_TIME).send().await?;
        match summary.failures.into_iter().next() {
            Some((_, error)) => Err(error.into()),
            None => Ok(()),
        }
    }
}

/// How long ago an object was stored; it has just been, where the store does not say it.
fn age(stored: Option<SystemTime>) -> Duration {
    let age = stored.and_then(|stored| SystemTime::now().duration_since(stored).ok());
    age.unwrap_or_default()
}
