//! What a read finds, and what it leaves behind.

use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use tokio::time::Instant;

use crate::through::core::{Config, Core};
use crate::through::entry::Form;
#[cfg(feature = "local")]
use crate::through::local::Local;
use crate::through::read::{Found, Loaded, Source, Want};
use crate::through::testing::process::{Process, config, entry, name, one, process, process_with};
use crate::through::testing::server::Mem;
use crate::through::testing::{GET, TTL};

#[tokio::test(start_paused = true)]
async fn what_was_read_once_is_there() {
    let (mem, a) = process();
    let k = name("k");
    assert_eq!(a.read(&k).await, one("1", Source::Service));
    assert!(mem.has(&k));
    assert_eq!(a.read(&k).await, one("1", Source::Memcached));
    assert_eq!(a.other().read(&k).await, one("1", Source::Memcached));
    assert_eq!(a.loads(), 1);
    let stats = a.stats();
    assert_eq!((stats.misses, stats.hits, stats.fills), (1, 1, 1));
    assert_eq!(
        (stats.saved[0].operation, stats.saved[0].requests),
        ("Get", 1)
    );
    // And not when its time is over.
    tokio::time::advance(TTL).await;
    assert_eq!(a.read(&k).await, one("1", Source::Service));
}

#[tokio::test(start_paused = true)]
async fn absence_has_a_time_of_its_own() {
    let (mem, a) = process();
    a.service.absent.store(true, SeqCst);
    let k = name("k");
    a.read(&k).await;
    assert_eq!(a.read(&k).await.1, Source::Memcached);
    assert_eq!(a.stats().absent_hits, 1);
    tokio::time::advance(Duration::from_secs(5)).await;
    assert_eq!(a.read(&k).await.1, Source::Service);

    let forgetful = Process::new(
        &mem,
        Config {
            absent_ttl: None,
            ..config()
        },
    );
    forgetful.service.absent.store(true, SeqCst);
    let l = name("l");
    forgetful.read(&l).await;
    assert!(!mem.has(&l));
    assert_eq!(forgetful.stats().unkept, 1);
    // Nor does its lease hold anybody up.
    assert_eq!(a.read(&l).await.1, Source::Service);
    assert!(mem.has(&l));
}

#[tokio::test(start_paused = true)]
async fn absence_has_no_second_life() {
    let stale_for = Duration::from_secs(30);
    let (_, a) = process_with(|c| c.stale_for = stale_for);
    a.service.absent.store(true, SeqCst);
    let k = name("k");
    a.read(&k).await;
    tokio::time::advance(Duration::from_secs(5)).await;
    assert_eq!(a.read(&k).await.1, Source::Service);
}

#[tokio::test(start_paused = true)]
async fn what_its_reader_cannot_read_is_deleted_and_fetched() {
    let (mem, a) = process();
    let k = name("k");
    a.read(&k).await;
    let missed = a.core.discard(&k).await;
    assert!(!mem.has(&k));
    let load = || async { Ok::<_, String>(Loaded::<()>::Entry(entry("anew", false))) };
    let found = a.core.fetch(&k, GET, missed, load).await.unwrap();
    assert!(matches!(found, Found::Entry(_, Source::Service)));
    assert_eq!(a.read(&k).await, one("anew", Source::Memcached));
}

#[tokio::test(start_paused = true)]
async fn a_damaged_entry_is_a_miss() {
    let (mem, a) = process();
    let k = name("k");
    mem.put(&k, "somebody else's");
    assert_eq!(a.read(&k).await, one("1", Source::Service));
    assert_eq!(a.read(&k).await, one("1", Source::Memcached));
    assert_eq!(a.stats().corrupt, 1);
    // An entry of another key, as a mixed-up server would have it.
    let value = Form::default().encode(&name("other").key, &entry("9", false), u64::MAX);
    mem.put(&k, value);
    assert_eq!(a.read(&k).await, one("1", Source::Service));
}

#[tokio::test(start_paused = true)]
async fn without_memcached_it_reads_on() {
    let (mem, a) = process();
    mem.set_down(true);
    for _ in 0..3 {
        assert_eq!(a.read(&name("k")).await, one("1", Source::Service));
    }
    let stats = a.stats();
    assert_eq!((stats.errors, stats.misses), (3, 3));
}

#[tokio::test(start_paused = true)]
async fn what_is_too_large_is_not_kept() {
    let (mem, a) = process_with(|c| c.max_value = 4);
    a.read(&name("k")).await;
    assert!(!mem.has(&name("k")));
    assert_eq!(a.stats().unkept, 1);
}

#[tokio::test(start_paused = true)]
async fn a_refresh_asks_the_service_and_fills() {
    let (mem, a) = process();
    let k = name("k");
    a.read(&k).await;
    a.service.version.store(2, SeqCst);
    let refresh = Want {
        refresh: true,
        ..GET
    };
    match a.read_as(&k, refresh).await.unwrap() {
        Found::Entry(entry, Source::Service) => assert_eq!(entry.body, "2"),
        other => panic!("{other:?}"),
    }
    assert!(mem.has(&k));
    assert_eq!(a.read(&k).await, one("2", Source::Memcached));
}

