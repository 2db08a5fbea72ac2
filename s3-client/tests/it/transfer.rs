//! Whole objects in parts, up and down.

use std::io;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, stream};
use pipeline_pool::{Method, Request};
use s3_client::answer::Progress;
use s3_client::{Kind, Source};

use crate::files::{Folder, noise};
use crate::multipart::{How, Meddler, uploads, with};
use crate::store::{Feature, Store};

pub(crate) const MIN: usize = 5 << 20;

fn pieces(
    bytes: &Bytes,
    size: usize,
) -> impl Stream<Item = Result<Bytes, io::Error>> + Send + 'static {
    let bytes = bytes.clone();
    let starts = (0..bytes.len()).step_by(size);
    let piece = move |at: usize| Ok(bytes.slice(at..bytes.len().min(at + size)));
    stream::iter(starts.map(piece))
}

/// What was told of progress, which has to grow.
#[derive(Clone, Default)]
struct Told(Arc<Mutex<Vec<Progress>>>);

impl Told {
    fn report(&self) -> impl Fn(Progress) + Send + Sync + 'static {
        let told = self.0.clone();
        move |progress| told.lock().expect("a lock").push(progress)
    }

    fn check(&self, size: usize, total: Option<usize>) {
        let told = self.0.lock().expect("a lock");
        assert!(told.is_sorted_by_key(|progress| progress.bytes));
        assert_eq!(
            told.last().map(|progress| progress.bytes),
            Some(size as u64)
        );
        assert!(
            told.iter()
                .all(|progress| progress.total == total.map(|n| n as u64))
        );
    }
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

#[tokio::test]
async fn what_breaks_a_limit_is_not_sent() {
    let store = Store::start().await;
    let bucket = store.bucket().await;
    let folder = Folder::new();
    let none = || stream::empty::<Result<Bytes, io::Error>>();
    let over = 10_000 * (5 << 30) + 1;
    for (error, word) in [
        (bucket.upload("", "x").await.unwrap_err(), "empty"),
        (
            bucket
                .upload("k", "x")
                .part_size(MIN as u64 - 1)
                .await
                .unwrap_err(),
            "5242879",
        ),
        (
            bucket
                .upload("k", "x")
                .part_size((5 << 30) + 1)
                .await
                .unwrap_err(),
            "5368709121",
        ),
        (
            bucket
                .upload("k", Source::stream(over, none()))
                .await
                .unwrap_err(),
            "53687091200001",
        ),
        (
            bucket
                .upload("k", "x")
                .metadata("a b", "x")
                .await
                .unwrap_err(),
            "a b",
        ),
        (
            bucket
                .put("k", Source::unsized_stream(none()))
                .await
                .unwrap_err(),
            "unknown length",
        ),
        (
            bucket
                .download("k")
                .part_size(1)
                .to_file(folder.file("k"))
                .await
                .unwrap_err(),
            "65536",
        ),
        (
            bucket
                .download("")
                .to_file(folder.file("k"))
                .await
                .unwrap_err(),
            "empty",
        ),
    ] {
        assert_eq!(error.kind(), Kind::Invalid, "{error}");
        assert!(error.to_string().contains(word), "{error}");
    }
    let error = bucket
        .upload("k", Source::file(folder.file("none")))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), Kind::File);
    assert!(folder.names().is_empty());
}

#[tokio::test]
async fn an_object_comes_down_in_ranges() {
    let store = Store::start().await;
    let bucket = store.bucket().await;
    let folder = Folder::new();
    let path = folder.file("down");
    for size in [0, 1, 1 << 20, (3 << 20) + 5] {
        let bytes = noise(size);
        bucket.put("k", bytes.clone()).await.unwrap();
        for resumable in [false, true] {
            let told = Told::default();
            let download = bucket
                .download("k")
                .part_size(1 << 20)
                .progress(told.report());
            let head = download
                .to_file(&path)
                .resumable(resumable)
                .sync(resumable)
                .await
                .unwrap();
            assert_eq!(head.size(), Some(size as u64));
            told.check(size, Some(size));
            assert!(std::fs::read(&path).unwrap() == bytes);
            assert_eq!(folder.names(), ["down"]);
        }
    }
}

fn is_range(request: &Request) -> bool {
    request.headers().any(|(name, _)| name == "range")
}

fn is_later_range(request: &Request) -> bool {
    let later = |(name, value): (&str, &str)| name == "range" && !value.starts_with("bytes=0-");
    request.headers().any(later)
}

#[tokio::test]
async fn a_range_that_is_cut_off_goes_on() {
    let store = Store::start().await;
    let plain = store.bucket().await;
    let folder = Folder::new();
    let path = folder.file("down");
    let bytes = noise(2 << 20);
    plain.put("k", bytes.clone()).await.unwrap();
    let bucket = with(&store, &plain, Meddler::new(5, is_range, How::Cut(300_000))).await;
    let told = Told::default();
    let download = bucket
        .download("k")
        .part_size(1 << 20)
        .progress(told.report());
    download.to_file(&path).await.unwrap();
    told.check(bytes.len(), Some(bytes.len()));
    assert!(std::fs::read(&path).unwrap() == bytes);
    // One that never gets on is given up, and nothing is left of it.
    std::fs::remove_file(&path).unwrap();
    let bucket = with(
        &store,
        &plain,
        Meddler::new(u32::MAX, is_range, How::Cut(0)),
    )
    .await;
    let error = bucket.download("k").to_file(&path).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Closed, "{error}");
    assert!(folder.names().is_empty());
}

