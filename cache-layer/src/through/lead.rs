//! The read of a key that leads: it looks in memcached, fetches what is missing, and fills.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use tokio::runtime::Handle;
use tokio::time::Instant;
use tracing::Instrument;

use super::core::Core;
use super::entry::Entry;
use super::flight::{Flight, Landed};
use super::name::Name;
use super::read::{Found, Loaded, Missed, Source, Want, past};
use super::shelf::{Filled, Shelf};
use super::stats::Counters;
use super::steps::{Looked, ReadStep, Reading};

/// How long between one question and the next while another fills.
const ASK_AGAIN: Duration = Duration::from_millis(2);

/// What became of the task.
pub(super) enum Outcome<R> {
    Ended(R),
    /// Nobody waited any longer.
    Deserted,
}

/// The right to lead. Dropped, it wakes those who wait, and one of them leads.
pub(super) struct Lead<S: Shelf> {
    core: Arc<Core<S>>,
    name: Name,
    number: u64,
    flight: Arc<Flight>,
}

impl<S: Shelf> Drop for Lead<S> {
    fn drop(&mut self) {
        let now = super::trust::now();
        // First, so that who is woken does not meet it again.
        let trust = &self.core.trust;
        trust.rules().leave(&self.name.key, self.number, now);
        self.flight.end();
    }
}

impl<S: Shelf> Lead<S> {
    pub(super) fn new(core: Arc<Core<S>>, name: Name, number: u64, flight: Arc<Flight>) -> Self {
        Self {
            core,
            name,
            number,
            flight,
        }
    }

    /// The task: reads, until nobody waits for it.
    pub(super) fn run<T, E, L, F>(
        self,
        want: Want,
        missed: Missed,
        load: Arc<L>,
    ) -> impl Future<Output = Outcome<Result<Found<T>, E>>> + Send + 'static
    where
        T: Send + 'static,
        E: Clone + Send + Sync + 'static,
        L: Fn() -> F + Send + Sync + 'static,
        F: Future<Output = Result<Loaded<T>, E>> + Send + 'static,
    {
        let (core, flight) = (self.core.clone(), self.flight.clone());
        let (key, number) = (self.name.key.clone(), self.number);
        let task = async move {
            let mut work = pin!(self.read(want, missed, load));
            loop {
                let mut left = pin!(flight.left());
                let ended = poll_fn(|cx| match work.as_mut().poll(cx) {
                    Poll::Ready(outcome) => Poll::Ready(Some(outcome)),
                    Poll::Pending => left.as_mut().poll(cx).map(|()| None),
                });
                if let Some(outcome) = ended.await {
                    return Outcome::Ended(outcome);
                }
                // Whoever meets it does so under this lock, and takes a seat.
                let mut rules = core.trust.rules();
                if flight.is_empty() {
                    rules.leave(&key, number, super::trust::now());
                    return Outcome::Deserted;
                }
            }
        };
        task.in_current_span()
    }

    fn is_current(&self) -> bool {
        let trust = &self.core.trust;
        trust.rules().is_current(&self.name.key, self.number)
    }

    /// Keeps it in the first tier, unless it was written since this read began.
    fn keep(&self, entry: &Entry, fresh: Duration) {
        #[cfg(feature = "local")]
        if let Some(local) = &self.core.local {
            // Under the lock: a write that begins after this removes it again.
            let rules = self.core.trust.rules();
            if rules.is_current(&self.name.key, self.number) {
                local.insert(&self.name.key, entry, super::trust::now(), fresh);
            }
        }
        #[cfg(not(feature = "local"))]
        let _ = (entry, fresh);
    }

