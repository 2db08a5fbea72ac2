//! How long a watch lives: its task, its runtime, and those who wait while either ends.

use std::time::Duration;

use ec2_client::PeerEvent;
use futures_util::{FutureExt as _, StreamExt as _};
use tokio::runtime::{Builder, Runtime};

use crate::cloud::{Cloud, running, short};

fn runtime() -> Runtime {
    Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap()
}

#[test]
fn a_task_that_its_runtime_never_ran_ends_the_stream() {
    let cloud = Cloud::running(&["i-1"]);
    let mut peers = cloud.client().peers().watch();
    let first = runtime();
    // The task is spawned by this poll, and the runtime is gone before the task's turn.
    first.block_on(async { assert!(peers.next().now_or_never().is_none()) });
    drop(first);
    assert!(
        matches!(peers.next().now_or_never(), Some(None)),
        "whoever reads it would wait for good"
    );
}

#[test]
fn a_runtime_that_ends_wakes_the_reader_on_another() {
    let cloud = Cloud::running(&["i-1"]);
    let mut peers = cloud.client().peers().watch();
    let first = runtime();
    let mut told = Vec::new();
    first.block_on(async {
        for _ in 0..2 {
            told.push(short(&peers.next().await.unwrap()));
        }
    });
    assert_eq!(told, ["+i-1", "ready 1"]);
    runtime().block_on(async {
        let reader = tokio::spawn(async move { peers.next().await.is_none() });
        tokio::task::yield_now().await;
        tokio::task::spawn_blocking(move || drop(first))
            .await
            .unwrap();
        assert!(reader.await.unwrap(), "what it knew has been told");
    });
}

/// A reader may give up a wait at any time, as `select!` does.
#[tokio::test(start_paused = true)]
async fn a_wait_that_is_given_up_loses_nothing() {
    let cloud = Cloud::running(&["i-1", "i-2"]);
    cloud.set_latency(Duration::from_millis(50));
    let mut peers = cloud.client().peers().watch();
    let mut told = Vec::new();
    for round in 0..400 {
        if round == 100 {
            cloud.set_list(&running(&["i-1", "i-3"]));
        }
        while let Ok(event) = tokio::time::timeout(Duration::from_millis(700), peers.next()).await {
            told.push(short(&event.unwrap()));
        }
    }
    assert_eq!(
        told,
        [
            "+i-1",
            "+i-2",
            "ready 2",
            "+i-3",
            "-i-2 missing from two lists"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_watch_moves_between_tasks_and_into_lists_with_what_is_known() {
    let cloud = Cloud::running(&["i-1"]);
    let mut peers = cloud.client().peers().watch();
    assert_eq!(short(&peers.next().await.unwrap()), "+i-1");
    let mut peers = tokio::spawn(async move {
        assert_eq!(short(&peers.next().await.unwrap()), "ready 1");
        peers
    })
    .await
    .unwrap();
    assert!(peers.next().now_or_never().is_none());
    let mut lists = peers.into_lists();
    let list = lists.next().now_or_never().flatten().unwrap();
    assert_eq!((list.len(), cloud.calls().len()), (1, 1), "no second list");
}

#[tokio::test(start_paused = true)]
async fn an_event_outlives_its_watch() {
    let cloud = Cloud::new(|_| (403, crate::cloud::error("UnauthorizedOperation")));
    let peers = cloud.client().peers().watch();
    let events: Vec<_> = peers.take(1).collect().await;
    let [PeerEvent::Failing(error, since)] = &events[..] else {
        panic!("{events:?}");
    };
    assert_eq!(error.code(), Some("UnauthorizedOperation"));
    assert!(since.elapsed() < Duration::from_secs(3600));
}
