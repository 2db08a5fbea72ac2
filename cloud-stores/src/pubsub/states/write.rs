//! Writing one state, and removing all of a node.

use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::snapshot::generation_name;
use super::stored::{draw_entry, encode, name};
use super::{NO_ENTRY, Seen, SeenState, State, split};
use crate::error::Result;
use crate::pubsub::{NodeIndex, PubSub};

/// How many people's indexes are changed at the same time.
const PARALLEL: usize = 16;

impl PubSub {
    /// Stores what a state says, if what is stored is still what `before` saw; `entry` is what the index of the person
    /// names it by. Gives what is to be seen of it from then on.
    pub(crate) async fn put_state(
        &self,
        index: &NodeIndex,
        state: &State,
        entry: &str,
        before: &Seen,
    ) -> Result<Seen> {
        let put = encode(index, state, entry)?;
        let domain = self.subs(index.incarnation());
        let version = self
            .stores
            .put_item_if(&domain, put, before.version())
            .await?;
        let entry = entry.to_owned();
        Ok(Seen(Some(SeenState { version, entry })))
    }

    /// Removes the state of a JID, if it is still the one that was seen.
    pub(crate) async fn remove_state(
        &self,
        index: &NodeIndex,
        jid: &str,
        seen: &SeenState,
    ) -> Result<()> {
        let domain = self.subs(index.incarnation());
        self.stores
            .delete_item_if(&domain, &name(index, jid), &seen.version)
            .await
    }

    /// Has the index of the person name a state that is about to be made, and gives the entry.
    pub(crate) async fn announce(&self, index: &NodeIndex, jid: &str) -> Result<String> {
        let entry = draw_entry(index, jid);
        self.add_entry(split(jid).0, &entry).await?;
        Ok(entry)
    }

    /// Has the index of the person forget a state that is not there.
    pub(crate) async fn retract(&self, jid: &str, entry: &str) -> Result<()> {
        match entry {
            NO_ENTRY => Ok(()),
            entry => self.remove_entry(split(jid).0, entry).await,
        }
    }

    /// Removes all states of a node that is gone, with what the indexes of people say of them. The indexes go first: a
    /// state that is left is found again, an entry that is left is not.
    pub(crate) async fn remove_states(&self, index: &NodeIndex) -> Result<()> {
        self.snapshots.forget(index.incarnation());
        let states = self.select_states(index).await?;
        let entry = |state: &State| Some((state.jid.clone(), state.seen.entry()?.to_owned()));
        let entries: Vec<(String, String)> = states.iter().filter_map(entry).collect();
        let forget = stream::iter(entries)
            .map(|(jid, entry)| async move { self.retract(&jid, &entry).await });
        forget
            .buffer_unordered(PARALLEL)
            .try_collect::<()>()
            .await?;
        let mut names: Vec<String> = states.iter().map(|state| name(index, &state.jid)).collect();
        names.push(generation_name(index));
        self.stores
            .delete_items(&self.subs(index.incarnation()), names)
            .await
    }
}
