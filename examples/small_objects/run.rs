//! One run: put, get, get again if asked, select, delete.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant, SystemTime};

use cache_layer::Cache;
use indicatif::ProgressBar;

use crate::args::Args;
use crate::cache::{self, Cached};
use crate::index::Index;
use crate::phase::{self, Tally};
use crate::servers::Servers;
use crate::source::{Entry, Source, printable};
use crate::store::Store;
use crate::table::Report;
use crate::{Failure, cpu, say};

/// The state that all tasks share.
struct Run {
    source: Source,
    store: Store,
    index: Option<Index>,
    cache: Option<Cache>,
    rounds: u16,
    concurrency: usize,
    tallies: Tallies,
    /// What was sent of each thing; set before its first request.
    entries: Vec<OnceLock<Entry>>,
    skipped: AtomicUsize,
    changed: AtomicUsize,
    different: AtomicUsize,
}

/// One for each kind of request, in the order of the table.
struct Tallies {
    manage: Tally,
    put: Tally,
    put_item: Tally,
    get: Tally,
    get_item: Tally,
    get_again: Tally,
    get_item_again: Tally,
    select: Tally,
    delete_item: Tally,
    delete: Tally,
}

/// Does it all, and takes away again what it stored, unless it is to be kept.
pub(crate) async fn run(args: &Args) -> Result<Report, Failure> {
    let name = run_name();
    let store_prefix = prefix(&name, args.bucket.is_some());
    let index_prefix = prefix(&name, args.domain.is_some());
    let longest_prefix = store_prefix.len().max(index_prefix.len());
    let source = Source::find(args, longest_prefix)?;
    for skipped in &source.skipped {
        say(format_args!("skipped {skipped}"));
    }
    let cache = cache::open(args, &name)?;
    if let Some(cache) = &cache {
        cache::look(cache).await;
    }
    let servers = Servers::open(args, cache.as_ref()).await?;
    let index = servers.sdb.as_ref().map(|sdb| {
        let domain = args.domain.as_deref();
        Index::new(sdb, domain.unwrap_or(&name), domain.is_none(), index_prefix)
    });
    let bucket = args.bucket.as_deref();
    let run = Arc::new(Run {
        store: Store::new(
            &servers.s3,
            bucket.unwrap_or(&name),
            bucket.is_none(),
            store_prefix,
        ),
        index,
        cache,
        rounds: args.rounds(),
        concurrency: args.concurrency.into(),
        tallies: Tallies::new(),
        entries: source.things.iter().map(|_| OnceLock::new()).collect(),
        skipped: AtomicUsize::new(source.skipped.len()),
        changed: AtomicUsize::new(0),
        different: AtomicUsize::new(0),
        source,
    });

    let cpu = cpu::of_process();
    let start = Instant::now();
    let outcome = tokio::select! {
        outcome = run.exercise() => outcome,
        _ = tokio::signal::ctrl_c() => Err(Failure("interrupted".to_owned())),
    };
    let cleared = if args.keep { Ok(()) } else { run.clear().await };
    if let Err(failure) = &cleared
        && outcome.is_err()
    {
        // What went wrong first is what matters, but this is left to do by hand.
        say(format_args!("not everything was deleted: {failure}"));
    }
    outcome?;
    cleared?;
    let elapsed = start.elapsed();
    let cpu = cpu::of_process().saturating_sub(cpu);
    if args.keep {
        say(format_args!("kept {}", run.whereabouts()));
    }
    Ok(run.report(args, &servers, elapsed, cpu))
}

impl Run {
    async fn exercise(self: &Arc<Self>) -> Result<(), Failure> {
        self.store.open(&self.tallies.manage).await?;
        if let Some(index) = &self.index {
            index.open(&self.tallies.manage).await?;
        }
        self.each("put", Self::put).await?;
        self.each("get", |run, number, bar| Self::get(run, number, bar, false))
            .await?;
        for _ in 1..self.rounds {
            self.each("again", |run, number, bar| {
                Self::get(run, number, bar, true)
            })
            .await?;
        }
        self.select().await
    }

