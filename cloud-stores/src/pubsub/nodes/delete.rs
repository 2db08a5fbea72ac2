//! Removing a node: [`PubSub::delete_node`], and [`PubSub::clean_node`] for what is left of it.

use futures_util::future::join;

use super::{Node, Place};
use crate::error::{Error, Kind, Result};
use crate::pubsub::{NodeIndex, PubSub};

impl PubSub {
    /// Removes the record of a node, and tells whether it was there. From then on nobody finds the node, its items or
    /// states; [`clean_node`](Self::clean_node) has to follow, at leisure, and removes those. Two requests, one if the
    /// cache has the node.
    ///
    /// A node that was made later under the same name stays. Stores that know no condition on a removal, as Ceph RGW,
    /// may remove one that is made at the same moment.
    ///
    /// # Errors
    /// As the store fails; the node may be gone then.
    pub async fn delete_node(&self, index: &NodeIndex) -> Result<bool> {
        let work = async {
            let place = Place::of(&self.stores, index.host(), index.name());
            let remove = |nodes: &mut Vec<Node>| {
                let place = nodes.iter().position(|node| node.index == *index);
                nodes.remove(place.ok_or_else(|| Error::new(Kind::NotFound, "no such node"))?);
                Ok(())
            };
            match place.change(&self.stores, remove).await {
                Err(error) if error.kind() == Kind::NotFound => Ok(false),
                removed => removed.map(|()| true),
            }
        };
        self.stores.action("node", &index.to_string(), work).await
    }

    /// Removes what is left of a node whose record is gone: states, items and the last item. It can be done again, and
    /// goes on where an earlier one has stopped. A list, a selection, and one request for each 25 states, each state's
    /// person and each 1,000 items.
    ///
    /// # Errors
    /// As the stores fail.
    pub async fn clean_node(&self, index: &NodeIndex) -> Result<()> {
        let work = async {
            let (states, items) = join(self.remove_states(index), self.remove_items(index)).await;
            states.and(items)
        };
        self.stores
            .action("remains of node", &index.to_string(), work)
            .await
    }
}
