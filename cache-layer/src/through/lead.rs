//! The read of a key that leads. It looks in memcached, fetches what is missing, and fills the key.

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

use super::backend::{Backend, Filled};
use super::core::Core;
use super::entry::Entry;
use super::flight::{Flight, Landed};
use super::name::Name;
use super::read::{Found, Loaded, Missed, Source, Want, past};
use super::stats::count;
use super::steps::{Looked, ReadStep, ReadSteps};

/// The pause between the first question and the second while another process fills the key. Each next pause is twice
/// as long.
const FIRST_PAUSE: Duration = Duration::from_millis(2);

/// Takes the answer of a read that leads, as soon as there is one.
pub(super) type Tell<T, E> = oneshot::Sender<Result<Found<T>, E>>;

/// The right to lead. When it is dropped, those that wait are woken, and one of them leads.
pub(super) struct Lead<S: Backend> {
    core: Arc<Core<S>>,
    name: Name,
    number: u64,
    flight: Arc<Flight>,
    /// The list of servers by which it was admitted.
    list: u64,
}

impl<S: Backend> Drop for Lead<S> {
    fn drop(&mut self) {
        let now = super::trust::now();
        // This comes first, so that those that are woken do not meet it again.
        let trust = &self.core.trust;
        trust.lock().leave(&self.name.key, self.number, now);
        self.flight.end();
    }
}

impl<S: Backend> Lead<S> {
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

    /// The task that reads. It ends early only while it loads, and only when nobody waits for it. It tells the answer
    /// before it fills the key.
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

