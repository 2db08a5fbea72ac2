//! What moves, and what does not.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt};
use std::time::{Duration, SystemTime};

use s3_sync::{Newer, Options, Patterns, Rules};

use crate::common::{World, age, files, pairs, write};

#[tokio::test]
async fn a_tree_goes_up_and_comes_down_elsewhere() {
    let world = World::start().await;
    let tree = [
        ("a-b", "1"),
        ("a/x", "2"),
        ("a/y/z", ""),
        ("b.html", "4"),
        ("\u{e9} +%", "5"),
    ];
    write(&world.tree("a"), &tree);
    let script = world.tree("a").join("a-b");
    std::fs::set_permissions(&script, PermissionsExt::from_mode(0o755)).unwrap();
    age(&script, 12345);

    let told = world.run("tree:a", "site", world.options()).await;
    assert_eq!(
        (told.report.moved, told.report.bytes, told.report.failed),
        (5, 4, 0)
    );
    assert_eq!(world.objects("site/").await, pairs(&tree));
    let page = world.bucket.head("site/b.html").await.unwrap();
    assert_eq!(page.content_type(), Some("text/html"));

    let told = world.run("site", "tree:b", world.options()).await;
    assert_eq!((told.report.moved, told.report.failed), (5, 0));
    assert_eq!(files(&world.tree("b")), pairs(&tree));
    let (from, to) = (
        script.metadata().unwrap(),
        world.tree("b").join("a-b").metadata().unwrap(),
    );
    assert_eq!(
        (from.mtime(), from.mtime_nsec()),
        (to.mtime(), to.mtime_nsec())
    );
    assert_eq!(to.mode() & 0o777, 0o755);
}

#[tokio::test]
async fn what_is_level_costs_one_listing_and_the_index() {
    let world = World::start().await;
    let keys: Vec<String> = (0..2100).map(|n| format!("{}/{n}", n % 7)).collect();
    let tree: Vec<(&str, &str)> = keys.iter().map(|key| (&**key, &**key)).collect();
    write(&world.tree("a"), &tree);
    world.run("tree:a", "site", world.options()).await;
    for (source, target) in [("tree:a", "site"), ("site", "tree:a")] {
        let before = world.requests();
        let told = world.run(source, target, world.options()).await;
        assert_eq!((told.report.same, told.report.moved), (2100, 0));
        // Three pages, since the index is a key, too.
        assert_eq!(world.requests() - before, 4);
    }
    world.run("site", "tree:b", world.options()).await;
    let before = world.requests();
    let told = world.run("site", "tree:b", world.options()).await;
    assert_eq!((told.report.same, told.report.moved), (2100, 0));
    assert_eq!(world.requests() - before, 4);
    assert!(world.emulator.stats().connections_max <= 8);
}

#[tokio::test]
async fn equal_length_and_an_older_time_is_a_change() {
    let world = World::start().await;
    write(&world.tree("a"), &[("a", "old text"), ("b", "the same")]);
    world.run("tree:a", "p", world.options()).await;
    std::fs::write(world.tree("a").join("a"), "new text").unwrap();
    age(&world.tree("a").join("a"), 10 * 86_400);
    let told = world.run("tree:a", "p", world.options()).await;
    assert_eq!(told.did, ["upload a"]);
    assert_eq!(
        world.objects("p/").await,
        pairs(&[("a", "new text"), ("b", "the same")])
    );
}

#[tokio::test]
async fn touched_files_do_not_move() {
    let world = World::start().await;
    let tree = [("a", "1"), ("b", "2"), ("c/d", "3")];
    write(&world.tree("a"), &tree);
    world.run("tree:a", "p", world.options()).await;
    for (key, _) in tree {
        age(&world.tree("a").join(key), 5);
    }
    for state in [world.options().state, None] {
        let told = world
            .run(
                "tree:a",
                "p",
                Options {
                    state,
                    ..world.options()
                },
            )
            .await;
        assert_eq!(
            (told.report.same, told.report.moved),
            (3, 0),
            "{:?}",
            told.did
        );
    }
}

