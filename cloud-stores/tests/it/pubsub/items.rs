//! Items: published, listed, paged, removed.

use bytes::Bytes;
use cloud_stores::Kind;
use cloud_stores::pubsub::{Commit, Item, NodeIndex, Page, PageStart, PubSub, creator_hash};

use super::{item, node};
use crate::kit::{World, jid};

async fn publish(pubsub: &PubSub, index: &NodeIndex, item: Item) {
    let keys = pubsub.items(index).await.unwrap();
    let keys = keys.find(&item.id).map(|found| found.keys.clone());
    pubsub
        .commit(Commit::new(index).put_item(item, keys.as_deref()))
        .await
        .unwrap();
}

async fn ids(pubsub: &PubSub, index: &NodeIndex) -> Vec<String> {
    let listing = pubsub.items(index).await.unwrap();
    listing.items().iter().map(|item| item.id.clone()).collect()
}

async fn last(pubsub: &PubSub, index: &NodeIndex) -> Option<String> {
    let last = pubsub.last_items(index, 1).await.unwrap();
    last.into_iter()
        .next()
        .map(|item| format!("{} {}", item.id, item.modified))
}

#[tokio::test]
async fn items_of_any_name_come_back_in_their_order() {
    let world = World::start().await;
    let pubsub = world.stores.pubsub();
    let index = node(&pubsub).await;
    let long = "i/!\u{e9}".repeat(600);
    let other = format!("{long}x");
    let names = ["current", "a!b", "..", "/", &long, "\u{e9}", &other];
    for (place, id) in names.iter().enumerate().rev() {
        publish(&pubsub, &index, item(id, 1000 + place as u64, &jid("ann"))).await;
    }
    assert_eq!(ids(&pubsub, &index).await, names);
    let listing = pubsub.items(&index).await.unwrap();
    for (place, id) in names.iter().enumerate() {
        let found = listing.find(id).unwrap();
        assert_eq!(found.creator, creator_hash("ann@example.com/phone"));
        let read = pubsub.item(&index, &found.keys).await.unwrap();
        assert_eq!(read, Some(item(id, 1000 + place as u64, &jid("ann"))));
    }
    let all = pubsub.page(&index, Page::ALL).await.unwrap();
    assert_eq!((all.items.len(), all.first, all.count), (7, 0, 7));
    assert_eq!(all.items[4], item(&long, 1004, &jid("ann")));
    assert_eq!(
        pubsub.item(&index, "x").await.unwrap_err().kind(),
        Kind::Invalid
    );
    assert_eq!(
        pubsub.item(&index, "../x").await.unwrap_err().kind(),
        Kind::Invalid
    );
}

#[tokio::test]
async fn a_page_reads_what_is_on_it_and_no_more() {
    let world = World::start().await;
    let pubsub = world.stores.pubsub();
    let index = node(&pubsub).await;
    for at in 0..9 {
        publish(&pubsub, &index, item(&format!("i{at}"), at, &jid("ann"))).await;
    }
    for (start, max, expected, first) in [
        (PageStart::First, 3, &["i0", "i1", "i2"][..], 0),
        (PageStart::After(2), 2, &["i3", "i4"], 3),
        (PageStart::Before(2), 5, &["i0", "i1"], 0),
        (PageStart::Last, 2, &["i7", "i8"], 7),
        (PageStart::Index(8), 5, &["i8"], 8),
        (PageStart::Index(20), 5, &[], 9),
        (PageStart::First, 0, &[], 0),
    ] {
        let (page, requests) = world
            .requests(pubsub.page(&index, Page { start, max }))
            .await;
        let page = page.unwrap();
        let found: Vec<&str> = page.items.iter().map(|item| &*item.id).collect();
        assert_eq!((&*found, page.first, page.count), (expected, first, 9));
        assert_eq!(requests.len(), 1 + expected.len(), "{requests:?}");
    }
}