#[tokio::test]
async fn an_object_that_is_replaced_under_way_is_an_error() {
    let store = Store::start().await;
    let bucket = store.bucket().await;
    let folder = Folder::new();
    bucket.put("k", noise(2 << 20)).await.unwrap();
    let changed = How::Answer(412, "<Error><Code>PreconditionFailed</Code></Error>");
    let meddled = with(&store, &bucket, Meddler::new(1, is_later_range, changed)).await;
    let download = meddled
        .download("k")
        .part_size(1 << 20)
        .to_file(folder.file("down"));
    let error = download.await.unwrap_err();
    assert!(error.is_condition_failed(), "{error}");
    let missing = bucket.download("none").to_file(folder.file("down")).await;
    assert!(missing.unwrap_err().is_not_found());
    let nowhere = bucket
        .download("k")
        .to_file(folder.file("no/such/folder"))
        .await;
    assert_eq!(nowhere.unwrap_err().kind(), Kind::File);
    assert!(folder.names().is_empty());
    // Every range is asked for on that condition.
    let unasked: fn(&Request) -> bool =
        |request| is_range(request) && !request.headers().any(|(name, _)| name == "if-match");
    let meddled = with(&store, &bucket, Meddler::new(9, unasked, changed)).await;
    meddled
        .download("k")
        .part_size(1 << 20)
        .to_file(folder.file("down"))
        .await
        .unwrap();
}

#[tokio::test]
async fn a_download_goes_on_where_it_was_interrupted() {
    let store = Store::start().await;
    let plain = store.bucket().await;
    let folder = Folder::new();
    let path = folder.file("down");
    let bytes = noise(4 << 20);
    plain.put("k", bytes.clone()).await.unwrap();
    let refused = How::Answer(403, "<Error><Code>AccessDenied</Code></Error>");
    let interrupted = async || {
        // The first ranges come, one after another.
        let second_half: fn(&Request) -> bool = |request| {
            let late = |value: &str| value.starts_with("bytes=2097152-");
            request
                .headers()
                .any(|(name, value)| name == "range" && late(value))
        };
        let bucket = with(&store, &plain, Meddler::new(9, second_half, refused)).await;
        let download = bucket.download("k").part_size(1 << 20).parallel(1);
        let error = download.to_file(&path).resumable(true).await.unwrap_err();
        assert_eq!(error.code(), Some("AccessDenied"), "{error}");
        assert_eq!(folder.names(), ["down.part", "down.part-state"]);
    };
    let first_half: fn(&Request) -> bool = |request| {
        let early = |value: &str| {
            ["bytes=0-", "bytes=1048576-"]
                .iter()
                .any(|s| value.starts_with(s))
        };
        request
            .headers()
            .any(|(name, value)| name == "range" && early(value))
    };

    interrupted().await;
    // What is there is not asked for again.
    let bucket = with(&store, &plain, Meddler::new(9, first_half, refused)).await;
    let told = Told::default();
    let download = bucket.download("k").progress(told.report());
    download.to_file(&path).resumable(true).await.unwrap();
    assert_eq!(told.0.lock().unwrap()[0].bytes, 2 << 20);
    told.check(bytes.len(), Some(bytes.len()));
    assert!(std::fs::read(&path).unwrap() == bytes);
    assert_eq!(folder.names(), ["down"]);

    // What has been damaged meanwhile is found, and not kept for the next time.
    std::fs::remove_file(&path).unwrap();
    interrupted().await;
    let mut partial = std::fs::read(folder.file("down.part")).unwrap();
    partial[5] ^= 1;
    std::fs::write(folder.file("down.part"), partial).unwrap();
    let error = plain
        .download("k")
        .to_file(&path)
        .resumable(true)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), Kind::Protocol, "{error}");
    assert!(folder.names().is_empty());

    // Another object is fetched from its start, and so is one whose state cannot be read or has lost its file.
    for spoil in 0..3 {
        interrupted().await;
        match spoil {
            0 => drop(plain.put("k", bytes.slice(1..)).await.unwrap()),
            1 => std::fs::write(folder.file("down.part-state"), "?").unwrap(),
            _ => std::fs::remove_file(folder.file("down.part")).unwrap(),
        }
        plain
            .download("k")
            .to_file(&path)
            .resumable(true)
            .await
            .unwrap();
        let expected = if spoil == 0 {
            bytes.slice(1..)
        } else {
            bytes.clone()
        };
        assert!(std::fs::read(&path).unwrap() == expected, "{spoil}");
        assert_eq!(folder.names(), ["down"]);
        std::fs::remove_file(&path).unwrap();
        plain.put("k", bytes.clone()).await.unwrap();
    }
}

#[tokio::test]
async fn a_download_that_is_dropped_leaves_nothing() {
    let store = Store::start().await;
    let bucket = store.bucket().await;
    let folder = Folder::new();
    bucket.put("k", noise(8 << 20)).await.unwrap();
    let told = Told::default();
    let download = bucket
        .download("k")
        .part_size(64 << 10)
        .parallel(1)
        .progress(told.report());
    let running = tokio::spawn(download.to_file(folder.file("down")).send());
    while told.0.lock().unwrap().len() < 2 {
        tokio::task::yield_now().await;
    }
    assert_eq!(folder.names().len(), 1);
    running.abort();
    assert!(running.await.unwrap_err().is_cancelled());
    assert!(folder.names().is_empty());
}

#[tokio::test]
async fn nothing_secret_is_shown() {
    let store = Store::start().await;
    let bucket = store.bucket().await;
    let upload = bucket
        .upload("k", "hush")
        .metadata("a", "hush")
        .header("x-secret", "hush");
    let download = bucket
        .download("k")
        .header("x-secret", "hush")
        .to_file("/tmp/k");
    let shown = format!("{upload:?} {download:?}");
    assert!(!shown.contains("hush"), "{shown}");
}
