//! What the cache asks of the server that keeps its entries.

mod memcached;

use std::future::Future;
use std::time::Duration;

use bytes::Bytes;

use super::steps::Looked;
use super::trust::Placement;
use crate::memcached::Key;

/// What a look that asks for no lease found.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Peeked<V> {
    /// It found this value.
    Hit(V),
    /// It found nothing that can be believed.
    Nothing,
    /// There was no answer, or one that makes no sense.
    Down,
}

/// What became of a fill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Filled {
    /// The value is stored.
    Stored,
    /// The value is not stored, since the lease is no longer good, or the value is too large.
    Refused,
    /// It is not known.
    Down,
}

/// What became of a deletion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deleted {
    /// The deletion was acknowledged.
    Done,
    /// The deletion was not acknowledged. This client reads the key as absent until it has been repeated with
    /// success.
    Owed,
    /// It is not known.
    Unknown,
}

impl Deleted {
    /// Whether this process will not read what was there before.
    pub(crate) fn is_safe(self) -> bool {
        self != Self::Unknown
    }
}

/// The server that keeps entries. Each call ends within its own time limit.
pub(crate) trait Backend: Placement + Send + Sync + 'static {
    /// The right to fill a key.
    type Right: Send + Sync + 'static;

    /// Reads a key. If there is nothing, it asks for the right to fill the key, which ends by itself after `lease`.
    /// It asks for that right too if less than `renew` is left of the time of the entry. It takes no longer than
    /// `limit`.
    fn look(
        &self,
        key: &Key,
        lease: Duration,
        renew: Option<Duration>,
        limit: Duration,
    ) -> impl Future<Output = Looked<Self::Right, Bytes>> + Send;

    /// Reads a key, and nothing else.
    fn peek(&self, key: &Key) -> impl Future<Output = Peeked<Bytes>> + Send;

    /// Stores a value by the right to fill its key.
    fn fill(
        &self,
        lease: Self::Right,
        value: Bytes,
        ttl: Duration,
    ) -> impl Future<Output = Filled> + Send;

    /// Gives the right to fill a key back.
    fn cancel(&self, lease: Self::Right) -> impl Future<Output = ()> + Send;

    /// Deletes what is stored under a key.
    fn delete(&self, key: &Key) -> impl Future<Output = Deleted> + Send;

    /// The longest time that one call takes.
    fn timeout(&self) -> Duration;
}
