//! Setting an entry's time to live.

use std::time::Duration;

use super::strange;
use crate::memcached::client::Memcached;
use crate::memcached::error::Result;
use crate::memcached::key::WireKey;
use crate::memcached::value::exptime;
use crate::memcached::wire::{Op, Outcome, Status};

/// Sets an entry's time to live; made by [`Memcached::touch`]. Gives whether there is one.
#[derive(Clone, Debug)]
#[must_use = "nothing is sent until this is awaited"]
pub struct Touch {
    client: Memcached,
    key: WireKey,
    ttl: i32,
}

impl Touch {
    pub(crate) fn new(client: Memcached, key: WireKey, ttl: Duration) -> Self {
        Self {
            client,
            key,
            ttl: exptime(Some(ttl)),
        }
    }

    /// Sends the command, as `.await` does.
    ///
    /// # Errors
    /// [`Kind::Down`](crate::memcached::Kind::Down) while the server is ejected, and others when it
    /// is in trouble.
    pub async fn send(self) -> Result<bool> {
        let Self { client, key, ttl } = self;
        let node = client.route(&key).node;
        if node.owed.has(&key) && !node.is_away() {
            node.settle();
            return Ok(false);
        }
        let reply = node.ask(Op::Touch { key, ttl }).await?;
        match reply.outcome {
            Outcome::Status(status) => Ok(status == Status::Done),
            other => Err(strange(&node, &other)),
        }
    }
}

awaitable!(Touch, bool);
