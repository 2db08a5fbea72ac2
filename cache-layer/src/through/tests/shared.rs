//! Reads of the same at the same time, in one process and in several.

use std::future::Future;
use std::sync::atomic::Ordering::SeqCst;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::yield_now;
use tokio::time::Instant;

use crate::through::backend::Backend;
use crate::through::read::{Found, Loaded, Source, Want};
use crate::through::steps::Looked;
use crate::through::testing::process::{name, one, process, process_with, until};
use crate::through::testing::{GET, TTL};

#[tokio::test(start_paused = true)]
async fn many_who_read_the_same_share_one_load() {
    let (_, a) = process();
    a.hold();
    let tasks: Vec<_> = (0..100).map(|_| a.spawn(&name("k"))).collect();
    a.until_loads(1).await;
    a.release();
    let mut joined = 0;
    for task in tasks {
        let (text, source) = task.await.unwrap();
        assert_eq!(text, "1");
        joined += usize::from(source == Source::Joined);
    }
    // One led, one asked memcached for all the others.
    assert_eq!((a.loads(), joined), (1, 98));
}

#[tokio::test(start_paused = true)]
async fn who_leads_and_is_cancelled_fails_nobody() {
    let (mem, a) = process();
    a.hold();
    let k = name("k");
    let leader = a.spawn(&k);
    a.until_loads(1).await;
    let follower = a.spawn(&k);
    a.until_seats(&k, 2).await;
    leader.abort();
    assert!(leader.await.unwrap_err().is_cancelled());
    a.release();
    // The load went on without the one who had begun it.
    assert_eq!(follower.await.unwrap(), one("1", Source::Memcached));
    assert_eq!(a.loads(), 1);
    assert!(mem.has(&k));
}

#[tokio::test(start_paused = true)]
async fn a_load_ends_with_the_last_who_wait_for_it() {
    let (mem, a) = process();
    a.hold();
    let k = name("k");
    let both = [a.spawn(&k), a.spawn(&k)];
    a.until_loads(1).await;
    a.until_seats(&k, 2).await;
    for read in both {
        assert_eq!(a.service.loading.load(SeqCst), 1);
        read.abort();
        assert!(read.await.unwrap_err().is_cancelled());
    }
    until("nobody loads", || a.service.loading.load(SeqCst) == 0).await;
    // Its lease was given back, so that the next one fills.
    a.release();
    assert_eq!(a.read(&k).await, one("1", Source::Service));
    assert!(mem.has(&k));
}

/// It was granted the right to fill, and does not know yet.
#[tokio::test(start_paused = true)]
async fn a_read_that_is_dropped_while_it_looks_gives_back_what_it_is_granted() {
    let (mem, a) = process();
    let k = name("k");
    mem.0.holds.store(true, SeqCst);
    let read = a.spawn(&k);
    until("it is granted", || mem.is_leased(&k)).await;
    read.abort();
    assert!(read.await.unwrap_err().is_cancelled());
    mem.0.holds.store(false, SeqCst);
    until("it is given back", || !mem.is_leased(&k)).await;
    assert_eq!(a.loads(), 0, "nobody waited for it");
    assert_eq!(a.other().read(&k).await, one("1", Source::Service));
    assert!(mem.has(&k));
}

/// The stream of reads is not polled while its consumer reads the same key by itself.
#[tokio::test(start_paused = true)]
async fn a_read_that_nobody_polls_holds_no_other_up() {
    let (_, a) = process();
    let k = name("k");
    let mut unpolled = Box::pin(a.read(&k));
    let mut cx = Context::from_waker(Waker::noop());
    a.hold();
    while a.loads() == 0 {
        assert!(unpolled.as_mut().poll(&mut cx).is_pending());
        yield_now().await;
    }
    a.release();
    assert_eq!(a.read(&k).await, one("1", Source::Memcached));
    assert_eq!(unpolled.await, one("1", Source::Service));
}

/// One thread's runtime stands still with a load in it; another thread reads the same.
#[test]
fn a_runtime_that_stands_still_holds_others_up_no_longer_than_a_lease() {
    let runtime = || {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.enable_all().start_paused(true).build().unwrap()
    };
    let (_, a) = process();
    a.hold();
    let k = name("k");
    let stands = runtime();
    let reads = stands.spawn({
        let (a, k) = (a.clone(), k.clone());
        async move { a.read(&k).await }
    });
    stands.block_on(a.until_loads(1));
    a.release();
    runtime().block_on(async {
        let began = Instant::now();
        assert_eq!(a.read(&k).await.0, "1");
        assert!(
            began.elapsed() <= Duration::from_secs(11),
            "{:?}",
            began.elapsed()
        );
    });
    assert_eq!(stands.block_on(reads).unwrap().0, "1");
    assert_eq!(a.loads(), 2);
}

