//! The read of a key that leads: it looks in memcached, fetches what is missing, and fills.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
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

/// Where the answer of a read that leads goes to, as soon as it is there.
pub(super) type Tell<T, E> = oneshot::Sender<Result<Found<T>, E>>;

/// The right to lead. Dropped, it wakes those who wait, and one of them leads.
pub(super) struct Lead<S: Shelf> {
    core: Arc<Core<S>>,
    name: Name,
    number: u64,
    flight: Arc<Flight>,
    /// The list of servers by which it was admitted.
    list: u64,
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
    pub(super) fn new(
        core: Arc<Core<S>>,
        name: Name,
        number: u64,
        flight: Arc<Flight>,
        list: u64,
    ) -> Self {
        Self {
            core,
            name,
            number,
            flight,
            list,
        }
    }

    /// The task: reads. It ends early only while it loads, when nobody waits for it. The answer is told before the key
    /// is filled.
    pub(super) fn run<T, E, L, F>(
        self,
        want: Want,
        missed: Missed,
        load: Arc<L>,
        tell: Tell<T, E>,
    ) -> impl Future<Output = ()> + Send + 'static
    where
        T: Send + 'static,
        E: Clone + Send + Sync + 'static,
        L: Fn() -> F + Send + Sync + 'static,
        F: Future<Output = Result<Loaded<T>, E>> + Send + 'static,
    {
        self.read(want, missed, load, tell).in_current_span()
    }

    /// Fetches it, unless nobody waits for it.
    async fn wanted<R>(&self, load: impl Future<Output = R>) -> Option<R> {
        let mut load = pin!(load);
        loop {
            let mut left = pin!(self.flight.left());
            let loaded = poll_fn(|cx| {
                // First, so that nothing is begun that nobody waits for.
                if left.as_mut().poll(cx).is_ready() {
                    return Poll::Ready(None);
                }
                load.as_mut().poll(cx).map(Some)
            });
            if let Some(loaded) = loaded.await {
                return Some(loaded);
            }
            // Whoever meets it does so under this lock, and takes a seat.
            let deserted = self.core.trust.with_rules(|rules, at| {
                let deserted = self.flight.is_empty();
                if deserted {
                    rules.leave(&self.name.key, self.number, at.now);
                }
                deserted
            });
            if deserted {
                return None;
            }
        }
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

    async fn read<T, E, L, F>(self, want: Want, missed: Missed, load: Arc<L>, tell: Tell<T, E>)
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
                    let loading = async { load().await };
                    return self.load(reading, want.terms, loading, Some(tell)).await;
                }
                ReadStep::Serve((entry, fresh)) => {
                    core.hit(want.operation, &entry);
                    self.keep(&entry, fresh);
                    self.flight.land(Landed::Entry(entry.clone()));
                    // Its caller may have gone.
                    drop(tell.send(Ok(Found::Entry(entry, Source::Memcached))));
                    return;
                }
                ReadStep::ServeAndRenew((entry, _), lease) => {
                    core.hit(want.operation, &entry);
                    Counters::add(&counters.stale_hits);
                    self.flight.land(Landed::Entry(entry.clone()));
                    self.renew(lease, want.terms, load);
                    drop(tell.send(Ok(Found::Entry(entry, Source::Stale))));
                    return;
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
        let (name, list) = (self.name.clone(), self.list);
        let lead = number.map(|n| Self::new(core.clone(), name, n, flight, list));
        let renewal = async move {
            match lead {
                Some(lead) => {
                    let (reading, loading) = (Reading::renewing(lease), async { load().await });
                    // Nobody in particular waits for it.
                    lead.load::<T, E, _>(reading, terms, loading, None).await;
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
        if core.shelf.list() != self.list {
            // It may have come from a server that nobody has answered for.
            return Some(lease.map_or(Looked::Down, Looked::Win));
        }
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

    /// Fetches it, and fills the key if that is this read's to do. With somebody to tell it ends early when nobody waits
    /// for it.
    async fn load<T, E, F>(
        self,
        reading: Reading<S::Lease>,
        terms: u64,
        loading: F,
        tell: Option<Tell<T, E>>,
    ) where
        E: Clone + Send + Sync + 'static,
        F: Future<Output = Result<Loaded<T>, E>>,
    {
        let core = &self.core;
        let mut held = Held { core, reading };
        let loaded = match &tell {
            Some(_) => self.wanted(loading).await,
            None => Some(loading.await),
        };
        let Some(loaded) = loaded else {
            if let Some(lease) = held.reading.take_lease() {
                core.shelf.cancel(lease).await;
            }
            return;
        };
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
        let entry = match &loaded {
            Ok(Loaded::Entry(entry)) => Some(entry.clone()),
            _ => None,
        };
        if let Some(tell) = tell {
            drop(tell.send(past(loaded)));
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
        if let (Some(entry), Some(fresh), true) = (entry, fresh, kept) {
            self.keep(&entry, fresh);
        }
    }
}

/// A read that fetches. When its runtime ends meanwhile, it gives its lease back if it can, so that nobody waits for it.
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