#[tokio::test]
async fn the_last_items_are_those_published_last() {
    let world = World::start().await;
    let pubsub = world.stores.pubsub();
    let index = node(&pubsub).await;
    assert_eq!(last(&pubsub, &index).await, None);
    assert!(pubsub.last_items(&index, 5).await.unwrap().is_empty());
    for at in 1..5 {
        publish(&pubsub, &index, item(&format!("i{at}"), at, &jid("ann"))).await;
        assert_eq!(last(&pubsub, &index).await.unwrap(), format!("i{at} {at}"));
    }
    // One that is published again keeps its place in the list, and is the last.
    let again = Item {
        modified: 9,
        ..item("i2", 2, &jid("ann"))
    };
    publish(&pubsub, &index, again.clone()).await;
    assert_eq!(ids(&pubsub, &index).await, ["i1", "i2", "i3", "i4"]);
    assert_eq!(last(&pubsub, &index).await.unwrap(), "i2 9");
    let of = async |count| {
        let items = pubsub.last_items(&index, count).await.unwrap();
        items.into_iter().map(|item| item.id).collect::<Vec<_>>()
    };
    assert_eq!(of(2).await, ["i2", "i4"]);
    assert_eq!(of(9).await, ["i2", "i4", "i3", "i1"]);
    assert!(of(0).await.is_empty());
}

#[tokio::test]
async fn what_is_removed_is_not_the_last_item_any_more() {
    let world = World::start().await;
    let pubsub = world.stores.pubsub();
    let index = node(&pubsub).await;
    for at in 1..5 {
        publish(&pubsub, &index, item(&format!("i{at}"), at, &jid("ann"))).await;
    }
    let remove = async |ids: &[&str]| {
        let listing = pubsub.items(&index).await.unwrap();
        let keys = ids.iter().map(|id| listing.find(id).unwrap().keys.clone());
        let commit = keys.fold(Commit::new(&index), Commit::remove_item);
        pubsub.commit(commit).await.unwrap();
    };
    remove(&["i1"]).await;
    assert_eq!(last(&pubsub, &index).await.unwrap(), "i4 4");
    remove(&["i4", "i3"]).await;
    assert_eq!(last(&pubsub, &index).await.unwrap(), "i2 2");
    assert_eq!(ids(&pubsub, &index).await, ["i2"]);
    remove(&["i2"]).await;
    assert_eq!(last(&pubsub, &index).await, None);
    pubsub.delete_node(&index).await.unwrap();
    assert!(world.left().await.is_empty());
}

#[tokio::test]
async fn the_last_item_stays_when_others_are_removed_and_is_the_newest_of_a_commit() {
    let world = World::start().await;
    let pubsub = world.stores.pubsub();
    let index = node(&pubsub).await;
    let at = |at| item(&format!("i{at}"), at, &jid("ann"));
    for order in [[1, 2, 3], [6, 5, 4]] {
        let commit = order.into_iter().map(at);
        let commit = commit.fold(Commit::new(&index), |all, item| all.put_item(item, None));
        pubsub.commit(commit).await.unwrap();
        let newest = order.into_iter().max().unwrap();
        let newest = format!("i{newest} {newest}");
        assert_eq!(last(&pubsub, &index).await.unwrap(), newest);
    }
    let again = Item {
        modified: 9,
        ..at(1)
    };
    publish(&pubsub, &index, again).await;
    let listing = pubsub.items(&index).await.unwrap();
    let keys = listing.find("i6").unwrap().keys.clone();
    let removal = Commit::new(&index).remove_item(keys);
    let (removed, requests) = world.requests(pubsub.commit(removal)).await;
    removed.unwrap();
    assert_eq!(requests, ["GetObject", "DeleteObjects"]);
    assert_eq!(last(&pubsub, &index).await.unwrap(), "i1 9");
}

