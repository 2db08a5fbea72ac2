//! One server: its pool, its health, and what it is owed.

mod back;

pub(crate) use back::Noted;

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use pipeline_pool::{ConnectionId, Origin, Pool, PoolBuilder, PoolSending};
use tokio::runtime::Handle;

use super::begin::{Greeter, Greeting};
use super::error::{Error, Kind, Result};
use super::health::{Admit, Health, Rules};
use super::key::WireKey;
use super::owed::Owed;
use super::stats::{Counters, ServerState, ServerStats};
use super::wire::{Codec, Command, Delete, Op, Outcome, Refusal, Reply, Status};
use crate::Server;

/// memcached's `item_size_max` unless it is told otherwise, in bytes.
const ITEM_SIZE: usize = 1024 * 1024;
/// What an entry takes beside its key and value, in bytes, and a little more.
const OVERHEAD: usize = 80;

/// The instant now, on tokio's clock.
pub(crate) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// How the servers of one client are treated.
#[derive(Clone, Debug)]
pub(crate) struct Terms {
    pub(crate) pool: PoolBuilder,
    pub(crate) rules: Rules,
    pub(crate) tls: bool,
    pub(crate) login: Option<super::begin::Login>,
    pub(crate) dialect: super::Dialect,
    pub(crate) max_value: Option<usize>,
    pub(crate) max_read: usize,
    pub(crate) max_owed: usize,
}

/// When a failed write leaves the entry in question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Doubt {
    /// Whether it ran or not.
    Always,
    /// When it may have run.
    IfSent,
    /// Never: whatever it left is as good as what was there.
    Never,
}

#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) server: Server,
    pool: Pool<Codec>,
    greeting: Arc<Greeting>,
    max_value: Option<usize>,
    health: Mutex<Health>,
    pause: Duration,
    /// It is ejected; as `health` says, without its lock.
    away: AtomicBool,
    /// Failures were counted since it last answered.
    failing: AtomicBool,
    /// A read that its caller has given up is [heard out](Asking).
    hearing: AtomicBool,
    pub(crate) owed: Owed,
    pub(crate) counters: Counters,
    this: Weak<Self>,
}

impl Node {
    /// # Errors
    /// [`Kind::Config`] for a host that cannot be one.
    pub(crate) fn new(server: &Server, terms: &Terms) -> Result<Arc<Self>> {
        let scheme = if terms.tls { "memcacheds" } else { "memcached" };
        let origin = match server.unix_path() {
            Some(path) => Origin::other_unix(scheme, path),
            None => Origin::other(scheme, terms.tls, server.host(), server.port())
                .map_err(Error::of_pool)?,
        };
        let greeting = Greeting::new(terms.login.clone(), terms.dialect, terms.max_read);
        let greeting = Arc::new(greeting);
        let greeter = Greeter(greeting.clone());
        Ok(Arc::new_cyclic(|this: &Weak<Self>| Self {
            server: server.clone(),
            pool: terms.pool.clone().build(&origin, greeter),
            greeting,
            max_value: terms.max_value,
            health: Mutex::new(Health::new(terms.rules)),
            pause: terms.rules.pause.0,
            away: AtomicBool::new(false),
            failing: AtomicBool::new(false),
            hearing: AtomicBool::new(false),
            owed: Owed::new(terms.max_owed),
            counters: Counters::default(),
            this: this.clone(),
        }))
    }

