//! Reading the value of one key.

use std::time::Duration;

use super::strange;
use crate::memcached::client::Memcached;
use crate::memcached::error::{Kind, Result};
use crate::memcached::key::WireKey;
use crate::memcached::split;
use crate::memcached::value::{Value, exptime};
use crate::memcached::wire::{Fetch, Op, Outcome, Status};

/// Reads a value; made by [`Memcached::get`] and [`Memcached::gets`].
///
/// Gives nothing when there is no value, when the server is ejected, or when its entry is not to be
/// believed yet.
#[derive(Clone, Debug)]
#[must_use = "nothing is sent until this is awaited"]
pub struct Get {
    client: Memcached,
    fetch: Fetch,
}

impl Get {
    pub(crate) fn new(client: Memcached, key: WireKey) -> Self {
        Self {
            client,
            fetch: Fetch::plain(key),
        }
    }

    /// Asks for [`Value::cas`] too.
    pub fn with_cas(mut self) -> Self {
        self.fetch.cas = true;
        self
    }

    /// Gives the entry a new time to live as it is read. Defaults to leaving it as it is;
    /// `Duration::ZERO` ends it.
    pub fn touch(mut self, ttl: Duration) -> Self {
        self.fetch.touch = Some(exptime(Some(ttl)));
        self
    }

    /// Sends the command, as `.await` does.
    ///
    /// # Errors
    /// [`Kind::Timeout`], [`Kind::Connect`], [`Kind::Closed`], [`Kind::Protocol`] or [`Kind::Busy`]
    /// for a server that is in trouble and not ejected yet.
    pub async fn send(self) -> Result<Option<Value>> {
        fetch_value(&self.client, self.fetch).await
    }
}

/// Reads the value of a key.
pub(crate) async fn fetch_value(client: &Memcached, fetch: Fetch) -> Result<Option<Value>> {
    let node = client.route(&fetch.key).node;
    if node.owed.has(&fetch.key) && !node.is_away() {
        node.settle();
        client.count(&node, 0, 1);
        return Ok(None);
    }
    let key = client.0.split.then(|| fetch.key.clone());
    let reply = match node.ask(Op::Get(fetch)).await {
        Ok(reply) => reply,
        Err(error) if error.kind() == Kind::Down => return Ok(None),
        Err(error) => return Err(error),
    };
    let value = match (reply.outcome, key) {
        (Outcome::Value(item), None) => Some(item.into()),
        // This is boxed, so that values that are whole do not pay for those that are not.
        (Outcome::Value(item), Some(key)) => Box::pin(split::open(client, &key, item)).await?,
        (Outcome::Status(Status::NotFound), _) => None,
        (other, _) => return Err(strange(&node, &other)),
    };
    client.count(&node, usize::from(value.is_some()), 1);
    Ok(value)
}

awaitable!(Get, Option<Value>);
