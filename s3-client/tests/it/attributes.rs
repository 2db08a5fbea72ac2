//! What is kept beside the bytes of an object.

use std::time::{Duration, UNIX_EPOCH};

use s3_client::Kind;
use s3_client::config::{Grantee, Permission, Tagging};
use s3_client::request::ServerSideEncryption;

use crate::store::{Feature, Store};

#[tokio::test]
async fn headers_come_back() {
    let store = Store::start().await;
    let bucket = store.bucket().await;
    let expires = UNIX_EPOCH + Duration::from_secs(1_175_024_202);
    bucket
        .put("k", "x")
        .content_type("text/plain; charset=utf-8")
        .content_encoding("br")
        .content_language("de")
        .content_disposition("attachment; filename=\"a  b.txt\"")
        .cache_control("max-age=60")
        .expires(expires)
        .website_redirect("/other")
        .await
        .unwrap();
    let head = bucket.head("k").await.unwrap();
    for (name, value) in [
        ("content-type", "text/plain; charset=utf-8"),
        ("content-encoding", "br"),
        ("content-language", "de"),
        ("content-disposition", "attachment; filename=\"a  b.txt\""),
        ("cache-control", "max-age=60"),
        ("expires", "Tue, 27 Mar 2007 19:36:42 GMT"),
    ] {
        assert_eq!(head.header(name), Some(value), "{name}");
    }

    // An answer says something else where it is told to.
    let object = bucket
        .get("k")
        .response_content_type("image/png")
        .response_content_encoding("gzip")
        .response_content_language("fr, en")
        .response_content_disposition("inline; filename=\"\u{e9} & +.png\"")
        .response_cache_control("no-cache")
        .response_expires(expires + Duration::from_secs(1))
        .await
        .unwrap();
    for (name, value) in [
        ("content-type", "image/png"),
        ("content-encoding", "gzip"),
        ("content-language", "fr, en"),
        ("cache-control", "no-cache"),
        ("expires", "Tue, 27 Mar 2007 19:36:43 GMT"),
    ] {
        assert_eq!(object.head.header(name), Some(value), "{name}");
    }
}

#[tokio::test]
async fn metadata_of_many_entries_can_be_read_again() {
    let store = Store::start().await;
    let bucket = store.bucket().await;
    // S3 bounds their bytes, not their number.
    let put = (0..400).fold(bucket.put("k", "x"), |put, i| {
        put.metadata(i.to_string(), "y")
    });
    put.await.unwrap();
    let head = bucket.head("k").await.unwrap();
    let got = bucket.get("k").await.unwrap().head;
    for i in 0..400 {
        let name = i.to_string();
        assert_eq!(
            (head.metadata(&name), got.metadata(&name)),
            (Some("y"), Some("y")),
            "{name}"
        );
    }
}

#[tokio::test]
async fn bad_headers_are_refused() {
    let store = Store::start().await;
    let bucket = store.bucket().await;
    let early = UNIX_EPOCH - Duration::from_secs(9);
    let late = UNIX_EPOCH + Duration::from_secs(253_402_300_800);
    let put = || bucket.put("k", "x");
    let long = "x".repeat(2049);
    for (put, words) in [
        (
            put().content_type("a\r\nx-amz-acl: public-read"),
            "content-type",
        ),
        (put().cache_control("a\0"), "cache-control"),
        (put().storage_class("A\nB"), "x-amz-storage-class"),
        (put().expires(early), "9 s before 1970"),
        (put().expires(late), "year 10000"),
        (
            put().metadata("a", &long),
            "2050 bytes, over the limit of 2048",
        ),
        (put().metadata("a b", "x"), "a b"),
        (put().metadata("a", "\u{e9}"), "printable ASCII"),
        (put().tag("", "x"), "empty"),
        (put().tag("t".repeat(129), "x"), "129"),
        (put().tag("t", "v".repeat(257)), "257"),
        (
            put().encryption(ServerSideEncryption::kms_key("a\rb")),
            "kms-key-id",
        ),
        (
            put().grant(Permission::Read, Grantee::account("\n")),
            "grantee",
        ),
        (
            (0..11).fold(put(), |put, i| put.tag(i.to_string(), "")),
            "11 tags",
        ),
    ] {
        let error = put.await.unwrap_err();
        assert_eq!(
            (error.kind(), error.attempts()),
            (Kind::Invalid, 0),
            "{error}"
        );
        assert!(error.to_string().contains(words), "{error}");
    }
    for (get, words) in [
        (bucket.get(""), "empty"),
        (bucket.get("k".repeat(1025)), "1025 bytes"),
        (bucket.get("k").version(""), "version"),
        (bucket.get("k").part(0), "part number 0"),
        (bucket.get("k").part(10_001), "10001"),
        (bucket.get("k").part(1).range(..1), "part and a range"),
        (
            bucket.get("k").if_unmodified_since(early),
            "9 s before 1970",
        ),
        (bucket.get("k").response_expires(late), "year 10000"),
        (
            bucket.get("k").response_content_type("\n"),
            "response-content-type",
        ),
    ] {
        let error = get.await.unwrap_err();
        assert_eq!(
            (error.kind(), error.attempts()),
            (Kind::Invalid, 0),
            "{error}"
        );
        assert!(error.to_string().contains(words), "{error}");
    }
    let error = bucket.delete("k").version("v".repeat(1025)).await;
    assert!(error.unwrap_err().to_string().contains("1025"));
    let tags: Tagging = (0..11).map(|i| (i.to_string(), "")).collect();
    let error = bucket.put_object_tagging("k", tags).await.unwrap_err();
    assert!(error.to_string().contains("11 tags"), "{error}");
    if store.account().is_some() {
        assert_eq!(store.requests(), 1, "only the bucket was made");
    }
}

#[tokio::test]
async fn storage_classes() {
    let store = Store::start().await;
    let bucket = store.bucket().await;
    bucket
        .put("k", "x")
        .storage_class("STANDARD")
        .await
        .unwrap();
    let head = bucket.head("k").await.unwrap();
    assert!(matches!(head.storage_class(), None | Some("STANDARD")));
    let rare = bucket.put("k", "x").storage_class("STANDARD_IA").await;
    if store.lacks(Feature::StorageClasses) {
        assert_eq!(rare.unwrap_err().status(), Some(400));
    } else {
        rare.unwrap();
        let head = bucket.head("k").await.unwrap();
        assert_eq!(head.storage_class(), Some("STANDARD_IA"));
    }
    let unknown = bucket.put("k", "x").storage_class("SOMEWHERE").await;
    assert_eq!(unknown.unwrap_err().status(), Some(400));
}
