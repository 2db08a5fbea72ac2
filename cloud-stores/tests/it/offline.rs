//! Messages for people who are away: in order, and never lost.

use bytes::Bytes;
use cloud_stores::offline::{OfflineId, OfflineMessage};
use cloud_stores::{BareJid, Kind};
use emulator::{Fault, Gate, Rule};
use futures_util::future::join_all;

use crate::kit::{World, jid};

fn message(at: u64, expires: Option<u64>, text: &str) -> OfflineMessage {
    OfflineMessage {
        at,
        expires,
        from: "eve@example.org/phone".into(),
        to: "bob@example.com".into(),
        stanza: Bytes::from(format!("<message>{text}</message>")),
    }
}

async fn texts(world: &World, jid: &BareJid) -> Vec<String> {
    let waiting = world.stores.offline().waiting(jid).await.unwrap();
    let text = |message: &OfflineMessage| String::from_utf8(message.stanza.to_vec()).unwrap();
    waiting
        .iter()
        .map(|(_, message)| {
            text(message)
                .replace("<message>", "")
                .replace("</message>", "")
        })
        .collect()
}

#[tokio::test]
async fn messages_come_in_the_order_of_their_times_and_to_nobody_else() {
    let world = World::start().await;
    let offline = world.stores.offline();
    let (bob, bobby) = (jid("bob"), jid("bobby"));
    let long = BareJid::new("b".repeat(1023), "example.com").unwrap();
    for (at, text) in [
        (30, "c"),
        (10, "a"),
        (999_999_999_999_999_999, "d"),
        (20, "b"),
    ] {
        offline.store(&bob, &message(at, None, text)).await.unwrap();
    }
    offline
        .store(&bobby, &message(15, None, "other"))
        .await
        .unwrap();
    offline
        .store(&long, &message(15, None, "long"))
        .await
        .unwrap();
    assert_eq!(texts(&world, &bob).await, ["a", "b", "c", "d"]);
    assert_eq!(texts(&world, &bobby).await, ["other"]);
    assert_eq!(texts(&world, &long).await, ["long"]);
    assert_eq!(offline.count(&bob).await.unwrap(), 4);
    let waiting = offline.waiting(&bob).await.unwrap();
    assert_eq!(waiting[1].1, message(20, None, "b"));
    let ids: Vec<OfflineId> = waiting.into_iter().map(|(id, _)| id).collect();
    assert_eq!(offline.ids(&bob).await.unwrap(), ids);
    assert_eq!(
        offline.get(&bob, ids[2]).await.unwrap(),
        Some(message(30, None, "c"))
    );
    assert_eq!(offline.get(&bobby, ids[2]).await.unwrap(), None);

    // They stay until they are deleted, and what came meanwhile stays then.
    offline
        .store(&bob, &message(25, None, "new"))
        .await
        .unwrap();
    offline.delete(&bob, &ids).await.unwrap();
    offline.delete(&bob, &ids).await.unwrap();
    assert_eq!(texts(&world, &bob).await, ["new"]);
    assert_eq!(texts(&world, &bobby).await, ["other"]);
    for person in [&bob, &bobby, &long] {
        offline.remove(person).await.unwrap();
    }
    assert!(world.left().await.is_empty());
}

#[tokio::test]
async fn messages_of_one_microsecond_all_stay() {
    let world = World::start().await;
    let other = world.another(|builder| builder).await;
    let bob = jid("bob");
    let store = async |n: u64| {
        let node = if n < 10 { &world.stores } else { &other };
        // Some expire, at two different times.
        let expires = [None, Some(500), Some(600)][usize::try_from(n % 3).unwrap()];
        node.offline()
            .store(&bob, &message(100, expires, &n.to_string()))
            .await
            .unwrap()
    };
    let mut ids = join_all((0..20).map(store)).await;
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 20);
    assert_eq!(world.stores.offline().ids(&bob).await.unwrap(), ids);
    let mut all: Vec<u64> = texts(&world, &bob)
        .await
        .iter()
        .map(|text| text.parse().unwrap())
        .collect();
    all.sort_unstable();
    assert_eq!(all, (0..20).collect::<Vec<_>>());
    // One of two that came at the same time can be deleted by itself.
    world
        .stores
        .offline()
        .delete(&bob, &ids[..1])
        .await
        .unwrap();
    assert_eq!(world.stores.offline().ids(&bob).await.unwrap(), ids[1..]);
}

