//! Reading a key through the cache.

use std::future::Future;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::JoinError;
use tokio::time::{Instant, timeout};

use super::core::Core;
use super::entry::{self, Entry};
use super::flight::{Flight, Landed, Seat};
use super::lead::Lead;
use super::name::Name;
use super::shelf::{Peeked, Shelf};
use super::stats::Counters;
use super::trust::{Admit, Visit};

/// What came from where the thing is.
#[derive(Debug)]
pub enum Loaded<T> {
    /// Something that may be kept and shared.
    Entry(Entry),
    /// Something that only the caller can have, such as a body that streams. Others who wait for it fetch it
    /// themselves, each for itself.
    Private(T),
    /// Something that concerns only the caller, such as that its time is over. Others who wait for it begin anew, one
    /// of them for all.
    Own(T),
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
    /// Another task's read of the same, that began after this one.
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
    /// Tells apart those who would not fail alike, such as clients of other servers, or with other rules for
    /// repeating: an error of one load is shared only by those who read on the same terms. 0 if there is one sort.
    pub terms: u64,
}

/// A read that the cache had no answer for yet, from [`Cache::find`](super::Cache::find).
#[derive(Debug)]
#[must_use = "what is missing is to be fetched"]
pub struct Missed {
    pub(super) began: Instant,
    /// There was no answer, so there is no asking again.
    pub(super) down: bool,
    /// Memcached was asked.
    asked: bool,
}

impl Missed {
    fn new(began: Instant) -> Self {
        Self {
            began,
            down: false,
            asked: false,
        }
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
        let missed = if want.refresh {
            let delete = self.clone().write(vec![name.clone()], false).await;
            delete.finish(true, None).await;
            Missed::new(Instant::now())
        } else {
            match self.find(name, want.operation).await {
                Ok((entry, source)) => return Ok(Found::Entry(entry, source)),
                Err(missed) => missed,
            }
        };
        self.fetch(name, want, missed, load).await
    }

    /// Looks for a key where that is all there is to do, so that a hit costs no more than the question: nobody
    /// waits for this read, and it fills nothing.
    pub(crate) async fn find(
        &self,
        name: &Name,
        operation: &'static str,
    ) -> Result<(Entry, Source), Missed> {
        let mut missed = Missed::new(Instant::now());
        if let Some(entry) = self.find_local(name, operation) {
            return Ok((entry, Source::Local));
        }
        if self.finds
            && let Some(entry) = self.ask(name, operation, &mut missed).await
        {
            return Ok((entry, Source::Memcached));
        }
        Err(missed)
    }

    /// What is kept of a thing, if it may be believed; fills nothing.
    pub(crate) async fn peek(&self, name: &Name, operation: &'static str) -> Option<Entry> {
        if let Some(entry) = self.find_local(name, operation) {
            return Some(entry);
        }
        let mut missed = Missed::new(Instant::now());
        self.ask(name, operation, &mut missed).await
    }

    /// What the first tier has.
    fn find_local(&self, name: &Name, operation: &'static str) -> Option<Entry> {
        #[cfg(feature = "local")]
        {
            let now = super::trust::now();
            let entry = self.local.as_ref()?.get(&name.key, now)?;
            if !self.trust.believes_local(name) {
                return None;
            }
            Counters::add(&self.counters.local_hits);
            self.counters.save(operation, entry.cost);
            Some(entry)
        }
        #[cfg(not(feature = "local"))]
        {
            let _ = (name, operation);
            None
        }
    }

    /// What memcached has, if it may be believed.
    async fn ask(
        &self,
        name: &Name,
        operation: &'static str,
        missed: &mut Missed,
    ) -> Option<Entry> {
        let list = self.shelf.list();
        if !self.trust.believes(name, &self.shelf) {
            return None;
        }
        missed.asked = true;
        match self.shelf.peek(&name.key).await {
            // It may have come from a server that nobody has answered for.
            Peeked::Hit(_) if self.shelf.list() != list => None,
            Peeked::Hit(value) => {
                // What is damaged is for whoever leads to see to.
                let kept = entry::decode(&name.key, &value, self.config.max_value)?;
                self.hit(operation, &kept.entry);
                Some(kept.entry)
            }
            Peeked::Nothing => None,
            Peeked::Down => {
                Counters::add(&self.counters.errors);
                missed.down = true;
                None
            }
        }
    }

    /// What is kept of a thing makes no sense to its reader: deletes it. The read goes on as one that found nothing.
    pub(crate) async fn discard(&self, name: &Name) -> Missed {
        Counters::add(&self.counters.corrupt);
        self.forget_local(name);
        self.shelf.delete(&name.key).await;
        Missed::new(Instant::now())
    }

