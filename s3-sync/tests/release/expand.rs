//! A release, file by file, for a web server.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use s3_sync::{Kind, Rules, Url};

use crate::world::{World, tree};

#[tokio::test]
async fn a_release_is_copied_file_by_file_and_only_once() {
    let world = World::new().await;
    let site: Url = "s3://releases/site".parse().unwrap();
    let nothing = world.app.expand(&site).send().await.unwrap_err();
    assert!(
        nothing.to_string().contains("nothing is published yet"),
        "{nothing}"
    );
    let first = tree(&[("a/page.html", "1"), ("a/twin.html", "1"), ("b.bin", "22")]);
    world.publish(&first).await;
    world.publish(&tree(&[("b.bin", "333")])).await;
    let rules = |rule: &str| Rules::default().rule(rule).unwrap();
    let steps = Arc::new(AtomicU64::new(0));
    let expand = || {
        let told = Arc::clone(&steps);
        let expand = world.app.expand(&site).release(1);
        let expand = expand.cache_control(rules("*.html=max-age=60"));
        let expand = expand.content_type(rules("*.bin=application/x-own"));
        expand.on_step(move |_| {
            told.fetch_add(1, Ordering::Relaxed);
        })
    };
    let gets = world.count(|seen| seen.operation == "GetObject");
    let done = expand().send().await.unwrap();
    // The manifest alone is read: the store copies by itself.
    assert_eq!(gets.load(Ordering::Relaxed), 1);
    assert_eq!(
        (done.release, done.files, done.bytes, done.copied),
        (1, 3, 4, 3)
    );
    assert_eq!(done.url.to_string(), "s3://releases/site/1/");
    for (path, (content, _)) in &first {
        let got = world.bucket.get(done.url.key(path)).await.unwrap();
        let page = path.ends_with(".html");
        let media = if page {
            "text/html"
        } else {
            "application/x-own"
        };
        assert_eq!(got.head.content_type(), Some(media), "{path}");
        let kept = got.head.header("cache-control");
        assert_eq!(kept, page.then_some("max-age=60"), "{path}");
        assert_eq!(got.body.bytes(9).await.unwrap(), content[..], "{path}");
    }
    // As if it had been killed: what lacks, and what has another content, is copied.
    world.bucket.delete("site/1/b.bin").await.unwrap();
    world.bucket.put("site/1/a/page.html", "x").await.unwrap();
    assert_eq!(expand().send().await.unwrap().copied, 2);
    assert_eq!(expand().send().await.unwrap().copied, 0);
    assert_eq!(steps.load(Ordering::Relaxed), 5);
    // The current one, in a folder of its own.
    let current = world.app.expand(&site).send().await.unwrap();
    assert_eq!((current.release, current.copied), (2, 1));
}

#[tokio::test]
async fn what_is_foreign_or_lost_is_named_and_nothing_is_copied() {
    let world = World::new().await;
    let site: Url = "s3://releases/site".parse().unwrap();
    world.publish(&tree(&[("a", "1"), ("b", "2")])).await;
    world.bucket.put("site/1/c", "x").await.unwrap();
    let error = world.app.expand(&site).send().await.unwrap_err();
    assert_eq!(
        (error.kind(), error.about()),
        (Kind::Guard, "site/1/c"),
        "{error}"
    );
    world.bucket.delete("site/1/c").await.unwrap();
    let blobs = world.keys("blobs/").await;
    world.bucket.delete(&*blobs[0]).await.unwrap();
    let error = world.app.expand(&site).send().await.unwrap_err();
    assert!(error.to_string().contains("was removed"), "{error}");
    let error = world.app.expand(&site).release(9).send().await.unwrap_err();
    assert_eq!(error.kind(), Kind::Usage, "{error}");
    let list = world.bucket.list().prefix("site/").send().await.unwrap();
    assert!(list.objects.is_empty());
}
