//! What the store keeps of an object.

use s3_client::{Checksum, Kind};

use crate::store::{Feature, Store};

#[tokio::test]
async fn what_the_store_keeps() {
    let store = Store::start().await;
    let bucket = store.bucket().await;
    let put = bucket.put("k", "123456789").checksum(Checksum::Crc32);
    let stored = put.await.unwrap();
    let outcome = bucket.get_object_attributes("k").await;
    if store.lacks(Feature::Attributes) {
        assert_eq!(outcome.unwrap_err().kind(), Kind::Protocol);
        return;
    }
    let found = outcome.unwrap();
    assert_eq!(found.etag.as_deref(), stored.etag());
    assert_eq!((found.size, found.parts_count), (Some(9), None));
    assert_eq!(found.storage_class.as_deref(), Some("STANDARD"));
    assert_eq!(found.checksum(Checksum::Crc32), Some("y/Q5Jg=="));
    assert!(!found.is_composite() && found.last_modified.is_some());
    let missing = bucket.get_object_attributes("no").await.unwrap_err();
    assert!(missing.is_not_found());
    let bad = bucket.get_object_attributes("k").parts_behind(0).await;
    assert_eq!(bad.unwrap_err().kind(), Kind::Invalid);
}
