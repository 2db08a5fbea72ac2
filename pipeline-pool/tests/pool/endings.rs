//! What ends a request: the limits on its waits, the end of its pool, and no end without one.

use std::time::Duration;

use crate::peer::{Peer, get, post, warm};
use futures_util::future::join_all;
use pipeline_pool::{HttpPool, Kind, Origin, Sent, Stats};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

#[tokio::test(start_paused = true)]
async fn a_replay_waits_anew_within_its_deadline() {
    let mut peer = Peer::start().await;
    let pool = HttpPool::builder().max_connections(1).build();
    let send = || tokio::spawn(pool.send(&peer.origin, get(&peer.origin, "/a")));
    let begun = Instant::now();
    let (first, second) = (send(), send());
    let mut conn = peer.accept().await;
    conn.target().await;
    // The second waits behind it, for less than the limit on that.
    sleep(Duration::from_secs(8)).await;
    conn.answer("").await;
    first.await.unwrap().unwrap();
    conn.target().await;
    sleep(Duration::from_secs(15)).await;
    // It has been under way for longer than it may wait, and waits again now.
    conn.reset();
    let mut conn = peer.accept().await;
    conn.target().await;
    conn.answer("").await;
    assert_eq!(second.await.unwrap().unwrap().status(), 200);
    assert_eq!(begun.elapsed().as_secs(), 23);
    assert_eq!(pool.stats().replays(), 1);
}

#[tokio::test(start_paused = true)]
async fn those_behind_a_silent_request_outlive_the_limit_on_waiting() {
    let mut peer = Peer::start().await;
    let pool = HttpPool::builder()
        .max_connections(1)
        .fixed_pipeline(4)
        .build();
    let mut conn = warm(&pool, &mut peer).await;
    let send = |target: &'static str| pool.send(&peer.origin, get(&peer.origin, target));
    let silent = tokio::spawn(send("/silent"));
    assert_eq!(conn.target().await, "/silent");
    let behind = tokio::spawn(join_all((0..3).map(|_| send("/behind"))));
    for _ in 0..3 {
        assert_eq!(conn.target().await, "/behind");
    }
    // The server owes an answer for 30 s, which ends the connection. Then the first of them fails.
    tokio::spawn(peer.accept().await.echo());
    let error = silent.await.unwrap().unwrap_err();
    assert_eq!((error.kind(), error.sent()), (Kind::Timeout, Sent::All));
    for reply in behind.await.unwrap() {
        assert_eq!(reply.unwrap().body().as_whole().unwrap(), "/behind");
    }
    assert_eq!(pool.stats().replays(), 3, "the first is not sent again");
}

#[tokio::test(start_paused = true)]
async fn what_is_not_done_when_the_grace_is_over_ends_with_the_pool() {
    let mut peer = Peer::start().await;
    let pool = HttpPool::builder().max_connections(2).build();
    let sent: Vec<_> = (0..3)
        .map(|_| tokio::spawn(pool.send(&peer.origin, get(&peer.origin, "/a"))))
        .collect();
    let mut conns = [peer.accept().await, peer.accept().await];
    for conn in &mut conns {
        conn.target().await;
    }
    let begun = Instant::now();
    pool.clone().close(Duration::from_secs(3)).await;
    for sent in sent {
        assert_eq!(sent.await.unwrap().unwrap_err().kind(), Kind::Shutdown);
    }
    assert_eq!(begun.elapsed().as_secs(), 3);
    for conn in conns {
        assert!(conn.closed().await);
    }
    // Time for new connections, if there were any.
    sleep(Duration::from_secs(3)).await;
    assert_eq!((peer.accepted(), pool.stats().connections), (2, 0));
}

