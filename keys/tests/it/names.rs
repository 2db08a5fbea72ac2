//! Names in order and at their limit, and names that are not of this crate.

use std::fmt::Debug;

use keys::{Kind as ErrorKind, Result};

use crate::stores::{ALL, Fixture, Kind};

#[tokio::test]
async fn buckets_are_in_the_order_of_all_keys() {
    for kind in ALL {
        let fixture = Fixture::start(kind).await;
        let keys = &fixture.keys;
        for bucket in ["a", "a-b", "a.b", "a b", "a0", "a~", "A", "", "a/", "%"] {
            keys.put(bucket, "k", "v").await.unwrap();
            keys.put(bucket, "l", "v").await.unwrap();
        }
        let all = keys.all_keys().try_collect_all().await.unwrap();
        let mut expected: Vec<_> = all.into_iter().map(|key| key.bucket).collect();
        expected.dedup();
        let buckets = keys.buckets().try_collect_all().await.unwrap();
        assert_eq!(buckets, expected, "{kind:?}");
        fixture.end().await;
    }
}

fn is_too_long<T: Debug>(kind: Kind, result: Result<T>) {
    let error = result.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid, "{kind:?}: {error}");
    let said = error.to_string();
    assert!(said.contains("1025") && said.contains("1024"), "{said}");
}

#[tokio::test]
async fn names_that_are_too_long_are_told_before_anything_is_sent() {
    for kind in ALL {
        let fixture = Fixture::start(kind).await;
        let keys = &fixture.keys;
        let tag = keys.put("b", "k", "v").await.unwrap();
        let requests = || fixture.emulator.as_ref().map(|e| e.stats().requests);

        // "one/", 1,018 letters, "/" and one letter are 1,024 bytes.
        let most = "b".repeat(1018);
        keys.put(&most, "k", "v").await.unwrap();
        let found = keys.keys(&most).try_collect_all().await.unwrap();
        assert_eq!(found.len(), 1, "{kind:?}");
        assert_eq!(keys.buckets().try_collect_all().await.unwrap().len(), 2);

        let before = requests();
        let bucket = "b".repeat(1019);
        is_too_long(kind, keys.put(&bucket, "k", "v").await);
        is_too_long(kind, keys.put_new(&bucket, "k", "v").await);
        is_too_long(kind, keys.replace(&bucket, "k", "v", &tag).await);
        is_too_long(kind, keys.get(&bucket, "k").await);
        is_too_long(kind, keys.delete(&bucket, "k").await);
        is_too_long(kind, keys.keys(&bucket).try_next().await);
        is_too_long(kind, keys.values(&bucket).try_next().await);
        // The slashes, a bucket and a key take four bytes.
        let long = keys.partition("p".repeat(1021));
        is_too_long(kind, long.buckets().try_next().await);
        is_too_long(kind, long.all_keys().try_next().await);
        is_too_long(kind, long.all_values().try_next().await);
        is_too_long(kind, long.is_empty().await);
        is_too_long(kind, long.status().await);
        is_too_long(kind, long.clear().await);
        assert_eq!(requests(), before, "{kind:?}");
        let most = keys.partition("p".repeat(1020));
        most.put("b", "k", "v").await.unwrap();
        assert_eq!(most.status().await.unwrap().keys, 1, "{kind:?}");
        most.clear().await.unwrap();
        fixture.end().await;
    }
}

#[tokio::test]
async fn objects_that_are_foreign_are_told_by_name() {
    let fixture = Fixture::start(Kind::S3).await;
    let (keys, bucket) = (&fixture.keys, fixture.bucket.as_ref().unwrap());
    let names = [
        "one/",
        "one/x",
        "one//k",
        "one/%zz/k",
        "one/a%2fb/k",
        "one/\u{e9}/k",
        "one/%/",
        "one/a/b/c",
        "one/a/.",
    ];
    for name in names {
        bucket.put(name, "x").await.unwrap();
        for error in [
            keys.all_keys().try_collect_all().await.unwrap_err(),
            keys.all_values().try_collect_all().await.unwrap_err(),
            keys.status().await.unwrap_err(),
        ] {
            assert_eq!(error.kind(), ErrorKind::Protocol, "{name}: {error}");
            assert!(error.to_string().contains(name), "{name}: {error}");
        }
        // A list of buckets may pass over it, or tell it.
        drop(keys.buckets().try_collect_all().await);
        assert!(!keys.is_empty().await.unwrap(), "{name}");
        keys.clear().await.unwrap();
        assert!(keys.is_empty().await.unwrap(), "{name}");
    }
    fixture.end().await;
}
