//! Clients that nobody here wrote, on the same servers.

use std::path::Path;
use std::process::Command;

use cache_layer::{Mode, Server as Address};

use crate::server::{Server, client, patient};

#[tokio::test]
async fn another_client_finds_and_deletes_entries_on_their_shard() {
    let servers: Vec<_> = (0..3).map(|_| Server::start()).collect();
    let cache = client(&[&servers[0], &servers[1], &servers[2]]);
    let others: Vec<_> = servers
        .iter()
        .map(|server| {
            let url = format!("memcache://{}?protocol=ascii&timeout=30", server.name);
            memcache::connect(url).unwrap()
        })
        .collect();
    for i in 0..60 {
        let key = format!("bucket/object-{i}");
        cache.set(&key, format!("value {i}")).await.unwrap();
        let shard = cache.shard(&key).to_string();
        for (server, other) in servers.iter().zip(&others) {
            let seen: Option<String> = other.get(&key).unwrap();
            let want = (server.name == shard).then(|| format!("value {i}"));
            assert_eq!(seen, want, "{key}");
        }
        let mine = servers
            .iter()
            .position(|server| server.name == shard)
            .unwrap();
        if i % 2 == 0 {
            assert!(others[mine].delete(&key).unwrap());
            assert_eq!(cache.get(&key).await.unwrap(), None);
        } else {
            others[mine].set(&key, "theirs", 60).unwrap();
            assert_eq!(cache.get(&key).await.unwrap().unwrap().data, "theirs");
        }
    }
}

/// Prints where libmemcached puts each key that it reads, by the position of the server.
const PROGRAM: &str = r#"
#include <libmemcached/memcached.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int argc, char **argv) {
    memcached_st *m = memcached_create(NULL);
    memcached_behavior_set(m, MEMCACHED_BEHAVIOR_DISTRIBUTION,
        strcmp(argv[1], "spy") ? MEMCACHED_DISTRIBUTION_CONSISTENT_WEIGHTED
                               : MEMCACHED_DISTRIBUTION_CONSISTENT_KETAMA_SPY);
    if (strcmp(argv[1], "spy"))
        memcached_behavior_set(m, MEMCACHED_BEHAVIOR_KETAMA_WEIGHTED, 1);
    for (int i = 2; i + 2 < argc; i += 3) {
        int port = atoi(argv[i + 1]), weight = atoi(argv[i + 2]);
        memcached_return_t rc = port
            ? memcached_server_add_with_weight(m, argv[i], port, weight)
            : memcached_server_add_unix_socket_with_weight(m, argv[i], weight);
        if (rc != MEMCACHED_SUCCESS) return 1;
    }
    char key[300];
    while (fgets(key, sizeof key, stdin)) {
        size_t len = strcspn(key, "\n");
        printf("%u\n", memcached_generate_hash(m, key, len));
    }
    return 0;
}
"#;

#[test]
fn libmemcached_puts_keys_on_the_same_servers() {
    let header = Path::new("/usr/include/libmemcached/memcached.h");
    assert!(
        header.exists(),
        "libmemcached is missing: ./test.sh installs it (Debian: apt-get install libmemcached-dev)"
    );
    let dir = tempfile::tempdir().unwrap();
    let (source, program) = (dir.path().join("where.c"), dir.path().join("where"));
    std::fs::write(&source, PROGRAM).unwrap();
    let built = Command::new("cc")
        .arg(&source)
        .arg("-o")
        .arg(&program)
        .arg("-lmemcached")
        .output();
    let built = built.expect("a C compiler: ./test.sh installs one");
    assert!(
        built.status.success(),
        "{}",
        String::from_utf8_lossy(&built.stderr)
    );

    let keys: Vec<_> = (0..2000)
        .map(|i| format!("photos/{i}/cat-{}.jpg", i * 7919))
        .collect();
    let input = dir.path().join("keys");
    std::fs::write(&input, keys.join("\n") + "\n").unwrap();
    let lists: [&[&str]; 5] = [
        &["10.0.1.1:11211 1"],
        &["10.0.1.1:11211 1", "10.0.1.2:11211 1", "10.0.1.3:11212 1"],
        &[
            "a.example:11211 600",
            "b.example:11211 300",
            "c.example:22122 77",
            "d:1 1000",
        ],
        &["/tmp/one.sock 1", "/tmp/two.sock 1", "127.0.0.1:11211 1"],
        &["/tmp/one.sock 5", "127.0.0.1:11211 3"],
    ];
    for list in lists {
        for (mode, name) in [(Mode::KetamaWeighted, "weighted"), (Mode::KetamaSpy, "spy")] {
            let servers: Vec<Address> = list.iter().map(|text| text.parse().unwrap()).collect();
            let mut command = Command::new(&program);
            command
                .arg(name)
                .stdin(std::fs::File::open(&input).unwrap());
            for server in &servers {
                command.arg(server.host()).arg(server.port().to_string());
                command.arg(server.weight().to_string());
            }
            let output = command.output().unwrap();
            assert!(output.status.success(), "{list:?}");
            let theirs = String::from_utf8(output.stdout).unwrap();
            let client = patient().mode(mode).servers(list).build().unwrap();
            let mut wrong = 0;
            for (key, index) in keys.iter().zip(theirs.lines()) {
                let theirs = &servers[index.parse::<usize>().unwrap()];
                wrong += usize::from(client.shard(key) != *theirs);
            }
            assert_eq!(
                (wrong, theirs.lines().count()),
                (0, keys.len()),
                "{mode} {list:?}"
            );
        }
    }
}
