//! Names, addresses, connectors and unix sockets.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use futures_util::future::join_all;
use pipeline_pool::{Connect, Connecting, HttpPool, Io, Kind, Origin, Resolve, Resolving};
use tokio::time::Instant;

use crate::servers::{Server, answer, ask};

/// Knows one list of addresses for all names, and how often it was asked.
#[derive(Clone, Default)]
struct Told {
    addresses: Vec<SocketAddr>,
    asked: Arc<AtomicUsize>,
}

impl Resolve for Told {
    fn resolve(&self, host: &str, _: u16) -> Resolving {
        assert_eq!(host, "store.example");
        self.asked.fetch_add(1, SeqCst);
        let told = self.addresses.clone();
        Box::pin(async {
            tokio::task::yield_now().await;
            Ok(told)
        })
    }
}

fn store() -> Origin {
    Origin::parse("http://store.example").unwrap()
}

#[tokio::test]
async fn openings_share_a_lookup_and_spread_over_the_addresses() {
    let servers = [Server::start("a").await, Server::start("b").await];
    let told = Told {
        addresses: servers.iter().map(|s| s.address).collect(),
        ..Told::default()
    };
    let pool = HttpPool::builder()
        .max_opening(64)
        .resolver(told.clone())
        .build();
    let origin = store();
    for answered in join_all((0..64).map(|_| ask(&pool, &origin))).await {
        answered.unwrap();
    }
    assert_eq!(told.asked.load(SeqCst), 1);
    let opened = pool.stats().opened() as usize;
    let [a, b] = servers.map(|s| s.accepted());
    assert!(a.abs_diff(b) <= 1 && opened > 1, "{a} and {b} of {opened}");
}

#[tokio::test]
async fn an_address_that_refuses_costs_no_request() {
    let gone = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let refusing = gone.local_addr().unwrap();
    drop(gone);
    let server = Server::start("here").await;
    let told = Told {
        addresses: vec![refusing, server.address],
        ..Told::default()
    };
    let pool = HttpPool::builder()
        .max_total_connections(1)
        .resolver(told)
        .build();
    assert_eq!(ask(&pool, &store()).await.unwrap(), "here");
    let stats = pool.stats();
    assert_eq!(
        (stats.most_connections, stats.origins[0].open_failed),
        (1, 0)
    );
}

#[tokio::test]
async fn a_name_without_address_is_told_as_such() {
    let pool = HttpPool::builder().resolver(Told::default()).build();
    let error = ask(&pool, &store()).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Connect);
    assert!(!error.may_have_been_sent());
    let expected = "no connection to http://store.example: store.example has no address";
    assert_eq!(error.to_string(), expected);
}

#[tokio::test]
async fn a_refusal_keeps_the_systems_error() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = Origin::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    drop(listener);
    let error = ask(&HttpPool::new(), &origin).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Connect);
    let source = error.cause().unwrap().downcast_ref::<io::Error>().unwrap();
    assert_eq!(source.kind(), io::ErrorKind::ConnectionRefused);
}

/// Answers in this process, without a socket.
struct Within(&'static str);

impl Connect for Within {
    fn connect(&self, origin: &Origin) -> Connecting {
        assert_eq!(origin.host(), "store.example");
        let text = self.0;
        Box::pin(async move {
            let (near, far) = tokio::io::duplex(4096);
            tokio::spawn(answer(far, text));
            Ok(Box::new(near) as Box<dyn Io>)
        })
    }
}

#[tokio::test]
async fn a_connector_takes_the_place_of_sockets() {
    let pool = HttpPool::builder().connector(Within("inside")).build();
    for answered in join_all((0..100).map(|_| async { ask(&pool, &store()).await })).await {
        assert_eq!(answered.unwrap(), "inside");
    }
}

#[tokio::test]
async fn a_connectors_failure_is_a_connect_error() {
    struct Broken;

    impl Connect for Broken {
        fn connect(&self, _: &Origin) -> Connecting {
            Box::pin(async { Err(io::Error::other("the tunnel is blocked")) })
        }
    }

    let pool = HttpPool::builder().connector(Broken).build();
    let error = ask(&pool, &store()).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Connect);
    let expected = "no connection to http://store.example: the tunnel is blocked";
    assert_eq!(error.to_string(), expected);
}

#[tokio::test(start_paused = true)]
async fn opening_takes_no_longer_than_allowed() {
    struct Silent;

    impl Connect for Silent {
        fn connect(&self, _: &Origin) -> Connecting {
            Box::pin(std::future::pending())
        }
    }

    let limit = Duration::from_secs(3);
    let pool = HttpPool::builder()
        .connect_timeout(limit)
        .connector(Silent)
        .build();
    let begun = Instant::now();
    let error = ask(&pool, &store()).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Connect);
    assert_eq!(
        error.to_string(),
        "no connection to http://store.example within 3s (connect_timeout of the pool)"
    );
    assert_eq!(begun.elapsed().as_secs(), 3);
}

#[cfg(unix)]
#[tokio::test]
async fn a_unix_socket_is_an_origin() {
    let name = format!("pipeline-pool-{}.sock", std::process::id());
    let path = std::env::temp_dir().join(name);
    let _ = std::fs::remove_file(&path);
    let listener = tokio::net::UnixListener::bind(&path).unwrap();
    tokio::spawn(async move {
        while let Ok((io, _)) = listener.accept().await {
            tokio::spawn(answer(io, "from a file"));
        }
    });
    let pool = HttpPool::builder().max_connections(2).build();
    let origin = Origin::unix(&path, "store.example").unwrap();
    for answered in join_all((0..20).map(|_| ask(&pool, &origin))).await {
        assert_eq!(answered.unwrap(), "from a file");
    }
    std::fs::remove_file(&path).unwrap();
    let gone = HttpPool::new();
    let error = ask(&gone, &origin).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Connect);
    assert!(error.to_string().contains(path.to_str().unwrap()));
}
