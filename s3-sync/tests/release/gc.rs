//! Garbage: what goes, what stays, and publishers that are under way meanwhile.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use emulator::{Fault, Gate, Rule};
use s3_sync::Kind;
use s3_sync::release::Gc;

use crate::world::{World, once, tree, until};

/// One that spares nothing but the last release and those in use.
pub(crate) fn gc(world: &World) -> Gc {
    world
        .another()
        .gc()
        .keep(1)
        .older(Duration::ZERO)
        .young(Duration::ZERO)
}

#[tokio::test]
async fn old_releases_go_and_what_others_share_stays() {
    let world = World::new().await;
    for i in 1..=5 {
        world
            .publish(&tree(&[("same", "s"), ("own", &i.to_string())]))
            .await;
    }
    once(world.node("n")).await.unwrap();
    world.app.rollback(Some(2)).send().await.unwrap();
    // Nothing is old enough.
    let none = world.app.gc().keep(1).send().await.unwrap();
    assert_eq!((none.releases.len(), none.blobs), (0, 0));
    let keys = world.keys("").await;
    let told = gc(&world).dry_run(true).send().await.unwrap();
    assert_eq!(
        (&told.releases[..], told.blobs, told.bytes),
        (&[1, 3, 4][..], 3, 3)
    );
    assert_eq!(world.keys("").await, keys);
    let done = gc(&world).send().await.unwrap();
    assert_eq!(done, told);
    assert_eq!(
        world.keys("releases/").await,
        ["app/releases/000002.json", "app/releases/000005.json"]
    );
    assert_eq!(world.keys("blobs/").await.len(), 3);
    once(world.node("new")).await.unwrap();
    assert_eq!(world.used("new"), tree(&[("same", "s"), ("own", "2")]));
    // Numbers go on from the last that is there.
    assert_eq!(world.publish(&tree(&[("own", "6")])).await.release, 6);
    let again = gc(&world).send().await.unwrap();
    assert!(!again.releases.contains(&6));
}

#[tokio::test]
async fn young_contents_stay() {
    let world = World::new().await;
    world.publish(&tree(&[("a", "1")])).await;
    let lonely = "app/blobs/ab/abababababababababababababababababababababababababababababababab";
    world.bucket.put(lonely, "x").await.unwrap();
    world
        .bucket
        .put("app/blobs/note", "not ours")
        .await
        .unwrap();
    let young = world
        .app
        .gc()
        .keep(1)
        .older(Duration::ZERO)
        .send()
        .await
        .unwrap();
    assert_eq!((young.blobs, young.young), (0, 1));
    let done = gc(&world).send().await.unwrap();
    assert_eq!((done.blobs, done.young), (1, 0));
    assert!(
        world
            .keys("blobs/")
            .await
            .contains(&"app/blobs/note".to_owned())
    );
}

#[tokio::test]
async fn a_manifest_that_cannot_be_read_keeps_everything() {
    let world = World::new().await;
    for i in 1..=3 {
        world.publish(&tree(&[("a", &i.to_string())])).await;
    }
    let good = world.text("releases/000003.json").await;
    world
        .bucket
        .put("app/releases/000003.json", "{}")
        .await
        .unwrap();
    let told = gc(&world).send().await.unwrap_err();
    assert_eq!(told.kind(), Kind::Content, "{told}");
    assert_eq!(
        (
            world.keys("blobs/").await.len(),
            world.keys("releases/").await.len()
        ),
        (3, 3)
    );
    world
        .bucket
        .delete("app/releases/000003.json")
        .await
        .unwrap();
    let told = gc(&world).send().await.unwrap_err();
    assert!(told.to_string().contains("a pointer names it"), "{told}");
    assert_eq!(world.keys("blobs/").await.len(), 3);
    // It has ended, so the next may begin at once.
    world
        .bucket
        .put("app/releases/000003.json", good)
        .await
        .unwrap();
    assert_eq!(gc(&world).send().await.unwrap().blobs, 2);
}

