//! Trees, keys, stores and indexes that are not as they should be: named, nothing deleted, nothing written outside.

use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;

use s3_sync::{Kind, Options, sync};

use crate::common::{World, files, pairs, write};

fn deleting(world: &World) -> Options {
    Options {
        delete: true,
        ..world.options()
    }
}

#[tokio::test]
async fn keys_that_are_no_files_are_named_and_written_nowhere() {
    let world = World::start().await;
    let bad = [
        "../up",
        "/absolute",
        "a//b",
        "a/../../up",
        "c/./d",
        "file/below",
        "x/..",
    ];
    for key in bad.iter().chain(&["file", "good"]) {
        world
            .bucket
            .put(format!("p/{key}"), "content")
            .await
            .unwrap();
    }
    write(&world.tree("in/t"), &[("only here", "1")]);
    let told = world.run("p", "tree:in/t", deleting(&world)).await;
    assert_eq!((told.report.moved, told.report.deleted), (2, 0), "{told:?}");
    // Each of them, and that nothing is deleted.
    assert_eq!(told.report.failed, bad.len() as u64 + 1, "{told:?}");
    for key in bad {
        let named = told
            .failed
            .iter()
            .filter(|line| line.starts_with(&format!("{key}: ")));
        assert_eq!(named.count(), 1, "{key}: {:?}", told.failed);
    }
    let expected = [
        ("t/file", "content"),
        ("t/good", "content"),
        ("t/only here", "1"),
    ];
    assert_eq!(files(&world.tree("in")), pairs(&expected));
}

#[tokio::test]
async fn folders_of_objects_are_passed_over() {
    let world = World::start().await;
    for key in ["p/", "p/d/", "p/d/e/", "p/d/f"] {
        world
            .bucket
            .put(key, if key.ends_with('/') { "" } else { "1" })
            .await
            .unwrap();
    }
    let told = world.run("p", "tree:t", world.options()).await;
    assert_eq!((told.report.moved, told.report.failed), (1, 0), "{told:?}");
    assert_eq!(files(&world.tree("t")), pairs(&[("d/f", "1")]));
    let told = world.run("tree:t", "p", deleting(&world)).await;
    assert_eq!((told.report.same, told.report.deleted), (1, 0), "{told:?}");
}

#[tokio::test]
async fn keys_that_begin_with_slashes_go_through_patterns() {
    let world = World::start().await;
    for key in ["p///x", "p/t18///x", "p/z"] {
        world.bucket.put(key, "1").await.unwrap();
    }
    write(&world.tree("t"), &[("only here", "1"), ("z", "1")]);
    let options = Options {
        patterns: s3_sync::Patterns::default().exclude("*.map").unwrap(),
        ..deleting(&world)
    };
    let told = world.run("p", "tree:t", options).await;
    assert_eq!((told.report.same, told.report.deleted), (1, 0), "{told:?}");
    assert_eq!(told.report.failed, 3, "{told:?}");
}

#[tokio::test]
async fn keys_below_names_that_are_reserved_are_left_alone() {
    let world = World::start().await;
    let keys = ["p/.s3-sync/x", "p/d/.s3-sync.part-1/y"];
    for key in keys {
        world.bucket.put(key, "1").await.unwrap();
    }
    write(&world.tree("t"), &[("a", "1")]);
    let told = world.run("p", "tree:u", world.options()).await;
    assert_eq!((told.report.moved, told.report.failed), (0, 0), "{told:?}");
    let told = world.run("tree:t", "p", deleting(&world)).await;
    assert_eq!(
        (told.report.deleted, told.report.failed),
        (0, 0),
        "{told:?}"
    );
    for key in keys {
        world.bucket.head(key).await.unwrap();
    }
}

#[tokio::test]
async fn what_has_no_meaning_in_a_direction_is_refused() {
    let world = World::start().await;
    let usual = || world.options();
    let last = || Options {
        last: Some(s3_sync::Patterns::default().exclude("*.html").unwrap()),
        ..usual()
    };
    let rule = || s3_sync::Rules::default().rule("*=x").unwrap();
    let of_uploads = || {
        [
            Options {
                links: s3_sync::Links::Follow,
                ..usual()
            },
            Options {
                cache_control: rule(),
                ..usual()
            },
            Options {
                content_encoding: rule(),
                ..usual()
            },
            Options {
                content_type: rule(),
                ..usual()
            },
        ]
    };
    let down = of_uploads().into_iter().chain([last()]);
    let down = down.map(|options| ("tree:t", options));
    for (target, options) in down.chain(of_uploads().map(|options| ("q", options))) {
        let refused = world.try_run("p", target, options).await.unwrap_err();
        assert_eq!(refused.kind(), Kind::Usage, "{target}: {refused}");
    }
    world.run("p", "q", last()).await;
}

