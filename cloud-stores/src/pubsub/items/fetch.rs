//! Reading items: [`PubSub::items`], [`PubSub::item`], [`PubSub::page`] and [`PubSub::last_items`].

use std::cmp::Reverse;

use futures_util::TryStreamExt as _;
use s3_client::answer::ObjectInfo;

use super::listing::is_key_name;
use super::{Item, ItemPage, ItemPart, ItemRef, Listing, Page};
use crate::error::{Error, Result};
use crate::pubsub::{NodeIndex, PubSub};
use crate::stores::Freshness;

/// What begins the keys of items, and the store of last items.
pub(super) const ITEM: &str = "item";
pub(super) const LAST: &str = "last";

impl PubSub {
    /// The list of a node's items, oldest first, without what was published. A list for each 1,000 items, and a read for
    /// each name of over 200 bytes once it is escaped.
    ///
    /// # Errors
    /// As the store fails.
    pub async fn items(&self, index: &NodeIndex) -> Result<Listing> {
        self.stores
            .action("items of node", &index.to_string(), self.list_items(index))
            .await
    }

    /// The item that the [list](Self::items) has under these keys, if it is still there. One request, or none where the
    /// cache has it.
    ///
    /// # Errors
    /// [`Kind::Invalid`](crate::Kind::Invalid) where these are no keys; otherwise as the store fails.
    pub async fn item(&self, index: &NodeIndex, keys: &str) -> Result<Option<Item>> {
        let work = async {
            let key = self.item_folder(index) + newest(keys)?;
            let there = self.stores.get_object(&key, Freshness::AsSet).await?;
            there.map(|there| Item::decode(&there.body)).transpose()
        };
        self.stores
            .action("item of node", &index.to_string(), work)
            .await
    }

    /// The first of the items that the [list](Self::items) has under these keys, up to so many bytes, but at least one that is
    /// there; in this order, and without those that are gone. One request for each, or none where the cache has it, and up to
    /// 31 for others that do not fit.
    ///
    /// # Errors
    /// [`Kind::Invalid`](crate::Kind::Invalid) where these are no keys; otherwise as the store fails.
    pub async fn some_items(
        &self,
        index: &NodeIndex,
        keys: Vec<String>,
        bytes: usize,
    ) -> Result<ItemPart> {
        let work = async {
            let folder = self.item_folder(index);
            let key = |keys: &String| Ok(folder.clone() + newest(keys)?);
            let whole: Vec<String> = keys.iter().map(key).collect::<Result<_>>()?;
            let portion = self.stores.get_some(whole, Freshness::AsSet, bytes).await?;
            let items = portion.found.iter();
            let items = items.map(|(_, there)| Item::decode(&there.body));
            let rest = keys.len() - portion.rest.len();
            Ok(ItemPart {
                items: items.collect::<Result<_>>()?,
                rest: keys.into_iter().skip(rest).collect(),
            })
        };
        self.stores
            .action("items of node", &index.to_string(), work)
            .await
    }

    /// A page of a node's items. As [`items`](Self::items), and a read for each item on the page, 32 at a time.
    ///
    /// # Errors
    /// As the store fails.
    pub async fn page(&self, index: &NodeIndex, page: Page) -> Result<ItemPage> {
        let work = async {
            let listing = self.list_items(index).await?;
            let range = page.range(listing.items());
            let first = range.start;
            let chosen = listing.items().get(range).unwrap_or_default();
            Ok(ItemPage {
                items: self.fetch(index, chosen).await?,
                first,
                count: listing.items().len(),
            })
        };
        self.stores
            .action("items of node", &index.to_string(), work)
            .await
    }

    /// The items that were published last, new or again, the last one first, `count` at most. One read for one item; for
    /// more, a list, a read for each, and one for each that was stored in the same second as the last of them.
    ///
    /// # Errors
    /// As the store fails.
    pub async fn last_items(&self, index: &NodeIndex, count: usize) -> Result<Vec<Item>> {
        let work = async {
            match count {
                0 => Ok(Vec::new()),
                1 => Ok(self.read_last(index).await?.into_iter().collect()),
                _ => {
                    let listing = self.list_items(index).await?;
                    let chosen = listing.stored_last(count);
                    let mut items = self.fetch(index, chosen).await?;
                    items.sort_by_key(|item| Reverse((item.modified, item.created)));
                    items.truncate(count);
                    Ok(items)
                }
            }
        };
        self.stores
            .action("last items of node", &index.to_string(), work)
            .await
    }

    pub(crate) async fn list_items(&self, index: &NodeIndex) -> Result<Listing> {
        let folder = self.item_folder(index);
        let objects: Vec<ObjectInfo> = self.stores.stream_keys(&folder).try_collect().await?;
        let mut listing =
            Listing::of(objects.iter().filter_map(|object| {
                Some((object.key.strip_prefix(&*folder)?, object.last_modified))
            }));
        let cut: Vec<ItemRef> = listing
            .items()
            .iter()
            .filter(|item| item.is_cut)
            .cloned()
            .collect();
        if !cut.is_empty() {
            let whole = self.fetch(index, &cut).await?;
            listing.name(&whole);
        }
        Ok(listing)
    }

    pub(super) async fn read_last(&self, index: &NodeIndex) -> Result<Option<Item>> {
        let key = self.last_key(index);
        let there = self.stores.get_object(&key, Freshness::AsSet).await?;
        there.map(|there| Item::decode(&there.body)).transpose()
    }

    /// These items, in their order; without those that are gone meanwhile.
    async fn fetch<'a>(
        &self,
        index: &NodeIndex,
        items: impl IntoIterator<Item = &'a ItemRef>,
    ) -> Result<Vec<Item>> {
        let folder = self.item_folder(index);
        let key = |item: &ItemRef| folder.clone() + item.keys.split('/').next().unwrap_or_default();
        let keys = items.into_iter().map(key).collect();
        let there = self.stores.get_objects(keys, Freshness::AsSet).await?;
        there
            .into_iter()
            .map(|(_, there)| Item::decode(&there.body))
            .collect()
    }

    /// What begins the keys of a node's items.
    pub(super) fn item_folder(&self, index: &NodeIndex) -> String {
        self.stores.folder(ITEM, &[index.incarnation()])
    }

    pub(super) fn last_key(&self, index: &NodeIndex) -> String {
        self.stores.key(LAST, &[index.incarnation()])
    }
}

/// The key of the newest of several objects of one item.
fn newest(keys: &str) -> Result<&str> {
    Ok(key_names(keys)?.next().unwrap_or_default())
}

/// The last parts of keys, as [`ItemRef::keys`] has them. Whoever made them up reaches nothing but items of the node.
pub(super) fn key_names(keys: &str) -> Result<impl Iterator<Item = &str>> {
    if keys.split('/').all(is_key_name) {
        Ok(keys.split('/'))
    } else {
        Err(Error::invalid("these are no keys of items"))
    }
}
