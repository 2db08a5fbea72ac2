//! Bounds and time limits, and the end of a pool.

use std::time::Duration;

use crate::peer::{Peer, get};
use futures_util::future::join_all;
use pipeline_pool::{Connect, Connecting, HttpPool, Kind, Origin, Sent};

#[tokio::test]
async fn limits_that_no_clock_can_tell_are_none() {
    let mut peer = Peer::start().await;
    let pool = HttpPool::builder()
        .wait_timeout(Duration::MAX)
        .timeout(Duration::MAX)
        .connect_timeout(Duration::MAX)
        .write_timeout(Duration::MAX)
        .first_byte_timeout(Duration::MAX)
        .body_timeout(Duration::MAX)
        .idle_timeout(Duration::MAX)
        .max_age(Duration::MAX)
        .dns_ttl(Duration::MAX)
        .build();
    let mut request = get(&peer.origin, "/a");
    request.timeout(Duration::MAX);
    let sending = tokio::spawn(pool.send(&peer.origin, request));
    let mut conn = peer.accept().await;
    assert_eq!(conn.target().await, "/a");
    conn.answer("a").await;
    assert_eq!(sending.await.unwrap().unwrap().status(), 200);
}

#[tokio::test]
async fn a_closed_pool_takes_no_request_for_a_new_origin() {
    let peer = Peer::start().await;
    let pool = HttpPool::new();
    pool.clone().close(Duration::ZERO).await;
    let refused = pool.send(&peer.origin, get(&peer.origin, "/a")).await;
    assert_eq!(refused.unwrap_err().kind(), Kind::Shutdown);
    assert_eq!(peer.accepted(), 0);
}

#[tokio::test]
async fn at_the_cap_requests_are_pipelined_up_to_the_depth() {
    let mut peer = Peer::start().await;
    let pool = HttpPool::builder()
        .max_connections(1)
        .fixed_pipeline(3)
        .build();
    let first = tokio::spawn(pool.send(&peer.origin, get(&peer.origin, "/0")));
    let mut conn = peer.accept().await;
    assert_eq!(conn.target().await, "/0");
    let all: Vec<_> = (1..=5)
        .map(|i| pool.send(&peer.origin, get(&peer.origin, &format!("/{i}"))))
        .collect();
    let all = tokio::spawn(join_all(all));
    conn.answer("0").await;
    first.await.unwrap().unwrap();
    // Three are here without an answer; the fourth comes only after one.
    for i in 1..=3 {
        assert_eq!(conn.target().await, format!("/{i}"));
    }
    assert_eq!(pool.stats().origins[0].waiting, 2);
    conn.answer("1").await;
    assert_eq!(conn.target().await, "/4");
    conn.answer("2").await;
    assert_eq!(conn.target().await, "/5");
    for i in 3..=5 {
        conn.answer(&i.to_string()).await;
    }
    for (i, response) in all.await.unwrap().into_iter().enumerate() {
        let body = response.unwrap().into_parts().1;
        assert_eq!(body.as_whole().unwrap(), &(i + 1).to_string());
    }
    assert_eq!(peer.accepted(), 1);
    assert_eq!(pool.stats().deepest(), 3);
}

