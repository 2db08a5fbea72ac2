//! Whole objects come down in ranges.

use pipeline_pool::Request;
use s3_client::Kind;

use crate::files::{Folder, noise};
use crate::meddler::{How, Meddler, with};
use crate::store::Store;
use crate::transfer::Told;

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
async fn a_range_that_is_too_long_is_an_error() {
    let store = Store::start().await;
    let plain = store.bucket().await;
    let folder = Folder::new();
    plain.put("k", noise(2 << 20)).await.unwrap();
    for which in [is_range, is_later_range] {
        let bucket = with(&store, &plain, Meddler::new(1, which, How::Lengthen(1))).await;
        let download = bucket.download("k").part_size(1 << 20);
        let error = download.to_file(folder.file("down")).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Protocol, "{error}");
        assert!(
            error.to_string().contains("longer than its range"),
            "{error}"
        );
        assert!(folder.names().is_empty());
    }
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
    // A file that was there before stays as it was.
    for before in [None, Some("before")] {
        if let Some(text) = before {
            std::fs::write(folder.file("down"), text).unwrap();
        }
        let there = folder.names();
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
        assert_eq!(folder.names().len(), there.len() + 1);
        running.abort();
        assert!(running.await.unwrap_err().is_cancelled());
        assert_eq!(folder.names(), there);
        let left = std::fs::read_to_string(folder.file("down")).ok();
        assert_eq!(left.as_deref(), before);
    }
}
