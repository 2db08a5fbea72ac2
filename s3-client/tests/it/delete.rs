//! Objects are removed on a condition.

use crate::store::{Feature, Store};

#[tokio::test]
async fn deletes_with_a_condition() {
    let store = Store::start().await;
    let bucket = store.bucket().await;
    let stored = bucket.put("k", "x").await.unwrap();
    let other = bucket.delete("k").if_match("\"other\"").await;
    if store.lacks(Feature::ConditionsOfDeletes) {
        other.unwrap();
        assert!(bucket.head("k").await.unwrap_err().is_not_found());
        return;
    }
    assert!(other.unwrap_err().is_condition_failed());
    let etag = stored.etag().unwrap();
    bucket.delete("k").if_match(etag).await.unwrap();
    assert!(bucket.head("k").await.unwrap_err().is_not_found());
}
