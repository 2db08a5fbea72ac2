//! When people were last there.

use cloud_stores::last::LastActivity;
use cloud_stores::{BareJid, Kind};

use crate::kit::{World, jid};

fn left(at: u64, status: &str) -> LastActivity {
    let status = status.to_owned();
    LastActivity { at, status }
}

#[tokio::test]
async fn times_and_statuses_come_back() {
    let world = World::start().await;
    let last = world.stores.last();
    let long = "\u{e9}".repeat(30_000);
    let people = [
        jid("ann"),
        BareJid::new("a".repeat(1023), "b".repeat(1023)).unwrap(),
    ];
    for person in &people {
        assert_eq!(last.get(person).await.unwrap(), None);
        for said in [
            left(0, ""),
            left(7, &long),
            left(999_999_999_999, "off"),
            left(7, ""),
        ] {
            last.set(person, &said).await.unwrap();
            assert_eq!(last.get(person).await.unwrap(), Some(said));
        }
    }
    for person in &people {
        last.remove(person).await.unwrap();
        last.remove(person).await.unwrap();
        assert_eq!(last.get(person).await.unwrap(), None);
    }
    assert!(world.left().await.is_empty());
}

#[tokio::test]
async fn each_action_is_one_request() {
    let world = World::start().await;
    let last = world.stores.last();
    let (_, requests) = world.requests(last.set(&jid("ann"), &left(7, "x"))).await;
    assert_eq!(requests, ["PutAttributes"]);
    let (_, requests) = world.requests(last.get(&jid("ann"))).await;
    assert_eq!(requests, ["GetAttributes"]);
    let (_, requests) = world.requests(last.remove(&jid("ann"))).await;
    assert_eq!(requests, ["DeleteAttributes"]);
}

#[tokio::test]
async fn lost_answers_do_not_matter() {
    let world = World::start().await;
    let last = world.stores.last();
    let lost = world.lose("PutAttributes");
    last.set(&jid("ann"), &left(7, "x")).await.unwrap();
    let more = world.lose("GetAttributes");
    assert_eq!(last.get(&jid("ann")).await.unwrap(), Some(left(7, "x")));
    assert_eq!((lost.count(), more.count()), (1, 1));
}

#[tokio::test]
async fn limits_are_named_before_anything_is_sent() {
    let world = World::start().await;
    let last = world.stores.last();
    let long = "x".repeat(65_537);
    let (error, requests) = world.requests(last.set(&jid("ann"), &left(7, &long))).await;
    let error = error.unwrap_err();
    assert_eq!(error.kind(), Kind::TooLarge);
    assert_eq!(
        error.to_string(),
        "last activity of ann@example.com: too_large: the status has 65537 bytes, over the limit of 65536"
    );
    assert!(requests.is_empty());
    let error = last
        .set(&jid("ann"), &left(1_000_000_000_000, ""))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), Kind::Invalid);
}

#[tokio::test]
async fn what_something_else_has_written_is_an_error() {
    let world = World::start().await;
    let last = world.stores.last();
    let ann = jid("ann");
    last.set(&ann, &left(7, "x")).await.unwrap();
    let (_, sdb) = world.clients();
    for domain in world
        .stores
        .layout()
        .domains()
        .iter()
        .filter(|name| name.contains("-last."))
    {
        let there = sdb
            .domain(&**domain)
            .get("ann@example.com")
            .consistent(true)
            .await
            .unwrap();
        if !there.item.is_empty() {
            sdb.domain(&**domain)
                .put("ann@example.com")
                .replace("t", "noon")
                .await
                .unwrap();
        }
    }
    assert_eq!(last.get(&ann).await.unwrap_err().kind(), Kind::Invalid);
}
