//! Reads and writes through a memcached that does as it is told.

use std::collections::HashMap;
use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::task::{Context, Waker};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{Semaphore, oneshot};
use tokio::task::yield_now;
use tokio::time::Instant;

use super::core::{Config, Core};
use super::entry::{Entry, Form};
#[cfg(feature = "local")]
use super::local::Local;
use super::name::Name;
use super::read::{Found, Loaded, Source, Want};
use super::shelf::{Deleted, Filled, Peeked, Shelf};
use super::steps::Looked;
use crate::memcached::Key;

const TTL: Duration = Duration::from_secs(60);
const GET: Want = Want {
    operation: "Get",
    refresh: false,
};

struct Item {
    number: u64,
    value: Option<Bytes>,
    until: Instant,
}

/// Shared by the processes of a test.
#[derive(Default)]
struct Server {
    items: Mutex<HashMap<Key, Item>>,
    number: AtomicU64,
    down: AtomicBool,
    looks: AtomicUsize,
    /// A renewal was granted and not done.
    renewing: AtomicBool,
}

#[derive(Clone, Default)]
struct Mem(Arc<Server>);

impl Mem {
    fn number(&self) -> u64 {
        self.0.number.fetch_add(1, SeqCst) + 1
    }

    fn is_down(&self) -> bool {
        self.0.down.load(SeqCst)
    }

    fn has(&self, name: &Name) -> bool {
        let items = self.0.items.lock().unwrap();
        items
            .get(&name.key)
            .is_some_and(|item| item.value.is_some())
    }

    fn put(&self, name: &Name, value: impl Into<Bytes>) {
        let item = Item {
            number: self.number(),
            value: Some(value.into()),
            until: Instant::now() + TTL,
        };
        self.0.items.lock().unwrap().insert(name.key.clone(), item);
    }
}

impl Shelf for Mem {
    type Lease = (Key, u64);

    async fn look(
        &self,
        key: &Key,
        lease: Duration,
        renew: Option<Duration>,
        _: Duration,
    ) -> Looked<(Key, u64), Bytes> {
        self.0.looks.fetch_add(1, SeqCst);
        yield_now().await;
        if self.is_down() {
            return Looked::Down;
        }
        let number = self.number();
        let now = Instant::now();
        let mut items = self.0.items.lock().unwrap();
        items.retain(|_, item| now < item.until);
        match items.get(key) {
            None => {
                let item = Item {
                    number,
                    value: None,
                    until: now + lease,
                };
                items.insert(key.clone(), item);
                Looked::Win((key.clone(), number))
            }
            Some(Item { value: None, .. }) => Looked::Lost,
            Some(Item {
                value: Some(value),
                number,
                until,
            }) => match renew {
                Some(renew) if *until - now < renew && !self.0.renewing.swap(true, SeqCst) => {
                    Looked::Renew(value.clone(), (key.clone(), *number))
                }
                _ => Looked::Hit(value.clone()),
            },
        }
    }

    async fn peek(&self, key: &Key) -> Peeked<Bytes> {
        yield_now().await;
        if self.is_down() {
            return Peeked::Down;
        }
        let mut items = self.0.items.lock().unwrap();
        items.retain(|_, item| Instant::now() < item.until);
        let value = items.get(key).and_then(|item| item.value.clone());
        value.map_or(Peeked::Nothing, Peeked::Hit)
    }

    async fn fill(&self, (key, number): (Key, u64), value: Bytes, ttl: Duration) -> Filled {
        yield_now().await;
        if self.is_down() {
            return Filled::Down;
        }
        self.0.renewing.store(false, SeqCst);
        let next = self.number();
        match self.0.items.lock().unwrap().get_mut(&key) {
            Some(item) if item.number == number => {
                *item = Item {
                    number: next,
                    value: Some(value),
                    until: Instant::now() + ttl,
                };
                Filled::Stored
            }
            _ => Filled::Refused,
        }
    }

    async fn cancel(&self, (key, number): (Key, u64)) {
        let mut items = self.0.items.lock().unwrap();
        if items.get(&key).is_some_and(|item| item.number == number) {
            items.remove(&key);
        }
    }

    async fn delete(&self, key: &Key) -> Deleted {
        yield_now().await;
        if self.is_down() {
            return Deleted::Unknown;
        }
        self.0.items.lock().unwrap().remove(key);
        Deleted::Done
    }

    fn shard(&self, _: &Key) -> usize {
        0
    }

    fn timeout(&self) -> Duration {
        Duration::from_millis(200)
    }
}

