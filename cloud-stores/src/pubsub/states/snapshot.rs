//! The states of a node as a process keeps them: see [`Snapshots`](crate::snapshots::Snapshots).

use sdb_client::query::attr;

use super::State;
use super::stored::{self, INCARNATION};
use crate::error::Result;
use crate::layout::{DomainKind, item_name};
use crate::pubsub::{NodeIndex, PubSub};
use crate::snapshots::Generation;
use crate::stores::Freshness;

/// How many states are kept at most, over all nodes.
pub(crate) const MAX_KEPT: usize = 100_000;

impl PubSub {
    /// All stored states of a node: those that this process has, if the generation is still the one that they are of.
    pub(super) async fn stored_states(&self, index: &NodeIndex) -> Result<Vec<State>> {
        let select = self.select_states(index);
        self.snapshots
            .read(
                &self.stores,
                index.incarnation(),
                &self.generation(index),
                select,
            )
            .await
    }

    /// All stored states of a node, as they are at this moment.
    pub(super) async fn select_states(&self, index: &NodeIndex) -> Result<Vec<State>> {
        let domain = self.subs(index.incarnation());
        let filter = attr(INCARNATION).eq(index.incarnation());
        let items = self
            .stores
            .select_items(&domain, filter, Freshness::Newest)
            .await?;
        let mut states = Vec::with_capacity(items.len());
        for item in &items {
            states.push(stored::decode(item)?.state);
        }
        Ok(states)
    }

    /// Tells all processes that the states of a node were changed.
    pub(crate) async fn renew_generation(&self, index: &NodeIndex) -> Result<()> {
        self.stores.renew(self.generation(index)).await
    }

    fn generation(&self, index: &NodeIndex) -> Generation {
        Generation {
            domain: self.subs(index.incarnation()),
            item: generation_name(index),
        }
    }

    /// The domain that has what belongs to an incarnation or to a person.
    pub(super) fn subs(&self, owner: &str) -> sdb_client::Domain {
        self.stores.domain(DomainKind::Subs, owner)
    }
}

pub(super) fn generation_name(index: &NodeIndex) -> String {
    item_name(&["g", index.incarnation()])
}