#[tokio::test]
async fn a_full_line_refuses() {
    let mut peer = Peer::start().await;
    let pool = HttpPool::builder()
        .max_connections(1)
        .max_pipeline(1)
        .max_waiters(2)
        .build();
    let a = tokio::spawn(pool.send(&peer.origin, get(&peer.origin, "/a")));
    let mut conn = peer.accept().await;
    conn.target().await;
    let waiting: Vec<_> = (0..2)
        .map(|_| tokio::spawn(pool.send(&peer.origin, get(&peer.origin, "/w"))))
        .collect();
    while pool.stats().origins[0].waiting != 2 {
        tokio::task::yield_now().await;
    }
    let error = pool
        .send(&peer.origin, get(&peer.origin, "/x"))
        .await
        .unwrap_err();
    assert_eq!((error.kind(), error.sent()), (Kind::Busy, Sent::No));
    conn.answer("").await;
    tokio::spawn(conn.echo());
    a.await.unwrap().unwrap();
    for w in waiting {
        w.await.unwrap().unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_wait_ends_at_its_deadline() {
    let mut peer = Peer::start().await;
    let pool = HttpPool::builder()
        .max_connections(1)
        .max_pipeline(1)
        .wait_timeout(Duration::from_secs(3))
        .build();
    let _a = tokio::spawn(pool.send(&peer.origin, get(&peer.origin, "/a")));
    let mut conn = peer.accept().await;
    conn.target().await;
    let begun = tokio::time::Instant::now();
    let error = pool
        .send(&peer.origin, get(&peer.origin, "/b"))
        .await
        .unwrap_err();
    assert_eq!((error.kind(), error.sent()), (Kind::WaitTimeout, Sent::No));
    assert_eq!(begun.elapsed().as_secs(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_late_answer_reaches_nobody_and_a_silent_server_is_given_up() {
    let mut peer = Peer::start().await;
    let pool = HttpPool::builder()
        .max_connections(1)
        .max_replays(0)
        .build();
    let mut request = get(&peer.origin, "/slow");
    request.timeout(Duration::from_secs(2));
    let slow = tokio::spawn(pool.send(&peer.origin, request));
    let mut conn = peer.accept().await;
    conn.target().await;
    let error = slow.await.unwrap().unwrap_err();
    assert_eq!((error.kind(), error.sent()), (Kind::Timeout, Sent::All));
    // The answer comes late; the next request gets its own.
    conn.answer("late").await;
    let next = tokio::spawn(pool.send(&peer.origin, get(&peer.origin, "/next")));
    assert_eq!(conn.target().await, "/next");
    conn.answer("next").await;
    assert_eq!(
        next.await.unwrap().unwrap().body().as_whole().unwrap(),
        "next"
    );
    // One that never answers is given up by the connection's own limit.
    let begun = tokio::time::Instant::now();
    let silent = tokio::spawn(pool.send(&peer.origin, get(&peer.origin, "/silent")));
    conn.target().await;
    let error = silent.await.unwrap().unwrap_err();
    assert_eq!((error.kind(), error.sent()), (Kind::Timeout, Sent::All));
    assert_eq!(begun.elapsed().as_secs(), 30);
    assert!(conn.closed().await);
}

#[tokio::test(start_paused = true)]
async fn idle_connections_are_let_go() {
    let mut peer = Peer::start().await;
    let pool = HttpPool::new();
    let a = tokio::spawn(pool.send(&peer.origin, get(&peer.origin, "/a")));
    let mut conn = peer.accept().await;
    conn.target().await;
    conn.answer("").await;
    a.await.unwrap().unwrap();
    let begun = tokio::time::Instant::now();
    assert!(conn.closed().await);
    assert_eq!(begun.elapsed().as_secs(), 15);
    assert_eq!(pool.stats().connections, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_cap_holds_at_every_instant() {
    let mut peer = Peer::start().await;
    let pool = HttpPool::builder()
        .max_connections(5)
        .fixed_pipeline(2)
        .build();
    let open = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let most = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let origin = peer.origin.clone();
    let (o, m) = (open.clone(), most.clone());
    let server = tokio::spawn(async move {
        use std::sync::atomic::Ordering::SeqCst;
        loop {
            let mut conn = peer.accept().await;
            let open = o.clone();
            m.fetch_max(open.fetch_add(1, SeqCst) + 1, SeqCst);
            tokio::spawn(async move {
                // Every connection is closed by the server after a few answers, some in between.
                for _ in 0..7 {
                    match conn.request().await {
                        Some((target, _)) => conn.answer(&target).await,
                        None => break,
                    }
                }
                open.fetch_sub(1, SeqCst);
                drop(conn);
            });
        }
    });
    let tasks: Vec<_> = (0..400)
        .map(|i| {
            let (pool, origin) = (pool.clone(), origin.clone());
            tokio::spawn(async move {
                let target = format!("/{i}");
                let response = pool.send(&origin, get(&origin, &target)).await?;
                assert_eq!(response.body().as_whole().unwrap(), &target);
                Ok::<_, pipeline_pool::Error>(())
            })
        })
        .collect();
    let mut lost = 0;
    for task in tasks {
        if let Err(error) = task.await.unwrap() {
            // A server that closes at will may catch one request three times.
            assert_eq!(error.kind(), Kind::Closed, "{error}");
            lost += 1;
        }
    }
    assert!(lost < 40, "{lost} of 400 were lost");
    let most = most.load(std::sync::atomic::Ordering::SeqCst);
    assert!(most <= 5, "{most} connections at once");
    assert!(pool.stats().most_connections <= 5);
    server.abort();
}

#[tokio::test]
async fn close_waits_for_what_is_under_way() {
    let mut peer = Peer::start().await;
    let pool = HttpPool::new();
    let a = tokio::spawn(pool.send(&peer.origin, get(&peer.origin, "/a")));
    let mut conn = peer.accept().await;
    conn.target().await;
    let closing = tokio::spawn(pool.clone().close(Duration::from_secs(60)));
    tokio::task::yield_now().await;
    conn.answer("a").await;
    assert_eq!(a.await.unwrap().unwrap().body().as_whole().unwrap(), "a");
    closing.await.unwrap();
    assert!(conn.closed().await);
    let error = pool
        .send(&peer.origin, get(&peer.origin, "/b"))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), Kind::Shutdown);
}

#[tokio::test(start_paused = true)]
async fn close_ends_with_the_last_who_waits() {
    // Nobody accepts, and nothing can be opened: there is no connection at any time.
    let origin = Origin::parse("http://store.example").unwrap();
    for dropped in [false, true] {
        let pool = HttpPool::builder()
            .connector(Never)
            .connect_timeout(Duration::from_secs(1))
            .wait_timeout(Duration::from_secs(5))
            .build();
        let waits = tokio::spawn(pool.send(&origin, get(&origin, "/a")));
        while pool.stats().origins.iter().all(|o| o.waiting == 0) {
            tokio::task::yield_now().await;
        }
        let begun = tokio::time::Instant::now();
        let closing = tokio::spawn(pool.close(Duration::from_secs(3600)));
        tokio::time::sleep(Duration::from_secs(2)).await;
        if dropped {
            waits.abort();
        }
        closing.await.unwrap();
        assert_eq!(begun.elapsed().as_secs(), if dropped { 2 } else { 5 });
        match waits.await {
            Ok(failed) => assert_eq!(failed.unwrap_err().kind(), Kind::WaitTimeout),
            Err(error) => assert!(dropped && error.is_cancelled()),
        }
    }
}

/// Has no file descriptor to open anything with.
struct Never;

impl Connect for Never {
    fn connect(&self, _: &Origin) -> Connecting {
        Box::pin(async { Err(std::io::Error::from_raw_os_error(24)) })
    }
}
