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
