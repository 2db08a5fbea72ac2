//! One request and its neighbours: order, bounds, and what goes wrong.

use crate::peer::{Peer, get, post, reply, warm};
use futures_util::future::join_all;
use pipeline_pool::{CloseReason, HttpPool, Kind, Sent};

#[tokio::test]
async fn a_request_is_answered() {
    let mut peer = Peer::start().await;
    let pool = HttpPool::new();
    let sending = tokio::spawn(pool.send(&peer.origin, get(&peer.origin, "/a")));
    let mut conn = peer.accept().await;
    assert_eq!(conn.target().await, "/a");
    conn.write("HTTP/1.1 404 Not Found\r\nETag: \"x\"\r\nContent-Length: 4\r\n\r\ngone")
        .await;
    let response = sending.await.unwrap().unwrap();
    assert_eq!(response.status(), 404);
    assert_eq!(response.header("etag"), Some("\"x\""));
    assert_eq!(response.body().as_whole().unwrap(), "gone");
}

#[tokio::test]
async fn nothing_is_pipelined_before_the_first_answer() {
    let mut peer = Peer::start().await;
    let pool = HttpPool::builder()
        .max_connections(1)
        .fixed_pipeline(8)
        .build();
    let a = tokio::spawn(pool.send(&peer.origin, get(&peer.origin, "/a")));
    let b = tokio::spawn(pool.send(&peer.origin, get(&peer.origin, "/b")));
    let mut conn = peer.accept().await;
    let first = conn.target().await;
    // The other waits in line, so it is not on the wire.
    while pool.stats().origins[0].waiting != 1 {
        tokio::task::yield_now().await;
    }
    conn.answer(&first).await;
    assert_ne!(conn.target().await, first);
    conn.answer("x").await;
    a.await.unwrap().unwrap();
    b.await.unwrap().unwrap();
}

#[tokio::test]
async fn what_may_not_run_twice_goes_alone() {
    let mut peer = Peer::start().await;
    let pool = HttpPool::builder()
        .max_connections(1)
        .fixed_pipeline(8)
        .build();
    let mut conn = warm(&pool, &mut peer).await;

    let read = tokio::spawn(pool.send(&peer.origin, get(&peer.origin, "/read")));
    assert_eq!(conn.target().await, "/read");
    let write = tokio::spawn(pool.send(&peer.origin, post(&peer.origin, "/write", "x")));
    tokio::task::yield_now().await;
    let after = tokio::spawn(pool.send(&peer.origin, get(&peer.origin, "/after")));
    tokio::task::yield_now().await;
    // The write is not on the wire before the read is answered, nor anything behind it before it
    // is: the server would see it in the same order, so only the client's figures can tell.
    conn.answer("").await;
    assert_eq!(conn.target().await, "/write");
    read.await.unwrap().unwrap();
    assert_eq!(pool.stats().origins[0].waiting, 1);
    conn.answer("").await;
    assert_eq!(conn.target().await, "/after");
    conn.answer("").await;
    write.await.unwrap().unwrap();
    after.await.unwrap().unwrap();
    assert_eq!(pool.stats().deepest(), 1);
}

#[tokio::test]
async fn a_dropped_future_hurts_no_neighbour() {
    let mut peer = Peer::start().await;
    let pool = HttpPool::builder()
        .max_connections(1)
        .fixed_pipeline(4)
        .build();
    let mut conn = warm(&pool, &mut peer).await;

    let tasks: Vec<_> = ["/a", "/b", "/c"]
        .map(|t| tokio::spawn(pool.send(&peer.origin, get(&peer.origin, t))))
        .into();
    for t in ["/a", "/b", "/c"] {
        assert_eq!(conn.target().await, t);
    }
    let mut tasks = tasks.into_iter();
    let a = tasks.next().unwrap();
    let b = tasks.next().unwrap();
    let c = tasks.next().unwrap();
    b.abort();
    assert!(b.await.unwrap_err().is_cancelled());
    for t in ["a", "b", "c"] {
        conn.answer(t).await;
    }
    assert_eq!(a.await.unwrap().unwrap().body().as_whole().unwrap(), "a");
    assert_eq!(c.await.unwrap().unwrap().body().as_whole().unwrap(), "c");
    // And the connection goes on.
    let d = tokio::spawn(pool.send(&peer.origin, get(&peer.origin, "/d")));
    assert_eq!(conn.target().await, "/d");
    conn.answer("d").await;
    assert_eq!(d.await.unwrap().unwrap().body().as_whole().unwrap(), "d");
    assert_eq!(peer.accepted(), 1);
}

