//! Parts of objects are read singly.

use std::time::{Duration, SystemTime};

use s3_client::Kind;

use crate::store::{Feature, Store};

#[tokio::test]
async fn parts_are_read_singly() {
    let store = Store::start().await;
    let bucket = store.bucket().await;
    let upload = bucket.create_multipart("k").await.unwrap();
    let first = bytes::Bytes::from(vec![b'a'; 5 << 20]);
    let one = upload.part(1, first.clone()).await.unwrap();
    let two = upload.part(2, "the end").await.unwrap();
    upload.complete([one, two]).await.unwrap();

    let end = bucket.get("k").part(2).await;
    if store.lacks(Feature::ReadsOfParts) {
        assert_eq!(end.unwrap_err().kind(), Kind::Protocol);
        return;
    }
    let end = end.unwrap();
    assert_eq!(end.head.parts(), Some(2));
    assert_eq!(end.head.range(), Some(5 << 20..(5 << 20) + 7));
    assert_eq!(end.body.bytes(9).await.unwrap(), "the end");
    let head = bucket.head("k").part(1).await.unwrap();
    assert_eq!(head.range(), Some(0..5 << 20));
    assert_eq!(head.size(), Some((5 << 20) + 7));
    let missing = bucket.get("k").part(3).await.unwrap_err();
    assert_eq!(missing.status(), Some(416));
    bucket.put("k", "x").await.unwrap();
    let only = bucket.get("k").part(1).await.unwrap();
    assert_eq!((only.head.parts(), only.head.size()), (None, Some(1)));
    let since = SystemTime::now() - Duration::from_secs(3600);
    assert!(bucket.head("k").if_modified_since(since).await.is_ok());
}
