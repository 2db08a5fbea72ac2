//! The standard test of a backend of Riak, step by step, and what it leaves out.

use emulator::{Emulator, Fault, Rule};
use keys::{Key, Keys, Kind as ErrorKind};
use s3_client::{Credentials, S3Client};

use crate::stores::{ALL, Fixture, Kind};

fn key(bucket: &str, key: &str) -> Key {
    Key {
        bucket: bucket.into(),
        key: key.into(),
    }
}

async fn value(keys: &Keys, bucket: &str, key: &str) -> Option<Vec<u8>> {
    let found = keys.get(bucket, key).await.unwrap();
    found.map(|(value, _)| value.to_vec())
}

async fn buckets(keys: &Keys) -> Vec<Vec<u8>> {
    keys.buckets().try_collect_all().await.unwrap()
}

async fn all_keys(keys: &Keys) -> Vec<Key> {
    keys.all_keys().try_collect_all().await.unwrap()
}

async fn all_values(keys: &Keys) -> Vec<(Key, Vec<u8>)> {
    let found = keys.all_values().try_collect_all().await.unwrap();
    let mut all: Vec<_> = found
        .into_iter()
        .map(|(key, value)| (key, value.to_vec()))
        .collect();
    all.sort();
    all
}

#[tokio::test]
async fn the_standard_test_of_a_backend() {
    for kind in ALL {
        let fixture = Fixture::start(kind).await;
        let keys = &fixture.keys;
        assert!(keys.is_empty().await.unwrap(), "{kind:?}");
        keys.put("b1", "k1", "v1").await.unwrap();
        keys.put("b2", "k2", "v2").await.unwrap();
        assert_eq!(value(keys, "b1", "k1").await.unwrap(), b"v1");
        assert_eq!(value(keys, "b2", "k2").await.unwrap(), b"v2");
        assert_eq!(value(keys, "b1", "k2").await, None);
        assert_eq!(value(keys, "b3", "k1").await, None);

        assert_eq!(buckets(keys).await, [b"b1", b"b2"]);
        assert_eq!(all_keys(keys).await, [key("b1", "k1"), key("b2", "k2")]);
        let one = keys.keys("b1").try_collect_all().await.unwrap();
        assert_eq!(one, [key("b1", "k1")]);
        let none = keys.all_keys().fold(0, |count, _| count).await.unwrap();
        assert_eq!(none, 0);
        let both = keys.all_keys().fold(0, |count, _| count + 1).await.unwrap();
        assert_eq!(both, 2);

        keys.delete("b2", "k2").await.unwrap();
        assert_eq!(value(keys, "b2", "k2").await, None);
        assert_eq!(buckets(keys).await, [b"b1"]);
        assert_eq!(all_keys(keys).await, [key("b1", "k1")]);
        let v1 = (key("b1", "k1"), b"v1".to_vec());
        assert_eq!(all_values(keys).await, std::slice::from_ref(&v1));

        keys.put("b3", "k3", "v3").await.unwrap();
        let v3 = (key("b3", "k3"), b"v3".to_vec());
        assert_eq!(all_values(keys).await, [v1, v3]);
        assert!(!keys.is_empty().await.unwrap());
        let status = keys.status().await.unwrap();
        assert_eq!((status.buckets, status.keys), (2, 2));
        let bytes = matches!(kind, Kind::S3 | Kind::S3Cached).then_some(4);
        assert_eq!(status.bytes, bytes, "{kind:?}");

        keys.delete("b1", "k1").await.unwrap();
        keys.delete("b3", "k3").await.unwrap();
        // What is not there is no error.
        keys.delete("b3", "k3").await.unwrap();
        assert!(keys.is_empty().await.unwrap());
        assert_eq!(keys.status().await.unwrap().keys, 0);
        fixture.end().await;
    }
}

