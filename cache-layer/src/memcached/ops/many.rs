//! Reading several values at once.

use std::collections::HashMap;
use std::sync::Arc;

use super::strange;
use crate::memcached::client::Memcached;
use crate::memcached::error::{Error, Kind, Result};
use crate::memcached::key::WireKey;
use crate::memcached::node::{Node, join};
use crate::memcached::split;
use crate::memcached::value::Value;
use crate::memcached::wire::{Item, Op, Outcome};

/// How many keys one command has at most, and how many bytes these have together. More would hold up the commands of
/// others, and some proxies take no longer lines.
const MAX_KEYS_OF_COMMAND: usize = 100;
const MAX_BYTES_OF_COMMAND: usize = 8 * 1024;

/// Reads several values; made by [`Memcached::get_many`].
///
/// The keys are split by server, and each server is asked for its own in one command or a few, all
/// of them in parallel.
#[derive(Clone, Debug)]
#[must_use = "nothing is sent until this is awaited"]
pub struct GetMany {
    client: Memcached,
    keys: Vec<WireKey>,
    cas: bool,
}

/// This is what [`Memcached::get_many`] found.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct FoundMany {
    /// One value for each key, in their order. It is `None` where there is no value, or the server failed.
    pub values: Vec<Option<Value>>,
    /// What went wrong at servers that are not ejected; their keys are among those without a
    /// value.
    pub errors: Vec<Error>,
}

/// The keys of one command: which they are among all, and themselves.
struct Part {
    node: Arc<Node>,
    indices: Vec<usize>,
    keys: Vec<WireKey>,
    bytes: usize,
}

impl GetMany {
    pub(crate) fn new(client: Memcached, keys: Vec<WireKey>) -> Self {
        Self {
            client,
            keys,
            cas: false,
        }
    }

    /// Asks for [`Value::cas`] too.
    pub fn with_cas(mut self) -> Self {
        self.cas = true;
        self
    }

    /// Asks for all keys at once, as `.await` does.
    ///
    /// # Errors
    /// It never fails. What goes wrong is in [`FoundMany::errors`].
    pub async fn send(self) -> Result<FoundMany> {
        let Self { client, keys, cas } = self;
        let mut found = FoundMany {
            values: vec![None; keys.len()],
            errors: Vec::new(),
        };
        let mut first = HashMap::with_capacity(keys.len());
        let mut again = Vec::new();
        let mut open: HashMap<usize, Part> = HashMap::new();
        let mut parts = Vec::new();
        for (index, key) in keys.iter().enumerate() {
            if let Some(earlier) = first.insert(key, index) {
                first.insert(key, earlier);
                again.push((index, earlier));
                continue;
            }
            let node = client.route(key).node;
            if node.owed.has(key) && !node.is_away() {
                node.settle();
                client.count(&node, 0, 1);
                continue;
            }
            let part = open
                .entry(Arc::as_ptr(&node) as usize)
                .or_insert_with(|| Part::new(&node));
            if part.keys.len() == MAX_KEYS_OF_COMMAND
                || part.bytes + key.text.len() > MAX_BYTES_OF_COMMAND
            {
                parts.push(std::mem::replace(part, Part::new(&node)));
            }
            part.indices.push(index);
            part.bytes += key.text.len() + 1;
            part.keys.push(key.clone());
        }
        parts.extend(open.into_values().filter(|part| !part.keys.is_empty()));

        let ask = |part: Part| {
            let client = client.clone();
            Box::pin(async move { (part.ask(&client, cas).await, part.indices) })
        };
        for (answer, indices) in join(parts.into_iter().map(ask).collect()).await {
            let items = match answer {
                Ok(items) => items,
                Err(error) => {
                    if error.kind() != Kind::Down {
                        found.errors.push(error);
                    }
                    continue;
                }
            };
            for (index, item) in indices.into_iter().zip(items) {
                let Some(item) = item else { continue };
                match split::open(&client, &keys[index], item).await {
                    Ok(value) => found.values[index] = value,
                    Err(error) => found.errors.push(error),
                }
            }
        }
        for (index, earlier) in again {
            found.values[index] = found.values[earlier].clone();
        }
        Ok(found)
    }
}

impl Part {
    fn new(node: &Arc<Node>) -> Self {
        Self {
            node: node.clone(),
            indices: Vec::new(),
            keys: Vec::new(),
            bytes: 0,
        }
    }

    async fn ask(&self, client: &Memcached, cas: bool) -> Result<Vec<Option<Item>>> {
        let keys = self.keys.clone();
        let reply = self.node.ask(Op::Many { keys, cas }).await?;
        match reply.outcome {
            Outcome::Values(items) => {
                let hits = items.iter().flatten().count();
                client.count(&self.node, hits, items.len());
                Ok(items)
            }
            other => Err(strange(&self.node, &other)),
        }
    }
}

awaitable!(GetMany, FoundMany);
