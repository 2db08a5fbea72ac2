//! Removing all that is kept of somebody.

use bytes::Bytes;
use cloud_stores::auth::Secret;
use cloud_stores::last::LastActivity;
use cloud_stores::offline::OfflineMessage;
use cloud_stores::privacy::PrivacyList;
use cloud_stores::pubsub::{
    Affiliation, Commit, Item, NodeContent, State, StateSubscription, SubscriptionState,
};
use cloud_stores::roster::{RosterChange, RosterExpectation, RosterItem, RosterWrite};
use cloud_stores::vcard::{Vcard, VcardField};
use cloud_stores::{BareJid, Kind, Stores};
use emulator::{Fault, Rule};

use crate::kit::{World, jid};

/// Puts something about a person into every store.
async fn settle_in(stores: &Stores, jid: &BareJid) {
    stores
        .auth()
        .register(jid, &Secret::Plain("x".into()))
        .await
        .unwrap();
    let left = LastActivity {
        at: 1,
        status: "off".repeat(1000),
    };
    stores.last().set(jid, &left).await.unwrap();
    let add = |n: usize| RosterChange {
        expected: RosterExpectation::Absent,
        write: RosterWrite::Put(RosterItem {
            contact: format!("c{n}@example.org"),
            ..RosterItem::default()
        }),
    };
    let changes: Vec<RosterChange> = (0..30).map(add).collect();
    stores
        .roster()
        .commit(jid, &changes, Some("v1"))
        .await
        .unwrap();
    let xml = Bytes::from_static(b"<x/>");
    stores
        .private()
        .set(jid, &[("a", xml.clone()), ("b", xml.clone())])
        .await
        .unwrap();
    let list = PrivacyList {
        name: "a".into(),
        items: Vec::new(),
    };
    stores.privacy().set_list(jid, list).await.unwrap();
    let fields = vec![(VcardField::Fn, "Ann".to_owned())];
    stores
        .vcards()
        .set(
            jid,
            &Vcard {
                xml: xml.clone(),
                fields,
            },
        )
        .await
        .unwrap();
    for at in 0..3 {
        let message = OfflineMessage {
            at,
            expires: None,
            from: "a@b".into(),
            to: jid.to_string(),
            stanza: xml.clone(),
        };
        stores.offline().store(jid, &message).await.unwrap();
    }
    let pubsub = stores.pubsub();
    let content = NodeContent {
        plugin: "pep".to_owned(),
        owners: vec![jid.clone()],
        parents: Vec::new(),
        options: Bytes::new(),
    };
    for name in ["urn:xmpp:avatar:data", "storage:bookmarks"] {
        let index = pubsub
            .create_node(jid, name, content.clone())
            .await
            .unwrap();
        let item = Item {
            id: "current".to_owned(),
            created: 1,
            creator: jid.to_string(),
            modified: 1,
            modifier: jid.to_string(),
            payload: xml.clone(),
        };
        let subscribe = |who: &str| StateSubscription {
            state: SubscriptionState::Subscribed,
            id: who.to_owned(),
        };
        let commit = Commit::new(&index)
            .write(State::absent(jid.as_str()), Affiliation::Owner, Vec::new())
            .write(
                State::absent("carl@example.com"),
                Affiliation::None,
                vec![subscribe("1")],
            )
            .put_item(item, None);
        pubsub.commit(commit).await.unwrap();
    }
    let groups = stores.shared_roster();
    for name in ["all", "some"] {
        groups.add("example.com", name, jid).await.unwrap();
    }
    for host in ["rooms.example.com", "rooms.example.org"] {
        let (host, nick) = (BareJid::new("", host).unwrap(), format!("the {jid}"));
        stores
            .nicks()
            .set(&host, jid, &nick[..nick.len().min(99)])
            .await
            .unwrap();
    }
    // And what he is to the node of a service, as two resources.
    let index = pubsub
        .node(&service(), "news")
        .await
        .unwrap()
        .unwrap()
        .index;
    for resource in ["", "/phone", "/desk"] {
        let state = State::absent(format!("{jid}{resource}"));
        let id = StateSubscription {
            state: SubscriptionState::Pending,
            id: "1".into(),
        };
        let commit = Commit::new(&index).write(state, Affiliation::None, vec![id]);
        pubsub.commit(commit).await.unwrap();
    }
}

