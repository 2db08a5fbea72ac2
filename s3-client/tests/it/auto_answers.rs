//! What a client that was told nothing of signatures takes an answer for, and what waits until it knows.

#![allow(
    clippy::unwrap_used,
    reason = "this is test code outside of a test function"
)]

use std::sync::Arc;
use std::time::Duration;

use emulator::Signatures;
use s3_client::request::RetryConfig;
use s3_client::transport::{Scripted, Step};
use s3_client::{Checksum, Credentials, Kind, S3Client, Signature};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::auto_signature::{AMAZON, Words, client, once, with_bucket};
use crate::peer::{Peer, answer, refusal};

/// Some stores name the region in each answer, also in one that denies access or sends a request elsewhere.
#[tokio::test]
async fn a_region_beside_another_answer_is_nothing_against_version_2() {
    let peer = Peer::start(|heard| {
        let fields = "x-amz-bucket-region: eu-west-1\r\n";
        match heard.line.as_str() {
            "HEAD /photos/denied" => {
                format!("HTTP/1.1 403 Said\r\n{fields}Content-Length: 0\r\n\r\n")
            }
            "HEAD /photos/moved" => {
                format!("HTTP/1.1 301 Said\r\n{fields}Content-Length: 0\r\n\r\n")
            }
            "GET /photos/moved" => {
                let xml =
                    "<Error><Code>PermanentRedirect</Code><Message>Elsewhere.</Message></Error>";
                answer(301, fields, xml)
            }
            _ => answer(200, fields, ""),
        }
    })
    .await;
    let photos = peer.builder().build().unwrap().bucket("photos");
    photos.delete("k").await.unwrap();
    for error in [
        photos.head("denied").await.unwrap_err(),
        photos.head("moved").await.unwrap_err(),
        photos.get("moved").await.unwrap_err(),
    ] {
        assert!(matches!(error.status(), Some(301 | 403)), "{error}");
    }
    photos.delete("k").await.unwrap();
    assert_eq!(photos.signature(), Signature::V2);
    let heard = peer.heard();
    assert_eq!(heard.len(), 5, "{heard:?}");
    for heard in heard {
        assert!(
            heard
                .field("authorization")
                .unwrap()
                .starts_with("AWS AKID:")
        );
    }
}

/// What goes behind a stream depends on the version, which is found out before.
#[tokio::test]
async fn a_checksum_behind_the_first_stream_waits_for_the_version() {
    let store = with_bucket(Signatures::V4, Some("garage")).await;
    let photos = client(&store).bucket("photos");
    let stored = photos.put("k", once("meow")).checksum(Checksum::Crc32c);
    let stored = stored.await.unwrap();
    assert!(stored.checksum(Checksum::Crc32c).is_some());
    let got = photos.get("k").await.unwrap();
    assert_eq!(got.body.bytes(100).await.unwrap(), "meow");
    let server = Words::new(400, AMAZON, "us-east-1");
    let photos = server.client("http://store.example").bucket("photos");
    let puts = ["a", "b", "c"].map(|key| {
        let put = photos.put(key, once("x")).checksum(Checksum::Crc32c);
        tokio::spawn(put.send())
    });
    for put in puts {
        put.await.unwrap().unwrap();
    }
    // One asks, and the others wait for it.
    let mut expected = vec!["V2"];
    expected.extend(["us-east-1"; 4]);
    assert_eq!(server.seen(), expected);
    // By Version 2 it cannot be sent, and the error says so.
    let store = with_bucket(Signatures::V2, None).await;
    let photos = client(&store).bucket("photos");
    let put = photos.put("k", once("meow")).checksum(Checksum::Crc32c);
    let error = put.await.unwrap_err();
    assert_eq!(error.kind(), Kind::Invalid);
    assert!(
        error
            .to_string()
            .starts_with("S3 PutObject on photos, \"k\": "),
        "{error}"
    );
}

#[tokio::test(start_paused = true)]
async fn who_depends_on_the_version_waits_for_the_first_and_for_what_is_sent_ahead() {
    let hold = Arc::new(Notify::new());
    let server = Words::new(400, AMAZON, "us-east-1");
    *server.hold.lock().unwrap() = Some(hold.clone());
    let photos = server.client("http://store.example").bucket("photos");
    let first = tokio::spawn(photos.delete("k").send());
    tokio::task::yield_now().await;
    let put = photos.put("k", once("x")).checksum(Checksum::Crc32c);
    let put = tokio::spawn(put.send());
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    assert_eq!(server.seen(), ["V2"], "the put waits");
    hold.notify_one();
    first.await.unwrap().unwrap();
    put.await.unwrap().unwrap();
    assert_eq!(server.seen(), ["us-east-1", "us-east-1"]);
    // A store that does not answer what is sent ahead holds a request up for a while only.
    let server = Words::new(400, AMAZON, "V2");
    *server.hold.lock().unwrap() = Some(Arc::default());
    let photos = server.client("http://store.example").bucket("photos");
    let begun = Instant::now();
    photos.head("k").await.unwrap();
    assert_eq!(begun.elapsed(), Duration::from_secs(5));
}

