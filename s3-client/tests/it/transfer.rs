//! What transfers in parts have in common, up and down.

use std::io;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures_util::stream;
use s3_client::answer::Progress;
use s3_client::{Kind, Source};

use crate::files::Folder;
use crate::store::Store;

pub(crate) const MIN: usize = 5 << 20;

/// What was told of progress, which has to grow.
#[derive(Clone, Default)]
pub(crate) struct Told(pub(crate) Arc<Mutex<Vec<Progress>>>);

impl Told {
    pub(crate) fn report(&self) -> impl Fn(Progress) + Send + Sync + 'static {
        let told = self.0.clone();
        move |progress| told.lock().expect("a lock").push(progress)
    }

    pub(crate) fn check(&self, size: usize, total: Option<usize>) {
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
