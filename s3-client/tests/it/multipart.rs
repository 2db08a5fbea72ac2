//! Uploads in parts, by hand.

use std::collections::BTreeSet;
use std::io;

use futures_util::{TryStreamExt as _, stream};
use s3_client::answer::Part;
use s3_client::request::{CustomerKey, RetryConfig};
use s3_client::{Bucket, Checksum, Kind};

use crate::files::{Folder, noise};
use crate::store::{Feature, Store};

const MIN: usize = 5 << 20;

pub(crate) async fn uploads(bucket: &Bucket) -> usize {
    let all: Vec<_> = bucket
        .list_multipart()
        .stream()
        .try_collect()
        .await
        .expect("a listing");
    all.len()
}

#[tokio::test]
async fn parts_make_an_object() {
    let store = Store::start().await;
    let bucket = store.bucket().await;
    let folder = Folder::new();
    let bytes = noise(2 * MIN + 70_000);
    let upload = bucket
        .create_multipart("a b/c")
        .content_type("video/mp4")
        .metadata("mood", "sleepy")
        .await
        .unwrap();
    let path = folder.file("second");
    std::fs::write(&path, &bytes[MIN..2 * MIN]).unwrap();
    let last = bytes.slice(2 * MIN..);
    let tail = stream::iter([Ok::<_, io::Error>(last.clone())]);
    let tail = s3_client::Source::stream(last.len() as u64, tail);
    let three = upload.part(7, tail).await.unwrap();
    let two = upload
        .part(2, s3_client::Source::file(&path))
        .await
        .unwrap();
    let wrong = upload.part(1, "replaced").await.unwrap();
    let one = upload
        .part(1, bytes.slice(..MIN))
        .content_md5(true)
        .await
        .unwrap();
    assert_ne!(wrong.etag, one.etag);
    assert_eq!(three.size, Some(70_000));

    let listed: Vec<Part> = upload
        .parts()
        .page_size(2)
        .stream()
        .try_collect()
        .await
        .unwrap();
    assert_eq!(
        listed.iter().map(|p| p.number).collect::<Vec<_>>(),
        [1, 2, 7]
    );
    assert_eq!(listed[0].etag, one.etag);
    assert_eq!(listed[1].size, Some(MIN as u64));
    assert!(listed[2].last_modified.is_some());
    let after: Vec<Part> = upload
        .parts()
        .after(2)
        .stream()
        .try_collect()
        .await
        .unwrap();
    assert_eq!(after.len(), 1);
    assert!(bucket.get("a b/c").await.unwrap_err().is_not_found());

    // By another handle, and of what the store has listed.
    let again = bucket.multipart("a b/c", upload.id());
    let done = again.complete([three, one, two]).await.unwrap();
    let object = bucket.get("a b/c").await.unwrap();
    assert_eq!(object.head.etag(), done.etag());
    assert!(
        done.etag().is_some_and(|tag| tag.ends_with("-3\"")),
        "{done:?}"
    );
    assert_eq!(object.head.content_type(), Some("video/mp4"));
    assert_eq!(object.head.metadata("mood"), Some("sleepy"));
    assert_eq!(object.body.bytes(bytes.len()).await.unwrap(), bytes);
    assert_eq!(uploads(&bucket).await, 0);
}

#[tokio::test]
async fn an_upload_that_is_given_up_is_gone() {
    let store = Store::start().await;
    let bucket = store.bucket().await;
    let upload = bucket.create_multipart("k").await.unwrap();
    let part = upload.part(1, "x").await.unwrap();
    assert_eq!(uploads(&bucket).await, 1);
    upload.abort().await.unwrap();
    upload.abort().await.unwrap();
    assert_eq!(uploads(&bucket).await, 0);
    let error = upload.part(2, "x").await.unwrap_err();
    assert_eq!(error.code(), Some("NoSuchUpload"), "{error}");
    let listed = upload.parts().await.unwrap_err();
    assert!(listed.is_not_found(), "{listed}");
    let complete = upload.complete([part]).retry(RetryConfig::none());
    let error = complete.await.unwrap_err();
    if store.lacks(Feature::GoneUploads) {
        assert_eq!(listed.code(), Some("NoSuchKey"));
        assert_eq!(error.code(), Some("InternalError"), "{error}");
    } else {
        assert_eq!(listed.code(), Some("NoSuchUpload"));
        assert_eq!(error.code(), Some("NoSuchUpload"), "{error}");
    }
    let nowhere = store.client().bucket(format!("{}-not", bucket.name()));
    let error = nowhere
        .multipart("k", upload.id())
        .abort()
        .await
        .unwrap_err();
    assert_eq!(error.code(), Some("NoSuchBucket"), "{error}");
}

