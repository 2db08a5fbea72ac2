//! Publishing: what is stored, what is sent again, and what is refused.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use emulator::{Fault, Rule};
use s3_sync::Kind;
use s3_sync::release::PublishEnd;

use crate::world::{World, key, once, tree};

fn blobs(seen: &emulator::Seen) -> bool {
    seen.method == "PUT"
        && seen
            .key
            .as_deref()
            .is_some_and(|key| key.contains("/blobs/"))
}

#[tokio::test]
async fn only_what_lacks_is_sent_and_each_content_once() {
    let world = World::new().await;
    let puts = world.count(blobs);
    let mut files = tree(&[("a", "1"), ("b/c", "2"), ("d", "1"), ("run.sh", "x")]);
    let first = world.publish(&files).await;
    assert_eq!(
        (first.release, first.files, first.sent, first.end),
        (1, 4, 3, PublishEnd::Current)
    );
    files.insert("b/c".into(), (b"new".to_vec(), false));
    let second = world.publish(&files).await;
    assert_eq!((second.release, second.sent, second.sent_bytes), (2, 1, 3));
    assert_eq!(puts.load(Ordering::Relaxed), 4);
    // Nothing new: nothing is stored, unless it is told.
    let keys = world.keys("").await;
    let third = world.publish(&files).await;
    assert_eq!(
        (third.release, third.seq, third.end),
        (2, 2, PublishEnd::Unchanged)
    );
    assert_eq!(world.keys("").await, keys);
    let source = world.source(&files);
    let fourth = world
        .app
        .publish(source.path())
        .even_unchanged(true)
        .note("again")
        .send()
        .await;
    assert_eq!(fourth.unwrap().release, 3);
    // A changed mode is a change, and no content.
    files.get_mut("a").unwrap().1 = true;
    let fifth = world.publish(&files).await;
    assert_eq!((fifth.release, fifth.sent), (4, 0));
    once(world.node("n")).await.unwrap();
    assert_eq!(world.used("n"), files);
}

#[tokio::test]
async fn lost_answers_are_settled() {
    for fault in [Fault::reset_after(), Fault::reset_before()] {
        let world = World::new().await;
        let files = tree(&[("a", "1"), ("b", "2"), ("c", "3")]);
        // Each create-only put loses its first answer.
        let keys = ["app/blobs/", "app/releases/", "app/history/", "app/current"];
        for key in keys {
            let rule = Rule::new(fault.clone())
                .method("PUT")
                .times(if key.ends_with("blobs/") { 3 } else { 1 });
            let rule = rule.when(move |seen| {
                seen.key
                    .as_deref()
                    .is_some_and(|found| found.starts_with(key))
            });
            world.emulator.faults().add(rule);
        }
        let published = world.publish(&files).await;
        assert_eq!(
            (published.release, published.seq, published.end),
            (1, 1, PublishEnd::Current)
        );
        assert_eq!(world.keys("releases/").await, ["app/releases/000001.json"]);
        assert_eq!(world.keys("history/").await.len(), 1);
        assert!(world.emulator.faults().count() >= 6);
        once(world.node("n")).await.unwrap();
        assert_eq!(world.used("n"), files);
    }
}

#[tokio::test]
async fn large_files_are_sent_from_the_disk_and_damaged_contents_are_mended() {
    let world = World::new().await;
    let mut files = tree(&[("small", "1")]);
    let large: Vec<u8> = (0..3_000_000_u32).map(|i| (i / 7) as u8).collect();
    files.insert("large".into(), (large, false));
    let published = world.publish(&files).await;
    assert_eq!((published.sent, published.bytes), (2, 3_000_001));
    let keys = world.keys("blobs/").await;
    world.bucket.put(&keys[0], "short").await.unwrap();
    world.bucket.put(&keys[1], "").await.unwrap();
    let source = world.source(&files);
    let again = world
        .app
        .publish(source.path())
        .even_unchanged(true)
        .send()
        .await
        .unwrap();
    assert_eq!(again.sent, 2);
    once(world.node("n")).await.unwrap();
    assert_eq!(world.used("n"), files);
}

#[tokio::test]
async fn what_cannot_be_a_release_is_refused_before_anything_is_stored() {
    let world = World::new().await;
    let source = world.source(&tree(&[("a/b", "1")]));
    std::os::unix::fs::symlink("/etc/passwd", source.path().join("a/out")).unwrap();
    let told = world.app.publish(source.path()).send().await.unwrap_err();
    assert_eq!(told.kind(), Kind::Name);
    let empty = tempfile::tempdir().unwrap();
    let told = world.app.publish(empty.path()).send().await.unwrap_err();
    assert_eq!(told.kind(), Kind::Guard);
    let source = world.source(&tree(&[("a", "1")]));
    let told = world
        .app
        .publish(source.path())
        .note("x".repeat(1025))
        .send()
        .await
        .unwrap_err();
    assert_eq!(told.kind(), Kind::Usage);
    assert_eq!(world.keys("").await.len(), 0);
}

