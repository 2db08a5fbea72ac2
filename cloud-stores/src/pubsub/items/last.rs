//! What the last item is, once items were removed.

use super::{Item, ItemRef, Listing};
use crate::error::{Error, Kind, Result};
use crate::pubsub::{NodeIndex, PubSub};
use crate::stores::{Body, Freshness};

/// How often it is tried while others publish.
const MAX_ROUNDS: usize = 5;

impl PubSub {
    /// Puts another item in the place of the last one if that is among those that are about to be removed. It goes before
    /// the removal, so that one that stops between the two leaves an item that was not said to be gone.
    pub(super) async fn replace_last(&self, index: &NodeIndex, removed: &[&str]) -> Result<()> {
        let key = self.last_key(index);
        for _ in 0..MAX_ROUNDS {
            let Some(last) = self.stores.get_object(&key, Freshness::Newest).await? else {
                return Ok(());
            };
            let item = Item::decode(&last.body)?;
            if !removed.contains(&&*item.key_name()) {
                return Ok(());
            }
            let listing = self.list_items(index).await?;
            let changed = match newest_without(&listing, removed) {
                Some(next) => {
                    let Some(next) = self
                        .stores
                        .get_object(&(self.item_folder(index) + next), Freshness::Newest)
                        .await?
                    else {
                        continue;
                    };
                    let put =
                        self.stores
                            .put_object_if(&key, Body::record(next.body), Some(&last.tag));
                    put.await.map(drop)
                }
                None => self.stores.delete_object_if(&key, &last.tag).await,
            };
            match changed {
                // Somebody has published, or done the same, and is looked at in turn.
                Err(error) if error.kind() == Kind::Conflict => {}
                changed => return changed,
            }
        }
        Err(Error::conflict(format!(
            "the last item was changed {MAX_ROUNDS} times meanwhile"
        )))
    }
}

/// The last part of the key of the item that was stored last, but for these.
fn newest_without<'a>(listing: &'a Listing, removed: &[&str]) -> Option<&'a str> {
    let left = |item: &&'a ItemRef| !item.keys.split('/').any(|key| removed.contains(&key));
    let newest = listing
        .items()
        .iter()
        .filter(left)
        .max_by_key(|item| (item.stored, item.created));
    newest.and_then(|item| item.keys.split('/').next())
}