fn config() -> Config {
    Config {
        prefix: "t:0:".to_owned(),
        ttl: TTL,
        absent_ttl: Some(Duration::from_secs(5)),
        stale_for: Duration::ZERO,
        jitter: 0.0,
        max_value: 1000,
        form: Form::default(),
        lease: Duration::from_secs(10),
        wait: Duration::from_millis(50),
        max_doubted: 100,
        write_through: false,
    }
}

/// A process that uses the cache, and the service behind it.
#[derive(Clone)]
struct Process {
    core: Arc<Core<Mem>>,
    service: Arc<Service>,
}

struct Service {
    version: AtomicU64,
    loads: AtomicUsize,
    fails: AtomicBool,
    absent: AtomicBool,
    private: AtomicBool,
    /// Loads wait for a permit.
    gate: Semaphore,
}

impl Process {
    fn new(mem: &Mem, config: Config) -> Self {
        let core = Core::new(
            mem.clone(),
            config,
            #[cfg(feature = "local")]
            None,
        );
        Self::of(core)
    }

    fn of(core: Core<Mem>) -> Self {
        Self {
            core: Arc::new(core),
            service: Arc::new(Service {
                version: AtomicU64::new(1),
                loads: AtomicUsize::new(0),
                fails: AtomicBool::new(false),
                absent: AtomicBool::new(false),
                private: AtomicBool::new(false),
                gate: Semaphore::new(1_000_000),
            }),
        }
    }

    /// Another process, of the same service.
    fn other(&self) -> Self {
        Self {
            service: self.service.clone(),
            ..Self::new(&self.core.shelf, self.core.config.clone())
        }
    }

    async fn read_as(&self, name: &Name, want: Want) -> Result<Found<&'static str>, String> {
        let service = self.service.clone();
        let load = move || {
            let service = service.clone();
            async move {
                service.loads.fetch_add(1, SeqCst);
                let version = service.version.load(SeqCst);
                service.gate.acquire().await.unwrap().forget();
                if service.fails.load(SeqCst) {
                    return Err("503".to_owned());
                }
                if service.private.load(SeqCst) {
                    return Ok(Loaded::Private("a stream"));
                }
                Ok(Loaded::Entry(entry(
                    &version.to_string(),
                    service.absent.load(SeqCst),
                )))
            }
        };
        self.core.read(name, want, load).await
    }

    async fn read(&self, name: &Name) -> (String, Source) {
        match self.read_as(name, GET).await.unwrap() {
            Found::Entry(entry, source) => {
                (String::from_utf8(entry.body.to_vec()).unwrap(), source)
            }
            Found::Private(_) => panic!("private"),
        }
    }

    fn loads(&self) -> usize {
        self.service.loads.load(SeqCst)
    }

    /// Loads wait from now on.
    fn hold(&self) {
        self.service.gate.forget_permits(1_000_000);
    }

    fn release(&self) {
        self.service.gate.add_permits(1_000);
    }

    /// Runs others until this many loads have begun.
    async fn until_loads(&self, loads: usize) {
        while self.loads() < loads {
            yield_now().await;
        }
    }

    async fn write(&self, name: &Name) {
        let write = self.core.clone().write(vec![name.clone()], false).await;
        self.service.version.fetch_add(1, SeqCst);
        write.finish(true, None).await;
    }
}

fn entry(body: &str, absent: bool) -> Entry {
    Entry {
        absent,
        cost: 0.5,
        head: Bytes::from_static(b"head"),
        body: body.to_owned().into(),
    }
}

fn name(rest: &str) -> Name {
    Name::new("t:0:", "me", &["bucket/"], rest)
}

fn process() -> (Mem, Process) {
    let mem = Mem::default();
    let process = Process::new(&mem, config());
    (mem, process)
}

fn one(text: &str, source: Source) -> (String, Source) {
    (text.to_owned(), source)
}

#[tokio::test(start_paused = true)]
async fn what_was_read_once_is_there() {
    let (mem, a) = process();
    let k = name("k");
    assert_eq!(a.read(&k).await, one("1", Source::Service));
    assert!(mem.has(&k));
    assert_eq!(a.read(&k).await, one("1", Source::Memcached));
    assert_eq!(a.other().read(&k).await, one("1", Source::Memcached));
    assert_eq!(a.loads(), 1);
    let stats = a.core.counters.stats();
    assert_eq!((stats.misses, stats.hits, stats.fills), (1, 1, 1));
    assert_eq!(
        (stats.saved[0].operation, stats.saved[0].requests),
        ("Get", 1)
    );
    // And not when its time is over.
    tokio::time::advance(TTL).await;
    assert_eq!(a.read(&k).await, one("1", Source::Service));
}

