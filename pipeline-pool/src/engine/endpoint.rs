//! One endpoint: its connections, its line, and the tasks that serve them.

use std::future::Future;
use std::panic::catch_unwind;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::Waker;
use std::time::{Duration, Instant};

use tokio::runtime::{self, Handle};
use tokio::sync::Notify;

use super::call::Order;
use super::config::Config;
use super::deferred::{Locked, contain};
use super::entry::Entry;
use super::keeper;
use super::opening;
use super::permits::{Holdings, Member, Permits, Refused};
use super::slot::ConnId;
use super::spare::Spares;
use super::state::{State, aborted, gone};
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
    /// What serves a request may live in another runtime than its caller.
    mixed: AtomicBool,
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
    /// The server ended it, and had not answered anything on it.
    pub(crate) dud: bool,
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
        let endpoint = Arc::new_cyclic(|this: &Weak<Self>| Self {
            name: opener.name(),
            state: Mutex::new(State::new(&config, born)),
            config,
            opener,
            permits,
            counters: Counters::default(),
            keeper: Notify::new(),
            changed: Notify::new(),
            aborted: AtomicBool::new(false),
            mixed: AtomicBool::new(false),
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
            contain(|| (hook.0)(&self.name, event));
        }
    }

    pub(crate) fn next_seq(&self) -> u64 {
        self.seq.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn lock(&self) -> Locked<'_, P> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        Locked::new(self, state)
    }

    #[cfg(test)]
    pub(crate) fn is_locked(&self) -> bool {
        self.state.try_lock().is_err()
    }

    /// Whether a caller has to look at its own clock.
    pub(crate) fn is_mixed(&self) -> bool {
        self.mixed.load(Ordering::Relaxed)
    }

    /// Takes a request whose caller is polled in this runtime.
    ///
    /// # Errors
    /// [`Kind::Busy`] when the line is full, [`Kind::Shutdown`] when the pool is closed,
    /// [`Kind::NoRuntime`] when a connection is needed and there is nothing to open it in, or the
    /// runtime has no timer, [`Kind::Gone`] when the only connection that it may go to is no more.
    pub(crate) fn submit(
        &self,
        entry: Entry<P>,
        home: Option<runtime::Id>,
        now: Instant,
    ) -> Result<(), Error> {
        let &Order { seq, bound, .. } = entry.order();
        let mut state = self.lock();
        if home.is_some() && state.timed != home {
            drop(state);
            if !has_timer() {
                entry.withdraw();
                return Err(lame());
            }
            state = self.lock();
            state.timed = home;
        }
        // Looked at last, since the pool may be closed while the lock is not held above.
        if state.closed {
            drop(state);
            entry.withdraw();
            return Err(Error::new(Kind::Shutdown, "the pool is closed"));
        }
        if state.visit(home) {
            self.mixed.store(state.mixed, Ordering::Relaxed);
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
        let wake = match state.admit(entry, &self.config, now) {
            Ok(wake) => wake,
            Err(entry) => {
                let text = state.crowd("the waiting line is full");
                drop(state);
                entry.withdraw();
                self.counters.refused.fetch_add(1, Ordering::Relaxed);
                return Err(Error::new(Kind::Busy, text));
            }
        };
        if let Some(wake) = wake {
            drop(state);
            wake.wake();
        } else if state.line.len() > waiting {
            if home.is_none() {
                let entry = state.line.remove(seq);
                drop(state);
                if let Some(entry) = entry {
                    entry.withdraw();
                }
                return Err(Error::new(
                    Kind::NoRuntime,
                    "a tokio runtime is needed to send",
                ));
            }
            self.counters.waits.fetch_add(1, Ordering::Relaxed);
            self.grow(state, now);
        }
        Ok(())
    }

    /// Hands out what waits and opens what is wanted, after something has changed.
    pub(crate) fn pump(&self, now: Instant) {
        let mut state = self.lock();
        state.pump();
        self.grow(state, now);
    }

    /// Opens connections while they are wanted and allowed, and sees to those who wait. To be
    /// called after everything that makes room, or makes the line longer.
    fn grow(&self, mut state: Locked<'_, P>, now: Instant) {
        let Some(this) = self.this.upgrade() else {
            return;
        };
        let mut evict = false;
        let mut begun = Vec::new();
        while state.wants_connection(now) {
            match self.permits.acquire(&self.member(), state.live() == 0) {
                Ok(permit) => begun.push((state.add(now), permit)),
                Err(refused) => {
                    evict = refused == Refused::Anew;
                    state.starved = true;
                    // At the cap by the word of others: what can be pipelined is.
                    state.pump();
                }
            }
        }
        let paused = state.growth.paused_until().filter(|until| *until > now);
        let next = match state.line.earliest() {
            _ if state.line.is_empty() => None,
            Some(earliest) => Some(paused.map_or(earliest, |until| until.min(earliest))),
            None => paused,
        };
        drop(state);
        for (id, permit) in begun {
            tokio::spawn(opening::run(this.clone(), id, permit));
        }
        if evict {
            self.permits.evict();
        }
        if let Some(next) = next {
            self.keep(this, next);
        }
    }

    fn member(&self) -> Weak<dyn Member> {
        self.this.clone()
    }

    /// Gives up the place among those who wait for a permit. To be called under the lock.
    pub(crate) fn decline(&self) {
        self.permits.decline(&self.member());
    }

    /// Has the keeper look after the line at this instant, or earlier.
    fn keep(&self, this: Arc<Self>, at: Instant) {
        let mut keeping = self.keeping();
        match *keeping {
            Some(planned) if planned <= at => {}
            Some(_) => {
                *keeping = Some(at);
                drop(keeping);
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
        state.expire(now);
        if !state.line.is_empty() {
            self.grow(state, now);
        }
    }

    /// Until when the caller of a request may wait for what comes next, by its own clock; nothing
    /// when its time is up. One that has waited too long in line is told so.
    pub(crate) fn limit(&self, order: &Order, now: Instant) -> Option<Instant> {
        let waiting = self.lock().leave_by(order.seq, now);
        waiting.or(Some(order.deadline).filter(|deadline| *deadline > now))
    }

    /// Hands every waiting request back to its caller: the runtime that served them is gone.
    pub(crate) fn bounce_all(&self, from: Option<runtime::Id>) {
        let waiting = self.lock().line.drain();
        waiting.into_iter().for_each(|entry| entry.bounce(from));
    }

    /// A connection is open.
    pub(crate) fn opened(&self, id: ConnId, rtt: Option<Duration>, now: Instant) {
        let mut state = self.lock();
        state.opened(id, rtt);
        self.grow(state, now);
    }

    /// A connection could not be opened.
    pub(crate) fn open_failed(&self, id: ConnId, error: &Error, exhausted: bool, now: Instant) {
        self.counters.open_failed.fetch_add(1, Ordering::Relaxed);
        let mut state = self.lock();
        state.open_failed(id, now);
        // With nothing left that could serve them, those who wait hear of it now; being out of
        // file descriptors is no fault of the server and is waited out.
        if !exhausted && state.live() == 0 {
            for entry in state.line.drain() {
                state.deferred.fail(entry, error.clone());
            }
        }
        drop(state);
        self.permits.settle();
    }

    /// A connection that was being opened is given up, through no fault of the server.
    pub(crate) fn withdrawn(&self, id: ConnId) {
        self.lock().withdraw(id);
        self.permits.settle();
    }

    /// A connection has ended.
    pub(crate) fn ended(&self, id: ConnId, end: End<P>, now: Instant) {
        let End { again, dud, broken } = end;
        let mut state = self.lock();
        let mail = state.ended(id, dud, now);
        state.unlearn(id, broken, now);
        for entry in again.into_iter().chain(mail) {
            state.put_back(entry, now);
        }
        drop(state);
        self.permits.settle();
    }

    /// The caller of a request that may still be in line has gone away.
    pub(crate) fn forget(&self, seq: u64) {
        let entry = self.lock().line.remove(seq);
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
        let mut state = self.lock();
        state.closed = true;
        state.aborted = true;
        let wake: Vec<_> = state
            .slots()
            .filter_map(|slot| slot.waker.clone())
            .collect();
        state.deferred.wake(wake);
        for entry in state.line.drain() {
            state.deferred.fail(entry, aborted());
        }
        self.aborted.store(true, Ordering::Release);
    }
}

impl<P: Protocol> Member for Endpoint<P> {
    fn holdings(&self) -> Holdings {
        let mut state = self.lock();
        Holdings {
            oldest_idle: state.oldest_idle().map(|(_, since)| since),
            live: state.live(),
            leaving: state.leaving(),
        }
    }

    fn close_one(&self) {
        let mut state = self.lock();
        let wake = state.close_one();
        state.deferred.wake(wake);
    }

    fn permit_freed(&self) {
        let now = tokio::time::Instant::now().into_std();
        let mut state = self.lock();
        state.starved = false;
        if !state.wants_connection(now) {
            return self.decline();
        }
        if Handle::try_current().is_ok() {
            return self.grow(state, now);
        }
        // Called while a runtime goes down: those who wait go on from their own.
        self.decline();
        drop(state);
        self.bounce_all(None);
    }
}

/// Whether the runtime that this is called in has a timer. There is no way to ask that does not
/// panic where it has none.
fn has_timer() -> bool {
    catch_unwind(|| drop(tokio::time::sleep(Duration::ZERO))).is_ok()
}

/// The error of a runtime that nothing can be served in.
pub(crate) fn lame() -> Error {
    let text = "the tokio runtime has no timer or no IO driver: build it with `enable_all`";
    Error::new(Kind::NoRuntime, text)
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

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

    use super::*;
    use crate::engine::sending::Sending;
    use crate::engine::testing::{Ask, Toy, WAIT, ask, caller, endpoint, later, order};

    /// An endpoint whose depth is 4 as its server is far and quick, and that server's end of a
    /// connection with a request that is not answered.
    async fn deep() -> (Arc<Endpoint<Toy>>, DuplexStream) {
        let config = Config {
            max_connections: 1,
            ..Config::default()
        };
        let rtt = Duration::from_millis(50);
        let (endpoint, mut ends) = endpoint(config, &Permits::new(1), Some(rtt));
        let send = || tokio::spawn(Sending::new(endpoint.clone(), ask(), None, None));
        let answered = send();
        let mut server = ends.recv().await.unwrap();
        assert_eq!(server.read_u8().await.unwrap(), b'?');
        tokio::time::sleep(rtt + Duration::from_millis(1)).await;
        server.write_u8(7).await.unwrap();
        assert_eq!(answered.await.unwrap().unwrap(), 7);
        assert_eq!(endpoint.lock().learn.depth(), 4);
        send();
        assert_eq!(server.read_u8().await.unwrap(), b'?');
        (endpoint, server)
    }

    async fn until_closed(endpoint: &Endpoint<Toy>) {
        while endpoint.counters.closed_by().iter().sum::<u64>() == 0 {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_ends_from_this_side_says_nothing_of_the_depth() {
        let (endpoint, server) = deep().await;
        endpoint.abort();
        until_closed(&endpoint).await;
        assert_eq!(endpoint.lock().learn.depth(), 4);
        drop(server);
        // A server that hangs up amid its first answers does not stand pipelining.
        let (endpoint, server) = deep().await;
        drop(server);
        until_closed(&endpoint).await;
        assert_eq!(endpoint.lock().learn.depth(), 1);
    }

    #[test]
    fn another_gives_way_when_the_opening_that_was_about_to_is_given_up() {
        let permits = Permits::new(1);
        let _permit = permits.acquire_spare().unwrap();
        let make = || endpoint(Config::default(), &permits, None).0;
        let (going, staying, waiting) = (make(), make(), make());
        let now = Instant::now();
        let id = going.lock().add(now);
        going.close_one();
        let open = staying.lock().add(now);
        staying.lock().opened(open, None);
        let refused = permits.acquire(&waiting.member(), true).err();
        assert_eq!(refused, Some(Refused::Anew));
        permits.evict();
        assert_eq!(
            (going.holdings().leaving, staying.holdings().leaving),
            (1, 0)
        );
        going.withdrawn(id);
        assert_eq!(
            (going.holdings().leaving, staying.holdings().leaving),
            (0, 1)
        );
    }

    #[test]
    fn a_caller_in_line_looks_at_its_clock_when_its_wait_is_over() {
        let (endpoint, _) = endpoint(Config::default(), &Permits::new(1), None);
        let now = Instant::now();
        let wait = endpoint.config.wait_timeout;
        let order = order(1, later(now));
        assert_eq!(endpoint.limit(&order, now), Some(order.deadline));
        let (_caller, entry) = caller(order);
        endpoint.lock().line.insert(entry, now);
        assert_eq!(endpoint.limit(&order, now), Some(now + wait));
        // Then it is told, and has left the line.
        assert_eq!(endpoint.limit(&order, now + wait), Some(order.deadline));
        assert!(endpoint.lock().line.is_empty());
        assert_eq!(endpoint.limit(&order, order.deadline), None);
    }

    #[tokio::test(start_paused = true)]
    async fn no_copy_of_a_request_waits_where_all_has_been_given_up() {
        let config = Config {
            max_connections: 2,
            hedge: 1.0,
            ..Config::default()
        };
        let (endpoint, mut ends) = endpoint(config, &Permits::new(2), None);
        let send = |ask| tokio::spawn(Sending::new(endpoint.clone(), ask, None, None));
        let answered = send(ask());
        let mut server = ends.recv().await.unwrap();
        assert_eq!(server.read_u8().await.unwrap(), b'?');
        server.write_u8(7).await.unwrap();
        assert_eq!(answered.await.unwrap().unwrap(), 7);
        // It is given up while the connection hears that the reply is late, and has it copied.
        let given_up = endpoint.clone();
        let late = send(Ask {
            heard: Some(Box::new(move || given_up.abort())),
            ..ask()
        });
        assert_eq!(server.read_u8().await.unwrap(), b'?');
        let begun = tokio::time::Instant::now();
        let second = Duration::from_secs(1);
        server.write_u8(WAIT).await.unwrap();
        tokio::time::advance(second).await;
        let error = late.await.unwrap().unwrap_err();
        assert_eq!(error.kind(), Kind::Shutdown);
        assert_eq!(begun.elapsed(), second);
        assert_eq!(endpoint.counters.hedges.load(Ordering::Relaxed), 1);
        assert!(endpoint.is_gone());
    }
}