#[tokio::test]
async fn writes_can_be_held_to_what_was_there() {
    for kind in ALL {
        let fixture = Fixture::start(kind).await;
        let keys = &fixture.keys;
        let first = keys.put_new("b", "k", "1").await.unwrap();
        let again = keys.put_new("b", "k", "2").await.unwrap_err();
        assert!(again.is_condition_failed(), "{kind:?}: {again}");
        assert_eq!(value(keys, "b", "k").await.unwrap(), b"1");
        let (_, tag) = keys.get("b", "k").await.unwrap().unwrap();
        assert_eq!(tag, first);
        if fixture.replaces() {
            let second = keys.replace("b", "k", "3", &first).await.unwrap();
            let late = keys.replace("b", "k", "4", &first).await.unwrap_err();
            assert!(late.is_condition_failed(), "{kind:?}: {late}");
            assert_eq!(value(keys, "b", "k").await.unwrap(), b"3");
            keys.replace("b", "k", "5", &second).await.unwrap();
            keys.delete("b", "k").await.unwrap();
            let gone = keys.replace("b", "k", "6", &second).await.unwrap_err();
            assert!(gone.is_condition_failed(), "{kind:?}: {gone}");
        }
        keys.delete("b", "k").await.unwrap();
        keys.put_new("b", "k", "7").await.unwrap();
        fixture.end().await;
    }
}

#[tokio::test]
async fn partitions_never_see_each_other() {
    for kind in ALL {
        let fixture = Fixture::start(kind).await;
        let names: [&[u8]; 6] = [b"one", b"on", b"one/b", b"", b"%", b"one0"];
        let parts = names.map(|name| fixture.keys.partition(name));
        for (part, name) in parts.iter().zip(names) {
            part.put("b", "k", name.to_vec()).await.unwrap();
            part.put("/", name, "2").await.unwrap();
        }
        for (part, name) in parts.iter().zip(names) {
            assert_eq!(value(part, "b", "k").await.unwrap(), name);
            assert_eq!(buckets(part).await, [&b"/"[..], b"b"], "{kind:?}");
            let found = all_keys(part).await;
            let other = Key {
                bucket: b"/".into(),
                key: name.into(),
            };
            assert_eq!(found, [other, key("b", "k")], "{kind:?}");
            assert_eq!(all_values(part).await.len(), 2, "{kind:?}");
            let status = part.status().await.unwrap();
            assert_eq!((status.buckets, status.keys), (2, 2), "{kind:?}");
            let bytes = matches!(kind, Kind::S3 | Kind::S3Cached).then_some(name.len() as u64 + 1);
            assert_eq!(status.bytes, bytes, "{kind:?}");
        }
        parts[0].clear().await.unwrap();
        assert!(parts[0].is_empty().await.unwrap());
        for part in &parts[1..] {
            assert_eq!(all_keys(part).await.len(), 2, "{kind:?}");
        }
        fixture.end().await;
    }
}

#[tokio::test]
async fn a_bucket_is_no_other_that_begins_alike() {
    for kind in [Kind::S3, Kind::Sdb] {
        let fixture = Fixture::start(kind).await;
        let keys = &fixture.keys;
        let names = ["b", "b0", "b-", "b.", "b/", "ba", "", "%"];
        for name in names {
            keys.put(name, "k", name).await.unwrap();
        }
        for name in names {
            let found = keys.keys(name).try_collect_all().await.unwrap();
            assert_eq!(found, [key(name, "k")], "{kind:?}");
            let found = keys.values(name).try_collect_all().await.unwrap();
            assert_eq!(found, [(key(name, "k"), name.into())], "{kind:?}");
        }
        fixture.end().await;
    }
}

