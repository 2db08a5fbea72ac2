//! `s3-sync sync`, `diff` and `verify`.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt};
use std::os::unix::process::CommandExt as _;

use crate::common::{Ran, World};

#[tokio::test]
async fn a_tree_goes_up_is_compared_and_comes_down() {
    let world = World::start().await;
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (a, b, state) = (path("a"), path("b"), path("state"));
    std::fs::create_dir_all(path("a/d")).unwrap();
    std::fs::write(path("a/page.html"), "1").unwrap();
    std::fs::write(path("a/d/x"), "22").unwrap();
    std::fs::write(path("a/d/y"), "333").unwrap();
    let with = |args: &[&'static str], from: &str, to: &str| -> Vec<String> {
        let args = args.iter().map(|arg| (*arg).to_owned());
        let rest = [from, to, "--state", &state].map(str::to_owned);
        args.chain(rest).collect()
    };
    let run = async |args: &[&'static str], from: &str, to: &str| {
        let args = with(args, from, to);
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        world.run(&args).await
    };
    let url = "s3://bucket/p";

    let ran = run(&["diff"], &a, url).await;
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert_eq!(
        ran.out,
        "upload d/x\nupload d/y\nupload page.html\n3 differ, 0 are the same, 0 failed\n"
    );
    let ran = run(
        &[
            "sync",
            "-n",
            "--exclude",
            "x",
            "--exclude=y",
            "--include",
            "y",
        ],
        &a,
        url,
    )
    .await;
    assert!(
        ran.out
            .starts_with("upload d/y\nupload page.html\n2 would be moved (4 bytes)"),
        "{ran:?}"
    );
    assert!(ran.out.contains("$0.0000"), "{ran:?}");
    let ran = run(&["sync", "--json", "--site"], &a, url).await;
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let told = ran.events();
    assert_eq!(told.len(), 4, "{ran:?}");
    assert_eq!(
        (&told[2]["event"], &told[2]["key"]),
        (&"upload".into(), &"page.html".into())
    );
    assert_eq!(
        (&told[3]["moved"], &told[3]["failed"]),
        (&3.into(), &0.into())
    );
    for verb in ["diff", "verify"] {
        let ran = run(&[verb], &a, url).await;
        assert_eq!(ran.code, Some(0), "{ran:?}");
        assert_eq!(ran.out, "0 differ, 3 are the same, 0 failed\n");
    }
    let ran = run(&["sync", "-q"], url, &b).await;
    assert_eq!(
        (ran.code, &*ran.out, &*ran.err),
        (Some(0), "", ""),
        "{ran:?}"
    );
    assert_eq!(std::fs::read(path("b/d/y")).unwrap(), b"333");

    std::fs::write(path("b/d/y"), "444").unwrap();
    std::fs::write(path("b/new"), "").unwrap();
    let ran = run(&["verify"], &b, url).await;
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let mut lines: Vec<&str> = ran.out.lines().collect();
    // In the order in which they are found out.
    lines.sort_unstable();
    assert_eq!(
        lines[1..],
        ["differs d/y: content", "differs new: only in the source"]
    );
    assert_eq!(lines[0], "2 differ, 2 are the same, 0 failed");
    std::fs::write(path("list"), "d/y\n").unwrap();
    let list = path("list");
    let ran = world
        .run(&["sync", &b, url, "--state", &state, "--files-from", &list])
        .await;
    assert!(ran.out.starts_with("1 moved (3 bytes)"), "{ran:?}");
    // Two folders, and a rule without a value.
    assert_eq!(run(&["sync"], &a, &b).await.code, Some(2));
    assert_eq!(
        run(&["sync", "--cache-control", "x"], &a, url).await.code,
        Some(2)
    );
}

