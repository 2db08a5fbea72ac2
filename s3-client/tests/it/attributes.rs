//! What is kept beside the bytes of an object.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use s3_client::answer::Restored;
use s3_client::config::{CannedAcl, Grant, Grantee, Permission, Tagging};
use s3_client::request::{CustomerKey, ServerSideEncryption};
use s3_client::{Checksum, Kind};

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
async fn tags() {
    let store = Store::start().await;
    let bucket = store.bucket().await;
    let put = bucket.put("k", "x").tag("a b+c", "1=2&3");
    put.tag("caf\u{e9}", "").await.unwrap();
    let sorted = |tagging: Tagging| {
        let mut tags = tagging.tags;
        tags.sort_by(|a, b| a.key.cmp(&b.key));
        tags
    };
    let tags = bucket.get_object_tagging("k").await.unwrap();
    assert_eq!(
        sorted(tags),
        [("a b+c", "1=2&3").into(), ("caf\u{e9}", "").into()]
    );
    let head = bucket.get("k").await.unwrap().head;
    assert_eq!(head.tag_count(), Some(2));

    let new: Tagging = [("x", "<&>"), ("y", " z ")].into_iter().collect();
    bucket.put_object_tagging("k", new.clone()).await.unwrap();
    let tags = bucket.get_object_tagging("k").await.unwrap();
    assert_eq!(sorted(tags), new.tags);
    bucket.delete_object_tagging("k").await.unwrap();
    assert!(
        bucket
            .get_object_tagging("k")
            .await
            .unwrap()
            .tags
            .is_empty()
    );
    assert_eq!(bucket.get("k").await.unwrap().head.tag_count(), None);
    for missing in [
        bucket.get_object_tagging("no").await.map(drop),
        bucket.put_object_tagging("no", new).await,
        bucket.delete_object_tagging("no").await,
    ] {
        assert!(missing.unwrap_err().is_not_found());
    }
}

