//! Reading a key through the cache.

use std::future::Future;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::JoinError;
use tokio::time::{Instant, timeout};

use super::backend::{Backend, Peeked};
use super::core::Core;
use super::entry::{self, Entry};
use super::flight::{Flight, Landed, Seat};
use super::lead::Lead;
use super::name::Name;
use super::stats::count;
use super::trust::{Admission, Visit};

/// What a load has brought from where the thing is.
#[derive(Debug)]
pub enum Loaded<T> {
    /// An answer that may be kept, and shared with others.
    Entry(Entry),
    /// An answer that only the caller can have, such as a body that streams. Each of the others that wait for it
    /// loads for itself.
    Private(T),
    /// An outcome that concerns only the caller, for example that its time is over. The others that wait for it begin
    /// anew, and one of them loads for all.
    Own(T),
}

/// This is what a read found.
#[derive(Debug)]
pub enum Found<T> {
    /// It found this answer, which came from this source.
    Entry(Entry, Source),
    /// It found what the caller's own load has brought, and only the caller has it.
    Private(T),
}

/// Where an answer came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Source {
    /// It came from the first tier, in the memory of this process.
    Local,
    /// It came from memcached.
    Memcached,
    /// It came from memcached and is past its time to live. It is being fetched anew.
    Stale,
    /// It came from another task's read of the same thing that began after this one.
    Joined,
    /// It came from the service.
    Service,
}

/// This is what a read wants of the cache.
#[derive(Clone, Copy, Debug)]
pub struct Want {
    /// The name of the operation, for [the figures of what was saved](crate::Saved).
    pub operation: &'static str,
    /// Whether the read wants a fresh answer. What is kept is then deleted first.
    pub refresh: bool,
    /// A number that tells apart readers that would not fail alike, such as clients of other servers, or clients that
    /// repeat requests by other rules. An error of a load is shared only by those that read on the same terms. It is
    /// 0 where there is only one sort of readers.
    pub terms: u64,
}

/// A read that the cache had no answer for yet, from [`Cache::find`](super::Cache::find).
#[derive(Debug)]
#[must_use = "what is missing is to be fetched"]
pub struct Missed {
    pub(super) began: Instant,
    /// Memcached gave no answer, so it is not asked again.
    pub(super) down: bool,
    /// This tells whether memcached was asked before.
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

impl<S: Backend> Core<S> {
    /// Reads a key through the cache. What the cache lacks is fetched with `load`.
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

    /// The first half of a [read](Self::read): looks for a key where that is all there is to do, so that a hit costs no
    /// more than the question.
    pub(crate) async fn find(
        &self,
        name: &Name,
        operation: &'static str,
    ) -> Result<(Entry, Source), Missed> {
        self.look_up(name, operation, self.finds).await
    }

    /// What is kept of a thing, if it may be believed.
    pub(crate) async fn peek(&self, name: &Name, operation: &'static str) -> Option<Entry> {
        let found = self.look_up(name, operation, true).await;
        found.ok().map(|(entry, _)| entry)
    }

    /// Looks in the first tier and, where `asks` is set, in memcached. Nobody waits for this, and it fills nothing.
    async fn look_up(
        &self,
        name: &Name,
        operation: &'static str,
        asks: bool,
    ) -> Result<(Entry, Source), Missed> {
        let mut missed = Missed::new(Instant::now());
        if let Some(entry) = self.find_local(name, operation) {
            return Ok((entry, Source::Local));
        }
        if asks && let Some(entry) = self.ask(name, operation, &mut missed).await {
            return Ok((entry, Source::Memcached));
        }
        Err(missed)
    }

    /// Gives what the first tier has, if it may be believed.
    fn find_local(&self, name: &Name, operation: &'static str) -> Option<Entry> {
        #[cfg(feature = "local")]
        {
            let now = super::trust::now();
            let entry = self.local.as_ref()?.get(&name.key, now)?;
            if !self.trust.believes_local(name) {
                return None;
            }
            count(&self.counters.local_hits);
            self.savings.add(operation, entry.cost);
            Some(entry)
        }
        #[cfg(not(feature = "local"))]
        {
            let _ = (name, operation);
            None
        }
    }

