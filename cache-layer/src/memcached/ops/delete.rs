//! Deleting an entry, or marking it stale.

use std::time::Duration;

use super::strange;
use crate::memcached::client::Memcached;
use crate::memcached::error::{Kind, Result};
use crate::memcached::key::WireKey;
use crate::memcached::node::OwedWhen;
use crate::memcached::topology::Route;
use crate::memcached::value::exptime;
use crate::memcached::wire::{self, Op, Outcome, Status};

/// Deletes an entry; made by [`Memcached::delete`]. Gives whether there was one.
#[derive(Clone, Debug)]
#[must_use = "nothing is sent until this is awaited"]
pub struct Delete {
    client: Memcached,
    delete: wire::DeleteOp,
}

impl Delete {
    pub(crate) fn new(client: Memcached, key: WireKey) -> Self {
        let delete = wire::DeleteOp {
            key,
            cas: None,
            stale: None,
        };
        Self { client, delete }
    }

    /// Deletes only if nobody has changed the entry since it was read with this number. Needs the
    /// meta protocol.
    pub fn cas(mut self, cas: u64) -> Self {
        self.delete.cas = Some(cas);
        self
    }

    /// Marks the entry stale instead, for this long: [`Memcached::get_lease`] then asks one caller
    /// to fill it anew, and gives the others the stale value. Leases that were granted before are
    /// void. A plain [`get`](Memcached::get) reads it as before. Deletes it where the
    /// server does not speak the meta protocol.
    pub fn stale(mut self, time: Duration) -> Self {
        self.delete.stale = Some(exptime(Some(time)));
        self
    }

    /// Sends the command, as `.await` does.
    ///
    /// # Errors
    /// [`Kind::Down`] while the server is ejected. [`Kind::Timeout`] and the others when the server
    /// is in trouble. In both cases the delete is [owed](crate::memcached::Error::is_owed).
    /// [`Kind::Unsupported`] for [`cas`](Self::cas) over the classic protocol.
    pub async fn send(self) -> Result<bool> {
        let Self { client, mut delete } = self;
        let key = delete.key.clone();
        // Where there is no room to note it, the whole server is owed.
        let (Route { node, skipped }, _) = client.place(&key);
        let op = Op::Delete(delete.clone());
        let reply = match node
            .change(&key, op, None, OwedWhen::Always, &skipped)
            .await
        {
            Err(error) if error.kind() == Kind::Unsupported && delete.cas.is_none() => {
                delete.stale = None;
                let op = Op::Delete(delete);
                node.change(&key, op, None, OwedWhen::Always, &skipped)
                    .await?
            }
            other => other?,
        };
        match reply.outcome {
            Outcome::Status(Status::Done) => Ok(true),
            Outcome::Status(Status::NotFound | Status::Exists) => Ok(false),
            other => Err(strange(&node, &other)),
        }
    }
}

awaitable!(Delete, bool);
