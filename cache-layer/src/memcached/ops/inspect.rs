//! What a server says of an entry.

use super::strange;
use crate::memcached::client::Memcached;
use crate::memcached::error::Result;
use crate::memcached::key::WireKey;
use crate::memcached::wire::{Op, Outcome, Status};

/// Asks what the server knows of an entry, such as `exp`, `la`, `cas` and `size`; made by
/// [`Memcached::inspect`]. Gives nothing when there is none.
#[derive(Clone, Debug)]
#[must_use = "nothing is sent until this is awaited"]
pub struct Inspect {
    client: Memcached,
    key: WireKey,
}

impl Inspect {
    pub(crate) fn new(client: Memcached, key: WireKey) -> Self {
        Self { client, key }
    }

    /// Sends `me`, as `.await` does.
    ///
    /// # Errors
    /// [`Kind::Unsupported`](crate::memcached::Kind::Unsupported) when the server does not speak
    /// the meta protocol; [`Kind::Down`](crate::memcached::Kind::Down) while it is ejected, and others
    /// when it is in trouble.
    pub async fn send(self) -> Result<Option<Vec<(String, String)>>> {
        let Self { client, key } = self;
        let node = client.route(&key).node;
        let reply = node.ask(Op::Inspect(key)).await?;
        match reply.outcome {
            Outcome::Pairs(pairs) => Ok(Some(pairs)),
            Outcome::Status(Status::NotFound) => Ok(None),
            other => Err(strange(&node, &other)),
        }
    }
}

awaitable!(Inspect, Option<Vec<(String, String)>>);
