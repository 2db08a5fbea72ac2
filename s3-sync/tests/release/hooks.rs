//! Commands after a change, and going back when one fails.

use std::sync::{Arc, Mutex};

use s3_sync::release::{Channel, Hooks, Notice, Place};

use crate::world::{World, once, tree};

#[tokio::test]
async fn commands_are_run_for_what_has_changed() {
    let world = World::new().await;
    let log = world.folder.path().join("log");
    let write = |word: &str| {
        format!(
            "echo {word} $RELEASE $PREVIOUS $(cat $CHANGED_FILES) >> {}",
            log.display()
        )
    };
    let hooks = || {
        Hooks::new()
            .on("chat/**", write("chat"))
            .and_then(|hooks| hooks.on("mail/**", write("mail")))
            .unwrap()
            .then(write("all"))
    };
    let said = || std::mem::take(&mut std::fs::read_to_string(&log).unwrap());
    world
        .publish(&tree(&[("chat/a", "1"), ("mail/b", "1")]))
        .await;
    once(world.node("n").hooks(hooks())).await.unwrap();
    assert_eq!(
        said(),
        "chat 1 chat/a mail/b\nmail 1 chat/a mail/b\nall 1 chat/a mail/b\n"
    );
    std::fs::remove_file(&log).unwrap();
    world
        .publish(&tree(&[("chat/a", "1"), ("mail/c", "1")]))
        .await;
    once(world.node("n").hooks(hooks())).await.unwrap();
    assert_eq!(said(), "mail 2 1 mail/c mail/b\nall 2 1 mail/c mail/b\n");
    // Nothing has changed, and nothing is run.
    std::fs::remove_file(&log).unwrap();
    once(world.node("n").hooks(hooks())).await.unwrap();
    assert!(!log.exists());
}

#[tokio::test]
async fn a_release_whose_command_fails_is_left_and_marked() {
    let world = World::new().await;
    let log = world.folder.path().join("log");
    let command = format!(
        "echo $RELEASE $PREVIOUS >> {}; ! test -e broken",
        log.display()
    );
    let told = Arc::new(Mutex::new(Vec::new()));
    let node = |go_back: bool| {
        let told = Arc::clone(&told);
        let node = world
            .node("n")
            .hooks(Hooks::new().then(&command))
            .rollback_on_failure(go_back);
        node.on_notice(move |notice| {
            told.lock().unwrap().push(match notice {
                Notice::Fetched { release, .. } => format!("fetched {release}"),
                Notice::Changed(release) => format!("changed {}", release.number),
                Notice::CommandFailed { release, .. } => format!("failed {release}"),
                Notice::WentBack { to } => format!("back to {to}"),
                Notice::Stands { release, wrong } => format!("stands {release}: {wrong:?}"),
                other => format!("{other:?}"),
            });
        })
    };
    let good = tree(&[("a", "1")]);
    world.publish(&good).await;
    once(node(true)).await.unwrap();
    let broken = tree(&[("a", "1"), ("broken", "")]);
    let second = world.publish(&broken).await;
    once(node(true)).await.unwrap();
    assert_eq!(world.used("n"), good);
    assert_eq!(std::fs::read_to_string(&log).unwrap(), "1\n2 1\n1 2\n");
    let said = std::mem::take(&mut *told.lock().unwrap());
    let expected = [
        "fetched 1",
        "changed 1",
        "stands 1: None",
        "fetched 2",
        "failed 2",
        "back to 1",
        "changed 1",
        "stands 1: Some(\"release 2 has failed on this node\")",
    ];
    assert_eq!(said, expected);
    let waited = world
        .app
        .wait_for(2, second.seq, &["n".to_owned()], std::time::Duration::ZERO)
        .await
        .unwrap();
    assert!(
        waited.failed[0]
            .1
            .contains("release 2 failed, and this node went back to 1"),
        "{waited:?}"
    );
    // It is never taken again here.
    once(node(true)).await.unwrap();
    assert_eq!(std::fs::read_to_string(&log).unwrap(), "1\n2 1\n1 2\n");
    // A later one is.
    let fixed = tree(&[("a", "2")]);
    world.publish(&fixed).await;
    once(node(true)).await.unwrap();
    assert_eq!(world.used("n"), fixed);

    // Without going back it stays, and that is told.
    world.publish(&broken).await;
    once(node(false)).await.unwrap();
    assert_eq!(world.used("n"), broken);
    let status = world
        .app
        .status(&Place::Bucket, &Channel::main())
        .await
        .unwrap();
    assert_eq!(status.nodes[0].release, Some(4));
    assert!(
        status.nodes[0].result.contains("exit status: 1"),
        "{status:?}"
    );
}
