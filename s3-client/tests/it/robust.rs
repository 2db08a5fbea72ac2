//! A server on a bad day: what the client makes of it.

#![allow(
    clippy::unwrap_used,
    reason = "this is test code outside of a test function"
)]

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use emulator::{Emulator, Fault, Gate, Rule};
use pipeline_pool::{Resolve, Resolving};
use s3_client::event::{AttemptEvent, AttemptStart, Fields, Middleware};
use s3_client::request::RetryConfig;
use s3_client::{Bucket, Credentials, HttpPool, Kind, S3Client};

use crate::store::Store;

fn quick() -> RetryConfig {
    RetryConfig::new().random(|| 0.0)
}

async fn photos() -> (Store, Bucket) {
    let store = Store::emulator().await;
    let client = store.builder().retry(quick()).build().unwrap();
    let bucket = store.bucket_of(&client).await;
    bucket.put("cat", "meow").await.unwrap();
    (store, bucket)
}

#[tokio::test]
async fn header_fields_of_a_request_are_sent_and_signed() {
    let store = Store::start().await;
    let bucket = store.bucket().await;
    bucket
        .put("k", "x")
        .header("X-Amz-Meta-Mood", "sleepy")
        .await
        .unwrap();
    let head = bucket.head("k").header("x-trace", "7").await.unwrap();
    assert_eq!(head.metadata("mood"), Some("sleepy"));
    for name in [
        "Host",
        "date",
        "Content-Length",
        "Authorization",
        "Transfer-Encoding",
    ] {
        let error = bucket.get("k").header(name, "x").await.unwrap_err();
        assert_eq!((error.kind(), error.attempts()), (Kind::Invalid, 0));
        let text = error.to_string().to_lowercase();
        assert!(text.contains(&name.to_lowercase()), "{text}");
    }
}

#[tokio::test]
async fn a_request_may_have_its_own_time_and_retries() {
    let (store, bucket) = photos().await;
    let faults = store.faults();
    let gate = Gate::new();
    faults.add(Rule::new(Fault::hold(&gate)).operation("GetObject"));
    let held = bucket.get("cat").timeout(Duration::from_millis(30)).await;
    assert!(held.unwrap_err().is_timeout());
    gate.open();
    let slow = faults.add(Rule::new(Fault::slow_down()).operation("HeadObject"));
    let error = bucket
        .head("cat")
        .retry(RetryConfig::none())
        .await
        .unwrap_err();
    assert!(error.is_throttled() && error.attempts() == 1, "{error}");
    let twice = bucket.head("cat").retry(quick().max_attempts(2)).await;
    assert_eq!((twice.unwrap_err().attempts(), slow.count()), (2, 3));
}

#[tokio::test]
async fn attempts_are_seen_with_what_they_are_about() {
    #[derive(Clone, Default)]
    struct Watch(Arc<Mutex<Vec<String>>>);
    impl Middleware for Watch {
        fn before(&self, start: &AttemptStart<'_>, fields: &mut Fields<'_>) {
            fields.set("x-amz-meta-attempt", start.number.to_string());
        }
        fn after(&self, event: &AttemptEvent<'_>) {
            let start = &event.start;
            self.0.lock().unwrap().push(format!(
                "{} {} {:?} {:?} {:?} {:?} {:?} {:?}",
                start.service,
                start.operation,
                start.key,
                start.number,
                event.status,
                event.error.and_then(|error| error.code()),
                (event.sent, event.received),
                event.request_id.is_some(),
            ));
        }
    }
    let (store, bucket) = photos().await;
    let watch = Watch::default();
    let heard = Arc::new(Mutex::new(0));
    let count = heard.clone();
    let builder = store.builder().retry(quick()).middleware(watch.clone());
    let client = builder.on_attempt(move |event| {
        assert!(event.start.resource.is_some());
        *count.lock().unwrap() += 1;
    });
    let watched = client.build().unwrap().bucket(bucket.name());
    let script = [Fault::error(500, "InternalError"), Fault::slow_down()];
    store.faults().add(Rule::script(script).method("PUT"));
    watched.put("a b/\u{e9}", "12345").await.unwrap();
    watched.get("cat").await.unwrap();
    watched.list().await.unwrap();
    let lines = watch.0.lock().unwrap().clone();
    assert_eq!(lines.len(), 5, "{lines:#?}");
    let put = "S3 PutObject Some(\"a b/\u{e9}\")";
    assert!(lines[0].starts_with(&format!(
        "{put} 1 Some(500) Some(\"InternalError\") (Some(5), "
    )));
    assert_eq!(
        lines[1],
        format!("{put} 2 Some(503) Some(\"SlowDown\") (Some(5), Some(164)) true")
    );
    assert_eq!(
        lines[2],
        format!("{put} 3 Some(200) None (Some(5), Some(0)) true")
    );
    assert_eq!(
        lines[3],
        "S3 GetObject Some(\"cat\") 1 Some(200) None (Some(0), Some(4)) true"
    );
    assert!(lines[4].starts_with("S3 ListObjectsV2 None 1 Some(200) None (Some(0), Some("));
    assert_eq!(*heard.lock().unwrap(), 5);
    // What was added was signed too, or the store would have refused it.
    let head = bucket.head("a b/\u{e9}").await.unwrap();
    assert_eq!(head.metadata("attempt"), Some("3"));
}