#[cfg(feature = "local")]
#[tokio::test(start_paused = true)]
async fn the_first_tier_needs_no_memcached_and_knows_writes() {
    let mem = Mem::default();
    let with = || {
        let local = Local::new(100_000, Duration::from_secs(2));
        Core::new(mem.clone(), config(), Some(local))
    };
    let a = Process::of(with());
    let b = Process {
        service: a.service.clone(),
        ..Process::of(with())
    };
    let k = name("k");
    a.read(&k).await;
    let looks = mem.0.looks.load(SeqCst);
    assert_eq!(a.read(&k).await, one("1", Source::Local));
    assert_eq!(mem.0.looks.load(SeqCst), looks);
    assert_eq!(b.read(&k).await, one("1", Source::Memcached));
    assert_eq!(b.read(&k).await, one("1", Source::Local));
    a.write(&k).await;
    assert_eq!(a.read(&k).await, one("2", Source::Service));
    // The other process sees it when its short time is over.
    assert_eq!(b.read(&k).await, one("1", Source::Local));
    tokio::time::advance(Duration::from_secs(2)).await;
    assert_eq!(b.read(&k).await, one("2", Source::Memcached));

    // A read that began before a write leaves nothing behind.
    let l = name("l");
    a.hold();
    let reader = a.spawn(&l);
    a.until_loads(3).await;
    a.write(&l).await;
    a.release();
    assert_eq!(reader.await.unwrap().0, "2");
    assert_eq!(a.read(&l).await, one("3", Source::Service));
}

#[tokio::test(start_paused = true)]
async fn a_hit_asks_for_no_lease_and_what_misses_asks_once_more() {
    let (mem, a) = process();
    let k = name("k");
    let looks = || mem.0.looks.load(SeqCst);
    a.read(&k).await;
    assert_eq!(looks(), 1);
    for _ in 0..3 {
        assert_eq!(a.read(&k).await, one("1", Source::Memcached));
    }
    assert_eq!(looks(), 1);
    assert!(a.core.find(&k, "Get").await.is_ok());
    // Where a hit may have to be renewed, it asks with the lease at once.
    let stale_for = Duration::from_secs(30);
    let b = Process::new(
        &mem,
        Config {
            stale_for,
            ..config()
        },
    );
    assert_eq!(b.read(&k).await, one("1", Source::Memcached));
    assert_eq!(looks(), 2);
}

#[tokio::test(start_paused = true)]
async fn all_questions_of_a_read_take_the_time_of_one() {
    let limit = Duration::from_millis(200);
    for (slowness, left) in [(0, Some(200)), (120, Some(80)), (190, None)] {
        let (mem, a) = process();
        mem.0.slowness.store(slowness, SeqCst);
        let began = Instant::now();
        assert_eq!(a.read(&name("k")).await, one("1", Source::Service));
        assert!(began.elapsed() <= limit);
        let given = *mem.0.limit.lock().unwrap();
        assert_eq!(given, left.map(Duration::from_millis));
        // No time was left for a lease, and so nothing could be stored.
        assert_eq!(mem.has(&name("k")), left.is_some());
    }
}

#[tokio::test(start_paused = true)]
async fn who_has_no_answer_does_not_ask_again() {
    let (mem, a) = process();
    mem.set_down(true);
    assert_eq!(a.read(&name("k")).await, one("1", Source::Service));
    assert_eq!(mem.0.looks.load(SeqCst), 0);
    assert_eq!(a.stats().errors, 1);
}

/// Without memcached a read has no right to fill that a write could take away.
#[cfg(feature = "local")]
#[tokio::test(start_paused = true)]
async fn the_first_tier_keeps_nothing_that_was_read_before_a_write() {
    let mem = Mem::default();
    let local = Local::new(100_000, Duration::from_secs(20));
    let a = Process::of(Core::new(mem.clone(), config(), Some(local)));
    let k = name("k");
    mem.set_down(true);
    a.hold();
    let reader = a.spawn(&k);
    a.until_loads(1).await;
    a.write(&k).await;
    a.release();
    assert_eq!(reader.await.unwrap().0, "1");
    assert_eq!(a.read(&k).await, one("2", Source::Service));
}

/// More owners than a write tells: what the last of them has read is in the first tier.
#[cfg(feature = "local")]
#[tokio::test(start_paused = true)]
async fn the_first_tier_serves_no_owner_what_a_write_did_not_tell_it() {
    let mem = Mem::default();
    let local = Local::new(100_000, Duration::from_secs(20));
    let a = Process::of(Core::new(mem.clone(), config(), Some(local)));
    for i in 0..64 {
        a.read(&name("other").of(format!("{i}").as_bytes())).await;
    }
    let (mine, last) = (name("k").of(b"0"), name("k").of(b"one more"));
    assert_eq!(a.read(&last).await, one("1", Source::Service));
    assert_eq!(a.read(&last).await, one("1", Source::Local));
    a.write(&mine).await;
    assert_eq!(a.read(&last).await, one("2", Source::Service));
}

/// The answer is there, and only memcached is slow.
#[tokio::test(start_paused = true)]
async fn an_answer_does_not_wait_long_for_its_own_fill() {
    let (mem, a) = process();
    let k = name("k");
    mem.0.slow_fill.store(199, SeqCst);
    let began = Instant::now();
    assert_eq!(a.read(&k).await, one("1", Source::Service));
    assert!(
        began.elapsed() <= Duration::from_millis(50),
        "{:?}",
        began.elapsed()
    );
    assert!(!mem.has(&k));
    // Who comes meanwhile waits for the fill, and loads nothing.
    assert_eq!(a.read(&k).await, one("1", Source::Memcached));
    assert_eq!(a.loads(), 1);
}