    fn health(&self) -> MutexGuard<'_, Health> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn is_away(&self) -> bool {
        self.away.load(Ordering::Acquire)
    }

    /// Has the server emptied before it is used: it was on the list before, and has entries of
    /// that time.
    pub(crate) fn distrust(&self) {
        self.owed.add_all();
        let mut health = self.health();
        health.eject(now());
        self.away.store(true, Ordering::Release);
    }

    /// Whether the server can grant the right to fill, as far as is known.
    pub(crate) fn grants(&self) -> bool {
        !self.greeting.no_cas.load(Ordering::Relaxed)
    }

    /// The server has shown that it cannot.
    pub(crate) fn has_no_cas(&self) {
        self.greeting.no_cas.store(true, Ordering::Relaxed);
    }

    /// The longest value that the server stores under this key, in bytes.
    pub(crate) fn max_value(&self, key: &WireKey) -> usize {
        self.max_value.unwrap_or_else(|| {
            let size = self.greeting.item_size.load(Ordering::Relaxed);
            let size = if size == 0 { ITEM_SIZE } else { size };
            size.saturating_sub(OVERHEAD + key.placed().len())
        })
    }

    /// Whether a request may go to the server now. If it is time to try it again, that is begun.
    pub(crate) fn admits(&self) -> bool {
        if !self.is_away() {
            return true;
        }
        let admit = self.health().admit(now());
        if admit == Admit::Probe {
            self.spawn_probe();
        }
        admit == Admit::Go
    }

    fn down(&self) -> Error {
        self.counters.skipped.fetch_add(1, Ordering::Relaxed);
        Error::new(Kind::Down, "the server is ejected").at(&self.server)
    }

    /// Sends a command if the server is not ejected.
    pub(crate) fn ask(&self, op: Op) -> Asking<'_> {
        let only_reads = matches!(&op, Op::Get(fetch) if fetch.only_reads());
        let sending = || self.pool.send(Command::new(op));
        Asking {
            node: self,
            sending: self.admits().then(sending),
            began: now(),
            heard_out: only_reads,
            polled: false,
        }
    }

    /// As [`ask`](Self::ask), of a command that may leave an entry here in place of those that are
    /// `skipped`.
    pub(crate) async fn stand_in(
        &self,
        key: &WireKey,
        op: Op,
        skipped: &[Arc<Self>],
        limit: Option<Duration>,
    ) -> Result<Reply> {
        let _standing = StandingIn {
            node: self,
            key,
            skipped,
        };
        let mut asking = self.ask(op);
        if let Some(limit) = limit {
            let sending = asking.sending.take();
            asking.sending = sending.map(|sending| sending.timeout(limit));
        }
        asking.await
    }

    /// Sends a command that changes the entry of `key`, in place of those that are `skipped`. When
    /// it fails so that the entry is in question, the entry is owed a delete, and the error says so.
    pub(crate) async fn change(
        &self,
        key: &WireKey,
        op: Op,
        on: Option<ConnectionId>,
        doubt: Doubt,
        skipped: &[Arc<Self>],
    ) -> Result<Reply> {
        let _standing = StandingIn {
            node: self,
            key,
            skipped,
        };
        let deletes = matches!(op, Op::Delete(_));
        if !deletes && self.owed.has(key) && self.admits() {
            let turn = self.owed.turn();
            self.delete(key).await.map_err(Error::owed)?;
            self.owed.deleted(key, turn);
        }
        let turn = self.owed.turn_if_any().filter(|_| deletes);
        let mut promise = Promise {
            node: self,
            key,
            armed: doubt != Doubt::Never,
        };
        let result = match self.admits() {
            true => self.send(op, on).await,
            false => Err(self.down()),
        };
        promise.armed = false;
        match result {
            Ok(reply) => {
                if let (Some(turn), Outcome::Status(Status::Done | Status::NotFound)) =
                    (turn, &reply.outcome)
                {
                    self.owed.deleted(key, turn);
                }
                Ok(reply)
            }
            Err(error) => {
                let sent = error.may_have_been_sent();
                let owed = match doubt {
                    // What the server does not understand it does not run.
                    _ if error.kind() == Kind::Unsupported => false,
                    Doubt::Always => true,
                    Doubt::IfSent => sent,
                    Doubt::Never => false,
                };
                if !owed {
                    return Err(error);
                }
                self.owe(key, sent);
                Err(error.owed())
            }
        }
    }

    /// Deletes an entry that is not to be believed.
    async fn delete(&self, key: &WireKey) -> Result<()> {
        let op = Op::Delete(Delete {
            key: key.clone(),
            cas: None,
            stale: None,
        });
        self.send(op, None).await.map(drop)
    }

    fn send(&self, op: Op, on: Option<ConnectionId>) -> Asking<'_> {
        let mut sending = self.pool.send(Command::new(op));
        if let Some(connection) = on {
            sending = sending.on(connection);
        }
        Asking {
            node: self,
            sending: Some(sending),
            began: now(),
            heard_out: false,
            polled: false,
        }
    }

    /// A command that began then has ended so.
    fn ended(
        &self,
        began: Instant,
        result: std::result::Result<Reply, pipeline_pool::Error>,
    ) -> Result<Reply> {
        let timed = self.counters.ended();
        match result {
            Ok(reply) => {
                if timed {
                    self.counters.took(now().saturating_duration_since(began));
                }
                if self.failing.load(Ordering::Relaxed) {
                    self.failing.store(false, Ordering::Relaxed);
                    self.health().succeeded();
                }
                match reply.outcome {
                    Outcome::Refused(refusal) => Err(self.refused(refusal)),
                    Outcome::Unsupported => {
                        let text =
                            "the server speaks the classic protocol, which has no such command";
                        Err(Error::new(Kind::Unsupported, text).at(&self.server))
                    }
                    _ => Ok(reply),
                }
            }
            Err(error) => {
                let ended = now();
                self.counters.took(ended.saturating_duration_since(began));
                let error = Error::of_pool(error).at(&self.server);
                self.counters.failed(&error);
                if error.is_failure() {
                    self.failed(began, ended);
                }
                Err(error)
            }
        }
    }

    /// Waits for the outcome of a read whose caller has given it up, unless it does so for another.
    fn hear_out(&self, sending: PoolSending<Codec>, began: Instant) {
        let (Ok(runtime), Some(node)) = (Handle::try_current(), self.this.upgrade()) else {
            return;
        };
        if node.hearing.swap(true, Ordering::AcqRel) {
            return;
        }
        let hearing = Hearing(node);
        runtime.spawn(async move {
            // The health of the server learns of it.
            let _ = hearing.0.ended(began, sending.await);
        });
    }

    fn refused(&self, refusal: Refusal) -> Error {
        let (kind, text) = match refusal {
            Refusal::TooLarge => (Kind::TooLarge, "the value is too large for the server"),
            Refusal::OutOfMemory => (Kind::OutOfMemory, "the server has no memory for the value"),
            Refusal::NotNumber => (Kind::NotNumber, "the value is no number"),
        };
        Error::new(kind, text).at(&self.server).seen()
    }

    fn failed(&self, began: Instant, ended: Instant) {
        let mut health = self.health();
        self.failing.store(true, Ordering::Relaxed);
        if health.failed(began, ended, fastrand::f64()) {
            self.away.store(true, Ordering::Release);
            drop(health);
            self.counters.ejections.fetch_add(1, Ordering::Relaxed);
            tracing::debug!(server.address = %self.server, "memcached server ejected");
        }
    }

    pub(crate) fn stats(&self) -> ServerStats {
        let health = self.health();
        let (up, failures) = (health.is_up(), health.failures());
        drop(health);
        let state = match (up, failures) {
            (false, _) => ServerState::Ejected,
            (true, 0) => ServerState::Up,
            (true, failures) => ServerState::Failing(failures),
        };
        let pool = self.pool.stats();
        self.counters
            .stats(self.server.clone(), state, self.owed.len(), pool)
    }

    pub(crate) async fn close(&self, grace: Duration) {
        self.pool.clone().close(grace).await;
    }
}