#[tokio::test]
async fn a_message_whose_answer_was_lost_is_kept_once() {
    let world = World::start().await;
    let offline = world.stores.offline();
    let bob = jid("bob");
    for (at, after) in [(1, true), (2, false), (3, true)] {
        let lost = if after {
            world.lose("PutObject")
        } else {
            world.swallow("PutObject")
        };
        let id = offline
            .store(&bob, &message(at, None, &at.to_string()))
            .await
            .unwrap();
        assert_eq!((lost.count(), id.at), (1, at));
    }
    // The time is taken, and the answer to the second try is lost.
    world
        .faults()
        .add(Rule::script([Fault::none(), Fault::reset_after()]).operation("PutObject"));
    let id = offline.store(&bob, &message(2, None, "4")).await.unwrap();
    assert_eq!(id.at, 4);
    assert_eq!(texts(&world, &bob).await, ["1", "2", "3", "4"]);
    // It is kept, and that cannot be seen: the sender is told that it may not be.
    world.lose("PutObject");
    world
        .faults()
        .add(Rule::new(Fault::error(403, "AccessDenied")).operation("GetObject"));
    let error = offline
        .store(&bob, &message(9, None, "5"))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), Kind::Unavailable);
}

#[tokio::test]
async fn no_message_is_lost_whatever_fails_at_a_login() {
    let world = World::start().await;
    let offline = world.stores.offline();
    let bob = jid("bob");
    for at in 0..20 {
        offline
            .store(&bob, &message(at, None, &at.to_string()))
            .await
            .unwrap();
    }
    // The login fails half way: nothing was delivered, and all is there.
    let refused = Rule::new(Fault::error(403, "AccessDenied"))
        .operation("GetObject")
        .skip(7);
    world.faults().add(refused);
    assert_eq!(
        offline.waiting(&bob).await.unwrap_err().kind(),
        Kind::Unavailable
    );
    world.calm();
    assert_eq!(offline.count(&bob).await.unwrap(), 20);
    // Delivered, and the removal fails: they come again.
    let waiting = offline.waiting(&bob).await.unwrap();
    let ids: Vec<OfflineId> = waiting.into_iter().map(|(id, _)| id).collect();
    world.outage();
    assert_eq!(
        offline.delete(&bob, &ids).await.unwrap_err().kind(),
        Kind::Unavailable
    );
    world.calm();
    assert_eq!(offline.waiting(&bob).await.unwrap().len(), 20);
    // The removal is done, and its answer is lost: it is repeated, and nothing else goes.
    offline
        .store(&bob, &message(5, Some(9), "new"))
        .await
        .unwrap();
    let lost = world.lose("DeleteObjects");
    offline.delete(&bob, &ids).await.unwrap();
    assert_eq!(
        (lost.count(), texts(&world, &bob).await),
        (1, vec!["new".to_owned()])
    );
}

#[tokio::test]
async fn a_message_that_somebody_else_has_deleted_is_left_out() {
    let world = World::start().await;
    let offline = world.stores.offline();
    let bob = jid("bob");
    let first = offline.store(&bob, &message(1, None, "1")).await.unwrap();
    offline.store(&bob, &message(2, None, "2")).await.unwrap();
    let gate = Gate::new();
    world
        .faults()
        .add(Rule::new(Fault::hold(&gate)).operation("GetObject"));
    let deleting = async {
        gate.arrived(1).await;
        offline.delete(&bob, &[first]).await.unwrap();
        gate.open();
    };
    let (waiting, ()) = tokio::join!(offline.waiting(&bob), deleting);
    let waiting: Vec<u64> = waiting.unwrap().into_iter().map(|(id, _)| id.at).collect();
    assert!(waiting.ends_with(&[2]) && waiting.len() <= 2, "{waiting:?}");
}

#[tokio::test]
async fn each_action_asks_for_as_much_as_it_says() {
    let world = World::start().await;
    let offline = world.stores.offline();
    let bob = jid("bob");
    let mut ids = Vec::new();
    for at in 0..3 {
        let (id, requests) = world
            .requests(offline.store(&bob, &message(at, Some(9), "x")))
            .await;
        assert_eq!(requests, ["PutObject"]);
        ids.push(id.unwrap());
    }
    let (_, requests) = world.requests(offline.waiting(&bob)).await;
    assert_eq!(
        requests,
        ["ListObjectsV2", "GetObject", "GetObject", "GetObject"]
    );
    let (_, requests) = world.requests(offline.count(&bob)).await;
    assert_eq!(requests, ["ListObjectsV2"]);
    let (_, requests) = world.requests(offline.ids(&bob)).await;
    assert_eq!(requests, ["ListObjectsV2"]);
    let (_, requests) = world.requests(offline.get(&bob, ids[0])).await;
    assert_eq!(requests, ["GetObject"]);
    let (_, requests) = world.requests(offline.delete(&bob, &ids[..2])).await;
    assert_eq!(requests, ["DeleteObjects"]);
    let (_, requests) = world.requests(offline.delete(&bob, &[])).await;
    assert!(requests.is_empty());
    let (swept, requests) = world
        .requests(offline.remove_expired("example.com", 10))
        .await;
    assert_eq!(
        (swept.unwrap(), requests),
        (1, vec!["ListObjectsV2".into(), "DeleteObjects".into()])
    );
    let (_, requests) = world.requests(offline.remove(&bob)).await;
    assert_eq!(requests, ["ListObjectsV2"]);
}

