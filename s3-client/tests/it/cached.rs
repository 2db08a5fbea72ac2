//! Objects read through a cache, on a real memcached.

#![allow(
    clippy::unwrap_used,
    reason = "this is test code outside of a test function"
)]

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use emulator::Emulator;
use s3_client::answer::Fetched;
use s3_client::cache_layer::Cache;
use s3_client::config::Tagging;
use s3_client::request::CacheMode;
use s3_client::settings::KeyVisibility;
use s3_client::{Bucket, Credentials, Kind, S3Client, Signature};

use crate::memcached::Server;
use crate::store::Store;

/// A client with a cache, and how many requests it has sent.
pub(crate) struct Cached {
    pub(crate) cache: Cache,
    pub(crate) bucket: Bucket,
    sent: Arc<AtomicUsize>,
}

impl Cached {
    pub(crate) fn new(store: &Store, cache: Cache, bucket: &Bucket) -> Self {
        let sent = Arc::new(AtomicUsize::new(0));
        let count = sent.clone();
        let client = store
            .builder()
            .cache(cache.clone())
            .on_attempt(move |_| {
                count.fetch_add(1, SeqCst);
            })
            .build()
            .unwrap();
        Self {
            cache,
            bucket: client.bucket(bucket.name()),
            sent,
        }
    }

    /// Requests since this was asked last.
    pub(crate) fn sent(&self) -> usize {
        self.sent.swap(0, SeqCst)
    }

    pub(crate) async fn body(&self, key: &str) -> Bytes {
        let object = self.bucket.get(key).await.unwrap();
        object.body.bytes(1 << 22).await.unwrap()
    }
}

pub(crate) async fn start() -> (Store, Server, Bucket) {
    let store = Store::start().await;
    let bucket = store.bucket().await;
    (store, Server::start(), bucket)
}

#[tokio::test]
async fn a_body_that_came_through_the_cache_names_its_key_where_keys_are_shown() {
    let (store, server) = (Store::emulator().await, Server::start());
    let bucket = store.bucket().await;
    bucket.put("k", "x".repeat(20)).await.unwrap();
    for (keys, named) in [
        (KeyVisibility::Errors, Some("k")),
        (KeyVisibility::Hidden, None),
    ] {
        let cache = server.cache().build().unwrap();
        let client = store.builder().cache(cache).show_keys(keys);
        let cached = client.build().unwrap().bucket(bucket.name());
        // The store answers first, and the cache then.
        for _ in 0..2 {
            let object = cached.get("k").await.unwrap();
            let error = object.body.bytes(10).await.unwrap_err();
            assert_eq!((error.kind(), error.key()), (Kind::Protocol, named));
        }
    }
}

#[tokio::test]
async fn what_was_read_once_is_answered_without_a_request() {
    let (store, server, bucket) = start().await;
    let a = Cached::new(&store, server.cache().build().unwrap(), &bucket);
    let b = Cached::new(&store, server.cache().build().unwrap(), &bucket);
    for key in ["plain", "with blanks & \u{fc}", &"long/".repeat(150)] {
        let put = bucket.put(key, "0123456789").content_type("text/x");
        put.metadata("author", "me").await.unwrap();
        assert_eq!(a.body(key).await, "0123456789");
        assert_eq!(a.sent(), 1);
        // What the other process gets from the cache is what the store says.
        let (kept, told) = (
            b.bucket.get(key).await.unwrap(),
            bucket.get(key).await.unwrap(),
        );
        assert_eq!(b.sent(), 0, "{key}");
        for (kept, told) in [
            (kept.head.etag(), told.head.etag()),
            (kept.head.content_type(), told.head.content_type()),
            (kept.head.metadata("author"), told.head.metadata("author")),
        ] {
            assert!(told.is_some());
            assert_eq!(kept, told);
        }
        assert_eq!(kept.head.size(), told.head.size());
        assert_eq!(kept.head.last_modified(), told.head.last_modified());
        assert_eq!(kept.body.bytes(100).await.unwrap(), "0123456789");
        bucket.delete(key).await.unwrap();
    }
    let stats = a.cache.stats();
    assert_eq!((stats.misses, stats.fills), (3, 3));
    assert_eq!(b.cache.stats().saved[0].operation, "GetObject");
}

