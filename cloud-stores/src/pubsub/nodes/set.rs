//! Changing what is said of a node: [`PubSub::set_node`].

use super::{Node, NodeContent, Place};
use crate::error::{Error, Kind, Result};
use crate::pubsub::{NodeIndex, PubSub};

impl PubSub {
    /// Puts this content in place of what the node has; with `before`, only if it still has that. Two requests, one if
    /// the cache has the node.
    ///
    /// # Errors
    /// [`Kind::NotFound`] where the node is gone, also where another one has its name; [`Kind::Conflict`] where it has
    /// other content than `before`; [`Kind::TooLarge`] for what is over a limit.
    pub async fn set_node(
        &self,
        index: &NodeIndex,
        content: NodeContent,
        before: Option<&NodeContent>,
    ) -> Result<()> {
        let work = async {
            content.check()?;
            let place = Place::of(&self.stores, index.host(), index.name());
            let replace = |nodes: &mut Vec<Node>| {
                let node = nodes
                    .iter_mut()
                    .find(|node| node.index == *index)
                    .ok_or_else(gone)?;
                if before.is_some_and(|before| *before != node.content) {
                    return Err(Error::conflict("the node was changed meanwhile"));
                }
                node.content = content.clone();
                Ok(())
            };
            place.change(&self.stores, replace).await
        };
        self.stores.action("node", &index.to_string(), work).await
    }
}

fn gone() -> Error {
    Error::new(Kind::NotFound, "the node is not there any more")
}