#[tokio::test]
async fn a_name_that_is_no_key_is_named_and_nothing_is_deleted() {
    let world = World::start().await;
    write(&world.tree("t"), &[("a", "1"), ("d/b", "2"), ("e", "3")]);
    world.run("tree:t", "p", world.options()).await;
    std::fs::remove_file(world.tree("t").join("e")).unwrap();
    write(&world.tree("t"), &[("a", "new")]);
    let odd = world.tree("t").join(std::ffi::OsStr::from_bytes(b"d/\xff"));
    std::fs::write(odd, "x").unwrap();
    let told = world.run("tree:t", "p", deleting(&world)).await;
    assert_eq!(told.did, ["upload a"]);
    assert_eq!(told.report.failed, 2, "{told:?}");
    assert!(
        told.failed.iter().any(|line| line.contains("not UTF-8")),
        "{told:?}"
    );
    assert!(
        told.failed
            .iter()
            .any(|line| line.contains("nothing is deleted")),
        "{told:?}"
    );
    assert_eq!(world.objects("p/").await.len(), 3);
}

#[tokio::test]
async fn links_are_not_followed_and_lead_nowhere() {
    let world = World::start().await;
    write(&world.tree("t"), &[("a", "1")]);
    write(&world.tree("out"), &[("secret", "s")]);
    symlink(world.tree("out"), world.tree("t").join("link")).unwrap();
    symlink("a", world.tree("t").join("b")).unwrap();
    let told = world.run("tree:t", "p", world.options()).await;
    assert_eq!(told.skipped, ["b", "link"]);
    assert_eq!(world.objects("p/").await, pairs(&[("a", "1")]));
    let follow = Options {
        links: s3_sync::Links::Follow,
        ..deleting(&world)
    };
    let told = world.run("tree:t", "p", follow).await;
    assert!(told.failed[0].contains("out of the tree"), "{told:?}");
    assert_eq!(world.objects("p/").await, pairs(&[("a", "1"), ("b", "1")]));

    // What comes down is not written through a link.
    world.bucket.put("p/link/secret", "changed").await.unwrap();
    world.bucket.put("p/link/new", "new").await.unwrap();
    let told = world.run("p", "tree:t", deleting(&world)).await;
    assert_eq!((told.report.moved, told.report.deleted), (0, 0), "{told:?}");
    assert_eq!(files(&world.tree("out")), pairs(&[("secret", "s")]));
}

#[tokio::test]
async fn a_store_that_lists_out_of_order_is_named_and_nothing_is_deleted() {
    let world = World::start().await;
    write(&world.tree("t"), &[("b", "1")]);
    let page = "<ListBucketResult><IsTruncated>false</IsTruncated><Contents><Key>p/b</Key><Size>1</Size></Contents>\
                <Contents><Key>p/a</Key><Size>1</Size></Contents></ListBucketResult>";
    let answer = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/xml\r\ncontent-length: {}\r\n\r\n{page}",
        page.len()
    );
    let rule = emulator::Rule::new(emulator::Fault::garbage(answer));
    world.emulator.faults().add(rule.operation("ListObjectsV2"));
    let error = world
        .try_run("tree:t", "p", deleting(&world))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), Kind::Content, "{error}");
    assert!(error.to_string().contains("p/a"), "{error}");
}

#[tokio::test]
async fn an_index_that_lies_is_noticed_and_a_broken_one_costs_time() {
    let world = World::start().await;
    write(&world.tree("t"), &[("a", "1"), ("b", "2")]);
    world.run("tree:t", "p", world.options()).await;
    let good = world.bucket.get("p/.s3-sync").await.unwrap();
    let good = good.body.bytes(1 << 20).await.unwrap();

    // The index of another tree, whose tags are those of these objects.
    write(&world.tree("u"), &[("a", "9"), ("b", "8")]);
    world.run("tree:u", "q", world.options()).await;
    let other = world.bucket.get("q/.s3-sync").await.unwrap();
    let other = other.body.bytes(1 << 20).await.unwrap();
    world.bucket.put("p/.s3-sync", other).await.unwrap();
    let told = world.run("p", "tree:v", world.options()).await;
    assert_eq!((told.report.moved, told.report.failed), (2, 0), "{told:?}");
    assert_eq!(files(&world.tree("v")), pairs(&[("a", "1"), ("b", "2")]));

    for broken in [&b"no gzip"[..], &good[..good.len() / 2], b""] {
        world
            .bucket
            .put("p/.s3-sync", broken.to_vec())
            .await
            .unwrap();
        let told = world.run("p", "tree:v", world.options()).await;
        assert_eq!((told.report.same, told.report.failed), (2, 0), "{told:?}");
        assert_eq!(told.warnings.len(), 1, "{told:?}");
        let told = world.run("tree:t", "p", world.options()).await;
        assert_eq!((told.report.same, told.report.moved), (2, 0), "{told:?}");
        // It has been written anew.
        let told = world.run("p", "tree:v", world.options()).await;
        assert_eq!((told.report.same, told.warnings.len()), (2, 0), "{told:?}");
    }
}