#[tokio::test(start_paused = true)]
async fn many_who_read_the_same_share_one_load() {
    let (_, a) = process();
    a.hold();
    let tasks: Vec<_> = (0..100)
        .map(|_| {
            let a = a.clone();
            tokio::spawn(async move { a.read(&name("k")).await })
        })
        .collect();
    a.until_loads(1).await;
    a.release();
    let mut joined = 0;
    for task in tasks {
        let (text, source) = task.await.unwrap();
        assert_eq!(text, "1");
        joined += usize::from(source == Source::Joined);
    }
    assert_eq!((a.loads(), joined), (1, 99));
}

#[tokio::test(start_paused = true)]
async fn who_leads_and_is_cancelled_fails_nobody() {
    let (mem, a) = process();
    a.hold();
    let k = name("k");
    let spawn = |p: &Process| {
        let (p, k) = (p.clone(), k.clone());
        tokio::spawn(async move { p.read(&k).await })
    };
    let leader = spawn(&a);
    a.until_loads(1).await;
    let follower = spawn(&a);
    yield_now().await;
    leader.abort();
    assert!(leader.await.unwrap_err().is_cancelled());
    a.until_loads(2).await;
    a.release();
    assert_eq!(follower.await.unwrap(), one("1", Source::Service));
    // The lease of the first was given back, so that the second got one.
    assert!(mem.has(&k));
}

#[tokio::test(start_paused = true)]
async fn an_error_is_shared_and_not_kept() {
    let (mem, a) = process();
    a.service.fails.store(true, SeqCst);
    a.hold();
    let tasks: Vec<_> = (0..10)
        .map(|_| {
            let a = a.clone();
            tokio::spawn(async move { a.read_as(&name("k"), GET).await.map(drop) })
        })
        .collect();
    a.until_loads(1).await;
    a.release();
    for task in tasks {
        assert_eq!(task.await.unwrap(), Err("503".to_owned()));
    }
    assert_eq!(a.loads(), 1);
    a.service.fails.store(false, SeqCst);
    assert_eq!(a.read(&name("k")).await, one("1", Source::Service));
    assert!(mem.has(&name("k")));
}

#[tokio::test(start_paused = true)]
async fn what_only_one_can_have_is_not_shared() {
    let (mem, a) = process();
    a.service.private.store(true, SeqCst);
    a.hold();
    let tasks: Vec<_> = (0..3)
        .map(|_| {
            let a = a.clone();
            tokio::spawn(async move { a.read_as(&name("k"), GET).await })
        })
        .collect();
    a.until_loads(1).await;
    a.release();
    for task in tasks {
        assert!(matches!(
            task.await.unwrap(),
            Ok(Found::Private("a stream"))
        ));
    }
    assert_eq!(a.loads(), 3);
    assert!(!mem.has(&name("k")));
}

#[tokio::test(start_paused = true)]
async fn a_fill_that_began_before_a_write_does_not_land() {
    for other_process_writes in [false, true] {
        let (mem, a) = process();
        let k = name("k");
        a.hold();
        let reader = tokio::spawn({
            let (a, k) = (a.clone(), k.clone());
            async move { a.read(&k).await }
        });
        a.until_loads(1).await;
        // It has fetched version 1 by now, and waits to say so.
        let writer = if other_process_writes {
            a.other()
        } else {
            a.clone()
        };
        writer.write(&k).await;
        a.release();
        assert_eq!(reader.await.unwrap().0, "1");
        assert!(!mem.has(&k), "an old value landed");
        assert_eq!(a.read(&k).await, one("2", Source::Service));
        assert_eq!(a.read(&k).await, one("2", Source::Memcached));
    }
}

#[tokio::test(start_paused = true)]
async fn while_it_writes_a_process_reads_past_the_cache() {
    let (mem, a) = process();
    let k = name("k");
    a.read(&k).await;
    let write = a.core.clone().write(vec![k.clone()], false).await;
    assert!(!mem.has(&k));
    assert_eq!(a.read(&k).await, one("1", Source::Service));
    assert!(!mem.has(&k));
    a.service.version.store(2, SeqCst);
    assert_eq!(a.read(&k).await.0, "2");
    write.finish(true, None).await;
    assert_eq!(a.read(&k).await, one("2", Source::Service));
    assert_eq!(a.read(&k).await, one("2", Source::Memcached));
}

