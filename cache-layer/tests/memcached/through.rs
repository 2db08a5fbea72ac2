//! Reading through real servers.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

use bytes::Bytes;
use cache_layer::memcached::Dialect;
use cache_layer::{Cache, Entry, Found, Loaded, Memcached, Name, Source, Want};
use tokio::sync::Semaphore;

use crate::server::Server;

const GET: Want = Want {
    operation: "Get",
    refresh: false,
    terms: 0,
};

/// A cache of its own, as another process has.
fn cache(servers: &[&Server], dialect: Dialect) -> Cache {
    let memcached = Memcached::builder()
        .servers(servers.iter().map(|s| s.name.as_str()))
        .dialect(dialect)
        .timeout(Duration::from_millis(400))
        .build()
        .unwrap();
    let builder = Cache::builder(memcached, Duration::from_secs(60));
    builder.namespace("test").build().unwrap()
}

/// What is behind the caches.
struct Service {
    version: AtomicU64,
    loads: AtomicUsize,
    gate: Semaphore,
}

impl Service {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            version: AtomicU64::new(1),
            loads: AtomicUsize::new(0),
            gate: Semaphore::new(Semaphore::MAX_PERMITS >> 1),
        })
    }
}

async fn read(cache: &Cache, service: &Arc<Service>, name: &Name) -> (u64, Source) {
    let service = service.clone();
    let load = move || {
        let service = service.clone();
        async move {
            service.loads.fetch_add(1, SeqCst);
            let version = service.version.load(SeqCst);
            let _permit = service.gate.acquire().await.unwrap();
            Ok::<_, ()>(Loaded::<()>::Entry(Entry {
                absent: false,
                cost: 0.0,
                head: Bytes::from_static(b"v"),
                body: Bytes::copy_from_slice(&version.to_be_bytes()),
            }))
        }
    };
    match cache.read(name, GET, load).await.unwrap() {
        Found::Entry(entry, source) => {
            let version = entry.body[..].try_into().unwrap();
            (u64::from_be_bytes(version), source)
        }
        Found::Private(()) => unreachable!(),
    }
}

async fn write(cache: &Cache, service: &Service, name: &Name) {
    let writing = cache.write(vec![name.clone()], false).await;
    service.version.fetch_add(1, SeqCst);
    writing.finish(true, None).await;
}

#[tokio::test]
async fn processes_share_entries_and_see_writes() {
    for dialect in [Dialect::Meta, Dialect::Classic] {
        let server = Server::start();
        let (a, b) = (cache(&[&server], dialect), cache(&[&server], dialect));
        let service = Service::new();
        let name = a.name("me", "bucket/", "a key with blanks");
        assert_eq!(read(&a, &service, &name).await, (1, Source::Service));
        assert_eq!(read(&b, &service, &name).await, (1, Source::Memcached));
        write(&b, &service, &name).await;
        assert_eq!(read(&a, &service, &name).await, (2, Source::Service));
        assert_eq!(read(&b, &service, &name).await, (2, Source::Memcached));

        // A fill that began before a write of the other process.
        let late = a.name("me", "bucket/", "late");
        let held = service.gate.acquire_many(u32::MAX / 8).await;
        drop(held);
        service.gate.forget_permits(usize::MAX);
        let reader = tokio::spawn({
            let (a, service, late) = (a.clone(), service.clone(), late.clone());
            async move { read(&a, &service, &late).await }
        });
        while service.loads.load(SeqCst) < 3 {
            tokio::task::yield_now().await;
        }
        write(&b, &service, &late).await;
        service.gate.add_permits(1000);
        assert_eq!(reader.await.unwrap(), (2, Source::Service));
        assert_eq!(
            read(&b, &service, &late).await,
            (3, Source::Service),
            "{dialect:?}"
        );
        assert_eq!(read(&a, &service, &late).await, (3, Source::Memcached));
    }
}

#[tokio::test]
async fn times_that_no_clock_can_tell_are_no_limits() {
    let server = Server::start();
    let memcached = Memcached::builder()
        .servers([server.name.as_str()])
        .timeout(Duration::MAX)
        .connect_timeout(Duration::MAX)
        .retry_interval(Duration::MAX, Duration::MAX)
        .build()
        .unwrap();
    let cache = Cache::builder(memcached, Duration::MAX)
        .namespace("test")
        .absent_ttl(Duration::MAX)
        .stale_for(Duration::MAX)
        .lease(Duration::MAX)
        .wait(Duration::MAX)
        .build()
        .unwrap();
    let service = Service::new();
    let name = cache.name("me", "bucket/", "k");
    for expected in [(1, Source::Service), (1, Source::Memcached)] {
        assert_eq!(read(&cache, &service, &name).await, expected);
    }
    write(&cache, &service, &name).await;
    for expected in [(2, Source::Service), (2, Source::Memcached)] {
        assert_eq!(read(&cache, &service, &name).await, expected);
    }
}

#[tokio::test]
async fn a_lease_does_not_outlive_a_restart() {
    for dialect in [Dialect::Meta, Dialect::Classic] {
        lease_and_restart(dialect).await;
    }
}

