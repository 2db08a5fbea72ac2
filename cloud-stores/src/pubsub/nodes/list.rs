//! Listing nodes: [`PubSub::nodes`], [`PubSub::children`], [`PubSub::ancestors`] and [`PubSub::people`].

use std::collections::HashSet;

use super::{Node, Place, stored};
use crate::error::{Error, Result};
use crate::jid::BareJid;
use crate::names::unescape;
use crate::pubsub::PubSub;
use crate::stores::Freshness;

/// How far up parents are followed.
const MAX_LEVELS: usize = 100;

impl PubSub {
    /// All nodes of a service or a person, in the order of their names as keys. One request for a person; a list for each
    /// 1,000 nodes of a service, and a read for each node, some at a time.
    ///
    /// # Errors
    /// As the store fails.
    pub async fn nodes(&self, host: &BareJid) -> Result<Vec<Node>> {
        self.stores
            .action("nodes", host.as_str(), self.read_nodes(host))
            .await
    }

    /// The nodes of a host of which this one is a parent; with nothing, those that have no parent. As
    /// [`nodes`](Self::nodes).
    ///
    /// # Errors
    /// As the store fails.
    pub async fn children(&self, host: &BareJid, parent: Option<&str>) -> Result<Vec<Node>> {
        let mut nodes = self.nodes(host).await?;
        nodes.retain(|node| match parent {
            Some(parent) => node.content.parents.iter().any(|name| name == parent),
            None => node.content.parents.is_empty(),
        });
        Ok(nodes)
    }

    /// A node and, after it, its first parent, that one's first parent, and so on, as far as they are there, up to 100 of
    /// them. Nothing where the node is not there. A read for each.
    ///
    /// # Errors
    /// As the store fails.
    pub async fn ancestors(&self, host: &BareJid, name: &str) -> Result<Vec<Node>> {
        let mut found: Vec<Node> = Vec::new();
        let mut seen = HashSet::new();
        let mut next = Some(name.to_owned());
        while let Some(name) = next.take() {
            if !seen.insert(name.clone()) || found.len() == MAX_LEVELS {
                break;
            }
            if let Some(node) = self.node(host, &name).await? {
                next = node.content.parents.first().cloned();
                found.push(node);
            }
        }
        Ok(found)
    }

    /// The people of a domain that have nodes. A list for each 1,000 of them.
    ///
    /// # Errors
    /// As the store fails.
    pub async fn people(&self, domain: &str) -> Result<Vec<BareJid>> {
        let work = async {
            let prefix = Place::people(&self.stores, domain);
            let (mut people, mut cut) = (Vec::new(), Vec::new());
            for key in self.stores.list_keys(&prefix).await? {
                match key.strip_prefix(&*prefix).and_then(unescape) {
                    Some(jid) => people.push(BareJid::parse(jid)?),
                    None => cut.push(key),
                }
            }
            for (_, there) in self.stores.get_objects(cut, Freshness::AsSet).await? {
                let nodes = stored::decode(&there.body)?;
                let node = nodes
                    .first()
                    .ok_or_else(|| Error::invalid("an object of no nodes"))?;
                people.push(node.index.host().clone());
            }
            Ok(people)
        };
        self.stores.action("people with nodes", domain, work).await
    }

    async fn read_nodes(&self, host: &BareJid) -> Result<Vec<Node>> {
        if !host.local().is_empty() {
            let place = Place::of(&self.stores, host, "");
            return Ok(place.read(&self.stores, Freshness::AsSet).await?.nodes);
        }
        let keys = self
            .stores
            .list_keys(&Place::services(&self.stores, host))
            .await?;
        let mut nodes = Vec::with_capacity(keys.len());
        for (_, there) in self.stores.get_objects(keys, Freshness::AsSet).await? {
            nodes.extend(stored::decode(&there.body)?);
        }
        Ok(nodes)
    }
}
