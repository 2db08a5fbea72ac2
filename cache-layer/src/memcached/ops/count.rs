//! Counting up and down.

use std::time::Duration;

use super::{NO_ROOM_TEXT, strange};
use crate::memcached::client::Memcached;
use crate::memcached::error::{Error, Kind, Result};
use crate::memcached::key::WireKey;
use crate::memcached::node::OwedWhen;
use crate::memcached::topology::Route;
use crate::memcached::value::exptime;
use crate::memcached::wire::{Arith, Op, Outcome, Status, StoreMode, StoreOp};

/// Changes a counter; made by [`Memcached::incr`] and [`Memcached::decr`]. Gives its new value, or
/// nothing when there is none.
#[derive(Clone, Debug)]
#[must_use = "nothing is sent until this is awaited"]
pub struct Count {
    client: Memcached,
    arith: Arith,
}

impl Count {
    pub(crate) fn new(client: Memcached, key: WireKey, up: bool, by: u64) -> Self {
        let arith = Arith {
            key,
            up,
            by,
            initial: None,
        };
        Self { client, arith }
    }

    /// Makes the counter with this value where there is none, to live for `ttl`, or for ever
    /// without. Defaults to making none. Over the classic protocol this takes up to three commands.
    pub fn initial(mut self, value: u64, ttl: Option<Duration>) -> Self {
        self.arith.initial = Some((value, exptime(ttl)));
        self
    }

    /// Sends the command, as `.await` does.
    ///
    /// # Errors
    /// [`Kind::NotNumber`]; [`Kind::Down`] while the server is ejected, or, with [`initial`](Self::initial), while more
    /// has been changed on other servers in its place than can be noted; and others when it is in
    /// trouble: whether it was counted is then not known if the command
    /// [may have been sent](crate::memcached::Error::may_have_been_sent).
    pub async fn send(self) -> Result<Option<u64>> {
        let Self { client, mut arith } = self;
        let (route, room) = client.place(&arith.key);
        if !room && arith.initial.is_some() {
            // A counter made here could not be deleted when its own server is back.
            return Err(Error::new(Kind::Down, NO_ROOM_TEXT).owed());
        }
        match change(&route, &arith).await {
            Err(error) if error.kind() == Kind::Unsupported => {}
            other => return other,
        }
        let Some((value, ttl)) = arith.initial.take() else {
            return Ok(None);
        };
        if let Some(count) = change(&route, &arith).await? {
            return Ok(Some(count));
        }
        let add = Op::Store(StoreOp {
            mode: StoreMode::Add,
            key: arith.key.clone(),
            value: value.to_string().into(),
            flags: 0,
            ttl,
            cas: None,
        });
        let Route { node, skipped } = &route;
        let added = node
            .change(&arith.key, add, None, OwedWhen::IfSent, skipped)
            .await?;
        match added.outcome {
            Outcome::Status(Status::Done) => Ok(Some(value)),
            // Somebody else has made the counter meanwhile.
            _ => change(&route, &arith).await,
        }
    }
}

async fn change(route: &Route, arith: &Arith) -> Result<Option<u64>> {
    let Route { node, skipped } = route;
    let op = Op::Arith(arith.clone());
    let reply = node
        .change(&arith.key, op, None, OwedWhen::Never, skipped)
        .await?;
    match reply.outcome {
        Outcome::Number(count) => Ok(Some(count)),
        Outcome::Status(Status::NotFound | Status::NotStored) => Ok(None),
        other => Err(strange(node, &other)),
    }
}

awaitable!(Count, Option<u64>);
