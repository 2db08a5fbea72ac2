//! Comparison with objects that no index tells of.

use s3_client::config::{DefaultEncryption, Encryption, EncryptionRule};
use s3_sync::{Options, Trust};

use crate::common::{World, files, pairs, write};

/// The tree is in the store, by another tool.
async fn foreign(world: &World, tree: &[(&str, &str)]) {
    write(&world.tree("a"), tree);
    for (key, content) in tree {
        let content = (*content).to_owned();
        let put = world.bucket.put(format!("p/{key}"), content).await;
        put.expect("it is stored");
    }
}

#[tokio::test]
async fn tags_that_are_digests_are_compared() {
    let world = World::start().await;
    foreign(&world, &[("a", "1"), ("b", "2")]).await;
    std::fs::write(world.tree("a").join("b"), "3").unwrap();
    let told = world.run("tree:a", "p", world.options()).await;
    assert_eq!(told.did, ["upload b"]);
    // What was learnt is in the index: with tags that are not believed it is still known.
    let told = world.run("tree:a", "p", opaque(&world)).await;
    assert_eq!((told.report.same, told.report.moved), (2, 0));
    // Without any index the other way.
    world.bucket.delete("p/.s3-sync").await.unwrap();
    let told = world.run("p", "tree:a", world.options()).await;
    assert_eq!((told.report.same, told.report.moved), (2, 0));
}

fn opaque(world: &World) -> Options {
    Options {
        trust: Trust {
            opaque_etags: true,
            size: false,
        },
        ..world.options()
    }
}

#[tokio::test]
async fn parts_are_compared_by_the_sizes_that_tools_use() {
    let world = World::start().await;
    let large = "0123456789abcdef".repeat(1 << 20);
    write(
        &world.tree("a"),
        &[("eight", &large), ("five", &large), ("odd", &large)],
    );
    for (key, part) in [("eight", 8), ("five", 5), ("odd", 6)] {
        let upload = world.bucket.upload(format!("p/{key}"), large.clone());
        upload.part_size(part << 20).await.unwrap();
    }
    let before = world.requests();
    let told = world.run("tree:a", "p", world.options()).await;
    assert_eq!((told.report.same, told.report.moved), (3, 0));
    // The listing, no index, one object that had to be read, and the new index.
    assert_eq!(world.requests() - before, 4);
}

#[tokio::test]
async fn objects_are_read_where_nothing_tells_their_content() {
    let world = World::start().await;
    let kms = DefaultEncryption::new().algorithm("aws:kms");
    let kms = Encryption::new().rule(EncryptionRule::new().by_default(kms));
    world.bucket.put_config(kms).await.unwrap();
    foreign(&world, &[("a", "1"), ("b", "2")]).await;
    let told = world.run("tree:a", "p", opaque(&world)).await;
    assert_eq!((told.report.same, told.report.moved), (2, 0));
    let before = world.requests();
    let told = world.run("tree:a", "p", opaque(&world)).await;
    assert_eq!((told.report.same, world.requests() - before), (2, 2));

    world.bucket.delete("p/.s3-sync").await.unwrap();
    std::fs::write(world.tree("a").join("b"), "3").unwrap();
    let lax = Options {
        trust: Trust {
            opaque_etags: true,
            size: true,
        },
        ..world.options()
    };
    let told = world.run("tree:a", "p", lax).await;
    assert_eq!((told.report.same, told.report.moved), (2, 0));
    world.bucket.delete("p/.s3-sync").await.unwrap();
    let told = world.run("tree:a", "p", opaque(&world)).await;
    assert_eq!(told.did, ["upload b"]);
    // Its tag is no MD5, and the index tells its content all the same.
    let told = world.run("tree:a", "p", world.options()).await;
    assert_eq!((told.report.same, told.report.moved), (2, 0));
    let told = world.run("p", "tree:b", world.options()).await;
    assert_eq!(
        (told.report.moved, told.report.failed),
        (2, 0),
        "{:?}",
        told.failed
    );
    assert_eq!(files(&world.tree("b")), pairs(&[("a", "1"), ("b", "3")]));
}

#[tokio::test]
async fn what_is_taken_for_the_same_by_its_size_is_not_in_the_index() {
    let world = World::start().await;
    let stored = "0123456789abcdef".repeat(1 << 20);
    let upload = world.bucket.upload("p/a", stored.clone());
    upload.part_size(8 << 20).await.unwrap();
    let other = stored.replace('0', "x");
    write(&world.tree("a"), &[("a", &other)]);
    let lax = Options {
        trust: Trust {
            opaque_etags: false,
            size: true,
        },
        ..world.options()
    };
    let told = world.run("tree:a", "p", lax).await;
    assert_eq!((told.report.same, told.report.moved), (1, 0), "{told:?}");
    let told = world.run("tree:a", "p", world.options()).await;
    assert_eq!(told.did, ["upload a"]);
}

#[tokio::test]
async fn last_is_last_if_only_the_object_tells_that_it_differs() {
    let world = World::start().await;
    foreign(&world, &[("a.html", "1"), ("z.js", "1")]).await;
    write(&world.tree("a"), &[("a.html", "2"), ("z.js", "2")]);
    let options = Options {
        last: Some(s3_sync::Patterns::default().exclude("*.html").unwrap()),
        concurrency: 1,
        ..opaque(&world)
    };
    let told = world.run("tree:a", "p", options).await;
    assert_eq!(told.report.moved, 2);
    assert_eq!(told.order, ["z.js", "a.html"]);
    let told = world.run("tree:a", "p", opaque(&world)).await;
    assert_eq!((told.report.same, told.report.moved), (2, 0), "{told:?}");
}
