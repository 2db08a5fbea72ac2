//! How a server is paid the deletes that it is owed.

use std::sync::{Arc, Weak};
use std::time::Instant;

use tokio::runtime::Handle;

use super::debts::{Debt, Due, PAYER_TAKEOVER_AFTER};
use super::{Node, join, now};
use crate::memcached::error::{Kind, Result};
use crate::memcached::key::WireKey;
use crate::memcached::wire::Op;

/// Whether a server that is away was told that another stands in for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StandInNote {
    Yes,
    /// There was no room to note it, so that the whole server is owed.
    Full,
    /// The server is not away.
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
    pub(crate) fn note(&self, key: &WireKey, other: &Self) -> StandInNote {
        // The lock is held so that the server does not come back before it has been told.
        let health = self.health();
        if health.is_up() {
            return StandInNote::Back;
        }
        match self.owed.add(key, false, Some(&other.this)) {
            true => StandInNote::Yes,
            false => StandInNote::Full,
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

    /// Pays these debts: sends the deletes that are owed.
    ///
    /// # Errors
    /// It fails when one of them could not be paid. Each of them is then still owed, or paid.
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

    /// Pays all that can be paid now, and says when the rest can be.
    pub(super) async fn pay_due(&self) -> Result<Option<Instant>> {
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
            Err(_) => now() + node.pause.min(PAYER_TAKEOVER_AFTER / 2),
        };
        tokio::time::sleep_until(until.into()).await;
        if node.is_away() || !node.owed.hear(*number, now()) {
            break;
        }
    }
    let node = node.clone();
    drop(payer);
    // Nobody else pays what was added after the task had looked for the last time.
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
