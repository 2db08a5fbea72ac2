//! The cache as its users see it.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use super::core::{Config, Core};
use super::entry::{Entry, Form};
#[cfg(feature = "local")]
use super::local::Local;
use super::name::{Name, prefix};
use super::read::{Found, Loaded, Missed, Source, Want};
use super::stats::CacheStats;
use super::write;
use crate::MAX_DURATION;
use crate::memcached::Memcached;

/// A read-through cache on memcached. It is cheap to clone, and clones share everything.
///
/// It fails open: whatever goes wrong with memcached makes a read a miss, and counts in the [stats](Self::stats); it
/// never fails the read. What a read asks of memcached takes no longer than one operation of it, and as long once more
/// where the read has waited for another one. Its answer waits for its own fill no longer than
/// [`wait`](CacheBuilder::wait) says.
///
/// Without CAS (`memcached -C`) a server cannot grant the right to fill: nothing is kept there.
///
/// # What it promises
///
/// - A read never returns what a write **of this process** that ended before it began has made old. Every write goes
///   through [`write`](Self::write), which deletes before and after. Where a deletion is not acknowledged, or the
///   write may still happen, this process reads the key past the cache for as long as anything can be kept. The same
///   holds for what was written before the list of servers has changed, since a key may be back on a server that has what
///   was there before the write.
/// - A fill that began before a deletion does not land after it, a restart of memcached included.
/// - **Other processes** that use the cache do not read it either, once the write has returned, as long as its
///   deletions were acknowledged. If not, and in the first tier of other processes, they can read what was
///   until its time to live is over. So can everybody after a write that went past the cache.
/// - Tasks that read the same at once share one answer, under the same promises: a read shares only what began after it
///   did. It waits for another one no longer than a [lease](CacheBuilder::lease) lasts.
/// - A damaged entry, or one of another form, is a miss.
///
/// # Example
///
/// It runs as it stands, also where there is no memcached.
///
/// ```
/// use std::time::Duration;
/// use cache_layer::{Cache, Entry, Found, Loaded, Memcached, Want};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let servers = Memcached::builder().servers(["127.0.0.1:11211"]).build()?;
/// let cache = Cache::builder(servers, Duration::from_secs(60)).namespace("example").build()?;
///
/// // A name has an owner, a group that can be forgotten as one, and what the thing is called there.
/// let ann = cache.name("everybody", "users/", "ann");
/// let want = Want { operation: "user", refresh: false, terms: 0 };
/// let load = || async {
///     // Where it really is would be asked here. The type beside `Entry` is of answers that nothing may keep.
///     let (head, body) = ("text/plain".into(), "Ann".into());
///     Ok::<_, std::convert::Infallible>(Loaded::<()>::Entry(Entry { absent: false, cost: 1.0, head, body }))
/// };
/// if let Found::Entry(user, source) = cache.read(&ann, want, load).await? {
///     println!("{:?}, from {source:?}", user.body);
/// }
///
/// let write = cache.write(vec![ann], false).await;
/// // ... The thing is written where it really is. Then the write is finished.
/// write.finish(true, None).await;
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Cache {
    core: Arc<Core<Memcached>>,
}

impl Cache {
    /// Begins a cache on these servers, whose entries live for `ttl`, which is 1 s or more.
    ///
    /// That is the longest time for which a reader can see what something else than the users of this cache has
    /// changed, so there is no default.
    pub fn builder(memcached: Memcached, ttl: Duration) -> CacheBuilder {
        CacheBuilder {
            memcached,
            namespace: String::new(),
            version: 0,
            #[cfg(feature = "local")]
            local: None,
            config: Config {
                prefix: String::new(),
                ttl: ttl.min(MAX_DURATION),
                absent_ttl: Some(ttl.min(Duration::from_secs(5))),
                stale_for: Duration::ZERO,
                jitter: 0.1,
                max_value: 1_000_000,
                form: Form::default(),
                lease: Duration::from_secs(10),
                wait: Duration::from_millis(50),
                max_doubted: 100_000,
                write_through: false,
            },
        }
    }

