//! Where nodes are stored, and how they are read and changed there.

use bytes::Bytes;

use super::Node;
use crate::error::{Error, Kind, Result};
use crate::jid::BareJid;
use crate::record::Record;
use crate::stores::{Body, Freshness, Stores, Tag, check_document, pause};

/// The store of nodes of services, and that of nodes of people.
const SERVICE: &str = "node";
const PERSON: &str = "pep";

const NODE: &str = "node";
const NODES: &str = "nodes";

/// How often a change is tried while others are quicker.
const MAX_ROUNDS: u32 = 10;

/// The object that has a node.
pub(crate) struct Place {
    key: String,
    is_person: bool,
}

/// What an object has, and which content of it that was.
pub(crate) struct Held {
    pub(crate) nodes: Vec<Node>,
    tag: Option<Tag>,
}

impl Place {
    pub(crate) fn of(stores: &Stores, host: &BareJid, name: &str) -> Self {
        let is_person = !host.local().is_empty();
        let key = match is_person {
            true => stores.key(PERSON, &[host.domain(), host.as_str()]),
            false => stores.key(SERVICE, &[host.as_str(), name]),
        };
        Self { key, is_person }
    }

    /// What begins the keys of all nodes of a service.
    pub(crate) fn services(stores: &Stores, host: &BareJid) -> String {
        stores.folder(SERVICE, &[host.as_str()])
    }

    /// What begins the keys of the nodes of all people of a domain.
    pub(crate) fn people(stores: &Stores, domain: &str) -> String {
        stores.folder(PERSON, &[domain])
    }

    pub(crate) async fn read(&self, stores: &Stores, freshness: Freshness) -> Result<Held> {
        let there = stores.get_object(&self.key, freshness).await?;
        let nodes = there
            .as_ref()
            .map(|there| decode(&there.body))
            .transpose()?;
        Ok(Held {
            nodes: nodes.unwrap_or_default(),
            tag: there.map(|there| there.tag),
        })
    }

    /// Puts these nodes in place of what was read; of none, nothing stays.
    async fn write(&self, stores: &Stores, nodes: &[Node], tag: Option<&Tag>) -> Result<()> {
        if nodes.is_empty() {
            return match tag {
                Some(tag) => stores.delete_object_if(&self.key, tag).await,
                None => Ok(()),
            };
        }
        let body = self.encode(nodes);
        let what = if self.is_person {
            "the object of all nodes of a person"
        } else {
            "the node"
        };
        check_document(what, body.len())?;
        stores
            .put_object_if(&self.key, Body::record(body), tag)
            .await?;
        Ok(())
    }

    /// Adds a node, unless there is one of its name.
    pub(crate) async fn make(&self, stores: &Stores, node: Node) -> Result<()> {
        let exists = || Error::new(Kind::Exists, "there is a node of this name");
        if self.is_person {
            let add = |nodes: &mut Vec<Node>| {
                if nodes
                    .iter()
                    .any(|there| there.index.name() == node.index.name())
                {
                    return Err(exists());
                }
                nodes.push(node.clone());
                Ok(())
            };
            return self.change(stores, add).await;
        }
        match self.write(stores, std::slice::from_ref(&node), None).await {
            Err(error) if error.kind() == Kind::Conflict => Err(exists()),
            written => written,
        }
    }

    /// Has what is there changed until the change is stored. A change that refuses, on the grounds of what a cache said,
    /// is asked once more with what is there indeed.
    pub(crate) async fn change<T>(
        &self,
        stores: &Stores,
        mut change: impl FnMut(&mut Vec<Node>) -> Result<T> + Send,
    ) -> Result<T> {
        let mut freshness = Freshness::AsSet;
        for round in 0..MAX_ROUNDS {
            let held = self.read(stores, freshness).await?;
            let mut nodes = held.nodes;
            let answer = match change(&mut nodes) {
                Ok(answer) => answer,
                Err(_) if freshness == Freshness::AsSet => {
                    freshness = Freshness::Newest;
                    continue;
                }
                Err(error) => return Err(error),
            };
            freshness = Freshness::Newest;
            match self.write(stores, &nodes, held.tag.as_ref()).await {
                Err(error) if error.kind() == Kind::Conflict => pause(round).await,
                written => return written.map(|()| answer),
            }
        }
        Err(Error::conflict(format!(
            "others were quicker {MAX_ROUNDS} times"
        )))
    }

    fn encode(&self, nodes: &[Node]) -> Bytes {
        if let ([node], false) = (nodes, self.is_person) {
            return node.encode().encode();
        }
        let all = Record::new(NODES);
        nodes
            .iter()
            .fold(all, |all, node| all.with(NODE, node.encode().encode()))
            .encode()
    }
}

/// The nodes in an object of either form.
pub(crate) fn decode(stored: &Bytes) -> Result<Vec<Node>> {
    if let Ok(node) = Record::decode(NODE, stored) {
        return Ok(vec![Node::decode(&node)?]);
    }
    let all = Record::decode(NODES, stored)?;
    all.all(NODE)
        .map(|node| Node::decode(&Record::decode(NODE, node)?))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pubsub::{NodeContent, NodeIndex};

    #[test]
    fn nodes_come_back_in_either_form() {
        let host = BareJid::parse("ann@example.com").unwrap();
        let node = |name: &str| Node {
            index: NodeIndex::draw(&host, name).unwrap(),
            content: NodeContent {
                plugin: "pep".to_owned(),
                owners: vec![host.clone(), BareJid::parse("example.com").unwrap()],
                parents: vec!["a\nb".to_owned(), String::new()],
                options: Bytes::from_static(b"\xff\n1"),
            },
        };
        let nodes = [node("urn:xmpp:tune"), node("")];
        for (is_person, nodes) in [
            (true, &nodes[..]),
            (true, &nodes[..1]),
            (false, &nodes[..1]),
        ] {
            let place = Place {
                key: String::new(),
                is_person,
            };
            assert_eq!(decode(&place.encode(nodes)).unwrap(), nodes);
        }
        assert!(decode(&Bytes::from_static(b"node 1\nindex 1\nx\n")).is_err());
        assert!(decode(&Bytes::new()).is_err());
    }
}
