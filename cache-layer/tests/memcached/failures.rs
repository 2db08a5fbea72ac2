//! Servers that die, freeze and come back.

use std::time::{Duration, Instant};

use cache_layer::memcached::{
    Kind, Leased, Memcached, MemcachedBuilder, OnDead, ServerState, ServerStats, Stored,
};

use crate::server::{Server, patient};

const SOON: Duration = Duration::from_millis(20);

/// Ejects at the first failure, and tries again soon.
fn nervous(servers: &[&Server]) -> MemcachedBuilder {
    let names = servers.iter().map(|server| &server.name);
    let builder = patient().servers(names);
    builder.eject_after(1).retry_interval(SOON, SOON)
}

fn of(cache: &Memcached, server: &Server) -> ServerStats {
    let mut all = cache.stats().into_iter();
    all.find(|stats| stats.server.to_string() == server.name)
        .unwrap()
}

/// A key that belongs to this server.
fn key_of(cache: &Memcached, server: &Server, turn: usize) -> String {
    let keys = (0..).map(|i| format!("key-{i}"));
    let mut keys = keys.filter(|key| cache.shard(key).to_string() == server.name);
    keys.nth(turn).unwrap()
}

/// Asks for things until this holds.
async fn until(cache: &Memcached, what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(120), "{what}");
        for i in 0..20 {
            let _ = cache.get(format!("key-{i}")).await;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

async fn back(cache: &Memcached, server: &Server) {
    let up = || {
        let stats = of(cache, server);
        stats.state == ServerState::Up && stats.owed == Some(0)
    };
    until(cache, "it comes back", up).await;
}

#[tokio::test]
async fn a_dead_servers_keys_miss_until_it_is_back() {
    let (mut dead, alive) = (Server::start(), Server::start());
    let cache = nervous(&[&dead, &alive]).eject_after(3).build().unwrap();
    let (lost, kept) = (key_of(&cache, &dead, 0), key_of(&cache, &alive, 0));
    cache.set(&lost, "1").await.unwrap();
    cache.set(&kept, "2").await.unwrap();
    dead.kill();
    let mut errors = 0;
    while of(&cache, &dead).state != ServerState::Ejected {
        let error = cache.get(&lost).await.unwrap_err();
        assert!(
            matches!(error.kind(), Kind::Connect | Kind::Closed),
            "{error:?}"
        );
        assert_eq!(error.server(), Some(&dead.name[..]));
        errors += 1;
    }
    assert_eq!(errors, 3);
    for _ in 0..100 {
        assert_eq!(cache.get(&lost).await.unwrap(), None);
        assert_eq!(cache.get(&kept).await.unwrap().unwrap().data, "2");
        let both = cache.get_many([&lost, &kept]).await.unwrap();
        assert!(both.errors.is_empty() && both.values[1].is_some());
        assert!(matches!(
            cache.get_lease(&lost).await.unwrap(),
            Leased::Away
        ));
    }
    let error = cache.set(&lost, "new").await.unwrap_err();
    assert_eq!(error.kind(), Kind::Down);
    assert!(error.is_owed() && !error.may_have_been_sent());
    let stats = of(&cache, &dead);
    assert_eq!((stats.ejections, stats.owed), (1, Some(1)));
    assert!(stats.skipped > 300 && stats.errors >= 3);

    dead.start_again();
    back(&cache, &dead).await;
    assert_eq!(of(&cache, &dead).rejoins, 1);
    assert_eq!(cache.get(&lost).await.unwrap(), None);
    cache.set(&lost, "3").await.unwrap();
    assert_eq!(cache.get(&lost).await.unwrap().unwrap().data, "3");
    assert_eq!(of(&cache, &alive).ejections, 0);
}

#[tokio::test]
async fn a_frozen_server_keeps_nobody_and_brings_nothing_back() {
    let frozen = Server::start();
    let limit = Duration::from_millis(300);
    let cache = nervous(&[&frozen]).timeout(limit).build().unwrap();
    let lasting = patient().servers([&frozen.name]).build().unwrap();
    for key in ["set", "deleted", "counted", "kept"] {
        lasting.set(key, "1").await.unwrap();
        assert_eq!(cache.get(key).await.unwrap().unwrap().data, "1");
    }
    frozen.stop();
    // This one is sent, and runs when the server goes on.
    let error = cache.set("set", "2").await.unwrap_err();
    assert_eq!(error.kind(), Kind::Timeout);
    assert!(error.may_have_been_sent() && error.is_owed());
    assert_eq!(of(&cache, &frozen).state, ServerState::Ejected);
    let error = cache.delete("deleted").await.unwrap_err();
    assert!(error.is_owed() && matches!(error.kind(), Kind::Down | Kind::Timeout));
    let error = cache.incr("counted", 1).await.unwrap_err();
    assert!(!error.is_owed(), "a counter is not thrown away");
    for key in ["set", "deleted", "counted", "kept"] {
        assert_eq!(cache.get(key).await.unwrap(), None);
    }
    frozen.go_on();
    let (mut kept, begun) = (false, Instant::now());
    while !kept || of(&cache, &frozen).owed != Some(0) {
        assert!(begun.elapsed() < Duration::from_secs(120));
        for key in ["set", "deleted"] {
            if let Ok(value) = cache.get(key).await {
                assert_eq!(value, None, "{key} is from before, or was never answered");
            }
        }
        // What nobody changed is there again.
        kept |= cache.get("kept").await.is_ok_and(|value| value.is_some());
        tokio::task::yield_now().await;
    }
    assert_eq!(lasting.get("set").await.unwrap(), None);
    assert_eq!(lasting.get("deleted").await.unwrap(), None);
    assert_eq!(lasting.get("counted").await.unwrap().unwrap().data, "1");
}

#[tokio::test]
async fn an_answer_that_comes_late_reaches_nobody() {
    let server = Server::start();
    let limit = Duration::from_millis(50);
    let builder = patient().servers([&server.name]).timeout(limit);
    let hasty = builder
        .eject_after(u32::MAX)
        .connections(1)
        .build()
        .unwrap();
    let steady = patient().servers([&server.name]).build().unwrap();
    let keys: Vec<_> = (0..200).map(|i| format!("k{i}")).collect();
    for key in &keys {
        steady.set(key, key.clone()).await.unwrap();
    }
    let mut late = 0;
    for round in 0..3 {
        let _ = hasty.get("k0").await;
        server.stop();
        let asked: Vec<_> = keys
            .iter()
            .map(|key| tokio::spawn(hasty.get(key).send()))
            .collect();
        for (key, asked) in keys.iter().zip(asked) {
            match asked.await.unwrap() {
                Ok(value) => assert_eq!(value.unwrap().data, key.as_bytes()),
                Err(error) => late += usize::from(error.kind() == Kind::Timeout),
            }
        }
        server.go_on();
        let mut right = 0;
        for key in keys.iter().rev().cycle() {
            if let Ok(Some(value)) = hasty.get(key).await {
                assert_eq!(value.data, key.as_bytes(), "round {round}");
                right += 1;
            }
            if right == keys.len() {
                break;
            }
        }
    }
    assert!(late > 0);
}

#[tokio::test]
async fn by_choice_keys_move_to_the_next_server_and_leave_nothing_behind() {
    let (mut home, other) = (Server::start(), Server::start());
    let cache = nervous(&[&home, &other])
        .on_dead(OnDead::Next)
        .build()
        .unwrap();
    let key = key_of(&cache, &home, 0);
    let deleted = key_of(&cache, &home, 1);
    cache.set(&key, "1").await.unwrap();
    home.kill();
    cache.get(&key).await.unwrap_err();
    assert_eq!(cache.get(&key).await.unwrap(), None);
    assert_eq!(cache.set(&key, "2").await.unwrap(), Stored::Stored);
    assert_eq!(cache.get(&key).await.unwrap().unwrap().data, "2");
    assert!(!cache.delete(&deleted).await.unwrap());
    assert_eq!(
        other.raw(&format!("get {key}\r\n")),
        format!("VALUE {key} 0 1")
    );
    assert_eq!(cache.shard(&key).to_string(), home.name);
    let found = cache.get_many([&key, &deleted]).await.unwrap();
    assert!(found.values[0].is_some() && found.values[1].is_none());

    home.start_again();
    // Somebody who never saw it die.
    assert_eq!(home.raw(&format!("set {key} 0 0 1\r\n3\r\n")), "STORED");
    assert_eq!(home.raw(&format!("set {deleted} 0 0 1\r\n3\r\n")), "STORED");
    back(&cache, &home).await;
    for server in [&home, &other] {
        assert_eq!(server.raw(&format!("get {key}\r\n")), "END");
        assert_eq!(server.raw(&format!("get {deleted}\r\n")), "END");
    }
    assert_eq!(cache.get(&key).await.unwrap(), None);
    cache.set(&key, "4").await.unwrap();
    assert_eq!(
        home.raw(&format!("get {key}\r\n")),
        format!("VALUE {key} 0 1")
    );
}

#[tokio::test]
async fn a_stand_in_takes_only_what_can_be_noted() {
    let (mut home, other) = (Server::start(), Server::start());
    let builder = nervous(&[&home, &other]).on_dead(OnDead::Next).max_owed(2);
    let cache = builder.retry_interval(Duration::from_secs(600), Duration::from_secs(600));
    let cache = cache.build().unwrap();
    let keys: Vec<_> = (0..3).map(|turn| key_of(&cache, &home, turn)).collect();
    home.kill();
    cache.get(&keys[0]).await.unwrap_err();
    cache.set(&keys[0], "1").await.unwrap();
    cache.set(&keys[1], "1").await.unwrap();
    let error = cache.set(&keys[2], "1").await.unwrap_err();
    assert!(error.is_owed() && error.kind() == Kind::Down, "{error:?}");
    assert_eq!(other.raw(&format!("get {}\r\n", keys[2])), "END");
    // A counter that would be made there, neither; one that is not made leaves nothing behind.
    let error = cache.incr(&keys[2], 1).initial(5, None).await.unwrap_err();
    assert!(error.is_owed() && error.kind() == Kind::Down, "{error:?}");
    assert_eq!(cache.incr(&keys[2], 1).await.unwrap(), None);
    assert_eq!(other.raw(&format!("get {}\r\n", keys[2])), "END");
    assert!(matches!(
        cache.get_lease(&keys[2]).await.unwrap(),
        Leased::Away
    ));
    assert_eq!(cache.get(&keys[1]).await.unwrap().unwrap().data, "1");
    assert_eq!(of(&cache, &home).owed, None);
}

#[tokio::test]
async fn a_server_that_missed_too_much_is_emptied() {
    let frozen = Server::start();
    let limit = Duration::from_millis(300);
    let cache = nervous(&[&frozen])
        .timeout(limit)
        .max_owed(2)
        .build()
        .unwrap();
    let lasting = patient().servers([&frozen.name]).build().unwrap();
    lasting.set("other", "1").await.unwrap();
    cache.get("other").await.unwrap().unwrap();
    frozen.stop();
    for i in 0..4 {
        assert!(cache.delete(format!("k{i}")).await.unwrap_err().is_owed());
    }
    assert_eq!(of(&cache, &frozen).owed, None);
    frozen.go_on();
    back(&cache, &frozen).await;
    assert_eq!(lasting.get("other").await.unwrap(), None);
    // A flush that did not reach a server is made good in the same way.
    lasting.set("other", "1").await.unwrap();
    frozen.stop();
    assert!(cache.flush().await.unwrap_err().is_owed());
    frozen.go_on();
    back(&cache, &frozen).await;
    assert_eq!(lasting.get("other").await.unwrap(), None);
}

#[tokio::test]
async fn one_probe_at_a_time_looks_whether_it_is_back() {
    let mut server = Server::start();
    let long = Duration::from_secs(600);
    let builder = nervous(&[&server]).retry_interval(long, long);
    let cache = builder.build().unwrap();
    cache.set("a", "1").await.unwrap();
    server.kill();
    cache.get("a").await.unwrap_err();
    let failed = of(&cache, &server).pool.open_failed;
    server.start_again();
    for _ in 0..1000 {
        assert_eq!(cache.get("a").await.unwrap(), None);
    }
    let stats = of(&cache, &server);
    assert_eq!((stats.skipped, stats.pool.open_failed), (1000, failed));
    assert_eq!(
        stats.state,
        ServerState::Ejected,
        "it is left alone for the pause"
    );

    // Thousands of callers, and at most one probe at a time.
    let hung = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let name = hung.local_addr().unwrap().to_string();
    let builder = patient().servers([&name]).eject_after(1);
    let builder = builder.timeout(Duration::from_millis(100));
    let cache = builder
        .retry_interval(Duration::ZERO, Duration::ZERO)
        .build()
        .unwrap();
    let mut opened = Vec::new();
    for _ in 0..5 {
        let before = cache.stats()[0].commands;
        let asked: Vec<_> = (0..1000)
            .map(|_| tokio::spawn(cache.get("a").send()))
            .collect();
        for asked in asked {
            let _ = asked.await.unwrap();
        }
        opened.push(cache.stats()[0].commands - before);
    }
    assert!(opened[1..].iter().all(|n| *n < 1000 / 10), "{opened:?}");
}

#[tokio::test]
async fn nothing_is_lost_between_runtimes() {
    let server = Server::start();
    let cache = nervous(&[&server]).build().unwrap();
    let (name, inner) = (server.name.clone(), cache.clone());
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = { runtime }.enable_all().build().unwrap();
        runtime.block_on(async { inner.set("a", "1").await.unwrap() });
    })
    .join()
    .unwrap();
    assert_eq!(cache.get("a").await.unwrap().unwrap().data, "1");
    assert_eq!(cache.servers()[0].to_string(), name);
    cache.clone().close(Duration::from_secs(30)).await;
    let error = cache.get("a").await.unwrap_err();
    assert_eq!(error.kind(), Kind::Shutdown);
}

