//! Every command, over both protocols and every way to a server.

use std::time::Duration;

use cache_layer::memcached::{Dialect, Kind, Memcached, Stored};

use crate::server::{Server, client, patient};

const MINUTE: Duration = Duration::from_secs(60);

/// A client of each protocol, the classic one over a unix socket.
fn both() -> (Vec<Server>, Vec<Memcached>) {
    let servers = vec![Server::start(), Server::unix()];
    let dialects = [Dialect::Meta, Dialect::Classic];
    let clients = servers.iter().zip(dialects);
    let clients = clients.map(|(server, dialect)| {
        let builder = patient().servers([&server.name]).dialect(dialect);
        builder.build().unwrap()
    });
    let clients = clients.collect();
    (servers, clients)
}

#[tokio::test]
async fn values_are_stored_and_read() {
    let (_servers, clients) = both();
    for cache in clients {
        assert_eq!(cache.get("a").await.unwrap(), None);
        assert_eq!(
            cache.set("a", "one").flags(7).ttl(MINUTE).await.unwrap(),
            Stored::Stored
        );
        let value = cache.get("a").await.unwrap().unwrap();
        assert_eq!(
            (&value.data[..], value.flags, value.cas),
            (&b"one"[..], 7, None)
        );
        assert_eq!(cache.add("a", "x").await.unwrap(), Stored::NotStored);
        assert_eq!(cache.replace("b", "x").await.unwrap(), Stored::NotStored);
        assert_eq!(cache.append("b", "x").await.unwrap(), Stored::NotStored);
        assert_eq!(cache.prepend("b", "x").await.unwrap(), Stored::NotStored);
        assert_eq!(cache.replace("a", "two").await.unwrap(), Stored::Stored);
        assert_eq!(cache.append("a", "!").await.unwrap(), Stored::Stored);
        assert_eq!(cache.prepend("a", "<").await.unwrap(), Stored::Stored);
        assert_eq!(cache.get("a").await.unwrap().unwrap().data, "<two!");
        assert_eq!(cache.add("b", "").await.unwrap(), Stored::Stored);
        assert_eq!(cache.get("b").await.unwrap().unwrap().data, "");
        assert!(cache.delete("a").await.unwrap());
        assert!(!cache.delete("a").await.unwrap());
        assert_eq!(cache.get("a").await.unwrap(), None);

        let nasty: Vec<u8> = (0..=255)
            .chain(*b"\r\nEND\r\nHD\r\nVALUE a 0 1\r\n")
            .collect();
        cache.set("bytes", nasty.clone()).await.unwrap();
        assert_eq!(cache.get("bytes").await.unwrap().unwrap().data, nasty);
    }
}

#[tokio::test]
async fn a_value_that_was_changed_is_not_replaced() {
    let (_servers, clients) = both();
    for cache in clients {
        assert_eq!(cache.cas("a", "x", 1).await.unwrap(), Stored::NotFound);
        cache.set("a", "1").await.unwrap();
        let cas = cache.gets("a").await.unwrap().unwrap().cas.unwrap();
        assert_eq!(cache.cas("a", "2", cas).await.unwrap(), Stored::Stored);
        assert_eq!(cache.cas("a", "3", cas).await.unwrap(), Stored::Exists);
        assert_eq!(cache.get("a").await.unwrap().unwrap().data, "2");
        let all = cache.get_many(["a"]).with_cas().await.unwrap();
        assert_ne!(all.values[0].as_ref().unwrap().cas.unwrap(), cas);
    }
}

#[tokio::test]
async fn entries_live_as_long_as_they_are_told() {
    let (servers, clients) = both();
    for cache in &clients {
        cache.set("a", "1").ttl(Duration::ZERO).await.unwrap();
        assert_eq!(cache.get("a").await.unwrap(), None, "it was over at once");
        cache.set("b", "1").ttl(MINUTE).await.unwrap();
        assert!(cache.touch("b", 40 * 24 * 60 * MINUTE).await.unwrap());
        assert!(cache.get("b").touch(2 * MINUTE).await.unwrap().is_some());
        assert!(
            cache
                .gets("b")
                .touch(2 * MINUTE)
                .await
                .unwrap()
                .unwrap()
                .cas
                .is_some()
        );
        assert!(cache.get("b").await.unwrap().is_some());
        assert!(!cache.touch("none", MINUTE).await.unwrap());
        assert!(cache.touch("b", Duration::ZERO).await.unwrap());
        assert_eq!(cache.get("b").await.unwrap(), None);
    }
    let cache = client(&[&servers[0]]);
    cache
        .set("a", "1")
        .ttl(40 * 24 * 60 * MINUTE)
        .await
        .unwrap();
    let seen = cache.inspect("a").await.unwrap().unwrap();
    let left = seen.iter().find(|(name, _)| name == "exp").unwrap();
    // memcached has had the sign of it wrong.
    let left: u64 = left.1.trim_start_matches('-').parse().unwrap();
    assert!((39 * 86_400..=40 * 86_400 + 60).contains(&left), "{left}");
}

