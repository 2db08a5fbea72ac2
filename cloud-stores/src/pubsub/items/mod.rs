//! Items: one object each, whose keys are the list.
//!
//! *Problem:* Who has published what, in which order and how many is asked at each publication, and a list of a thousand
//! names fits no item of SimpleDB. *Decision:* The key of an item has the time of its creation, a hash of who created it,
//! and its name: `item/INCARNATION/CREATED20!CREATOR8!ID`. One listing then tells order, count, page and owners, and the
//! items of a page are fetched alone. The item that was published last is stored a second time under `last/INCARNATION`,
//! so that it is one read. *Cost:* A publication writes two objects, at the same time. Two that publish a new name at the
//! same moment leave two keys for it; readers take the newer one, and whoever removes or replaces the item removes both.

mod fetch;
mod last;
mod listing;
mod page;
mod write;

use bytes::Bytes;

use crate::error::{Error, Result};
use crate::jid;
use crate::record::Record;

pub use self::listing::{ItemRef, Listing, creator_hash};
pub use self::page::{ItemPage, Page, PageStart};
pub(crate) use self::write::ItemChange;

/// The most bytes of an item's name. XEP-0060 gives no limit.
pub const MAX_ITEM_ID: usize = 3071;

/// The most bytes of an item's payload.
pub const MAX_PAYLOAD: usize = 4 << 20;

/// A published item.
#[derive(Clone, PartialEq, Eq)]
pub struct Item {
    /// Its name within the node, 1 to [`MAX_ITEM_ID`] bytes.
    pub id: String,
    /// When it was published first, in microseconds since 1970.
    pub created: u64,
    /// The JID of who published it first.
    pub creator: String,
    /// When it was published last, in microseconds since 1970.
    pub modified: u64,
    /// The JID of who published it last.
    pub modifier: String,
    /// What was published, at most [`MAX_PAYLOAD`] bytes.
    pub payload: Bytes,
}

/// The first of some items.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ItemPart {
    /// The items.
    pub items: Vec<Item>,
    /// The keys of those that come next.
    pub rest: Vec<String>,
}

const ITEM: &str = "item";

impl Item {
    /// Whether it is within the limits.
    pub(crate) fn check(&self) -> Result<()> {
        check_id(&self.id)?;
        jid::check("the creator of an item", &self.creator)?;
        jid::check("the publisher of an item", &self.modifier)?;
        let bytes = self.payload.len();
        if bytes > MAX_PAYLOAD {
            return Err(Error::too_large(
                "the payload of an item",
                bytes,
                "bytes",
                MAX_PAYLOAD,
            ));
        }
        Ok(())
    }

    pub(crate) fn encode(&self) -> Bytes {
        Record::new(ITEM)
            .with("id", self.id.clone())
            .with("created", self.created.to_string())
            .with("creator", self.creator.clone())
            .with("modified", self.modified.to_string())
            .with("modifier", self.modifier.clone())
            .with("payload", self.payload.clone())
            .encode()
    }

    pub(crate) fn decode(stored: &Bytes) -> Result<Self> {
        let record = Record::decode(ITEM, stored)?;
        Ok(Self {
            id: record.text("id")?.to_owned(),
            created: record.number("created")?,
            creator: record.text("creator")?.to_owned(),
            modified: record.number("modified")?,
            modifier: record.text("modifier")?.to_owned(),
            payload: record.get("payload")?.clone(),
        })
    }
}

/// `Debug` shows who and when, not what was published.
impl std::fmt::Debug for Item {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Item")
            .field("id", &self.id)
            .field("created", &self.created)
            .field("creator", &self.creator)
            .field("modified", &self.modified)
            .field("modifier", &self.modifier)
            .field("payload", &self.payload.len())
            .finish()
    }
}

/// Whether an item may have this name.
pub(crate) fn check_id(id: &str) -> Result<()> {
    match id.len() {
        0 => Err(Error::invalid("the name of an item is empty")),
        1..=MAX_ITEM_ID => Ok(()),
        bytes => Err(Error::too_large(
            "the name of an item",
            bytes,
            "bytes",
            MAX_ITEM_ID,
        )),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Kind;

    proptest! {
        #[test]
        fn items_come_back(id in "\\PC{1,9}", created: u64, modified: u64, payload: Vec<u8>) {
            let item = Item {
                id,
                created,
                creator: "ann@example.com".to_owned(),
                modified,
                modifier: "ann@example.com/phone".to_owned(),
                payload: payload.into(),
            };
            prop_assert_eq!(Item::decode(&item.encode()).unwrap(), item);
        }
    }

    #[test]
    fn limits_are_named_with_the_value() {
        let item = Item {
            id: "current".to_owned(),
            created: 1,
            creator: "ann@example.com".to_owned(),
            modified: 1,
            modifier: "ann@example.com".to_owned(),
            payload: Bytes::from_static(b"hush"),
        };
        item.check().unwrap();
        assert!(!format!("{item:?}").contains("hush"));
        let long = "x".repeat(4 << 20);
        let over = [
            Item {
                id: long[..3072].to_owned(),
                ..item.clone()
            },
            Item {
                creator: long[..3072].to_owned(),
                ..item.clone()
            },
            Item {
                modifier: long[..3072].to_owned(),
                ..item.clone()
            },
            Item {
                payload: format!("{long}y").into(),
                ..item.clone()
            },
        ];
        for (item, value) in over.iter().zip(["3072", "3072", "3072", "4194305"]) {
            let error = item.check().unwrap_err();
            assert_eq!(error.kind(), Kind::TooLarge);
            assert!(error.message().contains(value), "{error}");
        }
        let empty = Item {
            id: String::new(),
            ..item
        };
        assert_eq!(empty.check().unwrap_err().kind(), Kind::Invalid);
    }
}