#[tokio::test]
async fn each_write_and_each_look_is_one_request() {
    for kind in [Kind::S3, Kind::Sdb] {
        let fixture = Fixture::start(kind).await;
        let keys = &fixture.keys;
        let Some(emulator) = &fixture.emulator else {
            // A real server does not tell.
            fixture.end().await;
            continue;
        };
        let before = emulator.stats().requests;
        let so_far = |expected: u64| {
            let requests = emulator.stats().requests - before;
            assert_eq!(requests, expected, "{kind:?}");
        };
        assert!(keys.is_empty().await.unwrap());
        so_far(1);
        assert_eq!(value(keys, "b", "k").await, None);
        so_far(2);
        let tag = keys.put_new("b", "k", "1").await.unwrap();
        so_far(3);
        keys.put_new("b", "k", "2").await.unwrap_err();
        so_far(4);
        keys.replace("b", "k", "3", &tag).await.unwrap();
        so_far(5);
        keys.put("b", "k", "4").await.unwrap();
        so_far(6);
        assert_eq!(value(keys, "b", "k").await.unwrap(), b"4");
        so_far(7);
        assert!(!keys.is_empty().await.unwrap());
        so_far(8);
        keys.delete("b", "k").await.unwrap();
        so_far(9);
        fixture.end().await;
    }
}

#[tokio::test]
async fn many_buckets_and_keys_are_listed_page_by_page() {
    for kind in [Kind::S3, Kind::Sdb] {
        let fixture = Fixture::start(kind).await;
        let keys = &fixture.keys;
        // More keys in one bucket than are on a page of the list of buckets, and more buckets, too.
        for i in 0..130 {
            keys.put("many", format!("{i:03}"), "x").await.unwrap();
            keys.put(format!("z{i:03}"), "k", "x").await.unwrap();
        }
        let found = buckets(keys).await;
        assert_eq!(found.len(), 131, "{kind:?}");
        assert!(found.is_sorted() && found[0] == b"many");
        assert_eq!(
            keys.keys("many").try_collect_all().await.unwrap().len(),
            130
        );
        assert_eq!(
            keys.values("many").try_collect_all().await.unwrap().len(),
            130
        );
        assert_eq!(all_keys(keys).await.len(), 260);
        assert_eq!(keys.status().await.unwrap().buckets, 131);
        keys.clear().await.unwrap();
        assert!(keys.is_empty().await.unwrap() && buckets(keys).await.is_empty());
        fixture.end().await;
    }
}

#[tokio::test]
async fn limits_are_told() {
    for kind in ALL {
        let fixture = Fixture::start(kind).await;
        let keys = fixture.keys.clone().max_value(10_000);
        let long = vec![0xff; 10_000];
        keys.put("b", "k", long.clone()).await.unwrap();
        assert_eq!(value(&keys, "b", "k").await.unwrap(), long);
        let error = keys.put("b", "k", vec![0; 10_001]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.to_string().contains("10001"), "{error}");
        let less = keys.clone().max_value(9_999);
        let got = less.get("b", "k").await.unwrap_err();
        let listed = less.values("b").try_next().await.unwrap_err();
        let all = less.all_values().try_next().await.unwrap_err();
        for error in [got, listed, all] {
            assert_eq!(error.kind(), ErrorKind::Protocol, "{kind:?}: {error}");
        }
        let other = less.partition("other").put("b", "k", long).await;
        assert_eq!(other.unwrap_err().kind(), ErrorKind::Invalid);
        let default = fixture.keys.partition("other");
        let error = default.put("b", "k", vec![b'a'; (1 << 20) + 1]).await;
        assert!(error.unwrap_err().to_string().contains("max_value"));
        if kind == Kind::Sdb {
            let most = keys.clone().max_value(1 << 20);
            most.put("b", "k", vec![b'a'; 250_000]).await.unwrap();
            most.put("b", "k", vec![0xff; 190_000]).await.unwrap();
            let error = most.put("b", "k", vec![b'a'; 270_000]).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
        }

        // "one/b/" and 1,018 letters are 1,024 bytes.
        let most = "k".repeat(1018);
        keys.put("b", &most, "v").await.unwrap();
        assert_eq!(value(&keys, "b", &most).await.unwrap(), b"v");
        let more = "k".repeat(1019);
        let error = keys.put("b", &more, "v").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{kind:?}");
        assert!(error.to_string().contains("1025"), "{error}");
        let escaped = "/".repeat(340);
        keys.put("b", &escaped[..339], "v").await.unwrap();
        keys.put("b", &escaped, "v").await.unwrap_err();

        if matches!(kind, Kind::Sdb | Kind::SdbCached) {
            let keys = keys.max_value(1 << 20);
            for (byte, most) in [(b'a', 253 * 1024 - 1), (0xff, (253 * 1024 - 1) / 4 * 3)] {
                keys.put("b", "k", vec![byte; most]).await.unwrap();
                let stored = value(&keys, "b", "k").await.unwrap();
                assert_eq!(stored.len(), most);
                let error = keys.put("b", "k", vec![byte; most + 1]).await.unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Invalid);
                assert!(error.to_string().contains("item of SimpleDB"), "{error}");
            }
        }
        fixture.end().await;
    }
}

