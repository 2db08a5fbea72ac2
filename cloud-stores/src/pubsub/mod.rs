//! What is published: nodes, their items, and who may do what with them ([XEP-0060](https://xmpp.org/extensions/xep-0060.html)):
//! [`Stores::pubsub`].
//!
//! The rules are not here: a server has its own, which read and write states and items. It [loads](PubSub::load) what a
//! rule reads, and gives what the rule writes to a [`Commit`], which is done if what was read is so still; else the rule
//! runs again.
//!
//! | store | where | key or item |
//! |---|---|---|
//! | node of a service | S3 | `node/HOST/NODE` |
//! | all nodes of a person | S3 | `pep/HOST/K` |
//! | item | S3 | `item/INCARNATION/CREATED20!CREATOR8!ID` |
//! | the item that was published last | S3 | `last/INCARNATION` |
//! | state | SimpleDB, `subs.NN` by incarnation | `INCARNATION\|K`, and `\|RESOURCE` for a full JID |
//! | generation of the states of a node | SimpleDB, `subs.NN` by incarnation | `g\|INCARNATION` |
//! | index of the states of a person | SimpleDB, `subs.NN` by person | `e\|K` |
//!
//! | action | requests, one after another | requests in all |
//! |---|---|---|
//! | publish a new item | list and states; item and last; removal of what is over the limit | 5 |
//! | publish an item again | list and states; the old item; item and last | 5 |
//! | whom to tell | none while nobody subscribes; else the states | 0 or 1 |
//! | subscribe | list and states; index and place; state; generation | 6 |
//!
//! This is with a cache that has the node and the generation; without one, two reads come on top, beside others.

mod commit;
mod index;
mod items;
mod nodes;
mod states;

use std::fmt;
use std::sync::Arc;

pub use self::commit::{Commit, MAX_COMMIT_ITEMS, MAX_COMMIT_STATES};
pub use self::index::{MAX_NODE_NAME, NodeIndex};
pub use self::items::{
    Item, ItemPage, ItemPart, ItemRef, Listing, MAX_ITEM_ID, MAX_PAYLOAD, Page, PageStart,
    creator_hash,
};
pub use self::nodes::{MAX_OPTIONS, MAX_OWNERS, MAX_PARENTS, Node, NodeContent};
pub use self::states::{
    Affiliation, Loaded, MAX_STATES_OF_A_PERSON, MAX_SUBSCRIPTION_ID, MAX_SUBSCRIPTIONS, Seen,
    State, StateSubscription, SubscriptionState,
};
use crate::snapshots::Snapshots;
use crate::stores::Stores;

/// Nodes, items and states; made by [`Stores::pubsub`]. Clones share what they keep in memory, which is up to 100,000
/// states.
#[derive(Clone)]
pub struct PubSub {
    stores: Stores,
    snapshots: Arc<Snapshots<State>>,
}

impl Stores {
    /// What is published. Make it once and clone it: one that is made anew keeps nothing in memory yet.
    pub fn pubsub(&self) -> PubSub {
        PubSub {
            stores: self.clone(),
            snapshots: Arc::new(Snapshots::new(states::MAX_KEPT)),
        }
    }
}

impl fmt::Debug for PubSub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PubSub")
            .field("stores", &self.stores)
            .finish_non_exhaustive()
    }
}
