//! Reading the states of a node: [`PubSub::load`] and [`PubSub::states`], and the same for a node that was read just now.

use std::future::ready;

use futures_util::future::{try_join, try_join3};
use sdb_client::query::attr;

use super::stored::{self, BARE, INCARNATION};
use super::{Affiliation, State};
use crate::error::Result;
use crate::jid::BareJid;
use crate::names::escape;
use crate::pubsub::items::Listing;
use crate::pubsub::{NodeIndex, PubSub};
use crate::stores::Freshness;

/// What a decision about a node and a person goes by.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Loaded {
    /// The states of the person's bare JID and of all his full JIDs. He is an owner if the node says so and his own state
    /// says nothing.
    pub states: Vec<State>,
    /// The list of the node's items.
    pub items: Listing,
}

impl PubSub {
    /// What is needed to decide whether somebody may publish, subscribe or remove: his states at a node, and the list of
    /// its items, both as they are at this moment. A selection, a list for each 1,000 items, and a read of the node, all
    /// at the same time; the last comes from the cache where there is one.
    ///
    /// # Errors
    /// As the services fail.
    pub async fn load(&self, index: &NodeIndex, person: &BareJid) -> Result<Loaded> {
        self.load_with(index, person, self.owners_at(index)).await
    }

    /// As [`load`](Self::load), without reading the node: these are its owners. It is for who has read it just now, to
    /// decide about it.
    ///
    /// # Errors
    /// As the services fail.
    pub async fn load_owned(
        &self,
        index: &NodeIndex,
        owners: Vec<BareJid>,
        person: &BareJid,
    ) -> Result<Loaded> {
        self.load_with(index, person, ready(Ok(owners))).await
    }

    async fn load_with(
        &self,
        index: &NodeIndex,
        person: &BareJid,
        owners: impl Future<Output = Result<Vec<BareJid>>> + Send,
    ) -> Result<Loaded> {
        let work = async {
            let states = self.states_of_at(index, person);
            let (states, items, owners) = try_join3(states, self.list_items(index), owners).await?;
            let states = with_owners(states, &owners, |owner| owner == person);
            Ok(Loaded { states, items })
        };
        self.stores
            .action("states at node", &index.to_string(), work)
            .await
    }

    /// All states of a node, with its owners. One selection for each 2,500 of them; none where this process has them
    /// already and the cache says that they are still good. Beside it goes a read of the node.
    ///
    /// What another process has changed is missed for a minute at most, and only if it stopped before it was done. After a
    /// [`Commit`](crate::pubsub::Commit) that met a conflict, they are those of the store.
    ///
    /// # Errors
    /// As the services fail.
    pub async fn states(&self, index: &NodeIndex) -> Result<Vec<State>> {
        self.states_with(index, self.owners_at(index)).await
    }

    /// As [`states`](Self::states), without reading the node: these are its owners. It is for who has read it just now.
    ///
    /// # Errors
    /// As the services fail.
    pub async fn states_owned(
        &self,
        index: &NodeIndex,
        owners: Vec<BareJid>,
    ) -> Result<Vec<State>> {
        self.states_with(index, ready(Ok(owners))).await
    }

    async fn states_with(
        &self,
        index: &NodeIndex,
        owners: impl Future<Output = Result<Vec<BareJid>>> + Send,
    ) -> Result<Vec<State>> {
        let work = async {
            let (states, owners) = try_join(self.stored_states(index), owners).await?;
            Ok(with_owners(states, &owners, |_| true))
        };
        self.stores
            .action("states of node", &index.to_string(), work)
            .await
    }

    /// The owners of the node, of whom there are none if it is gone.
    async fn owners_at(&self, index: &NodeIndex) -> Result<Vec<BareJid>> {
        let node = self.read_node_at(index).await?;
        Ok(node.map(|node| node.content.owners).unwrap_or_default())
    }

    async fn states_of_at(&self, index: &NodeIndex, person: &BareJid) -> Result<Vec<State>> {
        let domain = self.subs(index.incarnation());
        let theirs = attr(BARE).eq(escape(person.as_str()));
        let filter = attr(INCARNATION).eq(index.incarnation()).and(theirs);
        let items = self
            .stores
            .select_items(&domain, filter, Freshness::Newest)
            .await?;
        items
            .iter()
            .map(|item| Ok(stored::decode(item)?.state))
            .collect()
    }
}

/// These states, and one for each of these owners of the node that has none.
fn with_owners(
    mut states: Vec<State>,
    owners: &[BareJid],
    which: impl Fn(&BareJid) -> bool,
) -> Vec<State> {
    for owner in owners.iter().filter(|owner| which(owner)) {
        match states.iter_mut().find(|state| state.jid == owner.as_str()) {
            Some(state) if state.says_nothing() => state.affiliation = Affiliation::Owner,
            Some(_) => {}
            None => states.push(State {
                affiliation: Affiliation::Owner,
                ..State::absent(owner.as_str())
            }),
        }
    }
    states
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owner_without_a_state_counts() {
        let jid = |text: &str| BareJid::parse(text).unwrap();
        let owners = [jid("a@h"), jid("b@h"), jid("c@h"), jid("d@h")];
        let member = State {
            affiliation: Affiliation::Member,
            ..State::absent("b@h")
        };
        let stored = vec![State::absent("a@h"), member.clone(), State::absent("c@h/x")];
        let not_d = |owner: &BareJid| owner.as_str() != "d@h";
        let states = with_owners(stored, &owners, not_d);
        let owner = |jid: &str| State {
            affiliation: Affiliation::Owner,
            ..State::absent(jid)
        };
        // Who has a state that says something is what it says.
        assert_eq!(
            states,
            [owner("a@h"), member, State::absent("c@h/x"), owner("c@h")]
        );
        assert_eq!(with_owners(Vec::new(), &[], |_| true), []);
    }
}
