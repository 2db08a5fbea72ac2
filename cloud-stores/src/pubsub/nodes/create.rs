//! Making a node: [`PubSub::create_node`].

use super::{Node, NodeContent, Place};
use crate::error::Result;
use crate::jid::BareJid;
use crate::pubsub::{NodeIndex, PubSub};

impl PubSub {
    /// Makes a node, and gives its index. Its owners count as such from now on; each of them has a state of his own once
    /// one is written. One request for a node of a service; two for one of a person, and two more each time that somebody
    /// else changes his nodes at the same moment.
    ///
    /// # Errors
    /// [`Kind::Exists`](crate::Kind::Exists) where there is one of this name;
    /// [`Kind::TooLarge`](crate::Kind::TooLarge) for what is over a limit, of which one is
    /// that all nodes of a person fit into 4 MiB.
    pub async fn create_node(
        &self,
        host: &BareJid,
        name: &str,
        content: NodeContent,
    ) -> Result<NodeIndex> {
        let work = async {
            content.check()?;
            let index = NodeIndex::draw(host, name)?;
            let node = Node {
                index: index.clone(),
                content,
            };
            let place = Place::of(&self.stores, host, name);
            let made = place.make(&self.stores, node).await;
            made.map(|()| index)
        };
        self.stores
            .action("node", &format!("{host} {name}"), work)
            .await
    }
}
