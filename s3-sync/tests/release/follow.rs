//! Following: whole trees, links, what stays, and what goes on after a failure.

use std::os::unix::fs::MetadataExt as _;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime};

use emulator::{Fault, Rule};
use s3_sync::Kind;
use s3_sync::release::{Channel, Place};

use crate::world::{World, following, once, reaches, tree, until};

#[tokio::test]
async fn what_a_node_has_is_linked_and_the_rest_is_fetched() {
    let mut files = tree(&[
        ("a", "1"),
        ("b/c", "2"),
        ("b/d", "2"),
        ("run.sh", "x"),
        ("empty", ""),
    ]);
    let world = World::running(&files).await;
    assert_eq!(world.used("n"), files);

    let gets = world.contents_fetched();
    files.insert("b/new".into(), (b"new".to_vec(), false));
    files.remove("empty");
    // The same content with another mode is a file of its own, as a link would share the mode.
    files.insert("a2".into(), (b"1".to_vec(), true));
    world.publish(&files).await;
    once(world.node("n")).await.unwrap();
    assert_eq!(world.used("n"), files);
    assert_eq!(gets.load(Ordering::Relaxed), 2);
    let about =
        |path: &str| std::fs::metadata(world.folder.path().join("n/releases").join(path)).unwrap();
    assert_eq!(about("1/b/c").ino(), about("2/b/c").ino());
    assert_ne!(about("1/a").ino(), about("2/a2").ino());
    assert_eq!(about("1/a").mode() & 0o777, 0o644);
}

#[tokio::test]
async fn a_file_that_was_changed_on_the_node_is_fetched_and_not_written_through() {
    let mut files = tree(&[("a", "1"), ("b", "2")]);
    let world = World::running(&files).await;
    let changed = world.folder.path().join("n/releases/1/a");
    std::fs::write(&changed, "X").unwrap();
    files.insert("c".into(), (b"3".to_vec(), false));
    world.publish(&files).await;
    once(world.node("n")).await.unwrap();
    assert_eq!(world.used("n"), files);
    assert_eq!(std::fs::read(changed).unwrap(), b"X");
    // To go back to the release that was changed is to mend it.
    world.app.rollback(Some(1)).send().await.unwrap();
    once(world.node("n")).await.unwrap();
    assert_eq!(world.used("n"), tree(&[("a", "1"), ("b", "2")]));
}

#[tokio::test]
async fn three_releases_stay() {
    let world = World::new().await;
    for i in 1..=6 {
        world.publish(&tree(&[("a", &i.to_string())])).await;
        once(world.node("n")).await.unwrap();
    }
    let names = std::fs::read_dir(world.folder.path().join("n/releases")).unwrap();
    let mut names: Vec<String> = names
        .map(|name| name.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["4", "4.json", "5", "5.json", "6", "6.json"]);
}

#[tokio::test]
async fn a_node_goes_on_after_the_store_was_away() {
    let world = World::new().await;
    world.publish(&tree(&[("a", "1")])).await;
    let (task, seen) = following(world.node("n"));
    reaches(&seen, 1).await;
    let faults = world.emulator.faults();
    let denied = |key: &'static str| {
        let rule = Rule::new(Fault::error(403, "AccessDenied")).method("GET");
        faults
            .add(rule.when(move |seen| seen.key.as_ref().is_some_and(|found| found.contains(key))))
    };
    let questions = denied("app/current");
    until("refusals", || questions.count() > 3).await;
    faults.clear();
    let contents = denied("/blobs/");
    world.publish(&tree(&[("a", "2")])).await;
    until("refusals", || contents.count() > 1).await;
    assert_eq!(world.used("n"), tree(&[("a", "1")]));
    faults.clear();
    reaches(&seen, 2).await;
    task.abort();
    let _ended = task.await;
    assert_eq!(world.used("n"), tree(&[("a", "2")]));
}

