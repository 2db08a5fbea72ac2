//! Which connection a request goes to: caps over origins, late answers, second copies, what goes alone.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::peer::{Conn, Peer, get, post, warm};
use futures_util::future::join_all;
use pipeline_pool::{
    CloseReason, Connect, Connecting, Event, HttpPool, Io, Kind, Method, Origin, Request,
};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// Opens two connections and has both answer once.
async fn warm_two(pool: &HttpPool, peer: &mut Peer) -> (Conn, Conn) {
    let a = tokio::spawn(pool.send(&peer.origin, get(&peer.origin, "/a")));
    let mut first = peer.accept().await;
    first.target().await;
    let b = tokio::spawn(pool.send(&peer.origin, get(&peer.origin, "/b")));
    let mut second = peer.accept().await;
    second.target().await;
    first.answer("").await;
    second.answer("").await;
    a.await.unwrap().unwrap();
    b.await.unwrap().unwrap();
    (first, second)
}

#[tokio::test]
async fn the_last_used_idle_connection_is_used_again() {
    let mut peer = Peer::start().await;
    let pool = HttpPool::new();
    let (first, mut second) = warm_two(&pool, &mut peer).await;
    for _ in 0..3 {
        let sending = tokio::spawn(pool.send(&peer.origin, get(&peer.origin, "/again")));
        assert_eq!(second.target().await, "/again");
        second.answer("").await;
        sending.await.unwrap().unwrap();
    }
    drop(first);
    assert_eq!(peer.accepted(), 2);
}

#[tokio::test]
async fn an_idle_connection_gives_way_to_another_origin() {
    let (mut one, mut other) = (Peer::start().await, Peer::start().await);
    let pool = HttpPool::builder().max_total_connections(1).build();
    let conn = warm(&pool, &mut one).await;
    let conn2 = warm(&pool, &mut other).await;
    assert!(conn.closed().await, "the idle one was kept");
    let stats = pool.stats();
    assert_eq!((stats.connections, stats.most_connections), (1, 1));
    let yielded: u64 = stats
        .origins
        .iter()
        .map(|o| o.closed_by(CloseReason::Yielded))
        .sum();
    assert_eq!(yielded, 1);
    drop(conn2);
}

#[tokio::test]
async fn a_busy_origin_gives_one_up_to_one_that_has_none() {
    for alone in [false, true] {
        let (mut busy, mut poor) = (Peer::start().await, Peer::start().await);
        let pool = HttpPool::builder().max_total_connections(2).build();
        let (first, second) = warm_two(&pool, &mut busy).await;
        let servers = [tokio::spawn(first.echo()), tokio::spawn(second.echo())];
        // Its line is never empty, so none of its connections is ever idle.
        let mut load = JoinSet::new();
        for _ in 0..50 {
            let (pool, origin) = (pool.clone(), busy.origin.clone());
            load.spawn(async move {
                let request = || match alone {
                    true => post(&origin, "/load", "x"),
                    false => get(&origin, "/load"),
                };
                while pool.send(&origin, request()).await.is_ok() {}
            });
        }
        while pool.stats().origins.iter().all(|o| o.waiting == 0) {
            tokio::task::yield_now().await;
        }
        warm(&pool, &mut poor).await;
        let stats = pool.stats();
        assert_eq!((stats.most_connections, stats.opened()), (2, 3));
        drop((load, servers));
    }
}

/// Opens connections when it is told to.
struct Gated(Arc<Semaphore>);

impl Connect for Gated {
    fn connect(&self, origin: &Origin) -> Connecting {
        let (gate, port) = (self.0.clone(), origin.port());
        Box::pin(async move {
            gate.acquire().await.unwrap().forget();
            let tcp = tokio::net::TcpStream::connect(("127.0.0.1", port)).await?;
            Ok(Box::new(tcp) as Box<dyn Io>)
        })
    }
}

