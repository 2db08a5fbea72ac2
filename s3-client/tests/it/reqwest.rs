//! Buckets and objects carried by reqwest instead of the pool.

use std::time::Duration;

use aws_core::transport::Reqwest;
use bytes::Bytes;
use futures_util::TryStreamExt as _;
use s3_client::request::RetryConfig;
use s3_client::{Credentials, Kind, S3Client};
use tokio::net::TcpListener;

use crate::store::Store;

/// Without the proxies of wherever the tests run.
fn direct() -> Reqwest {
    let builder = Reqwest::client_builder().expect("settings").no_proxy();
    builder.build().expect("a client").into()
}

#[tokio::test]
async fn objects_go_there_and_back() {
    let store = Store::start().await;
    let s3 = store.builder().transport(direct()).build().unwrap();
    let photos = store.bucket_of(&s3).await;
    let keys = [
        "a b+c",
        "a//b",
        "/leading",
        "trailing/",
        "..a",
        "{x}|'\"\\^",
        "%2e%41",
        "caf\u{e9}?x#y",
    ];
    for key in keys {
        photos.put(key, Bytes::from(key)).await.unwrap();
        let object = photos.get(key).await.unwrap();
        assert!(object.body.as_whole().is_some());
        assert_eq!(object.body.bytes(99).await.unwrap(), key);
        let head = photos.head(key).await.unwrap();
        assert_eq!(head.size(), Some(key.len() as u64));
    }
    let listed: Vec<String> = photos
        .list()
        .page_size(3)
        .objects()
        .map_ok(|o| o.key)
        .try_collect()
        .await
        .unwrap();
    let mut sorted = keys.map(str::to_owned);
    sorted.sort();
    assert_eq!(listed, sorted);
    for key in keys {
        photos.delete(key).await.unwrap();
        assert!(photos.get(key).await.unwrap_err().is_not_found());
    }
}

#[tokio::test]
async fn large_bodies_are_streams() {
    let store = Store::start().await;
    let s3 = store.builder().transport(direct()).build().unwrap();
    let photos = store.bucket_of(&s3).await;
    for size in [0, 65_536, 65_537, 3 << 20] {
        let body: Bytes = (0..size).map(|i| (i % 251) as u8).collect();
        photos.put("k", body.clone()).await.unwrap();
        let object = photos.get("k").await.unwrap();
        assert_eq!(object.body.as_whole().is_some(), size <= 65_536);
        assert_eq!(object.body.remaining(), Some(size as u64));
        assert_eq!(object.body.bytes(3 << 20).await.unwrap(), body);
    }
}

#[tokio::test]
async fn keys_that_a_url_rewrites_are_refused() {
    let store = Store::start().await;
    let s3 = store.builder().transport(direct()).build().unwrap();
    for key in ["b/../c", "./b", "b/."] {
        let error = s3.bucket("photos").put(key, "x").await.unwrap_err();
        assert_eq!((error.kind(), error.attempts()), (Kind::Invalid, 1));
        assert!(!error.may_have_been_sent());
    }
}

#[tokio::test]
async fn a_silent_server_is_given_up_in_time() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let s3 = S3Client::builder()
        .endpoint(format!("http://{}", listener.local_addr().unwrap()))
        .credentials(Credentials::new("AKID", "topsecret"))
        .retry(RetryConfig::none())
        .timeout(Duration::from_millis(50))
        .transport(direct())
        .build()
        .unwrap();
    let error = s3.bucket("photos").get("k").await.unwrap_err();
    assert_eq!(error.kind(), Kind::Timeout);
    assert!(error.may_have_been_sent());
    assert!(!format!("{error} {error:?} {s3:?}").contains("topsecret"));
}
