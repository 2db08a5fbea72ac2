//! Reading a key through the cache.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use super::core::Core;
use super::entry::{self, Entry, Kept};
use super::fence::Entered;
use super::flight::{Flight, Landed};
use super::name::Name;
use super::shelf::{Filled, Peeked, Shelf};
use super::stats::Counters;
use super::steps::{Looked, ReadStep, Reading};

/// What came from where the thing is.
#[derive(Debug)]
pub enum Loaded<T> {
    /// Something that may be kept and shared.
    Entry(Entry),
    /// Something that only the caller can have, such as a body that streams.
    Private(T),
}

/// What a read found.
#[derive(Debug)]
pub enum Found<T> {
    /// An answer, and where it came from.
    Entry(Entry, Source),
    /// What the caller's own fetch brought.
    Private(T),
}

/// Where an answer came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Source {
    /// The first tier.
    Local,
    /// Memcached.
    Memcached,
    /// Memcached, past its time; it is being fetched anew.
    Stale,
    /// Another task's read of the same.
    Joined,
    /// The service.
    Service,
}

/// What a read wants.
#[derive(Clone, Copy, Debug)]
pub struct Want {
    /// The operation, for the figures of what was saved.
    pub operation: &'static str,
    /// Whether it wants a fresh answer: what is kept is deleted first.
    pub refresh: bool,
}

/// A read that the cache had no answer for yet, from [`Cache::find`](super::Cache::find).
#[derive(Debug)]
#[must_use = "what is missing is to be fetched"]
pub struct Missed {
    began: Instant,
    /// There was no answer, so there is no asking again.
    down: bool,
}

impl Missed {
    fn new(began: Instant) -> Self {
        Self { began, down: false }
    }
}

/// How long between one question and the next while another fills.
const ASK_AGAIN: Duration = Duration::from_millis(2);

/// The place of a read that others may wait for. Dropped early, it is taken over by one of those.
pub(crate) struct Lead<S: Shelf> {
    core: Arc<Core<S>>,
    name: Name,
    id: u64,
    flight: Arc<Flight>,
}

impl<S: Shelf> Lead<S> {
    fn is_current(&self) -> bool {
        self.core.fences().is_current(&self.name.key, self.id)
    }

    /// Keeps it in the first tier, unless it was written since this read began.
    fn keep(&self, entry: &Entry, fresh: Duration) {
        #[cfg(feature = "local")]
        if let Some(local) = &self.core.local {
            // Under the lock: a write that begins after this removes it again.
            let fences = self.core.fences();
            if fences.is_current(&self.name.key, self.id) {
                let now = Instant::now().into_std();
                local.insert(&self.name.key, entry, now, fresh);
            }
        }
        #[cfg(not(feature = "local"))]
        let _ = (entry, fresh);
    }
}

impl<S: Shelf> Drop for Lead<S> {
    fn drop(&mut self) {
        let now = Instant::now().into_std();
        self.core.fences().leave(&self.name.key, self.id, now);
        self.flight.land(Landed::Abandoned);
    }
}

impl<S: Shelf> Core<S> {
    /// Reads a key through the cache, and what it lacks from where it is, with `load`.
    pub(crate) async fn read<T, E, L, F>(
        self: &Arc<Self>,
        name: &Name,
        want: Want,
        load: L,
    ) -> Result<Found<T>, E>
    where
        T: Send + 'static,
        E: Clone + Send + Sync + 'static,
        L: Fn() -> F + Send + Sync + 'static,
        F: Future<Output = Result<Loaded<T>, E>> + Send + 'static,
    {
        let operation = want.operation;
        let missed = if want.refresh {
            let delete = self.clone().write(vec![name.clone()], false).await;
            delete.finish(true, None).await;
            Missed::new(Instant::now())
        } else {
            match self.find(name, operation).await {
                Ok((entry, source)) => return Ok(Found::Entry(entry, source)),
                Err(missed) => missed,
            }
        };
        self.fetch(name, operation, missed, load).await
    }

