//! A pool that is used from several runtimes, which come and go.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use crate::peer::{Peer, get};
use futures_util::future::{join, poll_immediate};
use pipeline_pool::{HttpPool, Kind, Origin, Sent};
use tokio::runtime::{Builder, Runtime};

fn build() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

fn poll<F: Future>(runtime: &Runtime, future: &mut Pin<Box<F>>) -> Option<F::Output> {
    runtime.block_on(poll_immediate(future))
}

#[test]
fn a_runtime_that_ends_before_its_tasks_have_begun_keeps_nobody_waiting() {
    let server = build();
    let mut peer = server.block_on(Peer::start());
    let origin = peer.origin.clone();
    let pool = HttpPool::builder().max_connections(1).build();
    // The runtime ends before it has run what opens the connection, and what looks after the line.
    let first = build();
    let mut a = Box::pin(pool.send(&origin, get(&origin, "/a")));
    let mut b = Box::pin(pool.send(&origin, get(&origin, "/b")));
    assert!(poll(&first, &mut a).is_none());
    assert!(poll(&first, &mut b).is_none());
    drop(first);
    let stats = pool.stats();
    assert_eq!((stats.connections, stats.origins[0].connections), (0, 0));
    server.block_on(async {
        let both = tokio::spawn(join(a, b));
        tokio::spawn(peer.accept().await.echo());
        let (a, b) = both.await.unwrap();
        assert_eq!(a.unwrap().body().as_whole().unwrap(), "/a");
        assert_eq!(b.unwrap().body().as_whole().unwrap(), "/b");
    });
    assert_eq!(pool.stats().connections, 1);
}

/// A server in the background that answers each request with its target.
fn echo(server: &Runtime) -> Origin {
    let mut peer = server.block_on(Peer::start());
    let origin = peer.origin.clone();
    server.spawn(async move {
        loop {
            tokio::spawn(peer.accept().await.echo());
        }
    });
    origin
}

fn threads() -> Runtime {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(1).enable_all().build().unwrap()
}

#[test]
fn a_permit_of_a_runtime_that_ends_goes_to_who_waits_in_another() {
    let server = threads();
    let (one, other) = (echo(&server), echo(&server));
    let pool = HttpPool::builder().max_total_connections(1).build();
    let (first, second) = (build(), build());
    let reply = first.block_on(pool.send(&one, get(&one, "/a"))).unwrap();
    assert_eq!(reply.body().as_whole().unwrap(), "/a");
    // The first runtime stands still, so the idle connection cannot give way.
    let mut waits = Box::pin(pool.send(&other, get(&other, "/b")));
    assert!(poll(&second, &mut waits).is_none());
    drop(first);
    let reply = second.block_on(waits).unwrap();
    assert_eq!(reply.body().as_whole().unwrap(), "/b");
    let stats = pool.stats();
    assert_eq!((stats.connections, stats.most_connections), (1, 1));
}

#[test]
fn a_close_hears_of_connections_that_end_with_their_runtime() {
    let server = threads();
    let origin = echo(&server);
    let pool = HttpPool::new();
    let (first, second) = (build(), build());
    first
        .block_on(pool.send(&origin, get(&origin, "/a")))
        .unwrap();
    let mut closing = Box::pin(pool.close(Duration::from_secs(3600)));
    assert!(poll(&second, &mut closing).is_none());
    drop(first);
    second.block_on(closing);
}

#[test]
fn runtimes_that_end_under_load_leave_nothing_counted() {
    const DONE: usize = 3000;
    let server = threads();
    let (origin, other) = (echo(&server), echo(&server));
    let pool = HttpPool::builder()
        .max_connections(3)
        .max_total_connections(4)
        .fixed_pipeline(4)
        .max_replays(100)
        .build();
    let lasting = threads();
    let done = Arc::new(AtomicUsize::new(0));
    let tasks: Vec<_> = (0..24)
        .map(|task| {
            let (pool, done) = (pool.clone(), done.clone());
            let origin = if task % 3 == 0 { &other } else { &origin }.clone();
            lasting.spawn(async move {
                while done.fetch_add(1, SeqCst) < DONE {
                    let target = format!("/{task}");
                    let reply = pool.send(&origin, get(&origin, &target)).await.unwrap();
                    assert_eq!(reply.body().as_whole().unwrap(), &target);
                }
            })
        })
        .collect();
    for end in 1..6 {
        let passing = threads();
        for task in 0..16 {
            let pool = pool.clone();
            let origin = if task % 2 == 0 { &other } else { &origin }.clone();
            passing.spawn(async move {
                while pool.send(&origin, get(&origin, "/passing")).await.is_ok() {}
            });
        }
        while done.load(SeqCst) < end * DONE / 6 {
            std::thread::yield_now();
        }
        drop(passing);
    }
    for task in tasks {
        lasting.block_on(task).unwrap();
    }
    let watched = pool.clone();
    lasting.block_on(pool.close(Duration::from_secs(60)));
    let stats = watched.stats();
    assert_eq!(stats.connections, 0);
    assert!(stats.most_connections <= 4);
    for figures in &stats.origins {
        let left = (figures.connections, figures.idle, figures.waiting);
        assert_eq!(left, (0, 0, 0), "{figures:?}");
        assert_eq!(figures.opened, figures.closed());
    }
}

