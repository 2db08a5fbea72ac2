//! Object lock: versions that cannot be removed, for a time or until they are let go.

#![allow(
    clippy::unwrap_used,
    reason = "this is test code outside of a test function"
)]

use std::time::{Duration, SystemTime};

use s3_client::config::{
    DefaultRetention, LegalHold, LockRule, ObjectLock, Retention, RetentionMode, Status, Versioning,
};
use s3_client::request::ObjectId;
use s3_client::{Bucket, Kind};

use crate::store::{Feature, Store};

use RetentionMode::Governance;

/// To the second, as some stores keep it.
fn after(seconds: u64) -> SystemTime {
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    SystemTime::UNIX_EPOCH + Duration::from_secs(now.as_secs() + seconds)
}

async fn locking(store: &Store) -> Bucket {
    let bucket = store.client().bucket(store.name());
    bucket.create().object_lock(true).await.unwrap();
    bucket
}

/// Lets a version go, whatever keeps it.
async fn let_go(bucket: &Bucket, key: &str, version: &str) {
    let hold = bucket.put_object_legal_hold(key, false).version(version);
    hold.await.unwrap();
    let delete = bucket.delete(key).version(version).bypass_governance();
    delete.await.unwrap();
}

#[tokio::test]
async fn buckets_are_made_for_locks() {
    let store = Store::start().await;
    let bucket = locking(&store).await;
    let versioning = bucket.get_config::<Versioning>().await.unwrap();
    assert_eq!(versioning.status, Some(Status::Enabled));
    let found = bucket.get_config::<ObjectLock>().await.unwrap();
    assert_eq!((found.enabled, found.rule), (Some(Status::Enabled), None));
    for lock in [
        ObjectLock::days(Governance, 1),
        ObjectLock::years(Governance, 2),
    ] {
        bucket.put_config(lock.clone()).await.unwrap();
        assert_eq!(bucket.get_config::<ObjectLock>().await.unwrap(), lock);
    }
    // What says nothing is kept as the bucket says.
    let put = bucket.put("k", "x").content_md5(true).await.unwrap();
    let kept = bucket.head("k").await.unwrap().retention().unwrap();
    assert_eq!(kept.mode, Some(Governance));
    assert!(kept.until.unwrap() > after(700 * 86_400));
    let_go(&bucket, "k", put.version_id().unwrap()).await;
    let suspended = bucket
        .put_config(Versioning::from(Status::Suspended))
        .await
        .unwrap_err();
    assert_eq!(suspended.status(), Some(409));

    let other = store.bucket().await;
    let missing = other.get_config::<ObjectLock>().await.unwrap_err();
    assert_eq!(missing.code(), Some("ObjectLockConfigurationNotFoundError"));
    assert!(missing.is_not_found());
    let late = other.put_config(ObjectLock::days(Governance, 1));
    assert_eq!(late.await.unwrap_err().code(), Some("InvalidBucketState"));
    let put = other.put("k", "x").retention(Governance, after(60));
    assert_eq!(put.await.unwrap_err().code(), Some("InvalidRequest"));
    let both = DefaultRetention::new().mode(Governance).days(1).years(1);
    let both = ObjectLock::new().rule(LockRule::new().default_retention(both));
    let error = bucket.put_config(both).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Invalid);
}

#[tokio::test]
async fn locked_versions_stay() {
    let store = Store::start().await;
    let bucket = locking(&store).await;
    let until = after(3600);
    let kept = bucket.put("kept", "x").retention(Governance, until);
    let kept = kept.await.unwrap();
    let held = bucket.put("held", "x").legal_hold(true).await.unwrap();
    let (kept, held) = (kept.version_id().unwrap(), held.version_id().unwrap());
    let head = bucket.head("kept").await.unwrap();
    assert_eq!(head.retention(), Some((Governance, until).into()));
    let object = bucket.get("held").await.unwrap();
    assert_eq!(object.head.legal_hold(), Some(true));
    // A marker hides them, and is removed again.
    for key in ["kept", "held"] {
        let marker = bucket.delete(key).await.unwrap();
        assert!(marker.is_marker());
        let marker = marker.version_id().unwrap();
        bucket.delete(key).version(marker).await.unwrap();
    }
    for (key, version) in [("kept", kept), ("held", held)] {
        let error = bucket.delete(key).version(version).await.unwrap_err();
        assert_eq!(error.code(), Some("AccessDenied"), "{key}");
    }
    // Nobody passes a hold.
    let delete = bucket.delete("held").version(held).bypass_governance();
    assert_eq!(delete.await.unwrap_err().code(), Some("AccessDenied"));
    let ids = || {
        [
            ObjectId::from(("kept", kept)),
            ObjectId::from(("held", held)),
        ]
    };
    let summary = bucket.delete_many(ids()).await.unwrap();
    assert_eq!((summary.deleted, summary.failed), (0, 2));
    for (_, error) in &summary.failures {
        assert_eq!(error.code(), Some("AccessDenied"));
    }
    assert!(bucket.head("kept").await.is_ok() && bucket.head("held").await.is_ok());
    let hold = bucket.put_object_legal_hold("held", false).version(held);
    hold.await.unwrap();
    let summary = bucket.delete_many(ids()).bypass_governance();
    assert_eq!(summary.await.unwrap().deleted, 2);
    assert!(bucket.list_versions().await.unwrap().versions.is_empty());
}