#[tokio::test]
async fn large_files_go_both_ways() {
    let world = World::start().await;
    let large = "0123456789abcdef".repeat(1_200_000);
    let middle = "x".repeat(700_000);
    let tree = [("large", &*large), ("middle", &*middle), ("small", "1")];
    write(&world.tree("a"), &tree);
    world.run("tree:a", "p", world.options()).await;
    let told = world.run("p", "tree:b", world.options()).await;
    assert_eq!(
        (told.report.moved, told.report.failed),
        (3, 0),
        "{:?}",
        told.failed
    );
    assert_eq!(files(&world.tree("b")), pairs(&tree));
    for (source, target) in [("tree:a", "p"), ("p", "tree:b")] {
        let told = world.run(source, target, world.options()).await;
        assert_eq!((told.report.same, told.report.moved), (3, 0));
    }
}

#[tokio::test]
async fn last_is_after_all_else_and_only_if_all_is_there() {
    let world = World::start().await;
    let tree = [
        ("a.html", "1"),
        ("b.css", "2"),
        ("c/index.html", "3"),
        ("z.js", "4"),
    ];
    write(&world.tree("a"), &tree);
    let options = || Options {
        last: Some(Patterns::default().exclude("*.html").unwrap()),
        concurrency: 1,
        ..world.options()
    };
    let refuse = emulator::Fault::error(403, "AccessDenied");
    let refuse = emulator::Rule::new(refuse)
        .operation("PutObject")
        .key("p/z.js");
    world.emulator.faults().add(refuse);
    let told = world.run("tree:a", "p", options()).await;
    assert_eq!(told.did, ["upload b.css"]);
    assert_eq!(told.report.failed, 2);
    world.emulator.faults().clear();

    let told = world.run("tree:a", "p", options()).await;
    assert_eq!(told.order, ["z.js", "a.html", "c/index.html"]);
    let report = told.report;
    assert_eq!((report.moved, report.same, report.to_move), (3, 1, 3));
    // A change of equal length is found by reading, and still comes last.
    write(&world.tree("a"), &[("a.html", "9"), ("z.js", "9")]);
    let told = world.run("tree:a", "p", options()).await;
    assert_eq!(told.report.moved, 2);
    assert_eq!(told.order, ["z.js", "a.html"]);
    // The index knows all of them.
    let before = world.requests();
    let told = world.run("tree:a", "p", options()).await;
    assert_eq!((told.report.same, world.requests() - before), (4, 2));
}

#[tokio::test]
async fn filters_choose_and_protect() {
    let world = World::start().await;
    let tree = [
        ("a.txt", "1"),
        ("b.css", "22"),
        ("d/c.txt", "333"),
        ("d/e.css", "4444"),
    ];
    write(&world.tree("a"), &tree);
    world.run("tree:a", "p", world.options()).await;
    write(
        &world.tree("a"),
        &[
            ("a.txt", "9"),
            ("b.css", "99"),
            ("d/c.txt", "999"),
            ("d/e.css", "9999"),
        ],
    );
    std::fs::remove_file(world.tree("a").join("d/c.txt")).unwrap();
    let options = |exclude: &str| Options {
        patterns: Patterns::default().exclude(exclude).unwrap(),
        delete: true,
        dry_run: true,
        ..world.options()
    };
    let told = world.run("tree:a", "p", options("*.txt")).await;
    assert_eq!(told.did, ["upload b.css", "upload d/e.css"]);
    let told = world.run("tree:a", "p", options("/d/")).await;
    assert_eq!(told.did, ["upload a.txt", "upload b.css"]);
    let only = Options {
        only: Some(["d/e.css".to_owned()].into()),
        ..options("nothing")
    };
    assert_eq!(world.run("tree:a", "p", only).await.did, ["upload d/e.css"]);
    // What is passed over is there, and is told once.
    std::os::unix::fs::symlink("a.txt", world.tree("a").join("link")).unwrap();
    let only = Options {
        only: Some(["link", "nowhere"].map(str::to_owned).into()),
        ..options("nothing")
    };
    let told = world.run("tree:a", "p", only).await;
    assert_eq!(
        (told.skipped.len(), told.report.skipped),
        (2, 2),
        "{told:?}"
    );
    let size = Options {
        size: Some("2..3".parse().unwrap()),
        ..options("nothing")
    };
    // A file that is not looked at is there, and so its object is not deleted.
    assert_eq!(
        world.run("tree:a", "p", size).await.did,
        ["delete d/c.txt", "upload b.css"]
    );
    age(&world.tree("a").join("a.txt"), 10);
    let newer = Options {
        newer: Some(Newer::than(SystemTime::now() - Duration::from_secs(600))),
        ..options("nothing")
    };
    assert_eq!(
        world.run("tree:a", "p", newer).await.did,
        ["delete d/c.txt", "upload a.txt"]
    );
    // What was left out is still in the index.
    let part = Options {
        dry_run: false,
        ..options("*.txt")
    };
    world.run("tree:a", "p", part).await;
    let before = world.requests();
    let all = Options {
        dry_run: true,
        ..world.options()
    };
    let told = world.run("tree:a", "p", all).await;
    assert_eq!(told.did, ["upload a.txt"]);
    assert_eq!(world.requests() - before, 2);
}