#[tokio::test]
async fn counters_count() {
    let (_servers, clients) = both();
    for cache in clients {
        assert_eq!(cache.incr("n", 1).await.unwrap(), None);
        assert_eq!(
            cache.incr("n", 1).initial(10, Some(MINUTE)).await.unwrap(),
            Some(10)
        );
        assert_eq!(
            cache.incr("n", 5).initial(10, None).await.unwrap(),
            Some(15)
        );
        assert_eq!(cache.decr("n", 6).await.unwrap(), Some(9));
        assert_eq!(cache.decr("n", 100).await.unwrap(), Some(0));
        cache.set("n", u64::MAX.to_string()).await.unwrap();
        assert_eq!(cache.incr("n", 2).await.unwrap(), Some(1));
        cache.set("text", "abc").await.unwrap();
        let error = cache.incr("text", 1).await.unwrap_err();
        assert_eq!(error.kind(), Kind::NotNumber);
        assert_eq!(cache.get("text").await.unwrap().unwrap().data, "abc");
        assert_eq!(
            cache.stats()[0].pool.opened,
            1,
            "the connection is as good as before"
        );
    }
}

#[tokio::test]
async fn many_keys_are_asked_of_all_servers_at_once() {
    let servers: Vec<_> = (0..3).map(|_| Server::start()).collect();
    for dialect in [Dialect::Auto, Dialect::Classic] {
        let names = servers.iter().map(|server| &server.name);
        let cache = patient().servers(names).dialect(dialect).build().unwrap();
        let keys: Vec<_> = (0..500).map(|i| format!("key-{i}")).collect();
        for key in keys.iter().step_by(2) {
            cache.set(key, key.clone()).flags(3).await.unwrap();
        }
        // One twice, and one that cannot be stored as it is.
        let mut asked = keys.clone();
        asked.push("key-0".to_owned());
        asked.push("a key".to_owned());
        cache.set("a key", "blank").await.unwrap();
        let found = cache.get_many(&asked).await.unwrap();
        assert!(found.errors.is_empty());
        assert_eq!(found.values.len(), 502);
        for (i, (key, value)) in keys.iter().zip(&found.values).enumerate() {
            let got = value
                .as_ref()
                .map(|value| (value.data.to_vec(), value.flags));
            assert_eq!(got, (i % 2 == 0).then(|| (key.clone().into_bytes(), 3)));
        }
        assert_eq!(found.values[500].as_ref().unwrap().data, "key-0");
        assert_eq!(found.values[501].as_ref().unwrap().data, "blank");
        let stats = cache.stats();
        assert!(
            stats
                .iter()
                .all(|server| server.hits > 20 && server.misses > 20)
        );
        assert_eq!(stats.iter().map(|server| server.hits).sum::<u64>(), 251);
        assert!(
            cache
                .get_many(Vec::<&str>::new())
                .await
                .unwrap()
                .values
                .is_empty()
        );
        cache.flush().await.unwrap();
    }
}

#[tokio::test]
async fn every_server_is_asked() {
    let servers = [Server::start(), Server::unix()];
    let cache = client(&[&servers[0], &servers[1]]);
    for (server, version) in cache.version().await.unwrap() {
        let version = version.unwrap();
        assert!(version.starts_with("1."), "{server}: {version}");
    }
    let all = cache.server_stats("").await.unwrap();
    assert_eq!(all.len(), 2);
    for (_, stats) in all {
        assert!(
            stats
                .unwrap()
                .iter()
                .any(|(name, value)| name == "pid" && !value.is_empty())
        );
    }
    let (_, settings) = cache.server_stats("settings").await.unwrap().remove(1);
    assert!(
        settings
            .unwrap()
            .iter()
            .any(|(name, _)| name == "item_size_max")
    );
    let error = cache.server_stats("a\r\nflush_all").await.unwrap_err();
    assert_eq!(error.kind(), Kind::Config);
    for i in 0..20 {
        cache.set(format!("k{i}"), "x").await.unwrap();
    }
    cache.flush().await.unwrap();
    let keys: Vec<_> = (0..20).map(|i| format!("k{i}")).collect();
    let found = cache.get_many(&keys).await.unwrap();
    assert_eq!(found.values, vec![None; keys.len()]);
    let version = cache.version().await.unwrap();
    let shown: Vec<_> = version
        .iter()
        .map(|(server, _)| server.to_string())
        .collect();
    assert_eq!(shown, [&servers[0].name[..], &servers[1].name[..]]);
}