#[tokio::test(start_paused = true)]
async fn three_origins_share_two_connections_and_none_starves() {
    const EACH: usize = 100;
    let builder = HttpPool::builder().max_total_connections(2);
    let pool = builder.max_pipeline(1).build();
    let mut servers = Vec::new();
    let mut loads = JoinSet::new();
    for _ in 0..3 {
        let peer = Peer::start().await;
        let origin = peer.origin.clone();
        servers.push(serve(peer));
        let pool = pool.clone();
        loads.spawn(async move {
            // More at once than there are connections, so that none of them is ever idle.
            for _ in 0..EACH {
                for reply in join_all((0..4).map(|_| pool.send(&origin, get(&origin, "/a")))).await
                {
                    reply.unwrap();
                }
            }
        });
    }
    while let Some(done) = loads.join_next().await {
        done.unwrap();
    }
    assert_eq!(pool.stats().most_connections, 2);
    servers.iter().for_each(|server| server.abort());
}

/// Answers all that comes, over any number of connections.
fn serve(mut peer: Peer) -> tokio::task::JoinHandle<()> {
    tokio::spawn(async move {
        let mut serving = JoinSet::new();
        loop {
            serving.spawn(peer.accept().await.echo());
        }
    })
}

async fn until_one_waits(pool: &HttpPool, origin: &Origin) {
    let waits = |stats: Stats| {
        let mut origins = stats.origins.into_iter();
        origins.any(|o| o.origin == *origin && o.waiting > 0)
    };
    while !waits(pool.stats()) {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn an_origin_that_asks_while_all_is_closing_is_served_too() {
    let (mut first, busy, poor) = (
        Peer::start().await,
        Peer::start().await,
        Peer::start().await,
    );
    let (origin, other) = (busy.origin.clone(), poor.origin.clone());
    let servers = [serve(busy), serve(poor)];
    let builder = HttpPool::builder().max_total_connections(1);
    let pool = builder.max_pipeline(1).build();
    let held = tokio::spawn(pool.send(&first.origin, get(&first.origin, "/held")));
    let mut conn = first.accept().await;
    conn.target().await;
    // The connection is to close for this one, which is never idle from then on.
    let mut load = JoinSet::new();
    for _ in 0..4 {
        let (pool, origin) = (pool.clone(), origin.clone());
        load.spawn(async move {
            for _ in 0..1000 {
                let reply = pool.send(&origin, get(&origin, "/load")).await;
                assert_eq!(reply.unwrap().status(), 200);
            }
        });
    }
    until_one_waits(&pool, &origin).await;
    // And there is none left to close for this one.
    let waits = tokio::spawn(pool.send(&other, get(&other, "/waits")));
    until_one_waits(&pool, &other).await;
    conn.answer("").await;
    held.await.unwrap().unwrap();
    tokio::select! {
        reply = waits => assert_eq!(reply.unwrap().unwrap().status(), 200),
        _ = load.join_next() => panic!("it waited until the load was over"),
    }
    assert_eq!(pool.stats().most_connections, 1);
    load.shutdown().await;
    servers.iter().for_each(|server| server.abort());
}

#[tokio::test]
async fn a_request_that_is_given_up_waits_for_no_permit() {
    let (mut one, mut other) = (Peer::start().await, Peer::start().await);
    let pool = HttpPool::builder().max_total_connections(2).build();
    let busy = tokio::spawn(pool.send(&one.origin, get(&one.origin, "/busy")));
    let _conn = {
        let mut conn = one.accept().await;
        conn.target().await;
        conn
    };
    let kept = tokio::spawn(pool.send(&other.origin, get(&other.origin, "/kept")));
    let mut conn = other.accept().await;
    conn.target().await;
    // It asks for a second connection, and there is no idle one to give way to it.
    let waits = tokio::spawn(pool.send(&one.origin, get(&one.origin, "/waits")));
    until_one_waits(&pool, &one.origin).await;
    waits.abort();
    assert!(waits.await.unwrap_err().is_cancelled());
    // This one becomes idle, and is wanted by nobody.
    conn.answer("").await;
    kept.await.unwrap().unwrap();
    let again = tokio::spawn(pool.send(&other.origin, get(&other.origin, "/again")));
    tokio::select! {
        target = conn.target() => assert_eq!(target, "/again"),
        _ = other.accept() => panic!("the idle connection was closed for nobody"),
    }
    conn.answer("").await;
    again.await.unwrap().unwrap();
    // The origin can ask for one again.
    let more = tokio::spawn(pool.send(&one.origin, get(&one.origin, "/more")));
    assert!(conn.closed().await, "the idle one was kept");
    let served = tokio::spawn(async move { one.accept().await.echo().await });
    assert_eq!(more.await.unwrap().unwrap().status(), 200);
    served.abort();
    busy.abort();
}

#[tokio::test]
async fn a_connection_that_becomes_idle_gives_way_to_who_waits() {
    let (mut one, mut other) = (Peer::start().await, Peer::start().await);
    let pool = HttpPool::builder().max_total_connections(2).build();
    let busy = tokio::spawn(pool.send(&one.origin, get(&one.origin, "/busy")));
    let _conn = {
        let mut conn = one.accept().await;
        conn.target().await;
        conn
    };
    let done = tokio::spawn(pool.send(&other.origin, get(&other.origin, "/done")));
    let mut conn = other.accept().await;
    conn.target().await;
    let waits = tokio::spawn(pool.send(&one.origin, get(&one.origin, "/waits")));
    until_one_waits(&pool, &one.origin).await;
    conn.answer("").await;
    done.await.unwrap().unwrap();
    assert!(conn.closed().await, "the idle one was kept");
    let served = tokio::spawn(async move { one.accept().await.echo().await });
    assert_eq!(waits.await.unwrap().unwrap().status(), 200);
    served.abort();
    busy.abort();
}

#[tokio::test(start_paused = true)]
async fn what_waits_behind_a_large_answer_goes_elsewhere() {
    let mut peer = Peer::start().await;
    let pool = HttpPool::builder()
        .max_connections(2)
        .fixed_pipeline(2)
        .build();
    let origin = peer.origin.clone();
    let send = |target| tokio::spawn(pool.send(&origin, get(&origin, target)));
    let hold = send("/a");
    let mut first = peer.accept().await;
    first.target().await;
    let other = send("/b");
    let mut second = peer.accept().await;
    second.target().await;
    first.answer("").await;
    hold.await.unwrap().unwrap();
    second.answer("").await;
    other.await.unwrap().unwrap();
    // The second was used last.
    let hold = send("/hold");
    assert_eq!(second.target().await, "/hold");
    let large = send("/large");
    assert_eq!(first.target().await, "/large");
    // It goes alone, and has a connection reserved: the first of two that are alike.
    let post = tokio::spawn(pool.send(&peer.origin, post(&peer.origin, "/post", "x")));
    tokio::task::yield_now().await;
    let begun = Instant::now();
    first
        .write("HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\nbegin")
        .await;
    let body = large.await.unwrap().unwrap();
    second.answer("").await;
    hold.await.unwrap().unwrap();
    assert_eq!(second.target().await, "/post");
    second.answer("").await;
    post.await.unwrap().unwrap();
    assert!(begun.elapsed() < Duration::from_secs(1));
    drop(body);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_drips_for_nobody_holds_no_connection() {
    // Of a head, of a body that comes whole, and of what is left of a body whose reader is gone.
    for begin in [
        "HTTP/1.1 200 OK\r\nx: ",
        "HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 66000\r\n\r\n",
    ] {
        let mut peer = Peer::start().await;
        let pool = HttpPool::builder().max_connections(1).build();
        let mut request = get(&peer.origin, "/slow");
        request.timeout(Duration::from_secs(5));
        let slow = tokio::spawn(pool.send(&peer.origin, request));
        let mut conn = peer.accept().await;
        conn.target().await;
        conn.write(begin).await;
        match slow.await.unwrap() {
            Ok(response) => {
                conn.write("x".repeat(60_000)).await;
                let mut body = response.into_parts().1;
                let mut read = 0;
                while read < 60_000 {
                    read += body.chunk().await.unwrap().unwrap().len();
                }
            }
            Err(error) => assert_eq!(error.kind(), Kind::Timeout),
        }
        let begun = Instant::now();
        let mut drips = 0;
        while conn.try_write("x").await {
            sleep(Duration::from_secs(29)).await;
            drips += 1;
            assert!(drips < 5, "{begin}");
        }
        assert!(begun.elapsed() > Duration::from_secs(30), "{begin}");
    }
}