    /// Goes on with a read that found nothing: one at a time leads, and the others [meet](super::flight) it.
    pub(crate) async fn fetch<T, E, L, F>(
        self: &Arc<Self>,
        name: &Name,
        want: Want,
        mut missed: Missed,
        load: L,
    ) -> Result<Found<T>, E>
    where
        T: Send + 'static,
        E: Clone + Send + Sync + 'static,
        L: Fn() -> F + Send + Sync + 'static,
        F: Future<Output = Result<Loaded<T>, E>> + Send + 'static,
    {
        let Ok(runtime) = Handle::try_current() else {
            // Nobody may wait for what only this caller polls.
            Counters::add(&self.counters.past);
            return past(load().await);
        };
        let load = Arc::new(load);
        let mut visit = Visit::default();
        loop {
            // Before it is admitted: what it finds later is believed only if this is the list still.
            let list = self.shelf.list();
            let (number, shares, seat) = match self.admit(name, &mut visit) {
                Admit::Past => {
                    Counters::add(&self.counters.past);
                    return past(load().await);
                }
                Admit::Lead(number, seat) => {
                    let lead = Lead::new(self.clone(), name.clone(), number, seat.flight(), list);
                    let (tell, told) = oneshot::channel();
                    let task = runtime.spawn(lead.run(want, missed, load.clone(), tell));
                    let Ok(outcome) = told.await else {
                        return match task.await.map_err(JoinError::try_into_panic) {
                            Err(Ok(panic)) => resume_unwind(panic),
                            // The runtime is going down.
                            _ => past(load().await),
                        };
                    };
                    // Who reads next finds it there; a memcached that is slow holds nobody up for long.
                    let patience = self.config.wait.min(self.shelf.timeout());
                    drop(timeout(patience, task).await);
                    return outcome;
                }
                Admit::Join {
                    number,
                    shares,
                    flight: seat,
                } => (number, shares, seat),
            };
            if !shares
                && !std::mem::replace(&mut missed.asked, true)
                && let Some(entry) = self.ask(name, want.operation, &mut missed).await
            {
                return Ok(Found::Entry(entry, Source::Memcached));
            }
            match seat.wait(shares, self.config.lease).await {
                Some(Landed::Entry(entry)) if shares => {
                    Counters::add(&self.counters.joined);
                    self.counters.save(want.operation, entry.cost);
                    return Ok(Found::Entry(entry, Source::Joined));
                }
                Some(Landed::Failed(error, terms)) if terms == want.terms => {
                    match error.downcast_ref::<E>() {
                        Some(error) => return Err(error.clone()),
                        None => return past(load().await),
                    }
                }
                Some(Landed::Private) => {
                    Counters::add(&self.counters.past);
                    return past(load().await);
                }
                Some(_) => {}
                None => visit.over = Some(number),
            }
            // Memcached may have it by now, and is asked by the one who leads.
            missed = Missed::new(Instant::now());
            missed.asked = true;
        }
    }

    fn admit(&self, name: &Name, visit: &mut Visit) -> Admit<Seat> {
        let flight = || Arc::new(Flight::new());
        // Seats are taken under the lock under which a task sees that nobody has one.
        self.trust.with_rules(
            |rules, at| match rules.admit(name, &self.shelf, at, visit, flight) {
                Admit::Past => Admit::Past,
                Admit::Lead(number, flight) => Admit::Lead(number, Seat::take(flight)),
                Admit::Join {
                    number,
                    shares,
                    flight,
                } => Admit::Join {
                    number,
                    shares,
                    flight: Seat::take(flight),
                },
            },
        )
    }

    pub(super) fn decode(&self, name: &Name, value: &bytes::Bytes) -> Option<(Entry, Duration)> {
        let kept = entry::decode(&name.key, value, self.config.max_value)?;
        let now = entry::unix_ms(SystemTime::now());
        let fresh = Duration::from_millis(kept.fresh_until.saturating_sub(now));
        Some((kept.entry, fresh))
    }

    pub(super) fn hit(&self, operation: &'static str, entry: &Entry) {
        let counters = &self.counters;
        Counters::add(&counters.hits);
        if entry.absent {
            Counters::add(&counters.absent_hits);
        }
        counters.save(operation, entry.cost);
    }
}

pub(super) fn past<T, E>(loaded: Result<Loaded<T>, E>) -> Result<Found<T>, E> {
    loaded.map(|loaded| match loaded {
        Loaded::Entry(entry) => Found::Entry(entry, Source::Service),
        Loaded::Private(answer) | Loaded::Own(answer) => Found::Private(answer),
    })
}
