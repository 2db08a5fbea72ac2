//! Storing and removing the items of a commit.

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::Item;
use super::fetch::key_names;
use super::listing::key_name;
use crate::error::Result;
use crate::pubsub::{NodeIndex, PubSub};
use crate::stores::Body;

/// How many items are stored at the same time.
const PARALLEL: usize = 16;

/// What a commit does to an item.
#[derive(Clone, Debug)]
pub(crate) enum ItemChange {
    /// It is stored in place of what is under these keys, if there are any.
    Put(Item, Option<String>),
    /// What is under these keys is removed.
    Remove(String),
}

impl Item {
    /// The last part of its key.
    pub(super) fn key_name(&self) -> String {
        key_name(self.created, &self.creator, &self.id)
    }
}

impl ItemChange {
    /// Whether it can be done.
    pub(crate) fn check(&self) -> Result<()> {
        let keys = match self {
            Self::Put(item, keys) => {
                item.check()?;
                keys.as_deref()
            }
            Self::Remove(keys) => Some(&**keys),
        };
        keys.map_or(Ok(()), |keys| key_names(keys).map(drop))
    }
}

impl PubSub {
    /// Stores what is published and, at the same time, the last of it once more; then removes. Nothing is removed before
    /// what takes its place is stored.
    pub(crate) async fn write_items(
        &self,
        index: &NodeIndex,
        changes: &[ItemChange],
    ) -> Result<()> {
        let folder = self.item_folder(index);
        let (mut puts, mut removed) = (Vec::<(String, Bytes)>::new(), Vec::<&str>::new());
        let mut newest: Option<&Item> = None;
        for change in changes {
            match change {
                ItemChange::Put(item, keys) => {
                    puts.push((item.key_name(), item.encode()));
                    removed.extend(
                        keys.as_deref()
                            .map(key_names)
                            .transpose()?
                            .into_iter()
                            .flatten(),
                    );
                    if newest.is_none_or(|newest| newest.modified <= item.modified) {
                        newest = Some(item);
                    }
                }
                ItemChange::Remove(keys) => removed.extend(key_names(keys)?),
            }
        }
        removed.retain(|name| puts.iter().all(|(put, _)| put != name));
        if puts.is_empty() && !removed.is_empty() {
            self.replace_last(index, &removed).await?;
        }
        let last = newest.map(|item| (self.last_key(index), item.encode()));
        let puts = puts
            .into_iter()
            .map(|(name, body)| (folder.clone() + &name, body))
            .chain(last);
        let puts: Vec<_> = puts.collect();
        let puts = stream::iter(puts).map(|(key, body)| async move {
            self.stores.put_object(&key, Body::record(body)).await
        });
        puts.buffer_unordered(PARALLEL).try_collect::<()>().await?;
        let removed = removed.iter().map(|name| folder.clone() + name).collect();
        self.stores.delete_objects(removed).await
    }

    /// Removes all items of a node that is gone.
    pub(crate) async fn remove_items(&self, index: &NodeIndex) -> Result<()> {
        let mut keys = self.stores.list_keys(&self.item_folder(index)).await?;
        keys.push(self.last_key(index));
        self.stores.delete_objects(keys).await
    }
}