#[tokio::test]
async fn parts_that_do_not_fit_are_refused() {
    let store = Store::start().await;
    let bucket = store.bucket().await;
    let upload = bucket.create_multipart("k").await.unwrap();
    let one = upload.part(1, "small").await.unwrap();
    let two = upload.part(2, "small too").await.unwrap();
    let error = upload
        .complete([one.clone(), two.clone()])
        .await
        .unwrap_err();
    assert_eq!(error.code(), Some("EntityTooSmall"), "{error}");
    let foreign = Part::new(1, two.etag.clone());
    let error = upload.complete([foreign]).await.unwrap_err();
    assert_eq!(error.code(), Some("InvalidPart"), "{error}");
    // One part may be small, and what is not named is dropped.
    let complete = upload.complete([one]).await;
    if store.lacks(Feature::PartsLeftOut) {
        assert_eq!(complete.unwrap_err().code(), Some("InvalidPart"));
    } else {
        complete.unwrap();
        assert_eq!(bucket.head("k").await.unwrap().size(), Some(5));
    }
}

#[tokio::test]
async fn what_breaks_a_limit_is_not_sent() {
    let store = Store::start().await;
    let bucket = store.bucket().await;
    let upload = bucket.multipart("k", "id");
    for error in [
        upload.part(0, "").await.unwrap_err(),
        upload.part(10_001, "").await.unwrap_err(),
        upload.complete([]).await.unwrap_err(),
        upload.parts().page_size(0).await.unwrap_err(),
        upload.copy_part(1, "x", "k").await.unwrap_err(),
        upload.copy_part(1, "photos", "").await.unwrap_err(),
        upload
            .copy_part(1, "photos", "k")
            .range(5..5)
            .await
            .unwrap_err(),
        upload
            .copy_part(1, "photos", "k")
            .range(0..(5 << 30) + 1)
            .await
            .unwrap_err(),
        bucket.multipart("k", "").abort().await.unwrap_err(),
        bucket.multipart("", "id").abort().await.unwrap_err(),
        bucket.create_multipart("").await.unwrap_err(),
        bucket
            .create_multipart("k")
            .metadata("a b", "c")
            .await
            .unwrap_err(),
        bucket.list_multipart().page_size(1001).await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), Kind::Invalid, "{error}");
        assert!(!error.may_have_been_sent());
    }
}

#[tokio::test]
async fn a_part_is_copied_within_the_store() {
    let store = Store::start().await;
    let bucket = store.bucket().await;
    let bytes = noise(MIN + 1000);
    let source = bucket.put("source", bytes.clone()).await.unwrap();
    let upload = bucket.create_multipart("k").await.unwrap();
    let one = upload.copy_part(1, bucket.name(), "source").await.unwrap();
    assert_eq!(Some(one.etag.as_str()), source.etag());
    let copy = || upload.copy_part(2, bucket.name(), "source").range(10..1010);
    let two = copy().from_if_match(one.etag.clone()).await.unwrap();
    let other = copy().from_if_match("\"other\"").await;
    let same = copy().from_if_none_match(one.etag.clone()).await;
    if store.lacks(Feature::ConditionsOfPartCopies) {
        assert!(other.is_ok() && same.is_ok());
    } else {
        assert!(other.unwrap_err().is_condition_failed());
        assert!(same.unwrap_err().is_condition_failed());
    }
    let error = upload
        .copy_part(3, bucket.name(), "none")
        .await
        .unwrap_err();
    assert!(error.is_not_found(), "{error}");
    upload.complete([one, two]).await.unwrap();
    let object = bucket.get("k").await.unwrap();
    let made = object.body.bytes(1 << 30).await.unwrap();
    assert_eq!(made[..bytes.len()], bytes);
    assert_eq!(made[bytes.len()..], bytes[10..1010]);
}

/// Not on Ceph RGW 16.2, which such a request ends.
#[tokio::test]
async fn a_part_is_copied_from_any_key() {
    let store = Store::emulator().await;
    let bucket = store.bucket().await;
    for key in ["a b", "a+b", "caf\u{e9}", "a?b", "a%2Fb", "/a//b/"] {
        bucket.put(key, key).await.unwrap();
        let upload = bucket.create_multipart("k").await.unwrap();
        let part = upload.copy_part(1, bucket.name(), key).await;
        let part = part.unwrap_or_else(|e| panic!("{key}: {e}"));
        upload.complete([part]).await.unwrap();
        let object = bucket.get("k").await.unwrap();
        assert_eq!(object.body.bytes(100).await.unwrap(), key);
    }
}

