//! Many tasks put single items; few requests carry them.

use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sdb_client::{Batcher, Code, Kind, PutItem, Usage};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::common::{Act, Script, builder, domain, emulator, error, pairs};

fn item(name: impl Into<String>, value: &str) -> PutItem {
    PutItem::new(name).replace("v", value)
}

/// Polls puts so far that they are in the line.
async fn spawn(
    batcher: &Batcher,
    items: Vec<PutItem>,
) -> JoinSet<(usize, sdb_client::Result<Usage>)> {
    let mut tasks = JoinSet::new();
    for (i, item) in items.into_iter().enumerate() {
        let put = batcher.put(item);
        tasks.spawn(async move { (i, put.await) });
        tokio::task::yield_now().await;
    }
    tasks
}

#[tokio::test]
async fn a_wait_that_no_clock_can_tell_is_for_a_full_batch() {
    let service = emulator().await;
    let users = builder(&service).build().unwrap().domain("users");
    users.create().await.unwrap();
    let batcher = users.batcher().max_items(2).max_wait(Duration::MAX);
    let batcher = batcher.start().unwrap();
    let puts = spawn(&batcher, vec![item("a", "1"), item("b", "1")]).await;
    assert!(puts.join_all().await.iter().all(|(_, put)| put.is_ok()));
}

#[tokio::test]
async fn few_requests_carry_many_puts() {
    let service = emulator().await;
    let script = Script::new(|_| Act::Pass);
    let sdb = builder(&service).transport(script.clone()).build().unwrap();
    let users = sdb.domain("users");
    users.create().await.unwrap();
    let batcher = users
        .batcher()
        .max_wait(Duration::from_secs(3600))
        .start()
        .unwrap();
    let items = (0..60).map(|i| item(format!("u{i:02}"), "1")).collect();
    let puts = spawn(&batcher, items).await;
    batcher.flush().await;
    let results = puts.join_all().await;
    let cost: f64 = results
        .iter()
        .map(|(_, r)| r.as_ref().unwrap().box_usage)
        .sum();
    assert_eq!(script.count("BatchPutAttributes"), 3);
    let (_, total) = sdb
        .usage_by_operation()
        .into_iter()
        .find(|(name, _)| name.starts_with("Batch"))
        .unwrap();
    assert!((total.box_usage - cost).abs() < 1e-9);
    let stats = batcher.stats();
    assert_eq!((stats.items, stats.requests), (60, 3));
    assert_eq!(users.metadata().await.unwrap().items, 60);
    assert!(format!("{batcher:?}").contains("users"));
}

