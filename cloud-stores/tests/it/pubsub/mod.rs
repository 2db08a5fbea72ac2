//! What is published.

mod budget;
mod commit;
mod items;
mod model;
mod nodes;
mod states;

use bytes::Bytes;
use cloud_stores::BareJid;
use cloud_stores::pubsub::{
    Item, NodeContent, NodeIndex, PubSub, State, StateSubscription, SubscriptionState,
};

use crate::kit::jid;

/// The pubsub service.
fn service() -> BareJid {
    BareJid::parse("pubsub.example.com").unwrap()
}

/// A node of the rules `flat` with these owners.
fn content(owners: &[&BareJid]) -> NodeContent {
    NodeContent {
        plugin: "flat".to_owned(),
        owners: owners.iter().copied().cloned().collect(),
        parents: Vec::new(),
        options: Bytes::from_static(b"options \xff"),
    }
}

/// The node `n` of Ann's.
async fn node(pubsub: &PubSub) -> NodeIndex {
    pubsub
        .create_node(&service(), "n", content(&[&jid("ann")]))
        .await
        .unwrap()
}

/// One subscription, with this id.
fn subscribed(id: &str) -> Vec<StateSubscription> {
    vec![StateSubscription {
        state: SubscriptionState::Subscribed,
        id: id.to_owned(),
    }]
}

/// An item that was published once, at this time.
fn item(id: &str, at: u64, by: &BareJid) -> Item {
    Item {
        id: id.to_owned(),
        created: at,
        creator: by.to_string(),
        modified: at,
        modifier: format!("{by}/phone"),
        payload: Bytes::from(format!("<entry>{id} {at}</entry>")),
    }
}

/// What states say, without which ones they are, by their JIDs.
fn said(states: &[State]) -> Vec<String> {
    let mut all: Vec<String> = states
        .iter()
        .filter(|state| !state.says_nothing())
        .map(|state| {
            let subscriptions = state.subscriptions.iter();
            let ids: Vec<String> = subscriptions
                .map(|one| format!("{} {}", one.state.as_str(), one.id))
                .collect();
            format!(
                "{}: {} [{}]",
                state.jid,
                state.affiliation.as_str(),
                ids.join(", ")
            )
        })
        .collect();
    all.sort();
    all
}
