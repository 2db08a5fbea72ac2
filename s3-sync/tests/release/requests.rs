//! What each verb asks the store, counted.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use emulator::Emulator;
use s3_client::{Credentials, S3Client};
use s3_sync::release::{App, Channel, Place};

use crate::world::{World, once, tree, until};

/// Requests by operation, and the bytes of their answers' bodies.
#[derive(Default)]
struct Counts {
    requests: AtomicU64,
    bytes: AtomicU64,
    unchanged: AtomicU64,
}

fn counting(emulator: &Emulator) -> (App, Arc<Counts>) {
    let counts = Arc::new(Counts::default());
    let told = Arc::clone(&counts);
    let client = S3Client::builder()
        .endpoint(emulator.url())
        .credentials(Credentials::new(
            emulator.access_key(),
            emulator.secret_key(),
        ))
        .on_attempt(move |event| {
            told.requests.fetch_add(1, Ordering::Relaxed);
            told.bytes
                .fetch_add(event.received.unwrap_or(0), Ordering::Relaxed);
            told.unchanged
                .fetch_add(u64::from(event.status == Some(304)), Ordering::Relaxed);
        })
        .build()
        .unwrap();
    (
        App::new(&client, &"s3://releases/app".parse().unwrap()),
        counts,
    )
}

#[tokio::test]
async fn an_idle_follower_makes_one_request_an_interval_without_a_body() {
    let world = World::new().await;
    world.publish(&tree(&[("a", "1")])).await;
    let (app, counts) = counting(&world.emulator);
    let folder = world.folder.path().join("n");
    let mut follower = app
        .follow(&folder)
        .every(Duration::from_millis(10))
        .start()
        .unwrap();
    let task = tokio::spawn(async move { follower.run().await });
    until("a quiet follower", || {
        counts.unchanged.load(Ordering::Relaxed) > 2
    })
    .await;
    let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
    let before = (
        read(&counts.requests),
        read(&counts.bytes),
        read(&counts.unchanged),
    );
    let begun = std::time::Instant::now();
    until("questions", || read(&counts.requests) >= before.0 + 130).await;
    let intervals = begun.elapsed().as_millis() / 8;
    task.abort();
    let requests = read(&counts.requests) - before.0;
    // Never more than one for the shortest interval; all are 304 but one of sixty, which looks for a later move.
    assert!(
        u128::from(requests) <= intervals + 1,
        "{requests} in {intervals} intervals"
    );
    assert_eq!(read(&counts.bytes) - before.1, 0);
    let others = requests - (read(&counts.unchanged) - before.2);
    assert!((2..=3).contains(&others), "{others} of {requests}");
}

#[tokio::test]
async fn what_verbs_cost() {
    let world = World::new().await;
    let (app, counts) = counting(&world.emulator);
    let taken = || counts.requests.swap(0, Ordering::Relaxed);
    let files: Vec<(String, String)> = (0..20).map(|i| (format!("f{i}"), i.to_string())).collect();
    let files: Vec<(&str, &str)> = files.iter().map(|(a, b)| (&**a, &**b)).collect();
    let mut files = tree(&files);
    let source = world.source(&files);
    app.publish(source.path()).send().await.unwrap();
    // 20 contents, and: the pointer and its moves (2), sweeps (2), contents, manifests, a manifest (2); then the pointer and
    // its moves again (2), the move, its copy, and later moves.
    assert_eq!(taken(), 20 + 8 + 5);
    app.publish(source.path()).send().await.unwrap();
    // The pointer and its moves (2), sweeps, contents, the current manifest, and whether the pointer's copy is that.
    assert_eq!(taken(), 6);
    files.insert("f3".into(), (b"new".to_vec(), false));
    crate::world::write(source.path(), &files);
    let follow = |app: &App| app.follow(world.folder.path().join("n"));
    once(follow(&app)).await.unwrap();
    // The pointer, a later move, the manifest, and the contents.
    assert_eq!(taken(), 3 + 20);
    once(follow(&app)).await.unwrap();
    assert_eq!(taken(), 2);
    app.publish(source.path()).send().await.unwrap();
    assert_eq!(taken(), 1 + 8 + 5 + 1);
    once(follow(&app)).await.unwrap();
    assert_eq!(taken(), 3 + 1);
    app.rollback(None).send().await.unwrap();
    // Sweeps (3); the pointer and its moves, manifests, the manifest; it again and contents; the move as above.
    assert_eq!(taken(), 3 + 4 + 2 + 5);
    app.status(&Place::Bucket, &Channel::main()).await.unwrap();
    assert_eq!(taken(), 3);
    let main = [Channel::main()];
    app.releases(9, &Place::Bucket, &main).await.unwrap();
    // The channels, the pointer and its moves, manifests, and each of two manifests.
    assert_eq!(taken(), 4 + 2);
    let gc = app.gc().keep(1).older(Duration::ZERO).young(Duration::ZERO);
    let collected = gc.send().await.unwrap();
    assert_eq!((&collected.releases[..], collected.blobs), (&[][..], 0));
    // Of two releases that stay: 2 manifests and 1 listing of contents, 13 more, and 2 for old moves: whether to stop, and
    // their removal.
    let idle = taken();
    app.rollback(Some(2)).send().await.unwrap();
    for content in ["x", "y"] {
        files.insert("f3".into(), (content.into(), false));
        crate::world::write(source.path(), &files);
        app.publish(source.path()).send().await.unwrap();
    }
    taken();
    let gc = app.gc().keep(1).older(Duration::ZERO).young(Duration::ZERO);
    let collected = gc.send().await.unwrap();
    assert_eq!(
        (&collected.releases[..], collected.blobs),
        (&[1, 2, 3][..], 3)
    );
    // One manifest less; the same two for manifests that go and for contents; and what is left of the collection before.
    assert_eq!((idle, taken()), (2 + 1 + 13 + 2, 1 + 1 + 13 + 3 * 2 + 1));
}
