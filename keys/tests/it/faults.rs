//! Answers that are lost, late, or not of the store; stores that are gone; what is over a store's limits.

use emulator::{Fault, Rule};
use keys::{Keys, Kind as ErrorKind, Result};

use crate::stores::{ALL, Fixture, Kind};

/// The operation that stores one value.
fn put_operation(kind: Kind) -> &'static str {
    match kind {
        Kind::S3 | Kind::S3Cached => "PutObject",
        Kind::Sdb | Kind::SdbCached => "PutAttributes",
    }
}

async fn value(keys: &Keys, key: &str) -> Option<Vec<u8>> {
    let found = keys.get("b", key).await.unwrap();
    found.map(|(value, _)| value.to_vec())
}

#[tokio::test]
async fn a_lost_answer_is_no_conflict() {
    for kind in ALL {
        let fixture = Fixture::start(kind).await;
        let Some(emulator) = &fixture.emulator else {
            fixture.end().await;
            continue;
        };
        let (keys, faults) = (&fixture.keys, emulator.faults());
        let meets = |fault| {
            faults.clear();
            faults.add(Rule::new(fault).operation(put_operation(kind)).times(1));
        };
        meets(Fault::reset_after());
        let lost = keys.put_new("b", "k", "1").await.unwrap_err();
        assert!(!lost.is_condition_failed(), "{kind:?}: {lost}");
        assert!(lost.may_have_been_sent());
        assert_eq!(value(keys, "k").await.unwrap(), b"1");
        // A put can be repeated.
        meets(Fault::reset_after());
        let tag = keys.put("b", "k", "2").await.unwrap();
        assert_eq!(keys.get("b", "k").await.unwrap().unwrap().1, tag);
        meets(Fault::reset_after());
        let lost = keys.replace("b", "k", "3", &tag).await.unwrap_err();
        assert!(!lost.is_condition_failed(), "{kind:?}: {lost}");
        assert_eq!(value(keys, "k").await.unwrap(), b"3");
        // What is refused may be repeated or told, and is no conflict.
        for (key, fault) in [
            ("l", Fault::slow_down()),
            ("m", Fault::error(500, "InternalError")),
        ] {
            meets(fault);
            if let Err(error) = keys.put_new("b", key, "1").await {
                assert!(!error.is_condition_failed(), "{kind:?}: {error}");
            }
        }
    }
}

fn is_gone<T>(result: Result<T>) {
    let error = result.map(drop).unwrap_err();
    assert!(error.is_not_found(), "{error}");
}

#[tokio::test]
async fn a_store_that_is_gone_is_not_empty() {
    for kind in [Kind::S3, Kind::Sdb] {
        let fixture = Fixture::start(kind).await;
        let Some(_) = &fixture.emulator else {
            fixture.end().await;
            continue;
        };
        let keys = &fixture.keys;
        let tag = keys.put("b", "k", "v").await.unwrap();
        keys.clear().await.unwrap();
        match (&fixture.bucket, &fixture.domain) {
            (Some(bucket), _) => bucket.delete_bucket().await.map(drop).unwrap(),
            (_, Some(domain)) => domain.clone().delete_domain().await.map(drop).unwrap(),
            _ => {}
        }
        is_gone(keys.get("b", "k").await);
        is_gone(keys.put("b", "k", "v").await);
        is_gone(keys.put_new("b", "k", "v").await);
        is_gone(keys.replace("b", "k", "v", &tag).await);
        is_gone(keys.delete("b", "k").await);
        is_gone(keys.is_empty().await);
        is_gone(keys.status().await);
        is_gone(keys.clear().await);
        let mut buckets = keys.buckets();
        is_gone(buckets.try_next().await);
        let mut values = keys.all_values();
        is_gone(values.try_next().await);
        let mut all = keys.all_keys();
        is_gone(all.try_next().await);
        is_gone(keys.keys("b").try_next().await);
        is_gone(keys.values("b").try_next().await);
        // They can be asked on.
        assert_eq!(buckets.try_next().await.unwrap(), None);
        assert_eq!(values.try_next().await.unwrap(), None);
        assert_eq!(all.try_next().await.unwrap(), None);
    }
}

