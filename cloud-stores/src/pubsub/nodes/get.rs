//! Reading a node: [`PubSub::node`] and [`PubSub::node_at`].

use super::{Node, Place};
use crate::error::Result;
use crate::jid::BareJid;
use crate::pubsub::{NodeIndex, PubSub};
use crate::stores::Freshness;

impl PubSub {
    /// The node of this name, if there is one. One request, or none where the cache has it.
    ///
    /// # Errors
    /// As the store fails.
    pub async fn node(&self, host: &BareJid, name: &str) -> Result<Option<Node>> {
        let work = self.read_node(host, name);
        self.stores
            .action("node", &format!("{host} {name}"), work)
            .await
    }

    /// The node of this index, if it is still there: one that was made later under the same name is another one. As
    /// [`node`](Self::node).
    ///
    /// # Errors
    /// As the store fails.
    pub async fn node_at(&self, index: &NodeIndex) -> Result<Option<Node>> {
        let work = self.read_node_at(index);
        self.stores.action("node", &index.to_string(), work).await
    }

    pub(crate) async fn read_node_at(&self, index: &NodeIndex) -> Result<Option<Node>> {
        let there = self.read_node(index.host(), index.name()).await?;
        Ok(there.filter(|node| node.index == *index))
    }

    async fn read_node(&self, host: &BareJid, name: &str) -> Result<Option<Node>> {
        let place = Place::of(&self.stores, host, name);
        let held = place.read(&self.stores, Freshness::AsSet).await?;
        Ok(held
            .nodes
            .into_iter()
            .find(|node| node.index.name() == name))
    }
}
