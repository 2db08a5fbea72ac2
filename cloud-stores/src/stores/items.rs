//! Reading and writing items of SimpleDB.

use futures_util::TryStreamExt as _;
use sdb_client::query::{Filter, Query};
use sdb_client::{DeleteItem, Domain, Expected, Item, PutItem};

use super::settle::{Versioned, settled};
use super::{Freshness, Reads, Stores};
use crate::error::{Error, Kind, Result};
use crate::version::Version;

/// The attribute that holds the version of an item.
pub(crate) const VERSION: &str = "v";

/// The most pairs of an item, and bytes of a value
/// ([limits of SimpleDB](https://docs.aws.amazon.com/AmazonSimpleDB/latest/DeveloperGuide/SDBLimits.html)).
const MAX_PAIRS: usize = 256;
const MAX_VALUE: usize = 1024;

/// Items on one page of a selection, at most.
const PAGE: u32 = 2500;

/// What stands before a value that may be long or empty: SimpleDB keeps no attribute without a value.
const DOT: char = '.';

impl Stores {
    /// Reads an item, if it is there.
    pub(crate) async fn get_item(
        &self,
        domain: &Domain,
        name: &str,
        freshness: Freshness,
    ) -> Result<Option<Item>> {
        let consistent = freshness != Freshness::AsSet || self.0.reads == Reads::Consistent;
        let get = domain
            .get(name)
            .consistent(consistent)
            .timeout(self.request_time());
        let item = get.await?.item;
        Ok(Some(item).filter(|item| !item.is_empty()))
    }

    /// All items for which this holds, in no order.
    pub(crate) async fn select_items(
        &self,
        domain: &Domain,
        filter: Filter,
        freshness: Freshness,
    ) -> Result<Vec<Item>> {
        let query = domain.query().filter(filter).limit(PAGE);
        let found = self.selection(query, freshness).items();
        Ok(found.try_collect().await?)
    }

    /// The names of all items for which this holds, in no order.
    pub(crate) async fn select_names(
        &self,
        domain: &Domain,
        filter: Filter,
        freshness: Freshness,
    ) -> Result<Vec<String>> {
        let query = Query::names(domain.name()).filter(filter).limit(PAGE);
        let found = self.selection(query, freshness).items();
        Ok(found.map_ok(|item| item.name).try_collect().await?)
    }

    pub(crate) fn selection(
        &self,
        query: Query,
        freshness: Freshness,
    ) -> sdb_client::request::Select {
        let consistent = freshness != Freshness::AsSet || self.0.reads != Reads::Eventual;
        let select = self.0.sdb.select(query).consistent(consistent);
        select.timeout(self.request_time())
    }

    /// Sets the attributes of an item, whatever it has. Its version, if it has one, is to be among them, and to be
    /// [unconditional](Version::unconditional).
    pub(crate) async fn put_item(&self, domain: &Domain, put: PutItem) -> Result<()> {
        domain.put_item(put).timeout(self.request_time()).await?;
        Ok(())
    }

    /// Sets the attributes of an item if its version is still `before`, or it is not there where that is nothing, and
    /// gives the version that it has then.
    ///
    /// # Errors
    /// [`Kind::Conflict`] if the condition does not hold; otherwise as the service fails. A lost answer is settled.
    pub(crate) async fn put_item_if(
        &self,
        domain: &Domain,
        put: PutItem,
        before: Option<&Version>,
    ) -> Result<Version> {
        let own = Version::after(before);
        let item = put.name().to_owned();
        let write = domain
            .put_item(put.replace(VERSION, own.to_string()))
            .expect(expected(before))
            .timeout(self.request_time());
        settled(
            || write.clone().send(),
            || self.look(domain, &item),
            |seen| own.fate(before, seen),
        )
        .await?;
        Ok(own)
    }

    /// Removes an item if its version is still `before`.
    ///
    /// # Errors
    /// As [`put_item_if`](Self::put_item_if).
    pub(crate) async fn delete_item_if(
        &self,
        domain: &Domain,
        item: &str,
        before: &Version,
    ) -> Result<()> {
        let delete = domain.delete(item).expect(expected(Some(before)));
        let delete = delete.timeout(self.request_time());
        settled(
            || delete.clone().send(),
            || self.look(domain, item),
            |seen| before.fate_of_removal(seen),
        )
        .await?;
        Ok(())
    }

    /// Removes an item, whatever it has.
    pub(crate) async fn delete_item(&self, domain: &Domain, item: &str) -> Result<()> {
        domain.delete(item).timeout(self.request_time()).await?;
        Ok(())
    }

    /// Removes one value of an attribute of an item.
    pub(crate) async fn delete_value(
        &self,
        domain: &Domain,
        item: &str,
        name: &str,
        value: &str,
    ) -> Result<()> {
        domain
            .delete(item)
            .value(name, value)
            .timeout(self.request_time())
            .await?;
        Ok(())
    }

