//! Many objects at once.

#![allow(
    clippy::unwrap_used,
    reason = "this is test code outside of a test function"
)]

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use aws_core::transport::ResponseFuture;
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use pipeline_pool::{Head, Origin, Request, Response};
use s3_client::answer::PurgeStep;
use s3_client::config::{Status, Versioning};
use s3_client::request::{ObjectId, RetryConfig};
use s3_client::transport::Transport;
use s3_client::{Bucket, Checksum, Credentials, Kind, S3Client};

use crate::store::Store;

/// Keys that XML carries with care, and one that it cannot carry.
const HOSTILE: &[&str] = &[
    " leading and trailing ",
    "a&b<c>d\"e'f",
    "line\nfeed",
    "carriage\r\nreturn",
    "tab\tand ]]>",
    "\u{1}control",
    "caf\u{e9}/\u{1f600}",
    "plus+plus%41",
    "/leading//slash/",
];

async fn fill(bucket: &Bucket, keys: impl IntoIterator<Item = String>) {
    let keys: Vec<_> = keys.into_iter().collect();
    let items = keys.into_iter().map(|key| (key.clone(), key));
    let mut stored = bucket.put_many(items).concurrency(16).results();
    while let Some((key, stored)) = stored.next().await {
        assert!(stored.is_ok(), "{key:?}: {stored:?}");
    }
}

fn hostile() -> impl Iterator<Item = String> {
    HOSTILE.iter().map(|key| (*key).to_owned())
}

#[tokio::test]
async fn objects_are_deleted_by_the_thousand() {
    let store = Store::start().await;
    let bucket = store.bucket().await;
    let keys: Vec<String> = (0..1203)
        .map(|i| format!("k{i}"))
        .chain(hostile())
        .collect();
    fill(&bucket, keys.clone()).await;
    assert!(!bucket.is_empty().await.unwrap());

    let mut results = bucket.delete_many(keys.clone()).results();
    let mut gone = BTreeSet::new();
    while let Some((id, result)) = results.next().await {
        assert!(result.is_ok(), "{id:?}: {result:?}");
        assert!(gone.insert(id.key), "once");
    }
    assert_eq!(gone, keys.into_iter().collect());
    assert!(bucket.is_empty().await.unwrap());
    // What is not there is no error.
    let summary = bucket.delete_many(["a", "b"]).await.unwrap();
    assert_eq!((summary.deleted, summary.failed), (2, 0));
}

#[tokio::test]
async fn deletions_can_be_quiet_and_summed() {
    let store = Store::start().await;
    let bucket = store.bucket().await;
    let keys: Vec<String> = (0..25).map(|i| format!("k{i}")).chain(hostile()).collect();
    fill(&bucket, keys.clone()).await;
    let count = keys.len() as u64;
    let delete = bucket.delete_many_from(stream::iter(keys)).batch_size(10);
    let summary = delete.quiet(true).checksum(Checksum::Sha256).await.unwrap();
    assert_eq!((summary.deleted, summary.failed), (count, 0));
    assert!(bucket.is_empty().await.unwrap());
    let mut quiet = bucket.delete_many(["a", "b"]).quiet(true).results();
    assert!(quiet.next().await.is_none());
    let nothing = bucket.delete_many(Vec::<String>::new()).await.unwrap();
    assert_eq!((nothing.deleted, nothing.failed), (0, 0));
}

#[tokio::test]
async fn each_key_has_an_error_of_its_own() {
    let store = Store::start().await;
    let bucket = store.bucket().await;
    fill(&bucket, ["a".to_owned(), "b".to_owned()]).await;
    let long = "x".repeat(1025);
    let summary = bucket
        .delete_many(["a", "", &long, "b"].map(str::to_owned))
        .await
        .unwrap();
    assert_eq!((summary.deleted, summary.failed), (2, 2));
    let empty = summary
        .failures
        .iter()
        .find(|(id, _)| id.key.is_empty())
        .unwrap();
    assert_eq!(empty.1.kind(), Kind::Invalid);
    let over = summary
        .failures
        .iter()
        .find(|(id, _)| id.key == long)
        .unwrap();
    assert!(over.1.to_string().contains("1025"), "{}", over.1);
    assert!(bucket.is_empty().await.unwrap());

    let nowhere = store.client().bucket(store.name());
    let summary = nowhere.delete_many(["a", "b", "\u{1}"]).await.unwrap();
    assert_eq!((summary.deleted, summary.failed), (0, 3));
    for (_, error) in &summary.failures {
        assert_eq!(error.code(), Some("NoSuchBucket"));
    }
    for size in [0, 1001] {
        let summary = bucket.delete_many(["a"]).batch_size(size).await.unwrap();
        assert_eq!(summary.failures[0].1.kind(), Kind::Invalid);
        assert!(
            summary.failures[0]
                .1
                .to_string()
                .contains(&size.to_string())
        );
    }
}

#[tokio::test]
async fn long_keys_are_deleted_in_smaller_requests() {
    let store = Store::start().await;
    let bucket = store.bucket().await;
    let keys = (0..250).map(|i| format!("{i}{}", "&".repeat(900)));
    let summary = bucket.delete_many(keys).await.unwrap();
    assert_eq!(
        (summary.deleted, summary.failed),
        (250, 0),
        "{:?}",
        summary.failures.first()
    );
}