#[tokio::test]
async fn an_unreadable_folder_is_named_and_nothing_is_deleted() {
    let world = World::start().await;
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().metadata().unwrap().uid() == 0;
    // No permission stops root, so that the program runs as somebody else, who has to reach it.
    let program = folder.path().join("s3-sync");
    std::fs::copy(env!("CARGO_BIN_EXE_s3-sync"), &program).unwrap();
    std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o755)).unwrap();
    let tree = folder.path().join("tree");
    std::fs::create_dir_all(tree.join("locked")).unwrap();
    std::fs::write(tree.join("locked/a"), "1").unwrap();
    std::fs::write(tree.join("b"), "2").unwrap();
    std::fs::write(tree.join("c"), "3").unwrap();
    let ran = async |args: &[&str]| {
        let mut command = std::process::Command::new(&program);
        let set = world.program(args);
        command.args(args);
        for (name, value) in set.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        if root {
            command.uid(65534);
        }
        Ran::of(command).await
    };
    let args = [
        "sync",
        "--delete",
        "--no-state",
        tree.to_str().unwrap(),
        "s3://bucket/p",
    ];
    let first = ran(&args).await;
    assert_eq!(first.code, Some(0), "{first:?}");
    std::fs::remove_file(tree.join("c")).unwrap();
    let locked = tree.join("locked");
    std::fs::set_permissions(&locked, PermissionsExt::from_mode(0o000)).unwrap();
    let second = ran(&args).await;
    std::fs::set_permissions(&locked, PermissionsExt::from_mode(0o755)).unwrap();
    assert_eq!(second.code, Some(1), "{second:?}");
    assert!(
        second.err.contains("/tree/locked/: cannot read the folder"),
        "{second:?}"
    );
    assert!(second.err.contains("nothing is deleted"), "{second:?}");
    for key in ["p/locked/a", "p/b", "p/c"] {
        world.bucket.head(key).await.unwrap();
    }
}

#[tokio::test]
async fn a_source_that_is_none_is_named_and_a_wrong_bucket_leaves_no_folder() {
    let world = World::start().await;
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    std::fs::write(path("file"), "1").unwrap();
    for (source, why) in [
        (
            path("nosuch"),
            "nosuch: cannot read it: No such file or directory",
        ),
        (path("file"), "file: the source is no folder"),
    ] {
        let ran = world
            .run(&["sync", &source, "s3://bucket", "--no-state"])
            .await;
        assert_eq!(ran.code, Some(1), "{ran:?}");
        assert!(ran.err.contains(why), "{ran:?}");
    }
    let target = path("new");
    let ran = world
        .run(&["sync", "s3://missing", &target, "--no-state"])
        .await;
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(!folder.path().join("new").exists(), "{ran:?}");
    // A prefix that is misspelt is no error, as it may be one that is empty; it is said.
    let ran = world
        .run(&["sync", "s3://bucket/nosuch", &target, "--no-state"])
        .await;
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.err.contains("the source has nothing"), "{ran:?}");
}

#[tokio::test]
async fn each_failure_and_each_action_is_told_with_its_key() {
    let world = World::start().await;
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    std::fs::create_dir_all(path("tree/d")).unwrap();
    for name in ["tree/a", "tree/d/b"] {
        std::fs::write(path(name), name).unwrap();
    }
    std::fs::write(path("list"), "a\nd/b\nd/c\n").unwrap();
    let (tree, list) = (path("tree"), path("list"));
    let refused = emulator::Rule::new(emulator::Fault::error(403, "AccessDenied"));
    let refused = refused.operation("PutObject").key("p/d/b");
    world.emulator.faults().add(refused);
    let args = [
        "sync",
        &tree,
        "s3://bucket/p",
        "--no-state",
        "--files-from",
        &list,
    ];

    let ran = world.run(&[&args[..], &["--json"]].concat()).await;
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let told = ran.events();
    let failed = told
        .iter()
        .find(|event| event["event"] == "failed")
        .unwrap();
    assert_eq!(failed["about"], "d/b");
    let skipped = told
        .iter()
        .find(|event| event["event"] == "skipped")
        .unwrap();
    assert_eq!(skipped["key"], "d/c");

    let ran = world.run(&[&args[..], &["--verbose"]].concat()).await;
    assert!(ran.err.contains("s3-sync: d/b: S3 PutObject"), "{ran:?}");
    assert!(
        ran.err.contains("d/c is passed over: it is in the list"),
        "{ran:?}"
    );
    world.emulator.faults().clear();
    std::fs::remove_file(path("tree/a")).unwrap();
    let args = [
        "sync",
        &tree,
        "s3://bucket/p",
        "--no-state",
        "--delete",
        "--max-delete=1",
        "-v",
    ];
    let ran = world.run(&args).await;
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(
        ran.out.starts_with("upload d/b\ndelete a\n1 moved"),
        "{ran:?}"
    );
    // The index is none of the keys.
    let ran = world.run(&["names", "s3://bucket/p"]).await;
    assert_eq!(ran.out, "1 keys, of which 0 cannot be names of files\n");
}