fn service() -> BareJid {
    BareJid::new("", "pubsub.example.com").unwrap()
}

/// A world with a node of a service, and with what stays of that.
async fn world() -> (World, Vec<String>) {
    let world = World::start().await;
    let content = NodeContent {
        plugin: "flat".to_owned(),
        owners: Vec::new(),
        parents: Vec::new(),
        options: Bytes::new(),
    };
    let pubsub = world.stores.pubsub();
    let index = pubsub
        .create_node(&service(), "news", content)
        .await
        .unwrap();
    let carl = State::absent("carl@example.com");
    let commit = Commit::new(&index).write(carl, Affiliation::Member, Vec::new());
    pubsub.commit(commit).await.unwrap();
    let left = world.left().await;
    (world, left)
}

#[tokio::test]
async fn a_person_removed_leaves_nothing_and_others_stay() {
    let (world, service) = world().await;
    let (ann, anna) = (jid("ann"), jid("anna"));
    settle_in(&world.stores, &anna).await;
    let others = world.left().await;
    let each = others.len() - service.len();
    settle_in(&world.stores, &ann).await;
    let long = BareJid::new("a".repeat(1023), "example.com").unwrap();
    settle_in(&world.stores, &long).await;
    assert_eq!(world.left().await.len(), service.len() + 3 * each);
    world.stores.remove_person(&ann).await.unwrap();
    world.stores.remove_person(&long).await.unwrap();
    assert_eq!(world.left().await, others);
    world.stores.remove_person(&ann).await.unwrap();
    world.stores.remove_person(&anna).await.unwrap();
    assert_eq!(world.left().await, service);
}

#[tokio::test]
async fn what_fails_is_said_and_the_rest_is_removed_all_the_same() {
    let (world, service) = world().await;
    let ann = jid("ann");
    settle_in(&world.stores, &ann).await;
    let refused = Rule::new(Fault::error(403, "AccessDenied")).operation("DeleteObject");
    world
        .faults()
        .add(refused.key("it/privacy/ann@example.com"));
    let error = world.stores.remove_person(&ann).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.about()),
        (Kind::Unavailable, "privacy lists of ann@example.com")
    );
    assert_eq!(world.left().await.len(), service.len() + 1);
    world.calm();
    world.stores.remove_person(&ann).await.unwrap();
    assert_eq!(world.left().await, service);
}

#[tokio::test]
async fn a_removal_that_ended_half_way_can_be_done_again() {
    let (world, service) = world().await;
    let ann = jid("ann");
    settle_in(&world.stores, &ann).await;
    // Each round is refused somewhere else, later and later.
    for skip in 0.. {
        assert!(skip < 200, "it does not come to an end");
        let refused = Rule::new(Fault::error(403, "AccessDenied"));
        let refused = refused.when(|seen| !seen.operation.starts_with("List"));
        let hits = world.faults().add(refused.skip(skip * 7).times(1));
        let removed = world.stores.remove_person(&ann).await;
        world.calm();
        if hits.count() == 0 {
            removed.unwrap();
            break;
        }
    }
    assert_eq!(world.left().await, service);
}

#[tokio::test]
async fn what_a_cache_does_not_know_of_is_removed_too() {
    let world = World::cached().await;
    let ann = jid("ann");
    let pubsub = world.stores.pubsub();
    assert!(pubsub.nodes(&ann).await.unwrap().is_empty());
    assert!(pubsub.nodes(&ann).await.unwrap().is_empty());
    let other = world.another(|builder| builder).await;
    let content = NodeContent {
        plugin: "pep".to_owned(),
        owners: vec![ann.clone()],
        parents: Vec::new(),
        options: Bytes::new(),
    };
    other
        .pubsub()
        .create_node(&ann, "a", content)
        .await
        .unwrap();
    world.stores.remove_person(&ann).await.unwrap();
    assert!(world.left().await.is_empty());
}
