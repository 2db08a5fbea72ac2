//! Whole objects go up in parts.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, stream};
use pipeline_pool::{Method, Request};
use s3_client::transport::{Head, Origin, Response, ResponseFuture, Transport};
use s3_client::{Credentials, Kind, S3Client, Signature, Source};

use crate::files::{Folder, noise};
use crate::meddler::{How, Meddler, with};
use crate::multipart::uploads;
use crate::store::{Feature, Store};
use crate::transfer::{MIN, Told};

pub(crate) fn pieces(
    bytes: &Bytes,
    size: usize,
) -> impl Stream<Item = Result<Bytes, io::Error>> + Send + 'static {
    let bytes = bytes.clone();
    let starts = (0..bytes.len()).step_by(size);
    let piece = move |at: usize| Ok(bytes.slice(at..bytes.len().min(at + size)));
    stream::iter(starts.map(piece))
}

#[tokio::test]
async fn any_source_goes_up_in_parts() {
    let store = Store::start().await;
    let bucket = store.bucket().await;
    let folder = Folder::new();
    let path = folder.file("up");
    let bytes = noise(MIN + 12_345);
    let len = bytes.len() as u64;
    std::fs::write(&path, &bytes).unwrap();
    let reader = io::Cursor::new(bytes.clone());
    let cut: Vec<Bytes> = pieces(&bytes, 999_999).map(|p| p.unwrap()).collect().await;
    for (name, source, total) in [
        ("bytes", Source::from(bytes.clone()), true),
        ("stream", Source::stream(len, pieces(&bytes, 70_001)), true),
        (
            "unsized",
            Source::unsized_stream(pieces(&bytes, 70_001)),
            false,
        ),
        ("reader", Source::reader(reader), false),
        ("pieces", Source::pieces(cut), true),
        ("file", Source::file(&path), true),
    ] {
        let told = Told::default();
        let upload = bucket
            .upload(name, source)
            .part_size(MIN as u64)
            .parallel(2);
        let done = upload
            .content_type("video/mp4")
            .metadata("mood", "sleepy")
            .progress(told.report())
            .await
            .unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!((done.parts(), done.size()), (2, len), "{name}");
        told.check(bytes.len(), total.then_some(bytes.len()));
        let object = bucket.get(name).await.unwrap();
        assert_eq!(object.head.etag(), done.etag(), "{name}");
        assert_eq!(object.head.content_type(), Some("video/mp4"));
        assert_eq!(object.head.metadata("mood"), Some("sleepy"));
        assert!(
            object.body.bytes(bytes.len()).await.unwrap() == bytes,
            "{name}"
        );
    }
    assert_eq!(uploads(&bucket).await, 0);
}

#[tokio::test]
async fn what_is_small_goes_up_in_one_request() {
    let store = Store::start().await;
    let bucket = store.bucket().await;
    let folder = Folder::new();
    let path = folder.file("up");
    for size in [0, 1, 100_000] {
        let bytes = noise(size);
        std::fs::write(&path, &bytes).unwrap();
        for source in [
            Source::from(bytes.clone()),
            Source::file(&path),
            Source::stream(size as u64, pieces(&bytes, 7_000)),
            Source::unsized_stream(pieces(&bytes, 7_000)),
        ] {
            let told = Told::default();
            let upload = bucket
                .upload("k", source)
                .part_size(MIN as u64)
                .content_type("a/b");
            let done = upload.progress(told.report()).await.unwrap();
            assert_eq!((done.parts(), done.size()), (1, size as u64));
            told.check(size, Some(size));
            let object = bucket.get("k").await.unwrap();
            assert_eq!(object.head.etag(), done.etag());
            assert!(done.etag().is_some_and(|tag| !tag.contains('-')));
            assert_eq!(object.head.content_type(), Some("a/b"));
            assert!(object.body.bytes(size).await.unwrap() == bytes);
        }
    }
}