#[tokio::test]
async fn a_content_that_comes_late_is_waited_for() {
    let world = World::new().await;
    world.publish(&tree(&[("a", "1")])).await;
    world.publish(&tree(&[("a", "2")])).await;
    let blobs = world.keys("blobs/").await;
    let mut kept = Vec::new();
    for key in &blobs {
        let body = world
            .bucket
            .get(key)
            .await
            .unwrap()
            .body
            .bytes(100)
            .await
            .unwrap();
        world.bucket.delete(key).await.unwrap();
        kept.push((key, body));
    }
    assert_eq!(once(world.node("n")).await.unwrap_err().kind(), Kind::Store);
    let (task, seen) = following(world.node("n"));
    for (key, body) in kept {
        world.bucket.put(key, body).await.unwrap();
    }
    reaches(&seen, 2).await;
    task.abort();
}

#[tokio::test]
async fn an_old_copy_of_the_pointer_brings_no_node_back_and_no_new_node_to_an_old_release() {
    let world = World::new().await;
    world.publish(&tree(&[("a", "1")])).await;
    let old = world.text("current").await;
    let (task, seen) = following(world.node("n"));
    world.publish(&tree(&[("a", "2")])).await;
    reaches(&seen, 2).await;
    // A put that was late on its way.
    world.bucket.put("app/current", old.clone()).await.unwrap();
    once(world.node("new")).await.unwrap();
    assert_eq!(world.used("new"), tree(&[("a", "2")]));
    // One that has seen neither finds the later move by itself.
    let (other, later) = following(world.node("other"));
    reaches(&later, 2).await;
    world.publish(&tree(&[("a", "3")])).await;
    world.bucket.put("app/current", old).await.unwrap();
    reaches(&seen, 3).await;
    reaches(&later, 3).await;
    task.abort();
    other.abort();
    for seen in [seen, later] {
        let seen = seen.lock().unwrap().clone();
        assert!(seen.is_sorted(), "{seen:?}");
    }
}

#[tokio::test]
async fn a_release_for_later_is_there_early_and_in_use_then() {
    let world = World::new().await;
    world.publish(&tree(&[("a", "1")])).await;
    let (task, seen) = following(world.node("n"));
    reaches(&seen, 1).await;
    let source = world.source(&tree(&[("a", "2")]));
    let at = SystemTime::now() + Duration::from_secs(3);
    world
        .app
        .publish(source.path())
        .at(at)
        .send()
        .await
        .unwrap();
    let early = world.folder.path().join("n/releases/2");
    until("the release", || early.is_dir()).await;
    assert_eq!(world.used("n"), tree(&[("a", "1")]));
    // A node that starts now runs what holds until then.
    once(world.node("new")).await.unwrap();
    assert_eq!(world.used("new"), tree(&[("a", "1")]));
    reaches(&seen, 2).await;
    assert!(SystemTime::now() + Duration::from_secs(1) > at);
    task.abort();
}

#[tokio::test]
async fn who_is_waited_for_is_named() {
    let world = World::new().await;
    let published = world.publish(&tree(&[("a", "1")])).await;
    let (task, _seen) = following(world.node("n1"));
    once(world.node("n2")).await.unwrap();
    let names = ["n1", "n2", "n3"].map(str::to_owned);
    let (release, seq) = (published.release, published.seq);
    let wait = |names: &[String], most: u64| {
        let (app, names) = (world.app.clone(), names.to_vec());
        async move {
            app.wait_for(release, seq, &names, Duration::from_millis(most))
                .await
                .unwrap()
        }
    };
    let waited = wait(&names[..2], 30_000).await;
    assert!(waited.is_done(), "{waited:?}");
    let waited = wait(&names, 50).await;
    assert_eq!(
        (waited.there.len(), waited.missing),
        (2, vec!["n3".to_owned()])
    );
    let status = world
        .app
        .status(&Place::Bucket, &Channel::main())
        .await
        .unwrap();
    let nodes: Vec<_> = status
        .nodes
        .iter()
        .map(|node| (&*node.node, node.release))
        .collect();
    assert_eq!(nodes, [("n1", Some(1)), ("n2", Some(1))]);
    task.abort();
    let bad = world
        .app
        .wait_for(1, 1, &["../x".to_owned()], Duration::ZERO)
        .await;
    assert_eq!(bad.unwrap_err().kind(), Kind::Usage);
}

