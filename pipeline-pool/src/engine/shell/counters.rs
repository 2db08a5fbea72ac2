//! What has happened so far at an endpoint.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use crate::event::CloseReason;

/// Sums that only grow. The figures that statistics show are read from here.
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
    /// A connection was closed for this reason.
    pub(crate) fn closed(&self, reason: CloseReason) {
        add(&self.closed[reason as usize], 1);
    }

    /// Connections closed, by the position of the reason in [`CloseReason::ALL`].
    pub(crate) fn closed_by(&self) -> [u64; CloseReason::ALL.len()] {
        std::array::from_fn(|i| self.closed[i].load(Ordering::Relaxed))
    }
}

/// Adds to one of the sums.
pub(super) fn add(sum: &AtomicU64, n: u64) {
    sum.fetch_add(n, Ordering::Relaxed);
}