#[tokio::test]
async fn access_control() {
    let store = Store::start().await;
    let bucket = store.bucket().await;
    bucket.put("k", "x").await.unwrap();
    let first = bucket.get_object_acl("k").await.unwrap();
    assert_eq!(first.grants.len(), 1);
    let everybody = Some(Grantee::group(Grantee::ALL_USERS));
    bucket
        .put("k", "x")
        .acl(CannedAcl::PublicRead)
        .await
        .unwrap();
    let public = bucket.get_object_acl("k").await.unwrap();
    let reads = |grant: &&Grant| grant.grantee == everybody;
    let grant = public.grants.iter().find(reads).unwrap();
    assert_eq!(grant.permission, Some(Permission::Read));
    bucket
        .put_object_acl("k", CannedAcl::Private)
        .await
        .unwrap();
    let private = bucket.get_object_acl("k").await.unwrap();
    assert_eq!(private.grants.len(), 1);

    // A list is stored as it was fetched and changed.
    let mut acl = private.clone();
    acl.grants.push(
        Grant::new()
            .grantee(Grantee::group(Grantee::AUTHENTICATED_USERS))
            .permission(Permission::ReadAcp),
    );
    bucket.put_object_acl("k", acl).await.unwrap();
    let changed = bucket.get_object_acl("k").await.unwrap();
    assert_eq!(changed.grants.len(), 2);
    assert_eq!(changed.owner, first.owner);
    let grant = bucket.put("granted", "x");
    let grant = grant.grant(Permission::Read, Grantee::group(Grantee::ALL_USERS));
    grant.await.unwrap();
    let granted = bucket.get_object_acl("granted").await.unwrap();
    assert!(
        granted
            .grants
            .iter()
            .any(|grant| grant.grantee == everybody)
    );

    let missing = bucket.get_object_acl("no").await.unwrap_err();
    assert!(missing.is_not_found());
    let unknown = bucket.put_object_acl("k", CannedAcl::from("mine")).await;
    assert_eq!(unknown.unwrap_err().status(), Some(400));
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

#[tokio::test]
async fn keys_of_the_store() {
    let store = Store::start().await;
    let bucket = store.bucket().await;
    let put = bucket
        .put("k", "x")
        .encryption(ServerSideEncryption::store());
    let stored = put.await;
    if store.lacks(Feature::StoreEncryption) {
        assert_eq!(stored.unwrap().encryption(), None);
    } else {
        assert_eq!(stored.unwrap().encryption(), Some("AES256"));
        let object = bucket.get("k").verify(true).await.unwrap();
        assert_eq!(object.head.encryption(), Some("AES256"));
        assert_eq!(object.body.bytes(9).await.unwrap(), "x");
    }
    // The key that the test server of RGW has; the emulator takes any.
    let kms = ServerSideEncryption::kms_key("testkey-1");
    let stored = bucket.put("k", "x").encryption(kms).await.unwrap();
    assert_eq!(stored.encryption(), Some("aws:kms"));
    let object = bucket.get("k").await.unwrap();
    assert_eq!(object.head.encryption(), Some("aws:kms"));
    assert_eq!(object.body.bytes(9).await.unwrap(), "x");
}

#[tokio::test]
async fn keys_of_the_customer() {
    let store = Store::start().await;
    let bucket = store.bucket().await;
    let secret = [b'k'; 32];
    let key = CustomerKey::new(secret).unwrap();
    let open = key.clone().over_plain_http();
    let other = CustomerKey::new([7; 32]).unwrap().over_plain_http();

    let refused = bucket.put("k", "x").encryption(key.clone()).await;
    let refused = refused.unwrap_err();
    assert_eq!((refused.kind(), refused.attempts()), (Kind::Invalid, 0));
    assert!(refused.to_string().contains("over_plain_http"), "{refused}");

    bucket
        .put("k", "hush")
        .encryption(open.clone())
        .await
        .unwrap();
    let get = bucket.get("k").customer_key(open.clone());
    let shown = format!("{get:?} {key:?} {refused:?}");
    assert!(
        !shown.contains("kkkk") && !shown.contains("a2tra2tr"),
        "{shown}"
    );
    let object = get.verify(true).await.unwrap();
    assert!(object.head.has_customer_key());
    assert_eq!(object.body.bytes(9).await.unwrap(), "hush");
    let head = bucket.head("k").customer_key(open.clone()).await.unwrap();
    assert_eq!(head.size(), Some(4));

    let without = bucket.get("k").await.unwrap_err();
    assert_eq!(
        (without.kind(), without.status()),
        (Kind::Service, Some(400))
    );
    let wrong = bucket.get("k").customer_key(other.clone()).await;
    assert!(matches!(wrong.unwrap_err().status(), Some(400 | 403)));

    // A copy is read with one key and written with another.
    let copy = bucket.copy("k", "copy").encryption(other.clone());
    let copied = copy.from_customer_key(open.clone()).await;
    if store.lacks(Feature::CopiesOfEncrypted) {
        assert_eq!(copied.unwrap_err().status(), Some(501));
        return;
    }
    copied.unwrap();
    let object = bucket.get("copy").customer_key(other).await.unwrap();
    assert_eq!(object.body.bytes(9).await.unwrap(), "hush");
    let locked = bucket.copy("k", "copy2").await.unwrap_err();
    assert_eq!(locked.status(), Some(400));
}

#[tokio::test]
async fn deletes_with_a_condition() {
    let store = Store::start().await;
    let bucket = store.bucket().await;
    let stored = bucket.put("k", "x").await.unwrap();
    let other = bucket.delete("k").if_match("\"other\"").await;
    if store.lacks(Feature::ConditionsOfDeletes) {
        other.unwrap();
        assert!(bucket.head("k").await.unwrap_err().is_not_found());
        return;
    }
    assert!(other.unwrap_err().is_condition_failed());
    let etag = stored.etag().unwrap();
    bucket.delete("k").if_match(etag).await.unwrap();
    assert!(bucket.head("k").await.unwrap_err().is_not_found());
}

#[tokio::test]
async fn parts_are_read_singly() {
    let store = Store::start().await;
    let bucket = store.bucket().await;
    let upload = bucket.create_multipart("k").await.unwrap();
    let first = bytes::Bytes::from(vec![b'a'; 5 << 20]);
    let one = upload.part(1, first.clone()).await.unwrap();
    let two = upload.part(2, "the end").await.unwrap();
    upload.complete([one, two]).await.unwrap();

    let end = bucket.get("k").part(2).await;
    if store.lacks(Feature::ReadsOfParts) {
        assert_eq!(end.unwrap_err().kind(), Kind::Protocol);
        return;
    }
    let end = end.unwrap();
    assert_eq!(end.head.parts(), Some(2));
    assert_eq!(end.head.range(), Some(5 << 20..(5 << 20) + 7));
    assert_eq!(end.body.bytes(9).await.unwrap(), "the end");
    let head = bucket.head("k").part(1).await.unwrap();
    assert_eq!(head.range(), Some(0..5 << 20));
    assert_eq!(head.size(), Some((5 << 20) + 7));
    let missing = bucket.get("k").part(3).await.unwrap_err();
    assert_eq!(missing.status(), Some(416));
    bucket.put("k", "x").await.unwrap();
    let only = bucket.get("k").part(1).await.unwrap();
    assert_eq!((only.head.parts(), only.head.size()), (None, Some(1)));
    let since = SystemTime::now() - Duration::from_secs(3600);
    assert!(bucket.head("k").if_modified_since(since).await.is_ok());
}

#[tokio::test]
async fn what_the_store_keeps() {
    let store = Store::start().await;
    let bucket = store.bucket().await;
    let put = bucket.put("k", "123456789").checksum(Checksum::Crc32);
    let stored = put.await.unwrap();
    let outcome = bucket.get_object_attributes("k").await;
    if store.lacks(Feature::Attributes) {
        assert_eq!(outcome.unwrap_err().kind(), Kind::Protocol);
        return;
    }
    let found = outcome.unwrap();
    assert_eq!(found.etag.as_deref(), stored.etag());
    assert_eq!((found.size, found.parts_count), (Some(9), None));
    assert_eq!(found.storage_class.as_deref(), Some("STANDARD"));
    assert_eq!(found.checksum(Checksum::Crc32), Some("y/Q5Jg=="));
    assert!(!found.is_composite() && found.last_modified.is_some());
    let missing = bucket.get_object_attributes("no").await.unwrap_err();
    assert!(missing.is_not_found());
    let bad = bucket.get_object_attributes("k").parts_behind(0).await;
    assert_eq!(bad.unwrap_err().kind(), Kind::Invalid);
}

#[tokio::test]
async fn archived_objects_are_brought_back() {
    let store = Store::start().await;
    let bucket = store.bucket().await;
    bucket.put("k", "x").await.unwrap();
    let zero = bucket.restore("k", 0).await.unwrap_err();
    assert_eq!(zero.kind(), Kind::Invalid);
    let refused = bucket.restore("k", 1).tier("Bulk").await.unwrap_err();
    assert_eq!(refused.kind(), Kind::Service);
    if store.lacks(Feature::StorageClasses) {
        // Nothing can be archived, and a request that it does not know is taken for a form where its signature lets it.
        let answer = match std::env::var("S3_TEST_REGION") {
            Ok(_) => (Some(501), Some("NotImplemented")),
            Err(_) => (Some(400), Some("InvalidArgument")),
        };
        let plain = bucket.restore("k", 1).await.unwrap_err();
        for error in [refused, plain] {
            assert_eq!((error.status(), error.code()), answer, "{error}");
        }
        return;
    }
    bucket.put("k", "x").storage_class("GLACIER").await.unwrap();
    let away = bucket.get("k").await.unwrap_err();
    assert_eq!(
        (away.status(), away.code()),
        (Some(403), Some("InvalidObjectState"))
    );
    let head = bucket.head("k").await.unwrap();
    assert_eq!(
        (head.storage_class(), head.restore()),
        (Some("GLACIER"), None)
    );
    let days = |n| bucket.restore("k", n);
    assert_eq!(days(1).await.unwrap(), Restored::Begun);
    assert_eq!(days(2).await.unwrap(), Restored::Prolonged);
    let back = bucket.get("k").await.unwrap();
    let restore = back.head.restore().unwrap();
    assert!(
        restore.starts_with("ongoing-request=\"false\""),
        "{restore}"
    );
    assert_eq!(back.body.bytes(9).await.unwrap(), "x");
}