/// What the cache answers says nothing of what the store takes.
#[tokio::test]
async fn an_answer_of_the_cache_is_no_proof_of_a_signature() {
    let (store, server) = (Store::emulator().await, Server::start());
    let bucket = store.bucket().await;
    bucket.put("k", "meow").await.unwrap();
    let read = async |cache: Cache| {
        let client = store.builder().cache(cache).build().unwrap();
        let object = client.bucket(bucket.name()).get("k").await.unwrap();
        assert_eq!(object.body.bytes(9).await.unwrap(), "meow");
        client.signature()
    };
    let by_store = read(server.cache().build().unwrap()).await;
    let requests = store.requests();
    let by_cache = read(server.cache().build().unwrap()).await;
    assert_eq!(store.requests(), requests, "nobody asked the store");
    // With `S3_TEST_REGION` it was said.
    let said = std::env::var("S3_TEST_REGION").is_ok();
    let unknown = if said {
        by_store.clone()
    } else {
        Signature::Auto
    };
    assert_ne!(by_store, Signature::Auto);
    assert_eq!(by_cache, unknown);
}

#[tokio::test]
async fn ranges_conditions_and_heads_are_worked_out_as_the_store_does() {
    let (store, server, bucket) = start().await;
    let a = Cached::new(&store, server.cache().build().unwrap(), &bucket);
    let stored = bucket
        .put("k", "0123456789")
        .content_type("text/x")
        .await
        .unwrap();
    let etag = stored.etag().unwrap().to_owned();
    // Nothing is kept yet: these ask the store, and keep nothing.
    assert_eq!(
        a.bucket
            .get("k")
            .range(2..4)
            .await
            .unwrap()
            .body
            .bytes(9)
            .await
            .unwrap(),
        "23"
    );
    a.bucket.head("k").await.unwrap();
    assert_eq!(a.sent(), 2);
    a.body("k").await;
    a.sent();

    let (kept, told) = (a.bucket.get("k").range(2..4), bucket.get("k").range(2..4));
    let (kept, told) = (kept.await.unwrap(), told.await.unwrap());
    assert_eq!(kept.head.range(), told.head.range());
    assert_eq!(kept.head.size(), told.head.size());
    assert_eq!(kept.body.bytes(9).await.unwrap(), "23");
    assert_eq!(
        a.bucket
            .get("k")
            .last(3)
            .await
            .unwrap()
            .body
            .bytes(9)
            .await
            .unwrap(),
        "789"
    );
    let (kept, told) = (
        a.bucket.head("k").await.unwrap(),
        bucket.head("k").await.unwrap(),
    );
    assert_eq!((kept.etag(), kept.size()), (told.etag(), told.size()));
    let unchanged = a.bucket.get("k").if_none_match(&etag).await.unwrap();
    assert!(unchanged.object().is_none());
    let changed = a.bucket.get("k").if_none_match("\"other\"").await.unwrap();
    assert!(changed.object().is_some());
    let past = SystemTime::now() - Duration::from_secs(3600);
    let changed = a.bucket.get("k").if_modified_since(past).await.unwrap();
    assert!(changed.object().is_some());
    assert!(a.bucket.get("k").if_match(&etag).await.is_ok());
    assert_eq!(a.sent(), 0);

    // What is an error is the store's to say.
    assert!(
        a.bucket
            .get("k")
            .if_match("\"other\"")
            .await
            .unwrap_err()
            .is_condition_failed()
    );
    assert_eq!(
        a.bucket.get("k").range(20..).await.unwrap_err().status(),
        Some(416)
    );
    assert_eq!(a.sent(), 2);
    // And so is what the kept answer does not have.
    a.bucket
        .get("k")
        .response_content_type("text/y")
        .await
        .unwrap();
    a.bucket.get("k").verify(true).await.unwrap();
    a.bucket
        .get("k")
        .header("x-amz-meta-own", "field")
        .await
        .unwrap();
    a.bucket.get("k").cache(CacheMode::Past).await.unwrap();
    assert_eq!(a.sent(), 4);
}

