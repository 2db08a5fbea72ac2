//! Whoever has stolen a key to the bucket, and none that signs: nodes that trust a key run nothing of theirs.

use std::time::{Duration, SystemTime};

use s3_sync::Kind;
use s3_sync::release::PublishEnd;

use crate::world::{World, key, once, tree};

/// Puts a move that nobody has signed.
async fn steal(world: &World, history: &str, seq: u64, release: u64) -> String {
    let digest = "ab".repeat(32);
    let text = format!(
        "{{\"seq\":{seq},\"release\":{release},\"manifest\":\"{digest}\",\"cause\":\"publish\",\"by\":\"thief\"}}"
    );
    let key = format!("app/{history}/{seq:012}.json");
    world.bucket.put(key, text.clone()).await.unwrap();
    text
}

#[tokio::test]
async fn a_move_of_somebody_else_is_not_signed_by_an_honest_publisher() {
    let world = World::new().await;
    let node = || world.node("n").trust_key(key(1).public());
    let files = tree(&[("a", "1")]);
    let source = world.source(&files);
    let publish = || world.app.publish(source.path()).sign_key(key(1));
    publish().send().await.unwrap();
    once(node()).await.unwrap();
    let stolen = steal(&world, "history", 2, 9).await;
    // It is overtaken, and copies what is there as it is.
    let overtaken = publish().even_unchanged(true).send().await.unwrap();
    assert_eq!(overtaken.end, PublishEnd::Overtaken);
    assert_eq!(world.text("current").await, stolen);
    let told = once(node()).await.unwrap_err();
    assert_eq!(told.kind(), Kind::Content, "{told}");
    assert_eq!(world.used("n"), files);
    // A release for later does not say that the thief's holds until then.
    let stolen = steal(&world, "history", 2, 1).await;
    world.bucket.put("app/current", stolen).await.unwrap();
    let at = SystemTime::now() + Duration::from_secs(3600);
    publish().at(at).send().await.unwrap();
    let own = world.text("history/000000000003.json").await;
    assert!(
        own.contains("signature") && !own.contains("before"),
        "{own}"
    );
    assert_eq!(world.text("current").await, own);
}

#[tokio::test]
async fn what_another_channel_names_is_promoted_only_if_it_is_signed() {
    let world = World::new().await;
    let source = world.source(&tree(&[("a", "1")]));
    world
        .app
        .publish(source.path())
        .sign_key(key(1))
        .send()
        .await
        .unwrap();
    steal(&world, "history@canary", 1, 1).await;
    let promote = || world.app.promote("canary".parse().unwrap());
    let told = promote().sign_key(key(1)).send().await.unwrap_err();
    assert!(told.to_string().contains("not signed"), "{told}");
    assert_eq!(world.keys("history/").await.len(), 1);
}

#[tokio::test]
async fn a_node_that_begins_to_trust_a_key_forgets_moves_that_are_not_signed() {
    let world = World::new().await;
    for i in 1..=3 {
        world.publish(&tree(&[("a", &i.to_string())])).await;
    }
    once(world.node("n")).await.unwrap();
    // The pointer is begun anew, with signatures and so with smaller numbers.
    for key in world.keys("history/").await {
        world.bucket.delete(key).await.unwrap();
    }
    world.bucket.delete("app/current").await.unwrap();
    let files = tree(&[("a", "4")]);
    let source = world.source(&files);
    let publish = world.app.publish(source.path()).sign_key(key(1));
    assert_eq!(publish.send().await.unwrap().seq, 1);
    once(world.node("n").trust_key(key(1).public()))
        .await
        .unwrap();
    assert_eq!(world.used("n"), files);
}
