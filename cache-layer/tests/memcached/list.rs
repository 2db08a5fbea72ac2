//! The file with the list of servers.

use std::fs;
use std::path::Path;
use std::time::Duration;

use cache_layer::memcached::{Kind, Memcached};

use crate::server::{Server, patient};

fn write(path: &Path, servers: &[(&Server, u32)]) {
    let line = |(server, weight): &(&Server, u32)| format!("{}\t{weight}\n", server.name);
    let text: String = servers.iter().map(line).collect();
    // At once, as one does with a file that is read.
    let next = path.with_extension("next");
    fs::write(&next, format!("# servers\n{text}")).unwrap();
    fs::rename(next, path).unwrap();
}

#[tokio::test]
async fn the_list_is_read_again_when_it_changes() {
    let servers: Vec<_> = (0..3).map(|_| Server::start()).collect();
    let [a, b, c] = &servers[..] else { panic!() };
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ketama.servers");
    write(&path, &[(a, 100), (b, 100)]);
    let builder = patient().servers_file(&path);
    // Only when it is told to.
    let cache = builder
        .reload_interval(Duration::from_secs(3600))
        .build()
        .unwrap();
    let names = || -> Vec<_> { cache.servers().iter().map(ToString::to_string).collect() };
    assert_eq!(names(), [&a.name[..], &b.name[..]]);
    assert!(!cache.reload().await.unwrap());
    let keys: Vec<_> = (0..300).map(|i| format!("key-{i}")).collect();
    for key in &keys {
        cache.set(key, "1").await.unwrap();
    }
    let commands = cache.stats()[0].commands;

    write(&path, &[(a, 100), (b, 100), (c, 100)]);
    assert!(cache.reload().await.unwrap());
    assert_eq!(names().len(), 3);
    let found = cache.get_many(&keys).await.unwrap();
    let kept = found.values.iter().flatten().count();
    assert!(
        (130..270).contains(&kept),
        "about a third of the keys has moved: {kept}"
    );
    assert!(
        cache.stats()[0].commands > commands,
        "those that stay are the same"
    );

    // What makes no sense changes nothing, and is said.
    for (text, error) in [
        ("", "there are no servers in it"),
        ("127.0.0.1:1\n", "line 1: no weight"),
        (
            "127.0.0.1:1\t1\n127.0.0.1:1\t1\n",
            "line 2: the same server as on line 1",
        ),
    ] {
        fs::write(&path, text).unwrap();
        for _ in 0..2 {
            let failed = cache.reload().await.unwrap_err();
            assert_eq!(failed.kind(), Kind::Config);
            assert!(failed.to_string().contains(error), "{failed}");
        }
        assert!(cache.list_error().unwrap().contains(error));
        assert_eq!(names().len(), 3);
    }
    fs::remove_file(&path).unwrap();
    assert!(cache.reload().await.is_err());
    write(&path, &[(a, 300), (b, 100), (c, 100)]);
    assert!(cache.reload().await.unwrap(), "a weight counts");
    assert_eq!(
        (cache.list_error(), cache.servers()[0].weight()),
        (None, 300)
    );
}

#[tokio::test]
async fn a_server_that_returns_to_the_list_is_emptied_first() {
    let servers: Vec<_> = (0..2).map(|_| Server::start()).collect();
    let [a, b] = &servers[..] else { panic!() };
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ketama.servers");
    write(&path, &[(a, 1), (b, 1)]);
    let builder = patient()
        .servers_file(&path)
        .retry_interval(Duration::ZERO, Duration::ZERO);
    let cache = builder
        .reload_interval(Duration::from_secs(3600))
        .build()
        .unwrap();
    let keys = (0..).map(|i| format!("key-{i}"));
    let mut keys = keys.filter(|key| cache.shard(key).to_string() == b.name);
    let key = keys.next().unwrap();
    cache.set(&key, "old").await.unwrap();
    write(&path, &[(a, 1)]);
    assert!(cache.reload().await.unwrap());
    cache.set(&key, "new").await.unwrap();
    assert_eq!(cache.get(&key).await.unwrap().unwrap().data, "new");
    cache.delete(&key).await.unwrap();
    write(&path, &[(a, 1), (b, 1)]);
    assert!(cache.reload().await.unwrap());
    assert_eq!(cache.shard(&key).to_string(), b.name);
    while cache.stats()[1].owed != Some(0) {
        let got = cache.get(&key).await.unwrap();
        assert_eq!(got, None, "it was deleted meanwhile");
        tokio::task::yield_now().await;
    }
    assert_eq!(cache.get(&key).await.unwrap(), None);
    cache.set(&key, "newest").await.unwrap();
    assert_eq!(cache.get(&key).await.unwrap().unwrap().data, "newest");
}