#[tokio::test]
async fn headers_follow_rules() {
    let world = World::start().await;
    write(&world.tree("a"), &[("assets/x.js.gz", "1"), ("x.js", "2")]);
    let options = Options {
        cache_control: Rules::default()
            .rule("assets/**=max-age=31536000,immutable")
            .unwrap(),
        content_encoding: Rules::default().rule("*.gz=gzip").unwrap(),
        content_type: Rules::default().rule("*.js.gz=text/javascript").unwrap(),
        ..world.options()
    };
    world.run("tree:a", "p", options).await;
    let head = world.bucket.head("p/assets/x.js.gz").await.unwrap();
    assert_eq!(
        head.header("cache-control"),
        Some("max-age=31536000,immutable")
    );
    assert_eq!(head.header("content-encoding"), Some("gzip"));
    assert_eq!(head.content_type(), Some("text/javascript"));
    let head = world.bucket.head("p/x.js").await.unwrap();
    assert_eq!(head.header("cache-control"), None);
}

#[tokio::test]
async fn a_dry_run_tells_the_price_and_verify_reads_all() {
    let world = World::start().await;
    write(&world.tree("a"), &[("a", "1"), ("b", "22")]);
    let dry = || Options {
        dry_run: true,
        ..world.options()
    };
    let told = world.run("tree:a", "p", dry()).await;
    assert_eq!(told.did, ["upload a", "upload b"]);
    assert_eq!((told.report.price.puts, told.report.price.bytes_up), (3, 3));
    assert!(world.objects("p/").await.is_empty());

    world.run("tree:a", "p", world.options()).await;
    let verify = || Options {
        verify: true,
        ..world.options()
    };
    let told = world.run("tree:a", "p", verify()).await;
    assert_eq!((told.report.same, told.report.different), (2, 0));
    world.bucket.put("p/a", "9").await.unwrap();
    world.bucket.put("p/c", "3").await.unwrap();
    for (source, target, lacks) in [("tree:a", "p", "target"), ("p", "tree:a", "source")] {
        let told = world.run(source, target, verify()).await;
        assert_eq!((told.report.same, told.report.failed), (1, 0), "{told:?}");
        assert!(
            told.did.contains(&"differs a: content".to_owned()),
            "{told:?}"
        );
        let only = format!("differs c: only in the {lacks}");
        assert!(told.did.contains(&only), "{told:?}");
        assert_eq!(
            (told.report.different, told.report.kept),
            (2, 0),
            "{told:?}"
        );
    }
    assert_eq!(files(&world.tree("a")), pairs(&[("a", "1"), ("b", "22")]));
}

#[tokio::test]
async fn the_bytes_of_a_large_file_are_told_before_it_is_whole() {
    let world = World::start().await;
    let content = "0123456789abcdef".repeat(20 << 16);
    write(&world.tree("a"), &[("large", &content)]);
    // It does not become whole before some of it was told.
    let gate = emulator::Gate::new();
    let hold = emulator::Rule::new(emulator::Fault::hold(&gate));
    let completion = hold.operation("CompleteMultipartUpload");
    world.emulator.faults().add(completion);
    let mut told = 0;
    let run = s3_sync::sync(world.side("tree:a"), world.side("p")).options(world.options());
    let run = run.run_with(|event| {
        if let s3_sync::Event::Progress(report) = event
            && report.moved == 0
            && report.bytes > 0
        {
            told = report.bytes;
            gate.open();
        }
        std::ops::ControlFlow::Continue(())
    });
    let most = std::time::Duration::from_secs(60);
    let report = tokio::time::timeout(most, run).await.expect("it is told");
    let report = report.expect("a report");
    assert_eq!((report.moved, report.bytes), (1, content.len() as u64));
    assert!(told <= report.bytes, "{told}");
}
