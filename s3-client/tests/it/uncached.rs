//! What goes past the cache, and what is not believed of it.

#![allow(
    clippy::unwrap_used,
    reason = "this is test code outside of a test function"
)]

use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use emulator::{Emulator, Fault, Gate, Rule};
use pipeline_pool::{Method, Request};
use s3_client::request::{CustomerKey, RetryConfig};
use s3_client::{Credentials, S3Client};

use crate::cached::{Cached, start};
use crate::meddler::{How, Meddler};
use crate::memcached::Server;
use crate::store::Store;

#[tokio::test]
async fn large_objects_stream_past_it() {
    let (store, server, bucket) = start().await;
    let a = Cached::new(&store, server.cache().build().unwrap(), &bucket);
    let sizes = [100_000_usize, 999_000, 1_500_000];
    for size in sizes {
        let body = vec![7_u8; size];
        bucket.put("k", body.clone()).await.unwrap();
        for wanted in [1, usize::from(size > 1_000_000)] {
            assert!(a.body("k").await == body);
            assert_eq!(a.sent(), wanted, "{size}");
        }
        a.bucket.delete("k").await.unwrap();
        a.sent();
    }
}

#[tokio::test]
async fn a_write_without_an_answer_leaves_nothing_to_believe() {
    let store = Store::start().await;
    let bucket = store.bucket().await;
    let server = Server::start();
    let cache = server.cache().build().unwrap();
    // What is put is stored, and the answer is lost.
    let is_put: fn(&Request) -> bool = |request| request.method() == Method::Put;
    let mut meddler = Meddler::new(0, is_put, How::Lose);
    meddler.pool = store.pool();
    let losing = meddler.left.clone();
    let client = store
        .builder()
        .transport(meddler)
        .cache(cache.clone())
        .retry(RetryConfig::none());
    let cached = client.build().unwrap().bucket(bucket.name());
    let body = async || cached.get("k").await.unwrap().body.bytes(99).await.unwrap();
    cached.put("k", "one").await.unwrap();
    assert_eq!(body().await, "one");
    losing.store(1, SeqCst);
    assert!(
        cached
            .put("k", "two")
            .await
            .unwrap_err()
            .may_have_been_sent()
    );
    assert_eq!(body().await, "two");
    assert_eq!(cache.stats().doubted, 1);
    // It is read past the cache: the write might come to the store again.
    bucket.put("k", "three").await.unwrap();
    assert_eq!(body().await, "three");
}

#[tokio::test]
async fn objects_with_keys_of_the_customers_go_past_it() {
    let store = Store::start().await;
    let bucket = store.bucket().await;
    let server = Server::start();
    let a = Cached::new(&store, server.cache().build().unwrap(), &bucket);
    let key = || CustomerKey::new([7; 32]).unwrap().over_plain_http();
    let put = a.bucket.put("k", "secret");
    put.encryption(key()).await.unwrap();
    a.sent();
    for _ in 0..2 {
        let object = a.bucket.get("k").customer_key(key()).await.unwrap();
        assert_eq!(object.body.bytes(9).await.unwrap(), "secret");
    }
    assert_eq!(a.sent(), 2);
    assert_eq!(a.cache.stats().fills, 0);
    assert!(a.bucket.get("k").await.is_err());
}

#[tokio::test]
async fn without_memcached_all_goes_on() {
    let (store, mut server, bucket) = start().await;
    let a = Cached::new(&store, server.cache().build().unwrap(), &bucket);
    a.bucket.put("k", "one").await.unwrap();
    a.body("k").await;
    server.kill();
    assert_eq!(a.body("k").await, "one");
    a.bucket.put("k", "two").await.unwrap();
    assert_eq!(a.body("k").await, "two");
    a.bucket.delete("k").await.unwrap();
    assert!(a.bucket.get("k").await.unwrap_err().is_not_found());
    let stats = a.cache.stats();
    assert!(stats.errors > 0 && stats.unacknowledged > 0);
}

#[tokio::test]
async fn a_request_waits_for_no_more_than_its_own_time_and_fails_nobody_elses() {
    let emulator = Emulator::start().await.unwrap();
    let server = Server::start();
    let keys = Credentials::new(emulator.access_key(), emulator.secret_key());
    let client = S3Client::builder()
        .endpoint(emulator.url())
        .credentials(keys)
        .cache(server.cache().build().unwrap());
    let bucket = client.build().unwrap().bucket("shared");
    bucket.create().await.unwrap();
    for patient_first in [false, true] {
        bucket.put("k", "1").await.unwrap();
        let gate = Gate::new();
        let held = Rule::new(Fault::hold(&gate)).key("k").times(1);
        emulator.faults().add(held);
        let hasty = async {
            let get = bucket.get("k").timeout(Duration::from_millis(300)).await;
            assert!(get.unwrap_err().is_timeout());
            gate.open();
        };
        let patient = async {
            let object = bucket.get("k").await.unwrap();
            assert_eq!(object.body.bytes(9).await.unwrap(), "1");
        };
        if patient_first {
            tokio::join!(patient, hasty);
        } else {
            tokio::join!(hasty, patient);
        }
    }
    emulator.shutdown().await;
}

#[tokio::test]
async fn a_page_of_a_proxy_is_not_kept() {
    let emulator = Emulator::start().await.unwrap();
    let server = Server::start();
    let keys = Credentials::new(emulator.access_key(), emulator.secret_key());
    let client = S3Client::builder()
        .endpoint(emulator.url())
        .credentials(keys)
        .cache(server.cache().build().unwrap());
    let bucket = client.build().unwrap().bucket("shared");
    bucket.create().await.unwrap();
    bucket.put("k", "it").await.unwrap();
    let page = "HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\n<html>";
    emulator
        .faults()
        .add(Rule::new(Fault::garbage(page)).key("k").times(1));
    let body = async || bucket.get("k").await.unwrap().body.bytes(99).await.unwrap();
    // Nothing tells it from an object to a client without a cache either.
    assert_eq!(body().await, "<html>");
    assert_eq!(body().await, "it");
    assert_eq!(body().await, "it");
    emulator.shutdown().await;
}