#[tokio::test(start_paused = true)]
async fn what_was_not_acknowledged_is_doubted_for_as_long_as_it_may_live() {
    let (mem, a) = process();
    let k = name("k");
    a.read(&k).await;
    mem.0.down.store(true, SeqCst);
    a.write(&k).await;
    mem.0.down.store(false, SeqCst);
    assert!(mem.has(&k), "the old value is there still");
    assert_eq!(a.read(&k).await, one("2", Source::Service));
    assert_eq!(a.core.fences().doubted(Instant::now().into_std()), 1);
    assert_eq!(a.core.counters.stats().unacknowledged, 1);
    tokio::time::advance(TTL + Duration::from_secs(1)).await;
    assert_eq!(a.read(&k).await, one("2", Source::Service));
    assert_eq!(a.read(&k).await, one("2", Source::Memcached));
    assert_eq!(a.core.fences().doubted(Instant::now().into_std()), 0);
}

#[tokio::test(start_paused = true)]
async fn a_write_that_may_still_happen_is_doubted() {
    let (mem, a) = process();
    let k = name("k");
    // It ended without saying whether it happened.
    let write = a.core.clone().write(vec![k.clone()], false).await;
    write.finish(false, None).await;
    assert_eq!(a.read(&k).await, one("1", Source::Service));
    assert!(!mem.has(&k));
    a.service.version.store(2, SeqCst);
    assert_eq!(a.read(&k).await.0, "2");

    // Its caller went away.
    let l = name("l");
    a.read(&l).await;
    drop(a.core.clone().write(vec![l.clone()], false).await);
    while mem.has(&l) {
        yield_now().await;
    }
    assert_eq!(a.read(&l).await, one("2", Source::Service));
    assert!(!mem.has(&l));

    // It was given up before it was sent.
    let m = name("m");
    let mut begun = Box::pin(a.core.clone().write(vec![m.clone()], false));
    let mut cx = Context::from_waker(Waker::noop());
    assert!(begun.as_mut().poll(&mut cx).is_pending());
    drop(begun);
    a.read(&m).await;
    assert!(mem.has(&m));
}

#[tokio::test(start_paused = true)]
async fn absence_has_a_time_of_its_own() {
    let (mem, a) = process();
    a.service.absent.store(true, SeqCst);
    let k = name("k");
    a.read(&k).await;
    assert_eq!(a.read(&k).await.1, Source::Memcached);
    assert_eq!(a.core.counters.stats().absent_hits, 1);
    tokio::time::advance(Duration::from_secs(5)).await;
    assert_eq!(a.read(&k).await.1, Source::Service);

    let forgetful = Process::new(
        &mem,
        Config {
            absent_ttl: None,
            ..config()
        },
    );
    forgetful.service.absent.store(true, SeqCst);
    let l = name("l");
    forgetful.read(&l).await;
    assert!(!mem.has(&l));
    assert_eq!(forgetful.core.counters.stats().unkept, 1);
    // Nor does its lease hold anybody up.
    assert_eq!(a.read(&l).await.1, Source::Service);
    assert!(mem.has(&l));
}

#[tokio::test(start_paused = true)]
async fn a_damaged_entry_is_a_miss() {
    let (mem, a) = process();
    let k = name("k");
    mem.put(&k, "somebody else's");
    assert_eq!(a.read(&k).await, one("1", Source::Service));
    assert_eq!(a.read(&k).await, one("1", Source::Memcached));
    assert_eq!(a.core.counters.stats().corrupt, 1);
    // An entry of another key, as a mixed-up server would have it.
    let value = Form::default().encode(&name("other").key, &entry("9", false), u64::MAX);
    mem.put(&k, value);
    assert_eq!(a.read(&k).await, one("1", Source::Service));
}