#[tokio::test]
async fn retention_and_hold_are_changed() {
    let store = Store::start().await;
    let bucket = locking(&store).await;
    let old = bucket.put("k", "1").await.unwrap();
    let new = bucket.put("k", "2").await.unwrap();
    let (old, new) = (old.version_id().unwrap(), new.version_id().unwrap());
    for missing in [
        bucket.get_object_retention("k").await.map(drop),
        bucket.get_object_legal_hold("k").await.map(drop),
        bucket.get_object_retention("none").await.map(drop),
    ] {
        let error = missing.unwrap_err();
        assert!(error.is_not_found(), "{error}");
    }
    let (sooner, later) = (after(3600), after(7200));
    let set = |until| bucket.put_object_retention("k", (Governance, until));
    set(sooner).version(old).await.unwrap();
    set(later).version(old).await.unwrap();
    let found = bucket.get_object_retention("k").version(old).await.unwrap();
    assert_eq!(found, (Governance, later).into());
    assert_eq!(bucket.head("k").await.unwrap().retention(), None);
    // To bring it forward takes more.
    let error = set(sooner).version(old).await.unwrap_err();
    assert_eq!(error.code(), Some("AccessDenied"));
    set(sooner).version(old).bypass_governance().await.unwrap();
    let found = bucket.get_object_retention("k").version(old).await.unwrap();
    assert_eq!(found, (Governance, sooner).into());
    let end = bucket.put_object_retention("k", Retention::new());
    let ended = end.version(old).bypass_governance().await;
    if store.lacks(Feature::EndsOfRetention) {
        assert_eq!(ended.unwrap_err().code(), Some("MalformedXML"));
    } else {
        ended.unwrap();
        bucket.delete("k").version(old).await.unwrap();
    }

    bucket.put_object_legal_hold("k", true).await.unwrap();
    let hold = bucket
        .get_object_legal_hold("k")
        .version(new)
        .await
        .unwrap();
    assert!(hold.is_on() && hold == LegalHold::from(true));
    bucket.put_object_legal_hold("k", false).await.unwrap();
    let hold = bucket.get_object_legal_hold("k").await.unwrap();
    assert!(!hold.is_on());
    for version in [old, new] {
        let_go_if_there(&bucket, version).await;
    }
}

async fn let_go_if_there(bucket: &Bucket, version: &str) {
    let delete = bucket.delete("k").version(version).bypass_governance();
    delete.await.unwrap();
}

#[tokio::test]
async fn copies_and_uploads_are_locked() {
    let store = Store::start().await;
    let bucket = locking(&store).await;
    let until = after(3600);
    let from = bucket.put("from", "x").await.unwrap();
    let copy = bucket
        .copy("from", "copy")
        .retention(Governance, until)
        .legal_hold(true);
    copy.await.unwrap();
    let upload = bucket
        .create_multipart("parts")
        .retention(Governance, until)
        .legal_hold(true);
    let upload = upload.await.unwrap();
    let part = upload.part(1, "x").await.unwrap();
    upload.complete([part]).await.unwrap();
    for (key, feature) in [
        ("copy", Feature::LocksOfCopies),
        ("parts", Feature::LocksOfUploads),
    ] {
        let head = bucket.head(key).await.unwrap();
        let told = (head.retention(), head.legal_hold());
        if store.lacks(feature) {
            assert_eq!(told, (None, None), "{key}");
            continue;
        }
        assert_eq!(told, (Some((Governance, until).into()), Some(true)));
        let version = head.version_id().unwrap();
        let error = bucket.delete(key).version(version).await.unwrap_err();
        assert_eq!(error.code(), Some("AccessDenied"));
        let_go(&bucket, key, version).await;
    }
    let version = from.version_id().unwrap();
    bucket.delete("from").version(version).await.unwrap();
}

#[tokio::test]
async fn an_end_in_the_past_is_not_sent() {
    let store = Store::emulator().await;
    let bucket = locking(&store).await;
    let before = store.requests();
    let past = SystemTime::now() - Duration::from_secs(100);
    let far = SystemTime::UNIX_EPOCH + Duration::from_secs(253_402_300_800);
    for until in [past, far] {
        for refused in [
            bucket
                .put("k", "x")
                .retention(Governance, until)
                .await
                .map(drop),
            bucket
                .copy("a", "k")
                .retention(Governance, until)
                .await
                .map(drop),
            bucket
                .create_multipart("k")
                .retention(Governance, until)
                .await
                .map(drop),
            bucket.put_object_retention("k", (Governance, until)).await,
            bucket
                .put_object_retention("k", Retention::new().until(until))
                .await,
        ] {
            assert_eq!(refused.unwrap_err().kind(), Kind::Invalid);
        }
    }
    let version = bucket.get_object_retention("k").version("").await;
    assert_eq!(version.unwrap_err().kind(), Kind::Invalid);
    assert_eq!(store.requests(), before);
}

#[tokio::test]
async fn nobody_ends_what_is_kept_in_compliance() {
    let store = Store::emulator().await;
    let bucket = locking(&store).await;
    let put = bucket.put("k", "x");
    let put = put.retention(RetentionMode::Compliance, after(3600));
    let put = put.await.unwrap();
    let version = put.version_id().unwrap();
    let delete = bucket.delete("k").version(version).bypass_governance();
    assert_eq!(delete.await.unwrap_err().code(), Some("AccessDenied"));
    for retention in [
        Retention::new(),
        (RetentionMode::Compliance, after(60)).into(),
        (Governance, after(7200)).into(),
    ] {
        let change = bucket.put_object_retention("k", retention);
        let error = change.bypass_governance().await.unwrap_err();
        assert_eq!(error.code(), Some("AccessDenied"));
    }
}
