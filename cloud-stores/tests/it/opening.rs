//! Opening the stores: the layout is fixed once, and obeyed.

use cloud_stores::{Kind, Stores};
use emulator::Emulator;
use futures_util::future::join_all;
use s3_client::{Credentials, S3Client};
use sdb_client::SdbClient;

use crate::kit::{World, jid};

#[tokio::test]
async fn the_first_node_fixes_the_layout_and_others_obey() {
    let world = World::with(None, |builder| builder.shards(7)).await;
    let layout = world.stores.layout();
    assert_eq!((layout.shards(), layout.prefix()), (7, "it"));
    let shown = format!("{:?}", world.stores);
    for said in ["\"chat\"", "shards: 7", "Consistent"] {
        assert!(shown.contains(said), "{said} is not in {shown}");
    }
    assert!(!shown.contains(world.emulator.secret_key()), "{shown}");
    let (bucket, sdb) = world.clients();
    let object = bucket
        .get("it/v1/layout.json")
        .await
        .unwrap()
        .body
        .bytes(1000)
        .await
        .unwrap();
    assert_eq!(object, "{\"version\": 1, \"shards\": 7}\n");
    let mut domains = Vec::new();
    let mut names = sdb.list_domains().names();
    while let Some(name) = names.try_next().await.unwrap() {
        domains.push(name);
    }
    let mut wanted = layout.domains();
    wanted.sort();
    domains.sort();
    assert_eq!((domains.len(), domains), (37, wanted));

    // Who does not say a number obeys, and so does who says the same.
    assert_eq!(world.another(|builder| builder).await.layout().shards(), 7);
    let (again, requests) = world
        .requests(world.another(|builder| builder.shards(7)))
        .await;
    assert_eq!(again.layout(), layout);
    assert_eq!(requests, ["GetObject", "ListDomains"]);
    let error = world.builder().shards(4).open().await.unwrap_err();
    assert_eq!(
        (error.kind(), error.about()),
        (Kind::Invalid, "layout of it")
    );
    assert!(
        error.message().contains("7 shards, and 4 were asked for"),
        "{error}"
    );
    // Another prefix is another service.
    let other = world
        .builder()
        .prefix("other")
        .shards(4)
        .open()
        .await
        .unwrap();
    assert_eq!(other.layout().shards(), 4);
}

#[tokio::test]
async fn of_many_first_nodes_one_fixes_the_layout() {
    let emulator = Emulator::start_blocking().unwrap();
    let keys = Credentials::new(emulator.access_key(), emulator.secret_key());
    let s3 = S3Client::builder()
        .endpoint(emulator.url())
        .credentials(keys.clone());
    let bucket = s3.build().unwrap().bucket("chat");
    bucket.create().await.unwrap();
    let sdb = SdbClient::builder()
        .endpoint(emulator.url())
        .credentials(keys)
        .build()
        .unwrap();
    let open = |shards: u32| {
        Stores::builder(bucket.clone(), sdb.clone())
            .shards(shards)
            .open()
    };
    let opened = join_all((1..=8).map(open)).await;
    let opened: Vec<_> = opened.into_iter().filter_map(Result::ok).collect();
    assert_eq!(opened.len(), 1);
    let obey = |_| Stores::builder(bucket.clone(), sdb.clone()).open();
    for late in join_all((0..4).map(obey)).await {
        assert_eq!(late.unwrap().layout(), opened[0].layout());
    }
    // Those that say no number are all content, whoever is first.
    let first = |_| {
        Stores::builder(bucket.clone(), sdb.clone())
            .prefix("b")
            .open()
    };
    for opened in join_all((0..8).map(first)).await {
        assert_eq!(opened.unwrap().layout().shards(), 4);
    }
}

#[tokio::test]
async fn a_lost_answer_to_the_layout_is_settled() {
    let world = World::start().await;
    let lost = world.lose("PutObject");
    let stores = world
        .builder()
        .prefix("fresh")
        .shards(3)
        .open()
        .await
        .unwrap();
    assert_eq!((lost.count(), stores.layout().shards()), (1, 3));
}

#[tokio::test]
async fn another_layout_object_is_an_error() {
    let world = World::start().await;
    let (bucket, _) = world.clients();
    bucket
        .put("it/v1/layout.json", "{\"version\": 2, \"shards\": 4}")
        .await
        .unwrap();
    let error = world.builder().open().await.unwrap_err();
    assert_eq!(error.kind(), Kind::Invalid);
    assert!(error.message().contains("\"version\": 1"), "{error}");
}

#[tokio::test]
async fn settings_and_a_missing_bucket_are_errors() {
    let world = World::start().await;
    let kind =
        async |builder: cloud_stores::StoresBuilder| builder.open().await.unwrap_err().kind();
    assert_eq!(kind(world.builder().prefix("a/b")).await, Kind::Invalid);
    assert_eq!(kind(world.builder().shards(0)).await, Kind::Invalid);
    assert_eq!(
        kind(world.builder().deadline(std::time::Duration::ZERO)).await,
        Kind::Invalid
    );
    world.outage();
    assert_eq!(kind(world.builder()).await, Kind::Unavailable);
    world.calm();
    let shown = format!("{:?}", world.stores);
    assert!(
        shown.contains("chat") && !shown.contains(world.emulator.secret_key()),
        "{shown}"
    );
    // Nobody is there yet.
    assert_eq!(world.stores.auth().get(&jid("ann")).await.unwrap(), None);
    assert!(world.left().await.is_empty());
}