#[tokio::test]
async fn values_over_the_limit_are_not_stored_and_leave_nothing_old() {
    for (args, limit) in [(&[][..], 1 << 20), (&["-I", "2m"][..], 2 << 20)] {
        let server = Server::with(args);
        let cache = client(&[&server]);
        cache.set("a", "old").await.unwrap();
        let error = cache.set("a", vec![b'x'; limit]).await.unwrap_err();
        assert_eq!(error.kind(), Kind::TooLarge);
        assert!(error.to_string().contains(&limit.to_string()), "{error}");
        assert_eq!(cache.get("a").await.unwrap(), None, "the old value is gone");
        // What is just below the limit is taken.
        let most = limit - 80 - 1;
        let error = cache.set("a", vec![b'x'; most + 1]).await.unwrap_err();
        assert!(
            error
                .to_string()
                .ends_with(&format!("is over the limit of {most}")),
            "{error}"
        );
        cache.set("a", vec![b'x'; most]).await.unwrap();
        assert_eq!(cache.get("a").await.unwrap().unwrap().data.len(), most);
        assert_eq!(cache.stats()[0].pool.opened, 1);
    }
    // Where the server was not asked, it says so itself.
    let server = Server::with(&["-I", "512k"]);
    let classic = patient().servers([&server.name]).dialect(Dialect::Classic);
    let cache = classic.build().unwrap();
    cache.set("a", "old").await.unwrap();
    let error = cache.set("a", vec![b'x'; 600_000]).await.unwrap_err();
    assert_eq!(error.kind(), Kind::TooLarge);
    assert_eq!(cache.get("a").await.unwrap(), None);
    assert_eq!(cache.stats()[0].pool.opened, 1, "nothing was in doubt");
}

#[tokio::test]
async fn large_values_are_split_by_choice() {
    let servers: Vec<_> = (0..3).map(|_| Server::start()).collect();
    for dialect in [Dialect::Meta, Dialect::Classic] {
        let builder = patient().servers(servers.iter().map(|server| &server.name));
        let cache = builder.dialect(dialect).split(true).build().unwrap();
        let value: Vec<u8> = (0..5_000_000u32).map(|i| (i / 251) as u8).collect();
        cache
            .set("big", value.clone())
            .flags(5)
            .ttl(MINUTE)
            .await
            .unwrap();
        let read = cache.get("big").await.unwrap().unwrap();
        assert_eq!((read.data == value, read.flags), (true, 5));
        let found = cache.get_many(["big", "small"]).await.unwrap();
        assert!(found.values[0].as_ref().unwrap().data == value);
        // As others see it.
        let plain = client(&[&servers[0], &servers[1], &servers[2]]);
        let entry = plain.get("big").await.unwrap().unwrap();
        assert!(
            entry.data.starts_with(b"pieces1 5000000 "),
            "{:?}",
            entry.data
        );
        assert_eq!(entry.flags, 5 | 1 << 31);
        // The most that is read counts for the whole.
        let names = servers.iter().map(|server| &server.name);
        let small = patient().servers(names).dialect(dialect).split(true);
        let small = small.max_read(4_999_999).build().unwrap();
        let error = small.get("big").await.unwrap_err();
        assert_eq!(error.kind(), Kind::Protocol, "{error}");
        // A shorter value takes its place, and a lost piece is a miss.
        cache.set("big", "short").await.unwrap();
        assert_eq!(cache.get("big").await.unwrap().unwrap().data, "short");
        cache.set("big", value).await.unwrap();
        let manifest = plain.get("big").flags_and_data().await;
        cache.flush().await.unwrap();
        plain
            .set("big", manifest.1)
            .flags(manifest.0)
            .await
            .unwrap();
        assert_eq!(cache.get("big").await.unwrap(), None);
        plain
            .set("big", "pieces1 0 0")
            .flags(1 << 31)
            .await
            .unwrap();
        assert_eq!(
            cache.get("big").await.unwrap(),
            None,
            "what makes no sense is a miss"
        );
        let error = cache.set("a", "b").flags(1 << 31).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Config);
    }
}

trait FlagsAndData {
    async fn flags_and_data(self) -> (u32, bytes::Bytes);
}

impl FlagsAndData for cache_layer::memcached::Get {
    async fn flags_and_data(self) -> (u32, bytes::Bytes) {
        let value = self.await.unwrap().unwrap();
        (value.flags, value.data)
    }
}

#[tokio::test]
async fn what_the_classic_protocol_cannot_say_is_unsupported() {
    let (servers, _) = both();
    let builder = patient().servers([&servers[0].name]);
    let cache = builder.dialect(Dialect::Classic).build().unwrap();
    cache.set("a", "1").await.unwrap();
    let kinds = [
        cache.inspect("a").await.map(drop).unwrap_err().kind(),
        cache.get_lease("a").await.map(drop).unwrap_err().kind(),
        cache.delete("a").cas(1).await.map(drop).unwrap_err().kind(),
        cache
            .append("a", "x")
            .cas(1)
            .await
            .map(drop)
            .unwrap_err()
            .kind(),
    ];
    assert_eq!(kinds, [Kind::Unsupported; 4]);
    let value = cache.get("a").await.unwrap().unwrap();
    assert_eq!(value.data, "1", "nothing was done");
    cache.set("b", "1").await.unwrap();
    assert!(cache.delete("b").stale(MINUTE).await.unwrap());
    assert_eq!(cache.get("b").await.unwrap(), None, "it is deleted instead");
    let stats = &cache.stats()[0];
    assert_eq!((stats.pool.opened, stats.ejections), (1, 0));
}