    /// Runs a job for every thing.
    async fn each<F>(
        self: &Arc<Self>,
        title: &'static str,
        job: impl Fn(Arc<Self>, usize, ProgressBar) -> F + Copy + Send + 'static,
    ) -> Result<(), Failure>
    where
        F: Future<Output = Result<(), Failure>> + Send + 'static,
    {
        let run = self.clone();
        let work = move |number, bar| job(run.clone(), number, bar);
        phase::run(title, self.entries.len(), self.concurrency, work).await
    }

    /// The object first: an entry of the index then always has its object.
    async fn put(self: Arc<Self>, number: usize, bar: ProgressBar) -> Result<(), Failure> {
        let thing = &self.source.things[number];
        let content = match self.source.read(thing).await {
            Ok(content) => content,
            Err(skipped) => {
                self.skipped.fetch_add(1, Ordering::Relaxed);
                bar.suspend(|| say(format_args!("skipped {skipped}")));
                return Ok(());
            }
        };
        let entry = self.entries[number].get_or_init(|| content.entry.clone());
        self.store
            .put(&thing.name, &content, &self.tallies.put)
            .await?;
        if let Some(index) = &self.index {
            index
                .put(&thing.name, entry, &self.tallies.put_item)
                .await?;
        }
        Ok(())
    }

    /// Reads an object and, through the cache, its item too: without it the index is selected only.
    async fn get(
        self: Arc<Self>,
        number: usize,
        bar: ProgressBar,
        again: bool,
    ) -> Result<(), Failure> {
        let thing = &self.source.things[number];
        let Some(entry) = self.entries[number].get() else {
            return Ok(());
        };
        let tallies = &self.tallies;
        let (tally, item_tally) = match again {
            false => (&tallies.get, &tallies.get_item),
            true => (&tallies.get_again, &tallies.get_item_again),
        };
        let (bytes, stored) = self.store.get(&thing.name, tally).await?;
        let item = match &self.index {
            Some(index) if self.cache.is_some() => index.get(&thing.name, item_tally).await?,
            _ => Some(entry.clone()),
        };
        let original = self.source.read(thing).await.ok();
        let verdict = self.source.count(|| match original {
            _ if stored.as_ref() != Some(entry) => {
                Verdict::Different("its metadata is not what was put")
            }
            _ if item.as_ref() != Some(entry) => Verdict::Different("its item is not what was put"),
            Some(original) if original.bytes == bytes => Verdict::Same,
            // Not what is on disk: either the file is another one now, or the bytes are wrong.
            _ if Entry::of(&bytes, entry.mtime) == *entry => Verdict::Changed,
            _ => Verdict::Different("its bytes are not what was put"),
        });
        let name = printable(&thing.name);
        match verdict {
            Verdict::Same => {}
            Verdict::Changed => {
                self.changed.fetch_add(1, Ordering::Relaxed);
                bar.suspend(|| say(format_args!("{name}: changed on disk since it was put")));
            }
            Verdict::Different(how) => {
                self.different.fetch_add(1, Ordering::Relaxed);
                bar.suspend(|| say(format_args!("{name}: {how}")));
            }
        }
        Ok(())
    }

    /// Compares the index with what was put, both ways.
    async fn select(&self) -> Result<(), Failure> {
        let Some(index) = &self.index else {
            return Ok(());
        };
        let mut found = index.select(&self.tallies.select).await?;
        let things = self.source.things.iter().zip(&self.entries);
        for (thing, entry) in things {
            let Some(entry) = entry.get() else { continue };
            let name = printable(&thing.name);
            match found.remove(&thing.name) {
                Some(Some(selected)) if selected == *entry => continue,
                Some(_) => say(format_args!(
                    "{name}: its item in the index is not what was put"
                )),
                None => say(format_args!("{name}: not in the index")),
            }
            self.different.fetch_add(1, Ordering::Relaxed);
        }
        for name in found.keys() {
            self.different.fetch_add(1, Ordering::Relaxed);
            say(format_args!(
                "{}: in the index, but never put",
                printable(name)
            ));
        }
        Ok(())
    }