    /// Gives the name of a thing in this cache. Owners share no entries, since one may not read what another may.
    /// `group` and `rest` together name one thing.
    ///
    /// A write by one owner deletes what other owners have of the thing that have read in its group in this process, up
    /// to 64 of them. Owners that this process does not know by then believe, in this process, nothing of what it has
    /// written, for as long as anything can be kept; in other processes they can read what was until its time to
    /// live is over.
    pub fn name(&self, owner: &str, group: &str, rest: &str) -> Name {
        self.name_in(owner, &[group], rest)
    }

    /// Does as [`name`](Self::name), with a group whose name is these parts put together.
    pub fn name_in(&self, owner: &str, group: &[&str], rest: &str) -> Name {
        Name::new(&self.core.config.prefix, owner, group, rest)
    }

    /// Gives what is kept of a thing, if that may be believed. It asks nobody else, and fills nothing.
    pub async fn peek(&self, name: &Name, operation: &'static str) -> Option<Entry> {
        self.core.peek(name, operation).await
    }

    /// Reads a thing through the cache, and with `load` from where it is when the cache lacks it. Tasks that
    /// read the same at once share one `load`, which runs in a task of its own for as long as one of them waits: its
    /// time limit should be that of the most patient, and callers with less time drop the read when it is over.
    /// Outside of a tokio runtime nothing is shared.
    ///
    /// # Errors
    /// They are those of `load`.
    pub async fn read<T, E, L, F>(&self, name: &Name, want: Want, load: L) -> Result<Found<T>, E>
    where
        T: Send + 'static,
        E: Clone + Send + Sync + 'static,
        L: Fn() -> F + Send + Sync + 'static,
        F: Future<Output = Result<Loaded<T>, E>> + Send + 'static,
    {
        self.core.read(name, want, load).await
    }

    /// The first half of [`read`](Self::read), for callers that make `load` only if it is needed. It gives what is
    /// kept of a thing, if that may be believed.
    ///
    /// # Errors
    /// It fails when there is nothing, or memcached gave no answer. [`fetch`](Self::fetch) goes on from there.
    pub async fn find(
        &self,
        name: &Name,
        operation: &'static str,
    ) -> Result<(Entry, Source), Missed> {
        self.core.find(name, operation).await
    }

    /// The second half of [`read`](Self::read), after a [`find`](Self::find) of the same name and operation.
    ///
    /// # Errors
    /// They are those of `load`.
    pub async fn fetch<T, E, L, F>(
        &self,
        name: &Name,
        want: Want,
        missed: Missed,
        load: L,
    ) -> Result<Found<T>, E>
    where
        T: Send + 'static,
        E: Clone + Send + Sync + 'static,
        L: Fn() -> F + Send + Sync + 'static,
        F: Future<Output = Result<Loaded<T>, E>> + Send + 'static,
    {
        self.core.fetch(name, want, missed, load).await
    }

    /// Deletes what is kept of a thing, since it makes no sense to its reader. The read goes on as one that found
    /// nothing, by [`fetch`](Self::fetch).
    pub async fn discard(&self, name: &Name) -> Missed {
        self.core.discard(name).await
    }

    /// Begins a write of these things. This is to be called before the write is sent. `through` says that
    /// [`finish`](Writing::finish) will be told what a read would find.
    pub async fn write(&self, names: Vec<Name>, through: bool) -> Writing {
        Writing(self.core.clone().write(names, through).await)
    }

    /// Tells whether [writes are stored](CacheBuilder::write_through).
    pub fn writes_through(&self) -> bool {
        self.core.config.write_through
    }

    /// Has this process read everything of the group of this name past the cache, for as long as anything can be
    /// kept. This is for writes that change things that nobody can name, such as the deletion of a domain.
    ///
    /// Other processes can read what was until its time to live is over.
    pub fn forget_group(&self, name: &Name) {
        self.core.forget_group(name);
    }