#[tokio::test]
async fn an_upload_keeps_to_its_condition() {
    let store = Store::start().await;
    let bucket = store.bucket().await;
    let old = bucket.put("k", "old").await.unwrap();
    let tag = old.etag().unwrap().to_owned();
    let error = bucket
        .upload("k", "new")
        .if_none_match_any()
        .await
        .unwrap_err();
    assert!(error.is_condition_failed(), "{error}");
    let large = || bucket.upload("k", noise(MIN + 1)).part_size(MIN as u64);
    let outcomes = [
        large().if_none_match_any().await,
        large()
            .if_match("\"4a4be40c96ac6314e91d93f38043a634\"")
            .await,
    ];
    for outcome in outcomes {
        if store.lacks(Feature::ConditionsOfCompletions) {
            assert_eq!(outcome.unwrap().parts(), 2);
        } else {
            let error = outcome.unwrap_err();
            assert!(error.is_condition_failed(), "{error}");
            assert_eq!(bucket.head("k").await.unwrap().etag(), Some(&*tag));
        }
    }
    assert_eq!(uploads(&bucket).await, 0, "what was refused is aborted");
    if !store.lacks(Feature::ConditionsOfCompletions) {
        large().if_match(tag).await.unwrap();
    }
}

pub(crate) fn is_part(request: &Request) -> bool {
    request.method() == Method::Put && request.target().contains("partNumber=")
}

fn is_second_part(request: &Request) -> bool {
    is_part(request) && request.target().contains("partNumber=2")
}

#[tokio::test]
async fn a_part_that_failed_is_sent_again() {
    const WRONG: &str = "\"00000000000000000000000000000000\"";
    let store = Store::start().await;
    let plain = store.bucket().await;
    let folder = Folder::new();
    let path = folder.file("up");
    let bytes = noise(MIN + 10);
    std::fs::write(&path, &bytes).unwrap();
    let stream = Source::unsized_stream(pieces(&bytes, 1 << 20));
    for (how, source) in [
        (How::Answer(500, ""), Source::file(&path)),
        (How::Lose, stream),
        (How::Tag(WRONG), Source::from(bytes.clone())),
        (How::Tag(WRONG), Source::file(&path)),
    ] {
        let bucket = with(&store, &plain, Meddler::new(2, is_part, how)).await;
        let done = bucket.upload("k", source).part_size(MIN as u64).await;
        let done = done.unwrap_or_else(|e| panic!("{how:?}: {e}"));
        assert_eq!(done.parts(), 2);
        let object = plain.get("k").await.unwrap();
        assert!(
            object.body.bytes(bytes.len()).await.unwrap() == bytes,
            "{how:?}"
        );
    }
    let always = Meddler::new(u32::MAX, is_part, How::Tag(WRONG));
    let bucket = with(&store, &plain, always).await;
    let upload = bucket.upload("wrong", bytes.clone()).part_size(MIN as u64);
    let error = upload.await.unwrap_err();
    assert_eq!(error.kind(), Kind::Protocol, "{error}");
    assert_eq!(uploads(&plain).await, 0);
}

#[tokio::test]
async fn an_upload_that_fails_leaves_no_parts() {
    let store = Store::start().await;
    let plain = store.bucket().await;
    let refused = How::Answer(403, "<Error><Code>AccessDenied</Code></Error>");
    let bucket = with(&store, &plain, Meddler::new(9, is_second_part, refused)).await;
    let upload = bucket.upload("k", noise(MIN + 10)).part_size(MIN as u64);
    let error = upload.await.unwrap_err();
    assert_eq!(error.code(), Some("AccessDenied"), "{error}");
    assert_eq!(uploads(&plain).await, 0);

    let broken = pieces(&noise(MIN + 10), 1 << 20)
        .chain(stream::iter([Err(io::Error::other("the tape is torn"))]));
    let upload = plain
        .upload("k", Source::unsized_stream(broken))
        .part_size(MIN as u64);
    let error = upload.await.unwrap_err();
    assert_eq!(error.kind(), Kind::Body);
    assert!(error.to_string().contains("the tape is torn"), "{error}");
    let short = Source::stream(2 * MIN as u64, pieces(&noise(MIN + 10), 1 << 20));
    let error = plain
        .upload("k", short)
        .part_size(MIN as u64)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), Kind::Body, "{error}");
    assert_eq!(uploads(&plain).await, 0);
    assert!(plain.get("k").await.unwrap_err().is_not_found());
}

