//! The index of a person, which names his states: an item `e|K` with an attribute of many values.
//!
//! Each value is an entry that belongs to one life of one state, so whoever removes a state removes its own entry and
//! never that of a state which somebody else makes at the same moment.

use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::State;
use super::stored::{self, named_by};
use crate::error::{Error, Kind, Result};
use crate::jid::BareJid;
use crate::layout::item_name;
use crate::pubsub::{NodeIndex, PubSub};
use crate::stores::Freshness;

/// The attribute that has the entries.
const ENTRIES: &str = "n";

/// The most states of one person, over all nodes: an item of SimpleDB has
/// [256 pairs](https://docs.aws.amazon.com/AmazonSimpleDB/latest/DeveloperGuide/SDBLimits.html).
pub const MAX_STATES_OF_A_PERSON: usize = 256;

/// How many states are read at the same time.
const PARALLEL: usize = 32;

impl PubSub {
    /// All states of a person, with their nodes: those of his bare JID and of all his full JIDs. One read of his index,
    /// and one of each state; none where the cache has them. An owner without a state is not found so.
    ///
    /// # Errors
    /// As the service fails.
    pub async fn states_of(&self, person: &BareJid) -> Result<Vec<(NodeIndex, State)>> {
        let work = async {
            let domain = self.subs(person.as_str());
            let name = index_name(person.as_str());
            let Some(item) = self
                .stores
                .get_item(&domain, &name, Freshness::AsSet)
                .await?
            else {
                return Ok(Vec::new());
            };
            let read = stream::iter(item.all(ENTRIES).map(str::to_owned)).map(|entry| async move {
                let Some((incarnation, name)) = named_by(&entry, person) else {
                    return Err(Error::invalid(
                        "an entry in the index of a person is damaged",
                    ));
                };
                let domain = self.subs(incarnation);
                let there = self
                    .stores
                    .get_item(&domain, &name, Freshness::AsSet)
                    .await?;
                let state = there.map(|item| stored::decode(&item)).transpose()?;
                // Of one life of a state that is over the entry may be left.
                Ok(state.filter(|stored| stored.state.seen.entry() == Some(&*entry)))
            });
            let found: Vec<_> = read.buffered(PARALLEL).try_collect().await?;
            Ok(found
                .into_iter()
                .flatten()
                .map(|stored| (stored.index, stored.state))
                .collect())
        };
        self.stores.action("states", person.as_str(), work).await
    }

    /// Has the index of a person name a state that is about to be made.
    pub(super) async fn add_entry(&self, bare: &str, entry: &str) -> Result<()> {
        let put = sdb_client::PutItem::new(index_name(bare)).add(ENTRIES, entry);
        let added = self.stores.put_item(&self.subs(bare), put).await;
        added.map_err(|error| match error.kind() {
            Kind::TooLarge => {
                let (count, limit) = (MAX_STATES_OF_A_PERSON + 1, MAX_STATES_OF_A_PERSON);
                Error::too_large("the person", count, "states", limit)
            }
            _ => error,
        })
    }

    /// Has the index of a person forget a state.
    pub(super) async fn remove_entry(&self, bare: &str, entry: &str) -> Result<()> {
        self.stores
            .delete_value(&self.subs(bare), &index_name(bare), ENTRIES, entry)
            .await
    }
}

fn index_name(bare: &str) -> String {
    item_name(&["e", bare])
}