    /// Gives what memcached has, if it may be believed.
    async fn ask(
        &self,
        name: &Name,
        operation: &'static str,
        missed: &mut Missed,
    ) -> Option<Entry> {
        let list = self.backend.list();
        if !self.trust.believes(name, &self.backend) {
            return None;
        }
        missed.asked = true;
        match self.backend.peek(&name.key).await {
            // The list of servers has changed, so the value may come from a server that no deletion of a write has
            // reached.
            Peeked::Hit(_) if self.backend.list() != list => None,
            Peeked::Hit(value) => {
                // The read that leads deletes what is damaged.
                let kept = entry::decode(&name.key, &value, self.config.max_value)?;
                self.hit(operation, &kept.entry);
                Some(kept.entry)
            }
            Peeked::Nothing => None,
            Peeked::Down => {
                count(&self.counters.errors);
                missed.down = true;
                None
            }
        }
    }

    /// Deletes what is kept of a thing, since it makes no sense to its reader. The read goes on as one that found
    /// nothing.
    pub(crate) async fn discard(&self, name: &Name) -> Missed {
        count(&self.counters.corrupt);
        self.forget_local(name);
        self.backend.delete(&name.key).await;
        Missed::new(Instant::now())
    }

    /// Goes on with a read that found nothing. One read at a time leads, and the others [meet](super::flight) it.
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
            // Without a runtime only this caller would poll the load, so nobody else may wait for it.
            count(&self.counters.past);
            return past(load().await);
        };
        let load = Arc::new(load);
        let mut visit = Visit::default();
        loop {
            // This comes before the admission: what the read finds later is believed only if this is still the list.
            let list = self.backend.list();
            let (number, shares, seat) = match self.admit(name, &mut visit) {
                Admission::Past => {
                    count(&self.counters.past);
                    return past(load().await);
                }
                Admission::Lead(number, seat) => {
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
                    // The next read finds the entry there. A memcached that is slow holds nobody up for long.
                    let patience = self.config.wait.min(self.backend.timeout());
                    drop(timeout(patience, task).await);
                    return outcome;
                }
                Admission::Join {
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
                    count(&self.counters.joined);
                    self.savings.add(want.operation, entry.cost);
                    return Ok(Found::Entry(entry, Source::Joined));
                }
                Some(Landed::Failed(error, terms)) if terms == want.terms => {
                    match error.downcast_ref::<E>() {
                        Some(error) => return Err(error.clone()),
                        None => return past(load().await),
                    }
                }
                Some(Landed::Private) => {
                    count(&self.counters.past);
                    return past(load().await);
                }
                Some(_) => {}
                None => visit.over = Some(number),
            }
            // Memcached may have the entry by now, and the read that leads asks for it.
            missed = Missed::new(Instant::now());
            missed.asked = true;
        }
    }

    fn admit(&self, name: &Name, visit: &mut Visit) -> Admission<Seat> {
        let flight = || Arc::new(Flight::new());
        // A task looks under this same lock whether nobody has a seat.
        self.trust.with(
            |trust, at| match trust.admit(name, &self.backend, at, visit, flight) {
                Admission::Past => Admission::Past,
                Admission::Lead(number, flight) => Admission::Lead(number, Seat::take(flight)),
                Admission::Join {
                    number,
                    shares,
                    flight,
                } => Admission::Join {
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
        count(&counters.hits);
        if entry.absent {
            count(&counters.absent_hits);
        }
        self.savings.add(operation, entry.cost);
    }
}

pub(super) fn past<T, E>(loaded: Result<Loaded<T>, E>) -> Result<Found<T>, E> {
    loaded.map(|loaded| match loaded {
        Loaded::Entry(entry) => Found::Entry(entry, Source::Service),
        Loaded::Private(answer) | Loaded::Own(answer) => Found::Private(answer),
    })
}