#[tokio::test]
async fn a_cache_answers_what_was_read_before() {
    for kind in [Kind::S3Cached, Kind::SdbCached] {
        let mut fixture = Fixture::start(kind).await;
        let keys = &fixture.keys;
        keys.put("b", "k", "1").await.unwrap();
        for _ in 0..3 {
            assert_eq!(value(keys, "b", "k").await.unwrap(), b"1");
        }
        let cache = fixture.cache.as_ref().unwrap();
        assert_eq!(cache.stats().fills, 1, "{kind:?}");
        keys.put("b", "k", "2").await.unwrap();
        assert_eq!(value(keys, "b", "k").await.unwrap(), b"2");
        keys.delete("b", "k").await.unwrap();
        assert_eq!(value(keys, "b", "k").await, None);
        // Without it all goes on.
        keys.put("b", "k", "3").await.unwrap();
        fixture.memcached.as_mut().unwrap().kill();
        assert_eq!(value(&fixture.keys, "b", "k").await.unwrap(), b"3");
        fixture.end().await;
    }
}

#[tokio::test]
async fn a_bucket_that_is_gone_is_no_list_of_nothing() {
    let emulator = Emulator::start_blocking().unwrap();
    let s3 = S3Client::builder()
        .endpoint(emulator.url())
        .credentials(Credentials::new(
            emulator.access_key(),
            emulator.secret_key(),
        ));
    let bucket = s3.build().unwrap().bucket("gone");
    bucket.create().await.unwrap();
    let keys = Keys::s3(bucket, "one");
    keys.put("b", "k", "v").await.unwrap();
    for (status, code, is_error) in [
        (404, "NoSuchKey", false),
        (404, "NoSuchBucket", true),
        (403, "AccessDenied", true),
    ] {
        let rule = Rule::new(Fault::error(status, code)).operation("GetObject");
        emulator.faults().clear();
        emulator.faults().add(rule);
        assert_eq!(keys.get("b", "k").await.is_err(), is_error, "{code}");
        let values = keys.all_values().try_collect_all().await;
        assert_eq!(values.is_err(), is_error, "{code}");
    }
}

#[tokio::test]
async fn nothing_is_found_or_stored_in_a_place_that_is_gone() {
    for kind in [Kind::S3, Kind::Sdb] {
        let fixture = Fixture::start(kind).await;
        let keys = &fixture.keys;
        match (&fixture.bucket, &fixture.domain) {
            (Some(bucket), _) => bucket.delete_bucket().await.map(drop).unwrap(),
            (_, Some(domain)) => domain.delete_domain().await.map(drop).unwrap(),
            _ => unreachable!(),
        }
        let error = keys.get("b", "k").await.unwrap_err();
        assert!(error.is_not_found(), "{kind:?}: {error}");
        keys.put("b", "k", "v").await.unwrap_err();
        keys.put_new("b", "k", "v").await.unwrap_err();
        keys.delete("b", "k").await.unwrap_err();
        keys.buckets().try_next().await.unwrap_err();
        keys.keys("b").try_next().await.unwrap_err();
        keys.all_values().try_next().await.unwrap_err();
        keys.clear().await.unwrap_err();
        keys.is_empty().await.unwrap_err();
        keys.status().await.unwrap_err();
    }
}