#[tokio::test(start_paused = true)]
async fn what_is_stale_is_served_while_one_fetches_it_anew() {
    let mem = Mem::default();
    let stale_for = Duration::from_secs(30);
    let a = Process::new(
        &mem,
        Config {
            stale_for,
            ..config()
        },
    );
    let k = name("k");
    a.read(&k).await;
    a.service.version.store(2, SeqCst);
    tokio::time::advance(TTL - Duration::from_secs(1)).await;
    assert_eq!(a.read(&k).await, one("1", Source::Memcached));
    tokio::time::advance(Duration::from_secs(2)).await;
    a.hold();
    assert_eq!(a.read(&k).await, one("1", Source::Stale));
    a.until_loads(2).await;
    // Others are not held up, here and elsewhere.
    assert_eq!(a.read(&k).await, one("1", Source::Joined));
    assert_eq!(a.other().read(&k).await, one("1", Source::Memcached));
    // A write takes the renewal's right away.
    a.write(&k).await;
    a.release();
    assert_eq!(a.read(&k).await, one("3", Source::Service));
    assert_eq!(a.read(&k).await, one("3", Source::Memcached));
    assert_eq!(a.loads(), 3);

    // And without one it lands.
    tokio::time::advance(TTL + Duration::from_secs(1)).await;
    a.service.version.store(4, SeqCst);
    assert_eq!(a.read(&k).await, one("3", Source::Stale));
    a.until_loads(4).await;
    loop {
        match a.read(&k).await {
            (text, Source::Memcached) if text == "4" => break,
            _ => yield_now().await,
        }
    }
}

#[tokio::test(start_paused = true)]
async fn it_waits_a_little_for_another_process_that_fills() {
    let (mem, a) = process();
    let b = a.other();
    let k = name("k");
    a.hold();
    let leader = tokio::spawn({
        let (a, k) = (a.clone(), k.clone());
        async move { a.read(&k).await }
    });
    a.until_loads(1).await;
    let (told, hears) = oneshot::channel();
    let waiter = tokio::spawn({
        let (b, k) = (b.clone(), k.clone());
        async move {
            told.send(()).unwrap();
            b.read(&k).await
        }
    });
    hears.await.unwrap();
    tokio::time::sleep(Duration::from_millis(10)).await;
    a.release();
    assert_eq!(waiter.await.unwrap(), one("1", Source::Memcached));
    leader.await.unwrap();

    // Not for ever: this one's process died.
    let l = name("l");
    assert!(matches!(
        mem.look(&l.key, TTL, None, TTL).await,
        Looked::Win(_)
    ));
    let began = Instant::now();
    assert_eq!(b.read(&l).await, one("1", Source::Service));
    assert!(began.elapsed() <= Duration::from_millis(50));
    assert!(!mem.has(&l));
}

#[tokio::test(start_paused = true)]
async fn without_memcached_it_reads_on() {
    let (mem, a) = process();
    mem.0.down.store(true, SeqCst);
    for _ in 0..3 {
        assert_eq!(a.read(&name("k")).await, one("1", Source::Service));
    }
    let stats = a.core.counters.stats();
    assert_eq!((stats.errors, stats.misses), (3, 3));
}

#[tokio::test(start_paused = true)]
async fn what_is_too_large_is_not_kept() {
    let mem = Mem::default();
    let a = Process::new(
        &mem,
        Config {
            max_value: 4,
            ..config()
        },
    );
    a.read(&name("k")).await;
    assert!(!mem.has(&name("k")));
    assert_eq!(a.core.counters.stats().unkept, 1);
}

#[tokio::test(start_paused = true)]
async fn a_refresh_asks_the_service_and_fills() {
    let (mem, a) = process();
    let k = name("k");
    a.read(&k).await;
    a.service.version.store(2, SeqCst);
    let refresh = Want {
        refresh: true,
        ..GET
    };
    match a.read_as(&k, refresh).await.unwrap() {
        Found::Entry(entry, Source::Service) => assert_eq!(entry.body, "2"),
        other => panic!("{other:?}"),
    }
    assert!(mem.has(&k));
    assert_eq!(a.read(&k).await, one("2", Source::Memcached));
}

#[tokio::test(start_paused = true)]
async fn what_was_written_is_stored_by_choice() {
    let mem = Mem::default();
    let a = Process::new(
        &mem,
        Config {
            write_through: true,
            ..config()
        },
    );
    let k = name("k");
    let write = a.core.clone().write(vec![k.clone()], true).await;
    a.service.version.store(2, SeqCst);
    write.finish(true, Some(entry("2", false))).await;
    assert_eq!(a.read(&k).await, one("2", Source::Memcached));
    assert_eq!(a.loads(), 0);

    // Another process wrote meanwhile: what this one wrote may be old by now.
    let write = a.core.clone().write(vec![k.clone()], true).await;
    a.other().write(&k).await;
    write.finish(true, Some(entry("3", false))).await;
    assert!(!mem.has(&k));

    // It failed, or may still happen.
    let write = a.core.clone().write(vec![k.clone()], true).await;
    write.finish(false, Some(entry("4", false))).await;
    assert!(!mem.has(&k));
    assert_eq!(a.read(&k).await.1, Source::Service);
}

