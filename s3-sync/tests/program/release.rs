//! `s3-sync release`, from the first release to the collection of the old ones.

use std::fs;

use crate::common::{APP, Ran, World, program, text, write};

#[tokio::test]
async fn a_release_goes_out_is_taken_back_and_the_old_ones_are_collected() {
    let world = World::start().await;
    let folder = tempfile::tempdir().expect("a folder");
    let (source, node) = (folder.path().join("source"), folder.path().join("node"));
    let (source_text, node_text) = (text(&source), text(&node));
    write(&source, &[("chat/a", "1"), ("mail/b", "2")]);
    let publish = async |more: &[&str]| {
        let args = [&["release", "publish", source_text, APP], more].concat();
        world.run(&args).await
    };
    let ran = publish(&[]).await;
    assert_eq!((ran.code, &*ran.err), (Some(0), ""));
    assert_eq!(
        ran.out,
        "release 1 is current: 2 files, 2 bytes; 2 contents sent, 2 bytes\n"
    );

    let log = folder.path().join("log");
    let on = format!("chat/**=echo chat $RELEASE >> {}", text(&log));
    let then = format!("echo all >> {}", text(&log));
    let follow = [
        "release", "follow", APP, node_text, "--once", "--name", "n1", "--on", &on, "--then", &then,
    ];
    let ran = world.run(&follow).await;
    assert_eq!((ran.code, &*ran.err), (Some(0), ""));
    assert!(
        ran.out
            .contains("this node runs release 1: 2 files changed, 0 removed"),
        "{ran:?}"
    );
    write(&source, &[("mail/b", "new")]);
    let ran = publish(&["--json", "--note", "mail"]).await;
    assert_eq!(ran.events()[0]["sent"], 1, "{ran:?}");
    let quiet = [&follow[..], &["--quiet"]].concat();
    let ran = world.run(&quiet).await;
    assert_eq!((ran.code, &*ran.out, &*ran.err), (Some(0), "", ""));
    assert_eq!(
        fs::read(node.join("current/mail/b")).expect("a file"),
        b"new"
    );
    assert_eq!(
        fs::read_to_string(&log).expect("a log"),
        "chat 1\nall\nall\n"
    );

    let ran = world.run(&follow).await;
    assert_eq!(
        (ran.code, &*ran.out),
        (Some(0), "this node runs release 2\n")
    );
    let ran = world.run(&["release", "list", APP]).await;
    let lines: Vec<&str> = ran.out.lines().collect();
    assert!(lines[0].starts_with("release 1 of 20"), "{ran:?}");
    assert!(
        lines[1].contains("Z: 2 files, 4 bytes, manifest ")
            && lines[1].ends_with(", current: mail"),
        "{ran:?}"
    );
    let ran = world
        .run(&["release", "list", APP, "--json", "--last", "1"])
        .await;
    let told = ran.events();
    assert_eq!(
        (told.len(), &told[0]["note"]),
        (1, &"mail".into()),
        "{ran:?}"
    );

    let ran = world.run(&["release", "rollback", APP]).await;
    assert_eq!(ran.out, "release 1 is current, by move 3\n", "{ran:?}");
    let ran = world
        .run(&["release", "status", APP, "--wait", "0s", "--nodes", "n1,n2"])
        .await;
    assert_eq!(ran.code, Some(1));
    assert!(
        ran.out
            .starts_with("release 1 is current, by move 3\nn1 runs release 2 since 20"),
        "{ran:?}"
    );
    assert!(
        ran.err.contains("n2 has not changed to release 1 in time"),
        "{ran:?}"
    );
    world.run(&quiet).await;
    let ran = world
        .run(&[
            "release", "status", APP, "--wait", "9s", "--nodes", "n1", "--json",
        ])
        .await;
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(ran.events()[2]["there"][0], "n1");

    let gc = [
        "release", "gc", APP, "--keep", "1", "--older", "0s", "--young", "0s",
    ];
    let ran = world.run(&[&gc[..], &["--dry-run"]].concat()).await;
    assert!(
        ran.out
            .starts_with("0 releases and 0 contents (0 bytes) would be removed"),
        "{ran:?}"
    );
    write(&source, &[("mail/b", "third")]);
    publish(&[]).await;
    world.run(&quiet).await;
    let ran = world.run(&gc).await;
    assert!(
        ran.out
            .starts_with("2 releases and 2 contents (4 bytes) removed"),
        "{ran:?}"
    );
}