    /// Looks for a key where that is all there is to do, so that a hit costs no more than the question: nobody
    /// waits for this read, and it fills nothing.
    pub(crate) async fn find(
        &self,
        name: &Name,
        operation: &'static str,
    ) -> Result<(Entry, Source), Missed> {
        let began = Instant::now();
        let now = began.into_std();
        if let Some(entry) = self.local_get(name, now) {
            Counters::add(&self.counters.local_hits);
            self.counters.save(operation, entry.cost);
            return Ok((entry, Source::Local));
        }
        let mut missed = Missed::new(began);
        if !self.finds || !self.trusts(name, now) {
            return Err(missed);
        }
        match self.shelf.peek(&name.key).await {
            Peeked::Hit(value) => {
                // What is damaged is for whoever asks next to see to.
                let max = self.config.max_value;
                let kept = entry::decode(&name.key, &value, max).ok_or(missed)?;
                self.hit(operation, &kept.entry);
                return Ok((kept.entry, Source::Memcached));
            }
            Peeked::Nothing => {}
            Peeked::Down => {
                Counters::add(&self.counters.errors);
                missed.down = true;
            }
        }
        Err(missed)
    }

    /// Goes on with a read that found nothing. Those of one key at a time are one.
    pub(crate) async fn fetch<T, E, L, F>(
        self: &Arc<Self>,
        name: &Name,
        operation: &'static str,
        mut missed: Missed,
        load: L,
    ) -> Result<Found<T>, E>
    where
        T: Send + 'static,
        E: Clone + Send + Sync + 'static,
        L: Fn() -> F + Send + Sync + 'static,
        F: Future<Output = Result<Loaded<T>, E>> + Send + 'static,
    {
        loop {
            let entered = self.enter(name);
            let flight = match entered {
                Entered::Past => {
                    Counters::add(&self.counters.past);
                    return past(load().await);
                }
                Entered::Lead(id, flight) => {
                    let lead = Lead {
                        core: self.clone(),
                        name: name.clone(),
                        id,
                        flight,
                    };
                    return lead.read(operation, &missed, load).await;
                }
                Entered::Join(flight) => flight,
            };
            match flight.wait().await {
                Landed::Entry(entry) => {
                    Counters::add(&self.counters.joined);
                    self.counters.save(operation, entry.cost);
                    return Ok(Found::Entry(entry, Source::Joined));
                }
                Landed::Failed(error) => match error.downcast_ref::<E>() {
                    Some(error) => return Err(error.clone()),
                    None => return past(load().await),
                },
                Landed::Private => {
                    Counters::add(&self.counters.past);
                    return past(load().await);
                }
                // Memcached has done nothing yet for the one who takes over.
                Landed::Abandoned => missed = Missed::new(Instant::now()),
            }
        }
    }

    /// What is kept of a thing, if it may be believed; fills nothing.
    pub(crate) async fn peek(&self, name: &Name, operation: &'static str) -> Option<Entry> {
        let now = Instant::now().into_std();
        if let Some(entry) = self.local_get(name, now) {
            Counters::add(&self.counters.local_hits);
            self.counters.save(operation, entry.cost);
            return Some(entry);
        }
        if !self.trusts(name, now) {
            return None;
        }
        let Peeked::Hit(value) = self.shelf.peek(&name.key).await else {
            return None;
        };
        let Kept { entry, .. } = entry::decode(&name.key, &value, self.config.max_value)?;
        Counters::add(&self.counters.hits);
        self.counters.save(operation, entry.cost);
        Some(entry)
    }

    fn enter(&self, name: &Name) -> Entered<Arc<Flight>> {
        let now = Instant::now().into_std();
        self.note_owner(name, now);
        if self.is_doubted_group(name, now) {
            return Entered::Past;
        }
        let shard = || self.shelf.shard(&name.key);
        self.fences().enter(&name.key, shard, now, Arc::default)
    }

    fn local_get(&self, name: &Name, now: std::time::Instant) -> Option<Entry> {
        #[cfg(feature = "local")]
        {
            let entry = self.local.as_ref()?.get(&name.key, now)?;
            (!self.is_doubted_group(name, now)).then_some(entry)
        }
        #[cfg(not(feature = "local"))]
        {
            let _ = (name, now);
            None
        }
    }

