//! Versions of objects, and markers in place of those that are deleted.

use s3_client::Bucket;
use s3_client::config::{Status, Versioning};

use crate::store::{Feature, Store};

async fn versioned(store: &Store) -> Bucket {
    let bucket = store.bucket().await;
    let enabled = bucket.put_config(Versioning::from(Status::Enabled)).await;
    enabled.expect("a bucket that keeps versions");
    bucket
}

async fn text(get: s3_client::request::Get) -> String {
    let object = get.await.expect("an object");
    let bytes = object.body.bytes(99).await.expect("its body");
    String::from_utf8_lossy(&bytes).into_owned()
}

#[tokio::test]
async fn an_upload_tells_the_version_that_it_made() {
    let store = Store::start().await;
    let bucket = versioned(&store).await;
    let done = bucket.upload("k", "one").await.unwrap();
    let head = bucket.head("k").await.unwrap();
    assert!(head.version_id().is_some());
    assert_eq!(done.version_id(), head.version_id());
    let version = done.version_id().unwrap();
    bucket.delete("k").version(version).await.unwrap();
    bucket.delete_bucket().await.unwrap();
}

#[tokio::test]
async fn each_put_adds_a_version() {
    let store = Store::start().await;
    let bucket = versioned(&store).await;
    let mut ids = Vec::new();
    for body in ["one", "two", "three"] {
        let stored = bucket.put("k", body).await.unwrap();
        ids.push(stored.version_id().unwrap().to_owned());
    }
    assert_eq!(text(bucket.get("k")).await, "three");
    assert_eq!(text(bucket.get("k").version(&ids[0])).await, "one");
    let head = bucket.head("k").version(&ids[1]).await.unwrap();
    assert_eq!(
        (head.version_id(), head.size()),
        (Some(ids[1].as_str()), Some(3))
    );

    // An old version is restored by copying it over the current one.
    let copied = bucket.copy("k", "k").from_version(&ids[0]);
    let copied = copied.await.unwrap();
    let current = bucket.head("k").await.unwrap();
    let current = current.version_id().unwrap();
    let told = |id| (!store.lacks(Feature::VersionsOfCopies)).then_some(id);
    assert_eq!(copied.source_version_id(), told(ids[0].as_str()));
    assert_eq!(copied.version_id(), told(current));
    assert_eq!(text(bucket.get("k")).await, "one");
    ids.push(current.to_owned());

    let marker = bucket.delete("k").await.unwrap();
    assert!(marker.is_marker());
    let marker = marker.version_id().unwrap().to_owned();
    assert!(bucket.get("k").await.unwrap_err().is_not_found());
    let on_marker = bucket.head("k").version(&marker).await.unwrap_err();
    assert!(matches!(on_marker.status(), Some(404 | 405)));
    assert_eq!(text(bucket.get("k").version(&ids[2])).await, "three");

    let removed = bucket.delete("k").version(&marker).await.unwrap();
    assert!(removed.is_marker() && removed.version_id() == Some(marker.as_str()));
    assert_eq!(text(bucket.get("k")).await, "one");
    for id in &ids {
        let removed = bucket.delete("k").version(id).await.unwrap();
        assert!(!removed.is_marker() && removed.version_id() == Some(id.as_str()));
    }
    assert!(bucket.get("k").await.unwrap_err().is_not_found());
    let gone = bucket.get("k").version(&ids[0]).await.unwrap_err();
    assert!(gone.is_not_found());
    bucket.delete_bucket().await.unwrap();
}

#[tokio::test]
async fn while_suspended_the_null_version_is_replaced() {
    let store = Store::start().await;
    let bucket = store.bucket().await;
    let plain = bucket.put("k", "before").await.unwrap();
    assert_eq!(plain.version_id(), None);
    bucket
        .put_config(Versioning::from(Status::Enabled))
        .await
        .unwrap();
    let kept = bucket.put("k", "kept").await.unwrap();
    let kept = kept.version_id().unwrap();
    assert_eq!(text(bucket.get("k").version("null")).await, "before");
    bucket
        .put_config(Versioning::from(Status::Suspended))
        .await
        .unwrap();
    bucket.put("k", "after").await.unwrap();
    assert_eq!(text(bucket.get("k").version("null")).await, "after");
    assert_eq!(text(bucket.get("k").version(kept)).await, "kept");

    // The marker is the null version now.
    assert!(bucket.delete("k").await.unwrap().is_marker());
    assert!(bucket.get("k").await.unwrap_err().is_not_found());
    let removed = bucket.delete("k").version("null").await.unwrap();
    assert_eq!(removed.is_marker(), !store.lacks(Feature::NullMarkers));
    assert_eq!(text(bucket.get("k")).await, "kept");
    bucket.delete("k").version(kept).await.unwrap();
    bucket.delete_bucket().await.unwrap();
}

#[tokio::test]
async fn tags_and_access_are_of_a_version() {
    let store = Store::start().await;
    let bucket = versioned(&store).await;
    let mut ids = Vec::new();
    for mood in ["sleepy", "awake"] {
        let stored = bucket.put("k", mood).tag("mood", mood).await.unwrap();
        ids.push(stored.version_id().unwrap().to_owned());
    }
    let old = || bucket.get_object_tagging("k").version(&ids[0]);
    assert_eq!(old().await.unwrap().tags[0].value, "sleepy");
    let current = bucket.get_object_tagging("k").await.unwrap();
    assert_eq!(current.tags[0].value, "awake");
    let gone = bucket.delete_object_tagging("k").version(&ids[0]);
    gone.await.unwrap();
    assert!(old().await.unwrap().tags.is_empty());
    let current = bucket.get_object_tagging("k").await.unwrap();
    assert_eq!(current.tags.len(), 1);
    let acl = bucket.get_object_acl("k").version(&ids[0]).await.unwrap();
    let public = s3_client::config::CannedAcl::PublicRead;
    let put = bucket.put_object_acl("k", public).version(&ids[0]);
    put.await.unwrap();
    let now = bucket.get_object_acl("k").version(&ids[0]).await.unwrap();
    assert_eq!((acl.grants.len(), now.grants.len()), (1, 2));
    let current = bucket.get_object_acl("k").await.unwrap();
    assert_eq!(current.grants.len(), 1);
    for id in &ids {
        bucket.delete("k").version(id).await.unwrap();
    }
}