#[tokio::test]
async fn a_canary_goes_first_by_a_signed_pointer_in_simpledb() {
    let world = World::start().await;
    let folder = tempfile::tempdir().expect("a folder");
    let source = folder.path().join("source");
    write(&source, &[("a", "1")]);
    let (key, public) = (folder.path().join("key.pem"), folder.path().join("key.pub"));
    // Those of RFC 8410.
    let pem =
        |name: &str, text: &str| format!("-----BEGIN {name}-----\n{text}\n-----END {name}-----\n");
    let private = "MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC";
    fs::write(&key, pem("PRIVATE KEY", private)).expect("a file");
    let text_of_public = "MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=";
    fs::write(&public, pem("PUBLIC KEY", text_of_public)).expect("a file");
    let keys =
        s3_client::Credentials::new(world.emulator.access_key(), world.emulator.secret_key());
    let sdb = sdb_client::SdbClient::builder()
        .endpoint(world.emulator.url())
        .credentials(keys)
        .build();
    sdb.expect("a client")
        .domain("pointers")
        .create()
        .await
        .expect("a domain");
    let url = world.emulator.url();
    let pointer = ["--pointer", "sdb:pointers/app", "--sdb-endpoint", &url];
    let run = async |args: &[&str]| world.run(&[args, &pointer].concat()).await;
    let sign = ["--sign-key", text(&key)];
    let ran = run(&[
        &[
            "release",
            "publish",
            text(&source),
            APP,
            "--channel",
            "canary",
        ],
        &sign[..],
    ]
    .concat())
    .await;
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let node = folder.path().join("node");
    let follow = [
        "release",
        "follow",
        APP,
        text(&node),
        "--once",
        "--silent",
        "--trust-key",
        text(&public),
    ];
    let ran = run(&follow).await;
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let nothing = "sdb:pointers/app: nothing is published yet";
    assert!(ran.err.contains(nothing), "{ran:?}");
    let ran = run(&["release", "status", APP]).await;
    assert!(ran.err.contains(nothing), "{ran:?}");
    let ran = run(&["release", "promote", APP]).await;
    assert_eq!(ran.out, "release 1 is current, by move 1\n", "{ran:?}");
    let ran = run(&follow).await;
    assert!(
        ran.err.contains("not signed by a key that is trusted here"),
        "{ran:?}"
    );
    run(&[&["release", "promote", APP], &sign[..]].concat()).await;
    let ran = run(&follow).await;
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(fs::read(node.join("current/a")).expect("a file"), b"1");
    // The private key where the public one belongs: it is not shown.
    let ran = run(&[
        "release",
        "follow",
        APP,
        text(&node),
        "--once",
        "--trust-key",
        text(&key),
    ])
    .await;
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert!(
        ran.err.contains("key.pem") && !ran.err.contains(&private[..20]),
        "{ran:?}"
    );
}

#[tokio::test]
async fn nodes_are_the_instances_that_ec2_names() {
    let world = World::start().await;
    let table = r#"[{"InstanceId": "i-1", "Tags": {"cluster": "chat"}}, {"InstanceId": "i-2", "State": "stopped",
        "Tags": {"cluster": "chat"}}, {"InstanceId": "i-3", "Tags": {"cluster": "mail"}}]"#;
    world.emulator.ec2().set(table).expect("a table");
    let folder = tempfile::tempdir().expect("a folder");
    write(folder.path(), &[("a", "1")]);
    let publish = async |nodes: &str| {
        let args = [
            "release",
            "publish",
            text(folder.path()),
            APP,
            "--wait",
            "0s",
            "--nodes",
            nodes,
        ];
        let mut command = world.program(&args);
        command
            .env("AWS_ENDPOINT_URL_EC2", world.emulator.url())
            .env("AWS_REGION", "us-east-1");
        Ran::of(command).await
    };
    let ran = publish("ec2:tag:cluster=chat,extra").await;
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let missing: Vec<&str> = ran
        .err
        .lines()
        .filter_map(|line| line.split(' ').nth(1))
        .collect();
    assert_eq!(missing, ["extra", "i-1"]);
    for (nodes, said) in [
        ("ec2:tag:cluster=none", "no running instance"),
        ("ec2:chat", "not of the form"),
    ] {
        let ran = publish(nodes).await;
        assert_eq!(ran.code, Some(2), "{ran:?}");
        assert!(ran.err.contains(said), "{ran:?}");
    }
}

