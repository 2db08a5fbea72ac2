//! From prefix to prefix within the store.

use s3_sync::{Options, Trust};

use crate::common::{World, pairs, write};

const TREE: [(&str, &str); 3] = [("a", "1"), ("b/c", "2"), ("b/d", "3")];

#[tokio::test]
async fn the_store_copies_what_differs() {
    let world = World::start().await;
    write(&world.tree("a"), &TREE);
    world.run("tree:a", "p", world.options()).await;
    world.bucket.put("q/b/c", "other").await.unwrap();
    world.bucket.put("q/old", "old").await.unwrap();
    let options = || Options {
        delete: true,
        ..world.options()
    };
    let told = world.run("p", "q", options()).await;
    assert_eq!(told.did, ["copy a", "copy b/c", "copy b/d", "delete old"]);
    assert_eq!(world.objects("q/").await, pairs(&TREE));
    let before = world.requests();
    let told = world.run("p", "q", options()).await;
    assert_eq!((told.report.same, told.report.moved), (3, 0));
    // Two listings and two indexes.
    assert_eq!(world.requests() - before, 4);
    // The index went along: a file is compared by its SHA-256.
    let told = world.run("tree:a", "q", world.options()).await;
    assert_eq!((told.report.same, told.report.moved), (3, 0));
    let verify = Options {
        verify: true,
        ..world.options()
    };
    let told = world.run("p", "q", verify).await;
    assert_eq!((told.report.same, told.report.different), (3, 0));
}

#[tokio::test]
async fn tags_of_different_kinds_tell_nothing() {
    let world = World::start().await;
    let content = "0123456789abcdef".repeat(1 << 20);
    let upload = world.bucket.upload("p/a", content.clone());
    upload.part_size(8 << 20).await.unwrap();
    world.bucket.put("q/a", content).await.unwrap();
    let dry = Options {
        dry_run: true,
        ..world.options()
    };
    let lax = Options {
        trust: Trust {
            size: true,
            opaque_etags: false,
        },
        ..world.options()
    };
    for options in [dry, lax] {
        let told = world.run("p", "q", options).await;
        assert_eq!((told.report.same, told.report.moved), (1, 0), "{told:?}");
    }
    let told = world.run("p", "q", world.options()).await;
    assert_eq!(told.did, ["copy a"]);
}

#[tokio::test]
async fn a_prefix_within_the_other_is_refused() {
    let world = World::start().await;
    for (a, b) in [("p", "p"), ("p", "p/q"), ("p/q", "p")] {
        let error = world.try_run(a, b, world.options()).await.unwrap_err();
        assert_eq!(error.kind(), s3_sync::Kind::Usage, "{error}");
    }
    let error = world
        .try_run("tree:a", "tree:b", world.options())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), s3_sync::Kind::Usage, "{error}");
}