#[tokio::test]
async fn requests_have_the_list_looked_at() {
    let servers = [Server::start(), Server::start()];
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ketama.servers");
    write(&path, &[(&servers[0], 1)]);
    let builder = patient()
        .servers_file(&path)
        .reload_interval(Duration::ZERO);
    let cache: Memcached = builder.build().unwrap();
    write(&path, &[(&servers[0], 1), (&servers[1], 1)]);
    while cache.servers().len() < 2 {
        cache.get("a").await.unwrap();
    }
}

#[tokio::test]
async fn a_list_can_be_set_and_followed() {
    let servers: Vec<_> = (0..3).map(|_| Server::start()).collect();
    let place = |index: usize| servers[index].name.parse::<cache_layer::Server>().unwrap();
    let names =
        |cache: &Memcached| -> Vec<_> { cache.servers().iter().map(ToString::to_string).collect() };
    let cache = patient().servers([&servers[0].name]).build().unwrap();
    assert!(cache.set_servers([place(0), place(1)]).unwrap());
    assert!(!cache.set_servers([place(0), place(1)]).unwrap());
    assert_eq!(names(&cache), [&*servers[0].name, &*servers[1].name]);
    for wrong in [vec![], vec![place(0), place(0)]] {
        assert_eq!(cache.set_servers(wrong).unwrap_err().kind(), Kind::Config);
    }
    // A list without servers is passed over.
    let lists = [
        vec![place(1)],
        vec![],
        vec![place(1), place(2), place(2)],
        vec![place(1), place(2)],
        vec![],
    ];
    cache.follow(futures_util::stream::iter(lists)).await;
    assert_eq!(names(&cache), [&*servers[1].name, &*servers[2].name]);
    cache.set("a", "1").await.unwrap();
    assert_eq!(cache.get("a").await.unwrap().unwrap().data, "1");

    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ketama.servers");
    write(&path, &[(&servers[0], 1)]);
    let filed = patient().servers_file(&path).build().unwrap();
    let error = filed.set_servers([place(1)]).unwrap_err();
    assert!(error.to_string().contains("file"), "{error}");
}

/// As on a network drive that is lost: whoever reads the file waits for ever.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_list_that_cannot_be_read_to_its_end_holds_no_request_up() {
    let server = Server::start();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ketama.servers");
    write(&path, &[(&server, 100)]);
    let builder = patient().servers_file(&path);
    let cache = builder.reload_interval(Duration::ZERO).build().unwrap();
    cache.set("a", "1").await.unwrap();
    let pipe = dir.path().join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.unwrap().success());
    fs::remove_file(&path).unwrap();
    fs::hard_link(&pipe, &path).unwrap();
    let asked = tokio::spawn(async move {
        for _ in 0..2000 {
            assert_eq!(cache.get("a").await.unwrap().unwrap().data, "1");
        }
    });
    let outcome = tokio::time::timeout(Duration::from_secs(60), asked).await;
    let threads = fs::read_dir("/proc/self/task").unwrap().count();
    // Whoever reads it goes on, so that the test can end.
    write(&path, &[(&server, 100)]);
    let both = fs::OpenOptions::new().read(true).write(true).open(&pipe);
    drop(both.unwrap());
    outcome.expect("requests wait for the file").unwrap();
    assert!(threads < 100, "{threads} threads wait for the file");
}