#[tokio::test]
async fn a_busy_origin_gives_one_up_also_while_it_opens_them_all() {
    let (mut busy, mut poor) = (Peer::start().await, Peer::start().await);
    let gate = Arc::new(Semaphore::new(0));
    let builder = HttpPool::builder().max_total_connections(2);
    let pool = builder.connector(Gated(gate.clone())).build();
    let (load_pool, origin) = (pool.clone(), busy.origin.clone());
    let load = tokio::spawn(async move {
        loop {
            let many = (0..50).map(|_| load_pool.send(&origin, get(&origin, "/load")));
            join_all(many).await;
        }
    });
    while pool.stats().connections != 2 {
        tokio::task::yield_now().await;
    }
    let waits = tokio::spawn(pool.send(&poor.origin, get(&poor.origin, "/poor")));
    while pool.stats().origins.len() != 2 {
        tokio::task::yield_now().await;
    }
    gate.add_permits(100);
    let server = tokio::spawn(async move {
        loop {
            tokio::spawn(busy.accept().await.echo());
        }
    });
    let mut conn = poor.accept().await;
    assert_eq!(conn.target().await, "/poor");
    conn.answer("").await;
    waits.await.unwrap().unwrap();
    assert_eq!(pool.stats().most_connections, 2);
    load.abort();
    drop(server);
}

