//! Reads of the same at the same time, in one process and in several.

use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::yield_now;
use tokio::time::Instant;

use super::process::{Process, config, name, one, process};
use super::server::Mem;
use super::{GET, TTL};
use crate::through::core::Config;
use crate::through::read::{Found, Source};
use crate::through::shelf::Shelf;
use crate::through::steps::Looked;

#[tokio::test(start_paused = true)]
async fn many_who_read_the_same_share_one_load() {
    let (_, a) = process();
    a.hold();
    let tasks: Vec<_> = (0..100)
        .map(|_| {
            let a = a.clone();
            tokio::spawn(async move { a.read(&name("k")).await })
        })
        .collect();
    a.until_loads(1).await;
    a.release();
    let mut joined = 0;
    for task in tasks {
        let (text, source) = task.await.unwrap();
        assert_eq!(text, "1");
        joined += usize::from(source == Source::Joined);
    }
    assert_eq!((a.loads(), joined), (1, 99));
}

#[tokio::test(start_paused = true)]
async fn who_leads_and_is_cancelled_fails_nobody() {
    let (mem, a) = process();
    a.hold();
    let k = name("k");
    let spawn = |p: &Process| {
        let (p, k) = (p.clone(), k.clone());
        tokio::spawn(async move { p.read(&k).await })
    };
    let leader = spawn(&a);
    a.until_loads(1).await;
    let follower = spawn(&a);
    yield_now().await;
    leader.abort();
    assert!(leader.await.unwrap_err().is_cancelled());
    a.until_loads(2).await;
    a.release();
    assert_eq!(follower.await.unwrap(), one("1", Source::Service));
    // The lease of the first was given back, so that the second got one.
    assert!(mem.has(&k));
}

#[tokio::test(start_paused = true)]
async fn an_error_is_shared_and_not_kept() {
    let (mem, a) = process();
    a.service.fails.store(true, SeqCst);
    a.hold();
    let tasks: Vec<_> = (0..10)
        .map(|_| {
            let a = a.clone();
            tokio::spawn(async move { a.read_as(&name("k"), GET).await.map(drop) })
        })
        .collect();
    a.until_loads(1).await;
    a.release();
    for task in tasks {
        assert_eq!(task.await.unwrap(), Err("503".to_owned()));
    }
    assert_eq!(a.loads(), 1);
    a.service.fails.store(false, SeqCst);
    assert_eq!(a.read(&name("k")).await, one("1", Source::Service));
    assert!(mem.has(&name("k")));
}

#[tokio::test(start_paused = true)]
async fn what_only_one_can_have_is_not_shared() {
    let (mem, a) = process();
    a.service.private.store(true, SeqCst);
    a.hold();
    let tasks: Vec<_> = (0..3)
        .map(|_| {
            let a = a.clone();
            tokio::spawn(async move { a.read_as(&name("k"), GET).await })
        })
        .collect();
    a.until_loads(1).await;
    a.release();
    for task in tasks {
        assert!(matches!(
            task.await.unwrap(),
            Ok(Found::Private("a stream"))
        ));
    }
    assert_eq!(a.loads(), 3);
    assert!(!mem.has(&name("k")));
}

#[tokio::test(start_paused = true)]
async fn it_waits_a_little_for_another_process_that_fills() {
    let (mem, a) = process();
    let b = a.other();
    let k = name("k");
    a.hold();
    let leader = tokio::spawn({
        let (a, k) = (a.clone(), k.clone());
        async move { a.read(&k).await }
    });
    a.until_loads(1).await;
    let (told, hears) = oneshot::channel();
    let waiter = tokio::spawn({
        let (b, k) = (b.clone(), k.clone());
        async move {
            told.send(()).unwrap();
            b.read(&k).await
        }
    });
    hears.await.unwrap();
    tokio::time::sleep(Duration::from_millis(10)).await;
    a.release();
    assert_eq!(waiter.await.unwrap(), one("1", Source::Memcached));
    leader.await.unwrap();

    // Not for ever: this one's process died.
    let l = name("l");
    assert!(matches!(
        mem.look(&l.key, TTL, None, TTL).await,
        Looked::Win(_)
    ));
    let began = Instant::now();
    assert_eq!(b.read(&l).await, one("1", Source::Service));
    assert!(began.elapsed() <= Duration::from_millis(50));
    assert!(!mem.has(&l));
}

#[tokio::test(start_paused = true)]
async fn what_is_stale_is_served_while_one_fetches_it_anew() {
    let mem = Mem::default();
    let stale_for = Duration::from_secs(30);
    let a = Process::new(
        &mem,
        Config {
            stale_for,
            ..config()
        },
    );
    let k = name("k");
    a.read(&k).await;
    a.service.version.store(2, SeqCst);
    tokio::time::advance(TTL - Duration::from_secs(1)).await;
    assert_eq!(a.read(&k).await, one("1", Source::Memcached));
    tokio::time::advance(Duration::from_secs(2)).await;
    a.hold();
    assert_eq!(a.read(&k).await, one("1", Source::Stale));
    a.until_loads(2).await;
    // Others are not held up, here and elsewhere.
    assert_eq!(a.read(&k).await, one("1", Source::Joined));
    assert_eq!(a.other().read(&k).await, one("1", Source::Memcached));
    // A write takes the renewal's right away.
    a.write(&k).await;
    a.release();
    assert_eq!(a.read(&k).await, one("3", Source::Service));
    assert_eq!(a.read(&k).await, one("3", Source::Memcached));
    assert_eq!(a.loads(), 3);

    // And without one it lands.
    tokio::time::advance(TTL + Duration::from_secs(1)).await;
    a.service.version.store(4, SeqCst);
    assert_eq!(a.read(&k).await, one("3", Source::Stale));
    a.until_loads(4).await;
    loop {
        match a.read(&k).await {
            (text, Source::Memcached) if text == "4" => break,
            _ => yield_now().await,
        }
    }
}
