//! What writes make old, and what nobody may believe after them.

use std::future::Future;
use std::sync::atomic::Ordering::SeqCst;
use std::task::{Context, Waker};
use std::time::Duration;

use tokio::task::yield_now;

use super::process::{Process, config, entry, name, one, process};
use super::server::Mem;
use super::{DOUBT, TTL};
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
    assert_eq!(a.core.trust.doubted(), 1);
    assert_eq!(a.core.counters.stats().unacknowledged, 1);
    tokio::time::advance(DOUBT).await;
    assert_eq!(a.read(&k).await, one("2", Source::Service));
    assert_eq!(a.read(&k).await, one("2", Source::Memcached));
    assert_eq!(a.core.trust.doubted(), 0);
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
    a.core.forget_group(&k);
    assert_eq!(a.read(&k).await.1, Source::Service);
    assert_eq!(a.read(&l).await.1, Source::Memcached);
    tokio::time::advance(DOUBT).await;
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
    let theirs = mine.of(b"somebody");
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

#[tokio::test(start_paused = true)]
async fn what_was_fetched_before_a_write_is_not_stored_though_no_deletion_reached_memcached() {
    let (mem, a) = process();
    let k = name("k");
    a.hold();
    let reader = a.spawn(&k);
    a.until_loads(1).await;
    mem.0.down.store(true, SeqCst);
    a.write(&k).await;
    mem.0.down.store(false, SeqCst);
    a.release();
    assert_eq!(reader.await.unwrap().0, "1");
    assert!(!mem.has(&k), "its lease was good still");
}

#[tokio::test(start_paused = true)]
async fn a_doubt_lasts_for_as_long_as_what_is_stale_is_kept() {
    let mem = Mem::default();
    let stale_for = Duration::from_secs(100);
    let a = Process::new(
        &mem,
        Config {
            stale_for,
            ..config()
        },
    );
    let k = name("k");
    a.read(&k).await;
    mem.0.down.store(true, SeqCst);
    a.write(&k).await;
    mem.0.down.store(false, SeqCst);
    // What another process had fetched before, and stores as its renewal ends with the old entry.
    tokio::time::advance(stale_for + TTL).await;
    mem.put(
        &k,
        Form::default().encode(&k.key, &entry("1", false), u64::MAX),
    );
    tokio::time::advance(Duration::from_secs(99)).await;
    assert_eq!(a.read(&k).await, one("2", Source::Service));
}

#[tokio::test(start_paused = true)]
async fn what_is_written_through_has_the_bounds_of_what_is_read() {
    let mem = Mem::default();
    let form = Form {
        compress_from: Some(1),
    };
    let a = Process::new(
        &mem,
        Config {
            write_through: true,
            form,
            ..config()
        },
    );
    // Packed it would be small enough, and no read could unpack it.
    for (size, stored) in [(996, true), (997, false), (100_000, false)] {
        let k = name(&format!("{size}"));
        let write = a.core.clone().write(vec![k.clone()], true).await;
        write
            .finish(true, Some(entry(&"x".repeat(size), false)))
            .await;
        assert_eq!(mem.has(&k), stored, "{size}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_write_that_is_dropped_deletes_what_was_stored_since_it_began() {
    let (mem, a) = process();
    let k = name("k");
    let write = a.core.clone().write(vec![k.clone()], false).await;
    a.other().read(&k).await;
    assert!(mem.has(&k));
    drop(write);
    for _ in 0..100 {
        yield_now().await;
    }
    assert!(!mem.has(&k));
}

#[tokio::test(start_paused = true)]
async fn a_certain_write_ends_no_doubt_of_one_that_may_still_happen() {
    let (mem, a) = process();
    let k = name("k");
    let lost = a.core.clone().write(vec![k.clone()], false).await;
    lost.finish(false, None).await;
    a.write(&k).await;
    a.other().read(&k).await;
    assert!(mem.has(&k));
    a.service.version.store(9, SeqCst);
    assert_eq!(a.read(&k).await, one("9", Source::Service));
}

#[tokio::test(start_paused = true)]
async fn a_fill_that_began_before_a_group_was_forgotten_does_not_outlive_the_doubt() {
    let (mem, a) = process();
    let k = name("k");
    a.hold();
    let reader = a.spawn(&k);
    a.until_loads(1).await;
    a.core.forget_group(&k);
    a.service.version.store(2, SeqCst);
    a.release();
    assert_eq!(reader.await.unwrap().0, "1");
    assert!(!mem.has(&k));
    // That of another process may land for as long as its lease lasts, and lives from then on.
    tokio::time::advance(Duration::from_secs(10)).await;
    mem.put(
        &k,
        Form::default().encode(&k.key, &entry("1", false), u64::MAX),
    );
    tokio::time::advance(TTL - Duration::from_secs(1)).await;
    assert_eq!(a.read(&k).await, one("2", Source::Service));
}

/// As with keys that are replaced after a put: another process has read with the new ones before.
#[tokio::test(start_paused = true)]
async fn an_owner_met_after_a_write_does_not_read_what_was_there_before() {
    let (mem, a) = process();
    let b = a.other();
    let (mine, new) = (name("k"), name("k").of(b"new"));
    b.read(&new).await;
    a.write(&mine).await;
    assert!(mem.has(&new), "nobody told it");
    assert_eq!(a.read(&new).await, one("2", Source::Service));
    assert_eq!(a.core.peek(&new, "Head").await, None);
    // What this process has not written is believed.
    let other = name("other").of(b"new");
    b.read(&other).await;
    assert_eq!(a.read(&other).await, one("2", Source::Memcached));
    // The next write tells it.
    a.write(&mine).await;
    assert!(!mem.has(&new));
    assert_eq!(a.read(&new).await, one("3", Source::Service));
    assert_eq!(a.read(&new).await, one("3", Source::Memcached));
}

#[tokio::test(start_paused = true)]
async fn a_write_deletes_what_owners_of_its_group_have_and_no_more_than_a_bound() {
    let (_, a) = process();
    for i in 0..200 {
        a.core
            .peek(
                &Name::new("t:0:", &format!("{i}"), &["other/"], "k"),
                "Head",
            )
            .await;
        a.core
            .peek(
                &Name::new("t:0:", &format!("{i}"), &["bucket/"], "k"),
                "Head",
            )
            .await;
    }
    a.write(&name("k")).await;
    assert_eq!(a.core.counters.stats().invalidations, 65);
    a.write(&Name::new("t:0:", "me", &["third/"], "k")).await;
    assert_eq!(a.core.counters.stats().invalidations, 66);
}
