//! Keys of every kind.

use cache_layer::memcached::{Dialect, Key, Kind, Memcached};

use crate::server::{Server, client, patient};

fn keys() -> Vec<Key> {
    let mut keys: Vec<Key> = [
        "a",
        "",
        " ",
        "a b",
        "\r\n",
        "a\r\nflush_all",
        "\u{0}",
        "日本",
    ]
    .map(Key::from)
    .into();
    keys.extend(["=b:", "=b:YSBi", "=h:x", "=p:x", "=b"].map(Key::from));
    for len in [185, 186, 187, 188, 249, 250, 251, 100_000] {
        keys.push("k".repeat(len).into());
        keys.push(" ".repeat(len).into());
    }
    keys.push(vec![0xff; 250].into());
    keys.push((0..=255).collect::<Vec<u8>>().into());
    keys
}

#[tokio::test]
async fn any_key_has_an_entry_of_its_own() {
    let server = Server::start();
    let meta = client(&[&server]);
    let builder = patient().servers([&server.name]);
    let classic = builder.clone().dialect(Dialect::Classic).build().unwrap();
    let binary = builder
        .dialect(Dialect::Meta)
        .binary_keys(true)
        .build()
        .unwrap();
    for (writer, reader) in [(&meta, &classic), (&classic, &meta), (&binary, &binary)] {
        writer.flush().await.unwrap();
        for (i, key) in keys().iter().enumerate() {
            writer.set(key, i.to_string()).await.unwrap();
        }
        let all = reader.get_many(keys()).await.unwrap();
        assert!(all.errors.is_empty());
        for (i, key) in keys().iter().enumerate() {
            let value = reader.get(key).await.unwrap().unwrap();
            assert_eq!(value.data, i.to_string(), "{key:?}");
            assert_eq!(all.values[i].as_ref(), Some(&value), "{key:?}");
            assert_eq!(writer.incr(key, 1).await.unwrap(), Some(i as u64 + 1));
            assert!(reader.delete(key).await.unwrap());
        }
        assert_eq!(reader.stats()[0].ejections, 0);
    }
}

#[tokio::test]
async fn ordinary_keys_are_where_other_clients_look() {
    let server = Server::start();
    let cache = client(&[&server]);
    cache.set("photos/cat.jpg", "meow").await.unwrap();
    assert_eq!(
        server.raw("get photos/cat.jpg\r\n"),
        "VALUE photos/cat.jpg 0 4"
    );
    cache.set("a b", "x").await.unwrap();
    assert_eq!(server.raw("get =b:YSBi\r\n"), "VALUE =b:YSBi 0 1");
    assert_eq!(server.raw("set other 5 0 2\r\nhi\r\n"), "STORED");
    let value = cache.get("other").await.unwrap().unwrap();
    assert_eq!((value.flags, &value.data[..]), (5, &b"hi"[..]));
    // With the `b` flag the server has the bytes themselves.
    let builder = patient().servers([&server.name]).dialect(Dialect::Meta);
    let binary = builder.binary_keys(true).build().unwrap();
    binary.set("c d", "x").await.unwrap();
    assert_eq!(server.raw("mg YyBk b v k\r\n"), "VA 1 kYyBk b");
}

#[tokio::test]
async fn settings_that_make_no_sense_are_named() {
    for (builder, text) in [
        (Memcached::builder(), "no servers"),
        (
            Memcached::builder().servers(["a"]),
            "server \"a\": no port, want host:port",
        ),
        (
            Memcached::builder().servers(["a:1", "A:1"]),
            "servers 0 and 1 (from 0) are the same",
        ),
        (
            Memcached::builder().servers(["a:1"]).binary_keys(true),
            "binary keys need the meta protocol to be set",
        ),
        (
            Memcached::builder()
                .servers(["a:1"])
                .servers_file("/tmp/list"),
            "servers are given, and a file with servers too",
        ),
        (
            Memcached::builder().servers_file("/no/such/file"),
            "/no/such/file: No such file",
        ),
        (
            Memcached::builder().servers(["a:1"]).login("me", "a\r\nb"),
            "the login's name or password",
        ),
    ] {
        let error = builder.build().unwrap_err();
        assert_eq!(error.kind(), Kind::Config);
        assert!(error.to_string().contains(text), "{error}");
    }
    let builder = Memcached::builder().servers(["a:1"]).login("me", "hidden");
    assert!(!format!("{builder:?} {:?}", builder.clone().build()).contains("hidden"));
}