#[test]
fn a_runtime_without_a_timer_is_an_error() {
    let server = threads();
    let origin = echo(&server);
    let pool = HttpPool::new();
    let runtime = Builder::new_current_thread().enable_io().build().unwrap();
    let error = runtime
        .block_on(pool.send(&origin, get(&origin, "/a")))
        .unwrap_err();
    assert_eq!((error.kind(), error.sent()), (Kind::NoRuntime, Sent::No));
    let stats = pool.stats();
    assert_eq!((stats.connections, stats.origins[0].connections), (0, 0));
    // A better one finds nothing in its way.
    let reply = build().block_on(pool.send(&origin, get(&origin, "/b")));
    assert_eq!(reply.unwrap().body().as_whole().unwrap(), "/b");
}

#[test]
fn a_pool_outlives_its_runtime() {
    let build = || {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
    };
    let pool = HttpPool::builder().max_connections(1).build();
    let server = build();
    let peer = std::thread::scope(|scope| {
        let peer = server.block_on(async {
            let mut peer = Peer::start().await;
            let origin = peer.origin.clone();
            let pool = pool.clone();
            let client = std::thread::spawn(move || {
                let first = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()
                    .unwrap();
                let reply = first
                    .block_on(pool.send(&origin, get(&origin, "/a")))
                    .unwrap();
                // The runtime dies with a request under way on its connection and one in line.
                let pending = pool.send(&origin, get(&origin, "/lost"));
                let waiting = pool.send(&origin, get(&origin, "/moved"));
                let mut pending = Box::pin(pending);
                let mut waiting = Box::pin(waiting);
                first.block_on(async {
                    futures_util::future::poll_immediate(&mut pending).await;
                    futures_util::future::poll_immediate(&mut waiting).await;
                });
                drop(first);
                let second = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()
                    .unwrap();
                let moved =
                    second.block_on(async { futures_util::future::join(pending, waiting).await });
                (reply, moved)
            });
            let mut conn = peer.accept().await;
            conn.target().await;
            conn.answer("a").await;
            tokio::spawn(conn.echo());
            tokio::spawn(peer.accept().await.echo());
            let (reply, (lost, moved)) =
                tokio::task::spawn_blocking(move || client.join().unwrap())
                    .await
                    .unwrap();
            assert_eq!(reply.body().as_whole().unwrap(), "a");
            assert_eq!(lost.unwrap().body().as_whole().unwrap(), "/lost");
            assert_eq!(moved.unwrap().body().as_whole().unwrap(), "/moved");
            peer
        });
        let _ = scope;
        peer
    });
    assert!(peer.accepted() >= 2);
}

#[test]
fn a_request_ends_in_time_while_the_runtime_that_serves_it_stands_still() {
    const LIMIT: Duration = Duration::from_millis(300);
    let server = threads();
    let origin = echo(&server);
    let pool = HttpPool::builder()
        .max_connections(1)
        .max_pipeline(1)
        .build();
    let (still, second) = (build(), build());
    let reply = still.block_on(pool.send(&origin, get(&origin, "/a")));
    assert_eq!(reply.unwrap().status(), 200);
    // Nobody polls the connection's task from here on.
    let within = |sending: pipeline_pool::Sending| {
        let guarded = async { tokio::time::timeout(Duration::from_secs(20), sending).await };
        let ended = second.block_on(guarded).expect("it did not end by itself");
        ended.unwrap_err()
    };
    let mut request = get(&origin, "/b");
    request.timeout(LIMIT);
    let mut served = Box::pin(pool.send(&origin, request));
    assert!(poll(&second, &mut served).is_none());
    // This one waits in line behind it.
    let mut request = get(&origin, "/c");
    request.timeout(LIMIT);
    let waiting = pool.send(&origin, request);
    let error = within(waiting);
    assert_eq!((error.kind(), error.sent()), (Kind::WaitTimeout, Sent::No));
    let error = within(*Pin::into_inner(served));
    assert_eq!(error.kind(), Kind::Timeout);
    assert!(error.may_have_been_sent());
    assert_eq!(pool.stats().origins[0].waiting, 0);
    // The first runtime goes on, and so does its connection.
    let reply = still.block_on(pool.send(&origin, get(&origin, "/d")));
    assert_eq!(reply.unwrap().body().as_whole().unwrap(), "/d");
}