/// Who waits for the first request goes where that was sent on to.
#[tokio::test]
async fn what_the_first_has_learnt_of_the_place_counts_for_the_others() {
    let there = Peer::start(|_| answer(204, "", "")).await;
    let location = format!("Location: {}/photos/k\r\n", there.url());
    let here = Peer::start(move |_| answer(301, &location, "")).await;
    let photos = here.builder().redirects_to("127.0.0.1").build().unwrap();
    let photos = photos.bucket("photos");
    let both = tokio::join!(photos.delete("a").send(), photos.delete("b").send());
    both.0.unwrap();
    both.1.unwrap();
    assert_eq!((here.heard().len(), there.heard().len()), (1, 2));
}

/// At Amazon a region that was said is signed for, elsewhere the host's is.
#[tokio::test]
async fn a_region_that_is_said_counts_where_the_store_has_several() {
    for (endpoint, signed) in [
        ("http://s3.eu-west-1.amazonaws.com", "ap-south-1"),
        ("http://0123.r2.cloudflarestorage.com", "auto"),
        ("http://s3.us-west-004.backblazeb2.com", "us-west-004"),
    ] {
        let builder = S3Client::builder().endpoint(endpoint).region("ap-south-1");
        let builder = builder.credentials(Credentials::new("i", "s"));
        let told = builder.transport(Words::new(400, AMAZON, signed));
        let told = told.build().unwrap();
        told.bucket("photos").delete("k").await.unwrap();
        assert_eq!(told.signature(), Signature::v4(signed), "{endpoint}");
    }
}

/// What an answer settles: `Auto` means that nothing is known as before.
#[tokio::test]
async fn an_answer_about_something_else_tells_of_the_version() {
    for (status, code, settles, doubts) in [
        (400, "InvalidRequest", false, false),
        (401, "Unauthorized", false, false),
        (403, "AccessDenied", false, true),
        (403, "SignatureDoesNotMatch", false, true),
        (403, "InvalidAccessKeyId", false, false),
        (404, "NoSuchBucket", true, false),
        (405, "MethodNotAllowed", true, false),
        (409, "OperationAborted", true, false),
        // These come from what is busy, or from something on the way.
        (404, "", false, false),
        (408, "RequestTimeout", false, false),
        (429, "TooManyRequests", false, false),
        (500, "InternalError", false, false),
        (501, "NotImplemented", false, false),
        (503, "SlowDown", false, false),
    ] {
        let peer = Peer::start(move |_| match code {
            "" => answer(status, "", ""),
            code => refusal(status, code, "No."),
        })
        .await;
        let builder = peer.builder().retry(RetryConfig::none());
        let photos = builder.build().unwrap().bucket("photos");
        let error = photos.delete("k").await.unwrap_err();
        assert_eq!(error.status(), Some(status));
        let known = photos.signature() != Signature::Auto;
        assert_eq!(known, settles, "{status} {code}");
        let told = error.to_string();
        assert_eq!(told.contains("Signature::v4("), doubts, "{told}");
    }
}

/// Once the store has read a signature, nobody asks ahead or waits any more.
#[tokio::test]
async fn a_small_request_is_sent_ahead_once_and_not_repeated() {
    let peer = Peer::start(|heard| match heard.line.as_str() {
        "HEAD /photos/k" => answer(200, "", ""),
        line if line.starts_with("GET") => refusal(503, "SlowDown", "Later."),
        _ => refusal(403, "AccessDenied", "No."),
    })
    .await;
    let photos = peer.builder().build().unwrap().bucket("photos");
    photos.head("k").await.unwrap();
    let lines = |peer: &Peer| -> Vec<String> { peer.heard().into_iter().map(|h| h.line).collect() };
    assert_eq!(lines(&peer), ["GET /photos/?location", "HEAD /photos/k"]);
    photos.head("k").await.unwrap();
    assert_eq!(lines(&peer).len(), 3);
    let photos = peer.builder().build().unwrap().bucket("photos");
    photos.delete("k").await.unwrap_err();
    photos.head("k").await.unwrap();
    assert_eq!(lines(&peer)[3..], ["DELETE /photos/k", "HEAD /photos/k"]);
}

/// A store of which nothing can be learnt costs one small request, not one for each request; but a body that would be
/// lost by a refusal has one sent ahead each time.
#[tokio::test(start_paused = true)]
async fn what_teaches_nothing_is_not_asked_for_each_request() {
    const BUSY: &str = "<Error><Code>SlowDown</Code><Message>Later.</Message></Error>";
    let ask = || Step::new("GET", "/photos/?location").answer(503).body(BUSY);
    let head = || Step::new("HEAD", "/photos/k").answer(403);
    let put = || Step::new("PUT", "/photos/k").answer(503).body(BUSY);
    let steps = [
        ask(),
        head(),
        head(),
        head(),
        // After a pause it is worth its while again.
        ask(),
        head(),
        head(),
        ask(),
        put(),
        ask(),
        put(),
    ];
    let script = Arc::new(steps.into_iter().fold(Scripted::new(), Scripted::step));
    let builder = S3Client::builder().endpoint("http://store.example");
    let builder = builder.credentials(Credentials::new("AKID", "secret"));
    let builder = builder.retry(RetryConfig::none()).transport(script.clone());
    let photos = builder.build().unwrap().bucket("photos");
    for heads in [3, 2] {
        for _ in 0..heads {
            let error = photos.head("k").await.unwrap_err().to_string();
            // Nobody knows whether it is the version that was refused.
            assert!(error.contains("Signature::v4(\"us-east-1\")"), "{error}");
        }
        tokio::time::advance(Duration::from_secs(5)).await;
    }
    for _ in 0..2 {
        photos.put("k", once("x")).await.unwrap_err();
    }
    script.finish().unwrap();
}