#[tokio::test(start_paused = true)]
async fn an_item_waits_for_others_so_long() {
    let script = Script::new(|_| ok());
    let batcher = offline(&script)
        .max_wait(Duration::from_millis(7))
        .start()
        .unwrap();
    let start = tokio::time::Instant::now();
    let mut puts = spawn(&batcher, vec![item("a", "1")]).await;
    tokio::time::sleep(Duration::from_millis(4)).await;
    puts.spawn({
        let put = batcher.put(item("b", "1"));
        async move { (1, put.await) }
    });
    for result in puts.join_all().await {
        result.1.unwrap();
    }
    assert_eq!(start.elapsed().as_millis(), 7);
    assert_eq!(script.seen().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn puts_of_one_item_are_written_in_order() {
    let gate = Arc::new(Semaphore::new(0));
    let script = {
        let gate = gate.clone();
        Script::new(move |_| {
            let gate = gate.clone();
            Act::After(
                Box::pin(async move { gate.acquire_owned().await.unwrap().forget() }),
                Box::new(ok()),
            )
        })
    };
    let batcher = offline(&script)
        .max_wait(Duration::ZERO)
        .parallel(8)
        .start()
        .unwrap();
    let writes = ["a1", "b1", "a2", "c1", "a3", "b2"];
    let items = writes.map(|w| item(&w[..1], w)).to_vec();
    let puts = spawn(&batcher, items).await;
    // Whatever is under way, there is one write of each item at the most.
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
    let first = script.seen();
    assert!(first.iter().any(|form| form.contains("Value=a1")));
    assert!(
        !first
            .iter()
            .any(|form| form.contains("Value=a2") || form.contains("Value=b2"))
    );
    gate.add_permits(100);
    assert_eq!(puts.join_all().await.len(), 6);
    let all = script.seen().join("\n");
    let place = |write: &str| all.find(&format!("Value={write}")).unwrap();
    assert!(place("a1") < place("a2") && place("a2") < place("a3") && place("b1") < place("b2"));
}

#[tokio::test]
async fn each_task_gets_the_result_of_its_own_item() {
    let service = emulator().await;
    let users = domain(&service).await;
    let full = (0..256).fold(PutItem::new("full"), |put, i| put.add("n", i.to_string()));
    users.put_item(full).await.unwrap();
    let batcher = users
        .batcher()
        .max_wait(Duration::from_secs(3600))
        .start()
        .unwrap();
    let items = vec![
        item("a", "1"),
        PutItem::new("full").add("n", "one more"),
        item("b", "1"),
        item("", "1"),
        item("c", &"x".repeat(1025)),
    ];
    let puts = spawn(&batcher, items).await;
    batcher.flush().await;
    let mut results = puts.join_all().await;
    results.sort_by_key(|(i, _)| *i);
    let kinds: Vec<_> = results
        .iter()
        .map(|(_, r)| r.as_ref().err().map(|e| (e.kind(), Code::of(e))))
        .collect();
    let over = Some((Kind::Service, Some(Code::NumberItemAttributesExceeded)));
    let invalid = Some((Kind::Invalid, None));
    assert_eq!(kinds, [None, over, None, invalid.clone(), invalid]);
    for name in ["a", "b"] {
        let item = users.get(name).consistent(true).await.unwrap().item;
        assert_eq!(pairs(&item), [("v", "1")]);
    }
}

#[tokio::test(start_paused = true)]
async fn what_fails_as_a_whole_fails_for_all() {
    let script = Script::new(|_| error(400, "NoSuchDomain"));
    let batcher = offline(&script).start().unwrap();
    let items = (0..3).map(|i| item(i.to_string(), "1")).collect();
    for (_, result) in spawn(&batcher, items).await.join_all().await {
        assert_eq!(Code::of(&result.unwrap_err()), Some(Code::NoSuchDomain));
    }
    assert_eq!(script.seen().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_dropped_put_is_taken_out_unless_it_is_under_way() {
    let script = Script::new(|_| ok());
    let batcher = offline(&script)
        .max_wait(Duration::from_millis(5))
        .start()
        .unwrap();
    let mut first = Box::pin(batcher.put(item("first", "1")).send());
    assert!(is_pending(&mut first).await);
    let mut second = Box::pin(batcher.put(item("second", "1")).send());
    assert!(is_pending(&mut second).await);
    tokio::task::yield_now().await;
    drop(first);
    second.await.unwrap();
    let seen = script.seen().join("\n");
    assert!(seen.contains("second") && !seen.contains("first"), "{seen}");

    // Dropped while under way, it is written, and what comes behind it still is, too.
    let gate = Arc::new(Semaphore::new(0));
    let held = {
        let gate = gate.clone();
        Script::new(move |_| {
            let gate = gate.clone();
            Act::After(
                Box::pin(async move { gate.acquire_owned().await.unwrap().forget() }),
                Box::new(ok()),
            )
        })
    };
    let batcher = offline(&held).max_items(2).max_wait(Duration::MAX);
    let batcher = batcher.start().unwrap();
    let mut put = Box::pin(batcher.put(item("u", "1")).send());
    assert!(is_pending(&mut put).await);
    let beside = spawn(&batcher, vec![item("beside", "1")]).await;
    while held.seen().is_empty() {
        tokio::task::yield_now().await;
    }
    drop(put);
    let next = spawn(&batcher, vec![item("u", "2"), item("last", "2")]).await;
    gate.add_permits(2);
    // The batch of the one that was dropped comes to its end, with both.
    assert!(beside.join_all().await[0].1.is_ok());
    assert!(next.join_all().await.iter().all(|(_, put)| put.is_ok()));
    let seen = held.seen();
    assert_eq!(seen.len(), 2);
    assert!(
        seen[0].contains("=u&") && seen[0].contains("=beside&"),
        "{seen:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn it_ends_when_it_is_closed_or_dropped() {
    let script = Script::new(|_| ok());
    let batcher = offline(&script)
        .max_wait(Duration::from_secs(3600))
        .start()
        .unwrap();
    let puts = spawn(
        &batcher,
        (0..30).map(|i| item(i.to_string(), "1")).collect(),
    )
    .await;
    batcher.close().await;
    assert_eq!(batcher.stats().items, 30);
    assert!(
        puts.join_all()
            .await
            .iter()
            .all(|(_, result)| result.is_ok())
    );
    let late = batcher.put(item("late", "1")).await.unwrap_err();
    assert!(late.kind() == Kind::Shutdown && !late.may_have_been_sent());
    batcher.flush().await;
    batcher.close().await;

    // With no clone left, what waits goes out at once.
    let batcher = offline(&script)
        .max_wait(Duration::from_secs(3600))
        .start()
        .unwrap();
    let start = tokio::time::Instant::now();
    let puts = spawn(&batcher, vec![item("last", "1")]).await;
    drop(batcher);
    assert!(puts.join_all().await[0].1.is_ok());
    assert_eq!(start.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_flush_does_not_wait_behind_a_full_line() {
    for close in [false, true] {
        let script = Script::new(|_| ok());
        let batcher = offline(&script).max_wait(Duration::from_secs(3600));
        let batcher = batcher.max_waiting(3).start().unwrap();
        let start = tokio::time::Instant::now();
        let items = (0..8).map(|i| item(i.to_string(), "1")).collect();
        let puts = spawn(&batcher, items).await;
        match close {
            false => batcher.flush().await,
            true => batcher.close().await,
        }
        assert_eq!(start.elapsed(), Duration::ZERO);
        assert_eq!(batcher.stats().items, 8);
        let results = puts.join_all().await;
        assert!(results.iter().all(|(_, result)| result.is_ok()));
    }
}

#[test]
fn a_runtime_that_ends_is_told() {
    let (first, second) = (runtime(), runtime());
    let script = Script::new(|_| Act::After(Box::pin(std::future::pending()), Box::new(ok())));
    let batcher =
        first.block_on(async { offline(&script).max_wait(Duration::ZERO).start().unwrap() });
    let put = second.spawn(batcher.put(item("u", "1")).send());
    second.block_on(tokio::task::yield_now());
    first.block_on(async {
        while script.seen().is_empty() {
            tokio::task::yield_now().await;
        }
    });
    drop(first);
    let error = second.block_on(put).unwrap().unwrap_err();
    assert!(error.kind() == Kind::Shutdown && error.may_have_been_sent());
    assert_eq!(offline(&script).start().unwrap_err().kind(), Kind::Shutdown);
}

#[tokio::test(start_paused = true)]
async fn only_so_many_wait_and_are_under_way() {
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(0)));
    let script = {
        let (now, most) = (now.clone(), most.clone());
        Script::new(move |_| {
            let under_way = now.fetch_add(1, Ordering::Relaxed) + 1;
            let mut most = most.lock().unwrap();
            *most = under_way.max(*most);
            let now = now.clone();
            Act::After(
                Box::pin(async move {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                    now.fetch_sub(1, Ordering::Relaxed);
                }),
                Box::new(ok()),
            )
        })
    };
    let builder = offline(&script).max_items(5).parallel(3).max_waiting(7);
    let batcher = builder.start().unwrap();
    let items = (0..500).map(|i| item(i.to_string(), "1")).collect();
    let results = spawn(&batcher, items).await.join_all().await;
    assert!(results.iter().all(|(_, result)| result.is_ok()));
    assert_eq!(*most.lock().unwrap(), 3);
    assert!(batcher.stats().requests >= 100);
}

#[tokio::test]
async fn settings_are_checked() {
    let script = Script::new(|_| ok());
    let bad = [
        offline(&script).max_items(0),
        offline(&script).max_items(26),
        offline(&script).parallel(0),
        offline(&script).max_waiting(0),
    ];
    for builder in bad {
        assert_eq!(builder.start().unwrap_err().kind(), Kind::Invalid);
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

/// A batcher whose requests go nowhere.
fn offline(script: &Script) -> sdb_client::request::BatcherBuilder {
    let sdb = sdb_client::SdbClient::builder()
        .endpoint("http://sdb.example")
        .credentials(sdb_client::Credentials::new("AKID", "secret"))
        .transport(script.clone())
        .build()
        .unwrap();
    sdb.domain("users").batcher()
}

fn ok() -> Act {
    Act::Reply(
        200,
        "<PutResponse><ResponseMetadata><BoxUsage>0.5</BoxUsage></ResponseMetadata></PutResponse>"
            .into(),
    )
}

/// Polls once.
async fn is_pending<F: Future + Unpin>(future: &mut F) -> bool {
    std::future::poll_fn(|cx| std::task::Poll::Ready(Pin::new(&mut *future).poll(cx).is_pending()))
        .await
}