    /// Removes many items, 25 in each request.
    pub(crate) async fn delete_items(&self, domain: &Domain, names: Vec<String>) -> Result<()> {
        let delete = domain
            .batch_delete()
            .items(names.into_iter().map(DeleteItem::new));
        delete.timeout(self.request_time()).await?.into_result()?;
        Ok(())
    }

    async fn look(&self, domain: &Domain, item: &str) -> Result<Option<SeenItem>> {
        let seen = self.get_item(domain, item, Freshness::Newest).await?;
        Ok(seen.map(|item| SeenItem(version_of(&item))))
    }
}

struct SeenItem(Version);

impl Versioned for SeenItem {
    fn version(&self) -> &Version {
        &self.0
    }
}

/// The condition that an item has this version, or is not there.
fn expected(before: Option<&Version>) -> Expected {
    match before {
        Some(before) => Expected::equals(VERSION, before.to_string()),
        None => Expected::absent(VERSION),
    }
}

/// The version of an item; one that tells nothing, if it has none.
pub(crate) fn version_of(item: &Item) -> Version {
    Version::read(item.first(VERSION).unwrap_or_default())
}

/// Sets a value of any length, the empty one too, in place of what the attribute has.
///
/// # Errors
/// [`Kind::TooLarge`] where it has more than `limit` bytes; `what` names it.
pub(crate) fn replace_long(
    put: PutItem,
    name: &str,
    value: &str,
    what: &str,
    limit: usize,
) -> Result<PutItem> {
    if value.len() > limit {
        return Err(Error::too_large(what, value.len(), "bytes", limit));
    }
    Ok(put.replace_long(name, &format!("{DOT}{value}"))?)
}

/// A value that [`replace_long`] has set.
///
/// # Errors
/// [`Kind::Invalid`] where there is none, or it is not whole.
pub(crate) fn long(item: &Item, name: &str) -> Result<String> {
    let value = item
        .long(name)
        .map_err(|error| Error::from(error).of_kind(Kind::Invalid))?;
    let value = value.as_deref().and_then(|value| value.strip_prefix(DOT));
    value.map(str::to_owned).ok_or_else(|| {
        Error::invalid(format!(
            "the item {:?} lacks its attribute {name:?}",
            item.name
        ))
    })
}

/// Whether an item with these pairs and its version is within the limits of SimpleDB.
///
/// # Errors
/// [`Kind::TooLarge`], with the limit and the value.
pub(crate) fn check_item(put: &PutItem, values: &[(&str, &str)]) -> Result<()> {
    if put.len() >= MAX_PAIRS {
        return Err(Error::too_large(
            "the item",
            put.len() + 1,
            "pairs",
            MAX_PAIRS,
        ));
    }
    for (what, value) in values {
        if value.len() > MAX_VALUE {
            return Err(Error::too_large(what, value.len(), "bytes", MAX_VALUE));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_may_be_empty_and_long() {
        for value in ["", ".", "x", &"\u{e9}".repeat(5000)] {
            let put = replace_long(PutItem::new("i"), "n", value, "the name", 10_000).unwrap();
            assert!(put.len() <= 12);
        }
        let error = replace_long(PutItem::new("i"), "n", &"x".repeat(11), "the name", 10);
        assert_eq!(
            error.unwrap_err().message(),
            "the name has 11 bytes, over the limit of 10"
        );
        let item = Item::new("i", [("n", ".a"), ("m", "a")]);
        assert_eq!(long(&item, "n").unwrap(), "a");
        // Something else wrote it, or nothing did.
        assert_eq!(long(&item, "m").unwrap_err().kind(), Kind::Invalid);
        assert_eq!(long(&item, "o").unwrap_err().kind(), Kind::Invalid);
        let part = Item::new("i", [("n", "long-value:2:3000")]);
        assert_eq!(long(&part, "n").unwrap_err().kind(), Kind::Invalid);
    }

    #[test]
    fn limits_are_named() {
        let many = |pairs: usize| {
            (0..pairs).fold(PutItem::new("i"), |put, n| put.replace("g", n.to_string()))
        };
        assert!(check_item(&many(255), &[("the group", &"x".repeat(1024))]).is_ok());
        let error = check_item(&many(256), &[]).unwrap_err();
        assert_eq!(
            error.message(),
            "the item has 257 pairs, over the limit of 256"
        );
        let error = check_item(&many(1), &[("a group", &"x".repeat(1025))]).unwrap_err();
        assert_eq!(
            error.message(),
            "a group has 1025 bytes, over the limit of 1024"
        );
        assert_eq!(error.kind(), Kind::TooLarge);
    }
}
