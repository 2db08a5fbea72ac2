//! Wrong use, stores that cannot be reached, and output that nobody reads.

use std::process::Stdio;

use crate::common::{Ran, World, program};

#[tokio::test]
async fn wrong_use_ends_with_2() {
    for args in [
        &[][..],
        &["nonsense"],
        &["names"],
        &["names", "b/p"],
        &["names", "s3://"],
        &["names", "s3://bucket", "--connections", "0"],
        &["names", "s3://bucket", "--endpoint", "ftp://x"],
        // Nothing says where the store is.
        &["names", "s3://bucket"],
    ] {
        let ran = Ran::of(program(args)).await;
        assert_eq!(ran.code, Some(2), "{args:?} {ran:?}");
        assert!(!ran.err.is_empty() && ran.out.is_empty(), "{ran:?}");
    }
    let help = Ran::of(program(&["--help"])).await;
    assert_eq!(help.code, Some(0), "{help:?}");
}

#[tokio::test]
async fn what_is_wrong_is_named_with_its_cure() {
    let store = "--endpoint=http://127.0.0.1:1";
    for (args, cure) in [
        (
            &["sync", "a", "s3://bucket"][..],
            "--endpoint URL names a store",
        ),
        (
            &["sync", "a", "S3://bucket"],
            "S3://bucket is not of the form s3://bucket/prefix",
        ),
        (
            &["sync", "a", "https://host/bucket"],
            "a folder of this name is ./https://host/bucket",
        ),
        (
            &["sync", "s3:/bucket/a", "b"],
            "s3:/bucket/a is not of the form",
        ),
        (&["sync", "a", "s3://b"], "3 to 255 letters"),
        (
            &["sync", "a", "b", store],
            "one side has to be s3://bucket/prefix",
        ),
        (
            &["sync", "a", "s3://bucket", "--max-delete", "5"],
            "--delete",
        ),
        (
            &["sync", "a", "s3://bucket", "--newer", "7x"],
            "'--newer <AGE>'",
        ),
        (
            &["sync", "a", "s3://bucket", "--exclude", "["],
            "'--exclude <PATTERN>'",
        ),
        (
            &["sync", "a", "s3://bucket", "--last", "[a"],
            "'--last <PATTERN>'",
        ),
        (
            &["sync", "a", "s3://bucket", "--cache-control", "*=\u{e4}"],
            "printable ASCII",
        ),
        (
            &["sync", "a", "s3://bucket", store, "--fsync"],
            "--fsync is for downloads",
        ),
        (
            &["sync", "s3://bucket", "a", store, "--site"],
            "for uploads and copies",
        ),
        (
            &[
                "sync",
                "a",
                "s3://bucket",
                store,
                "--files-from",
                "/no/list",
            ],
            "--files-from /no/list",
        ),
        (
            &[
                "release",
                "publish",
                "a",
                "s3://bucket",
                "--nodes=a",
                "--wait=x",
            ],
            "such as 90s",
        ),
        (
            &["release", "publish", "a", "s3://bucket", "--at", "soon"],
            "2026-11-30T21:00:00Z",
        ),
    ] {
        let ran = Ran::of(program(args)).await;
        assert_eq!(ran.code, Some(2), "{args:?} {ran:?}");
        assert!(ran.err.contains(cure), "{args:?} {ran:?}");
    }
}

#[tokio::test]
async fn output_that_cannot_be_written_is_said() {
    let world = World::start().await;
    world.bucket.put("a", "x").await.unwrap();
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full");
    let mut command = world.program(&["names", "s3://bucket"]);
    command.stdout(full.expect("/dev/full is there, which this test needs"));
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    drop(command);
    let ended = tokio::task::spawn_blocking(move || {
        let code = child.wait().unwrap().code();
        (
            code,
            std::io::read_to_string(child.stderr.take().unwrap()).unwrap(),
        )
    });
    let (code, err) = ended.await.unwrap();
    assert_eq!(code, Some(1));
    assert!(
        err.contains("cannot write to standard output: No space left"),
        "{err}"
    );
}

#[tokio::test]
async fn a_store_that_refuses_ends_with_1() {
    let world = World::start().await;
    let ran = world.run(&["names", "s3://missing"]).await;
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.err.contains("NoSuchBucket"), "{ran:?}");
}

#[tokio::test]
async fn output_that_nobody_reads_ends_it_quietly() {
    let world = World::start().await;
    world.bucket.put("a", "x").await.unwrap();
    let mut command = world.program(&["names", "s3://bucket"]);
    // The other end is closed before anything is printed.
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    command
        .stdin(Stdio::null())
        .stdout(writer)
        .stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    drop(command);
    let ended = tokio::task::spawn_blocking(|| child.wait_with_output());
    let ended = ended.await.unwrap().unwrap();
    // Not all was done.
    assert_eq!(ended.status.code(), Some(1));
    assert_eq!(String::from_utf8_lossy(&ended.stderr), "");
}