    /// Runs `load` to its end, unless nobody waits for it any more.
    async fn wanted<R>(&self, load: impl Future<Output = R>) -> Option<R> {
        let mut load = pin!(load);
        loop {
            let mut left = pin!(self.flight.left());
            let loaded = poll_fn(|cx| {
                // This comes first, so that no load begins that nobody waits for.
                if left.as_mut().poll(cx).is_ready() {
                    return Poll::Ready(None);
                }
                load.as_mut().poll(cx).map(Some)
            });
            if let Some(loaded) = loaded.await {
                return Some(loaded);
            }
            // Reads meet it under this lock, and take their seats under it.
            let deserted = self.core.trust.with(|trust, at| {
                let deserted = self.flight.is_empty();
                if deserted {
                    trust.leave(&self.name.key, self.number, at.now);
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
        trust.lock().is_current(&self.name.key, self.number)
    }

    /// Keeps the entry in the first tier, unless the key was written since this read began.
    fn keep(&self, entry: &Entry, fresh: Duration) {
        #[cfg(feature = "local")]
        if let Some(local) = &self.core.local {
            // This happens under the lock, so that a write that begins later removes the entry again.
            let trust = self.core.trust.lock();
            if trust.is_current(&self.name.key, self.number) {
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
        let mut reading = ReadSteps::new();
        let mut step = reading.start();
        let timeout = core.backend.timeout();
        let patience = missed.began + config.wait.min(timeout);
        let mut pause = FIRST_PAUSE;
        let mut mended = false;
        loop {
            step = match step {
                ReadStep::Look => {
                    let renew = (!config.stale_for.is_zero()).then_some(config.stale_for);
                    // All questions of a read together have the time of one operation. When little of it is left, a
                    // server that gives no answer would not be to blame, so it is not asked.
                    let limit = timeout.saturating_sub(missed.began.elapsed());
                    let looked = match missed.down || limit < timeout / 8 {
                        true => {
                            step = reading.looked(Looked::Down, false);
                            continue;
                        }
                        false => {
                            let key = &self.name.key;
                            core.backend.look(key, config.lease, renew, limit).await
                        }
                    };
                    let patient = Instant::now() + pause < patience;
                    match self.understand(looked, &mut mended).await {
                        Some(looked) => reading.looked(looked, patient),
                        // A damaged entry was deleted, so that there is nothing now.
                        None => ReadStep::Look,
                    }
                }
                ReadStep::Wait => {
                    tokio::time::sleep(pause).await;
                    pause *= 2;
                    ReadStep::Look
                }
                ReadStep::Load | ReadStep::Done => {
                    count(&counters.misses);
                    let loading = async { load().await };
                    return self.load(reading, want.terms, loading, Some(tell)).await;
                }
                ReadStep::Serve((entry, fresh)) => {
                    core.hit(want.operation, &entry);
                    self.keep(&entry, fresh);
                    self.flight.land(Landed::Entry(entry.clone()));
                    // The caller may have gone away.
                    drop(tell.send(Ok(Found::Entry(entry, Source::Memcached))));
                    return;
                }
                ReadStep::ServeAndRenew((entry, _), lease) => {
                    core.hit(want.operation, &entry);
                    count(&counters.stale_hits);
                    self.flight.land(Landed::Entry(entry.clone()));
                    self.renew(lease, want.terms, load);
                    drop(tell.send(Ok(Found::Entry(entry, Source::Stale))));
                    return;
                }
                ReadStep::Fill(lease) | ReadStep::Cancel(lease) => {
                    core.backend.cancel(lease).await;
                    ReadStep::Load
                }
            };
        }
    }

    /// Fetches a stale entry anew after the read was answered with it. Reads that come meanwhile find the stale entry
    /// in memcached, or wait for this.
    fn renew<T, E, L, F>(&self, lease: S::Right, terms: u64, load: Arc<L>)
    where
        T: Send + 'static,
        E: Clone + Send + Sync + 'static,
        L: Fn() -> F + Send + Sync + 'static,
        F: Future<Output = Result<Loaded<T>, E>> + Send + 'static,
    {
        let (core, flight) = (self.core.clone(), Arc::new(Flight::new()));
        let key = &self.name.key;
        let number = core.trust.lock().succeed(key, self.number, flight.clone());
        let (name, list) = (self.name.clone(), self.list);
        let lead = number.map(|n| Self::new(core.clone(), name, n, flight, list));
        let renewal = async move {
            match lead {
                Some(lead) => {
                    let (reading, loading) = (ReadSteps::renewing(lease), async { load().await });
                    // No caller waits for its answer.
                    lead.load::<T, E, _>(reading, terms, loading, None).await;
                }
                // The key was written meanwhile.
                None => core.backend.cancel(lease).await,
            }
        };
        tokio::spawn(renewal.in_current_span());
    }

    /// Decodes what memcached had. A damaged entry is deleted once, and the read looks again.
    async fn understand(
        &self,
        looked: Looked<S::Right, Bytes>,
        mended: &mut bool,
    ) -> Option<Looked<S::Right, (Entry, Duration)>> {
        let core = &self.core;
        let (value, lease) = match looked {
            Looked::Hit(value) => (value, None),
            Looked::Renew(value, lease) => (value, Some(lease)),
            Looked::Win(lease) => return Some(Looked::Win(lease)),
            Looked::Lost => return Some(Looked::Lost),
            Looked::Down => {
                count(&core.counters.errors);
                return Some(Looked::Down);
            }
        };
        if core.backend.list() != self.list {
            // The list of servers has changed, so the value may come from a server that no deletion of a write has
            // reached.
            return Some(lease.map_or(Looked::Down, Looked::Win));
        }
        if let Some(decoded) = core.decode(&self.name, &value) {
            return Some(match lease {
                Some(lease) => Looked::Renew(decoded, lease),
                None => Looked::Hit(decoded),
            });
        }
        count(&core.counters.corrupt);
        if let Some(lease) = lease {
            // This read may fill the key, and writes over what is there.
            return Some(Looked::Win(lease));
        }
        if std::mem::replace(mended, true) || !core.backend.delete(&self.name.key).await.is_safe() {
            return Some(Looked::Down);
        }
        None
    }

    /// Fetches the answer, tells it, and fills the key if this read has the right to. Where there is somebody to
    /// tell, the load ends early when nobody waits for it any more.
    async fn load<T, E, F>(
        self,
        reading: ReadSteps<S::Right>,
        terms: u64,
        loading: F,
        tell: Option<Tell<T, E>>,
    ) where
        E: Clone + Send + Sync + 'static,
        F: Future<Output = Result<Loaded<T>, E>>,
    {
        let core = &self.core;
        let mut held = HeldRight { core, reading };
        let loaded = match &tell {
            Some(_) => self.wanted(loading).await,
            None => Some(loading.await),
        };
        let Some(loaded) = loaded else {
            if let Some(lease) = held.reading.take_lease() {
                core.backend.cancel(lease).await;
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
            count(&core.counters.unkept);
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
                let filled = core.backend.fill(lease, keep.value, keep.ttl).await;
                match filled {
                    Filled::Stored => count(&core.counters.fills),
                    Filled::Refused => count(&core.counters.refused_fills),
                    Filled::Down => count(&core.counters.errors),
                }
                filled == Filled::Stored
            }
            (ReadStep::Cancel(lease), _) => {
                core.backend.cancel(lease).await;
                false
            }
            _ => true,
        };
        if let (Some(entry), Some(fresh), true) = (entry, fresh, kept) {
            self.keep(&entry, fresh);
        }
    }
}

/// The right to fill that a read has while it fetches. When the runtime ends meanwhile, the right is given back if
/// that is possible, so that nobody waits for this read.
struct HeldRight<'a, S: Backend> {
    core: &'a Arc<Core<S>>,
    reading: ReadSteps<S::Right>,
}

impl<S: Backend> Drop for HeldRight<'_, S> {
    fn drop(&mut self) {
        if let Some(lease) = self.reading.take_lease()
            && let Ok(runtime) = Handle::try_current()
        {
            let core = self.core.clone();
            runtime.spawn(async move { core.backend.cancel(lease).await });
        }
    }
}
