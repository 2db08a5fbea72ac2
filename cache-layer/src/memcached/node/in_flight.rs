//! Commands under way to a server, and what has to be done when their callers give them up.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use pipeline_pool::PoolSending;
use tokio::runtime::Handle;

use super::{Node, StandInNote};
use crate::memcached::error::Result;
use crate::memcached::key::WireKey;
use crate::memcached::wire::{Codec, Reply};

/// A command under way.
///
/// When a caller gives a read up, the node waits for its outcome in a task, one read at a time. Otherwise a server that
/// answers nothing would never be ejected where all callers have less time than an operation takes at most.
#[must_use = "nothing is sent until this is awaited"]
pub(crate) struct CommandInFlight<'a> {
    pub(super) node: &'a Node,
    /// The request, unless the server is ejected or the command has ended.
    pub(super) sending: Option<PoolSending<Codec>>,
    pub(super) began: Instant,
    /// Whether the command changes nothing, so that its outcome is waited for even if its caller gives it up.
    pub(super) heard_out: bool,
    pub(super) polled: bool,
}

impl Future for CommandInFlight<'_> {
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

impl Drop for CommandInFlight<'_> {
    fn drop(&mut self) {
        if self.heard_out
            && self.polled
            && let Some(sending) = self.sending.take()
        {
            self.node.hear_out(sending, self.began);
        }
    }
}

/// The right to wait for a read that was given up. It is given back when that read ends, or its runtime does.
struct HeardOut(Arc<Node>);

impl Drop for HeardOut {
    fn drop(&mut self) {
        self.0.hearing.store(false, Ordering::Release);
    }
}

/// A change under way. When its caller gives it up, it may run or not, and its key is owed a delete.
pub(super) struct OwedOnDrop<'a> {
    pub(super) node: &'a Node,
    pub(super) key: &'a WireKey,
    pub(super) armed: bool,
}

impl Drop for OwedOnDrop<'_> {
    fn drop(&mut self) {
        if self.armed {
            self.node.owe(self.key, true);
        }
    }
}

/// A change that is made here in place of servers that are away. A server that comes back meanwhile has had the entry
/// deleted here, maybe before the change was made. So the entry is deleted again.
pub(super) struct StandInGuard<'a> {
    pub(super) node: &'a Node,
    pub(super) key: &'a WireKey,
    pub(super) skipped: &'a [Arc<Node>],
}

impl Drop for StandInGuard<'_> {
    fn drop(&mut self) {
        for away in self.skipped {
            if away.note(self.key, self.node) != StandInNote::Yes {
                self.node.owe(self.key, false);
            }
        }
    }
}

impl Node {
    /// Waits for the outcome of a read whose caller has given it up, unless it does so for another.
    fn hear_out(&self, sending: PoolSending<Codec>, began: Instant) {
        let (Ok(runtime), Some(node)) = (Handle::try_current(), self.this.upgrade()) else {
            return;
        };
        if node.hearing.swap(true, Ordering::AcqRel) {
            return;
        }
        let hearing = HeardOut(node);
        runtime.spawn(async move {
            // The outcome counts for the health of the server.
            let _ = hearing.0.ended(began, sending.await);
        });
    }
}
