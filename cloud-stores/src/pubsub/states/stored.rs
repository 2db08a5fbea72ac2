//! A state as an item of SimpleDB.

use sdb_client::{Item, PutItem};

use super::{Affiliation, Seen, SeenState, State, StateSubscription, SubscriptionState, split};
use crate::error::{Error, Result};
use crate::jid::{BareJid, MAX_JID};
use crate::layout::item_name;
use crate::names::escape;
use crate::pubsub::{MAX_NODE_NAME, NodeIndex};
use crate::stores::{check_item, long, replace_long, version_of};

/// The incarnation of the node, by which its states are selected.
pub(crate) const INCARNATION: &str = "i";
/// The bare JID in the form of [`escape`], by which the states of a person are selected among those.
pub(crate) const BARE: &str = "b";
const JID: &str = "j";
const INDEX: &str = "x";
const AFFILIATION: &str = "a";
const ENTRY: &str = "e";
const SUBSCRIPTIONS: &str = "s";

/// What stands for no subscription: an attribute that is not written keeps what it has.
const NONE: &str = "-";

/// The most bytes of an index as text.
const MAX_INDEX: usize = 20 + MAX_JID + MAX_NODE_NAME;

/// A state with the node that it is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stored {
    pub(crate) index: NodeIndex,
    pub(crate) state: State,
}

/// The name of the item of a JID's state.
pub(crate) fn name(index: &NodeIndex, jid: &str) -> String {
    match split(jid) {
        (bare, None) => item_name(&[index.incarnation(), bare]),
        (bare, Some(resource)) => item_name(&[index.incarnation(), bare, resource]),
    }
}

/// How the index of a person is to name a new state of his: the item can be told from it, and no other state, not even a
/// later one of the same JID at the same node, has the same.
pub(crate) fn draw_entry(index: &NodeIndex, jid: &str) -> String {
    let resource = split(jid).1.map(escape).unwrap_or_default();
    format!(
        "{}|{:08x}|{resource}",
        index.incarnation(),
        fastrand::u32(..)
    )
}

/// The name of the item that an entry in the index of a person tells, and the incarnation of its node.
pub(crate) fn named_by<'a>(entry: &'a str, bare: &BareJid) -> Option<(&'a str, String)> {
    let mut parts = entry.splitn(3, '|');
    let (incarnation, _, resource) = (parts.next()?, parts.next()?, parts.next()?);
    let mut name = item_name(&[incarnation, bare.as_str()]);
    if !resource.is_empty() {
        name.push('|');
        name.push_str(resource);
    }
    Some((incarnation, name))
}

/// What is to be stored.
pub(crate) fn encode(index: &NodeIndex, state: &State, entry: &str) -> Result<PutItem> {
    let put = PutItem::new(name(index, &state.jid))
        .replace(INCARNATION, index.incarnation())
        .replace(BARE, escape(split(&state.jid).0))
        .replace(AFFILIATION, state.affiliation.as_str())
        .replace(ENTRY, entry);
    let put = replace_long(put, JID, &state.jid, "the JID of a state", MAX_JID)?;
    let mut put = replace_long(
        put,
        INDEX,
        &index.to_string(),
        "the index of a node",
        MAX_INDEX,
    )?;
    if state.subscriptions.is_empty() {
        put = put.replace(SUBSCRIPTIONS, NONE);
    }
    for (place, one) in state.subscriptions.iter().enumerate() {
        // The values of an attribute are a set without an order.
        put = put.replace(
            SUBSCRIPTIONS,
            format!("{place:03}:{}:{}", one.state.as_str(), one.id),
        );
    }
    check_item(&put, &[])?;
    Ok(put)
}

/// The state that an item is.
pub(crate) fn decode(item: &Item) -> Result<Stored> {
    let lacks = |name: &str| {
        Error::invalid(format!(
            "the state {:?} lacks its attribute {name:?}",
            item.name
        ))
    };
    let mut subscriptions: Vec<&str> = item
        .all(SUBSCRIPTIONS)
        .filter(|text| *text != NONE)
        .collect();
    subscriptions.sort_unstable();
    let subscription = |text: &&str| {
        let mut parts = text.splitn(3, ':').skip(1);
        let state = parts.next().ok_or_else(|| lacks(SUBSCRIPTIONS))?;
        Ok(StateSubscription {
            state: SubscriptionState::parse(state)?,
            id: parts.next().ok_or_else(|| lacks(SUBSCRIPTIONS))?.to_owned(),
        })
    };
    let entry = item.first(ENTRY).ok_or_else(|| lacks(ENTRY))?.to_owned();
    let affiliation = item.first(AFFILIATION).ok_or_else(|| lacks(AFFILIATION))?;
    Ok(Stored {
        index: NodeIndex::parse(&long(item, INDEX)?)?,
        state: State {
            jid: long(item, JID)?,
            affiliation: Affiliation::parse(affiliation)?,
            subscriptions: subscriptions
                .iter()
                .map(subscription)
                .collect::<Result<_>>()?,
            seen: Seen(Some(SeenState {
                version: version_of(item),
                entry,
            })),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_names_the_item_of_its_state() {
        let bare = BareJid::parse("ann@example.com").unwrap();
        let host = BareJid::parse("pubsub.example.com").unwrap();
        let index = NodeIndex::draw(&host, "news").unwrap();
        let long = format!("ann@example.com/{}", "r|/".repeat(300));
        for jid in ["ann@example.com", "ann@example.com/a b", &long] {
            let entry = draw_entry(&index, jid);
            let named = named_by(&entry, &bare).unwrap();
            assert_eq!(named, (index.incarnation(), name(&index, jid)));
            assert_ne!(draw_entry(&index, jid), entry);
            assert!(entry.len() <= 1024);
        }
        assert_eq!(named_by("x", &bare), None);
    }
}
