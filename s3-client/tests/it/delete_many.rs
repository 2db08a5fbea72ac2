//! Many objects at once, removed.

#![allow(
    clippy::unwrap_used,
    reason = "this is test code outside of a test function"
)]

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use aws_core::transport::ResponseFuture;
use bytes::Bytes;
use futures_util::stream;
use pipeline_pool::{Head, Origin, Request, Response};
use s3_client::config::{Status, Versioning};
use s3_client::request::{ObjectId, RetryConfig};
use s3_client::transport::Transport;
use s3_client::{Checksum, Credentials, Kind, S3Client};

use crate::many::fill;
use crate::store::Store;

/// Keys that XML carries with care, and one that it cannot carry.
pub(crate) const HOSTILE: &[&str] = &[
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

pub(crate) fn hostile() -> impl Iterator<Item = String> {
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
