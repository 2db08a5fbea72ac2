//! What writes make old, and what nobody may believe after them.

use std::future::Future;
use std::sync::atomic::Ordering::SeqCst;
use std::task::{Context, Waker};
use std::time::Duration;

use tokio::task::yield_now;
use tokio::time::Instant;

use super::TTL;
use super::process::{Process, config, entry, name, one, process};
use super::server::Mem;
use crate::through::core::Config;
use crate::through::entry::Form;
use crate::through::name::Name;
use crate::through::read::Source;

#[tokio::test(start_paused = true)]
async fn a_fill_that_began_before_a_write_does_not_land() {
    for other_process_writes in [false, true] {
        let (mem, a) = process();
        let k = name("k");
        a.hold();
        let reader = tokio::spawn({
            let (a, k) = (a.clone(), k.clone());
            async move { a.read(&k).await }
        });
        a.until_loads(1).await;
        // It has fetched version 1 by now, and waits to say so.
        let writer = if other_process_writes {
            a.other()
        } else {
            a.clone()
        };
        writer.write(&k).await;
        a.release();
        assert_eq!(reader.await.unwrap().0, "1");
        assert!(!mem.has(&k), "an old value landed");
        assert_eq!(a.read(&k).await, one("2", Source::Service));
        assert_eq!(a.read(&k).await, one("2", Source::Memcached));
    }
}

#[tokio::test(start_paused = true)]
async fn while_it_writes_a_process_reads_past_the_cache() {
    let (mem, a) = process();
    let k = name("k");
    a.read(&k).await;
    let write = a.core.clone().write(vec![k.clone()], false).await;
    assert!(!mem.has(&k));
    assert_eq!(a.read(&k).await, one("1", Source::Service));
    assert!(!mem.has(&k));
    a.service.version.store(2, SeqCst);
    assert_eq!(a.read(&k).await.0, "2");
    write.finish(true, None).await;
    assert_eq!(a.read(&k).await, one("2", Source::Service));
    assert_eq!(a.read(&k).await, one("2", Source::Memcached));
}

#[tokio::test(start_paused = true)]
async fn what_was_not_acknowledged_is_doubted_for_as_long_as_it_may_live() {
    let (mem, a) = process();
    let k = name("k");
    a.read(&k).await;
    mem.0.down.store(true, SeqCst);
    a.write(&k).await;
    mem.0.down.store(false, SeqCst);
    assert!(mem.has(&k), "the old value is there still");
    assert_eq!(a.read(&k).await, one("2", Source::Service));
    assert_eq!(a.core.fences().doubted(Instant::now().into_std()), 1);
    assert_eq!(a.core.counters.stats().unacknowledged, 1);
    tokio::time::advance(TTL + Duration::from_secs(1)).await;
    assert_eq!(a.read(&k).await, one("2", Source::Service));
    assert_eq!(a.read(&k).await, one("2", Source::Memcached));
    assert_eq!(a.core.fences().doubted(Instant::now().into_std()), 0);
}

#[tokio::test(start_paused = true)]
async fn a_write_that_may_still_happen_is_doubted() {
    let (mem, a) = process();
    let k = name("k");
    // It ended without saying whether it happened.
    let write = a.core.clone().write(vec![k.clone()], false).await;
    write.finish(false, None).await;
    assert_eq!(a.read(&k).await, one("1", Source::Service));
    assert!(!mem.has(&k));
    a.service.version.store(2, SeqCst);
    assert_eq!(a.read(&k).await.0, "2");

    // Its caller went away.
    let l = name("l");
    a.read(&l).await;
    drop(a.core.clone().write(vec![l.clone()], false).await);
    while mem.has(&l) {
        yield_now().await;
    }
    assert_eq!(a.read(&l).await, one("2", Source::Service));
    assert!(!mem.has(&l));

    // It was given up before it was sent.
    let m = name("m");
    let mut begun = Box::pin(a.core.clone().write(vec![m.clone()], false));
    let mut cx = Context::from_waker(Waker::noop());
    assert!(begun.as_mut().poll(&mut cx).is_pending());
    drop(begun);
    a.read(&m).await;
    assert!(mem.has(&m));
}