#[tokio::test]
async fn wrong_use_is_told_before_anything_is_done() {
    let folder = tempfile::tempdir().expect("a folder");
    let node = folder.path().join("node");
    let node = text(&node);
    for (args, said) in [
        (&["publish", ".", "bucket"][..], "s3://bucket/prefix"),
        (&["publish", ".", APP, "--at", "tomorrow"], "--at"),
        (&["publish", ".", APP, "--wait", "5m"], "--nodes"),
        (
            &["publish", ".", APP, "--channel", "A"],
            "lower-case letters",
        ),
        (&["publish", ".", APP, "--pointer", "x"], "sdb:DOMAIN/ITEM"),
        (&["status", APP, "--reports", "x"], "sdb:DOMAIN"),
        (
            &["status", APP, "--sdb-endpoint", "http://h"],
            "--pointer or --reports",
        ),
        (
            &["publish", ".", APP, "--sign-key", "/nonexistent"],
            "/nonexistent",
        ),
        (&["follow", APP, node, "--on", "chat"], "PATTERN=COMMAND"),
        (&["follow", APP, node, "--on", "a[=x"], "no pattern"),
        (
            &["follow", APP, node, "--signal", "KILL", "--pid-file", "x"],
            "no signal",
        ),
        (&["follow", APP, node, "--signal", "HUP"], "--pid-file"),
        (
            &["follow", APP, node, "--name", "../x"],
            "no name of a node",
        ),
        (&["follow", APP, node, "--every", "soon"], "--every"),
        (&["gc", APP, "--keep", "0"], "--keep"),
    ] {
        let args = [&["release", "--endpoint", "http://127.0.0.1:1"], args].concat();
        let mut command = program(&args);
        command
            .env("AWS_ACCESS_KEY_ID", "x")
            .env("AWS_SECRET_ACCESS_KEY", "x");
        let ran = Ran::of(command).await;
        assert_ne!(ran.code, Some(0), "{args:?} {ran:?}");
        assert!(ran.err.contains(said), "{args:?} {ran:?}");
    }
    assert!(!folder.path().join("node").exists());
}

/// A disk that takes no more: what is larger than a block is refused by the limit of the shell.
#[tokio::test]
async fn a_disk_without_room_leaves_the_release_before() {
    let world = World::start().await;
    let folder = tempfile::tempdir().expect("a folder");
    let (source, node) = (folder.path().join("source"), folder.path().join("node"));
    write(&source, &[("a", "1")]);
    let publish = ["release", "publish", text(&source), APP];
    let follow = ["release", "follow", APP, text(&node), "--once", "--silent"];
    world.run(&publish).await;
    world.run(&follow).await;
    write(
        &source,
        &[("a", &"2".repeat(3000)), ("b", &"3".repeat(2_000_000))],
    );
    world.run(&publish).await;
    let mut shell = std::process::Command::new("sh");
    let limited = format!(
        "trap '' XFSZ; ulimit -f 2; exec {} \"$@\"",
        env!("CARGO_BIN_EXE_s3-sync")
    );
    shell
        .args(["-c", &limited, "sh"])
        .args(follow)
        .env("HOME", "/nonexistent");
    shell.env("AWS_ENDPOINT_URL_S3", world.emulator.url());
    shell.env("AWS_ACCESS_KEY_ID", world.emulator.access_key());
    shell.env("AWS_SECRET_ACCESS_KEY", world.emulator.secret_key());
    let ran = Ran::of(shell).await;
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.err.contains("cannot write it"), "{ran:?}");
    assert_eq!(fs::read(node.join("current/a")).expect("a file"), b"1");
    assert!(!node.join("releases/2").exists());
    // There is room again.
    let ran = world.run(&follow).await;
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(
        fs::read(node.join("current/b")).expect("a file").len(),
        2_000_000
    );
}
