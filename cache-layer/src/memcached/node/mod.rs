//! One server: its pool, its health, and the deletes that it is owed.

mod debts;
mod in_flight;
mod probe;
mod settle;
#[cfg(test)]
mod tests;

use debts::PendingDeletes;
use in_flight::{CommandInFlight, OwedOnDrop, StandInGuard};
pub(crate) use settle::StandInNote;

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::Poll;
use std::time::{Duration, Instant};

use pipeline_pool::{ConnectionId, Origin, Pool, PoolBuilder};

use super::begin::{Greeter, Greeting};
use super::error::{Error, Kind, Result};
use super::health::{EjectionRules, Health, Permission};
use super::key::WireKey;
use super::stats::{ServerCounters, ServerState, ServerStats, Times};
use super::wire::{Codec, Command, DeleteOp, Op, Outcome, Refusal, Reply, Status};
use crate::Server;

/// The `item_size_max` of a memcached that was told nothing else, in bytes.
const DEFAULT_ITEM_SIZE: usize = 1024 * 1024;
/// The bytes that an entry takes beside its key and value, and a few more.
const ITEM_OVERHEAD: usize = 80;

/// The instant now, on tokio's clock.
pub(crate) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// How the servers of one client are treated.
#[derive(Clone, Debug)]
pub(crate) struct NodeSettings {
    pub(crate) pool: PoolBuilder,
    pub(crate) rules: EjectionRules,
    pub(crate) tls: bool,
    pub(crate) login: Option<super::begin::Login>,
    pub(crate) dialect: super::Dialect,
    pub(crate) max_value: Option<usize>,
    pub(crate) max_read: usize,
    pub(crate) max_owed: usize,
}

/// When an entry is owed a delete after a change of it has failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OwedWhen {
    /// It is owed one in any case.
    Always,
    /// It is owed one if the change may have run.
    IfSent,
    /// It is never owed one, since what the change has left is as good as what was there.
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
    /// Whether the server is ejected, as `health` says, to be read without its lock.
    away: AtomicBool,
    /// Whether failures were counted since the server last answered.
    failing: AtomicBool,
    /// Whether a task waits for a read that its caller has [given up](CommandInFlight).
    hearing: AtomicBool,
    pub(crate) owed: PendingDeletes,
    pub(crate) counters: ServerCounters,
    times: Times,
    this: Weak<Self>,
}

impl Node {
    /// # Errors
    /// It fails with [`Kind::Config`] for a text that cannot be a host.
    pub(crate) fn new(server: &Server, terms: &NodeSettings) -> Result<Arc<Self>> {
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
            owed: PendingDeletes::new(terms.max_owed),
            counters: ServerCounters::default(),
            times: Times::default(),
            this: this.clone(),
        }))
    }

    fn health(&self) -> MutexGuard<'_, Health> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn is_away(&self) -> bool {
        self.away.load(Ordering::Acquire)
    }

    /// Has the server emptied before it is used, since it was on the list before, and has entries of that time.
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

    /// Notes that the server cannot grant the right to fill.
    pub(crate) fn has_no_cas(&self) {
        self.greeting.no_cas.store(true, Ordering::Relaxed);
    }

    /// The longest value that the server stores under this key, in bytes.
    pub(crate) fn max_value(&self, key: &WireKey) -> usize {
        self.max_value.unwrap_or_else(|| {
            let size = self.greeting.item_size.load(Ordering::Relaxed);
            let size = if size == 0 { DEFAULT_ITEM_SIZE } else { size };
            size.saturating_sub(ITEM_OVERHEAD + key.placed().len())
        })
    }

    /// Whether a request may go to the server now. If it is time to try the server again, this begins a probe.
    pub(crate) fn admits(&self) -> bool {
        if !self.is_away() {
            return true;
        }
        let admit = self.health().admit(now());
        if admit == Permission::Probe {
            self.spawn_probe();
        }
        admit == Permission::Go
    }

    fn down(&self) -> Error {
        self.counters.skipped.fetch_add(1, Ordering::Relaxed);
        Error::new(Kind::Down, "the server is ejected").at(&self.server)
    }

    /// Sends a command if the server is not ejected.
    pub(crate) fn ask(&self, op: Op) -> CommandInFlight<'_> {
        let only_reads = matches!(&op, Op::Get(fetch) if fetch.only_reads());
        let sending = || self.pool.send(Command::new(op));
        CommandInFlight {
            node: self,
            sending: self.admits().then(sending),
            began: now(),
            heard_out: only_reads,
            polled: false,
        }
    }

    /// Does as [`ask`](Self::ask), with a command that may leave an entry here in place of the servers that are
    /// `skipped`.
    pub(crate) async fn stand_in(
        &self,
        key: &WireKey,
        op: Op,
        skipped: &[Arc<Self>],
        limit: Option<Duration>,
    ) -> Result<Reply> {
        let _standing = StandInGuard {
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

    /// Sends a command that changes the entry of `key`, in place of the servers that are `skipped`. When it fails so
    /// that the entry is in question, the entry is owed a delete, and the error says so.
    pub(crate) async fn change(
        &self,
        key: &WireKey,
        op: Op,
        on: Option<ConnectionId>,
        doubt: OwedWhen,
        skipped: &[Arc<Self>],
    ) -> Result<Reply> {
        let _standing = StandInGuard {
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
        let mut promise = OwedOnDrop {
            node: self,
            key,
            armed: doubt != OwedWhen::Never,
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
                    // The server does not run what it does not understand.
                    _ if error.kind() == Kind::Unsupported => false,
                    OwedWhen::Always => true,
                    OwedWhen::IfSent => sent,
                    OwedWhen::Never => false,
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
        let op = Op::Delete(DeleteOp {
            key: key.clone(),
            cas: None,
            stale: None,
        });
        self.send(op, None).await.map(drop)
    }

    fn send(&self, op: Op, on: Option<ConnectionId>) -> CommandInFlight<'_> {
        let mut sending = self.pool.send(Command::new(op));
        if let Some(connection) = on {
            sending = sending.on(connection);
        }
        CommandInFlight {
            node: self,
            sending: Some(sending),
            began: now(),
            heard_out: false,
            polled: false,
        }
    }

    /// Counts a command that began at `began` and ended with `result`.
    fn ended(
        &self,
        began: Instant,
        result: std::result::Result<Reply, pipeline_pool::Error>,
    ) -> Result<Reply> {
        let timed = self.counters.ended();
        match result {
            Ok(reply) => {
                if timed {
                    self.times.add(now().saturating_duration_since(began));
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
                self.times.add(ended.saturating_duration_since(began));
                let error = Error::of_pool(error).at(&self.server);
                self.counters.failed(&error);
                if error.is_failure() {
                    self.failed(began, ended);
                }
                Err(error)
            }
        }
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
        let (server, owed) = (self.server.clone(), self.owed.len());
        self.counters
            .read(server, state, owed, self.pool.stats(), self.times.read())
    }

    pub(crate) async fn close(&self, grace: Duration) {
        self.pool.clone().close(grace).await;
    }
}

/// Runs these futures together, and gives their outputs in their order.
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