#[test]
fn without_a_runtime_a_read_is_its_callers_own() {
    let (_, a) = process();
    let k = name("k");
    let read = async {
        let missed = a.core.find(&k, "Get").await.unwrap_err();
        let load = || async { Ok::<_, String>(Loaded::Private("mine")) };
        a.core.fetch(&k, GET, missed, load).await
    };
    let mut read = std::pin::pin!(read);
    let mut cx = Context::from_waker(Waker::noop());
    // It is polled again and again, by nobody's runtime.
    let found = (0..100).find_map(|_| match read.as_mut().poll(&mut cx) {
        Poll::Ready(found) => Some(found),
        Poll::Pending => None,
    });
    assert!(matches!(found, Some(Ok(Found::Private("mine")))));
}

#[tokio::test(start_paused = true)]
async fn a_load_that_panics_fails_its_caller_alone() {
    let (_, a) = process();
    a.hold();
    let k = name("k");
    let broken = tokio::spawn({
        let (a, k) = (a.clone(), k.clone());
        async move {
            let load = || async { panic!("it is broken") };
            let missed = a.core.find(&k, "Get").await.unwrap_err();
            a.core
                .fetch::<(), String, _, _>(&k, GET, missed, load)
                .await
                .map(drop)
        }
    });
    let panic = broken.await.unwrap_err().into_panic();
    assert_eq!(panic.downcast_ref::<&str>(), Some(&"it is broken"));
    a.release();
    assert_eq!(a.read(&k).await, one("1", Source::Service));
}

#[tokio::test(start_paused = true)]
async fn an_error_of_other_terms_or_of_the_callers_own_fails_no_other() {
    for own in [false, true] {
        let (_, a) = process();
        a.service.fails.store(!own, SeqCst);
        a.service.late.store(own, SeqCst);
        a.hold();
        let k = name("k");
        let first = tokio::spawn({
            let (a, k) = (a.clone(), k.clone());
            let want = Want { terms: 1, ..GET };
            async move {
                a.read_as(&k, want)
                    .await
                    .map(|found| matches!(found, Found::Private(_)))
            }
        });
        a.until_loads(1).await;
        let patient = [a.spawn(&k), a.spawn(&k)];
        a.until_seats(&k, 3).await;
        a.service.gate.add_permits(1);
        let failed = first.await.unwrap();
        assert_eq!(failed, if own { Ok(true) } else { Err("503".to_owned()) });
        a.service.fails.store(false, SeqCst);
        a.service.late.store(false, SeqCst);
        a.release();
        for read in patient {
            assert_eq!(read.await.unwrap().0, "1");
        }
        assert_eq!(a.loads(), 2, "one of them did it for both");
    }
}

/// What another process has written, and knows to be deleted, is seen by a read that begins then.
#[tokio::test(start_paused = true)]
async fn a_read_that_meets_an_older_one_does_not_take_what_that_fetched_before_a_write() {
    let (_, a) = process();
    let k = name("k");
    a.hold();
    let first = a.spawn(&k);
    a.until_loads(1).await;
    a.other().write(&k).await;
    let later = [a.spawn(&k), a.spawn(&k), a.spawn(&k)];
    a.until_seats(&k, 4).await;
    a.release();
    assert_eq!(first.await.unwrap().0, "1");
    for read in later {
        assert_eq!(read.await.unwrap().0, "2");
    }
    assert_eq!(a.loads(), 2);
}

/// The same while an entry that is past its time is fetched anew.
#[tokio::test(start_paused = true)]
async fn what_is_stale_is_not_served_after_a_write_of_another_process() {
    let stale_for = Duration::from_secs(30);
    let (_, a) = process_with(|c| c.stale_for = stale_for);
    let k = name("k");
    a.read(&k).await;
    tokio::time::advance(TTL + Duration::from_secs(1)).await;
    a.hold();
    assert_eq!(a.read(&k).await, one("1", Source::Stale));
    a.until_loads(2).await;
    a.other().write(&k).await;
    let read = a.spawn(&k);
    a.until_seats(&k, 1).await;
    a.release();
    assert_eq!(read.await.unwrap().0, "2");
}

#[tokio::test(start_paused = true)]
async fn an_error_is_shared_and_not_kept() {
    let (mem, a) = process();
    a.service.fails.store(true, SeqCst);
    a.hold();
    let tasks: Vec<_> = (0..10).map(|_| a.spawn_as(&name("k"), GET)).collect();
    a.until_loads(1).await;
    a.release();
    for task in tasks {
        assert_eq!(task.await.unwrap().map(drop), Err("503".to_owned()));
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
    let tasks: Vec<_> = (0..3).map(|_| a.spawn_as(&name("k"), GET)).collect();
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
    let leader = a.spawn(&k);
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
    let stale_for = Duration::from_secs(30);
    let (_, a) = process_with(|c| c.stale_for = stale_for);
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
    assert_eq!(a.read(&k).await, one("1", Source::Memcached));
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