    /// How many bytes of head and body are kept at most.
    pub fn max_value(&self) -> usize {
        self.core.config.max_value
    }

    /// The client of the servers that keep the entries.
    pub fn memcached(&self) -> &Memcached {
        &self.core.backend
    }

    /// What the cache has done so far.
    pub fn stats(&self) -> CacheStats {
        let core = &self.core;
        #[cfg(feature = "local")]
        let local_bytes = core.local.as_ref().map_or(0, Local::bytes);
        #[cfg(not(feature = "local"))]
        let local_bytes = 0;
        core.counters.read(
            core.trust.doubted(),
            local_bytes,
            core.savings.all(),
            core.backend.stats(),
        )
    }
}

impl fmt::Debug for Cache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cache")
            .field("config", &self.core.config)
            .finish_non_exhaustive()
    }
}

/// A write under way, made by [`Cache::write`]. Reads of its keys in this process go past the cache until it is
/// finished. When it is dropped instead, it counts as a write that may still happen.
#[must_use = "a write that is not finished makes its keys read past the cache for as long as anything is kept"]
pub struct Writing(write::Write<Memcached>);

impl Writing {
    /// Ends the write. `certain` says that it is known whether the write happened, and that no part of it is still on
    /// its way. `wrote` is what a read would now find, if that is known.
    pub async fn finish(self, certain: bool, wrote: Option<Entry>) {
        self.0.finish(certain, wrote).await;
    }
}

impl fmt::Debug for Writing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Writing")
    }
}

/// Builds a [`Cache`]; made by [`Cache::builder`].
#[must_use = "nothing is built before build()"]
pub struct CacheBuilder {
    memcached: Memcached,
    namespace: String,
    version: u32,
    #[cfg(feature = "local")]
    local: Option<(u64, Duration)>,
    config: Config,
}

impl CacheBuilder {
    /// What the keys of this cache begin with, so that programs that share servers do not share entries.
    /// Defaults to nothing.
    pub fn namespace(mut self, name: impl Into<String>) -> Self {
        self.namespace = name.into();
        self
    }

    /// The version of the namespace. Another version leaves all entries so far behind at once. Defaults to 0.
    pub fn version(mut self, version: u32) -> Self {
        self.version = version;
        self
    }

    /// The share of the time to live, 0 to 1, by which that is cut at random at most, so that what was stored
    /// together does not end together. A share out of range is moved to the nearest end of it. Defaults to 0.1.
    pub fn jitter(mut self, share: f64) -> Self {
        // A share that is not a number cuts nothing.
        let share = if share.is_nan() { 0.0 } else { share };
        self.config.jitter = share.clamp(0.0, 1.0);
        self
    }

    /// How long it is remembered that a thing does not exist: 1 s or more, in whole seconds as memcached counts them.
    /// `None` and zero mean that it is not remembered at all. Defaults to the time to live, but no more than 5 s.
    pub fn absent_ttl(mut self, ttl: impl Into<Option<Duration>>) -> Self {
        let ttl = ttl.into().map(|t| t.min(MAX_DURATION));
        self.config.absent_ttl = ttl.filter(|t| !t.is_zero());
        self
    }

    /// How long after its time to live an entry is served once more, while one reader of all processes
    /// fetches it anew. Defaults to no time: an entry past its time is a miss.
    pub fn stale_for(mut self, time: Duration) -> Self {
        self.config.stale_for = time.min(MAX_DURATION);
        self
    }

    /// The most bytes of an answer that is kept, head and body. Defaults to 1,000,000; memcached's own limit
    /// is 1 MiB as shipped, and what is over that is not kept either.
    pub fn max_value(mut self, bytes: usize) -> Self {
        self.config.max_value = bytes;
        self
    }

