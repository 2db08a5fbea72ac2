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

use std::collections::{BTreeSet, HashSet};
use std::time::{Duration, Instant, SystemTime};

use futures_util::{StreamExt as _, stream};

use self::plan::{Keep, OldRelease, doomed};
use super::layout::Channel;
use super::manifest::{Bounds, Manifest};
use super::pointer::{Place, Pointers};
use super::store::{App, Created, is_uncertain};
use super::sweeps::{SWEEP_TIME, Sweeps};
use crate::digest::Digest;
use crate::error::{Error, Kind, Result};
use crate::step::{Step, Steps};

/// How many objects one request removes.
const BATCH: usize = 1000;
/// The most bytes of what tells a collection to stop.
const STOP_MAX: usize = 1024;
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
    steps: Steps,
}

/// A collection that is under way.
#[derive(Clone, Copy, Debug)]
struct Sweep {
    /// Its number; none if nothing is removed.
    number: Option<u64>,
    begun: Instant,
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
}

impl App {
    /// Removes releases that are neither among the last nor young nor pointed at, and contents that no release has.
    pub fn gc(&self) -> Gc {
        Gc {
            app: self.clone(),
            place: Place::Bucket,
            keep: Keep::default(),
            young: Duration::from_secs(24 * 3600),
            dry: false,
            take_over: None,
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

    /// Ends a collection that has begun and not said that it has ended: it is told to stop, and counts as ended after this
    /// time. Defaults to no: such a one is an error for an hour.
    ///
    /// One whose process is there stops before its next removal. What it has sent has to arrive within this time: a removal that
    /// arrives later may take a content that a publisher counts on. A minute is more than a request of this client takes.
    pub fn take_over(mut self, after: Duration) -> Self {
        self.take_over = Some(after);
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
    /// When another collection is under way, when a manifest or a pointer that counts cannot be read, when there are releases
    /// and no pointer names one, and as the store says.
    pub async fn send(self) -> Result<Collected> {
        if let Some(after) = self.take_over.filter(|_| !self.dry) {
            self.end_others(after).await?;
        }
        let begun = Instant::now();
        let number = match self.dry {
            true => None,
            false => Some(self.announce().await?),
        };
        let collected = self.collect(Sweep { number, begun }).await;
        // What is not known to have ended counts as under way.
        let has_ended = match &collected {
            Ok(_) => true,
            Err(error) => !error.store().is_some_and(is_uncertain),
        };
        if let Some(number) = number.filter(|_| has_ended) {
            self.end(number).await?;
        }
        collected
    }

    /// Tells those that have not ended to stop, and says after a while that they have ended.
    async fn end_others(&self, after: Duration) -> Result<()> {
        while let Some(open) = Sweeps::look(&self.app).await?.open {
            let layout = &self.app.layout;
            let stop = layout.sweep_stop(open.sweep);
            self.steps.tell("put", &stop);
            self.app.put(&stop, "{}").await?;
            tokio::time::sleep(after).await;
            let end = layout.sweep_end(open.sweep);
            self.steps.tell("put", &end);
            self.app.put(&end, "{}").await?;
        }
        Ok(())
    }

    async fn collect(&self, sweep: Sweep) -> Result<Collected> {
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

    /// Claims the number of this collection, before anything is read that it decides on.
    async fn announce(&self) -> Result<u64> {
        let sweeps = Sweeps::look(&self.app).await?;
        let layout = &self.app.layout;
        let number = sweeps.last.checked_add(1).ok_or_else(|| {
            let what = "this number is the last that there is, and the next collection has none";
            Error::new(Kind::Content, layout.sweep(sweeps.last), what)
        })?;
        let key = layout.sweep(number);
        let other = |what: String| Err(Error::new(Kind::Guard, &key, what));
        if let Some(open) = sweeps.open {
            let left = open.until.duration_since(SystemTime::now());
            let (of, left) = (layout.sweep(open.sweep), left.unwrap_or_default().as_secs());
            return other(format!(
                "another collection is under way, or was killed: {of} counts as ended in {left} s; `release gc --take-over 1m` \
                 ends it"
            ));
        }
        self.steps.tell("claim", &key);
        match self.app.create(&key, "{}").await? {
            Created::Done => Ok(number),
            Created::Taken => other("another collection has just begun".to_owned()),
            // It may be there: then it counts as under way for its time.
            Created::Lost(error) => Err(error),
        }
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
        sweep: Sweep,
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
    async fn moves(&self, sweep: Sweep, collected: &mut Collected) -> Result<()> {
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
        sweep: Sweep,
        collected: &mut Collected,
    ) -> Result<()> {
        let Some(first) = keys.first() else {
            return Ok(());
        };
        collected.unfinished |= sweep.begun.elapsed() >= SWEEP_TIME;
        let Some(number) = sweep.number.filter(|_| !collected.unfinished) else {
            return Ok(());
        };
        let stop = self.app.layout.sweep_stop(number);
        if self.app.read(&stop, STOP_MAX).await?.is_some() {
            let what = "another collection has taken over: this one stops";
            return Err(Error::new(Kind::Guard, stop, what));
        }
        self.steps.tell("remove", first);
        // Each is sent once, so that no removal can arrive after this collection has said that it has ended.
        let summary = self.app.bucket.delete_many(keys).once().send().await?;
        match summary.failures.into_iter().next() {
            Some((_, error)) => Err(error.into()),
            None => Ok(()),
        }
    }

    /// Says that it has ended, and removes what is there of those before.
    async fn end(&self, number: u64) -> Result<()> {
        let layout = &self.app.layout;
        let key = layout.sweep_end(number);
        self.steps.tell("put", &key);
        self.app.put(&key, "{}").await?;
        let keys = self.app.keys(layout.sweeps(), None).await?;
        let first = layout.sweep(number);
        let old: Vec<String> = keys
            .into_iter()
            .filter(|other| *other < first && *other < key)
            .collect();
        if !old.is_empty() {
            self.steps.tell("remove", &old[0]);
            self.app.bucket.delete_many(old).send().await?;
        }
        Ok(())
    }
}

/// How long ago an object was stored; it has just been, where the store does not say it.
fn age(stored: Option<SystemTime>) -> Duration {
    let age = stored.and_then(|stored| SystemTime::now().duration_since(stored).ok());
    age.unwrap_or_default()
}
