//! One endpoint: its connections, its line, and the tasks that serve them.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::Waker;
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::sync::Notify;

use super::call::Order;
use super::config::Config;
use super::entry::Entry;
use super::keeper;
use super::learn::Learn;
use super::line::gone;
use super::opening;
use super::permits::{Member, Permits};
use super::slot::ConnId;
use super::spare::Spares;
use super::state::State;
use crate::connect::Opened;
use crate::error::{Error, Kind};
use crate::event::{CloseReason, Event};
use crate::protocol::{ConnectionId, Protocol};

/// A connection being opened, and the protocol value that will speak on it.
pub(crate) type Opening<'a, P> =
    Pin<Box<dyn Future<Output = Result<(Opened, P), Error>> + Send + 'a>>;

/// Opens the connections of an endpoint.
pub(crate) trait Open<P>: Send + Sync {
    /// Opens one, to be known by this name; sockets beside it are taken under spare permits.
    fn open<'a>(&'a self, spares: &'a dyn Spares, connection: ConnectionId) -> Opening<'a, P>;
    /// The name of the place, for errors.
    fn name(&self) -> String;
}

/// What has happened so far at an endpoint.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) opened: AtomicU64,
    pub(crate) open_failed: AtomicU64,
    closed: [AtomicU64; CloseReason::ALL.len()],
    pub(crate) replies: AtomicU64,
    pub(crate) replays: AtomicU64,
    pub(crate) moves: AtomicU64,
    pub(crate) hedges: AtomicU64,
    pub(crate) waits: AtomicU64,
    pub(crate) refused: AtomicU64,
    pub(crate) deepest: AtomicUsize,
    pub(crate) reads: AtomicU64,
    pub(crate) writes: AtomicU64,
    pub(crate) bytes_in: AtomicU64,
    pub(crate) bytes_out: AtomicU64,
}

