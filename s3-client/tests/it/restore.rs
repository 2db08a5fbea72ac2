//! Archived objects are brought back.

use s3_client::Kind;
use s3_client::answer::Restored;

use crate::store::{Feature, Store};

#[tokio::test]
async fn archived_objects_are_brought_back() {
    let store = Store::start().await;
    let bucket = store.bucket().await;
    bucket.put("k", "x").await.unwrap();
    let zero = bucket.restore("k", 0).await.unwrap_err();
    assert_eq!(zero.kind(), Kind::Invalid);
    let refused = bucket.restore("k", 1).tier("Bulk").await.unwrap_err();
    assert_eq!(refused.kind(), Kind::Service);
    if store.lacks(Feature::StorageClasses) {
        // Nothing can be archived, and a request that it does not know is taken for a form where its signature lets it.
        let answer = match std::env::var("S3_TEST_REGION") {
            Ok(_) => (Some(501), Some("NotImplemented")),
            Err(_) => (Some(400), Some("InvalidArgument")),
        };
        let plain = bucket.restore("k", 1).await.unwrap_err();
        for error in [refused, plain] {
            assert_eq!((error.status(), error.code()), answer, "{error}");
        }
        return;
    }
    bucket.put("k", "x").storage_class("GLACIER").await.unwrap();
    let away = bucket.get("k").await.unwrap_err();
    assert_eq!(
        (away.status(), away.code()),
        (Some(403), Some("InvalidObjectState"))
    );
    let head = bucket.head("k").await.unwrap();
    assert_eq!(
        (head.storage_class(), head.restore()),
        (Some("GLACIER"), None)
    );
    let days = |n| bucket.restore("k", n);
    assert_eq!(days(1).await.unwrap(), Restored::Begun);
    assert_eq!(days(2).await.unwrap(), Restored::Prolonged);
    let back = bucket.get("k").await.unwrap();
    let restore = back.head.restore().unwrap();
    assert!(
        restore.starts_with("ongoing-request=\"false\""),
        "{restore}"
    );
    assert_eq!(back.body.bytes(9).await.unwrap(), "x");
}
