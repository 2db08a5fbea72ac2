//! Origins that come and go: what a pool keeps of them.

use std::time::Duration;

use crate::peer::{Peer, get};
use pipeline_pool::{CloseReason, Connect, Connecting, HttpPool, Io, Origin};
use tokio::net::TcpStream;

/// Leads to one server, whatever the origin.
struct To(u16);

impl Connect for To {
    fn connect(&self, _: &Origin) -> Connecting {
        let port = self.0;
        Box::pin(async move {
            let tcp = TcpStream::connect(("127.0.0.1", port)).await?;
            Ok(Box::new(tcp) as Box<dyn Io>)
        })
    }
}

async fn start() -> HttpPool {
    let mut peer = Peer::start().await;
    let to = To(peer.origin.port());
    tokio::spawn(async move {
        loop {
            tokio::spawn(peer.accept().await.echo());
        }
    });
    HttpPool::builder()
        .max_total_connections(8)
        .connector(to)
        .build()
}

fn bucket(n: usize) -> Origin {
    Origin::parse(&format!("http://bucket{n}.store.example")).unwrap()
}

async fn ask(pool: &HttpPool, n: usize) {
    let reply = pool.send(&bucket(n), get(&bucket(n), "/")).await.unwrap();
    assert_eq!(reply.body().as_whole().unwrap(), "/");
}

#[tokio::test(start_paused = true)]
async fn an_origin_that_is_long_unused_is_forgotten_and_its_figures_are_not() {
    let pool = start().await;
    for n in 0..64 {
        ask(&pool, n).await;
    }
    // One has a request that is yet to be sent.
    let later = pool.send(&bucket(7), get(&bucket(7), "/later"));
    let before = pool.stats();
    assert_eq!((before.origins.len(), before.replies()), (64, 64));
    tokio::time::sleep(Duration::from_secs(11 * 60)).await;
    ask(&pool, 100).await;
    let stats = pool.stats();
    let mut left: Vec<_> = stats.origins.iter().map(|o| o.origin.host()).collect();
    left.sort_unstable();
    assert_eq!(left, ["bucket100.store.example", "bucket7.store.example"]);
    assert_eq!((stats.forgotten.origins, stats.forgotten.replies), (63, 63));
    assert_eq!((stats.replies(), stats.opened()), (65, 65));
    let reasons = [CloseReason::Idle, CloseReason::Yielded];
    let closed = |r| {
        stats.forgotten.closed_by(r) + stats.origins.iter().map(|o| o.closed_by(r)).sum::<u64>()
    };
    assert_eq!(reasons.map(closed).iter().sum::<u64>(), 64);
    assert_eq!(later.await.unwrap().body().as_whole().unwrap(), "/later");
    // It begins anew.
    ask(&pool, 0).await;
    let stats = pool.stats();
    let anew = stats
        .origins
        .iter()
        .find(|o| o.origin == bucket(0))
        .unwrap();
    assert_eq!((anew.replies, stats.replies()), (1, 67));
}

#[tokio::test(start_paused = true)]
async fn many_origins_are_not_kept_for_ever() {
    let pool = start().await;
    for n in 0..1600 {
        ask(&pool, n).await;
        if n % 100 == 0 {
            // Nobody looks after a line any more that is empty.
            tokio::time::sleep(Duration::from_secs(11)).await;
        }
    }
    let stats = pool.stats();
    assert!(stats.origins.len() <= 1024, "{}", stats.origins.len());
    assert_eq!((stats.replies(), stats.opened()), (1600, 1600));
    let known = stats.origins.len() as u64;
    assert_eq!(stats.forgotten.origins + known, 1600);
    // Those that were used last are there.
    for n in 1500..1600 {
        assert!(stats.origins.iter().any(|o| o.origin == bucket(n)));
    }
}