#[tokio::test]
async fn a_file_that_changes_between_two_looks_is_named() {
    let world = World::new().await;
    let mut files = tree(&[("small", "1")]);
    files.insert("large".into(), (vec![7; 2_000_000], false));
    let source = world.source(&files);
    let large = source.path().join("large");
    let changed = Arc::new(AtomicU64::new(0));
    let publish = world.app.publish(source.path()).concurrency(1).on_step({
        let (large, changed) = (large.clone(), Arc::clone(&changed));
        move |step| {
            // It has been read, and is about to be sent.
            if step.what == "put" && changed.fetch_add(1, Ordering::Relaxed) == 0 {
                std::fs::write(&large, vec![8; 2_000_000]).unwrap();
            }
        }
    });
    let told = publish.send().await.unwrap_err();
    assert_eq!(told.kind(), Kind::Changed, "{told}");
    assert!(told.to_string().contains("large"), "{told}");
    // Nothing is stored under a name that it has not.
    assert_eq!(world.keys("").await, [] as [&str; 0]);
}

#[tokio::test]
async fn a_signed_release_is_followed_and_another_is_not() {
    let world = World::new().await;
    let files = tree(&[("a", "1")]);
    let source = world.source(&files);
    let publish = || world.app.publish(source.path()).even_unchanged(true);
    let node = || world.node("n").trust_key(key(1).public());
    publish().send().await.unwrap();
    let told = once(node()).await.unwrap_err();
    assert!(
        told.to_string()
            .contains("not signed by a key that is trusted"),
        "{told}"
    );
    publish().sign_key(key(2)).send().await.unwrap();
    assert_eq!(once(node()).await.unwrap_err().kind(), Kind::Content);
    publish().sign_key(key(1)).send().await.unwrap();
    once(node()).await.unwrap();
    assert_eq!(world.used("n"), files);
    // Any of several, and rollbacks are signed as well.
    world
        .app
        .rollback(Some(1))
        .sign_key(key(2))
        .send()
        .await
        .unwrap();
    once(node().trust_key(key(2).public())).await.unwrap();
    let link = std::fs::read_link(world.folder.path().join("n/current")).unwrap();
    assert_eq!(link.to_str(), Some("releases/1"));
}

#[tokio::test]
async fn a_copy_that_was_not_written_is_written_by_the_next_publishing() {
    let world = World::new().await;
    world.publish(&tree(&[("a", "1")])).await;
    let old = world.text("current").await;
    let files = tree(&[("a", "2")]);
    world.publish(&files).await;
    let last = world.text("history/000000000002.json").await;
    let key = "app/current";
    for left in [Some(&*old), Some("{}"), None] {
        match left {
            Some(left) => drop(world.bucket.put(key, left.to_owned()).await.unwrap()),
            None => drop(world.bucket.delete(key).await.unwrap()),
        }
        let again = world.publish(&files).await;
        assert_eq!((again.seq, again.end), (2, PublishEnd::Unchanged));
        assert_eq!(world.text("current").await, last);
    }
}

#[tokio::test]
async fn files_that_are_for_later_or_not_signed_are_no_reason_to_do_nothing() {
    let world = World::new().await;
    let source = world.source(&tree(&[("a", "1")]));
    let publish = || world.app.publish(source.path());
    publish().send().await.unwrap();
    for (sign, release, end) in [
        (key(1), 2, PublishEnd::Current),
        (key(1), 2, PublishEnd::Unchanged),
        (key(2), 3, PublishEnd::Current),
    ] {
        let published = publish().sign_key(sign).send().await.unwrap();
        assert_eq!((published.release, published.end), (release, end));
    }
    let at = std::time::SystemTime::now() + std::time::Duration::from_secs(3600);
    publish().at(at).send().await.unwrap();
    assert!(world.text("current").await.contains("\"at\""));
    let now = publish().send().await.unwrap();
    assert_eq!((now.release, now.end), (5, PublishEnd::Current));
    assert!(!world.text("current").await.contains("\"at\""));
}

#[tokio::test]
async fn after_the_last_number_there_is_an_error_and_nothing_is_overwritten() {
    let world = World::new().await;
    let last = u64::MAX;
    for below in ["releases", "sweeps"] {
        let key = format!("app/{below}/{last}.json");
        world.bucket.put(key, "{}").await.unwrap();
    }
    let source = world.source(&tree(&[("a", "1")]));
    let told = world.app.publish(source.path()).send().await.unwrap_err();
    assert_eq!(told.kind(), Kind::Content, "{told}");
    let told = world.app.gc().send().await.unwrap_err();
    assert_eq!(told.kind(), Kind::Content, "{told}");
}

/// Has a condition on a put be one that always holds, as with a store that does not know it.
struct Deaf;

impl s3_client::event::Middleware for Deaf {
    fn before(
        &self,
        start: &s3_client::event::AttemptStart<'_>,
        fields: &mut s3_client::event::Fields<'_>,
    ) {
        if start.operation == "PutObject" {
            fields.set("if-none-match", "\"0\"");
        }
    }
}

#[tokio::test]
async fn a_store_that_does_not_know_the_condition_is_found_out() {
    let world = World::new().await;
    let keys =
        s3_client::Credentials::new(world.emulator.access_key(), world.emulator.secret_key());
    let client = s3_client::S3Client::builder()
        .endpoint(world.emulator.url())
        .credentials(keys);
    let client = client.middleware(Deaf).build().unwrap();
    let app = s3_sync::release::App::new(&client, world.app.url());
    let source = world.source(&tree(&[("a", "1")]));
    let told = app.publish(source.path()).send().await.unwrap_err();
    assert_eq!(told.kind(), Kind::Guard, "{told}");
    assert!(told.to_string().contains("If-None-Match"), "{told}");
    assert_eq!(
        world.keys("current").await.len() + world.keys("history/").await.len(),
        0
    );
}