#[test]
fn a_request_in_line_ends_in_time_when_another_runtime_has_come_and_stands_still() {
    let server = threads();
    let origin = echo(&server);
    let pool = HttpPool::builder()
        .max_connections(1)
        .max_pipeline(1)
        .build();
    let (first, still) = (build(), build());
    // What opens the connection, and what looks after the line, is in the one that stands still.
    let mut opens = Box::pin(pool.send(&origin, get(&origin, "/opens")));
    assert!(poll(&still, &mut opens).is_none());
    let mut request = get(&origin, "/waits");
    request.timeout(Duration::from_millis(300));
    let waits = pool.send(&origin, request);
    let guarded = async { tokio::time::timeout(Duration::from_secs(20), waits).await };
    let ended = first.block_on(guarded).expect("it did not end by itself");
    assert_eq!(ended.unwrap_err().kind(), Kind::WaitTimeout);
}

#[test]
fn runtimes_that_end_one_after_another_are_no_reason_to_give_up() {
    let mut builder = Builder::new_current_thread();
    let lasting = builder.enable_all().start_paused(true).build().unwrap();
    let mut peer = lasting.block_on(Peer::start());
    let origin = peer.origin.clone();
    let pool = HttpPool::builder()
        .max_connections(1)
        .max_pipeline(1)
        .build();
    let mut conn = lasting.block_on(async {
        let mut request = get(&origin, "/warm");
        request.timeout(Duration::from_millis(100));
        let warm = tokio::spawn(pool.send(&origin, request));
        let mut conn = peer.accept().await;
        conn.target().await;
        conn.answer("").await;
        warm.await.unwrap().unwrap();
        // By then nobody looks after the line any more.
        tokio::time::sleep(Duration::from_secs(1)).await;
        conn
    });
    let mut held = Box::pin(pool.send(&origin, get(&origin, "/held")));
    assert!(poll(&lasting, &mut held).is_none());
    lasting.block_on(conn.target());
    let mut waits = Box::pin(pool.send(&origin, get(&origin, "/waits")));
    for _ in 0..20 {
        let passing = build();
        // It comes first, so that what looks after the line is a task of this runtime.
        let mut other = Box::pin(pool.send(&origin, get(&origin, "/other")));
        assert!(poll(&passing, &mut other).is_none());
        assert!(poll(&lasting, &mut waits).is_none());
        drop(passing);
    }
    let reply = lasting.block_on(async {
        conn.answer("").await;
        held.await.unwrap();
        tokio::spawn(conn.echo());
        waits.await
    });
    assert_eq!(reply.unwrap().body().as_whole().unwrap(), "/waits");
}

/// Runs this on a thread of its own, and counts the panics there.
fn panics_in(test: impl FnOnce() + Send + 'static) -> usize {
    static PANICS: AtomicUsize = AtomicUsize::new(0);
    const NAME: &str = "counts its panics";
    static HOOK: std::sync::Once = std::sync::Once::new();
    static ONE: std::sync::Mutex<()> = std::sync::Mutex::new(());
    let _one = ONE.lock();
    HOOK.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| match std::thread::current().name() {
            Some(NAME) => drop(PANICS.fetch_add(1, SeqCst)),
            _ => before(info),
        }));
    });
    PANICS.store(0, SeqCst);
    let thread = std::thread::Builder::new().name(NAME.to_owned());
    thread.spawn(test).unwrap().join().expect("the test failed");
    PANICS.load(SeqCst)
}

#[test]
fn a_runtime_that_lacks_a_driver_is_one_clear_error() {
    let server = threads();
    let origin = echo(&server);
    for io in [true, false] {
        let origin = origin.clone();
        let panics = panics_in(move || {
            let mut builder = Builder::new_current_thread();
            let lame = match io {
                true => builder.enable_io().build().unwrap(),
                false => builder.enable_time().build().unwrap(),
            };
            let pool = HttpPool::new();
            let sent = lame.block_on(pool.send(&origin, get(&origin, "/a")));
            let error = sent.unwrap_err();
            assert_eq!((error.kind(), error.sent()), (Kind::NoRuntime, Sent::No));
            assert!(error.to_string().contains("enable_all"), "{error}");
            drop(lame);
            assert_eq!(pool.stats().connections, 0);
        });
        // Tokio has no other way to say so.
        assert_eq!(panics, 1, "with io: {io}");
    }
}

#[test]
fn a_connector_that_panics_is_one_error() {
    let panics = panics_in(|| {
        let pool = HttpPool::builder().connector(Bad).build();
        let origin = Origin::parse("http://store.example").unwrap();
        let sent = build().block_on(pool.send(&origin, get(&origin, "/a")));
        let error = sent.unwrap_err();
        assert_eq!((error.kind(), error.sent()), (Kind::Connect, Sent::No));
        assert_eq!(pool.stats().connections, 0);
    });
    assert_eq!(panics, 1);
}

struct Bad;

impl pipeline_pool::Connect for Bad {
    fn connect(&self, _: &Origin) -> pipeline_pool::Connecting {
        panic!("a bad connector")
    }
}