#[tokio::test]
async fn a_page_of_a_proxy_is_no_absence() {
    for kind in [Kind::S3, Kind::S3Cached] {
        let fixture = Fixture::start(kind).await;
        let Some(emulator) = &fixture.emulator else {
            fixture.end().await;
            continue;
        };
        let keys = &fixture.keys;
        keys.put("b", "k", "v").await.unwrap();
        let page = "HTTP/1.1 404 Not Found\r\ncontent-length: 9\r\n\r\nNot found";
        let page = Rule::new(Fault::garbage(page)).operation("GetObject");
        emulator.faults().add(page);
        keys.get("b", "k").await.unwrap_err();
        keys.values("b").try_collect_all().await.unwrap_err();
    }
}

#[tokio::test]
async fn a_store_may_say_that_nothing_was_there_to_delete() {
    let fixture = Fixture::start(Kind::S3).await;
    if let Some(emulator) = &fixture.emulator {
        let absent = Rule::new(Fault::error(404, "NoSuchKey")).operation("DeleteObject");
        emulator.faults().add(absent);
        fixture.keys.delete("b", "k").await.unwrap();
    }
    fixture.end().await;
}

#[tokio::test]
async fn an_empty_page_is_not_the_end() {
    let fixture = Fixture::start(Kind::S3).await;
    let Some(emulator) = &fixture.emulator else {
        return fixture.end().await;
    };
    fixture.keys.put("b", "k", "v").await.unwrap();
    // The emulator's token is the last key in Base64.
    let page = "<ListBucketResult><IsTruncated>true</IsTruncated>\
                <NextContinuationToken>b25lL2I</NextContinuationToken></ListBucketResult>";
    let length = page.len();
    let page = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{page}");
    let page = Rule::new(Fault::garbage(page)).operation("ListObjectsV2");
    emulator.faults().add(page.times(1));
    assert!(!fixture.keys.is_empty().await.unwrap());
}

#[tokio::test]
async fn a_clear_that_stopped_can_be_begun_again() {
    for kind in ALL {
        let fixture = Fixture::start(kind).await;
        let Some(emulator) = &fixture.emulator else {
            fixture.end().await;
            continue;
        };
        let keys = &fixture.keys;
        for i in 0..30 {
            keys.put("b", i.to_string(), "v").await.unwrap();
        }
        keys.partition("other").put("b", "k", "v").await.unwrap();
        let (operation, skip) = match kind {
            Kind::S3 | Kind::S3Cached => ("DeleteObjects", 0),
            Kind::Sdb | Kind::SdbCached => ("BatchDeleteAttributes", 1),
        };
        let denied = Rule::new(Fault::error(403, "AccessDenied")).operation(operation);
        emulator.faults().add(denied.skip(skip));
        keys.clear().await.unwrap_err();
        assert!(!keys.is_empty().await.unwrap(), "{kind:?}");
        emulator.faults().clear();
        keys.clear().await.unwrap();
        assert!(keys.is_empty().await.unwrap(), "{kind:?}");
        assert!(!keys.partition("other").is_empty().await.unwrap());
    }
}

#[tokio::test]
async fn an_item_holds_so_much_and_no_more() {
    let fixture = Fixture::start(Kind::Sdb).await;
    let (keys, emulator) = (&fixture.keys, fixture.emulator.as_ref().unwrap());
    for most in [vec![b'a'; 250_000], vec![0xff; 190_000]] {
        keys.put("b", "k", most.clone()).await.unwrap();
        assert_eq!(value(keys, "k").await.unwrap(), most);
        // What a shorter one leaves behind is not read.
        keys.put("b", "k", "short").await.unwrap();
        assert_eq!(value(keys, "k").await.unwrap(), b"short");
        keys.put("b", "k", vec![b'c'; 3000]).await.unwrap();
        assert_eq!(value(keys, "k").await.unwrap(), vec![b'c'; 3000]);
    }
    let before = emulator.stats().requests;
    for more in [260_000, 300_000, 1 << 20] {
        let error = keys.put("b", "k", vec![b'a'; more]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.to_string().contains("259072"), "{error}");
    }
    assert_eq!(emulator.stats().requests, before);
}