impl Counters {
    pub(crate) fn closed(&self, reason: CloseReason) {
        self.closed[reason as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn closed_by(&self) -> [u64; CloseReason::ALL.len()] {
        std::array::from_fn(|i| self.closed[i].load(Ordering::Relaxed))
    }
}

pub(crate) struct Endpoint<P: Protocol> {
    /// The name of the place, for errors and hooks.
    pub(crate) name: String,
    state: Mutex<State<P>>,
    pub(crate) config: Config,
    pub(crate) opener: Box<dyn Open<P>>,
    pub(crate) permits: Arc<Permits>,
    pub(crate) counters: Counters,
    /// Wakes the keeper, and whoever waits for the endpoint to be closed.
    pub(crate) keeper: Notify,
    pub(crate) changed: Notify,
    /// Every connection is to end now.
    pub(crate) aborted: AtomicBool,
    keeping: Mutex<Option<Instant>>,
    seq: AtomicU64,
    /// When it was made.
    pub(crate) born: Instant,
    this: Weak<Self>,
}

/// How a connection ended.
pub(crate) struct End<P: Protocol> {
    /// What has to go elsewhere.
    pub(crate) again: Vec<Entry<P>>,
    /// It had answered.
    pub(crate) proven: bool,
    /// It ended as one does that does not stand pipelining.
    pub(crate) broken: bool,
}

impl<P: Protocol> Endpoint<P> {
    pub(crate) fn new(
        config: Config,
        opener: Box<dyn Open<P>>,
        permits: Arc<Permits>,
    ) -> Arc<Self> {
        let born = tokio::time::Instant::now().into_std();
        let learn = Learn::new(config.max_depth, config.fixed_depth);
        let endpoint = Arc::new_cyclic(|this: &Weak<Self>| Self {
            name: opener.name(),
            state: Mutex::new(State::new(learn, born)),
            config,
            opener,
            permits,
            counters: Counters::default(),
            keeper: Notify::new(),
            changed: Notify::new(),
            aborted: AtomicBool::new(false),
            keeping: Mutex::new(None),
            seq: AtomicU64::new(0),
            born,
            this: this.clone(),
        });
        let member: Weak<dyn Member> = endpoint.this.clone();
        endpoint.permits.join(member);
        endpoint
    }

    /// Tells the log and the hook.
    pub(crate) fn tell(&self, event: &Event) {
        match event {
            Event::Opened { took } => {
                tracing::debug!(server.address = %self.name, ?took, "connection opened");
            }
            Event::OpenFailed { error } => {
                tracing::debug!(server.address = %self.name, error.message = %error, "connection failed");
            }
            Event::Closed {
                reason,
                replies,
                age,
                moved,
            } => {
                tracing::debug!(server.address = %self.name, ?reason, replies, ?age, moved, "connection closed");
            }
        }
        if let Some(hook) = &self.config.hook {
            // A panic of the hook has been reported by now, and is no reason to lose a connection
            // out of the count.
            let told = AssertUnwindSafe(|| (hook.0)(&self.name, event));
            let _ = catch_unwind(told);
        }
    }

    pub(crate) fn next_seq(&self) -> u64 {
        self.seq.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State<P>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a request. To be called within a runtime.
    ///
    /// # Errors
    /// [`Kind::Busy`] when the line is full, [`Kind::Shutdown`] when the pool is closed,
    /// [`Kind::NoRuntime`] when a connection is needed and there is nothing to open it in,
    /// [`Kind::Gone`] when the only connection that it may go to is no more.
    pub(crate) fn submit(&self, entry: Entry<P>, now: Instant) -> Result<(), Error> {
        let &Order { seq, bound, .. } = entry.order();
        let mut state = self.lock();
        if state.closed {
            entry.withdraw();
            return Err(Error::new(Kind::Shutdown, "the pool is closed"));
        }
        if let Some(connection) = bound {
            let handed = state.hand_to(connection, entry);
            drop(state);
            let wake = handed.map_err(|entry| {
                entry.withdraw();
                gone()
            })?;
            if let Some(wake) = wake {
                wake.wake();
            }
            return Ok(());
        }
        let waiting = state.line.len();
        let wake = match state.admit(entry, &self.config) {
            Ok(wake) => wake,
            Err(entry) => {
                drop(state);
                entry.withdraw();
                self.counters.refused.fetch_add(1, Ordering::Relaxed);
                let text = format!("the waiting line is full: {waiting} requests");
                return Err(Error::new(Kind::Busy, text));
            }
        };
        if let Some(wake) = wake {
            drop(state);
            wake.wake();
        } else if state.line.len() > waiting {
            if Handle::try_current().is_err() {
                if let Some(entry) = state.line.remove(seq) {
                    entry.withdraw();
                }
                return Err(Error::new(
                    Kind::NoRuntime,
                    "a tokio runtime is needed to send",
                ));
            }
            self.counters.waits.fetch_add(1, Ordering::Relaxed);
            self.open_wanted(state, now);
        }
        Ok(())
    }

    /// Hands out what waits and opens what is wanted, after something has changed.
    pub(crate) fn pump(&self, now: Instant) {
        let mut wake = Vec::new();
        let mut state = self.lock();
        state.pump(&self.config, &mut wake);
        self.open_wanted(state, now);
        wake.into_iter().for_each(Waker::wake);
    }

    /// Opens connections while they are wanted and allowed, and sees to those who wait.
    fn open_wanted(&self, mut state: MutexGuard<'_, State<P>>, now: Instant) {
        let Some(this) = self.this.upgrade() else {
            return;
        };
        let member: Weak<dyn Member> = self.this.clone();
        let mut evict = false;
        let mut begun = Vec::new();
        while state.wants_connection(now, &self.config) {
            let Some(permit) = self.permits.acquire(&member, state.live() == 0) else {
                evict = !state.starved;
                state.starved = true;
                break;
            };
            state.starved = false;
            begun.push((state.add(now), permit));
        }
        let mut wake = Vec::new();
        if evict {
            // At the cap by the word of others: what can be pipelined is.
            state.pump(&self.config, &mut wake);
        }
        let next = match (state.line.earliest(), state.open_after) {
            _ if state.line.is_empty() => None,
            (Some(a), Some(b)) if b > now => Some(a.min(b)),
            (a, _) => a,
        };
        drop(state);
        for (id, permit) in begun {
            tokio::spawn(opening::run(this.clone(), id, permit));
        }
        wake.into_iter().for_each(Waker::wake);
        if evict {
            self.permits.evict(self);
        }
        if let Some(next) = next {
            self.keep(this, next);
        }
    }

    /// Has the keeper look after the line at this instant, or earlier.
    fn keep(&self, this: Arc<Self>, at: Instant) {
        let mut keeping = self.keeping();
        match *keeping {
            Some(planned) if planned <= at => {}
            Some(_) => {
                *keeping = Some(at);
                self.keeper.notify_one();
            }
            None => {
                *keeping = Some(at);
                drop(keeping);
                tokio::spawn(keeper::run(this));
            }
        }
    }

    pub(crate) fn keeping(&self) -> MutexGuard<'_, Option<Instant>> {
        self.keeping.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells those whose time is up, and opens what may be opened now.
    pub(crate) fn tend(&self, now: Instant) {
        let mut state = self.lock();
        state.line.expire(now);
        if state.line.is_empty() {
            self.left(&state);
        } else {
            self.open_wanted(state, now);
        }
    }

    /// Hands every waiting request back to its caller: the runtime that served them is gone.
    pub(crate) fn bounce_all(&self) {
        let mut state = self.lock();
        let waiting = state.line.drain();
        self.left(&state);
        drop(state);
        waiting.into_iter().for_each(Entry::bounce);
    }

    /// A request has left the line, or a connection its place: tells whoever waits for the last.
    fn left(&self, state: &State<P>) {
        if state.closed && state.is_gone() {
            self.changed.notify_waiters();
        }
    }

    /// A connection could not be opened.
    pub(crate) fn open_failed(&self, id: ConnId, error: &Error, exhausted: bool, now: Instant) {
        self.counters.open_failed.fetch_add(1, Ordering::Relaxed);
        let mut state = self.lock();
        state.remove(id);
        state.quiet = now;
        state.failures += 1;
        let step = 10 << state.failures.min(7);
        state.open_after = Some(now + Duration::from_millis(step));
        // With nothing left that could serve them, those who wait hear of it now; being out of
        // file descriptors is no fault of the server and is waited out.
        let failed = match exhausted || state.live() > 0 {
            true => Default::default(),
            false => state.line.drain(),
        };
        drop(state);
        for mut entry in failed {
            entry.fail(error);
        }
        self.changed.notify_waiters();
    }

    /// A connection has ended.
    pub(crate) fn ended(&self, id: ConnId, end: End<P>, now: Instant) {
        let End {
            again,
            proven,
            broken,
        } = end;
        let mut state = self.lock();
        let mail = state.remove(id);
        state.quiet = now;
        state.unlearn(id, broken, now);
        if proven {
            state.failures = 0;
        } else if !again.is_empty() || !mail.is_empty() {
            // It was opened and never answered: no reason to hurry with the next.
            state.failures += 1;
            let step = 5 << state.failures.min(7);
            state.open_after = Some(now + Duration::from_millis(step));
        }
        for entry in again.into_iter().chain(mail) {
            state.line.put_back(entry);
        }
        drop(state);
        self.changed.notify_waiters();
    }

    /// The caller of a request that may still be in line has gone away.
    pub(crate) fn forget(&self, seq: u64) {
        let mut state = self.lock();
        let entry = state.line.remove(seq);
        self.left(&state);
        drop(state);
        drop(entry);
    }

    /// Lets idle connections go, and every other when it has nothing left to do.
    pub(crate) fn retire(&self, closed: bool) {
        let wake = {
            let mut state = self.lock();
            state.closed |= closed;
            state.retire()
        };
        wake.into_iter().for_each(Waker::wake);
    }

    /// Whether nothing is left.
    pub(crate) fn is_gone(&self) -> bool {
        self.lock().is_gone()
    }

    /// Gives up every connection at once, and all who wait.
    pub(crate) fn abort(&self) {
        let (wake, waiting) = {
            let mut state = self.lock();
            state.closed = true;
            let wake: Vec<_> = state
                .slots()
                .filter_map(|slot| slot.waker.clone())
                .collect();
            (wake, state.line.drain())
        };
        let error = Error::new(Kind::Shutdown, "the pool was closed");
        for mut entry in waiting {
            entry.fail(&error);
        }
        self.aborted.store(true, Ordering::Release);
        wake.into_iter().for_each(Waker::wake);
    }
}

impl<P: Protocol> Member for Endpoint<P> {
    fn oldest_idle(&self) -> Option<Instant> {
        self.lock().oldest_idle().map(|(_, since)| since)
    }

    fn live(&self) -> usize {
        self.lock().live()
    }

    fn close_one(&self) {
        let wake = self.lock().close_one();
        if let Some(wake) = wake {
            wake.wake();
        }
    }

    fn permit_freed(&self) {
        let now = tokio::time::Instant::now().into_std();
        let member: Weak<dyn Member> = self.this.clone();
        let mut state = self.lock();
        state.starved = false;
        if !state.wants_connection(now, &self.config) {
            return self.permits.decline(&member);
        }
        if Handle::try_current().is_ok() {
            return self.open_wanted(state, now);
        }
        // Called while a runtime goes down: those who wait go on from their own.
        self.permits.decline(&member);
        drop(state);
        self.bounce_all();
    }
}

/// Ends all of these: nothing new is taken, and what is not done after `grace` is given up.
pub(crate) async fn close<P: Protocol>(endpoints: &[Arc<Endpoint<P>>], grace: Duration) {
    for endpoint in endpoints {
        endpoint.retire(true);
    }
    let all_gone = async {
        for endpoint in endpoints {
            loop {
                let changed = endpoint.changed.notified();
                if endpoint.is_gone() {
                    break;
                }
                changed.await;
            }
        }
    };
    if tokio::time::timeout(grace, all_gone).await.is_err() {
        for endpoint in endpoints {
            endpoint.abort();
        }
    }
}