/// A command under way.
///
/// When a caller gives a read up, the node waits for its outcome in a task, one read at a time. Otherwise a server that
/// answers nothing would never be ejected where all callers have less time than an operation takes at most.
#[must_use = "nothing is sent until this is awaited"]
pub(crate) struct Asking<'a> {
    node: &'a Node,
    /// Nothing if the server is ejected, and after the end.
    sending: Option<PoolSending<Codec>>,
    began: Instant,
    /// It changes nothing, and its outcome is waited for even if its caller gives it up.
    heard_out: bool,
    polled: bool,
}

impl Future for Asking<'_> {
    type Output = Result<Reply>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        this.polled = true;
        let Some(sending) = &mut this.sending else {
            return Poll::Ready(Err(this.node.down()));
        };
        let result = ready!(Pin::new(sending).poll(cx));
        this.sending = None;
        Poll::Ready(this.node.ended(this.began, result))
    }
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        if self.heard_out
            && self.polled
            && let Some(sending) = self.sending.take()
        {
            self.node.hear_out(sending, self.began);
        }
    }
}

/// The right to wait for a read that was given up, given back when that ends or its runtime does.
struct Hearing(Arc<Node>);

impl Drop for Hearing {
    fn drop(&mut self) {
        self.0.hearing.store(false, Ordering::Release);
    }
}