#[tokio::test]
async fn a_body_that_is_not_what_the_index_says_is_not_written() {
    let world = World::start().await;
    write(&world.tree("t"), &[("a", "right"), ("b", "2")]);
    world.run("tree:t", "p", world.options()).await;
    let head = world.bucket.head("p/a").await.unwrap();
    let answer = format!(
        "HTTP/1.1 200 OK\r\netag: {}\r\ncontent-length: 5\r\n\r\nwrong",
        head.etag().unwrap()
    );
    let rule = emulator::Rule::new(emulator::Fault::garbage(answer));
    world
        .emulator
        .faults()
        .add(rule.operation("GetObject").key("p/a"));
    let told = world.run("p", "tree:u", deleting(&world)).await;
    assert_eq!((told.report.moved, told.report.failed), (1, 1), "{told:?}");
    assert!(told.failed[0].contains("SHA-256"), "{told:?}");
    assert_eq!(files(&world.tree("u")), pairs(&[("b", "2")]));
}

#[tokio::test]
async fn an_object_that_was_replaced_meanwhile_is_named() {
    let world = World::start().await;
    world.bucket.put("p/a", "old").await.unwrap();
    let gate = emulator::Gate::new();
    let rule = emulator::Rule::new(emulator::Fault::hold(&gate))
        .operation("GetObject")
        .key("p/a");
    world.emulator.faults().add(rule.times(1));
    let replace = async {
        let injected = || world.emulator.faults().count() > 0;
        while !injected() {
            tokio::task::yield_now().await;
        }
        world.bucket.put("p/a", "new").await.unwrap();
        gate.open();
    };
    let (told, ()) = tokio::join!(world.run("p", "tree:t", world.options()), replace);
    assert_eq!((told.report.moved, told.report.failed), (0, 1), "{told:?}");
    assert!(told.failed[0].contains("replaced"), "{told:?}");
    assert!(files(&world.tree("t")).is_empty());
}

#[tokio::test]
async fn a_file_that_changes_while_it_is_sent_is_named() {
    let world = World::start().await;
    let long = "1".repeat(300_000);
    write(
        &world.tree("t"),
        &[("a", "1"), ("large", &long), ("old", "2")],
    );
    world.bucket.put("p/only there", "3").await.unwrap();
    let gate = emulator::Gate::new();
    let rule = emulator::Rule::new(emulator::Fault::hold(&gate)).operation("PutObject");
    world.emulator.faults().add(rule.key("p/large").times(1));
    let change = async {
        while world.emulator.faults().count() == 0 {
            tokio::task::yield_now().await;
        }
        let path = world.tree("t").join("large");
        std::fs::write(path, "2".repeat(300_001)).unwrap();
        gate.open();
    };
    let allowed = Options {
        max_delete: "100%".parse().unwrap(),
        ..deleting(&world)
    };
    let (told, ()) = tokio::join!(world.run("tree:t", "p", allowed.clone()), change);
    assert_eq!((told.report.moved, told.report.deleted), (2, 0), "{told:?}");
    assert!(told.failed[0].contains("/t/large"), "{told:?}");
    assert!(told.failed[0].contains("changed"), "{told:?}");
    // The next run sends what is there now, since nothing says that it was sent.
    let told = world.run("tree:t", "p", allowed).await;
    assert_eq!(told.did, ["delete only there", "upload large"]);
}

/// No file system of this machine need fold names: the run is told that the target does.
#[tokio::test]
async fn names_that_fold_to_one_are_named_and_nothing_is_overwritten_or_deleted() {
    let world = World::start().await;
    for key in ["A", "a", "B/x", "b/y", "c"] {
        let put = world.bucket.put(format!("p/{key}"), key);
        put.await.expect("an object");
    }
    write(&world.tree("t"), &[("old", "old")]);
    let options = |folding| Options {
        folding,
        delete: true,
        max_delete: "100%".parse().expect("a share"),
        ..world.options()
    };
    let told = world.run("p", "tree:t", options(true)).await;
    let faults = &told.failed[..told.failed.len() - 1];
    assert_eq!(faults.len(), 2, "{told:?}");
    for (fault, key) in faults.iter().zip(["a: ", "b/y: "]) {
        assert!(fault.starts_with(key), "{told:?}");
        assert!(fault.contains("to this file system"), "{told:?}");
    }
    let expected = [("A", "A"), ("B/x", "B/x"), ("c", "c"), ("old", "old")];
    assert_eq!(files(&world.tree("t")), pairs(&expected));
    // Up, it has no meaning.
    let error = world
        .try_run("tree:t", "p", options(true))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), Kind::Usage, "{error}");
}

#[tokio::test]
async fn nothing_more_is_fetched_when_nobody_writes_any_more() {
    let world = World::start().await;
    for i in 0..200 {
        let put = world.bucket.put(format!("p/{i}"), "x");
        put.await.expect("an object");
    }
    let options = Options {
        concurrency: 1,
        ..world.options()
    };
    let run = sync(world.side("p/"), world.side("tree:a")).options(options);
    let run = run.on_step(|step| assert_ne!(step.what, "begin", "on purpose"));
    let error = run.run().await.expect_err("a defect");
    assert_eq!(error.kind(), Kind::Defect, "{error}");
    assert!(!error.about().is_empty(), "{error}");
    assert!(world.requests() < 250, "{}", world.requests());
}