#[tokio::test]
async fn who_leaves_the_line_is_not_sent() {
    let mut peer = Peer::start().await;
    let pool = HttpPool::builder()
        .max_connections(1)
        .max_pipeline(1)
        .build();
    let a = tokio::spawn(pool.send(&peer.origin, get(&peer.origin, "/a")));
    let mut conn = peer.accept().await;
    conn.target().await;
    let b = tokio::spawn(pool.send(&peer.origin, get(&peer.origin, "/b")));
    let c = tokio::spawn(pool.send(&peer.origin, get(&peer.origin, "/c")));
    while pool.stats().origins[0].waiting != 2 {
        tokio::task::yield_now().await;
    }
    b.abort();
    b.await.unwrap_err();
    assert_eq!(pool.stats().origins[0].waiting, 1);
    conn.answer("").await;
    a.await.unwrap().unwrap();
    assert_eq!(conn.target().await, "/c");
    conn.answer("").await;
    c.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_reset_in_mid_reply_is_replayed_when_it_may_be() {
    let mut peer = Peer::start().await;
    let pool = HttpPool::builder()
        .max_connections(1)
        .fixed_pipeline(4)
        .build();
    let mut conn = warm(&pool, &mut peer).await;
    let tasks: Vec<_> = (0..3)
        .map(|i| tokio::spawn(pool.send(&peer.origin, get(&peer.origin, &format!("/{i}")))))
        .collect();
    for i in 0..3 {
        assert_eq!(conn.target().await, format!("/{i}"));
    }
    conn.answer("/0").await;
    let half = reply("/1");
    conn.write(&half[..half.len() - 1]).await;
    // The first must have been read before the reset, which discards what is under way.
    let mut tasks = tasks.into_iter();
    let first = tasks.next().unwrap().await.unwrap().unwrap();
    assert_eq!(first.body().as_whole().unwrap(), "/0");
    conn.reset();
    tokio::spawn(peer.accept().await.echo());
    for (i, task) in tasks.enumerate() {
        let response = task.await.unwrap().unwrap();
        assert_eq!(response.body().as_whole().unwrap(), &format!("/{}", i + 1));
    }
    assert_eq!(pool.stats().replays(), 2);
}

#[tokio::test]
async fn a_sent_write_is_not_replayed() {
    let mut peer = Peer::start().await;
    let pool = HttpPool::new();
    let write = tokio::spawn(pool.send(&peer.origin, post(&peer.origin, "/w", "x")));
    let mut conn = peer.accept().await;
    assert_eq!(conn.request().await.unwrap().1, b"x");
    conn.reset();
    let error = write.await.unwrap().unwrap_err();
    assert_eq!(error.kind(), Kind::Closed);
    assert_eq!(error.sent(), Sent::All);
    assert_eq!(pool.stats().replays(), 0);
}

#[tokio::test]
async fn replays_are_bounded() {
    let mut peer = Peer::start().await;
    let pool = HttpPool::builder().max_replays(2).build();
    let read = tokio::spawn(pool.send(&peer.origin, get(&peer.origin, "/r")));
    for _ in 0..3 {
        let mut conn = peer.accept().await;
        conn.target().await;
        conn.reset();
    }
    let error = read.await.unwrap().unwrap_err();
    assert_eq!((error.kind(), error.sent()), (Kind::Closed, Sent::All));
    assert_eq!(peer.accepted(), 3);
}

#[tokio::test]
async fn a_reply_that_nobody_asked_for_ends_the_connection() {
    let mut peer = Peer::start().await;
    let pool = HttpPool::builder().max_connections(1).build();
    let first = tokio::spawn(pool.send(&peer.origin, get(&peer.origin, "/1")));
    let mut conn = peer.accept().await;
    conn.target().await;
    conn.write(format!("{}{}", reply("one"), reply("poison")))
        .await;
    assert_eq!(
        first.await.unwrap().unwrap().body().as_whole().unwrap(),
        "one"
    );
    assert!(conn.closed().await);
    let second = tokio::spawn(pool.send(&peer.origin, get(&peer.origin, "/2")));
    let mut conn = peer.accept().await;
    assert_eq!(conn.target().await, "/2");
    conn.answer("two").await;
    assert_eq!(
        second.await.unwrap().unwrap().body().as_whole().unwrap(),
        "two"
    );
}

#[tokio::test]
async fn a_farewell_on_an_idle_connection_is_no_violation() {
    for (status, reason) in [
        ("408 Request Timeout", CloseReason::Peer),
        ("500 Oops", CloseReason::Protocol),
    ] {
        let mut peer = Peer::start().await;
        let pool = HttpPool::new();
        let mut conn = warm(&pool, &mut peer).await;
        conn.write(format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n"))
            .await;
        assert!(conn.closed().await);
        assert_eq!(pool.stats().origins[0].closed_by(reason), 1, "{status}");
    }
}

#[tokio::test]
async fn a_closed_connection_is_not_used_again() {
    let mut peer = Peer::start().await;
    let pool = HttpPool::new();
    for i in 0..20 {
        let sending =
            tokio::spawn(pool.send(&peer.origin, post(&peer.origin, &format!("/{i}"), "x")));
        let mut conn = peer.accept().await;
        conn.target().await;
        conn.answer("").await;
        sending.await.unwrap().unwrap();
        drop(conn);
    }
    assert_eq!(peer.accepted(), 20);
}

#[tokio::test]
async fn nobody_listens() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let origin = pipeline_pool::Origin::parse(&format!("http://{address}")).unwrap();
    let pool = HttpPool::new();
    let all = (0..20).map(|_| pool.send(&origin, get(&origin, "/")));
    for result in join_all(all).await {
        let error = result.unwrap_err();
        assert_eq!((error.kind(), error.sent()), (Kind::Connect, Sent::No));
        assert!(error.to_string().contains(&address.to_string()), "{error}");
    }
    assert_eq!(pool.stats().connections, 0);
}

#[tokio::test]
async fn a_caller_is_woken_once_for_its_reply() {
    let mut peer = Peer::start().await;
    let pool = HttpPool::new();
    let origin = peer.origin.clone();
    let caller = tokio::spawn(async move {
        let mut sending = std::pin::pin!(pool.send(&origin, get(&origin, "/a")));
        let mut polls = 0;
        let reply = std::future::poll_fn(|cx| {
            polls += 1;
            std::future::Future::poll(sending.as_mut(), cx)
        });
        let reply = reply.await.unwrap();
        (reply.body().as_whole().unwrap().len(), polls)
    });
    let mut conn = peer.accept().await;
    conn.target().await;
    // In as many pieces as there are bytes.
    for byte in reply("a body that comes slowly").into_bytes() {
        conn.write([byte]).await;
        tokio::task::yield_now().await;
    }
    // Once to send, once for the whole reply.
    assert_eq!(caller.await.unwrap(), (24, 2));
}

#[tokio::test]
async fn what_is_sent_together_leaves_in_one_write() {
    let mut peer = Peer::start().await;
    let pool = HttpPool::builder()
        .max_connections(1)
        .fixed_pipeline(16)
        .build();
    let mut conn = warm(&pool, &mut peer).await;
    assert_eq!(pool.stats().origins[0].writes, 1);
    let many = (0..16).map(|i| pool.send(&peer.origin, get(&peer.origin, &format!("/{i}"))));
    let many = tokio::spawn(join_all(many));
    let mut replies = String::new();
    for i in 0..16 {
        assert_eq!(conn.target().await, format!("/{i}"));
        replies.push_str(&reply(""));
    }
    conn.write(replies).await;
    assert!(many.await.unwrap().iter().all(Result::is_ok));
    assert_eq!(pool.stats().origins[0].writes, 2);
}