    fn decode(&self, name: &Name, value: &bytes::Bytes) -> Option<(Entry, Duration)> {
        let kept = entry::decode(&name.key, value, self.config.max_value)?;
        let now = entry::unix_ms(SystemTime::now());
        let fresh = Duration::from_millis(kept.fresh_until.saturating_sub(now));
        Some((kept.entry, fresh))
    }

    fn hit(&self, operation: &'static str, entry: &Entry) {
        let counters = &self.counters;
        Counters::add(&counters.hits);
        if entry.absent {
            Counters::add(&counters.absent_hits);
        }
        counters.save(operation, entry.cost);
    }

    /// How long an entry is fresh, and how long it is kept.
    pub(crate) fn times(&self, absent: bool) -> Option<(Duration, Duration)> {
        let config = &self.config;
        let ttl = if absent {
            config.absent_ttl?
        } else {
            config.ttl
        };
        let fresh = ttl.mul_f64(1.0 - config.jitter * fastrand::f64());
        // Absence is not worth a second life.
        let stale = if absent {
            Duration::ZERO
        } else {
            config.stale_for
        };
        Some((fresh, fresh + stale))
    }
}

fn past<T, E>(loaded: Result<Loaded<T>, E>) -> Result<Found<T>, E> {
    loaded.map(|loaded| match loaded {
        Loaded::Entry(entry) => Found::Entry(entry, Source::Service),
        Loaded::Private(answer) => Found::Private(answer),
    })
}

impl<S: Shelf> Lead<S> {
    async fn read<T, E, L, F>(
        self,
        operation: &'static str,
        missed: &Missed,
        load: L,
    ) -> Result<Found<T>, E>
    where
        T: Send + 'static,
        E: Clone + Send + Sync + 'static,
        L: Fn() -> F + Send + Sync + 'static,
        F: Future<Output = Result<Loaded<T>, E>> + Send + 'static,
    {
        let core = self.core.clone();
        let config = &core.config;
        let counters = &core.counters;
        let mut reading = Reading::new();
        let mut step = reading.start();
        let timeout = core.shelf.timeout();
        let patience = missed.began + config.wait.min(timeout);
        let mut pause = ASK_AGAIN;
        let mut mended = false;
        loop {
            step = match step {
                ReadStep::Look => {
                    let renew = (!config.stale_for.is_zero()).then_some(config.stale_for);
                    // All that is asked takes the time of one operation. In a little of it the server would
                    // not be to blame for giving no answer.
                    let limit = timeout.saturating_sub(missed.began.elapsed());
                    let looked = match missed.down || limit < timeout / 8 {
                        true => {
                            step = reading.looked(Looked::Down, false);
                            continue;
                        }
                        false => {
                            let key = &self.name.key;
                            core.shelf.look(key, config.lease, renew, limit).await
                        }
                    };
                    let patient = Instant::now() + pause < patience;
                    match self.understand(looked, &mut mended).await {
                        Some(looked) => reading.looked(looked, patient),
                        // A damaged entry was deleted: there is nothing now.
                        None => ReadStep::Look,
                    }
                }
                ReadStep::Wait => {
                    tokio::time::sleep(pause).await;
                    pause *= 2;
                    ReadStep::Look
                }
                ReadStep::Load | ReadStep::Done => {
                    Counters::add(&counters.misses);
                    return self.load(reading, &load).await;
                }
                ReadStep::Serve((entry, fresh)) => {
                    core.hit(operation, &entry);
                    self.keep(&entry, fresh);
                    self.flight.land(Landed::Entry(entry.clone()));
                    return Ok(Found::Entry(entry, Source::Memcached));
                }
                ReadStep::ServeAndRenew((entry, _), lease) => {
                    core.hit(operation, &entry);
                    Counters::add(&counters.stale_hits);
                    self.flight.land(Landed::Entry(entry.clone()));
                    // Others go on joining this flight until the new one is there.
                    let renewal = async move {
                        let _ = self.load(Reading::renewing(lease), &load).await;
                    };
                    tokio::spawn(renewal);
                    return Ok(Found::Entry(entry, Source::Stale));
                }
                ReadStep::Fill(lease) | ReadStep::Cancel(lease) => {
                    core.shelf.cancel(lease).await;
                    ReadStep::Load
                }
            };
        }
    }

