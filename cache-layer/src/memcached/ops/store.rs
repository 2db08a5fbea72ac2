//! Storing a value, under conditions or without.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::{NO_ROOM_TEXT, strange};
use crate::memcached::client::Memcached;
use crate::memcached::error::{Error, Kind, Result};
use crate::memcached::key::WireKey;
use crate::memcached::node::{Node, OwedWhen};
use crate::memcached::split;
use crate::memcached::topology::Route;
use crate::memcached::value::{Stored, exptime};
use crate::memcached::wire::{self, Op, Outcome, Status, StoreMode};

/// Stores a value; made by [`Memcached::set`] and its kin.
#[derive(Clone, Debug)]
#[must_use = "nothing is sent until this is awaited"]
pub struct Store {
    client: Memcached,
    store: wire::StoreOp,
}

impl Store {
    pub(crate) fn new(client: Memcached, mode: StoreMode, key: WireKey, value: Bytes) -> Self {
        let store = wire::StoreOp {
            mode,
            key,
            value,
            flags: 0,
            ttl: 0,
            cas: None,
        };
        Self { client, store }
    }

    /// How long the entry lives; parts of a second count as a whole one. Defaults to for ever,
    /// until the server needs the memory; `Duration::ZERO` ends it at once.
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.store.ttl = exptime(Some(ttl));
        self
    }

    /// A number that is kept with the value. Defaults to 0. What is [appended](Memcached::append)
    /// keeps the flags that are there.
    pub fn flags(mut self, flags: u32) -> Self {
        self.store.flags = flags;
        self
    }

    /// Stores only if nobody has changed the entry since it was read with this number. Over the
    /// classic protocol only for [`set`](Memcached::set).
    pub fn cas(mut self, cas: u64) -> Self {
        self.store.cas = Some(cas);
        self
    }

    /// Sends the command, as `.await` does.
    ///
    /// # Errors
    /// [`Kind::TooLarge`] when the value is over the server's limit: what was stored under the key
    /// is then deleted, as memcached itself does. [`Kind::OutOfMemory`], [`Kind::Unsupported`].
    /// [`Kind::Down`] while the server is ejected. [`Kind::Timeout`] and the others when the
    /// server is in trouble: it may be stored then, or be later, and is
    /// [not read](Error::is_owed) by this client before it has been deleted.
    pub async fn send(self) -> Result<Stored> {
        let Self { client, mut store } = self;
        if client.0.split && store.flags & split::SPLIT_FLAG != 0 {
            let text = "the highest bit of the flags is taken by split values";
            return Err(Error::new(Kind::Config, text));
        }
        let (Route { node, skipped }, room) = client.place(&store.key);
        if !room {
            return Err(Error::new(Kind::Down, NO_ROOM_TEXT).owed());
        }
        if store.value.len() > node.max_value(&store.key) {
            let whole = matches!(
                store.mode,
                StoreMode::Set | StoreMode::Add | StoreMode::Replace
            );
            if !client.0.split || !whole {
                return Err(too_large(&node, &store, &skipped).await);
            }
            split::write(&client, &mut store).await?;
        }
        let doubt = match store.mode {
            StoreMode::Add => OwedWhen::IfSent,
            _ => OwedWhen::Always,
        };
        let key = store.key.clone();
        let reply = node
            .change(&key, Op::Store(store), None, doubt, &skipped)
            .await?;
        stored(&node, &reply.outcome)
    }
}

awaitable!(Store, Stored);

pub(super) fn stored(node: &Node, outcome: &Outcome) -> Result<Stored> {
    match outcome {
        Outcome::Status(Status::Done) => Ok(Stored::Stored),
        Outcome::Status(Status::NotStored) => Ok(Stored::NotStored),
        Outcome::Status(Status::Exists) => Ok(Stored::Exists),
        Outcome::Status(Status::NotFound) => Ok(Stored::NotFound),
        other => Err(strange(node, other)),
    }
}

/// Deletes what the value was to replace, and says that it is too large.
pub(super) async fn too_large(node: &Node, store: &wire::StoreOp, skipped: &[Arc<Node>]) -> Error {
    let (limit, len) = (node.max_value(&store.key), store.value.len());
    let text = format!("a value of {len} bytes is over the limit of {limit}");
    let error = Error::new(Kind::TooLarge, text).at(&node.server);
    if store.mode != StoreMode::Set {
        return error;
    }
    let delete = wire::DeleteOp {
        key: store.key.clone(),
        cas: store.cas,
        stale: None,
    };
    // The classic protocol has the plain deletion only.
    let deleted = node
        .change(
            &store.key,
            Op::Delete(delete),
            None,
            OwedWhen::Always,
            skipped,
        )
        .await;
    match deleted {
        Err(failed) if failed.is_owed() => error.owed(),
        _ => error,
    }
}