#[tokio::test]
async fn hooks_see_what_any_store_answers() {
    let store = Store::start().await;
    let plain = store.bucket().await;
    let lines = Arc::new(Mutex::new(Vec::new()));
    let told = lines.clone();
    let client = store.builder().on_attempt(move |event| {
        let start = &event.start;
        let line = format!(
            "{} {:?} {:?} {:?}",
            start.operation,
            start.key,
            event.status,
            (event.sent, event.received)
        );
        assert!(event.request_id.is_some(), "{line}");
        told.lock().unwrap().push(line);
    });
    let bucket = client.build().unwrap().bucket(plain.name());
    bucket.put("a b/\u{e9}", "12345").await.unwrap();
    bucket.get("a b/\u{e9}").await.unwrap();
    assert!(bucket.head("none").await.unwrap_err().is_not_found());
    assert_eq!(
        *lines.lock().unwrap(),
        [
            "PutObject Some(\"a b/\u{e9}\") Some(200) (Some(5), Some(0))",
            "GetObject Some(\"a b/\u{e9}\") Some(200) (Some(0), Some(5))",
            "HeadObject Some(\"none\") Some(404) (Some(0), Some(0))",
        ]
    );
}

#[tokio::test]
async fn what_did_not_run_is_tried_again_and_what_may_have_run_is_not() {
    let (store, bucket) = photos().await;
    let faults = store.faults();
    let lost = |fault: Fault| Rule::new(fault).times(1);
    for fault in [
        Fault::reset_before(),
        Fault::reset_after(),
        Fault::garbage("\u{0}\u{1}garbage\r\n\r\n"),
        Fault::error(500, "InternalError"),
        Fault::slow_down().retry_after("0"),
    ] {
        let hits = faults.add(lost(fault.clone()));
        bucket.put("k", "x").await.unwrap();
        assert_eq!(hits.count(), 1, "{fault:?}");
    }
    for (fault, key) in [
        (Fault::reset_after(), "once-a"),
        (Fault::error(500, "InternalError"), "once-b"),
        (Fault::garbage("what"), "once-c"),
    ] {
        faults.add(lost(fault));
        let error = bucket.put(key, "x").if_none_match_any().await.unwrap_err();
        assert!(
            error.may_have_been_sent() && error.attempts() == 1,
            "{error}"
        );
    }
    faults.add(lost(Fault::slow_down()));
    bucket.put("once-d", "x").if_none_match_any().await.unwrap();
}

#[tokio::test]
async fn a_body_that_is_cut_is_no_short_body() {
    let (store, bucket) = photos().await;
    bucket.put("large", vec![7; 300_000]).await.unwrap();
    store
        .faults()
        .add(Rule::new(Fault::cut(200_000)).key("large"));
    let object = bucket.get("large").await.unwrap();
    let error = object.body.bytes(1 << 20).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Closed, "{error}");
}

