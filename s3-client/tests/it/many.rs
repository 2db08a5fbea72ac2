//! Many objects at once, fetched and stored.

#![allow(
    clippy::unwrap_used,
    reason = "this is test code outside of a test function"
)]

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use aws_core::transport::ResponseFuture;
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use pipeline_pool::{Head, Origin, Request, Response};
use s3_client::transport::Transport;
use s3_client::{Bucket, Credentials, S3Client};

use crate::delete_many::hostile;
use crate::store::Store;

pub(crate) async fn fill(bucket: &Bucket, keys: impl IntoIterator<Item = String>) {
    let keys: Vec<_> = keys.into_iter().collect();
    let items = keys.into_iter().map(|key| (key.clone(), key));
    let mut stored = bucket.put_many(items).concurrency(16).results();
    while let Some((key, stored)) = stored.next().await {
        assert!(stored.is_ok(), "{key:?}: {stored:?}");
    }
}

#[tokio::test]
async fn objects_are_fetched_many_at_once() {
    let store = Store::start().await;
    let bucket = store.bucket().await;
    let keys: Vec<String> = (0..40).map(|i| format!("k{i}")).chain(hostile()).collect();
    fill(&bucket, keys.clone()).await;
    let asked = keys.iter().cloned().chain(["missing".to_owned()]);
    let mut results = bucket
        .get_many(asked.collect::<Vec<_>>())
        .concurrency(8)
        .results();
    let mut seen = BTreeSet::new();
    while let Some((key, object)) = results.next().await {
        if key == "missing" {
            assert!(object.unwrap_err().is_not_found());
            continue;
        }
        assert_eq!(object.unwrap().body.bytes(100).await.unwrap(), key);
        seen.insert(key);
    }
    assert_eq!(seen, keys.iter().cloned().collect());

    let first = bucket.get_many_from(stream::iter(["k1", "k2"]));
    let first = first.each(|get| get.range(..1)).results();
    let bodies: Vec<_> = first
        .then(|(_, object)| async { object.unwrap().body.bytes(9).await.unwrap() })
        .collect()
        .await;
    assert_eq!(bodies, ["k", "k"]);
}

#[tokio::test]
async fn a_listing_is_fetched_through_a_filter() {
    let store = Store::start().await;
    let bucket = store.bucket().await;
    fill(&bucket, (0..30).map(|i| format!("p/{i}"))).await;
    fill(&bucket, ["other".to_owned()]).await;
    let listed = bucket.list().prefix("p/").page_size(7).get_many();
    let mut listed = listed
        .filter(|info| info.key.ends_with('3'))
        .concurrency(4)
        .results();
    let mut seen = BTreeSet::new();
    while let Some(found) = listed.next().await {
        let (info, object) = found.unwrap();
        assert_eq!(object.unwrap().body.bytes(100).await.unwrap(), info.key);
        seen.insert(info.key);
    }
    assert_eq!(seen, ["p/13", "p/23", "p/3"].map(str::to_owned).into());

    let nowhere = store.client().bucket(store.name());
    let mut listed = nowhere
        .list()
        .get_many()
        .each(|get| get.range(..1))
        .results();
    let error = listed.next().await.unwrap().unwrap_err();
    assert_eq!(error.code(), Some("NoSuchBucket"));
    assert!(listed.next().await.is_none());
}

#[tokio::test]
async fn an_endless_source_is_asked_only_for_what_is_under_way() {
    let store = Store::start().await;
    let bucket = store.bucket().await;
    let asked = Arc::new(AtomicUsize::new(0));
    let source = |asked: &Arc<AtomicUsize>| {
        let asked = asked.clone();
        std::iter::repeat_with(move || asked.fetch_add(1, Ordering::Relaxed))
    };
    let items = source(&asked).map(|i| (format!("k{}", i % 50), "x"));
    let mut stored = bucket.put_many(items).concurrency(7).results();
    for read in 1..=200 {
        stored.next().await.unwrap().1.unwrap();
        let asked = asked.load(Ordering::Relaxed);
        assert!(asked <= read + 7, "{asked} asked, {read} read");
    }
    drop(stored);
    let asked = Arc::new(AtomicUsize::new(0));
    let keys = source(&asked).map(|i| format!("k{}", i % 50));
    let mut got = bucket.get_many(keys).concurrency(7).results();
    for read in 1..=200 {
        got.next().await.unwrap().1.unwrap();
        let asked = asked.load(Ordering::Relaxed);
        assert!(asked <= read + 7, "{asked} asked, {read} read");
    }
    let asked = Arc::new(AtomicUsize::new(0));
    let keys = source(&asked).map(|i| format!("d{i}"));
    let mut gone = bucket
        .delete_many(keys)
        .batch_size(10)
        .concurrency(3)
        .results();
    for read in 1..=200 {
        gone.next().await.unwrap().1.unwrap();
        let asked = asked.load(Ordering::Relaxed);
        assert!(asked <= read + 4 * 10, "{asked} asked, {read} read");
    }
}

/// Counts the requests under way.
#[derive(Clone, Debug, Default)]
struct Counting {
    now: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
}

/// A request that is counted until it ends or is dropped.
struct UnderWay(Arc<AtomicUsize>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Transport for Counting {
    fn send(&self, _: &Origin, _: Request) -> ResponseFuture {
        let now = self.now.fetch_add(1, Ordering::Relaxed) + 1;
        self.most.fetch_max(now, Ordering::Relaxed);
        let under_way = UnderWay(self.now.clone());
        ResponseFuture::new(async move {
            for _ in 0..3 {
                tokio::task::yield_now().await;
            }
            drop(under_way);
            Ok(Response::new(Head::new(200, []), Bytes::new()))
        })
    }
}

#[tokio::test]
async fn no_more_requests_run_than_were_allowed() {
    let counts = Counting::default();
    let client = S3Client::builder().endpoint("http://h");
    let client = client.credentials(Credentials::new("id", "secret"));
    let bucket = client
        .transport(counts.clone())
        .build()
        .unwrap()
        .bucket("photos");
    let keys = (0u64..).map(|i| i.to_string());
    let mut got = bucket.get_many(keys.clone()).concurrency(9).results();
    for _ in 0..500 {
        got.next().await.unwrap().1.unwrap();
    }
    drop(got);
    let mut stored = bucket
        .put_many(keys.map(|key| (key, "x")))
        .concurrency(9)
        .results();
    for _ in 0..500 {
        stored.next().await.unwrap().1.unwrap();
    }
    assert_eq!(counts.most.load(Ordering::Relaxed), 9);
}