    /// Compresses bodies of this many bytes and more by LZ4, if that makes them smaller. Defaults to none.
    #[cfg(feature = "lz4")]
    pub fn compress_from(mut self, bytes: usize) -> Self {
        self.config.form.compress_from = Some(bytes);
        self
    }

    /// Keeps up to so many bytes of entries in the memory of this process too, each for `ttl` at most. Another
    /// process's write is seen after that time only, so it should be short. Defaults to none.
    #[cfg(feature = "local")]
    pub fn local(mut self, bytes: u64, ttl: Duration) -> Self {
        self.local = Some((bytes, ttl.min(MAX_DURATION)));
        self
    }

    /// How long the right to fill a key lasts: a reader that dies without a word keeps others from filling it
    /// for that time. Defaults to 10 s; 1 s and more.
    pub fn lease(mut self, time: Duration) -> Self {
        self.config.lease = time.clamp(Duration::from_secs(1), MAX_DURATION);
        self
    }

    /// How long a read waits for another process that is about to fill the key, before it asks the service
    /// itself, and how long it waits for its own fill to be acknowledged. Defaults to 50 ms; never more than the time of
    /// one operation of memcached.
    pub fn wait(mut self, time: Duration) -> Self {
        self.config.wait = time.min(MAX_DURATION);
        self
    }

    /// Stores what a write has written, where it says all that a read would find. Defaults to no: a write
    /// deletes, and the next read fills.
    pub fn write_through(mut self, yes: bool) -> Self {
        self.config.write_through = yes;
        self
    }

    /// The most keys that are remembered one by one as doubtful, after writes that failed; beyond it whole
    /// servers are. Defaults to 100,000.
    pub fn max_doubted(mut self, keys: usize) -> Self {
        self.config.max_doubted = keys;
        self
    }

    /// Builds the cache of these settings.
    ///
    /// # Errors
    /// It fails when the time to live, of things or of their absence, is under a second, since memcached counts whole
    /// ones.
    pub fn build(self) -> Result<Cache, ConfigError> {
        let mut config = self.config;
        for ttl in [Some(config.ttl), config.absent_ttl].into_iter().flatten() {
            if ttl < Duration::from_secs(1) {
                return Err(ConfigError(ttl));
            }
        }
        config.prefix = prefix(&self.namespace, self.version);
        #[cfg(feature = "local")]
        let local = self.local.map(|(bytes, ttl)| Local::new(bytes, ttl));
        Ok(Cache {
            core: Arc::new(Core::new(
                self.memcached,
                config,
                #[cfg(feature = "local")]
                local,
            )),
        })
    }
}

impl fmt::Debug for CacheBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CacheBuilder")
            .field("namespace", &self.namespace)
            .field("version", &self.version)
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

/// A time to live of a [`Cache`], of things or of their absence, is under a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConfigError(Duration);

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the times to live of a cache are 1 s or more, not {:?}",
            self.0
        )
    }
}

impl std::error::Error for ConfigError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_make_no_sense_are_refused_or_cut() {
        let second = Duration::from_secs(1);
        let builder = |ttl| {
            let servers = Memcached::builder()
                .servers(["127.0.0.1:1"])
                .build()
                .unwrap();
            Cache::builder(servers, ttl)
        };
        assert!(builder(second / 2).build().is_err());
        let absent = |ttl: Duration| builder(second).absent_ttl(ttl).build();
        assert!(absent(second / 10).is_err() && absent(second).is_ok());
        let none = absent(Duration::ZERO).unwrap();
        assert_eq!(none.core.config.absent_ttl, None);
        for (share, cut) in [
            (f64::NAN, 0.0),
            (-1.0, 0.0),
            (f64::INFINITY, 1.0),
            (0.5, 0.5),
        ] {
            let cache = builder(second).jitter(share).build().unwrap();
            assert_eq!(cache.core.config.jitter, cut);
            assert!(cache.core.config.times(false).is_some());
        }
    }
}