#[tokio::test]
async fn two_followers_of_one_folder_and_a_bucket_that_was_begun_anew_are_told() {
    let world = World::new().await;
    assert!(
        once(world.node("n"))
            .await
            .unwrap_err()
            .to_string()
            .contains("nothing is published")
    );
    world.publish(&tree(&[("a", "1")])).await;
    let held = world.node("n").start().unwrap();
    let told = world.node("n").start().unwrap_err().to_string();
    assert!(told.contains("another follower"), "{told}");
    drop(held);
    once(world.node("n")).await.unwrap();
    for below in ["", "blobs/", "releases/"] {
        for key in world.keys(below).await {
            world.bucket.delete(key).await.unwrap();
        }
    }
    world.publish(&tree(&[("a", "other")])).await;
    let source = world.source(&tree(&[("a", "other")]));
    world
        .app
        .publish(source.path())
        .even_unchanged(true)
        .send()
        .await
        .unwrap();
    world.app.rollback(Some(1)).send().await.unwrap();
    let told = once(world.node("n")).await.unwrap_err().to_string();
    assert!(told.contains("another release of this number"), "{told}");
    assert_eq!(world.used("n"), tree(&[("a", "1")]));
}

#[tokio::test]
async fn a_node_that_changes_its_channel_takes_what_is_there() {
    let world = World::new().await;
    for i in 1..=3 {
        world.publish(&tree(&[("a", &i.to_string())])).await;
    }
    once(world.node("n")).await.unwrap();
    let canary: Channel = "canary".parse().unwrap();
    let files = tree(&[("a", "canary")]);
    let source = world.source(&files);
    let publish = world.app.publish(source.path()).channel(canary.clone());
    // The number of this move is smaller than what the node knows of the other pointer.
    assert_eq!(publish.send().await.unwrap().seq, 1);
    once(world.node("n").channel(canary)).await.unwrap();
    assert_eq!(world.used("n"), files);
    once(world.node("n")).await.unwrap();
    assert_eq!(world.used("n"), tree(&[("a", "3")]));
}

#[tokio::test]
async fn a_content_that_is_mended_is_taken_by_a_node_that_runs() {
    let world = World::new().await;
    world.publish(&tree(&[("a", "1")])).await;
    let key = &world.keys("blobs/").await[0];
    world.bucket.put(key, "X").await.unwrap();
    let failures = std::sync::Arc::new(std::sync::atomic::AtomicU64::new(0));
    let counted = std::sync::Arc::clone(&failures);
    let node = world.node("n").on_notice(move |_| {
        counted.fetch_add(1, Ordering::Relaxed);
    });
    let (task, seen) = following(node);
    until("a refusal", || failures.load(Ordering::Relaxed) > 0).await;
    assert!(seen.lock().unwrap().is_empty());
    world.bucket.put(key, "1").await.unwrap();
    reaches(&seen, 1).await;
    task.abort();
}

#[tokio::test]
async fn one_bad_report_stops_nobody_and_a_node_speaks_for_itself_only() {
    let world = World::new().await;
    world.publish(&tree(&[("a", "1")])).await;
    once(world.node("n1")).await.unwrap();
    let report = world.text("nodes/n1.json").await;
    for (name, text) in [
        ("bad", "[]".to_owned()),
        ("liar", report),
        ("vast", "x".repeat(20_000)),
    ] {
        let key = format!("app/nodes/{name}.json");
        world.bucket.put(key, text).await.unwrap();
    }
    let status = world
        .app
        .status(&Place::Bucket, &Channel::main())
        .await
        .unwrap();
    let nodes: Vec<_> = status
        .nodes
        .iter()
        .map(|node| (&*node.node, node.is_ok()))
        .collect();
    assert_eq!(
        nodes,
        [
            ("bad", false),
            ("liar", true),
            ("n1", true),
            ("vast", false)
        ]
    );
    assert!(status.nodes[0].result.contains("no report of a node"));
    assert!(status.nodes[3].result.contains("20000 bytes"));
    world.app.gc().send().await.unwrap();
}
