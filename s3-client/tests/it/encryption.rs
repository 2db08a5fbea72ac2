//! Objects that the store encrypts.

use s3_client::Kind;
use s3_client::request::{CustomerKey, ServerSideEncryption};

use crate::store::{Feature, Store};

#[tokio::test]
async fn keys_of_the_store() {
    let store = Store::start().await;
    let bucket = store.bucket().await;
    let put = bucket
        .put("k", "x")
        .encryption(ServerSideEncryption::store());
    let stored = put.await;
    if store.lacks(Feature::StoreEncryption) {
        assert_eq!(stored.unwrap().encryption(), None);
    } else {
        assert_eq!(stored.unwrap().encryption(), Some("AES256"));
        let object = bucket.get("k").verify(true).await.unwrap();
        assert_eq!(object.head.encryption(), Some("AES256"));
        assert_eq!(object.body.bytes(9).await.unwrap(), "x");
    }
    // The key that the test server of RGW has; the emulator takes any.
    let kms = ServerSideEncryption::kms_key("testkey-1");
    let stored = bucket.put("k", "x").encryption(kms).await.unwrap();
    assert_eq!(stored.encryption(), Some("aws:kms"));
    let object = bucket.get("k").await.unwrap();
    assert_eq!(object.head.encryption(), Some("aws:kms"));
    assert_eq!(object.body.bytes(9).await.unwrap(), "x");
}

#[tokio::test]
async fn keys_of_the_customer() {
    let store = Store::start().await;
    let bucket = store.bucket().await;
    let secret = [b'k'; 32];
    let key = CustomerKey::new(secret).unwrap();
    let open = key.clone().over_plain_http();
    let other = CustomerKey::new([7; 32]).unwrap().over_plain_http();

    let refused = bucket.put("k", "x").encryption(key.clone()).await;
    let refused = refused.unwrap_err();
    assert_eq!((refused.kind(), refused.attempts()), (Kind::Invalid, 0));
    assert!(refused.to_string().contains("over_plain_http"), "{refused}");

    bucket
        .put("k", "hush")
        .encryption(open.clone())
        .await
        .unwrap();
    let get = bucket.get("k").customer_key(open.clone());
    let shown = format!("{get:?} {key:?} {refused:?}");
    assert!(
        !shown.contains("kkkk") && !shown.contains("a2tra2tr"),
        "{shown}"
    );
    let object = get.verify(true).await.unwrap();
    assert!(object.head.has_customer_key());
    assert_eq!(object.body.bytes(9).await.unwrap(), "hush");
    let head = bucket.head("k").customer_key(open.clone()).await.unwrap();
    assert_eq!(head.size(), Some(4));

    let without = bucket.get("k").await.unwrap_err();
    assert_eq!(
        (without.kind(), without.status()),
        (Kind::Service, Some(400))
    );
    let wrong = bucket.get("k").customer_key(other.clone()).await;
    assert!(matches!(wrong.unwrap_err().status(), Some(400 | 403)));

    // A copy is read with one key and written with another.
    let copy = bucket.copy("k", "copy").encryption(other.clone());
    let copied = copy.from_customer_key(open.clone()).await;
    if store.lacks(Feature::CopiesOfEncrypted) {
        assert_eq!(copied.unwrap_err().status(), Some(501));
        return;
    }
    copied.unwrap();
    let object = bucket.get("copy").customer_key(other).await.unwrap();
    assert_eq!(object.body.bytes(9).await.unwrap(), "hush");
    let locked = bucket.copy("k", "copy2").await.unwrap_err();
    assert_eq!(locked.status(), Some(400));
}