/// What a task does next; from a generator with a fixed seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }
}

/// Sets, deletes and reads keys of its own; says what it read that was not what it set last.
async fn work(cache: Memcached, task: u64, rounds: u64) -> Vec<String> {
    let mut dice = Dice(task * 7919 + 17);
    let mut last = vec![None; 4];
    let mut wrong = Vec::new();
    for round in 0..rounds {
        let index = dice.roll(4) as usize;
        let key = format!("task-{task}-{index}");
        match dice.roll(4) {
            0 => {
                let value = format!("{task} {index} {round}");
                last[index] = Some(value.clone());
                let _ = cache.set(&key, value).await;
            }
            1 => {
                last[index] = None;
                let _ = cache.delete(&key).await;
            }
            _ => {
                let got = match dice.roll(2) {
                    0 => cache.get(&key).await.ok().flatten(),
                    _ => cache.get_many([&key]).await.unwrap().values.remove(0),
                };
                let want = last[index].as_deref();
                if let Some(got) = got
                    && Some(&got.data[..]) != want.map(str::as_bytes)
                {
                    wrong.push(format!("{key}: {got:?} {:?} for {want:?}", got.data));
                }
            }
        }
        tokio::task::yield_now().await;
    }
    wrong
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_dies_a_client_reads_what_it_wrote_last_or_nothing() {
    for on_dead in [OnDead::Miss, OnDead::Next] {
        // One thread each: what was sent first is run first.
        let mut servers: Vec<_> = (0..3).map(|_| Server::with(&["-t", "1"])).collect();
        let cache = nervous(&[&servers[0], &servers[1], &servers[2]])
            .timeout(Duration::from_millis(100))
            .on_dead(on_dead)
            .build()
            .unwrap();
        let work: Vec<_> = (0..6)
            .map(|task| tokio::spawn(work(cache.clone(), task, 4000)))
            .collect();
        let mut dice = Dice(4711);
        while work.iter().any(|task| !task.is_finished()) {
            let server = &mut servers[dice.roll(3) as usize];
            let pause = Duration::from_millis(20 + dice.roll(200));
            if dice.roll(2) == 0 {
                server.stop();
                tokio::time::sleep(pause).await;
                server.go_on();
            } else {
                server.kill();
                tokio::time::sleep(pause).await;
                server.start_again();
            }
            tokio::time::sleep(pause).await;
        }
        for task in work {
            assert_eq!(task.await.unwrap(), [""; 0], "{on_dead:?}");
        }
        let stats = cache.stats();
        let ejections: u64 = stats.iter().map(|server| server.ejections).sum();
        let hits: u64 = stats.iter().map(|server| server.hits).sum();
        assert!(
            ejections > 0 && hits > 100,
            "{ejections} ejections, {hits} hits"
        );
    }
}