#[tokio::test]
async fn an_error_within_a_success_is_an_error() {
    let (store, bucket) = photos().await;
    let faults = store.faults();
    let late = |code: &'static str| Rule::new(Fault::error(200, code));
    let once = faults.add(late("InternalError").operation("CopyObject").times(1));
    bucket.copy("cat", "copy").await.unwrap();
    assert_eq!(once.count(), 1);
    let upload = bucket.create_multipart("large").await.unwrap();
    let part = upload.part(1, "meow").await.unwrap();
    let completes = late("InternalError").operation("CompleteMultipartUpload");
    let hits = faults.add(completes);
    let error = upload.complete([part]).await.unwrap_err();
    assert_eq!(
        (error.status(), error.code()),
        (Some(200), Some("InternalError"))
    );
    assert!(hits.count() >= 1 && u64::from(error.attempts()) == hits.count());
    faults.add(late("AccessDenied").operation("CopyObject"));
    let error = bucket.copy("cat", "copy").await.unwrap_err();
    assert_eq!(
        (error.status(), error.code()),
        (Some(200), Some("AccessDenied"))
    );
}

#[tokio::test]
async fn the_clock_of_the_server_is_followed_both_ways() {
    use s3_client::Signature;
    for (ahead, signature) in [
        (7200, Signature::V2),
        (-7200, Signature::V2),
        (7200, Signature::v4("us-east-1")),
        (-7200, Signature::v4("us-east-1")),
    ] {
        let (store, bucket) = photos().await;
        let client = store.builder().signature(signature).build().unwrap();
        let bucket = client.bucket(bucket.name());
        store.faults().set_clock_ahead(ahead);
        let object = bucket.get("cat").await.unwrap();
        assert_eq!(object.body.bytes(9).await.unwrap(), "meow");
        // It is learnt once.
        let before = store.requests();
        bucket.put("once", "x").if_none_match_any().await.unwrap();
        assert_eq!(store.requests(), before + 1);
    }
}

/// Finds `*.eu.store.test` and all else on two addresses of this machine.
struct Hosts;

impl Resolve for Hosts {
    fn resolve(&self, host: &str, port: u16) -> Resolving {
        let last = if host.ends_with("eu.store.test") {
            2
        } else {
            1
        };
        let addr = SocketAddr::from(([127, 0, 0, last], port));
        Box::pin(std::future::ready(Ok(vec![addr])))
    }
}

/// Two emulators on one port of two addresses, and a client of the first by the name `store.test`.
async fn two() -> (Emulator, Emulator, S3Client) {
    let keys = |builder: emulator::Builder| builder.user("AKID", "secret");
    let first = keys(Emulator::builder()).start().await.unwrap();
    let port = first.addr().port();
    let there = SocketAddr::from(([127, 0, 0, 2], port));
    let second = keys(Emulator::builder())
        .domain("eu.store.test")
        .listen(there);
    let second = second.start().await.unwrap();
    let client = S3Client::builder()
        .endpoint(format!("http://store.test:{port}"))
        .credentials(Credentials::new("AKID", "secret"))
        .pool(HttpPool::builder().resolver(Hosts).build())
        .retry(RetryConfig::none());
    (first, second, client.build().unwrap())
}

#[tokio::test]
async fn a_bucket_that_has_moved_is_found_and_remembered() {
    let (first, second, client) = two().await;
    let port = first.addr().port();
    for (status, host, remembered) in [
        (307, "eu.store.test", false),
        (307, "photos.eu.store.test", false),
        (301, "photos.eu.store.test", true),
    ] {
        let moved = Fault::redirect(status, format!("http://{host}:{port}"));
        let hits = first.faults().add(Rule::new(moved).bucket("photos"));
        let photos = client.bucket("photos");
        if status == 307 && host == "eu.store.test" {
            photos.create().await.unwrap();
        }
        photos.put("a b+c/\u{e9}", "meow").await.unwrap();
        let object = photos.get("a b+c/\u{e9}").await.unwrap();
        assert_eq!(object.body.bytes(9).await.unwrap(), "meow");
        assert_eq!(photos.list().await.unwrap().objects.len(), 1);
        let asked = hits.count();
        assert_eq!(asked == 1, remembered, "{status} {host}: {asked}");
        first.faults().clear();
    }
    assert_eq!(second.stats().refused, 0);
}

