//! What writes make old, and what nobody may believe after them.

use std::future::Future;
use std::sync::atomic::Ordering::SeqCst;
use std::task::{Context, Waker};
use std::time::Duration;

use tokio::task::yield_now;

use crate::through::entry::Form;
use crate::through::name::Name;
use crate::through::read::Source;
use crate::through::testing::process::{entry, name, one, process, process_with, until};
use crate::through::testing::{DOUBT, TTL};

#[tokio::test(start_paused = true)]
async fn a_fill_that_began_before_a_write_does_not_land() {
    for other_process_writes in [false, true] {
        let (mem, a) = process();
        let k = name("k");
        a.hold();
        let reader = a.spawn(&k);
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
    let write = a.begin_write(&k).await;
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
    a.write_unheard(&k).await;
    assert!(mem.has(&k), "the old value is there still");
    assert_eq!(a.read(&k).await, one("2", Source::Service));
    assert_eq!(a.core.trust.doubted(), 1);
    assert_eq!(a.stats().unacknowledged, 1);
    tokio::time::advance(DOUBT).await;
    assert_eq!(a.read(&k).await, one("2", Source::Service));
    assert_eq!(a.read(&k).await, one("2", Source::Memcached));
    assert_eq!(a.core.trust.doubted(), 0);
}

/// The client below reads the key as absent until it is deleted, so that nothing has to be doubted here.
#[tokio::test(start_paused = true)]
async fn what_is_owed_a_deletion_is_not_doubted() {
    let (mem, a) = process();
    mem.0.owes.store(true, SeqCst);
    a.write(&name("k")).await;
    let stats = a.stats();
    assert_eq!((a.core.trust.doubted(), stats.unacknowledged), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn a_write_that_may_still_happen_is_doubted() {
    let (mem, a) = process();
    let k = name("k");
    // It ended without saying whether it happened.
    let write = a.begin_write(&k).await;
    write.finish(false, None).await;
    assert_eq!(a.read(&k).await, one("1", Source::Service));
    assert!(!mem.has(&k));
    a.service.version.store(2, SeqCst);
    assert_eq!(a.read(&k).await.0, "2");

    // Its caller went away.
    let l = name("l");
    a.read(&l).await;
    drop(a.begin_write(&l).await);
    until("it is deleted", || !mem.has(&l)).await;
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
    let (mem, a) = process_with(|c| c.write_through = true);
    let k = name("k");
    let write = a.begin_write_through(&k).await;
    a.service.version.store(2, SeqCst);
    write.finish(true, Some(entry("2", false))).await;
    assert_eq!(a.read(&k).await, one("2", Source::Memcached));
    assert_eq!(a.loads(), 0);

    // Another process wrote meanwhile: what this one wrote may be old by now.
    let write = a.begin_write_through(&k).await;
    a.other().write(&k).await;
    write.finish(true, Some(entry("3", false))).await;
    assert!(!mem.has(&k));

    // It failed, or may still happen.
    let write = a.begin_write_through(&k).await;
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
    assert_eq!(a.stats().invalidations, 25);
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
    let write = a.begin_write(&k).await;
    mem.put_entry(&k, "1");
    assert!(a.core.peek(&k, "Head").await.is_none());
    write.finish(false, None).await;
    mem.put_entry(&k, "1");
    assert!(a.core.peek(&k, "Head").await.is_none());
}

#[tokio::test(start_paused = true)]
async fn what_was_fetched_before_a_write_is_not_stored_though_no_deletion_reached_memcached() {
    let (mem, a) = process();
    let k = name("k");
    a.hold();
    let reader = a.spawn(&k);
    a.until_loads(1).await;
    a.write_unheard(&k).await;
    a.release();
    assert_eq!(reader.await.unwrap().0, "1");
    assert!(!mem.has(&k), "its lease was good still");
}

#[tokio::test(start_paused = true)]
async fn a_doubt_lasts_for_as_long_as_what_is_stale_is_kept() {
    let stale_for = Duration::from_secs(100);
    let (mem, a) = process_with(|c| c.stale_for = stale_for);
    let k = name("k");
    a.read(&k).await;
    a.write_unheard(&k).await;
    // What another process had fetched before, and stores as its renewal ends with the old entry.
    tokio::time::advance(stale_for + TTL).await;
    mem.put_entry_for(&k, "1", stale_for + TTL);
    tokio::time::advance(Duration::from_secs(99)).await;
    assert!(mem.has(&k));
    assert_eq!(a.read(&k).await, one("2", Source::Service));
}

#[tokio::test(start_paused = true)]
async fn what_is_written_through_has_the_bounds_of_what_is_read() {
    let form = Form {
        compress_from: Some(1),
    };
    let (mem, a) = process_with(|c| {
        c.write_through = true;
        c.form = form;
    });
    // Packed it would be small enough, and no read could unpack it.
    for (size, stored) in [(996, true), (997, false), (100_000, false)] {
        let k = name(&format!("{size}"));
        let write = a.begin_write_through(&k).await;
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
    let write = a.begin_write(&k).await;
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
    let lost = a.begin_write(&k).await;
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
    mem.put_entry(&k, "1");
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
    assert_eq!(a.stats().invalidations, 65);
    a.write(&Name::new("t:0:", "me", &["third/"], "k")).await;
    assert_eq!(a.stats().invalidations, 66);
}

/// It was to be stored, and the right to do so is granted after its caller has gone.
#[tokio::test(start_paused = true)]
async fn a_write_that_is_dropped_before_it_is_sent_keeps_nobody_from_filling() {
    let (mem, a) = process_with(|c| c.write_through = true);
    let k = name("k");
    mem.0.holds.store(true, SeqCst);
    let begun = tokio::spawn(a.core.clone().write(vec![k.clone()], true));
    until("it is granted", || mem.is_leased(&k)).await;
    begun.abort();
    assert!(begun.await.is_err());
    mem.0.holds.store(false, SeqCst);
    for _ in 0..100 {
        yield_now().await;
    }
    assert_eq!(a.read(&k).await, one("1", Source::Service));
    assert!(mem.has(&k));
}

/// As where a server joins and leaves again: the key is back where it was before the write.
#[tokio::test(start_paused = true)]
async fn what_another_list_of_servers_has_left_behind_is_not_read_after_a_write() {
    for finds in [true, false] {
        let stale_for = if finds { Duration::ZERO } else { TTL };
        let (mem, a) = process_with(|c| c.stale_for = stale_for);
        let (k, l) = (name("k"), name("l"));
        a.read(&k).await;
        a.read(&l).await;
        mem.0.list.store(1, SeqCst);
        a.write(&k).await;
        assert_eq!(a.read(&k).await.0, "2");
        mem.0.list.store(2, SeqCst);
        assert!(mem.has(&k), "the server has the old one still");
        assert_eq!(a.read(&k).await, one("2", Source::Service));
        // What was not written is believed.
        assert_eq!(a.read(&l).await, one("1", Source::Memcached));
        // As is everything when nothing can be left of that time.
        tokio::time::advance(Duration::from_secs(300)).await;
        a.read(&k).await;
        assert_eq!(a.read(&k).await, one("2", Source::Memcached));
    }
}

/// The list of servers changes between the question whether memcached may be believed, and its answer.
#[tokio::test(start_paused = true)]
async fn an_answer_by_another_list_of_servers_is_not_believed() {
    for finds in [true, false] {
        let stale_for = if finds { Duration::ZERO } else { TTL };
        let (mem, a) = process_with(|c| c.stale_for = stale_for);
        let k = name("k");
        a.read(&k).await;
        mem.0.list.store(1, SeqCst);
        a.write(&k).await;
        a.read(&k).await;
        let reader = a.read(&k);
        let mut reader = Box::pin(reader);
        let mut cx = Context::from_waker(Waker::noop());
        // It has been told that it may believe memcached, and asks now.
        assert!(reader.as_mut().poll(&mut cx).is_pending());
        mem.0.list.store(2, SeqCst);
        assert_eq!(reader.await.0, "2");
    }
}

/// A write whose deletions went by two lists may have missed the server where the key is.
#[tokio::test(start_paused = true)]
async fn a_write_during_which_the_list_of_servers_changes_is_doubted() {
    let (mem, a) = process();
    let k = name("k");
    let write = a.begin_write(&k).await;
    mem.0.list.store(1, SeqCst);
    write.finish(true, None).await;
    assert_eq!(a.core.trust.doubted(), 1);
    assert_eq!(a.read(&k).await, one("1", Source::Service));
    assert!(!mem.has(&k));
}