    /// Reads what memcached had. A damaged entry is deleted, once.
    async fn understand(
        &self,
        looked: Looked<S::Lease, bytes::Bytes>,
        mended: &mut bool,
    ) -> Option<Looked<S::Lease, (Entry, Duration)>> {
        let core = &self.core;
        let (value, lease) = match looked {
            Looked::Hit(value) => (value, None),
            Looked::Renew(value, lease) => (value, Some(lease)),
            Looked::Win(lease) => return Some(Looked::Win(lease)),
            Looked::Lost => return Some(Looked::Lost),
            Looked::Down => {
                Counters::add(&core.counters.errors);
                return Some(Looked::Down);
            }
        };
        if let Some(decoded) = core.decode(&self.name, &value) {
            return Some(match lease {
                Some(lease) => Looked::Renew(decoded, lease),
                None => Looked::Hit(decoded),
            });
        }
        Counters::add(&core.counters.corrupt);
        if let Some(lease) = lease {
            // It is this read's to fill: what is there is written over.
            return Some(Looked::Win(lease));
        }
        if std::mem::replace(mended, true) || !core.shelf.delete(&self.name.key).await.is_safe() {
            return Some(Looked::Down);
        }
        None
    }

    /// Fetches it, and fills the key if that is this read's to do.
    async fn load<T, E, L, F>(self, reading: Reading<S::Lease>, load: &L) -> Result<Found<T>, E>
    where
        E: Clone + Send + Sync + 'static,
        L: Fn() -> F,
        F: Future<Output = Result<Loaded<T>, E>>,
    {
        let core = &self.core;
        let mut held = Held { core, reading };
        let loaded = load().await;
        let keep = match &loaded {
            Ok(Loaded::Entry(entry)) => {
                let size = entry.head.len() + entry.body.len();
                let times = core
                    .times(entry.absent)
                    .filter(|_| size <= core.config.max_value);
                times.map(|times| (entry.clone(), times))
            }
            _ => None,
        };
        self.flight.land(match &loaded {
            Ok(Loaded::Entry(entry)) => Landed::Entry(entry.clone()),
            Ok(Loaded::Private(_)) => Landed::Private,
            Err(error) => Landed::Failed(Arc::new(error.clone())),
        });
        if loaded.is_ok() && keep.is_none() {
            Counters::add(&core.counters.unkept);
        }
        let step = held.reading.loaded::<()>(keep.is_some(), self.is_current());
        match (step, keep) {
            (ReadStep::Fill(lease), Some((entry, (fresh, ttl)))) => {
                let until = entry::unix_ms(SystemTime::now() + fresh);
                let value = core.config.form.encode(&self.name.key, &entry, until);
                match core.shelf.fill(lease, value, ttl).await {
                    Filled::Stored => {
                        Counters::add(&core.counters.fills);
                        self.keep(&entry, fresh);
                    }
                    Filled::Refused => Counters::add(&core.counters.refused_fills),
                    Filled::Down => Counters::add(&core.counters.errors),
                }
            }
            (ReadStep::Cancel(lease), _) => core.shelf.cancel(lease).await,
            (_, Some((entry, (fresh, _)))) => self.keep(&entry, fresh),
            _ => {}
        }
        past(loaded)
    }
}

/// A read that fetches. Dropped meanwhile, it gives its lease back, so that nobody waits for it.
struct Held<'a, S: Shelf> {
    core: &'a Arc<Core<S>>,
    reading: Reading<S::Lease>,
}

impl<S: Shelf> Drop for Held<'_, S> {
    fn drop(&mut self) {
        if let Some(lease) = self.reading.take_lease()
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            let core = self.core.clone();
            runtime.spawn(async move { core.shelf.cancel(lease).await });
        }
    }
}
