//! Collections of garbage that end others: those that were killed, and those that are only taken for dead.

use std::time::Duration;

use emulator::{Fault, Gate, Rule};
use s3_sync::Kind;
use s3_sync::release::Gc;

use crate::gc::gc;
use crate::world::{World, once, tree};

/// One that takes over at once, as nothing is on its way here.
fn over(gc: Gc) -> Gc {
    gc.least_take_over(Duration::ZERO)
        .take_over(Duration::from_millis(1))
}

/// What a publisher waits for is said, and the next collection ends it at once when it is told to.
#[tokio::test]
async fn a_killed_collection_is_named_by_who_waits_and_ended_by_who_takes_over() {
    let world = World::new().await;
    world.publish(&tree(&[("a", "1")])).await;
    let begun = "app/sweeps/000004.json";
    world.bucket.put(begun, "{}").await.unwrap();
    let (told, mut waits) = tokio::sync::mpsc::unbounded_channel();
    let source = world.source(&tree(&[("a", "2")]));
    let publish = world.app.publish(source.path()).on_wait(move |waiting| {
        let _nobody_listens = told.send(waiting);
    });
    let publishing = tokio::spawn(publish.send());
    let waiting = waits.recv().await.unwrap();
    assert_eq!(waiting.sweep, 4);
    let left = waiting.until.duration_since(std::time::SystemTime::now());
    assert!(left.unwrap() > Duration::from_secs(59 * 60));
    assert_eq!(world.keys("history/").await.len(), 1);

    let collected = over(gc(&world)).send().await.unwrap();
    assert_eq!(collected.ended, [4]);
    assert_eq!(publishing.await.unwrap().unwrap().release, 2);
    assert_eq!(
        world.keys("sweeps/").await,
        ["app/sweeps/000005.done", "app/sweeps/000005.json"]
    );
}

/// One that was taken for dead and is not stops before its next removal.
#[tokio::test]
async fn a_collection_that_is_taken_over_removes_nothing_more() {
    let world = World::new().await;
    for i in 1..=3 {
        world.publish(&tree(&[("a", &i.to_string())])).await;
    }
    // It has read the manifests, and its first removal, that of manifests, is on its way.
    let gate = Gate::new();
    let removal = Rule::new(Fault::hold(&gate)).operation("DeleteObjects");
    world.emulator.faults().add(removal.times(1));
    let collecting = tokio::spawn(gc(&world).send());
    gate.arrived(1).await;
    let stop = "app/sweeps/000001.stop";
    world.bucket.put(stop, "{}").await.unwrap();
    gate.open();
    let error = collecting.await.unwrap().unwrap_err();
    assert_eq!(error.kind(), Kind::Guard, "{error}");
    assert_eq!(error.about(), "app/sweeps/000001.json");
    assert_eq!(world.keys("blobs/").await.len(), 3);
    // It has ended, and the next one goes on.
    assert_eq!(gc(&world).send().await.unwrap().blobs, 2);
}

/// It wakes when whoever has taken over has ended, too, and has removed what was left of it.
#[tokio::test]
async fn a_collection_that_wakes_after_the_next_one_has_ended_removes_nothing() {
    let world = World::new().await;
    let old = tree(&[("a", "old")]);
    world.publish(&old).await;
    world.publish(&tree(&[("a", "new")])).await;
    // It has read the manifests, and does not know yet which contents there are.
    let gate = Gate::new();
    let listing = Rule::new(Fault::hold(&gate))
        .when(|seen| seen.operation == "ListObjectsV2" && seen.query.contains("blobs"));
    world.emulator.faults().add(listing.times(1));
    let collecting = tokio::spawn(gc(&world).send());
    gate.arrived(1).await;

    // The next one keeps young contents, of which a publisher then makes a release.
    let next = gc(&world).young(Duration::from_secs(3600));
    let collected = over(next).send().await.unwrap();
    assert_eq!((&collected.ended[..], collected.young), (&[1][..], 1));
    assert_eq!(
        world.keys("sweeps/").await,
        ["app/sweeps/000002.done", "app/sweeps/000002.json"]
    );
    assert_eq!(world.publish(&old).await.sent, 0);
    gate.open();
    let error = collecting.await.unwrap().unwrap_err();
    assert_eq!(error.kind(), Kind::Guard, "{error}");
    once(world.node("n")).await.unwrap();
    assert_eq!(world.used("n"), old);
}

/// Both have seen the one that was killed, and one of them is first.
#[tokio::test]
async fn of_two_that_take_over_the_second_one_leaves_the_collection_of_the_first_alone() {
    let world = World::new().await;
    for i in 1..=2 {
        world.publish(&tree(&[("a", &i.to_string())])).await;
    }
    let killed = world.bucket.put("app/sweeps/000007.json", "{}");
    killed.await.unwrap();
    let late = Gate::new();
    let end = Rule::new(Fault::hold(&late))
        .when(|seen| seen.method == "PUT" && seen.key.as_deref() == Some("app/sweeps/000007.done"));
    world.emulator.faults().add(end.times(1));
    let second = tokio::spawn(over(gc(&world)).send());
    late.arrived(1).await;

    let busy = Gate::new();
    let removal = Rule::new(Fault::hold(&busy)).operation("DeleteObjects");
    world.emulator.faults().add(removal.times(1));
    let first = tokio::spawn(over(gc(&world)).send());
    busy.arrived(1).await;
    late.open();
    let error = second.await.unwrap().unwrap_err();
    assert_eq!(error.kind(), Kind::Guard, "{error}");
    let told = error.to_string();
    assert!(told.contains("another collection is under way"), "{told}");
    let keys = world.keys("sweeps/").await;
    assert!(!keys.contains(&"app/sweeps/000008.stop".to_owned()));
    busy.open();
    assert_eq!(first.await.unwrap().unwrap().blobs, 1);
}

/// What it has sent may still be on its way.
#[tokio::test]
async fn nobody_takes_over_before_all_has_arrived_that_the_other_has_sent() {
    let world = World::new().await;
    let killed = world.bucket.put("app/sweeps/000001.json", "{}");
    killed.await.unwrap();
    for end_only in [true, false] {
        let early = gc(&world).take_over(Duration::from_secs(119));
        let error = early.end_only(end_only).send().await.unwrap_err();
        assert_eq!(error.kind(), Kind::Usage, "{error}");
    }
    assert_eq!(world.keys("sweeps/").await, ["app/sweeps/000001.json"]);
}

#[tokio::test]
async fn to_end_a_collection_removes_nothing() {
    let world = World::new().await;
    for i in 1..=3 {
        world.publish(&tree(&[("a", &i.to_string())])).await;
    }
    let killed = world.bucket.put("app/sweeps/000001.json", "{}");
    killed.await.unwrap();
    for ended in [&[1][..], &[]] {
        let collected = over(gc(&world)).end_only(true).send().await.unwrap();
        assert_eq!(collected.ended, ended);
        assert!(collected.releases.is_empty());
    }
    assert_eq!(world.keys("releases/").await.len(), 3);
    // It counts as ended, so that the next one may begin.
    assert_eq!(gc(&world).send().await.unwrap().blobs, 2);
}
