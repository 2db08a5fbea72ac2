//! A memcached on each peer: the list of servers follows the peers.

use std::collections::HashMap;
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use cache_layer::{Cache, Entry, Found, Loaded, Memcached, Name, Server, Source, Want};
use emulator::Emulator;
use futures_util::StreamExt as _;

use crate::instances::builder;

/// A memcached process at an address of this machine, until it is dropped.
struct Process(Child);

impl Process {
    fn start(address: &str, port: u16) -> Self {
        let child = Command::new("memcached")
            .args(["-U", "0", "-m", "64", "-u", "root", "-l", address, "-p"])
            .arg(port.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("memcached is missing: ./test.sh installs it");
        let process = Self(child);
        // Another process: there is nothing to wait for but the time.
        let up = (0..12_000).any(|_| {
            std::thread::sleep(Duration::from_millis(5));
            TcpStream::connect((address, port)).is_ok()
        });
        assert!(up, "memcached did not come up");
        process
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What is behind the cache: the version of each key, and the last that a writer was told is there.
struct Store {
    versions: Vec<AtomicU64>,
    acknowledged: Vec<AtomicU64>,
    hits: AtomicU64,
}

const KEYS: usize = 64;

impl Store {
    fn new() -> Arc<Self> {
        let zeros = || (0..KEYS).map(|_| AtomicU64::new(0)).collect();
        Arc::new(Self {
            versions: zeros(),
            acknowledged: zeros(),
            hits: AtomicU64::new(0),
        })
    }

    async fn read(self: &Arc<Self>, cache: &Cache, key: usize) {
        let least = self.acknowledged[key].load(Ordering::SeqCst);
        let store = self.clone();
        let load = move || {
            let store = store.clone();
            async move {
                let version = store.versions[key].load(Ordering::SeqCst);
                Ok::<_, ()>(Loaded::<()>::Entry(Entry {
                    absent: false,
                    cost: 0.0,
                    head: Bytes::from_static(b"v"),
                    body: Bytes::copy_from_slice(&version.to_be_bytes()),
                }))
            }
        };
        let want = Want {
            operation: "Get",
            refresh: false,
            terms: 0,
        };
        let Ok(Found::Entry(entry, source)) = cache.read(&name(cache, key), want, load).await
        else {
            panic!("a read failed");
        };
        let version = u64::from_be_bytes(entry.body[..].try_into().unwrap());
        assert!(
            version >= least,
            "key {key}: {version} was read, and {least} was written before"
        );
        if source == Source::Memcached {
            self.hits.fetch_add(1, Ordering::Relaxed);
        }
    }

    async fn write(&self, cache: &Cache, key: usize) {
        let writing = cache.write(vec![name(cache, key)], false).await;
        let version = self.versions[key].fetch_add(1, Ordering::SeqCst) + 1;
        writing.finish(true, None).await;
        self.acknowledged[key].store(version, Ordering::SeqCst);
    }
}

fn name(cache: &Cache, key: usize) -> Name {
    cache.name("me", "bucket/", &format!("key-{key}"))
}

/// A port that is free at these addresses.
fn free_port(addresses: &[&str]) -> u16 {
    let free = |port: &u16| {
        let mut addresses = addresses.iter();
        addresses.all(|address| std::net::TcpListener::bind((*address, *port)).is_ok())
    };
    let mut ports = std::iter::repeat_with(some_port).take(100);
    ports.find(free).unwrap()
}

fn some_port() -> u16 {
    let any = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    any.local_addr().unwrap().port()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_wrong_is_read_while_servers_come_and_go() {
    const ADDRESSES: [&str; 4] = ["127.7.0.1", "127.7.0.2", "127.7.0.3", "127.7.0.4"];
    let port = free_port(&ADDRESSES);
    let service = Emulator::start().await.unwrap();
    let row = |index: usize, state: &str| {
        format!(
            r#"{{"InstanceId": "i-{index}", "PrivateIpAddress": "{}", "State": "{state}", "Tags": {{"role": "cache"}}}}"#,
            ADDRESSES[index]
        )
    };
    let mut processes: HashMap<usize, Process> = HashMap::new();
    for (index, address) in ADDRESSES.iter().enumerate().take(2) {
        processes.insert(index, Process::start(address, port));
        service.ec2().put(&row(index, "running")).unwrap();
    }

    let ec2 = builder(&service).build().unwrap();
    let peers = ec2.peers().tag("role", "cache").port(port);
    let peers = peers.every(Duration::from_secs(1)).random(|| 0.0);
    let servers = |peers: Vec<ec2_client::Peer>| -> Vec<Server> {
        let servers = peers.iter().map(|peer| peer.address.parse());
        servers.collect::<Result<_, _>>().unwrap()
    };
    let mut lists = peers.watch().into_lists();
    let first = lists
        .next()
        .await
        .unwrap()
        .into_iter()
        .map(|peer| peer.address);
    let memcached = Memcached::builder()
        .servers(first)
        .timeout(Duration::from_secs(10))
        .build()
        .unwrap();
    assert_eq!(memcached.servers().len(), 2);
    let cache = Cache::builder(memcached.clone(), Duration::from_secs(600));
    let cache = cache.namespace("test").build().unwrap();
    let follower = tokio::spawn({
        let memcached = memcached.clone();
        async move { memcached.follow(lists.map(servers)).await }
    });

    let (store, done) = (Store::new(), Arc::new(AtomicBool::new(false)));
    let load: Vec<_> = (0..8)
        .map(|task| {
            let (store, cache, done) = (store.clone(), cache.clone(), done.clone());
            tokio::spawn(async move {
                let mut turn = task;
                while !done.load(Ordering::Relaxed) {
                    // Each key has one writer.
                    turn = (turn * 5 + 3) % KEYS;
                    if turn % 8 == task && turn % 3 == 0 {
                        store.write(&cache, turn).await;
                    }
                    store.read(&cache, turn).await;
                    store.read(&cache, (turn + task) % KEYS).await;
                }
            })
        })
        .collect();

    let settled = async |indices: &[usize]| {
        let expected: Vec<_> = indices
            .iter()
            .map(|i| format!("{}:{port}", ADDRESSES[*i]))
            .collect();
        let now = || {
            memcached
                .servers()
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
        };
        while now() != expected {
            assert!(
                !load.iter().any(tokio::task::JoinHandle::is_finished),
                "a task has ended"
            );
            tokio::task::yield_now().await;
        }
        // Some load on these servers.
        let before = store.hits.load(Ordering::Relaxed);
        while store.hits.load(Ordering::Relaxed) < before + 200 {
            assert!(
                !load.iter().any(tokio::task::JoinHandle::is_finished),
                "a task has ended"
            );
            tokio::task::yield_now().await;
        }
    };
    settled(&[0, 1]).await;
    // One more, and keys of the others stay where they are.
    let shard = |key: usize| memcached.shard(format!("key-{key}")).to_string();
    let before: Vec<_> = (0..200).map(shard).collect();
    processes.insert(2, Process::start(ADDRESSES[2], port));
    service.ec2().put(&row(2, "running")).unwrap();
    settled(&[0, 1, 2]).await;
    let moved = (0..200).filter(|key| shard(*key) != before[*key]);
    let moved: Vec<_> = moved.map(shard).collect();
    assert!(
        (20..120).contains(&moved.len()),
        "{} keys of 200 have moved",
        moved.len()
    );
    let third = format!("{}:{port}", ADDRESSES[2]);
    assert!(
        moved.iter().all(|place| *place == third),
        "only to the new one"
    );

    // One is stopped in an orderly way, one dies, one comes in its place, and the first comes back, as it was.
    service.ec2().put(&row(0, "shutting-down")).unwrap();
    settled(&[1, 2]).await;
    processes.remove(&1);
    service.ec2().put(&row(1, "terminated")).unwrap();
    processes.insert(3, Process::start(ADDRESSES[3], port));
    service.ec2().put(&row(3, "running")).unwrap();
    settled(&[2, 3]).await;
    service.ec2().put(&row(0, "running")).unwrap();
    settled(&[0, 2, 3]).await;
    // A throttled list and one that lacks a peer change nothing.
    service.faults().add(emulator::Rule::script([
        emulator::Fault::slow_down(),
        emulator::Fault::lacking(["i-2"]),
    ]));
    settled(&[0, 2, 3]).await;

    done.store(true, Ordering::Relaxed);
    for task in load {
        task.await.unwrap();
    }
    let written: u64 = store
        .versions
        .iter()
        .map(|version| version.load(Ordering::SeqCst))
        .sum();
    assert!(written > 0 && store.hits.load(Ordering::Relaxed) > 1000);
    follower.abort();
}
