//! Many messages and many items, a part at a time.

use bytes::Bytes;
use cloud_stores::Kind;
use cloud_stores::offline::{OfflineId, OfflineMessage};
use cloud_stores::pubsub::{Commit, Item, NodeContent};

use crate::kit::{World, jid};

/// A message of a bit more than 1,000 bytes.
fn message(at: u64) -> OfflineMessage {
    OfflineMessage {
        at,
        expires: None,
        from: "eve@example.org/phone".into(),
        to: "bob@example.com".into(),
        stanza: Bytes::from(format!("<message>{at}{}</message>", "x".repeat(1000))),
    }
}

#[tokio::test]
async fn messages_come_a_part_at_a_time_in_their_order_and_once() {
    let world = World::start().await;
    let (offline, bob) = (world.stores.offline(), jid("bob"));
    for at in [50, 20, 40, 10, 30] {
        offline.store(&bob, &message(at)).await.unwrap();
    }
    let all = offline.ids(&bob).await.unwrap();
    for (bytes, parts) in [
        (usize::MAX, &[5][..]),
        (2500, &[2, 2, 1]),
        // The first one is more than is wanted, and comes all the same.
        (0, &[1, 1, 1, 1, 1]),
    ] {
        let (mut rest, mut counts, mut times) = (all.clone(), Vec::new(), Vec::new());
        while !rest.is_empty() {
            let part = offline.some(&bob, &rest, bytes).await.unwrap();
            assert_eq!(part.rest, rest[part.messages.len()..]);
            counts.push(part.messages.len());
            times.extend(part.messages.iter().map(|(_, message)| message.at));
            rest = part.rest;
        }
        assert_eq!(counts, parts, "{bytes} bytes");
        assert_eq!(times, [10, 20, 30, 40, 50]);
    }
    assert_eq!(offline.ids(&bob).await.unwrap(), all, "they stay");
}

#[tokio::test]
async fn messages_that_are_gone_take_no_room_and_a_failure_is_told() {
    let world = World::start().await;
    let (offline, bob) = (world.stores.offline(), jid("bob"));
    let gone = OfflineId { at: 5, expires: 0 };
    for at in [10, 20] {
        offline.store(&bob, &message(at)).await.unwrap();
    }
    let mut ids = offline.ids(&bob).await.unwrap();
    ids.insert(0, gone);
    let (part, requests) = world.requests(offline.some(&bob, &ids, 1500)).await;
    let part = part.unwrap();
    assert_eq!(part.messages, [(ids[1], message(10))]);
    assert_eq!(part.rest, [ids[2]]);
    assert_eq!(requests, ["GetObject"; 3]);
    // Those that are wanted may all be gone, which is the end.
    let part = offline.some(&bob, &[gone], 0).await.unwrap();
    assert!(part.messages.is_empty() && part.rest.is_empty());
    world.outage();
    let error = offline.some(&bob, &ids, 1500).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Unavailable);
    assert_eq!(error.about(), "offline messages of bob@example.com");
}

#[tokio::test]
async fn items_come_a_part_at_a_time_in_the_order_that_is_asked_for() {
    let world = World::cached().await;
    let pubsub = world.stores.pubsub();
    let content = NodeContent {
        plugin: "flat".to_owned(),
        owners: vec![jid("ann")],
        parents: Vec::new(),
        options: Bytes::new(),
    };
    let service = cloud_stores::BareJid::parse("pubsub.example.com").unwrap();
    let index = pubsub.create_node(&service, "n", content).await.unwrap();
    let item = |at: u64| Item {
        id: format!("i{at}"),
        created: at,
        creator: jid("ann").to_string(),
        modified: at,
        modifier: jid("ann").to_string(),
        payload: Bytes::from("x".repeat(1000)),
    };
    for at in 1..=4 {
        let put = Commit::new(&index).put_item(item(at), None);
        pubsub.commit(put).await.unwrap();
    }
    let listing = pubsub.items(&index).await.unwrap();
    let keys: Vec<String> = [4, 2, 1, 3]
        .map(|at| listing.find(&format!("i{at}")).unwrap().keys.clone())
        .to_vec();
    let part = pubsub.some_items(&index, keys.clone(), 3500).await.unwrap();
    assert_eq!(part.items, [item(4), item(2), item(1)]);
    assert_eq!(part.rest, keys[3..]);
    let part = pubsub.some_items(&index, part.rest, 3500).await.unwrap();
    assert_eq!((part.items, part.rest), (vec![item(3)], Vec::new()));
    // They are in the cache by now.
    let (all, requests) = world
        .requests(pubsub.some_items(&index, keys, usize::MAX))
        .await;
    assert_eq!(all.unwrap().items.len(), 4);
    assert_eq!(requests, [""; 0]);
    let error = pubsub.some_items(&index, vec!["../x".to_owned()], 1);
    assert_eq!(error.await.unwrap_err().kind(), Kind::Invalid);
}
