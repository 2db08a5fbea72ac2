//! Commands that every server is sent.

use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;

use super::strange;
use crate::Server;
use crate::memcached::client::Memcached;
use crate::memcached::error::{Error, Kind, Result};
use crate::memcached::node::{Node, join};
use crate::memcached::wire::{Op, Outcome, Status};

/// Asks every server the same, in parallel. Gives each server with its answer; one that is ejected
/// has failed with [`Kind::Down`].
#[derive(Clone, Debug)]
#[must_use = "nothing is sent until this is awaited"]
pub struct EachServer<T> {
    client: Memcached,
    op: Result<Op>,
    read: fn(&Node, Outcome) -> Result<T>,
}

impl EachServer<String> {
    pub(crate) fn version(client: Memcached) -> Self {
        Self {
            client,
            op: Ok(Op::Version),
            read: |node, outcome| match outcome {
                Outcome::Text(version) => Ok(version),
                other => Err(strange(node, &other)),
            },
        }
    }
}

impl EachServer<Vec<(String, String)>> {
    pub(crate) fn stats(client: Memcached, what: &str) -> Self {
        let plain = what.bytes().all(|b| matches!(b, b' '..=b'~'));
        let op = match plain && what.len() <= 200 {
            true => Ok(Op::Stats {
                what: Bytes::copy_from_slice(what.trim().as_bytes()),
            }),
            false => Err(Error::new(
                Kind::Config,
                "what statistics are of is a word or two, at most 200 characters",
            )),
        };
        Self {
            client,
            op,
            read: |node, outcome| match outcome {
                Outcome::Pairs(pairs) => Ok(pairs),
                other => Err(strange(node, &other)),
            },
        }
    }
}

impl<T> EachServer<T> {
    /// Asks all servers, as `.await` does.
    ///
    /// # Errors
    /// It fails with [`Kind::Config`] when it cannot be asked. The error of a server is given with that server.
    pub async fn send(self) -> Result<Vec<(Server, Result<T>)>> {
        let op = self.op?;
        let now = self.client.now();
        let read = self.read;
        let each = now.nodes.iter().map(|node| {
            let op = op.clone();
            Box::pin(async move {
                let answer = node.ask(op).await;
                let answer = answer.and_then(|reply| read(node, reply.outcome));
                (node.server.clone(), answer)
            })
        });
        Ok(join(each.collect()).await)
    }
}

impl<T: Send + 'static> IntoFuture for EachServer<T> {
    type Output = Result<Vec<(Server, Result<T>)>>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.send())
    }
}

/// Empties every server; made by [`Memcached::flush`].
#[derive(Clone, Debug)]
#[must_use = "nothing is sent until this is awaited"]
pub struct Flush {
    client: Memcached,
    delay: u32,
}

impl Flush {
    pub(crate) fn new(client: Memcached) -> Self {
        Self { client, delay: 0 }
    }

    /// Has it take effect after this time, in whole seconds. Defaults to at once. A server that
    /// cannot be reached is emptied at once when it is back.
    pub fn delay(mut self, delay: Duration) -> Self {
        self.delay = u32::try_from(delay.as_secs()).unwrap_or(u32::MAX);
        self
    }

    /// Sends the command to all servers, as `.await` does.
    ///
    /// # Errors
    /// The error is that of the first server that failed, after all were asked. This client believes nothing of what
    /// such a server has before it has been emptied.
    pub async fn send(self) -> Result<()> {
        let now = self.client.now();
        let delay = self.delay;
        let each = now.nodes.iter().map(|node| {
            Box::pin(async move {
                let error = match node.ask(Op::Flush { delay }).await {
                    Ok(reply) if reply.outcome == Outcome::Status(Status::Done) => return Ok(()),
                    Ok(reply) => strange(node, &reply.outcome),
                    Err(error) => error,
                };
                node.owed.add_all();
                node.settle();
                Err(error.owed())
            })
        });
        join(each.collect()).await.into_iter().collect()
    }
}

awaitable!(Flush, ());