    /// Deletes whatever may have been stored.
    async fn clear(self: &Arc<Self>) -> Result<(), Failure> {
        if self.entries.iter().any(|entry| entry.get().is_some()) {
            self.each("delete", Self::delete).await?;
        }
        if let Some(index) = &self.index {
            index.close(&self.tallies.manage).await?;
        }
        self.store.close(&self.tallies.manage).await
    }

    async fn delete(self: Arc<Self>, number: usize, _: ProgressBar) -> Result<(), Failure> {
        if self.entries[number].get().is_none() {
            return Ok(());
        }
        let name = &self.source.things[number].name;
        if let Some(index) = &self.index {
            index.delete(name, &self.tallies.delete_item).await?;
        }
        self.store.delete(name, &self.tallies.delete).await
    }

    fn whereabouts(&self) -> String {
        match &self.index {
            Some(index) => format!("{} and {index}", self.store),
            None => self.store.to_string(),
        }
    }

    fn report(&self, args: &Args, servers: &Servers, elapsed: Duration, cpu: Duration) -> Report {
        let rows = self.tallies.all().map(|tally| (tally.name, tally.seen()));
        let rows: Vec<_> = rows
            .into_iter()
            .filter(|(_, seen)| seen.requests() > 0)
            .collect();
        let requests: u64 = rows.iter().map(|(_, seen)| seen.requests()).sum();
        let stats = servers.transport.pool.stats();
        let work = self.source.work();
        let cached = self.cache.as_ref().map(|cache| Cached::of(cache, args));
        if let Some(cached) = &cached {
            cached.complain();
        }
        let answered = cached.as_ref().map_or(0, |cached| cached.stats.answered());
        Report {
            files: self
                .entries
                .iter()
                .filter(|entry| entry.get().is_some())
                .count(),
            skipped: self.skipped.load(Ordering::Relaxed),
            changed: self.changed.load(Ordering::Relaxed),
            different: self.different.load(Ordering::Relaxed),
            rows,
            elapsed,
            concurrency: args.concurrency,
            opened: stats.opened(),
            most_connections: stats.most_connections,
            deepest: stats.deepest(),
            learnt: stats
                .origins
                .iter()
                .map(|origin| origin.depth)
                .max()
                .unwrap_or(0),
            retries: (servers.transport.attempts() + answered).saturating_sub(requests),
            replays: stats.replays(),
            received: stats.origins.iter().map(|origin| origin.bytes_in).sum(),
            sent: stats.origins.iter().map(|origin| origin.bytes_out).sum(),
            cpu: cpu.saturating_sub(work),
            work,
            cached,
            box_usage: servers.sdb.as_ref().map(|sdb| sdb.usage().box_usage),
        }
    }
}

enum Verdict {
    Same,
    Changed,
    Different(&'static str),
}

impl Tallies {
    fn new() -> Self {
        Self {
            manage: Tally::new("bucket and domain"),
            put: Tally::new("put object"),
            put_item: Tally::new("put item"),
            get: Tally::new("get object"),
            get_item: Tally::new("get item"),
            get_again: Tally::new("get object again"),
            get_item_again: Tally::new("get item again"),
            select: Tally::new("select"),
            delete_item: Tally::new("delete item"),
            delete: Tally::new("delete object"),
        }
    }

    fn all(&self) -> [&Tally; 10] {
        let Self {
            manage,
            put,
            put_item,
            get,
            get_item,
            get_again,
            get_item_again,
            select,
            delete_item,
            delete,
        } = self;
        [
            manage,
            put,
            put_item,
            get,
            get_item,
            get_again,
            get_item_again,
            select,
            delete_item,
            delete,
        ]
    }
}

/// A name that no other run has: of the bucket and the domain, or of this run's part of them.
fn run_name() -> String {
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    format!(
        "small-objects-{:x}-{:x}",
        now.as_millis(),
        std::process::id()
    )
}

/// In somebody else's bucket or domain, this keeps a run apart from what is there.
fn prefix(name: &str, shared: bool) -> String {
    if shared {
        format!("{name}/")
    } else {
        String::new()
    }
}
