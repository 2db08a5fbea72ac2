//! Removing all that is kept of somebody.

use bytes::Bytes;
use cloud_stores::{
    BareJid, Kind, LastActivity, OfflineMessage, PrivacyList, RosterChange, RosterExpectation,
    RosterItem, RosterWrite, Secret, Stores, Vcard, VcardField,
};
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
}

#[tokio::test]
async fn a_person_removed_leaves_nothing_and_others_stay() {
    let world = World::start().await;
    let (ann, anna) = (jid("ann"), jid("anna"));
    settle_in(&world.stores, &anna).await;
    let others = world.left().await;
    settle_in(&world.stores, &ann).await;
    let long = BareJid::new("a".repeat(1023), "example.com").unwrap();
    settle_in(&world.stores, &long).await;
    assert_eq!(world.left().await.len(), 3 * others.len());
    world.stores.remove_person(&ann).await.unwrap();
    world.stores.remove_person(&long).await.unwrap();
    assert_eq!(world.left().await, others);
    world.stores.remove_person(&ann).await.unwrap();
    world.stores.remove_person(&anna).await.unwrap();
    assert!(world.left().await.is_empty());
}

#[tokio::test]
async fn what_fails_is_said_and_the_rest_is_removed_all_the_same() {
    let world = World::start().await;
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
    assert_eq!(world.left().await, ["it/privacy/ann@example.com"]);
    world.calm();
    world.stores.remove_person(&ann).await.unwrap();
    assert!(world.left().await.is_empty());
}