#[tokio::test]
async fn what_has_expired_or_is_old_goes_without_being_read() {
    let world = World::start().await;
    let offline = world.stores.offline();
    for (local, at, expires) in [
        ("ann", 10, None),
        ("ann", 20, Some(50)),
        ("bob", 30, Some(60)),
        ("bob", 40, Some(u64::MAX)),
    ] {
        offline
            .store(&jid(local), &message(at, expires, "x"))
            .await
            .unwrap();
    }
    let elsewhere = BareJid::new("ann", "example.com.au").unwrap();
    offline
        .store(&elsewhere, &message(10, Some(11), "x"))
        .await
        .unwrap();
    assert_eq!(offline.remove_expired("example.com", 50).await.unwrap(), 0);
    assert_eq!(offline.remove_expired("example.com", 51).await.unwrap(), 1);
    assert_eq!(offline.count(&jid("ann")).await.unwrap(), 1);
    assert_eq!(offline.remove_older("example.com", 10).await.unwrap(), 0);
    assert_eq!(offline.remove_older("example.com", 40).await.unwrap(), 2);
    assert_eq!(offline.count(&jid("bob")).await.unwrap(), 1);
    assert_eq!(offline.count(&elsewhere).await.unwrap(), 1);
}

/// So many of each operation, and no others.
fn requests_are(requests: &[String], wanted: &[(&str, usize)]) {
    for (operation, count) in wanted {
        let asked = requests.iter().filter(|one| one == operation).count();
        assert_eq!(asked, *count, "{operation} of {requests:?}");
    }
    assert_eq!(
        requests.len(),
        wanted.iter().map(|(_, count)| count).sum::<usize>()
    );
}

#[tokio::test]
async fn many_messages_take_several_pages_and_batches() {
    let world = World::start().await;
    let offline = world.stores.offline();
    let bob = jid("bob");
    let (bucket, _) = world.clients();
    let id = offline
        .store(&bob, &message(1, Some(2), "x"))
        .await
        .unwrap();
    let stored = bucket.list().prefix("it/offline/").await.unwrap().objects;
    let body = bucket
        .get(&*stored[0].key)
        .await
        .unwrap()
        .body
        .bytes(10_000)
        .await
        .unwrap();
    let key = move |at: u64| {
        stored[0]
            .key
            .replace(&format!("{:020}-", id.at), &format!("{at:020}-"))
    };
    let puts = (2..=1010).map(move |at| (key(at), body.clone()));
    let mut done = bucket.put_many(puts).results();
    while let Some((_, stored)) = done.next().await {
        stored.unwrap();
    }
    assert_eq!(offline.count(&bob).await.unwrap(), 1010);
    let ids = offline.ids(&bob).await.unwrap();
    assert!(ids.is_sorted() && ids.len() == 1010);
    let swept = offline.remove_older("example.com", 1006);
    let (swept, requests) = world.requests(swept).await;
    assert_eq!(swept.unwrap(), 1005);
    requests_are(&requests, &[("ListObjectsV2", 2), ("DeleteObjects", 2)]);
    assert_eq!(offline.ids(&bob).await.unwrap(), ids[1005..]);
    offline.delete(&bob, &ids).await.unwrap();
    assert!(world.left().await.is_empty());
}

#[tokio::test]
async fn limits_and_foreign_objects_are_named() {
    let world = World::start().await;
    let offline = world.stores.offline();
    let bob = jid("bob");
    let large = OfflineMessage {
        stanza: Bytes::from(vec![0; (4 << 20) + 1]),
        ..message(1, None, "")
    };
    let nobody = OfflineMessage {
        from: String::new(),
        ..message(1, None, "")
    };
    let far = OfflineMessage {
        to: "x".repeat(3072),
        ..message(1, None, "")
    };
    for (wrong, kind) in [
        (large, Kind::TooLarge),
        (nobody, Kind::Invalid),
        (far, Kind::TooLarge),
    ] {
        let (error, requests) = world.requests(offline.store(&bob, &wrong)).await;
        assert_eq!((error.unwrap_err().kind(), requests.len()), (kind, 0));
    }
    let (bucket, _) = world.clients();
    bucket
        .put("it/offline/example.com/bob@example.com/note", "x")
        .await
        .unwrap();
    assert_eq!(
        offline.waiting(&bob).await.unwrap_err().kind(),
        Kind::Invalid
    );
    assert_eq!(offline.ids(&bob).await.unwrap_err().kind(), Kind::Invalid);
    assert_eq!(
        offline.remove_older("example.com", u64::MAX).await.unwrap(),
        0
    );
}
