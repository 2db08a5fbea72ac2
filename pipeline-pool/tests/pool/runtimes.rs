//! A pool that is used from several runtimes, which come and go.

use std::future::Future;
use std::pin::Pin;

use crate::peer::{Peer, get};
use futures_util::future::{join, poll_immediate};
use pipeline_pool::HttpPool;
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