#[tokio::test(start_paused = true)]
async fn what_was_written_is_stored_by_choice() {
    let mem = Mem::default();
    let a = Process::new(
        &mem,
        Config {
            write_through: true,
            ..config()
        },
    );
    let k = name("k");
    let write = a.core.clone().write(vec![k.clone()], true).await;
    a.service.version.store(2, SeqCst);
    write.finish(true, Some(entry("2", false))).await;
    assert_eq!(a.read(&k).await, one("2", Source::Memcached));
    assert_eq!(a.loads(), 0);

    // Another process wrote meanwhile: what this one wrote may be old by now.
    let write = a.core.clone().write(vec![k.clone()], true).await;
    a.other().write(&k).await;
    write.finish(true, Some(entry("3", false))).await;
    assert!(!mem.has(&k));

    // It failed, or may still happen.
    let write = a.core.clone().write(vec![k.clone()], true).await;
    write.finish(false, Some(entry("4", false))).await;
    assert!(!mem.has(&k));
    assert_eq!(a.read(&k).await.1, Source::Service);
}

#[tokio::test(start_paused = true)]
async fn a_group_can_be_forgotten() {
    let (_, a) = process();
    let (k, l) = (name("k"), Name::new("t:0:", "me", &["other/"], "k"));
    a.read(&k).await;
    a.read(&l).await;
    a.core.doubt_group(&k, Instant::now().into_std());
    assert_eq!(a.read(&k).await.1, Source::Service);
    assert_eq!(a.read(&l).await.1, Source::Memcached);
    tokio::time::advance(TTL + Duration::from_secs(2)).await;
    a.read(&k).await;
    assert_eq!(a.read(&k).await.1, Source::Memcached);
}

#[tokio::test(start_paused = true)]
async fn many_keys_are_written_at_once() {
    let (mem, a) = process();
    let names: Vec<Name> = (0..25).map(|i| name(&format!("k{i}"))).collect();
    for n in &names {
        a.read(n).await;
    }
    let write = a.core.clone().write(names.clone(), false).await;
    assert!(names.iter().all(|n| !mem.has(n)));
    write.finish(true, None).await;
    assert_eq!(a.core.counters.stats().invalidations, 25);
    for n in &names {
        a.read(n).await;
        assert_eq!(a.read(n).await.1, Source::Memcached);
    }
}

#[tokio::test(start_paused = true)]
async fn a_write_of_one_owner_is_one_for_all_who_read_here() {
    let (mem, a) = process();
    let mine = name("k");
    let theirs = mine.of("somebody");
    a.read(&mine).await;
    assert_eq!(
        a.read(&theirs).await,
        one("1", Source::Service),
        "owners share nothing"
    );
    a.write(&mine).await;
    assert!(!mem.has(&mine) && !mem.has(&theirs));
    assert_eq!(a.read(&theirs).await, one("2", Source::Service));
    assert_eq!(a.read(&theirs).await, one("2", Source::Memcached));
}

#[tokio::test(start_paused = true)]
async fn a_peek_fills_nothing_and_believes_no_doubtful_entry() {
    let (mem, a) = process();
    let k = name("k");
    assert!(a.core.peek(&k, "Head").await.is_none());
    assert_eq!(a.read(&k).await.1, Source::Service);
    assert_eq!(a.core.peek(&k, "Head").await.unwrap().body, "1");
    let write = a.core.clone().write(vec![k.clone()], false).await;
    mem.put(
        &k,
        Form::default().encode(&k.key, &entry("1", false), u64::MAX),
    );
    assert!(a.core.peek(&k, "Head").await.is_none());
    write.finish(false, None).await;
    mem.put(
        &k,
        Form::default().encode(&k.key, &entry("1", false), u64::MAX),
    );
    assert!(a.core.peek(&k, "Head").await.is_none());
}