    async fn read<T, E, L, F>(self, want: Want, missed: Missed, load: Arc<L>) -> Result<Found<T>, E>
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
                    return self.load(reading, want.terms, &*load).await;
                }
                ReadStep::Serve((entry, fresh)) => {
                    core.hit(want.operation, &entry);
                    self.keep(&entry, fresh);
                    self.flight.land(Landed::Entry(entry.clone()));
                    return Ok(Found::Entry(entry, Source::Memcached));
                }
                ReadStep::ServeAndRenew((entry, _), lease) => {
                    core.hit(want.operation, &entry);
                    Counters::add(&counters.stale_hits);
                    self.flight.land(Landed::Entry(entry.clone()));
                    self.renew(lease, want.terms, load);
                    return Ok(Found::Entry(entry, Source::Stale));
                }
                ReadStep::Fill(lease) | ReadStep::Cancel(lease) => {
                    core.shelf.cancel(lease).await;
                    ReadStep::Load
                }
            };
        }
    }

    /// Fetches anew what was answered with already, for nobody in particular: whoever comes meanwhile finds in
    /// memcached what is stale, or waits for this.
    fn renew<T, E, L, F>(&self, lease: S::Lease, terms: u64, load: Arc<L>)
    where
        T: Send + 'static,
        E: Clone + Send + Sync + 'static,
        L: Fn() -> F + Send + Sync + 'static,
        F: Future<Output = Result<Loaded<T>, E>> + Send + 'static,
    {
        let (core, flight) = (self.core.clone(), Arc::new(Flight::new()));
        let key = &self.name.key;
        let number = core.trust.rules().succeed(key, self.number, flight.clone());
        let lead = number.map(|n| Self::new(core.clone(), self.name.clone(), n, flight));
        let renewal = async move {
            match lead {
                Some(lead) => {
                    let reading = Reading::renewing(lease);
                    let _ = lead.load::<T, E, L, F>(reading, terms, &*load).await;
                }
                // It was written meanwhile.
                None => core.shelf.cancel(lease).await,
            }
        };
        tokio::spawn(renewal.in_current_span());
    }

    /// Reads what memcached had. A damaged entry is deleted, once.
    async fn understand(
        &self,
        looked: Looked<S::Lease, Bytes>,
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
    async fn load<T, E, L, F>(
        self,
        reading: Reading<S::Lease>,
        terms: u64,
        load: &L,
    ) -> Result<Found<T>, E>
    where
        E: Clone + Send + Sync + 'static,
        L: Fn() -> F,
        F: Future<Output = Result<Loaded<T>, E>>,
    {
        let core = &self.core;
        let mut held = Held { core, reading };
        let loaded = load().await;
        let keep = match &loaded {
            Ok(Loaded::Entry(entry)) => core.to_keep(&self.name, entry),
            _ => None,
        };
        self.flight.land(match &loaded {
            Ok(Loaded::Entry(entry)) => Landed::Entry(entry.clone()),
            Ok(Loaded::Private(_)) => Landed::Private,
            Ok(Loaded::Own(_)) => Landed::Abandoned,
            Err(error) => Landed::Failed(Arc::new(error.clone()), terms),
        });
        if keep.is_none() && matches!(loaded, Ok(Loaded::Entry(_) | Loaded::Private(_))) {
            Counters::add(&core.counters.unkept);
        }
        let step = held.reading.loaded::<()>(keep.is_some(), self.is_current());
        let fresh = keep.as_ref().map(|kept| kept.fresh);
        let kept = match (step, keep) {
            (ReadStep::Fill(lease), Some(keep)) => {
                let filled = core.shelf.fill(lease, keep.value, keep.ttl).await;
                match filled {
                    Filled::Stored => Counters::add(&core.counters.fills),
                    Filled::Refused => Counters::add(&core.counters.refused_fills),
                    Filled::Down => Counters::add(&core.counters.errors),
                }
                filled == Filled::Stored
            }
            (ReadStep::Cancel(lease), _) => {
                core.shelf.cancel(lease).await;
                false
            }
            _ => true,
        };
        if let (Ok(Loaded::Entry(entry)), Some(fresh), true) = (&loaded, fresh, kept) {
            self.keep(entry, fresh);
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
            && let Ok(runtime) = Handle::try_current()
        {
            let core = self.core.clone();
            runtime.spawn(async move { core.shelf.cancel(lease).await });
        }
    }
}
