//! What `s3-sync release` tells of what is not there, has failed, or is waited for.

use crate::common::{APP, World, text, write};

#[tokio::test]
async fn nothing_that_is_published_is_a_failure_and_no_wrong_use() {
    let world = World::start().await;
    let folder = tempfile::tempdir().expect("a folder");
    let node = folder.path().join("node");
    for args in [
        &["status", APP][..],
        &["rollback", APP],
        &["follow", APP, text(&node), "--once", "--silent"],
        &["promote", APP],
    ] {
        let ran = world.run(&[&["release"], args].concat()).await;
        assert_eq!(ran.code, Some(1), "{args:?} {ran:?}");
        let said = "s3://bucket/app/current";
        assert!(ran.err.contains(said), "{args:?} {ran:?}");
        assert!(
            ran.err.contains("nothing is published yet"),
            "{args:?} {ran:?}"
        );
    }
}

#[tokio::test]
async fn a_release_for_a_web_server_is_copied_and_said() {
    let world = World::start().await;
    let folder = tempfile::tempdir().expect("a folder");
    write(folder.path(), &[("page.html", "1")]);
    world
        .run(&["release", "publish", text(folder.path()), APP])
        .await;
    let expand = [
        "release",
        "expand",
        APP,
        "s3://bucket/site",
        "--cache-control",
        "*=no-cache",
    ];
    for copied in [1, 0] {
        let ran = world.run(&expand).await;
        assert_eq!(ran.code, Some(0), "{ran:?}");
        let said = "release 1 is in s3://bucket/site/1/: 1 files, 1 bytes";
        assert_eq!(ran.out, format!("{said}; {copied} files copied\n"));
    }
    let page = world.bucket.head("site/1/page.html").await.expect("a page");
    assert_eq!(page.header("cache-control"), Some("no-cache"));
}

#[tokio::test]
async fn a_command_that_has_failed_is_said_again_by_the_next_run() {
    let world = World::start().await;
    let folder = tempfile::tempdir().expect("a folder");
    let (source, node) = (folder.path().join("source"), folder.path().join("node"));
    write(&source, &[("a", "1")]);
    let publish = ["release", "publish", text(&source), APP];
    let follow = |more: &[&'static str]| {
        let (node, more) = (node.clone(), more.to_vec());
        let world = &world;
        async move {
            let args = [
                "release",
                "follow",
                APP,
                text(&node),
                "--once",
                "--name",
                "n",
            ];
            world.run(&[&args[..], &more].concat()).await
        }
    };
    world.run(&publish).await;
    for more in [&["--then", "false"][..], &[], &["--quiet", "--json"]] {
        let ran = follow(more).await;
        assert_eq!(ran.code, Some(1), "{ran:?}");
        assert!(ran.err.contains("false: exit status: 1"), "{ran:?}");
        assert_eq!(ran.err.lines().count(), 1, "{ran:?}");
        let ran = world.run(&["release", "status", APP]).await;
        assert!(
            ran.out.contains(": it has failed: false: exit status"),
            "{ran:?}"
        );
    }
    // A release that has gone well, and one that is gone back from and never taken again.
    write(&source, &[("a", "2")]);
    world.run(&publish).await;
    assert_eq!(follow(&["--then", "true"]).await.code, Some(0));
    write(&source, &[("a", "3"), ("bad", "")]);
    world.run(&publish).await;
    let back = ["--then", "! test -e bad", "--rollback-on-failure"];
    assert_eq!(follow(&back).await.code, Some(1));
    let ran = follow(&back).await;
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.err.contains("this node runs release 2, and"), "{ran:?}");
    assert!(
        ran.err.contains("release 3 has failed on this node"),
        "{ran:?}"
    );
    let ran = follow(&["--json"]).await;
    assert_eq!(ran.events()[0]["release"], 2, "{ran:?}");
}

#[tokio::test]
async fn what_is_waited_for_is_said_and_a_report_that_cannot_be_read_is_named() {
    let world = World::start().await;
    let folder = tempfile::tempdir().expect("a folder");
    write(folder.path(), &[("a", "1"), (".git/b", "2")]);
    let publish = [
        "release",
        "publish",
        text(folder.path()),
        APP,
        "--exclude",
        ".git/",
    ];
    let ran = world
        .run(&[&publish[..], &["--channel", "canary"]].concat())
        .await;
    assert!(
        ran.out
            .starts_with("release 1 is current on canary: 1 files, 1 bytes"),
        "{ran:?}"
    );
    let report = world.bucket.put("app/nodes/n1.json", "{");
    report.await.expect("a report");
    let wait = ["--force", "--wait", "0s", "--nodes", "n1,n2"];
    let ran = world.run(&[&publish[..], &wait].concat()).await;
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(
        ran.err.contains("what n1 says of itself cannot be read"),
        "{ran:?}"
    );
    assert!(
        ran.err.contains("n2 has not changed to release 2"),
        "{ran:?}"
    );
    let ran = world.run(&["release", "status", APP]).await;
    assert!(
        ran.out.contains("the report of n1 cannot be read"),
        "{ran:?}"
    );

    // A collection that was killed: the publisher says so, until another one takes over.
    let begun = world.bucket.put("app/sweeps/000001.json", "{}");
    begun.await.expect("a sweep");
    let gc = ["release", "gc", APP];
    let ran = world.run(&gc).await;
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(
        ran.err.contains("`release gc --end-only` ends it"),
        "{ran:?}"
    );
    let endpoint = world.emulator.url();
    let there = ["--force", "--endpoint", &endpoint];
    let mut command = world.program(&[&publish[..], &there].concat());
    command
        .stderr(std::process::Stdio::piped())
        .stdout(std::process::Stdio::null());
    let mut child = command.spawn().expect("the program");
    let mut err = std::io::BufReader::new(child.stderr.take().expect("a pipe"));
    let first = tokio::task::spawn_blocking(move || {
        let mut line = String::new();
        std::io::BufRead::read_line(&mut err, &mut line).map(|_| line)
    });
    let first = first.await.expect("no panic").expect("a line");
    assert!(
        first.contains("waits for the collection of garbage sweeps/000001.json"),
        "{first}"
    );
    let cure = format!("`s3-sync release gc {APP}/ --endpoint {endpoint} --end-only` ends it");
    assert!(first.contains(&cure), "{first}");
    let early = [&gc[..], &["--take-over", "1m"]].concat();
    let ran = world.run(&early).await;
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert!(ran.err.contains("is too early"), "{ran:?}");
    // It is told to stop, and in this test it is still there and says that it has ended.
    let end = [&gc[..], &["--end-only", "--json"]].concat();
    let stops = async {
        while world.bucket.head("app/sweeps/000001.stop").await.is_err() {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        let done = world.bucket.put("app/sweeps/000001.done", "{}");
        done.await.expect("its end");
    };
    let (ran, ()) = tokio::join!(world.run(&end), stops);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let told = ran.events();
    assert_eq!(
        (&told[0]["ended"][0], &told[0]["releases"]),
        (&1.into(), &serde_json::json!([]))
    );
    let ran = world.run(&[&gc[..], &["--end-only"]].concat()).await;
    assert_eq!(ran.out, "no collection is under way\n", "{ran:?}");
    let ended = tokio::task::spawn_blocking(move || child.wait());
    assert!(ended.await.expect("no panic").expect("it ends").success());
}
