//! Servers in the memory of the test that are slow or answer nothing, in virtual time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use cache_layer::memcached::{Dialect, MemcachedBuilder, ServerState};
use cache_layer::{Cache, Entry, Found, Loaded, Memcached, Source, Want};
use pipeline_pool::{Connect, Connecting, Io, Origin};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, DuplexStream};
use tokio::time::{Instant, sleep, timeout};

/// Values with their numbers, by key.
type Items = HashMap<String, (Vec<u8>, u64)>;

/// A memcached of the classic protocol.
#[derive(Clone)]
struct Slow {
    /// How long each answer takes; nothing for one that never answers.
    pause: Option<Duration>,
    items: Arc<Mutex<Items>>,
}

impl Slow {
    fn new(pause: Option<Duration>) -> Self {
        Self {
            pause,
            items: Arc::default(),
        }
    }

    fn client(&self) -> MemcachedBuilder {
        let builder = Memcached::builder().servers(["slow:11211"]);
        let builder = builder.dialect(Dialect::Classic).connections(1);
        builder.connector(self.clone())
    }

    async fn serve(self, io: DuplexStream) {
        let mut io = BufReader::new(io);
        let mut line = String::new();
        while io.read_line(&mut line).await.unwrap_or(0) > 0 {
            let words: Vec<&str> = line.split_ascii_whitespace().collect();
            let mut value = Vec::new();
            if let ["add" | "set" | "cas", _, _, _, len, ..] = words[..] {
                value = vec![0; len.parse::<usize>().unwrap() + 2];
                io.read_exact(&mut value).await.unwrap();
                value.truncate(value.len() - 2);
            }
            let Some(pause) = self.pause else {
                return std::future::pending().await;
            };
            sleep(pause).await;
            let answer = self.answer(&words, value);
            if io.get_mut().write_all(&answer).await.is_err() {
                return;
            }
            line.clear();
        }
    }

    fn answer(&self, words: &[&str], value: Vec<u8>) -> Vec<u8> {
        let mut items = self.items.lock().unwrap();
        let number = items.len() as u64 + 1;
        let key = words[1].to_owned();
        match (words[0], items.get(&key)) {
            ("get" | "gets", None) => b"END\r\n".to_vec(),
            ("get" | "gets", Some((value, number))) => {
                let line = format!("VALUE {key} 0 {} {number}\r\n", value.len());
                [line.as_bytes(), value, b"\r\nEND\r\n"].concat()
            }
            ("add", Some(_)) => b"NOT_STORED\r\n".to_vec(),
            ("add", None) | ("set" | "cas", _) => {
                items.insert(key, (value, number));
                b"STORED\r\n".to_vec()
            }
            ("delete", _) => {
                items.remove(&key);
                b"DELETED\r\n".to_vec()
            }
            other => panic!("{other:?}"),
        }
    }
}

impl Connect for Slow {
    fn connect(&self, _: &Origin) -> Connecting {
        let (client, server) = tokio::io::duplex(1 << 16);
        tokio::spawn(self.clone().serve(server));
        Box::pin(async { Ok(Box::new(client) as Box<dyn Io>) })
    }
}

async fn read(cache: &Cache, key: &str) -> Source {
    let load = || async {
        let (head, body) = (Bytes::new(), Bytes::from_static(b"value"));
        Ok::<_, ()>(Loaded::<()>::Entry(Entry {
            absent: false,
            cost: 0.0,
            head,
            body,
        }))
    };
    let want = Want {
        operation: "Get",
        refresh: false,
        terms: 0,
    };
    let name = cache.name("me", "group/", key);
    match cache.read(&name, want, load).await.unwrap() {
        Found::Entry(_, source) => source,
        Found::Private(()) => unreachable!(),
    }
}

/// Over the classic protocol a miss is four commands: to look, to look once more, to take the place, and to claim it.
#[tokio::test(start_paused = true)]
async fn a_slow_classic_server_holds_a_read_up_for_the_time_of_one_operation() {
    let limit = Duration::from_millis(500);
    for millis in [1, 100, 120, 200, 400, 600] {
        let slow = Slow::new(Some(Duration::from_millis(millis)));
        let memcached = slow.client().timeout(limit).build().unwrap();
        let cache = Cache::builder(memcached, Duration::from_secs(60));
        let cache = cache.build().unwrap();
        for key in ["a", "a", "b", "b", "b"] {
            let began = Instant::now();
            read(&cache, key).await;
            // And a little where it fills.
            let most = limit + Duration::from_millis(if millis <= 120 { 50 } else { 0 });
            assert!(began.elapsed() <= most, "{millis}: {:?}", began.elapsed());
        }
        if millis <= 120 {
            sleep(limit).await;
            assert_eq!(read(&cache, "a").await, Source::Memcached);
        }
    }
}

/// All callers have less time than an operation takes at most.
#[tokio::test(start_paused = true)]
async fn a_server_that_answers_nothing_is_ejected_though_nobody_waits_long_enough() {
    let silent = Slow::new(None).client();
    let memcached = silent.timeout(Duration::from_millis(500)).build().unwrap();
    let cache = Cache::builder(memcached.clone(), Duration::from_secs(60));
    let cache = cache.build().unwrap();
    let patience = Duration::from_millis(300);
    for _ in 0..20 {
        drop(timeout(patience, read(&cache, "k")).await);
    }
    assert_eq!(memcached.stats()[0].state, ServerState::Ejected);
    assert!(timeout(patience, read(&cache, "k")).await.is_ok());
    // A client whose callers all go away at once notices too.
    let memcached = Slow::new(None).client().build().unwrap();
    for _ in 0..20 {
        drop(timeout(patience, memcached.get("k").send()).await);
    }
    assert_eq!(memcached.stats()[0].state, ServerState::Ejected);
}
