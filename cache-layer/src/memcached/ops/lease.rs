//! Reading with the right to fill, and filling.
//!
//! *Problem:* memcached counts its leases from 1 again after a restart, so that an old lease would fit a new entry.
//! *Decision:* A fill goes on the connection that granted its lease, or not at all. In the classic protocol a lease is
//! an entry that holds the place, and is bound to its connection too. A key has one stored form in both protocols, so
//! that a change of protocol loses no deletion. *Cost:* Behind a proxy the connection is the proxy's, and may outlive a
//! restart of the server.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::store::{stored, too_large};
use super::strange;
use crate::memcached::client::Memcached;
use crate::memcached::error::{Error, Kind, Result};
use crate::memcached::key::{Key, WireKey};
use crate::memcached::node::OwedWhen;
use crate::memcached::split;
use crate::memcached::topology::Route;
use crate::memcached::value::{Lease, Leased, Stored, exptime};
use crate::memcached::wire::{DeleteOp, Fetch, Op, Outcome, Reply, Status, StoreMode, StoreOp};

/// How long an entry waits to be filled, unless it is said otherwise.
const DEFAULT_LEASE: Duration = Duration::from_secs(10);

/// Reads a value or asks for the right to fill it; made by [`Memcached::get_lease`].
#[derive(Clone, Debug)]
#[must_use = "nothing is sent until this is awaited"]
pub struct GetLease {
    client: Memcached,
    fetch: Fetch,
    limit: Option<Duration>,
}

impl GetLease {
    pub(crate) fn new(client: Memcached, key: WireKey) -> Self {
        let mut fetch = Fetch::plain(key);
        fetch.cas = true;
        fetch.vivify = Some(exptime(Some(DEFAULT_LEASE)));
        Self {
            client,
            fetch,
            limit: None,
        }
    }

    /// Has it take no longer than this, instead of the time of an operation.
    pub(crate) fn limit(mut self, limit: Duration) -> Self {
        self.limit = Some(limit);
        self
    }

    /// How long others wait for the caller that fills before the next is asked to. Defaults to 10 s; at least 1 s.
    pub fn lease(mut self, time: Duration) -> Self {
        self.fetch.vivify = Some(exptime(Some(time)).max(1));
        self
    }

    /// Asks one caller to fill the entry anew when less than this is left of its time, while the
    /// others read on. Defaults to never. Whole seconds; parts of a second count as a whole one.
    pub fn refill_within(mut self, left: Duration) -> Self {
        let seconds = left
            .as_secs()
            .saturating_add(u64::from(left.subsec_nanos() > 0));
        self.fetch.recache = Some(u32::try_from(seconds).unwrap_or(u32::MAX));
        self
    }

    /// Sends the command, as `.await` does.
    ///
    /// # Errors
    /// [`Kind::Unsupported`] when the server does not speak the meta protocol; as
    /// [`Memcached::get`] else.
    pub async fn send(self) -> Result<Leased> {
        let Self {
            client,
            fetch,
            limit,
        } = self;
        let (Route { node, skipped }, room) = client.place(&fetch.key);
        if !room {
            return Ok(Leased::Away);
        }
        if node.owed.has(&fetch.key) && !node.is_away() {
            node.settle();
            client.count(&node, 0, 1);
            return Ok(Leased::Away);
        }
        if !node.grants() {
            client.count(&node, 0, 1);
            return Ok(Leased::Away);
        }
        let key = fetch.key.clone();
        let asked = node.stand_in(&key, Op::Get(fetch), &skipped, limit);
        let reply = match asked.await {
            Ok(reply) => reply,
            Err(error) if error.kind() == Kind::Down => return Ok(Leased::Away),
            Err(error) => return Err(error),
        };
        let item = match reply.outcome {
            Outcome::Value(item) => item,
            // There was no memory for the place that is to be filled.
            Outcome::Status(Status::NotFound) => {
                client.count(&node, 0, 1);
                return Ok(Leased::Away);
            }
            other => return Err(strange(&node, &other)),
        };
        let (won, taken, stale) = (item.won, item.taken, item.stale);
        let lease = || {
            // The server has no numbers if it says 0.
            let cas = item.cas.filter(|cas| won && *cas != 0)?;
            Some(Lease {
                node: node.clone(),
                connection: reply.connection,
                key: key.clone(),
                cas,
            })
        };
        let lease = lease();
        // A place that waits to be filled is empty. An empty value that is to be filled anew
        // cannot be told from it, and is taken for one.
        let place = item.data.is_empty() && (won || taken);
        let value = match place {
            true => None,
            false => split::open(&client, &key, item).await?,
        };
        client.count(&node, usize::from(value.is_some()), 1);
        Ok(match (value, lease) {
            (Some(value), refill) => Leased::Hit {
                value,
                stale,
                refill,
            },
            (None, Some(lease)) => Leased::Miss(lease),
            (None, None) if place && !won && node.grants() => Leased::Wait,
            (None, None) => Leased::Away,
        })
    }
}