#[tokio::test]
async fn every_way_to_write_is_seen_at_once() {
    let (store, server, bucket) = start().await;
    let a = Cached::new(&store, server.cache().build().unwrap(), &bucket);
    let b = Cached::new(&store, server.cache().build().unwrap(), &bucket);
    let seen = async |wanted: Option<&str>| {
        for reader in [&a, &b] {
            let got = match reader.bucket.get("k").await {
                Ok(object) => Some(object.body.bytes(1 << 23).await.unwrap()),
                Err(error) if error.is_not_found() => None,
                Err(error) => panic!("{error}"),
            };
            assert_eq!(got.as_deref(), wanted.map(str::as_bytes));
        }
    };
    seen(None).await;
    a.bucket.put("k", "one").await.unwrap();
    seen(Some("one")).await;
    a.bucket.delete("k").await.unwrap();
    seen(None).await;
    a.bucket.put("source", "two").await.unwrap();
    a.bucket.copy("source", "k").await.unwrap();
    seen(Some("two")).await;
    let upload = a.bucket.create_multipart("k").await.unwrap();
    let part = upload.part(1, "three").await.unwrap();
    upload.complete([part]).await.unwrap();
    seen(Some("three")).await;
    let tags: Tagging = [("a", "b")].into_iter().collect();
    a.bucket.put_object_tagging("k", tags).await.unwrap();
    assert_eq!(b.bucket.get("k").await.unwrap().head.tag_count(), Some(1));
    a.bucket.delete_many(["k", "source"]).await.unwrap();
    seen(None).await;
    bucket.put("k", "behind its back").await.unwrap();
    // Nobody told the cache; a refresh asks.
    seen(None).await;
    let fresh = a.bucket.get("k").cache(CacheMode::Refresh).await.unwrap();
    assert_eq!(fresh.body.bytes(99).await.unwrap(), "behind its back");
    seen(Some("behind its back")).await;
}

#[tokio::test]
async fn that_there_is_none_is_known_too() {
    let (store, server, bucket) = start().await;
    let a = Cached::new(&store, server.cache().build().unwrap(), &bucket);
    let told = a.bucket.get("none").await.unwrap_err();
    assert_eq!(a.sent(), 1);
    let kept = a.bucket.get("none").await.unwrap_err();
    assert_eq!(a.sent(), 0);
    assert!(kept.is_not_found());
    assert_eq!((kept.code(), kept.status()), (told.code(), told.status()));
    a.bucket.put("none", "now").await.unwrap();
    assert_eq!(a.body("none").await, "now");
    // That there is no bucket is another matter.
    let nowhere = store.client().bucket("no-such-bucket-at-all");
    let b = Cached::new(&store, server.cache().build().unwrap(), &nowhere);
    for _ in 0..2 {
        assert_eq!(
            b.bucket.get("k").await.unwrap_err().code(),
            Some("NoSuchBucket")
        );
    }
    assert_eq!(b.sent(), 2);
}

