//! Uploads in parts, by hand.

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use aws_core::transport::{ResponseFuture, Transport};
use bytes::Bytes;
use futures_util::{TryStreamExt as _, stream};
use pipeline_pool::{Head, HttpPool, Method, Origin, Request, Response, Sent};
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

/// A transport that loses the answers to some requests, or answers them itself.
#[derive(Debug)]
pub(crate) struct Meddler {
    pub(crate) pool: HttpPool,
    which: fn(&Request) -> bool,
    pub(crate) left: Arc<AtomicU32>,
    how: How,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum How {
    /// The store does it, and the answer is lost.
    Lose,
    /// The store hears nothing of it.
    Answer(u16, &'static str),
    /// The same, with success and this entity tag.
    Tag(&'static str),
    /// The store answers, and the body is cut off after this many bytes.
    Cut(usize),
}

impl Meddler {
    pub(crate) fn new(times: u32, which: fn(&Request) -> bool, how: How) -> Self {
        Self {
            pool: HttpPool::builder().build(),
            which,
            left: Arc::new(AtomicU32::new(times)),
            how,
        }
    }
}

impl Transport for Meddler {
    fn send(&self, origin: &Origin, request: Request) -> ResponseFuture {
        let take = |left: u32| left.checked_sub(1);
        let hit = (self.which)(&request)
            && self
                .left
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, take)
                .is_ok();
        if !hit {
            return Transport::send(&self.pool, origin, request);
        }
        match self.how {
            How::Answer(status, body) => {
                let head = Head::new(status, []);
                ResponseFuture::ready(Ok(Response::new(head, Bytes::from(body))))
            }
            How::Tag(tag) => {
                let head = Head::new(200, [("etag", tag.as_bytes())]);
                ResponseFuture::ready(Ok(Response::new(head, Bytes::new())))
            }
            How::Cut(len) => {
                let sending = self.pool.send(origin, request);
                ResponseFuture::new(async move {
                    let (head, body) = sending.await?.into_parts();
                    let bytes = body.bytes(64 << 20).await?;
                    let cut = pipeline_pool::Error::new(pipeline_pool::Kind::Closed, "cut");
                    let start = bytes.slice(..len.min(bytes.len()));
                    let items = [Ok(start), Err(cut.with_sent(Sent::All))];
                    let body = pipeline_pool::Body::from_stream(None, stream::iter(items));
                    Ok(Response::new(head, body))
                })
            }
            How::Lose => {
                let sending = self.pool.send(origin, request);
                ResponseFuture::new(async move {
                    let answered = sending.await?;
                    assert!(answered.status() < 300, "{answered:?}");
                    let lost = pipeline_pool::Error::new(pipeline_pool::Kind::Closed, "lost");
                    Err(lost.with_sent(Sent::All))
                })
            }
        }
    }
}

pub(crate) fn is_complete(request: &Request) -> bool {
    request.method() == Method::Post && request.target().contains("uploadId=")
}

pub(crate) async fn with(store: &Store, bucket: &Bucket, mut meddler: Meddler) -> Bucket {
    meddler.pool = store.pool();
    let retry = RetryConfig::new().random(|| 0.0);
    let client = store
        .builder()
        .transport(meddler)
        .retry(retry)
        .build()
        .expect("a client");
    client.bucket(bucket.name())
}

#[tokio::test]
async fn a_completion_whose_answer_was_lost_is_found_out() {
    let store = Store::start().await;
    let plain = store.bucket().await;
    let bucket = with(&store, &plain, Meddler::new(1, is_complete, How::Lose)).await;
    let upload = bucket.create_multipart("k").await.unwrap();
    let part = upload.part(1, "meow").await.unwrap();
    let done = upload.complete([part.clone()]).await.unwrap();
    assert_eq!(plain.head("k").await.unwrap().etag(), done.etag());
    // With a condition it is not sent twice.
    let bucket = with(&store, &plain, Meddler::new(1, is_complete, How::Lose)).await;
    let upload = bucket.create_multipart("new").await.unwrap();
    let part = upload.part(1, "meow").await.unwrap();
    let error = upload
        .complete([part])
        .if_none_match_any()
        .await
        .unwrap_err();
    assert_eq!(
        (error.kind(), error.attempts()),
        (Kind::Closed, 1),
        "{error}"
    );
    assert!(error.may_have_been_sent());
}

#[tokio::test]
async fn an_upload_that_another_object_has_replaced_is_not_taken_for_done() {
    let store = Store::start().await;
    let bucket = store.bucket().await;
    let upload = bucket.create_multipart("k").await.unwrap();
    let part = upload.part(1, "meow").await.unwrap();
    upload.complete([part.clone()]).await.unwrap();
    bucket.put("k", "woof").await.unwrap();
    let complete = upload.complete([part]).retry(RetryConfig::none());
    let error = complete.await.unwrap_err();
    let code = if store.lacks(Feature::GoneUploads) {
        "InternalError"
    } else {
        "NoSuchUpload"
    };
    assert_eq!(error.code(), Some(code), "{error}");
}

pub(crate) const BROKEN: &str =
    "\n <Error><Code>InternalError</Code><Message>try again</Message></Error>";

#[tokio::test]
async fn an_error_in_an_answer_of_success_is_an_error() {
    let store = Store::start().await;
    let plain = store.bucket().await;
    let always = Meddler::new(u32::MAX, is_complete, How::Answer(200, BROKEN));
    let bucket = with(&store, &plain, always).await;
    let upload = bucket.create_multipart("k").await.unwrap();
    let part = upload.part(1, "meow").await.unwrap();
    let error = upload.complete([part]).await.unwrap_err();
    assert_eq!(
        (error.code(), error.kind()),
        (Some("InternalError"), Kind::Service)
    );
    assert_eq!(error.status(), Some(200));
    assert!(error.attempts() > 1, "it may pass: {error}");
    let once = Meddler::new(1, is_complete, How::Answer(200, BROKEN));
    let bucket = with(&store, &plain, once).await;
    let upload = bucket.create_multipart("k").await.unwrap();
    let part = upload.part(1, "meow").await.unwrap();
    upload.complete([part]).await.unwrap();
}

pub(crate) fn is_copy(request: &Request) -> bool {
    request
        .headers()
        .any(|(name, _)| name == "x-amz-copy-source")
}

#[tokio::test]
async fn an_error_in_the_answer_to_a_copied_part_is_an_error() {
    const SLOW: &str = "<Error><Code>AccessDenied</Code></Error>";
    let store = Store::start().await;
    let plain = store.bucket().await;
    let bucket = with(
        &store,
        &plain,
        Meddler::new(1, is_copy, How::Answer(200, SLOW)),
    )
    .await;
    let upload = bucket.create_multipart("k").await.unwrap();
    let error = upload.copy_part(1, plain.name(), "k").await.unwrap_err();
    assert_eq!(error.code(), Some("AccessDenied"), "{error}");
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
