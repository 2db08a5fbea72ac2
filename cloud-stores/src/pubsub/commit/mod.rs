//! Several reads and writes of one node as one: [`Commit`].
//!
//! *Problem:* A rule of pubsub reads states and items, decides, and writes some of them; what it read may change before it
//! writes, and SimpleDB has one condition for one item, and no transaction. *Decision:* The reads and the writes are
//! gathered and go out together. A state that is written has to be the one that was read. One that was only read is
//! *touched* before: it gets a new version and keeps what it says, on condition that it is the one that was read. So of two
//! commits each of which read what the other one writes, one is refused. Where anything is refused, nothing stays written,
//! and the caller decides again on what is there. *Cost:* A write for each state that was only read, if any is written;
//! a commit that writes items alone touches nothing, and goes by states as they were when they were
//! [loaded](PubSub::load).
//!
//! ```text
//!   name new states in e|K      ┐
//!   hold the places of those    │ refused
//!   touch what was only read    ├────────► take back names and places ────────────────► Conflict
//!                │              ┘                         ▲
//!                ▼                 refused, the first     │
//!   write states, one after another ──────────────────────┤
//!                │                 refused, a later one   │
//!                │                 ──────► undo those before, each on condition of its own write
//!                ▼
//!   generation ∥ entries of removed states ∥ (put items ∥ last item, then remove items) ──► done
//! ```
//!
//! A process that stops in the middle leaves a part of the states written, in the order of their JIDs, and of the items
//! those that were stored before the others were removed. What a refused commit of several states has written can be seen
//! until it is undone; if somebody has built on it meanwhile it stays, and the answer is a conflict all the same.

mod states;

use futures_util::future::join;

use crate::error::{Error, Result};
use crate::pubsub::items::{Item, ItemChange};
use crate::pubsub::states::{Affiliation, State, StateSubscription};
use crate::pubsub::{NodeIndex, PubSub};

/// The most states that one commit reads and writes.
pub const MAX_COMMIT_STATES: usize = 1000;

/// The most items that one commit stores and removes.
pub const MAX_COMMIT_ITEMS: usize = 10_000;

/// What a rule has read of one node, and what it makes of it, for [`PubSub::commit`].
#[derive(Clone, Debug)]
#[must_use = "nothing is sent until it is committed"]
pub struct Commit {
    index: NodeIndex,
    reads: Vec<State>,
    writes: Vec<Change>,
    items: Vec<ItemChange>,
}

/// A state as it was read, and as it shall be.
#[derive(Clone, Debug)]
struct Change {
    before: State,
    after: State,
}

impl Commit {
    /// A commit about this node that does nothing yet.
    pub fn new(index: &NodeIndex) -> Self {
        Self {
            index: index.clone(),
            reads: Vec::new(),
            writes: Vec::new(),
            items: Vec::new(),
        }
    }

    /// What the rule went by, which has to be so still if the commit writes a state. One that is written, too, need not
    /// be said.
    pub fn read(mut self, state: State) -> Self {
        self.reads.push(state);
        self
    }

    /// Writes what this JID is to the node in place of what was read. A state that says nothing then is removed.
    pub fn write(
        mut self,
        before: State,
        affiliation: Affiliation,
        subscriptions: Vec<StateSubscription>,
    ) -> Self {
        let after = State {
            affiliation,
            subscriptions,
            ..before.clone()
        };
        self.writes.push(Change { before, after });
        self
    }

    /// Stores an item. Where the node has one of this name, `keys` are those that the list has of it: the new one takes
    /// its place.
    pub fn put_item(mut self, item: Item, keys: Option<&str>) -> Self {
        self.items
            .push(ItemChange::Put(item, keys.map(str::to_owned)));
        self
    }

    /// Removes the item that the list has under these keys.
    pub fn remove_item(mut self, keys: impl Into<String>) -> Self {
        self.items.push(ItemChange::Remove(keys.into()));
        self
    }