/// The keys of all entries of a memcached, as `key=NAME` with what else there is to tell of each.
fn keys_in(server: &Server) -> String {
    let mut stream = TcpStream::connect(&server.name).unwrap();
    stream.write_all(b"lru_crawler metadump all\r\n").unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"END\r\n") {
        let mut piece = [0; 4096];
        let read = stream.read(&mut piece).unwrap();
        answer.extend_from_slice(&piece[..read]);
        let text = String::from_utf8_lossy(&answer);
        assert!(read > 0 && text.starts_with("key="), "{text}");
    }
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn one_key_does_not_read_what_only_another_may() {
    let emulator = Emulator::builder()
        .user("AKIDONE", "secret-one")
        .user("AKIDTWO", "secret-two")
        .start()
        .await
        .unwrap();
    let server = Server::start();
    let cache = server.cache().build().unwrap();
    let sent = Arc::new(AtomicUsize::new(0));
    let client = |id: &str, secret: &str, owner: Option<&'static str>| {
        let sent = sent.clone();
        let builder = S3Client::builder()
            .endpoint(emulator.url())
            .credentials(Credentials::new(id, secret))
            .on_attempt(move |_| {
                sent.fetch_add(1, SeqCst);
            })
            .cache(cache.clone());
        let builder = match owner {
            Some(owner) => builder.cache_owner(owner),
            None => builder,
        };
        builder.build().unwrap().bucket("shared")
    };
    let (one, two) = (
        client("AKIDONE", "secret-one", None),
        client("AKIDTWO", "secret-two", None),
    );
    one.create().await.unwrap();
    one.put("k", "1").await.unwrap();
    one.get("k").await.unwrap();
    sent.store(0, SeqCst);
    two.get("k").await.unwrap();
    assert_eq!(sent.load(SeqCst), 1, "the other's entry was used");
    // A wrong secret reads nothing that the right one has read, nor does a wrong access key.
    for (id, secret) in [("AKIDONE", "secret-two"), ("AKIDTHIEF", "secret-one")] {
        let thief = client(id, secret, None);
        sent.store(0, SeqCst);
        assert_eq!(thief.get("k").await.unwrap_err().status(), Some(403));
        assert!(thief.head("k").await.is_err());
        assert_eq!(sent.load(SeqCst), 2, "both asked the store");
    }
    // A write by one is seen by the other.
    one.put("k", "2").await.unwrap();
    let body = two.get("k").await.unwrap().body.bytes(9).await.unwrap();
    assert_eq!(body, "2");
    // By choice they share. What this process has written before it met the owner is not believed, here `k`.
    let (one, two) = (
        client("AKIDONE", "secret-one", Some("team")),
        client("AKIDTWO", "secret-two", Some("team")),
    );
    one.put("l", "3").await.unwrap();
    one.get("l").await.unwrap();
    sent.store(0, SeqCst);
    two.get("l").await.unwrap();
    assert_eq!(sent.load(SeqCst), 0);
    // The keys of users are in no key of memcached, nor in what is shown.
    let shown = format!("{one:?} {cache:?}");
    assert!(!shown.contains("secret-"), "{shown}");
    let keys = keys_in(&server);
    assert!(
        keys.contains("shared/k") || keys.contains("shared%2Fk"),
        "{keys}"
    );
    assert!(
        !keys.contains("AKID") && !keys.contains("secret-"),
        "{keys}"
    );
    emulator.shutdown().await;
}

#[tokio::test]
async fn what_was_put_is_stored_by_choice() {
    let (store, server, bucket) = start().await;
    let cache = server.cache().write_through(true).build().unwrap();
    let a = Cached::new(&store, cache, &bucket);
    let put = a
        .bucket
        .put("k", "0123456789")
        .content_type("text/x")
        .metadata("a", "b");
    put.await.unwrap();
    a.sent();
    let kept = a.bucket.get("k").await.unwrap();
    assert_eq!(a.sent(), 0);
    let told = bucket.get("k").await.unwrap();
    assert_eq!(
        kept.head.etag().map(|t| t.trim_matches('"')),
        told.head.etag().map(|t| t.trim_matches('"'))
    );
    assert_eq!(kept.head.content_type(), told.head.content_type());
    assert_eq!(kept.head.metadata("a"), told.head.metadata("a"));
    assert_eq!(kept.head.size(), told.head.size());
    // A put is not told when its object was modified. So that is not made up, and what depends on it is asked for.
    assert!(kept.head.last_modified().is_none());
    let modified = told.head.last_modified().unwrap();
    assert_eq!(kept.body.bytes(99).await.unwrap(), "0123456789");
    let unchanged = a.bucket.get("k").if_modified_since(modified);
    assert!(matches!(unchanged.await.unwrap(), Fetched::NotModified(_)));
    assert_eq!(a.sent(), 1);
    // Without a media type the store chooses one: that is not known.
    a.bucket.put("l", "x").await.unwrap();
    a.sent();
    a.body("l").await;
    assert_eq!(a.sent(), 1);
}