#[tokio::test]
async fn a_file_that_changes_under_way_is_not_stored() {
    let store = Store::start().await;
    let bucket = store.bucket().await;
    let folder = Folder::new();
    let path = folder.file("up");
    std::fs::write(&path, noise(MIN + 10)).unwrap();
    let changing = path.clone();
    let change = move |_| {
        let mut file = std::fs::OpenOptions::new()
            .append(true)
            .open(&changing)
            .unwrap();
        io::Write::write_all(&mut file, b"more").unwrap();
    };
    let upload = bucket
        .upload("k", Source::file(&path))
        .part_size(MIN as u64);
    let error = upload.progress(change).await.unwrap_err();
    assert_eq!(error.kind(), Kind::File);
    assert!(error.to_string().contains("changed"), "{error}");
    assert_eq!(uploads(&bucket).await, 0);
}

#[tokio::test]
async fn an_upload_that_is_dropped_leaves_no_parts() {
    let store = Store::start().await;
    let bucket = store.bucket().await;
    let told = Told::default();
    let endless = pieces(&noise(MIN), 1 << 20).chain(stream::pending());
    let upload = bucket
        .upload("k", Source::unsized_stream(endless))
        .part_size(MIN as u64);
    let running = tokio::spawn(upload.progress(told.report()).send());
    while told.0.lock().unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    assert_eq!(uploads(&bucket).await, 1);
    running.abort();
    assert!(running.await.unwrap_err().is_cancelled());
    while uploads(&bucket).await != 0 {}
}

/// A store that takes parts, and has no answer to a request to abort an upload; what such requests hold.
#[derive(Clone, Debug, Default)]
struct NeverAborts(Arc<Mutex<Option<Arc<()>>>>);

impl NeverAborts {
    /// Whether a request to abort waits for its answer.
    fn waits(&self) -> bool {
        let held = self.0.lock().expect("a lock");
        held.as_ref()
            .is_some_and(|held| Arc::strong_count(held) > 1)
    }
}

impl Transport for NeverAborts {
    fn send(&self, _: &Origin, request: Request) -> ResponseFuture {
        let xml =
            "<InitiateMultipartUploadResult><UploadId>7</UploadId></InitiateMultipartUploadResult>";
        let body = match request.method() {
            Method::Post => xml,
            Method::Delete => {
                let held = Arc::new(());
                *self.0.lock().expect("a lock") = Some(held.clone());
                return ResponseFuture::new(async move {
                    let _held = held;
                    std::future::pending().await
                });
            }
            _ => "",
        };
        let head = Head::new(200, [("etag", &b"\"a\""[..])]);
        ResponseFuture::ready(Ok(Response::new(head, Bytes::from_static(body.as_bytes()))))
    }
}

#[tokio::test(start_paused = true)]
async fn a_dropped_upload_is_cleaned_up_for_a_minute_at_most() {
    let store = NeverAborts::default();
    let client = S3Client::builder()
        .endpoint("http://store.example")
        .credentials(Credentials::new("AKID", "secret"))
        .signature(Signature::V2)
        .transport(store.clone());
    let bucket = client.build().unwrap().bucket("photos");
    let told = Told::default();
    let endless = pieces(&noise(MIN), 1 << 20).chain(stream::pending());
    let upload = bucket
        .upload("k", Source::unsized_stream(endless))
        .part_size(MIN as u64)
        .timeout(Duration::from_secs(3600));
    let running = tokio::spawn(upload.progress(told.report()).send());
    while told.0.lock().unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    running.abort();
    assert!(running.await.unwrap_err().is_cancelled());
    while !store.waits() {
        tokio::task::yield_now().await;
    }
    tokio::time::sleep(Duration::from_secs(59)).await;
    assert!(store.waits());
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(!store.waits());
}