#[tokio::test]
async fn versions_are_deleted() {
    let store = Store::start().await;
    let bucket = store.bucket().await;
    bucket
        .put_config(Versioning::from(Status::Enabled))
        .await
        .unwrap();
    let first = bucket.put("k", "1").await.unwrap();
    let second = bucket.put("k", "22").await.unwrap();
    let first = first.version_id().unwrap().to_owned();
    let mut results = bucket
        .delete_many([("k", first.as_str())].map(ObjectId::from))
        .results();
    let (id, removed) = results.next().await.unwrap();
    assert_eq!(id.version_id.as_deref(), Some(first.as_str()));
    assert_eq!(removed.unwrap().version_id, Some(first.clone()));
    let left = bucket.list_versions().await.unwrap();
    assert_eq!(left.versions.len(), 1);
    assert_eq!(
        Some(left.versions[0].version_id.as_str()),
        second.version_id()
    );

    let mut results = bucket.delete_many(["k", "\u{2}"]).results();
    while let Some((_, removed)) = results.next().await {
        let removed = removed.unwrap();
        assert!(
            removed.is_marker && removed.version_id.is_some(),
            "{removed:?}"
        );
    }
    assert!(bucket.is_empty().await.unwrap());
    assert!(!bucket.is_empty().versions(true).await.unwrap());
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

#[tokio::test]
async fn a_bucket_is_purged_of_everything() {
    let store = Store::start().await;
    let bucket = store.bucket().await;
    fill(&bucket, ["old".to_owned()]).await;
    bucket
        .put_config(Versioning::from(Status::Enabled))
        .await
        .unwrap();
    for _ in 0..3 {
        fill(&bucket, (0..7).map(|i| format!("k{i}")).chain(hostile())).await;
    }
    bucket.delete("k1").await.unwrap();
    bucket.delete("never").await.unwrap();
    for key in ["u1", "u1", "u2"] {
        bucket.create_multipart(key).await.unwrap();
    }
    assert!(bucket.delete_bucket().await.is_err());

    let mut steps = bucket.purge().page_size(10).steps();
    let PurgeStep {
        deleted, position, ..
    } = steps.try_next().await.unwrap().unwrap();
    assert!((1..=10).contains(&deleted), "{deleted}");
    drop(steps);
    let mut steps = bucket.purge().page_size(10).resume(position).steps();
    let (mut deleted, mut aborted) = (deleted, 0);
    while let Some(step) = steps.try_next().await.unwrap() {
        assert!(
            step.failures.is_empty() && step.deleted <= 10 && step.aborted <= 10,
            "{step:?}"
        );
        deleted += step.deleted;
        aborted += step.aborted;
    }
    assert_eq!(deleted, 1 + 3 * (7 + HOSTILE.len() as u64) + 2);
    assert_eq!(aborted, 3);
    assert!(bucket.is_empty().versions(true).await.unwrap());
    let again = bucket.purge().await.unwrap();
    assert_eq!((again.deleted, again.aborted, again.failed), (0, 0, 0));
    bucket.delete_bucket().await.unwrap();
    assert!(bucket.purge().await.unwrap_err().is_not_found());
}

#[tokio::test]
async fn a_purge_can_be_of_a_prefix_and_leave_versions() {
    let store = Store::start().await;
    let bucket = store.bucket().await;
    bucket
        .put_config(Versioning::from(Status::Enabled))
        .await
        .unwrap();
    fill(&bucket, (0..12).map(|i| format!("a/{i}"))).await;
    fill(&bucket, ["b".to_owned()]).await;
    let purge = bucket.purge().prefix("a/").versions(false).uploads(false);
    let summary = purge.page_size(5).await.unwrap();
    assert_eq!((summary.deleted, summary.aborted), (12, 0));
    assert!(bucket.is_empty().prefix("a/").await.unwrap());
    assert!(!bucket.is_empty().prefix("a/").versions(true).await.unwrap());
    let summary = bucket.purge().prefix("a/").await.unwrap();
    assert_eq!(summary.deleted, 24);
    let left = bucket.list_versions().await.unwrap();
    assert_eq!(left.versions.len(), 1);
}

/// A store that lists the same objects for ever, and removes none of them or only says so.
#[derive(Clone, Debug)]
struct Stubborn {
    says_removed: bool,
    requests: Arc<AtomicUsize>,
}

impl Transport for Stubborn {
    fn send(&self, _: &Origin, request: Request) -> ResponseFuture {
        let target = request.target();
        self.requests.fetch_add(1, Ordering::Relaxed);
        let page = if target.contains("delete=") && self.says_removed {
            "<DeleteResult/>"
        } else if target.contains("delete=") {
            "<DeleteResult><Error><Key>a</Key><VersionId>1</VersionId><Code>AccessDenied</Code></Error></DeleteResult>"
        } else if target.contains("versions=") && target.contains("key-marker=b") {
            "<ListVersionsResult/>"
        } else if target.contains("versions=") {
            "<ListVersionsResult><IsTruncated>true</IsTruncated><Version><Key>a</Key><VersionId>1</VersionId>\
             </Version><Version><Key>b</Key><VersionId>2</VersionId></Version><NextKeyMarker>b</NextKeyMarker>\
             <NextVersionIdMarker>2</NextVersionIdMarker></ListVersionsResult>"
        } else {
            "<ListMultipartUploadsResult/>"
        };
        let answer = Response::new(Head::new(200, []), Bytes::from_static(page.as_bytes()));
        ResponseFuture::ready(Ok(answer))
    }
}

#[tokio::test]
async fn a_purge_ends_where_objects_stay() {
    for says_removed in [false, true] {
        let store = Stubborn {
            says_removed,
            requests: Arc::default(),
        };
        let client = S3Client::builder().endpoint("http://h");
        let client = client.credentials(Credentials::new("id", "secret"));
        let bucket = client
            .transport(store.clone())
            .build()
            .unwrap()
            .bucket("photos");
        let summary = bucket.purge().await.unwrap();
        if says_removed {
            assert_eq!((summary.deleted, summary.failed), (4, 0));
        } else {
            assert_eq!((summary.deleted, summary.failed), (1, 1));
            let (id, error) = &summary.failures[0];
            assert_eq!(
                (id.key.as_str(), id.version_id.as_deref()),
                ("a", Some("1"))
            );
            assert_eq!(error.code(), Some("AccessDenied"));
        }
        assert!(store.requests.load(Ordering::Relaxed) < 8);
    }
}

/// A store that is too busy for some of the keys that it is told to remove.
#[derive(Clone, Debug, Default)]
struct Busy(Arc<Mutex<Vec<String>>>);

impl Transport for Busy {
    fn send(&self, _: &Origin, request: Request) -> ResponseFuture {
        let document = String::from_utf8(request.whole_body().unwrap().to_vec()).unwrap();
        let mut rounds = self.0.lock().unwrap();
        let mut page = String::from("<DeleteResult>");
        for (key, codes) in [
            ("a", &[][..]),
            ("b", &["SlowDown", "InternalError"][..]),
            ("c", &["ServiceUnavailable"][..]),
            ("d", &["AccessDenied"][..]),
            ("e", &["SlowDown"; 9][..]),
        ] {
            if !document.contains(&format!("<Key>{key}</Key>")) {
                continue;
            }
            page += &match codes.get(rounds.len()) {
                None => format!("<Deleted><Key>{key}</Key></Deleted>"),
                Some(code) => format!("<Error><Key>{key}</Key><Code>{code}</Code></Error>"),
            };
        }
        page += "</DeleteResult>";
        rounds.push(document);
        let answer = Response::new(Head::new(200, []), Bytes::from(page));
        ResponseFuture::ready(Ok(answer))
    }
}

#[tokio::test(start_paused = true)]
async fn keys_that_a_store_was_too_busy_for_are_asked_for_again() {
    let (often, few) = (RetryConfig::new(), RetryConfig::none());
    for (retry, once, rounds, failed) in [
        (often.clone(), false, 4, &["d", "e"][..]),
        (few, false, 1, &["b", "c", "d", "e"]),
        // What may have run is not sent twice: only refusals are.
        (often, true, 4, &["b", "c", "d", "e"]),
    ] {
        let busy = Busy::default();
        let client = S3Client::builder().endpoint("http://h").retry(retry);
        let client = client.credentials(Credentials::new("id", "secret"));
        let client = client.transport(busy.clone()).build().unwrap();
        let delete = client
            .bucket("photos")
            .delete_many(["a", "b", "c", "d", "e"]);
        let delete = if once { delete.once() } else { delete };
        let summary = delete.await.unwrap();
        let mut keys: Vec<_> = summary
            .failures
            .iter()
            .map(|(id, error)| (id.key.as_str(), error.code().unwrap()))
            .collect();
        keys.sort_unstable();
        assert_eq!(keys.iter().map(|(key, _)| *key).collect::<Vec<_>>(), failed);
        assert!(keys.contains(&("d", "AccessDenied")) && keys.contains(&("e", "SlowDown")));
        assert_eq!(summary.deleted, 5 - failed.len() as u64);
        let sent = busy.0.lock().unwrap();
        assert_eq!(sent.len(), rounds);
        // Nothing that is done or is refused for good is asked for again.
        for later in &sent[1..] {
            assert!(
                !later.contains("<Key>a<") && !later.contains("<Key>d<"),
                "{later}"
            );
        }
    }
}

/// Counts the requests under way.
#[derive(Clone, Debug, Default)]
struct Counting {
    now: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
}

impl Transport for Counting {
    fn send(&self, _: &Origin, _: Request) -> ResponseFuture {
        let counts = self.clone();
        let now = counts.now.fetch_add(1, Ordering::Relaxed) + 1;
        counts.most.fetch_max(now, Ordering::Relaxed);
        ResponseFuture::new(async move {
            for _ in 0..3 {
                tokio::task::yield_now().await;
            }
            counts.now.fetch_sub(1, Ordering::Relaxed);
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
