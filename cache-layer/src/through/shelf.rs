//! What the cache asks of memcached.

use std::future::Future;
use std::time::Duration;

use bytes::Bytes;

use super::steps::Looked;
use super::trust::Placement;
use crate::memcached::Key;

/// What a look that asks for no lease found.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Peeked<V> {
    /// This value.
    Hit(V),
    /// Nothing that can be believed.
    Nothing,
    /// No answer, or one that makes no sense.
    Down,
}

/// What became of a fill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Filled {
    /// It is stored.
    Stored,
    /// It is not: the lease is no longer good, or the value is too large.
    Refused,
    /// Nobody knows.
    Down,
}

/// What became of a deletion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deleted {
    /// It was acknowledged.
    Done,
    /// It was not; this client reads the key as absent until it is.
    Owed,
    /// Nobody knows.
    Unknown,
}

impl Deleted {
    /// Whether nobody here will read what was there before.
    pub(crate) fn is_safe(self) -> bool {
        self != Self::Unknown
    }
}

/// The one who keeps entries; each call takes no longer than its own time limit.
pub(crate) trait Shelf: Placement + Send + Sync + 'static {
    /// The right to fill a key.
    type Lease: Send + Sync + 'static;

    /// Reads a key. If there is nothing, asks for the lease, which ends by itself after `lease`; if less than
    /// `renew` of its time is left, asks for the lease too. Takes no longer than `limit`.
    fn look(
        &self,
        key: &Key,
        lease: Duration,
        renew: Option<Duration>,
        limit: Duration,
    ) -> impl Future<Output = Looked<Self::Lease, Bytes>> + Send;

    /// Reads a key, and nothing else.
    fn peek(&self, key: &Key) -> impl Future<Output = Peeked<Bytes>> + Send;

    /// Stores a value under a lease.
    fn fill(
        &self,
        lease: Self::Lease,
        value: Bytes,
        ttl: Duration,
    ) -> impl Future<Output = Filled> + Send;

    /// Gives a lease back.
    fn cancel(&self, lease: Self::Lease) -> impl Future<Output = ()> + Send;

    /// Deletes a key.
    fn delete(&self, key: &Key) -> impl Future<Output = Deleted> + Send;

    /// The longest time that one call takes.
    fn timeout(&self) -> Duration;
}