/// A change under way; one that nobody waits for any more may run or not.
struct Promise<'a> {
    node: &'a Node,
    key: &'a WireKey,
    armed: bool,
}

impl Drop for Promise<'_> {
    fn drop(&mut self) {
        if self.armed {
            self.node.owe(self.key, true);
        }
    }
}

/// A change in place of servers that are away. One that comes back meanwhile has had the entry
/// deleted here, which may have been before the change: it is deleted again.
struct StandingIn<'a> {
    node: &'a Node,
    key: &'a WireKey,
    skipped: &'a [Arc<Node>],
}

impl Drop for StandingIn<'_> {
    fn drop(&mut self) {
        for away in self.skipped {
            if away.note(self.key, self.node) != Noted::Yes {
                self.node.owe(self.key, false);
            }
        }
    }
}

/// Runs these together; gives what they give in their order.
pub(crate) async fn join<F: Future>(futures: Vec<Pin<Box<F>>>) -> Vec<F::Output> {
    let mut places: Vec<_> = futures.into_iter().map(Ok).collect();
    poll_fn(|cx| {
        let mut pending = false;
        for place in &mut places {
            if let Ok(future) = place {
                match future.as_mut().poll(cx) {
                    Poll::Ready(output) => *place = Err(output),
                    Poll::Pending => pending = true,
                }
            }
        }
        if pending {
            Poll::Pending
        } else {
            Poll::Ready(())
        }
    })
    .await;
    places
        .into_iter()
        .filter_map(std::result::Result::err)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Memcached;
    use tokio::net::TcpListener;

    fn client(servers: [&str; 2]) -> Memcached {
        Memcached::builder().servers(servers).build().unwrap()
    }

    fn key(name: &str) -> WireKey {
        crate::memcached::Key::from(name).wire(false)
    }

    #[test]
    fn a_server_is_not_back_before_all_is_paid() {
        let node = client(["a:1", "b:1"]).now().nodes[0].clone();
        node.owed.add(&key("k"), false, None);
        node.health().eject(now());
        node.away.store(true, Ordering::Release);
        assert_eq!(node.health().admit(now()), Admit::Probe);
        assert!(!node.probed(true) && node.is_away());
        node.owed.deleted(&key("k"), node.owed.turn());
        assert!(node.probed(true) && !node.is_away());
    }

    /// What it was passed over for may have been stored after it was back.
    #[test]
    fn a_server_that_is_back_meanwhile_leaves_a_debt_to_the_one_that_stood_in() {
        let nodes = client(["a:1", "b:1"]).now().nodes.clone();
        let stands_in = |back: bool| {
            if !back {
                nodes[0].health().eject(now());
            }
            let (key, skipped) = (key("k"), &nodes[..1]);
            drop(StandingIn {
                node: &nodes[1],
                key: &key,
                skipped,
            });
            (nodes[0].owed.has(&key), nodes[1].owed.has(&key))
        };
        assert_eq!(stands_in(true), (false, true));
        nodes[1].owed.deleted(&key("k"), nodes[1].owed.turn());
        assert_eq!(stands_in(false), (true, false));
    }

    /// Otherwise it would try again for ever, in a client that nobody uses.
    #[tokio::test]
    async fn nobody_pays_what_is_owed_when_the_client_is_closed() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = Memcached::builder()
            .servers([listener.local_addr().unwrap().to_string()])
            .eject_after(u32::MAX)
            .retry_interval(Duration::ZERO, Duration::ZERO)
            .timeout(Duration::from_millis(20))
            .build()
            .unwrap();
        assert!(client.delete("k").await.unwrap_err().is_owed());
        let node = Arc::downgrade(&client.now().nodes[0]);
        client.close(Duration::ZERO).await;
        while node.upgrade().is_some() {
            tokio::task::yield_now().await;
        }
    }
}
