//! Objects.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use futures_util::TryStreamExt as _;
use s3_client::Kind;
use s3_client::answer::{Fetched, HeadFetched};

use crate::store::{Feature, Store};

pub(crate) const NASTY: &[&str] = &[
    "plain",
    "with space",
    "plus+plus",
    "percent%41%",
    "tilde~",
    "{braces}",
    "caf\u{e9}/\u{65e5}\u{672c}\u{8a9e}/\u{1f600}",
    "a//b",
    "trailing/",
    "/leading",
    "question?acl",
    "hash#frag",
    "a&b=c;d,e",
    "quote\"'<>",
    "colon:@$!*()",
    "a\\b|^`[]",
    "dot/./dots",
    "newline\nand\ttab",
    "%2F",
    "..a",
    "x-amz-meta",
    "\u{7f}",
];

#[tokio::test]
async fn any_key_makes_the_round_trip() {
    let store = Store::start().await;
    let photos = store.bucket().await;
    let longest = "k".repeat(1024);
    let keys: Vec<&str> = NASTY.iter().copied().chain([longest.as_str()]).collect();
    for key in &keys {
        let body = Bytes::from(format!("body of {key}"));
        photos
            .put(*key, body.clone())
            .await
            .unwrap_or_else(|e| panic!("put {key:?}: {e}"));
        let object = photos
            .get(*key)
            .await
            .unwrap_or_else(|e| panic!("get {key:?}: {e}"));
        assert_eq!(object.body.bytes(1 << 20).await.unwrap(), body);
        assert_eq!(
            photos.head(*key).await.unwrap().size(),
            Some(body.len() as u64)
        );
    }
    let listed: BTreeSet<String> = photos
        .list()
        .page_size(5)
        .objects()
        .map_ok(|o| o.key)
        .try_collect()
        .await
        .unwrap();
    assert_eq!(listed, keys.iter().map(|k| (*k).to_owned()).collect());
    for key in &keys {
        photos
            .delete(*key)
            .await
            .unwrap_or_else(|e| panic!("delete {key:?}: {e}"));
        assert!(photos.get(*key).await.unwrap_err().is_not_found());
    }
    photos.delete_bucket().await.unwrap();
    assert!(photos.head_bucket().await.unwrap_err().is_not_found());
}

#[tokio::test]
async fn bodies_of_any_size() {
    let store = Store::start().await;
    let photos = store.bucket().await;
    for size in [0, 1, 65_536, 5 << 20] {
        let body: Bytes = (0..size).map(|i| (i % 251) as u8).collect();
        let stored = photos
            .put("k", body.clone())
            .content_md5(true)
            .await
            .unwrap();
        let object = photos.get("k").await.unwrap();
        assert_eq!(object.head.etag(), stored.etag());
        assert_eq!(object.head.size(), Some(size as u64));
        assert_eq!(
            object.body.bytes(5 << 20).await.unwrap(),
            body,
            "{size} bytes"
        );
    }
    let object = photos.get("k").await.unwrap();
    let error = object.body.bytes(1000).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Protocol);
    assert!(
        error.to_string().starts_with("S3 GetObject at http://"),
        "{error}"
    );
    let pieces: Vec<Bytes> = photos
        .get("k")
        .await
        .unwrap()
        .body
        .try_collect()
        .await
        .unwrap();
    assert_eq!(pieces.iter().map(Bytes::len).sum::<usize>(), 5 << 20);
}

#[tokio::test]
async fn metadata_comes_back() {
    let store = Store::start().await;
    let photos = store.bucket().await;
    photos
        .put("k", "x")
        .content_type("image/jpeg")
        .cache_control("max-age=60")
        .content_disposition("attachment; filename=\"a  b.jpg\"")
        .metadata("Mood", "sleepy")
        .metadata("two-words", "a  b, c")
        .metadata("mood", "awake")
        .await
        .unwrap();
    let head = photos.head("k").await.unwrap();
    assert_eq!(head.content_type(), Some("image/jpeg"));
    assert_eq!(head.header("Cache-Control"), Some("max-age=60"));
    assert_eq!(
        (head.metadata("MOOD"), head.metadata("two-words")),
        (Some("awake"), Some("a  b, c"))
    );
    assert_eq!(head.all_metadata().count(), 2);
    let age = SystemTime::now()
        .duration_since(head.last_modified().unwrap())
        .unwrap_or_default();
    assert!(age < Duration::from_secs(60));
}

