//! What is deleted, and what is not.

use s3_sync::Options;

use crate::common::{World, files, pairs, write};

fn deleting(world: &World) -> Options {
    Options {
        delete: true,
        ..world.options()
    }
}

const TREE: [(&str, &str); 4] = [("a", "1"), ("b/c", "2"), ("b/d", "3"), ("e", "4")];

#[tokio::test]
async fn what_only_the_target_has_is_deleted_when_asked() {
    let world = World::start().await;
    write(&world.tree("a"), &TREE);
    world.run("tree:a", "p", world.options()).await;
    world.run("p", "tree:b", world.options()).await;
    std::fs::remove_dir_all(world.tree("a").join("b")).unwrap();

    let told = world.run("tree:a", "p", world.options()).await;
    assert_eq!((told.report.kept, told.report.deleted), (2, 0));
    let dry = Options {
        dry_run: true,
        ..deleting(&world)
    };
    assert_eq!(
        world.run("tree:a", "p", dry).await.did,
        ["delete b/c", "delete b/d"]
    );
    let told = world.run("tree:a", "p", deleting(&world)).await;
    assert_eq!(told.did, ["delete b/c", "delete b/d"]);
    let rest = pairs(&[("a", "1"), ("e", "4")]);
    assert_eq!(world.objects("p/").await, rest);

    world.run("p", "tree:b", deleting(&world)).await;
    assert_eq!(files(&world.tree("b")), rest);
    assert!(
        !world.tree("b").join("b").exists(),
        "an empty folder is left"
    );
}

#[tokio::test]
async fn an_empty_source_deletes_nothing() {
    let world = World::start().await;
    write(&world.tree("a"), &TREE);
    world.run("tree:a", "p", world.options()).await;
    std::fs::create_dir(world.tree("empty")).unwrap();
    let all = Options {
        max_delete: "100%".parse().unwrap(),
        ..deleting(&world)
    };
    for (source, target) in [("tree:empty", "p"), ("nothing", "tree:a"), ("nothing", "p")] {
        let told = world.run(source, target, all.clone()).await;
        assert_eq!(
            (told.report.deleted, told.report.failed),
            (0, 1),
            "{source}"
        );
        assert!(
            told.failed[0].contains("the source is empty"),
            "{:?}",
            told.failed
        );
    }
    let gone = world.try_run("tree:gone", "p", all).await;
    assert!(gone.unwrap_err().to_string().contains("gone"));
    assert_eq!(world.objects("p/").await, pairs(&TREE));
    assert_eq!(files(&world.tree("a")), pairs(&TREE));
}

#[tokio::test]
async fn too_many_deletes_need_a_word() {
    let world = World::start().await;
    write(&world.tree("a"), &TREE);
    world.run("tree:a", "p", world.options()).await;
    write(&world.tree("one"), &TREE[..1]);
    let told = world.run("tree:one", "p", deleting(&world)).await;
    assert_eq!(
        (told.report.deleted, told.report.kept, told.report.failed),
        (0, 3, 1)
    );
    assert!(
        told.failed[0].contains("--max-delete 3"),
        "{:?}",
        told.failed
    );
    assert_eq!(world.objects("p/").await.len(), 4);
    let allowed = Options {
        max_delete: "3".parse().unwrap(),
        ..deleting(&world)
    };
    let told = world.run("tree:one", "p", allowed).await;
    assert_eq!((told.report.deleted, told.report.failed), (3, 0));
    assert_eq!(world.objects("p/").await, pairs(&TREE[..1]));
}

#[tokio::test]
async fn a_failure_deletes_nothing() {
    let world = World::start().await;
    write(&world.tree("a"), &TREE);
    world.run("tree:a", "p", world.options()).await;
    std::fs::remove_file(world.tree("a").join("e")).unwrap();
    write(&world.tree("a"), &[("a", "new")]);
    let refuse = emulator::Fault::error(403, "AccessDenied");
    let refuse = emulator::Rule::new(refuse)
        .operation("PutObject")
        .key("p/a");
    world.emulator.faults().add(refuse);
    let told = world.run("tree:a", "p", deleting(&world)).await;
    assert_eq!((told.report.deleted, told.report.failed), (0, 2));
    assert_eq!(world.objects("p/").await, pairs(&TREE));
    world.emulator.faults().clear();
    let told = world.run("tree:a", "p", deleting(&world)).await;
    assert_eq!(told.did, ["delete e", "upload a"]);
}

#[tokio::test]
async fn a_listing_that_fails_deletes_nothing() {
    let world = World::start().await;
    write(&world.tree("a"), &TREE);
    world.run("tree:a", "p", world.options()).await;
    std::fs::remove_file(world.tree("a").join("e")).unwrap();
    let refuse = emulator::Fault::error(403, "AccessDenied");
    let refuse = emulator::Rule::new(refuse).operation("ListObjectsV2");
    world.emulator.faults().add(refuse);
    for (source, target) in [("tree:a", "p"), ("p", "tree:a")] {
        let error = world
            .try_run(source, target, deleting(&world))
            .await
            .unwrap_err();
        assert!(error.to_string().contains("AccessDenied"), "{error}");
    }
    world.emulator.faults().clear();
    assert_eq!(world.objects("p/").await, pairs(&TREE));
    assert_eq!(files(&world.tree("a")), pairs(&TREE[..3]));
}

#[tokio::test]
async fn a_link_in_the_way_deletes_nothing() {
    let world = World::start().await;
    write(&world.tree("b"), &[("a", "1"), ("old", "2")]);
    std::fs::create_dir(world.tree("out")).unwrap();
    std::os::unix::fs::symlink(world.tree("out"), world.tree("b").join("link")).unwrap();
    world.bucket.put("p/a", "1").await.unwrap();
    world.bucket.put("p/link/new", "3").await.unwrap();
    let told = world.run("p", "tree:b", deleting(&world)).await;
    // The link that is in the way, and that nothing is deleted.
    assert_eq!(
        (told.report.moved, told.report.deleted, told.report.failed),
        (0, 0, 2),
        "{told:?}"
    );
    assert!(world.tree("b").join("old").exists());
    assert!(files(&world.tree("out")).is_empty());
}

#[tokio::test]
async fn a_file_gives_way_to_a_folder_and_a_folder_to_a_file() {
    let world = World::start().await;
    write(&world.tree("b"), &[("x", "1"), ("y/z", "2"), ("same", "3")]);
    let new = [("x/w", "4"), ("y", "5"), ("same", "3")];
    write(&world.tree("a"), &new);
    world.run("tree:a", "p", world.options()).await;
    let told = world.run("p", "tree:b", world.options()).await;
    assert_eq!((told.report.moved, told.report.failed), (0, 2), "{told:?}");
    let allowed = Options {
        max_delete: "100%".parse().unwrap(),
        ..deleting(&world)
    };
    let told = world.run("p", "tree:b", allowed).await;
    assert_eq!(
        (told.report.moved, told.report.deleted, told.report.failed),
        (2, 2, 0),
        "{told:?}"
    );
    assert_eq!(files(&world.tree("b")), pairs(&new));
}