#[tokio::test]
async fn of_two_that_publish_a_new_name_at_once_the_newer_stays_and_both_go() {
    let world = World::start().await;
    let pubsub = world.stores.pubsub();
    let index = node(&pubsub).await;
    // Neither has seen the other one.
    for (at, by) in [(5, "ann"), (3, "bob")] {
        pubsub
            .commit(Commit::new(&index).put_item(item("x", at, &jid(by)), None))
            .await
            .unwrap();
    }
    let listing = pubsub.items(&index).await.unwrap();
    assert_eq!(listing.items().len(), 1);
    let keys = listing.items()[0].keys.clone();
    assert_eq!(
        pubsub.item(&index, &keys).await.unwrap(),
        Some(item("x", 5, &jid("ann")))
    );
    assert_eq!(pubsub.page(&index, Page::ALL).await.unwrap().items.len(), 1);
    // Somebody else takes it over: what was there goes.
    let taken = Item {
        modified: 8,
        ..item("x", 5, &jid("dan"))
    };
    pubsub
        .commit(Commit::new(&index).put_item(taken.clone(), Some(&keys)))
        .await
        .unwrap();
    let listing = pubsub.items(&index).await.unwrap();
    assert!(!listing.items()[0].keys.contains('/'));
    assert_eq!(pubsub.page(&index, Page::ALL).await.unwrap().items, [taken]);
    let keys = listing.items()[0].keys.clone();
    pubsub
        .commit(Commit::new(&index).remove_item(keys))
        .await
        .unwrap();
    assert!(ids(&pubsub, &index).await.is_empty());
    assert_eq!(last(&pubsub, &index).await, None);
}

#[tokio::test]
async fn lost_answers_do_not_matter_and_refusals_are_said() {
    let world = World::start().await;
    let pubsub = world.stores.pubsub();
    let index = node(&pubsub).await;
    publish(&pubsub, &index, item("old", 1, &jid("ann"))).await;
    let old = pubsub.items(&index).await.unwrap().items()[0].keys.clone();
    let lost = world.lose("PutObject");
    let more = world.lose("DeleteObjects");
    let commit = Commit::new(&index)
        .put_item(item("new", 2, &jid("ann")), None)
        .remove_item(old);
    pubsub.commit(commit.clone()).await.unwrap();
    assert_eq!((lost.count(), more.count()), (1, 1));
    assert_eq!(ids(&pubsub, &index).await, ["new"]);
    assert_eq!(last(&pubsub, &index).await.unwrap(), "new 2");

    // Where the item cannot be stored, nothing is removed.
    let denied = emulator::Fault::error(403, "AccessDenied");
    world
        .faults()
        .add(emulator::Rule::new(denied).operation("PutObject"));
    let keys = pubsub.items(&index).await.unwrap().items()[0].keys.clone();
    let commit = Commit::new(&index)
        .put_item(item("newer", 3, &jid("ann")), None)
        .remove_item(keys);
    assert_eq!(
        pubsub.commit(commit).await.unwrap_err().kind(),
        Kind::Unavailable
    );
    assert_eq!(ids(&pubsub, &index).await, ["new"]);
    world.outage();
    for error in [
        pubsub.items(&index).await.unwrap_err(),
        pubsub.page(&index, Page::ALL).await.unwrap_err(),
        pubsub.last_items(&index, 1).await.unwrap_err(),
        pubsub.last_items(&index, 2).await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), Kind::Unavailable);
    }
}

#[tokio::test]
async fn a_large_item_is_refused_before_it_is_sent() {
    let world = World::start().await;
    let pubsub = world.stores.pubsub();
    let index = node(&pubsub).await;
    let large = |bytes| Item {
        payload: Bytes::from(vec![b'x'; bytes]),
        ..item("x", 1, &jid("ann"))
    };
    let (error, requests) = world
        .requests(pubsub.commit(Commit::new(&index).put_item(large((4 << 20) + 1), None)))
        .await;
    let error = error.unwrap_err();
    assert_eq!(error.kind(), Kind::TooLarge);
    assert!(
        error
            .message()
            .contains("4194305 bytes, over the limit of 4194304"),
        "{error}"
    );
    assert!(requests.is_empty());
    pubsub
        .commit(Commit::new(&index).put_item(large(4 << 20), None))
        .await
        .unwrap();
    assert_eq!(
        pubsub.last_items(&index, 1).await.unwrap()[0],
        large(4 << 20)
    );
}