#[tokio::test]
async fn ranges_are_of_the_object() {
    let store = Store::start().await;
    let photos = store.bucket().await;
    photos.put("k", "0123456789").await.unwrap();
    for (get, text, range) in [
        (photos.get("k").range(..3), "012", 0..3),
        (photos.get("k").range(7..), "789", 7..10),
        (photos.get("k").range(4..=4), "4", 4..5),
        (photos.get("k").range(8..1000), "89", 8..10),
        (photos.get("k").last(2), "89", 8..10),
    ] {
        let object = get.await.unwrap();
        assert_eq!(
            (object.head.range(), object.head.size()),
            (Some(range), Some(10))
        );
        assert_eq!(object.body.bytes(10).await.unwrap(), text);
    }
    let error = photos.get("k").range(10..).await.unwrap_err();
    assert_eq!(
        (error.status(), error.code()),
        (Some(416), Some("InvalidRange"))
    );
    assert_eq!(
        photos.get("k").range(3..3).await.unwrap_err().kind(),
        Kind::Invalid
    );
}

#[tokio::test]
async fn conditions() {
    let store = Store::start().await;
    let photos = store.bucket().await;
    let first = photos.put("k", "one").if_none_match_any().await.unwrap();
    let etag = first.etag().unwrap();
    assert!(
        photos
            .put("k", "two")
            .if_none_match_any()
            .await
            .unwrap_err()
            .is_condition_failed()
    );
    assert!(
        photos
            .put("k", "two")
            .if_match("\"other\"")
            .await
            .unwrap_err()
            .is_condition_failed()
    );

    // Unchanged is an answer where it was asked for, in place of an object.
    match photos.get("k").if_none_match(etag).await.unwrap() {
        Fetched::NotModified(head) => {
            let told = (!store.lacks(Feature::EtagOfUnchanged)).then_some(etag);
            assert_eq!(head.etag(), told);
        }
        Fetched::Object(_) => panic!("it has not changed"),
    }
    assert!(matches!(
        photos.head("k").if_none_match(etag).await.unwrap(),
        HeadFetched::NotModified(_)
    ));
    let later = SystemTime::now() + Duration::from_secs(3600);
    let unchanged = photos
        .get("k")
        .if_modified_since(later - Duration::from_secs(7200))
        .await
        .unwrap();
    assert_eq!(
        unchanged.object().unwrap().body.bytes(9).await.unwrap(),
        "one"
    );

    let quoted = photos.put("k", "two").if_match(etag).await;
    if store.lacks(Feature::QuotedIfMatchOfPut) {
        assert!(quoted.unwrap_err().is_condition_failed());
        let bare = etag.trim_matches('"');
        photos.put("k", "two").if_match(bare).await.unwrap();
    } else {
        quoted.unwrap();
    }
    let changed = photos
        .get("k")
        .if_none_match(etag)
        .await
        .unwrap()
        .object()
        .unwrap();
    assert_eq!(changed.body.bytes(9).await.unwrap(), "two");
    assert!(
        photos
            .get("k")
            .if_match(etag)
            .await
            .unwrap_err()
            .is_condition_failed()
    );
    assert_eq!(
        photos.head("k").if_match(etag).await.unwrap_err().status(),
        Some(412)
    );
}

#[tokio::test]
async fn times_are_conditions_too() {
    let store = Store::start().await;
    let photos = store.bucket().await;
    photos.put("k", "one").await.unwrap();
    let stored = photos.head("k").await.unwrap().last_modified().unwrap();
    let before = stored - Duration::from_secs(3600);
    let unchanged = photos.get("k").if_modified_since(stored).await.unwrap();
    assert!(matches!(unchanged, Fetched::NotModified(_)));
    let unchanged = photos.head("k").if_modified_since(stored).await.unwrap();
    assert!(matches!(unchanged, HeadFetched::NotModified(_)));
    let changed = photos.get("k").if_modified_since(before).await.unwrap();
    let changed = changed.object().unwrap();
    assert_eq!(changed.body.bytes(9).await.unwrap(), "one");

    let same = photos.get("k").if_unmodified_since(stored).await.unwrap();
    assert_eq!(same.body.bytes(9).await.unwrap(), "one");
    photos.head("k").if_unmodified_since(stored).await.unwrap();
    let late = photos.get("k").if_unmodified_since(before).await;
    assert!(late.unwrap_err().is_condition_failed());
    let late = photos.head("k").if_unmodified_since(before).await;
    assert_eq!(late.unwrap_err().status(), Some(412));
}

#[tokio::test]
async fn requests_own_what_they_need() {
    let store = Store::start().await;
    let photos = store.bucket().await;
    let mut tasks = tokio::task::JoinSet::new();
    for i in 0..64 {
        let put = photos.put(format!("k{i}"), format!("v{i}"));
        tasks.spawn(async move { put.await.map(drop) });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap().unwrap();
    }
    for i in 0..64 {
        let photos = photos.clone();
        tasks.spawn(async move {
            let object = photos.get(format!("k{i}")).await?;
            assert_eq!(object.body.bytes(9).await?, format!("v{i}"));
            photos.head(format!("k{i}")).await.map(drop)
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap().unwrap();
    }
}
