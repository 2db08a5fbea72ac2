//! Everything is removed from a bucket.

#![allow(
    clippy::unwrap_used,
    reason = "this is test code outside of a test function"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use aws_core::transport::ResponseFuture;
use bytes::Bytes;
use pipeline_pool::{Head, Origin, Request, Response};
use s3_client::answer::PurgeStep;
use s3_client::config::{Status, Versioning};
use s3_client::transport::Transport;
use s3_client::{Credentials, S3Client};

use crate::delete_many::{HOSTILE, hostile};
use crate::many::fill;
use crate::store::Store;

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
