//! Buckets.

use std::sync::{Arc, Mutex};

use aws_core::transport::ResponseFuture;
use pipeline_pool::{HttpPool, Origin, Request};
use s3_client::Kind;
use s3_client::config::{Payer, RequestPayment};
use s3_client::transport::Transport;

use crate::store::{Feature, Store};

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

#[tokio::test]
async fn a_bucket_may_be_named_with_its_tenant() {
    let store = Store::start().await;
    let plain = store.bucket().await;
    plain.put("a:b c", "meow").await.unwrap();
    // The tenant of those who have none.
    let same = store.client().bucket(format!(":{}", plain.name()));
    let found = same.get("a:b c").await;
    if store.lacks(Feature::Tenants) {
        let error = found.unwrap_err();
        assert!(error.kind() == Kind::Service, "{error}");
        return;
    }
    assert_eq!(found.unwrap().body.bytes(9).await.unwrap(), "meow");
    same.copy("a:b c", "copy").await.unwrap();
    assert_eq!(same.list().prefix("a").await.unwrap().objects.len(), 1);
    assert_eq!(plain.head("copy").await.unwrap().size(), Some(4));
}

/// Keeps what each request says of who pays.
#[derive(Clone, Debug)]
struct Bills {
    pool: HttpPool,
    payers: Arc<Mutex<Vec<Option<String>>>>,
}

impl Transport for Bills {
    fn send(&self, origin: &Origin, request: Request) -> ResponseFuture {
        let payer = |(name, _): &(&str, &str)| name.eq_ignore_ascii_case("x-amz-request-payer");
        let payer = request.headers().find(payer);
        let payer = payer.map(|(_, value)| value.to_owned());
        self.payers.lock().expect("a lock").push(payer);
        Transport::send(&self.pool, origin, request)
    }
}

#[tokio::test]
async fn who_pays_is_said() {
    let store = Store::start().await;
    let bucket = store.bucket().await;
    let requester = RequestPayment::new().payer(Payer::Requester);
    bucket.put_config(requester).await.unwrap();
    let bills = Bills {
        pool: store.pool(),
        payers: Arc::default(),
    };
    let client = store.builder().transport(bills.clone()).build().unwrap();
    let seen = client.bucket(bucket.name());
    // It is signed too, or the store would refuse it.
    seen.put("k", "x").request_payer().await.unwrap();
    let object = seen.get("k").request_payer().await.unwrap();
    assert_eq!(object.body.bytes(9).await.unwrap(), "x");
    seen.head("k").request_payer().await.unwrap();
    let listed = seen.list().request_payer().await.unwrap();
    assert_eq!(listed.objects.len(), 1);
    seen.delete("k").request_payer().await.unwrap();
    let said = std::mem::take(&mut *bills.payers.lock().unwrap());
    assert_eq!(said, vec![Some("requester".to_owned()); 5]);
    seen.put("k", "x").await.unwrap();
    assert_eq!(*bills.payers.lock().unwrap(), [None]);
}