awaitable!(GetLease, Leased);

/// Fills an entry; made by [`Memcached::fill`].
#[derive(Clone, Debug)]
#[must_use = "nothing is sent until this is awaited"]
pub struct Fill {
    client: Memcached,
    lease: Lease,
    store: StoreOp,
}

impl Fill {
    pub(crate) fn new(client: Memcached, lease: Lease, value: Bytes) -> Self {
        let store = StoreOp {
            mode: StoreMode::Set,
            key: lease.key.clone(),
            value,
            flags: 0,
            ttl: 0,
            cas: Some(lease.cas),
        };
        Self {
            client,
            lease,
            store,
        }
    }

    /// How long the entry lives; as [`Store::ttl`](super::Store::ttl).
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.store.ttl = exptime(Some(ttl));
        self
    }

    /// A number that is kept with the value. Defaults to 0.
    pub fn flags(mut self, flags: u32) -> Self {
        self.store.flags = flags;
        self
    }

    /// Sends the command, as `.await` does.
    ///
    /// # Errors
    /// [`Kind::Gone`] when the connection that granted the lease is no more, or the key belongs to
    /// another server now: nothing was stored. As for [`Memcached::set`] else; nothing has to be
    /// made good, since a fill that comes late is refused by the server.
    pub async fn send(self) -> Result<Stored> {
        let Self {
            client,
            lease,
            mut store,
        } = self;
        if client.0.split && store.flags & split::SPLIT_FLAG != 0 {
            let text = "the highest bit of the flags is taken by split values";
            return Err(Error::new(Kind::Config, text));
        }
        let node = lease.node;
        let (route, room) = client.place(&store.key);
        if !room || !Arc::ptr_eq(&route.node, &node) || node.owed.has(&store.key) {
            let text = "the key belongs to another server now, or was changed";
            return Err(Error::new(Kind::Gone, text).at(&node.server));
        }
        if store.value.len() > node.max_value(&store.key) {
            if !client.0.split {
                return Err(too_large(&node, &store, &route.skipped).await);
            }
            split::write(&client, &mut store).await?;
        }
        let key = store.key.clone();
        let on = Some(lease.connection);
        let reply = node
            .change(&key, Op::Store(store), on, OwedWhen::Never, &route.skipped)
            .await?;
        stored(&node, &reply.outcome)
    }
}

awaitable!(Fill, Stored);

/// Reads an entry with its number, which is a right to fill over any protocol: on the connection that told it, and as
/// long as nobody changes the entry.
pub(crate) async fn claim(client: &Memcached, key: &Key) -> Result<Option<(Bytes, Lease)>> {
    let key = client.wire(key);
    let mut fetch = Fetch::plain(key.clone());
    fetch.cas = true;
    let node = client.route(&key).node;
    if node.owed.has(&key) || !node.grants() {
        return Ok(None);
    }
    let Reply {
        outcome,
        connection,
    } = node.ask(Op::Get(fetch)).await?;
    let item = match outcome {
        Outcome::Value(item) => item,
        Outcome::Status(Status::NotFound) => return Ok(None),
        other => return Err(strange(&node, &other)),
    };
    // The server has no numbers if it says 0. Where its settings were not asked for, this is how that becomes known.
    let Some(cas) = item.cas.filter(|cas| *cas != 0) else {
        node.has_no_cas();
        return Ok(None);
    };
    let lease = Lease {
        node,
        connection,
        key,
        cas,
    };
    Ok(Some((item.data, lease)))
}

impl Lease {
    /// The number of the entry that it is for.
    pub(crate) fn number(&self) -> u64 {
        self.cas
    }

    /// Gives the right back, so that the next reader gets it and need not wait until it ends by itself.
    ///
    /// # Errors
    /// They are those of [`Memcached::get`]. Nothing has to be made good.
    pub async fn give_back(self) -> Result<()> {
        let delete = DeleteOp {
            key: self.key,
            cas: Some(self.cas),
            stale: None,
        };
        self.node.ask(Op::Delete(delete)).await.map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn parts_of_a_second_are_not_passed_over() {
        let client = Memcached::builder()
            .servers(["127.0.0.1:1"])
            .build()
            .unwrap();
        let recache = |left: Duration| client.get_lease("k").refill_within(left).fetch.recache;
        assert_eq!(recache(Duration::from_millis(1)), Some(1));
        assert_eq!(recache(Duration::from_secs(7)), Some(7));
        assert_eq!(recache(Duration::from_millis(7500)), Some(8));
        assert_eq!(recache(Duration::MAX), Some(u32::MAX));
    }
}
