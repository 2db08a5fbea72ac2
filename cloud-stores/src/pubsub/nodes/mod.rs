//! Nodes: one object for each node of a service, and one object for all nodes of a person.
//!
//! *Problem:* A node is made by many at once, and only one may have made it. A person's PEP nodes are asked for all
//! together at each login, and there are a dozen of them. *Decision:* A node of a service is an object of its own, put
//! only if there is none. A person's nodes are in one object, which is read, changed, and put only if it is still the one
//! that was read; it is removed with the last node. Each record has a random version, so that a write whose answer was lost
//! is known again. *Cost:* Two of a person's clients that make nodes at the same moment make one of them write twice; a
//! person's object grows with his nodes.
//!
//! ```text
//!            create: put if none                set: put if unchanged
//!  (absent) ────────────────────► INC1 record ────────────────────────► INC1 record'
//!      ▲                              │ delete: the object goes first; items, states and the last item
//!      └──────────────────────────────┘ of INC1 follow, and nobody can reach them meanwhile
//! ```

mod create;
mod delete;
mod get;
mod list;
mod set;
mod stored;

use bytes::Bytes;

use crate::error::{Error, Result};
use crate::jid::BareJid;
use crate::pubsub::index::{NodeIndex, check_name};
use crate::record::{Record, text};

pub(crate) use self::stored::Place;

/// The most owners of a node.
pub const MAX_OWNERS: usize = 1000;

/// The most parents of a node.
pub const MAX_PARENTS: usize = 100;

/// The most bytes of a node's options.
pub const MAX_OPTIONS: usize = 256 << 10;

/// What is said of a node, apart from which one it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeContent {
    /// Which set of rules it goes by: `flat` or `pep`, for example. The store does not look at it.
    pub plugin: String,
    /// Who owns it, at most [`MAX_OWNERS`]. An owner without a state counts as one whose affiliation is owner.
    pub owners: Vec<BareJid>,
    /// The names of its parents on the same host, at most [`MAX_PARENTS`].
    pub parents: Vec<String>,
    /// Its configuration, in whatever form the server keeps it, of at most [`MAX_OPTIONS`] bytes.
    pub options: Bytes,
}

/// A node as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Which one it is.
    pub index: NodeIndex,
    /// What is said of it.
    pub content: NodeContent,
}

impl NodeContent {
    /// Whether it is within the limits.
    pub(crate) fn check(&self) -> Result<()> {
        for (what, count, limit) in [
            (
                "the list of owners of a node",
                self.owners.len(),
                MAX_OWNERS,
            ),
            (
                "the list of parents of a node",
                self.parents.len(),
                MAX_PARENTS,
            ),
        ] {
            if count > limit {
                return Err(Error::too_large(what, count, "entries", limit));
            }
        }
        let bytes = self.options.len();
        if bytes > MAX_OPTIONS {
            return Err(Error::too_large(
                "the configuration of a node",
                bytes,
                "bytes",
                MAX_OPTIONS,
            ));
        }
        self.parents.iter().try_for_each(|name| check_name(name))
    }
}

const NODE: &str = "node";

impl Node {
    pub(crate) fn encode(&self) -> Record {
        let content = &self.content;
        let mut record = Record::new(NODE)
            .with("index", self.index.to_string())
            .with("plugin", content.plugin.clone());
        for owner in &content.owners {
            record = record.with("owner", owner.to_string());
        }
        for parent in &content.parents {
            record = record.with("parent", parent.clone());
        }
        record.with("options", content.options.clone())
    }

    pub(crate) fn decode(record: &Record) -> Result<Self> {
        let texts = |name: &'static str| record.all(name).map(|bytes| text(NODE, bytes));
        Ok(Self {
            index: NodeIndex::parse(record.text("index")?)?,
            content: NodeContent {
                plugin: record.text("plugin")?.to_owned(),
                owners: texts("owner")
                    .map(|jid| BareJid::parse(jid?))
                    .collect::<Result<_>>()?,
                parents: texts("parent")
                    .map(|name| Ok(name?.to_owned()))
                    .collect::<Result<_>>()?,
                options: record.get("options")?.clone(),
            },
        })
    }
}
