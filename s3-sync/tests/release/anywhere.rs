//! The life of releases on any store: on the emulator, or on what `S3_TEST_ENDPOINT` names, with the keys
//! `S3_TEST_ACCESS_KEY` and `S3_TEST_SECRET_KEY`; by Version 4 where `S3_TEST_REGION` says a region, else by Version 2.

use std::time::Duration;

use emulator::Emulator;
use s3_client::{Bucket, Credentials, S3Client, Signature};
use s3_sync::Kind;
use s3_sync::release::{App, Channel, Place, PublishEnd};

use crate::world::{once, read, tree, write};

#[tokio::test]
async fn the_life_of_releases_by_both_signatures() {
    let var = |name: &str| std::env::var(format!("S3_TEST_{name}")).ok();
    if let Some(endpoint) = var("ENDPOINT") {
        let keys = Credentials::new(var("ACCESS_KEY").unwrap(), var("SECRET_KEY").unwrap());
        let signature = var("REGION").map_or(Signature::V2, Signature::v4);
        return live(&endpoint, keys, signature).await;
    }
    let emulator = Emulator::start().await.unwrap();
    for signature in [Signature::V2, Signature::v4("us-east-1")] {
        let keys = Credentials::new(emulator.access_key(), emulator.secret_key());
        live(&emulator.url(), keys, signature).await;
    }
}

async fn live(endpoint: &str, keys: Credentials, signature: Signature) {
    let client = S3Client::builder()
        .endpoint(endpoint)
        .credentials(keys)
        .signature(signature);
    let client = client.build().unwrap();
    let name = format!("releases-{:016x}", fastrand::u64(..));
    let bucket = client.bucket(&*name);
    bucket.create().await.unwrap();
    story(&client, &bucket, &name).await;
    bucket.purge().await.unwrap();
    bucket.delete_bucket().await.unwrap();
}

async fn story(client: &S3Client, bucket: &Bucket, name: &str) {
    let app = App::new(client, &format!("s3://{name}/my app").parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let (source, node) = (folder.path().join("source"), folder.path().join("node"));
    let publish = async |content: &str| {
        let mut files = tree(&[
            ("same", "s"),
            ("own \u{fc}", content),
            ("a/b.sh", "x"),
            ("empty", ""),
        ]);
        files.insert("large".into(), (vec![b'l'; 1_500_000], false));
        write(&source, &files);
        (app.publish(&source).send().await.unwrap(), files)
    };
    let follow = || {
        app.follow(&node)
            .name("n1")
            .every(Duration::from_millis(50))
    };
    let (first, old) = publish("1").await;
    assert_eq!(
        (first.release, first.sent, first.end),
        (1, 5, PublishEnd::Current)
    );
    assert_eq!(publish("1").await.0.end, PublishEnd::Unchanged);
    once(follow()).await.unwrap();
    assert_eq!(read(&node.join("current")), old);

    // One that follows, with answers of 304, sees the next two.
    let (task, seen) = crate::world::following(
        app.follow(folder.path().join("idle"))
            .every(Duration::from_millis(50)),
    );
    crate::world::reaches(&seen, 1).await;
    let (second, new) = publish("2").await;
    assert_eq!((second.release, second.sent), (2, 1));
    crate::world::reaches(&seen, 2).await;
    once(follow()).await.unwrap();
    assert_eq!(read(&node.join("current")), new);
    let waited = app
        .wait_for(2, second.seq, &["n1".to_owned()], Duration::from_secs(5))
        .await;
    assert!(waited.unwrap().is_done());
    let back = app.rollback(None).send().await.unwrap();
    assert_eq!((back.release, back.seq), (1, 3));
    crate::world::reaches(&seen, 1).await;
    task.abort();
    once(follow()).await.unwrap();
    assert_eq!(read(&node.join("current")), old);

    // Two publishers at once.
    let sources = [folder.path().join("x"), folder.path().join("y")];
    for (i, source) in sources.iter().enumerate() {
        write(source, &tree(&[("a", &i.to_string())]));
    }
    for round in 0..5 {
        let publish = |i: usize| app.publish(&sources[i]).even_unchanged(true).send();
        let (one, two) = tokio::join!(publish(0), publish(1));
        let mut numbers = [one.unwrap().release, two.unwrap().release];
        numbers.sort_unstable();
        assert_eq!(numbers, [3 + 2 * round, 4 + 2 * round]);
    }
    let status = app.status(&Place::Bucket, &Channel::main()).await.unwrap();
    assert_eq!(status.pointer.unwrap().target.release, 12);
    // What the node says that it runs stays.
    let gc = app.gc().keep(1).older(Duration::ZERO).young(Duration::ZERO);
    let collected = gc.send().await.unwrap();
    assert_eq!(
        (collected.releases.len(), collected.unfinished),
        (10, false)
    );
    once(follow()).await.unwrap();
    assert_eq!(
        app.rollback(Some(2)).send().await.unwrap_err().kind(),
        Kind::Usage
    );
    app.rollback(Some(1)).send().await.unwrap();
    once(app.follow(folder.path().join("new"))).await.unwrap();
    assert_eq!(read(&folder.path().join("new/current")), old);
    let young = bucket.list().prefix("my app/sweeps/").send().await.unwrap();
    assert_eq!(young.objects.len(), 2);
}