#[tokio::test(start_paused = true)]
async fn a_group_can_be_forgotten() {
    let (_, a) = process();
    let (k, l) = (name("k"), Name::new("t:0:", "me", &["other/"], "k"));
    a.read(&k).await;
    a.read(&l).await;
    a.core.doubt_group(&k, Instant::now().into_std());
    assert_eq!(a.read(&k).await.1, Source::Service);
    assert_eq!(a.read(&l).await.1, Source::Memcached);
    tokio::time::advance(TTL + Duration::from_secs(2)).await;
    a.read(&k).await;
    assert_eq!(a.read(&k).await.1, Source::Memcached);
}

#[cfg(feature = "local")]
#[tokio::test(start_paused = true)]
async fn the_first_tier_needs_no_memcached_and_knows_writes() {
    let mem = Mem::default();
    let with = || {
        let local = Local::new(100_000, Duration::from_secs(2));
        Core::new(mem.clone(), config(), Some(local))
    };
    let a = Process::of(with());
    let b = Process {
        service: a.service.clone(),
        ..Process::of(with())
    };
    let k = name("k");
    a.read(&k).await;
    let looks = mem.0.looks.load(SeqCst);
    assert_eq!(a.read(&k).await, one("1", Source::Local));
    assert_eq!(mem.0.looks.load(SeqCst), looks);
    assert_eq!(b.read(&k).await, one("1", Source::Memcached));
    assert_eq!(b.read(&k).await, one("1", Source::Local));
    a.write(&k).await;
    assert_eq!(a.read(&k).await, one("2", Source::Service));
    // The other process sees it when its short time is over.
    assert_eq!(b.read(&k).await, one("1", Source::Local));
    tokio::time::advance(Duration::from_secs(2)).await;
    assert_eq!(b.read(&k).await, one("2", Source::Memcached));

    // A read that began before a write leaves nothing behind.
    let l = name("l");
    a.hold();
    let reader = tokio::spawn({
        let (a, l) = (a.clone(), l.clone());
        async move { a.read(&l).await }
    });
    a.until_loads(3).await;
    a.write(&l).await;
    a.release();
    assert_eq!(reader.await.unwrap().0, "2");
    assert_eq!(a.read(&l).await, one("3", Source::Service));
}

#[tokio::test(start_paused = true)]
async fn many_keys_are_written_at_once() {
    let (mem, a) = process();
    let names: Vec<Name> = (0..25).map(|i| name(&format!("k{i}"))).collect();
    for n in &names {
        a.read(n).await;
    }
    let write = a.core.clone().write(names.clone(), false).await;
    assert!(names.iter().all(|n| !mem.has(n)));
    write.finish(true, None).await;
    assert_eq!(a.core.counters.stats().invalidations, 25);
    for n in &names {
        a.read(n).await;
        assert_eq!(a.read(n).await.1, Source::Memcached);
    }
}

#[tokio::test(start_paused = true)]
async fn a_write_of_one_owner_is_one_for_all_who_read_here() {
    let (mem, a) = process();
    let mine = name("k");
    let theirs = mine.of("somebody");
    a.read(&mine).await;
    assert_eq!(
        a.read(&theirs).await,
        one("1", Source::Service),
        "owners share nothing"
    );
    a.write(&mine).await;
    assert!(!mem.has(&mine) && !mem.has(&theirs));
    assert_eq!(a.read(&theirs).await, one("2", Source::Service));
    assert_eq!(a.read(&theirs).await, one("2", Source::Memcached));
}

#[tokio::test(start_paused = true)]
async fn a_peek_fills_nothing_and_believes_no_doubtful_entry() {
    let (mem, a) = process();
    let k = name("k");
    assert!(a.core.peek(&k, "Head").await.is_none());
    assert_eq!(a.read(&k).await.1, Source::Service);
    assert_eq!(a.core.peek(&k, "Head").await.unwrap().body, "1");
    let write = a.core.clone().write(vec![k.clone()], false).await;
    mem.put(
        &k,
        Form::default().encode(&k.key, &entry("1", false), u64::MAX),
    );
    assert!(a.core.peek(&k, "Head").await.is_none());
    write.finish(false, None).await;
    mem.put(
        &k,
        Form::default().encode(&k.key, &entry("1", false), u64::MAX),
    );
    assert!(a.core.peek(&k, "Head").await.is_none());
}
