//! Buckets.

use s3_client::Kind;

use crate::store::Store;

#[tokio::test]
async fn buckets() {
    let store = Store::start().await;
    let s3 = store.client();
    let (first, second) = (store.name(), format!("{}.x", store.name()));
    for name in [&first, &second] {
        s3.bucket(name.as_str()).create().await.unwrap();
        s3.bucket(name.as_str()).head_bucket().await.unwrap();
    }
    let listed = s3.list_buckets().await.unwrap();
    for name in [&first, &second] {
        let ours = listed.iter().find(|b| b.name == *name).unwrap();
        assert!(ours.created.is_some());
    }
    assert!(listed.is_sorted_by(|a, b| a.name < b.name));
    s3.bucket(second).delete_bucket().await.unwrap();
    let bucket = s3.bucket(first.as_str());
    bucket.put("k", "x").await.unwrap();
    let error = bucket.delete_bucket().await.unwrap_err();
    assert_eq!(error.code(), Some("BucketNotEmpty"));
    assert_eq!(error.resource(), Some(first.as_str()));
    let error = s3.bucket(store.name()).get("k").await.unwrap_err();
    assert_eq!(
        (error.code(), error.is_not_found(), error.attempts()),
        (Some("NoSuchBucket"), true, 1)
    );
    assert!(error.request_id().is_some(), "{error}");
    for bad in ["x", "a/b", "a?b"] {
        assert_eq!(
            s3.bucket(bad).create().await.unwrap_err().kind(),
            Kind::Invalid
        );
    }
}