#[tokio::test]
async fn what_goes_alone_is_not_starved() {
    let mut peer = Peer::start().await;
    let pool = HttpPool::builder()
        .max_connections(1)
        .fixed_pipeline(4)
        .build();
    let conn = warm(&pool, &mut peer).await;
    let server = tokio::spawn(conn.echo());
    let (load_pool, origin) = (pool.clone(), peer.origin.clone());
    let load = tokio::spawn(async move {
        let tasks = (0..16).map(|_| {
            let (pool, origin) = (load_pool.clone(), origin.clone());
            tokio::spawn(async move {
                loop {
                    pool.send(&origin, get(&origin, "/read")).await.unwrap();
                }
            })
        });
        join_all(tasks).await
    });
    for _ in 0..20 {
        pool.send(&peer.origin, post(&peer.origin, "/write", "x"))
            .await
            .unwrap();
    }
    // Those that it was to starve behind were there all the time.
    assert!(!load.is_finished() && !server.is_finished());
    load.abort();
    drop(server);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_queued_behind_what_is_stuck() {
    let mut peer = Peer::start().await;
    let pool = HttpPool::builder()
        .max_connections(2)
        .fixed_pipeline(2)
        .build();
    let (mut first, mut second) = warm_two(&pool, &mut peer).await;
    let stuck = tokio::spawn(pool.send(&peer.origin, get(&peer.origin, "/stuck")));
    assert_eq!(second.target().await, "/stuck");
    // Time passes, far beyond what is usual, and well below any time limit.
    tokio::time::advance(Duration::from_secs(1)).await;
    let others: Vec<_> = (0..3)
        .map(|i| tokio::spawn(pool.send(&peer.origin, get(&peer.origin, &format!("/{i}")))))
        .collect();
    // Three at once would have put one behind the stuck one, at depth two.
    for i in 0..3 {
        assert_eq!(first.target().await, format!("/{i}"));
        first.answer("").await;
    }
    for other in others {
        other.await.unwrap().unwrap();
    }
    second.answer("late").await;
    assert_eq!(
        stuck.await.unwrap().unwrap().body().as_whole().unwrap(),
        "late"
    );
    assert_eq!(pool.stats().origins[0].hedges, 0);
}

#[tokio::test(start_paused = true)]
async fn a_late_read_is_sent_twice_by_choice_and_a_write_never() {
    let mut peer = Peer::start().await;
    let pool = HttpPool::builder().max_connections(2).hedge(1.0).build();
    let (mut first, mut second) = warm_two(&pool, &mut peer).await;
    let read = tokio::spawn(pool.send(&peer.origin, get(&peer.origin, "/read")));
    assert_eq!(second.target().await, "/read");
    // The copy comes by itself, once the first is late.
    assert_eq!(first.target().await, "/read");
    first.answer("second copy").await;
    let reply = read.await.unwrap().unwrap();
    assert_eq!(reply.body().as_whole().unwrap(), "second copy");
    assert_eq!(pool.stats().origins[0].hedges, 1);
    // The first answer comes too late, and reaches nobody.
    second.answer("first copy").await;

    let write = tokio::spawn(pool.send(&peer.origin, post(&peer.origin, "/write", "x")));
    let on_first = tokio::select! {
        target = first.target() => { assert_eq!(target, "/write"); true }
        target = second.target() => { assert_eq!(target, "/write"); false }
    };
    let conn = if on_first { &mut first } else { &mut second };
    // Long enough for a second copy, if there were one.
    tokio::time::sleep(Duration::from_secs(5)).await;
    conn.answer("once").await;
    assert_eq!(
        write.await.unwrap().unwrap().body().as_whole().unwrap(),
        "once"
    );
    assert_eq!(pool.stats().origins[0].hedges, 1);
}

#[tokio::test(start_paused = true)]
async fn only_what_reads_is_sent_twice() {
    let mut peer = Peer::start().await;
    let builder = HttpPool::builder().max_connections(2).hedge(1.0);
    let pool = builder.idle_timeout(Duration::from_secs(600)).build();
    let (mut first, mut second) = warm_two(&pool, &mut peer).await;
    let request = |method, reads: Option<bool>| {
        let mut request = Request::new(method, &peer.origin, "/r").unwrap();
        request.repeatable(true);
        if let Some(reads) = reads {
            request.reads(reads);
        }
        request
    };
    for (method, reads, twice) in [
        (Method::Put, None, false),
        (Method::Delete, None, false),
        (Method::Post, None, false),
        (Method::Get, Some(false), false),
        (Method::Head, None, true),
        (Method::Post, Some(true), true),
    ] {
        let before = pool.stats().origins[0].hedges;
        let sending = tokio::spawn(pool.send(&peer.origin, request(method, reads)));
        let on_first = tokio::select! {
            _ = first.target() => true,
            _ = second.target() => false,
        };
        let (conn, other) = match on_first {
            true => (&mut first, &mut second),
            false => (&mut second, &mut first),
        };
        // Long enough for a second copy, if there is one.
        tokio::time::sleep(Duration::from_secs(5)).await;
        let hedges = pool.stats().origins[0].hedges - before;
        assert_eq!(hedges, u64::from(twice), "{method} {reads:?}");
        conn.answer("").await;
        if twice {
            assert_eq!(other.target().await, "/r");
            other.answer("").await;
        }
        sending.await.unwrap().unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn when_both_copies_fail_the_caller_hears_of_it_once() {
    let mut peer = Peer::start().await;
    let pool = HttpPool::builder()
        .max_connections(2)
        .hedge(1.0)
        .max_replays(0)
        .build();
    let (mut first, mut second) = warm_two(&pool, &mut peer).await;
    let read = tokio::spawn(pool.send(&peer.origin, get(&peer.origin, "/read")));
    second.target().await;
    first.target().await;
    second.reset();
    tokio::task::yield_now().await;
    assert!(!read.is_finished());
    first.reset();
    let error = read.await.unwrap().unwrap_err();
    assert_eq!(error.kind(), Kind::Closed);
    assert!(error.may_have_been_sent());
}

#[tokio::test(start_paused = true)]
async fn a_hook_hears_of_connections() {
    let mut peer = Peer::start().await;
    let heard: Arc<Mutex<Vec<String>>> = Arc::default();
    let tell = heard.clone();
    let pool = HttpPool::builder()
        .on_event(move |origin, event| {
            let text = match event {
                Event::Opened { .. } => format!("{origin} opened"),
                Event::Closed {
                    reason, replies, ..
                } => format!("{origin} {reason:?} {replies}"),
                other => format!("{origin} {other:?}"),
            };
            tell.lock().unwrap().push(text);
        })
        .build();
    let conn = warm(&pool, &mut peer).await;
    assert!(conn.closed().await);
    let origin = peer.origin.to_string();
    let expected = [format!("{origin} opened"), format!("{origin} Idle 1")];
    assert_eq!(*heard.lock().unwrap(), expected);
    assert_eq!(pool.stats().origins[0].closed_by(CloseReason::Idle), 1);
}

#[tokio::test(start_paused = true)]
async fn an_old_connection_is_replaced() {
    let mut peer = Peer::start().await;
    let pool = HttpPool::builder().max_age(Duration::from_secs(5)).build();
    let mut conn = warm(&pool, &mut peer).await;
    tokio::time::advance(Duration::from_secs(6)).await;
    let last = tokio::spawn(pool.send(&peer.origin, get(&peer.origin, "/last")));
    assert_eq!(conn.target().await, "/last");
    conn.answer("").await;
    last.await.unwrap().unwrap();
    assert!(conn.closed().await);
    warm(&pool, &mut peer).await;
    assert_eq!(pool.stats().origins[0].closed_by(CloseReason::Age), 1);
}

#[tokio::test(start_paused = true)]
async fn an_old_connection_is_replaced_also_when_all_it_serves_goes_alone() {
    let mut peer = Peer::start().await;
    let builder = HttpPool::builder().max_connections(1);
    let pool = builder.max_age(Duration::from_secs(5)).build();
    let mut conn = warm(&pool, &mut peer).await;
    let send = || tokio::spawn(pool.send(&peer.origin, post(&peer.origin, "/w", "x")));
    let first = send();
    assert_eq!(conn.target().await, "/w");
    let second = send();
    while pool.stats().origins[0].waiting != 1 {
        tokio::task::yield_now().await;
    }
    tokio::time::advance(Duration::from_secs(6)).await;
    conn.answer("").await;
    first.await.unwrap().unwrap();
    assert!(conn.closed().await);
    tokio::spawn(peer.accept().await.echo());
    second.await.unwrap().unwrap();
    assert_eq!(pool.stats().origins[0].closed_by(CloseReason::Age), 1);
}

#[tokio::test]
async fn a_hook_that_panics_costs_no_connection() {
    let mut peer = Peer::start().await;
    let builder = HttpPool::builder().max_connections(1);
    let called = Arc::new(AtomicUsize::new(0));
    let count = called.clone();
    let builder = builder.on_event(move |_, _| {
        count.fetch_add(1, Ordering::Relaxed);
        panic!("a bad hook");
    });
    let pool = builder.build();
    for _ in 0..3 {
        let conn = warm(&pool, &mut peer).await;
        conn.reset();
        while pool.stats().connections > 0 {
            tokio::task::yield_now().await;
        }
    }
    assert_eq!(pool.stats().opened(), 3);
    // To be opened and to be closed are events.
    assert!(called.load(Ordering::Relaxed) >= 6);
}

#[tokio::test]
async fn a_server_that_closes_each_time_is_not_pipelined() {
    let mut peer = Peer::start().await;
    let pool = HttpPool::builder()
        .max_connections(1)
        .max_pipeline(8)
        .build();
    let origin = peer.origin.clone();
    let server = tokio::spawn(async move {
        for _ in 0..30 {
            let mut conn = peer.accept().await;
            let target = conn.target().await;
            conn.write(format!(
                "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{target}",
                target.len()
            ))
            .await;
        }
    });
    let all = (0..30).map(|i| {
        let target = format!("/{i}");
        let sending = pool.send(&origin, get(&origin, &target));
        async move { (target, sending.await) }
    });
    for (target, reply) in join_all(all).await {
        assert_eq!(reply.unwrap().body().as_whole().unwrap(), &target);
    }
    server.await.unwrap();
    let stats = pool.stats();
    assert_eq!((stats.deepest(), stats.origins[0].depth), (1, 1));
}