/// The publisher has found a content that the collection is about to remove.
#[tokio::test]
async fn a_publisher_that_a_collection_has_not_seen_puts_again_what_it_has_lost() {
    let world = World::new().await;
    let (first, second) = (tree(&[("a", "1"), ("b", "old")]), tree(&[("a", "1")]));
    world.publish(&first).await;
    world.publish(&second).await;
    // It has read the manifests, and waits with its first removal of contents.
    let gate = Gate::new();
    let removal = Rule::new(Fault::hold(&gate))
        .operation("DeleteObjects")
        .skip(1)
        .times(1);
    world.emulator.faults().add(removal);
    let collecting = tokio::spawn(gc(&world).send());
    gate.arrived(1).await;

    let puts = world.count(|seen| {
        seen.method == "PUT" && seen.key.as_ref().is_some_and(|key| key.contains("blobs"))
    });
    let waits = Arc::new(AtomicBool::new(false));
    let waiting = Arc::clone(&waits);
    let source = world.source(&first);
    let publish = world.app.publish(source.path()).on_step(move |step| {
        waiting.fetch_or(step.what == "wait for", Ordering::Relaxed);
    });
    let publishing = tokio::spawn(publish.send());
    until("the publisher at its second look", || {
        waits.load(Ordering::Relaxed)
    })
    .await;
    // It has put nothing, since all was there, and nobody is told of the release yet.
    assert_eq!(puts.load(Ordering::Relaxed), 0);
    assert_eq!(world.keys("history/").await.len(), 2);
    assert_eq!(
        world.keys("releases/").await.len(),
        2,
        "the first is gone, the third is there"
    );
    gate.open();
    assert_eq!(collecting.await.unwrap().unwrap().blobs, 1);
    let published = publishing.await.unwrap().unwrap();
    assert_eq!((published.release, published.sent), (3, 1));
    assert_eq!(puts.load(Ordering::Relaxed), 1);
    once(world.node("n")).await.unwrap();
    assert_eq!(world.used("n"), first);
}

#[tokio::test]
async fn one_collection_at_a_time_and_a_killed_one_counts_for_its_hour() {
    let world = World::new().await;
    world.publish(&tree(&[("a", "1")])).await;
    world
        .bucket
        .put("app/sweeps/000004.json", "{}")
        .await
        .unwrap();
    let told = gc(&world).send().await.unwrap_err();
    assert_eq!(told.kind(), Kind::Guard);
    assert!(
        told.to_string().contains("another collection is under way"),
        "{told}"
    );
    world
        .bucket
        .put("app/sweeps/000004.done", "{}")
        .await
        .unwrap();
    gc(&world).send().await.unwrap();
    assert_eq!(
        world.keys("sweeps/").await,
        ["app/sweeps/000005.done", "app/sweeps/000005.json"]
    );
    // Of several that begin at once, one goes on at a time.
    let (one, two) = tokio::join!(gc(&world).send(), gc(&world).send());
    assert!(one.is_ok() || two.is_ok(), "{one:?} {two:?}");
}

/// Publishers and collections at random, for a while: no pointer ever names what is not there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn collections_and_publishers_at_once_lose_nothing_that_is_pointed_at() {
    let world = World::new().await;
    let trees: Vec<_> = (0..4)
        .map(|i| tree(&[("a", &i.to_string()), ("b", &(i / 2).to_string())]))
        .collect();
    world.publish(&trees[0]).await;
    let stop = Arc::new(AtomicBool::new(false));
    let (gc_app, stopped) = (world.another(), Arc::clone(&stop));
    let collecting = tokio::spawn(async move {
        let mut removed = 0;
        while !stopped.load(Ordering::Relaxed) {
            let gc = gc_app
                .gc()
                .keep(1)
                .older(Duration::ZERO)
                .young(Duration::ZERO);
            removed += gc.send().await.unwrap().blobs;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        removed
    });
    let mut random = fastrand::Rng::with_seed(3);
    let end = std::time::Instant::now() + Duration::from_secs(20);
    let mut round = 0;
    while round < 8 && std::time::Instant::now() < end {
        let tree = &trees[random.usize(..trees.len())];
        let source = world.source(tree);
        world
            .app
            .publish(source.path())
            .even_unchanged(true)
            .send()
            .await
            .unwrap();
        once(world.node("n").fsync(false)).await.unwrap();
        assert_eq!(&world.used("n"), tree, "round {round}");
        round += 1;
    }
    stop.store(true, Ordering::Relaxed);
    // What the node has left behind goes at the latest now.
    let last = gc(&world)
        .keep(1)
        .older(Duration::ZERO)
        .young(Duration::ZERO);
    let removed = collecting.await.unwrap() + last.send().await.unwrap().blobs;
    assert!(removed > 0);
    once(world.node("another").fsync(false)).await.unwrap();
    assert_eq!(world.used("another"), world.used("n"));
}

#[tokio::test]
async fn releases_that_no_pointer_names_are_no_garbage() {
    let world = World::new().await;
    // A bucket without a release has no garbage, either.
    assert_eq!(gc(&world).send().await.unwrap().blobs, 0);
    for i in 1..=3 {
        world.publish(&tree(&[("a", &i.to_string())])).await;
    }
    // As if it were kept elsewhere.
    for key in world.keys("history/").await {
        world.bucket.delete(key).await.unwrap();
    }
    world.bucket.delete("app/current").await.unwrap();
    let told = gc(&world).send().await.unwrap_err();
    assert_eq!(told.kind(), Kind::Guard, "{told}");
    assert_eq!(world.keys("releases/").await.len(), 3);
    assert_eq!(world.keys("blobs/").await.len(), 3);
}