#[tokio::test]
async fn uploads_are_listed() {
    let store = Store::start().await;
    let bucket = store.bucket().await;
    let keys = ["a b+c", "caf\u{e9}", "p/1", "p/1", "q"];
    let mut begun = BTreeSet::new();
    for key in keys {
        let upload = bucket.create_multipart(key).await.unwrap();
        begun.insert((key.to_owned(), upload.id().to_owned()));
    }
    let list = bucket.list_multipart().page_size(2).stream();
    let all: Vec<_> = list.try_collect().await.unwrap();
    assert_eq!(all.len(), keys.len());
    assert!(all.iter().all(|upload| upload.initiated.is_some()));
    let listed = all
        .into_iter()
        .map(|upload| (upload.key, upload.id))
        .collect();
    assert_eq!(begun, listed);
    let p: Vec<_> = bucket
        .list_multipart()
        .prefix("p/")
        .stream()
        .try_collect()
        .await
        .unwrap();
    assert_eq!(
        p.iter()
            .map(|upload| upload.key.as_str())
            .collect::<Vec<_>>(),
        ["p/1", "p/1"]
    );
    let page = bucket.list_multipart().delimiter("/").await.unwrap();
    assert_eq!(page.uploads.len(), 3);
    if store.lacks(Feature::PrefixesOfUploads) {
        assert!(page.prefixes.is_empty());
    } else {
        assert_eq!(page.prefixes, ["p/"]);
        let pages = bucket.list_multipart().delimiter("/").page_size(1).pages();
        let pages: Vec<_> = pages.try_collect().await.unwrap();
        let told =
            |page: &s3_client::answer::MultipartPage| page.uploads.len() + page.prefixes.len();
        assert!(
            pages.iter().all(|page| told(page) == 1) && pages.len() == 4,
            "{pages:?}"
        );
    }
    let behind: Vec<_> = bucket
        .list_multipart()
        .after("p/1", "")
        .stream()
        .try_collect()
        .await
        .unwrap();
    let of_that_key = if store.lacks(Feature::UploadsBehindKeys) {
        2
    } else {
        0
    };
    assert_eq!(behind.len(), 1 + of_that_key);
    for (key, id) in begun {
        bucket.multipart(key, id).abort().await.unwrap();
    }
}

#[tokio::test]
async fn nothing_secret_is_shown() {
    let store = Store::start().await;
    let bucket = store.bucket().await;
    let upload = bucket
        .create_multipart("k")
        .metadata("a", "hush")
        .await
        .unwrap();
    let shown = format!(
        "{:?} {:?} {:?}",
        bucket.create_multipart("k").metadata("a", "hush"),
        upload.part(1, "hush"),
        upload
            .copy_part(1, "photos", "k")
            .header("x-secret", "hush"),
    );
    assert!(!shown.contains("hush"), "{shown}");
}

#[tokio::test]
async fn parts_bring_the_key_that_the_upload_was_begun_with() {
    let store = Store::start().await;
    let bucket = store.bucket().await;
    let key = |byte| CustomerKey::new([byte; 32]).unwrap().over_plain_http();
    let upload = bucket.create_multipart("k").encryption(key(1));
    let upload = upload.await.unwrap();
    let other = bucket.multipart("k", upload.id());
    for stranger in [other.clone(), other.clone().customer_key(key(2))] {
        let refused = stranger.part(1, "hush").await;
        assert!(matches!(refused.unwrap_err().status(), Some(400 | 403)));
    }
    let first = upload.part(1, noise(MIN)).await.unwrap();
    let last = other.customer_key(key(1)).part(2, "hush").await.unwrap();
    let mut listed = upload.parts().stream();
    let tag = listed.try_next().await.unwrap().unwrap().etag;
    assert_eq!(tag, first.etag);
    drop(listed);
    upload.complete([first, last]).await.unwrap();
    let object = bucket.get("k").customer_key(key(1)).range(MIN as u64..);
    assert_eq!(object.await.unwrap().body.bytes(9).await.unwrap(), "hush");
    assert_eq!(bucket.get("k").await.unwrap_err().status(), Some(400));
    let plain = bucket.create_multipart("plain").await.unwrap();
    let keyed = plain.clone().customer_key(key(1)).part(1, "x").await;
    if store.lacks(Feature::KeysOfPlainUploads) {
        keyed.unwrap();
    } else {
        assert_eq!(keyed.unwrap_err().code(), Some("InvalidRequest"));
    }
    plain.abort().await.unwrap();
}

#[tokio::test]
async fn parts_have_the_checksum_that_was_announced() {
    let store = Store::start().await;
    let bucket = store.bucket().await;
    let upload = bucket.create_multipart("k").checksum(Checksum::Sha256);
    let upload = upload.await.unwrap();
    let other = upload.part(1, "x").checksum(Checksum::Crc32).await;
    let wrong = upload
        .part(1, "x")
        .header("x-amz-checksum-sha256", Checksum::Sha256.of(b"y"))
        .await;
    if store.lacks(Feature::Checksums) {
        other.unwrap();
        wrong.unwrap();
    } else {
        assert_eq!(other.unwrap_err().code(), Some("InvalidRequest"));
        assert_eq!(wrong.unwrap_err().code(), Some("BadDigest"));
    }
    let part = upload.part(1, "x").checksum(Checksum::Sha256);
    upload.complete([part.await.unwrap()]).await.unwrap();
}
