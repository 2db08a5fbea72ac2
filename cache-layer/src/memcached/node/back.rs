//! How a server that was away comes back: what it is owed is paid first.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Instant;

use bytes::Bytes;
use tokio::runtime::Handle;

use super::{Node, join, now};
use crate::memcached::Key;
use crate::memcached::error::{Kind, Result};
use crate::memcached::key::WireKey;
use crate::memcached::owed::{Debt, Due, SILENT};
use crate::memcached::wire::{Fetch, Op};

/// Whether a server that is away was told that another stands in for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Noted {
    Yes,
    /// There is no room for it: everything is owed.
    Full,
    /// It is not away.
    Back,
}

impl Node {
    /// The entry of `key` is to be deleted before it is believed again.
    pub(crate) fn owe(&self, key: &WireKey, doubt: bool) {
        self.owed.add(key, doubt, None);
        self.settle();
    }

    /// Another server stands in for this one and has, or may have, an entry of `key`: both are to
    /// be deleted before this one is used again.
    pub(crate) fn note(&self, key: &WireKey, other: &Self) -> Noted {
        // Locked, so that it does not come back before it has been told.
        let health = self.health();
        if health.is_up() {
            return Noted::Back;
        }
        match self.owed.add(key, false, Some(&other.this)) {
            true => Noted::Yes,
            false => Noted::Full,
        }
    }

    /// Sees that what is owed is paid, if the server is there.
    pub(crate) fn settle(&self) {
        if self.is_away() {
            return;
        }
        if let Ok(runtime) = Handle::try_current()
            && let Some(node) = self.this.upgrade()
            && let Some(number) = self.owed.take_task(now())
        {
            runtime.spawn(pay(Payer { node, number }));
        }
    }

    /// Pays these.
    ///
    /// # Errors
    /// When one of them could not be paid; they are all owed still, or paid.
    async fn pay(&self, keys: Vec<(WireKey, Debt)>) -> Result<()> {
        let one = |(key, debt): (WireKey, Debt)| {
            Box::pin(async move {
                for other in debt.stand_ins.iter().filter_map(Weak::upgrade) {
                    if other.is_away() || other.delete(&key).await.is_err() {
                        other.owe(&key, false);
                    }
                }
                self.delete(&key).await?;
                self.owed.paid(&key, &debt, now());
                Ok(())
            })
        };
        join(keys.into_iter().map(one).collect())
            .await
            .into_iter()
            .collect()
    }

    /// Pays all that can be paid now; says when the rest can be.
    async fn pay_due(&self) -> Result<Option<Instant>> {
        loop {
            match self.owed.due(now()) {
                Due::Nothing => return Ok(None),
                Due::Later(at) => return Ok(Some(at)),
                Due::Keys(keys) => self.pay(keys).await?,
                Due::Everything => {
                    let turn = self.owed.turn();
                    self.send(Op::Flush { delay: 0 }, None).await?;
                    self.owed.paid_all(turn, now());
                }
            }
        }
    }

    pub(super) fn spawn_probe(&self) {
        match (self.this.upgrade(), Handle::try_current()) {
            (Some(node), Ok(runtime)) => {
                runtime.spawn(async move {
                    let mut probe = Probe(Some(node.clone()));
                    let well = node.probe().await.is_ok();
                    probe.0 = None;
                    match well {
                        true => node.settle(),
                        false => {
                            node.probed(false);
                        }
                    }
                });
            }
            _ => {
                self.probed(false);
            }
        }
    }

    /// Finds out whether the server is back, and pays what it is owed before anybody reads there.
    async fn probe(&self) -> Result<()> {
        // Every server and proxy knows `get`; this is no key of anybody's.
        let key = Key::from(Bytes::new()).wire(false);
        self.send(Op::Get(Fetch::plain(key)), None).await?;
        loop {
            self.pay_due().await?;
            if self.probed(true) {
                return Ok(());
            }
        }
    }

    /// A probe is over. Says whether that settles it: not when something was added to what the
    /// server is owed since that was paid.
    fn probed(&self, well: bool) -> bool {
        let mut health = self.health();
        if well && matches!(self.owed.due(now()), Due::Keys(_) | Due::Everything) {
            return false;
        }
        if !health.probed(well, now(), fastrand::f64()) {
            // Another probe has settled it.
            return true;
        }
        let up = health.is_up();
        self.away.store(!up, Ordering::Release);
        drop(health);
        if well && up {
            self.counters.rejoins.fetch_add(1, Ordering::Relaxed);
            tracing::debug!(server.address = %self.server, "memcached server is back");
        }
        true
    }
}

/// Pays until nothing is owed, the server is away, or another task has taken over.
async fn pay(payer: Payer) {
    let Payer { node, number } = &payer;
    loop {
        let until = match node.pay_due().await {
            Ok(None) => break,
            Ok(Some(at)) => at,
            // The client was closed: nobody reads there any more.
            Err(error) if error.kind() == Kind::Shutdown => return,
            // Each try counts for the server's health.
            Err(_) => now() + node.pause.min(SILENT / 2),
        };
        tokio::time::sleep_until(until.into()).await;
        if node.is_away() || !node.owed.hear(*number, now()) {
            break;
        }
    }
    let node = node.clone();
    drop(payer);
    // What was added when the task had looked for the last time has nobody else.
    if !node.is_away() && matches!(node.owed.due(now()), Due::Keys(_) | Due::Everything) {
        node.settle();
    }
}

/// The task of paying, given back when it ends or its runtime does.
struct Payer {
    node: Arc<Node>,
    number: u64,
}

impl Drop for Payer {
    fn drop(&mut self) {
        self.node.owed.leave_task(self.number);
    }
}

/// A probe that its runtime did not see to the end counts as one that failed.
struct Probe(Option<Arc<Node>>);

impl Drop for Probe {
    fn drop(&mut self) {
        if let Some(node) = self.0.take() {
            node.probed(false);
        }
    }
}
