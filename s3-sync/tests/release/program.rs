//! What the program says of releases by its exit code.

use std::process::{Command, Output};

use crate::world::{World, tree};

const APP: &str = "s3://releases/app";

async fn run(world: &World, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_s3-sync"));
    command
        .arg("release")
        .args(args)
        .env("HOME", "/nonexistent")
        .env("AWS_ENDPOINT_URL_S3", world.emulator.url())
        .env("AWS_ACCESS_KEY_ID", world.emulator.access_key())
        .env("AWS_SECRET_ACCESS_KEY", world.emulator.secret_key());
    // The emulator runs here, too, and must not be held up.
    let ran = tokio::task::spawn_blocking(move || command.output().unwrap());
    ran.await.unwrap()
}

#[tokio::test]
async fn a_command_that_fails_is_a_failure_of_follow_once() {
    let world = World::new().await;
    world.publish(&tree(&[("a", "1")])).await;
    let node = world.folder.path().join("n");
    let node = node.to_str().unwrap();
    let follow = ["follow", APP, node, "--once", "--silent", "--then"];
    let ran = run(&world, &[&follow[..], &["exit 3"]].concat()).await;
    assert_eq!(ran.status.code(), Some(1), "{ran:?}");
    world.publish(&tree(&[("a", "2")])).await;
    let ran = run(&world, &[&follow[..], &["true"]].concat()).await;
    assert_eq!(ran.status.code(), Some(0), "{ran:?}");
}

#[tokio::test]
async fn wrong_names_and_channels_are_told_before_anything_is_done() {
    let world = World::new().await;
    let source = world.source(&tree(&[("a", "1")]));
    let source = source.path().to_str().unwrap();
    let wait = ["publish", source, APP, "--wait", "0s", "--nodes", "a,../x"];
    let ran = run(&world, &wait).await;
    assert_eq!(ran.status.code(), Some(2), "{ran:?}");
    assert_eq!(world.keys("").await, [] as [&str; 0]);
    let ran = run(&world, &["gc", APP, "--channel", "canary"]).await;
    assert_eq!(ran.status.code(), Some(2), "{ran:?}");
    assert_eq!(world.keys("").await, [] as [&str; 0]);
}