async fn lease_and_restart(dialect: Dialect) {
    let mut server = Server::start();
    let (a, b) = (cache(&[&server], dialect), cache(&[&server], dialect));
    let service = Service::new();
    let name = a.name("me", "bucket/", "k");
    service.gate.forget_permits(usize::MAX);
    let reader = tokio::spawn({
        let (a, service, name) = (a.clone(), service.clone(), name.clone());
        async move { read(&a, &service, &name).await }
    });
    while service.loads.load(SeqCst) < 1 {
        tokio::task::yield_now().await;
    }
    server.kill();
    server.start_again();
    // The first lease of the new server has the number that the old one's first had.
    write(&b, &service, &name).await;
    let other = tokio::spawn({
        let (b, service, name) = (b.clone(), service.clone(), name.clone());
        async move { read(&b, &service, &name).await }
    });
    while service.loads.load(SeqCst) < 2 {
        tokio::task::yield_now().await;
    }
    // Both fill now, the one with the old version first or last.
    service.gate.add_permits(1000);
    assert_eq!(reader.await.unwrap().0, 1);
    assert_eq!(other.await.unwrap().0, 2);
    for cache in [&a, &b] {
        assert_eq!(read(cache, &service, &name).await.0, 2, "{dialect:?}");
    }
}

#[tokio::test]
async fn a_server_that_dies_or_hangs_fails_no_read_and_holds_none_up() {
    let (mut one, two) = (Server::start(), Server::start());
    let a = cache(&[&one, &two], Dialect::Meta);
    let service = Service::new();
    let names: Vec<Name> = (0..40)
        .map(|i| a.name("me", "b/", &format!("k{i}")))
        .collect();
    for name in &names {
        read(&a, &service, name).await;
    }
    let hits = async |service: &Arc<Service>| {
        let mut hits = 0;
        for name in &names {
            let began = Instant::now();
            let (_, source) = read(&a, service, name).await;
            // The time of one operation, and what a busy machine adds.
            assert!(began.elapsed() < Duration::from_secs(5));
            hits += usize::from(source == Source::Memcached);
        }
        hits
    };
    assert_eq!(hits(&service).await, 40);
    one.kill();
    let left = hits(&service).await;
    assert!(
        (5..36).contains(&left),
        "{left} of 40 are on the other server"
    );
    // What is written while it is away is not read as it was when it is back.
    for name in &names {
        write(&a, &service, name).await;
    }
    one.start_again();
    for name in &names {
        assert_eq!(read(&a, &service, name).await.0, 41);
    }
    two.stop();
    for name in &names {
        assert_eq!(read(&a, &service, name).await.0, 41);
    }
    for name in &names {
        write(&a, &service, name).await;
    }
    two.go_on();
    for name in &names {
        assert_eq!(read(&a, &service, name).await.0, 81);
    }
    let stats = a.stats();
    assert!(stats.errors > 0 && stats.servers.iter().any(|s| s.ejections > 0));
}

/// What another client finds under the name, and takes away.
#[tokio::test]
async fn other_clients_find_entries_where_we_put_them() {
    let servers = [Server::start(), Server::start(), Server::start()];
    let all: Vec<&Server> = servers.iter().collect();
    let a = cache(&all, Dialect::Meta);
    let service = Service::new();
    for i in 0..20 {
        let name = a.name("me", "bucket/", &format!("photo-{i}.jpg"));
        read(&a, &service, &name).await;
        let shard = a.memcached().shard(name.key().clone());
        let key = String::from_utf8(name.key().stored().to_vec()).unwrap();
        assert_eq!(key, format!("test:0:me:bucket/photo-{i}.jpg"));
        let removed = tokio::task::spawn_blocking(move || {
            let client = memcache::connect(format!("memcache://{shard}?timeout=5")).unwrap();
            let value: Option<Vec<u8>> = client.get(&key).unwrap();
            (value.unwrap(), client.delete(&key).unwrap())
        });
        let (value, deleted) = removed.await.unwrap();
        assert!(value.starts_with(b"rc\x01") && value.ends_with(&1_u64.to_be_bytes()));
        assert!(deleted);
        assert_eq!(read(&a, &service, &name).await.1, Source::Service);
    }
}

/// `memcached -C`: without numbers nobody can be granted the right to fill.
#[tokio::test]
async fn a_server_without_numbers_holds_no_read_up() {
    let server = Server::with(&["-C"]);
    for dialect in [Dialect::Meta, Dialect::Auto, Dialect::Classic] {
        let a = cache(&[&server], dialect);
        let service = Service::new();
        for i in 0..20 {
            let name = a.name("me", "b/", &format!("k{i}"));
            assert_eq!(read(&a, &service, &name).await, (1, Source::Service));
        }
        // Nothing is stored there that others would wait for.
        for (_, items) in a.memcached().server_stats("").await.unwrap() {
            let items = items.unwrap();
            let of = |what: &str| items.iter().find(|(name, _)| name == what).unwrap();
            assert_eq!(of("curr_items").1, "0");
            // Over the classic protocol that is known once a place has no number.
            let made = if dialect == Dialect::Classic {
                "1"
            } else {
                "0"
            };
            assert_eq!(of("total_items").1, made);
        }
    }
}
