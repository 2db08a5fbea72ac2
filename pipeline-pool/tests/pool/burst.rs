//! Many requests at once on a pool without a connection: every event that makes room opens more.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use crate::peer::{Conn, Peer, get, reply};
use futures_util::future::join_all;
use pipeline_pool::{Connect, Connecting, Error, HttpPool, Io, Kind, Origin, Response};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// What the server takes for each request.
const WORK: Duration = Duration::from_millis(20);

/// Sends so many requests in one poll.
fn burst(
    pool: &HttpPool,
    origin: &Origin,
    n: usize,
) -> tokio::task::JoinHandle<Vec<Result<Response, Error>>> {
    let all: Vec<_> = (0..n)
        .map(|_| pool.send(origin, get(origin, "/burst")))
        .collect();
    tokio::spawn(join_all(all))
}

/// Answers each request after [`WORK`], one after another on each connection.
fn work(mut peer: Peer) -> tokio::task::JoinHandle<()> {
    tokio::spawn(async move {
        let mut serving = JoinSet::new();
        loop {
            let mut conn = peer.accept().await;
            serving.spawn(async move {
                while conn.request().await.is_some() {
                    tokio::time::sleep(WORK).await;
                    conn.answer("").await;
                }
            });
        }
    })
}

/// Connections that each hold a request without an answer, once there are so many.
async fn all_there(peer: &mut Peer, n: usize) -> Vec<Conn> {
    let mut there = Vec::new();
    while there.len() < n {
        let mut conn = peer.accept().await;
        conn.target().await;
        there.push(conn);
    }
    there
}

async fn a_burst_is_at_the_server_at_once(pool: HttpPool, n: usize) {
    let mut peer = Peer::start().await;
    let origin = peer.origin.clone();
    let sent = burst(&pool, &origin, n);
    // Nobody is answered before all are there.
    let there = tokio::time::timeout(Duration::from_secs(20), all_there(&mut peer, n)).await;
    for mut conn in there.expect("a part of the burst waits for a connection") {
        conn.answer("").await;
        tokio::spawn(conn.echo());
    }
    for reply in sent.await.unwrap() {
        assert_eq!(reply.unwrap().status(), 200);
    }
    assert_eq!((peer.accepted(), pool.stats().deepest()), (n, 1));
}

#[tokio::test(start_paused = true)]
async fn a_burst_on_a_cold_pool_opens_all_the_connections_it_needs() {
    a_burst_is_at_the_server_at_once(HttpPool::new(), 64).await;
    let few = HttpPool::builder().max_opening(1).build();
    a_burst_is_at_the_server_at_once(few, 20).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_burst_on_a_cold_pool_opens_all_the_connections_it_needs_on_threads() {
    a_burst_is_at_the_server_at_once(HttpPool::new(), 64).await;
}

/// How long a burst takes by the clock of the test, in which only the server takes time.
async fn burst_takes(builder: pipeline_pool::HttpPoolBuilder, n: usize) -> Duration {
    let peer = Peer::start().await;
    let (pool, origin) = (builder.build(), peer.origin.clone());
    let server = work(peer);
    let begun = Instant::now();
    for reply in burst(&pool, &origin, n).await.unwrap() {
        assert_eq!(reply.unwrap().status(), 200);
    }
    let took = begun.elapsed();
    server.abort();
    took
}

#[tokio::test(start_paused = true)]
async fn a_burst_takes_as_long_as_the_server_with_all_connections() {
    assert_eq!(burst_takes(HttpPool::builder(), 64).await, WORK);
    assert_eq!(burst_takes(HttpPool::builder(), 256).await, WORK * 4);
}

/// Refuses every third connection.
#[derive(Default)]
struct Refusing(Arc<AtomicUsize>);

impl Connect for Refusing {
    fn connect(&self, origin: &Origin) -> Connecting {
        let (turn, port) = (self.0.fetch_add(1, SeqCst), origin.port());
        Box::pin(async move {
            if turn % 3 == 0 {
                return Err(io::ErrorKind::ConnectionRefused.into());
            }
            let tcp = TcpStream::connect(("127.0.0.1", port)).await?;
            Ok(Box::new(tcp) as Box<dyn Io>)
        })
    }
}

#[tokio::test(start_paused = true)]
async fn a_third_of_the_connections_refused_holds_up_nobody() {
    let refusing = || HttpPool::builder().connector(Refusing::default());
    assert_eq!(burst_takes(refusing(), 64).await, WORK);
    assert_eq!(burst_takes(refusing(), 256).await, WORK * 4);
}

/// Answers with a body that is not whole with its head.
async fn answer_large(conn: &mut Conn) {
    let body = "x".repeat(1024 * 1024);
    conn.try_write(&reply(&body)).await;
}

#[tokio::test(start_paused = true)]
async fn bodies_that_are_read_later_hold_up_only_what_finds_no_connection() {
    let mut peer = Peer::start().await;
    let origin = peer.origin.clone();
    let server = tokio::spawn(async move {
        loop {
            let mut conn = peer.accept().await;
            tokio::spawn(async move {
                while conn.request().await.is_some() {
                    answer_large(&mut conn).await;
                }
            });
        }
    });
    let pool = HttpPool::builder().max_connections(30).build();
    let replies = burst(&pool, &origin, 30).await.unwrap();
    let held: Vec<_> = replies.into_iter().map(Result::unwrap).collect();
    // All connections are held now, which the error says.
    let error = pool.send(&origin, get(&origin, "/x")).await.unwrap_err();
    assert_eq!(error.kind(), Kind::WaitTimeout);
    let text = error.to_string();
    assert!(text.contains("30 of 30 connections were held"), "{text}");
    for reply in held {
        let body = reply.into_parts().1.bytes(usize::MAX).await.unwrap();
        assert_eq!(body.len(), 1024 * 1024);
    }
    let pool = HttpPool::builder()
        .max_connections(1)
        .max_waiters(1)
        .build();
    let held = pool.send(&origin, get(&origin, "/held")).await.unwrap();
    let waits = tokio::spawn(pool.send(&origin, get(&origin, "/waits")));
    while pool.stats().origins[0].waiting != 1 {
        tokio::task::yield_now().await;
    }
    let error = pool.send(&origin, get(&origin, "/x")).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Busy);
    let text = error.to_string();
    assert!(text.contains("1 of 1 connections were held"), "{text}");
    drop(held);
    waits.await.unwrap().unwrap();
    server.abort();
}

/// Opens what its peer has closed by then.
#[derive(Clone, Default)]
struct Stillborn(Arc<AtomicUsize>);

impl Connect for Stillborn {
    fn connect(&self, _: &Origin) -> Connecting {
        let before = self.0.fetch_add(1, SeqCst);
        Box::pin(async move {
            if before > 1000 {
                // The clock of the test would never go on.
                return std::future::pending().await;
            }
            Ok(Box::new(tokio::io::duplex(64).0) as Box<dyn Io>)
        })
    }
}

#[tokio::test(start_paused = true)]
async fn connections_that_close_before_their_first_use_are_not_opened_without_a_pause() {
    let origin = Origin::parse("http://store.example").unwrap();
    let stillborn = Stillborn::default();
    let builder = HttpPool::builder().max_opening(2);
    let pool = builder.connector(stillborn.clone()).build();
    let waiting = burst(&pool, &origin, 40);
    tokio::time::sleep(Duration::from_secs(2)).await;
    let opened = stillborn.0.load(SeqCst);
    // From 10 ms on the pause doubles, up to 640 ms.
    assert!((4..24).contains(&opened), "{opened}");
    drop(pool);
    waiting.abort();
}