#[tokio::test]
async fn a_body_that_can_be_read_once_is_not_read_for_a_refusal() {
    use futures_util::stream;
    let (first, second, client) = two().await;
    let port = first.addr().port();
    let large = |bytes: usize| {
        let pieces = stream::iter([Ok::<_, std::io::Error>(bytes::Bytes::from(vec![7; bytes]))]);
        (bytes as u64, pieces)
    };
    let photos = client.bucket("photos");
    let there = Fault::redirect(307, format!("http://photos.eu.store.test:{port}"));
    let hits = first.faults().add(Rule::new(there.early()));
    photos.create().await.unwrap();
    // Refused with its head by the one, taken by the other.
    let (len, pieces) = large(2 << 20);
    photos.put_stream("large", len, pieces).await.unwrap();
    assert_eq!(hits.count(), 2);
    assert_eq!(photos.head("large").await.unwrap().size(), Some(2 << 20));
    // A smaller one goes out at once, and is gone.
    let (len, pieces) = large(1000);
    let error = photos.put_stream("small", len, pieces).await.unwrap_err();
    assert!(
        error.status() == Some(307) || error.may_have_been_sent(),
        "{error}"
    );
    second
        .faults()
        .add(Rule::new(Fault::error(417, "ExpectationFailed").early()).times(1));
    let (len, pieces) = large(3 << 20);
    photos.put_stream("larger", len, pieces).await.unwrap();
}

#[tokio::test]
async fn credentials_go_to_no_other_party() {
    let (first, second, client) = two().await;
    let port = first.addr().port();
    let elsewhere = Emulator::start().await.unwrap();
    for location in [
        elsewhere.url(),
        format!("http://evil.test:{port}"),
        format!("http://store.test.evil.test:{port}"),
    ] {
        let hits = first
            .faults()
            .add(Rule::new(Fault::redirect(301, &*location)));
        let error = client.bucket("photos").get("k").await.unwrap_err();
        let text = error.to_string();
        assert!(
            text.contains(&location) && text.contains("redirects_to"),
            "{text}"
        );
        assert_eq!((error.status(), hits.count()), (Some(301), 1));
        first.faults().clear();
    }
    assert_eq!(elsewhere.stats().requests, 0);
    // In a circle it comes to an end.
    let circle = Fault::redirect(307, format!("http://eu.store.test:{port}"));
    let back = Fault::redirect(307, format!("http://store.test:{port}"));
    let hits = first.faults().add(Rule::new(circle));
    let more = second.faults().add(Rule::new(back));
    let error = client.bucket("photos").get("k").await.unwrap_err();
    assert_eq!(
        (error.status(), hits.count() + more.count()),
        (Some(307), 4)
    );
}

#[tokio::test]
async fn everything_is_done_on_a_bad_day() {
    let (store, _) = photos().await;
    let faults = store.faults();
    faults.seed(4);
    let client = store.builder().retry(quick().max_attempts(10).budget(0));
    let bucket = store.bucket_of(&client.build().unwrap()).await;
    for fault in [
        Fault::slow_down(),
        Fault::error(500, "InternalError"),
        Fault::reset_before(),
        Fault::reset_after(),
        Fault::garbage("HTTP/1.1 2"),
    ] {
        faults.add(Rule::new(fault).rate(0.03));
    }
    let work = (0..200).map(|n| {
        let bucket = bucket.clone();
        tokio::spawn(async move {
            let key = format!("k{n}");
            bucket.put(&*key, key.clone()).await?;
            let object = bucket.get(&*key).await?;
            assert_eq!(object.body.bytes(99).await?, key);
            bucket.delete(key).await
        })
    });
    for task in work.collect::<Vec<_>>() {
        task.await.unwrap().unwrap();
    }
    let kinds: std::collections::BTreeSet<_> = faults
        .injected()
        .into_iter()
        .map(|injected| injected.fault)
        .collect();
    assert_eq!(kinds.len(), 5, "{kinds:?}");
    faults.clear();
    assert!(bucket.list().await.unwrap().objects.is_empty());
}