    /// Whether it is within the limits and makes sense; leaves out what does nothing, and brings the writes into order.
    fn check(&mut self) -> Result<()> {
        let states = self.reads.len() + self.writes.len();
        if states > MAX_COMMIT_STATES {
            return Err(Error::too_large(
                "a commit",
                states,
                "states",
                MAX_COMMIT_STATES,
            ));
        }
        if self.items.len() > MAX_COMMIT_ITEMS {
            let items = self.items.len();
            return Err(Error::too_large(
                "a commit",
                items,
                "items",
                MAX_COMMIT_ITEMS,
            ));
        }
        for state in self
            .reads
            .iter()
            .chain(self.writes.iter().map(|change| &change.after))
        {
            state.check()?;
        }
        self.items.iter().try_for_each(ItemChange::check)?;
        self.writes
            .retain(|change| !change.before.seen.is_absent() || !change.after.says_nothing());
        self.writes.sort_by(|a, b| a.after.jid.cmp(&b.after.jid));
        if self
            .writes
            .windows(2)
            .any(|pair| pair[0].after.jid == pair[1].after.jid)
        {
            return Err(Error::invalid("a commit writes one state twice"));
        }
        let is_written = |state: &State| {
            self.writes
                .binary_search_by(|change| change.after.jid.cmp(&state.jid))
                .is_ok()
        };
        self.reads.retain(|state| !is_written(state));
        self.reads.sort_by(|a, b| a.jid.cmp(&b.jid));
        self.reads.dedup();
        if self.reads.windows(2).any(|pair| pair[0].jid == pair[1].jid) {
            return Err(Error::conflict(
                "one state was read twice, and was not the same",
            ));
        }
        Ok(())
    }
}

impl PubSub {
    /// Does what a commit says, if what it read is so still.
    ///
    /// With items alone: the items and the last one are stored at the same time, and others are removed then, 1,000 in a
    /// request. Where one is removed and none stored, the last item is read before, and replaced if it is that one. With a
    /// state: its write and the generation, one after another; before, at the same time, one request for each state that
    /// was only read, and two for each that is new; items go with the generation.
    ///
    /// # Errors
    /// [`Kind::Conflict`](crate::Kind::Conflict) where a state is not the one that was read: [load](Self::load) and
    /// decide again. [`Kind::TooLarge`](crate::Kind::TooLarge) for what is over a limit, among them the
    /// [states of a person](crate::pubsub::MAX_STATES_OF_A_PERSON); otherwise as the services fail, when a part of it may
    /// have been done.
    pub async fn commit(&self, mut commit: Commit) -> Result<()> {
        let about = commit.index.to_string();
        let work = async {
            commit.check()?;
            if commit.writes.is_empty() {
                return self.write_items(&commit.index, &commit.items).await;
            }
            let written = self.write_states(&commit).await?;
            let (told, items) = join(
                self.tell(&commit.index, written),
                self.write_items(&commit.index, &commit.items),
            )
            .await;
            items.and(told)
        };
        self.stores.action("node", &about, work).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Kind;
    use crate::jid::BareJid;
    use crate::pubsub::states::{Seen, SeenState};
    use crate::version::Version;

    fn commit() -> Commit {
        Commit::new(&NodeIndex::draw(&BareJid::parse("h").unwrap(), "n").unwrap())
    }

    fn stored(jid: &str) -> State {
        let (version, entry) = (Version::after(None), String::new());
        State {
            affiliation: Affiliation::Member,
            seen: Seen(Some(SeenState { version, entry })),
            ..State::absent(jid)
        }
    }

    #[test]
    fn what_does_nothing_is_left_out() {
        let absent = State::absent("a@h");
        let both = stored("b@h");
        let mut commit = commit()
            .read(both.clone())
            .read(stored("d@h"))
            .write(absent, Affiliation::None, Vec::new())
            .write(stored("c@h"), Affiliation::None, Vec::new())
            .write(both, Affiliation::Owner, Vec::new());
        commit.check().unwrap();
        let written: Vec<&str> = commit
            .writes
            .iter()
            .map(|change| &*change.after.jid)
            .collect();
        assert_eq!(written, ["b@h", "c@h"]);
        let read: Vec<&str> = commit.reads.iter().map(|state| &*state.jid).collect();
        assert_eq!(read, ["d@h"]);
    }

    #[test]
    fn what_makes_no_sense_is_said() {
        let kind = |mut commit: Commit| commit.check().unwrap_err().kind();
        let twice = commit()
            .write(stored("b@h"), Affiliation::Owner, Vec::new())
            .write(stored("b@h"), Affiliation::Owner, Vec::new());
        assert_eq!(kind(twice), Kind::Invalid);
        let torn = commit().read(stored("b@h")).read(stored("b@h"));
        assert_eq!(kind(torn), Kind::Conflict);
        let one = stored("b@h");
        commit().read(one.clone()).read(one).check().unwrap();
        assert_eq!(kind(commit().remove_item("../x")), Kind::Invalid);
        let many = (0..1001).fold(commit(), |all, i| all.read(stored(&format!("{i}@h"))));
        assert_eq!(kind(many), Kind::TooLarge);
        let many = (0..10_001).fold(commit(), |all, _| all.remove_item("x"));
        assert_eq!(kind(many), Kind::TooLarge);
    }
}
