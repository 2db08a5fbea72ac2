//! What clients can do.

use cloud_stores::Kind;

use crate::kit::World;

fn features(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[tokio::test]
async fn a_hash_is_told_once_for_all_and_kept() {
    let world = World::start().await;
    let caps = world.stores.caps();
    let other = world.another(|builder| builder).await.caps();
    let known = features(&["urn:xmpp:ping", "", "http://jabber.org/protocol/muc\n"]);
    assert_eq!(caps.get("http://c.im", "h/1=").await.unwrap(), None);
    let (_, requests) = world
        .requests(caps.set("http://c.im", "h/1=", &known))
        .await;
    assert_eq!(requests, ["PutObject"]);
    let (found, requests) = world
        .requests(caps.clone().get("http://c.im", "h/1="))
        .await;
    assert_eq!(found.unwrap().as_deref(), Some(&*known));
    assert!(requests.is_empty());
    // Another node asks once.
    let (found, requests) = world.requests(other.get("http://c.im", "h/1=")).await;
    assert_eq!(found.unwrap().as_deref(), Some(&*known));
    assert_eq!(requests, ["GetObject"]);
    let (_, requests) = world.requests(other.get("http://c.im", "h/1=")).await;
    assert!(requests.is_empty());
    // What nobody has told of is asked for until somebody does.
    assert_eq!(other.get("http://c.im", "h/2=").await.unwrap(), None);
    caps.set("http://c.im", "h/2=", &[]).await.unwrap();
    assert_eq!(
        other.get("http://c.im", "h/2=").await.unwrap().as_deref(),
        Some(&[][..])
    );
    // The key is the hash of both, as `printf 'http://c.im#h/1=' | sha256sum` tells.
    let key = "it/caps/45d722a614011d7fd773447fa3750e5a01be1ff5cb83a9eae82873f4d2d97c89".to_owned();
    let left = world.left().await;
    assert!(left.len() == 2 && left.contains(&key), "{left:?}");
}

#[tokio::test]
async fn limits_are_named_and_lost_answers_do_not_matter() {
    let world = World::start().await;
    let caps = world.stores.caps();
    let long = "v".repeat(3072);
    let (error, requests) = world.requests(caps.set("", &long, &[])).await;
    assert_eq!(
        error.unwrap_err().message(),
        "the hash has 3072 bytes, over the limit of 3071"
    );
    assert!(requests.is_empty());
    let many = vec!["f".repeat(1024); 257];
    let error = caps.set("n", "v", &many).await.unwrap_err();
    assert_eq!(error.kind(), Kind::TooLarge);
    assert!(
        error
            .message()
            .contains("263168 bytes, over the limit of 262144"),
        "{error}"
    );
    let lost = world.lose("PutObject");
    caps.set("n", "v", &many[1..]).await.unwrap();
    assert_eq!(lost.count(), 1);
    let fresh = world.stores.caps();
    world.outage();
    assert_eq!(
        fresh.get("n", "v").await.unwrap_err().kind(),
        Kind::Unavailable
    );
    assert_eq!(
        fresh.set("n", "v", &[]).await.unwrap_err().kind(),
        Kind::Unavailable
    );
    assert!(caps.get("n", "v").await.unwrap().is_some());
}
