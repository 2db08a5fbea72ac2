//! How a server that was ejected is tried again, and comes back once it has been paid.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use tokio::runtime::Handle;

use super::debts::Due;
use super::{Node, now};
use crate::memcached::Key;
use crate::memcached::error::Result;
use crate::memcached::wire::{Fetch, Op};

impl Node {
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
        // Every server and proxy knows `get`. Nobody uses this key.
        let key = Key::from(Bytes::new()).wire(false);
        self.send(Op::Get(Fetch::plain(key)), None).await?;
        loop {
            self.pay_due().await?;
            if self.probed(true) {
                return Ok(());
            }
        }
    }

    /// Ends a probe. Says whether that settles whether the server is used again. It does not when the server has been
    /// owed more since it was paid.
    pub(super) fn probed(&self, well: bool) -> bool {
        let mut health = self.health();
        if well && matches!(self.owed.due(now()), Due::Keys(_) | Due::Everything) {
            return false;
        }
        if !health.probed(well, now(), fastrand::f64()) {
            // Another probe has settled that.
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

/// A probe that its runtime did not see to the end counts as one that failed.
struct Probe(Option<Arc<Node>>);

impl Drop for Probe {
    fn drop(&mut self) {
        if let Some(node) = self.0.take() {
            node.probed(false);
        }
    }
}
