//! A client that was told nothing of signatures, at stores that take one version, one region, or both.

#![allow(
    clippy::unwrap_used,
    reason = "this is test code outside of a test function"
)]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_core::transport::ResponseFuture;
use bytes::Bytes;
use emulator::{Emulator, Fault, Rule, Signatures};
use futures_util::{StreamExt as _, stream};
use pipeline_pool::{Head, Method, Origin, Request, Response};
use s3_client::answer::PostForm;
use s3_client::request::RetryConfig;
use s3_client::transport::Transport;
use s3_client::{Credentials, Kind, S3Builder, S3Client, Signature, Source};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::raw::{Answer, form, send};

async fn store(versions: Signatures, region: Option<&str>) -> Emulator {
    let builder = Emulator::builder().signatures(versions);
    let builder = match region {
        Some(region) => builder.region(region),
        None => builder,
    };
    builder.start().await.unwrap()
}

fn builder(store: &Emulator) -> S3Builder {
    let keys = Credentials::new(store.access_key(), store.secret_key());
    S3Client::builder().endpoint(store.url()).credentials(keys)
}

pub(super) fn client(store: &Emulator) -> S3Client {
    builder(store).build().unwrap()
}

/// Makes the bucket `photos` by a client that was told how to sign.
pub(super) async fn with_bucket(versions: Signatures, region: Option<&str>) -> Emulator {
    let store = store(versions, region).await;
    let signature = match versions {
        Signatures::V2 => Signature::V2,
        _ => Signature::v4(region.unwrap_or("us-east-1")),
    };
    let told = builder(&store).signature(signature).build().unwrap();
    told.bucket("photos").create().await.unwrap();
    store
}

/// What the store has had since, and how much of it was refused for its signature.
struct Since<'a>(&'a Emulator, u64, u64);

impl<'a> Since<'a> {
    fn now(store: &'a Emulator) -> Self {
        let stats = store.stats();
        Self(store, stats.requests, stats.refused)
    }

    fn counts(&self) -> (u64, u64) {
        let stats = self.0.stats();
        (stats.requests - self.1, stats.refused - self.2)
    }
}

#[tokio::test]
async fn each_store_gets_the_version_that_it_takes() {
    for (versions, region, signature, refused) in [
        (Signatures::Both, None, Signature::V2, 0),
        (Signatures::V2, None, Signature::V2, 0),
        (Signatures::V4, None, Signature::v4("us-east-1"), 1),
        // The refusal of the version does not name the region, that of the region does.
        (Signatures::V4, Some("garage"), Signature::v4("garage"), 2),
    ] {
        let store = store(versions, region).await;
        let client = client(&store);
        let photos = client.bucket("photos");
        assert_eq!(photos.signature(), Signature::Auto);
        let since = Since::now(&store);
        photos.create().await.unwrap();
        photos.put("k", "meow").await.unwrap();
        let got = photos.get("k").await.unwrap();
        assert_eq!(got.body.bytes(100).await.unwrap(), "meow");
        assert_eq!(client.list_buckets().await.unwrap().len(), 1);
        assert_eq!(
            since.counts(),
            (4 + refused, refused),
            "{versions:?} {region:?}"
        );
        assert_eq!(photos.signature(), signature);
        assert_eq!(client.signature(), signature);
        assert_eq!(client.bucket("others").signature(), signature);
    }
}

#[tokio::test]
async fn a_store_that_takes_only_version_2_is_found_out_too() {
    let store = store(Signatures::V2, None).await;
    let said = builder(&store).signature(Signature::v4("us-east-1"));
    let photos = said.negotiate(true).build().unwrap().bucket("photos");
    let since = Since::now(&store);
    photos.create().await.unwrap();
    photos.put("k", "meow").await.unwrap();
    assert_eq!(since.counts(), (3, 1));
    assert_eq!(photos.signature(), Signature::V2);
}

#[tokio::test]
async fn what_was_said_is_kept() {
    for (versions, said, cure) in [
        (
            Signatures::V4,
            Signature::V2,
            ".signature(Signature::v4(\"us-east-1\"))",
        ),
        (
            Signatures::V2,
            Signature::v4("eu-west-1"),
            ".signature(Signature::V2)",
        ),
    ] {
        let store = store(versions, None).await;
        let client = builder(&store).signature(said.clone()).build().unwrap();
        let since = Since::now(&store);
        for _ in 0..2 {
            let error = client.list_buckets().await.unwrap_err();
            assert!(error.to_string().contains(cure), "{error}");
        }
        assert_eq!(
            since.counts(),
            (2, 2),
            "each is refused, and none is sent again"
        );
        assert_eq!(client.signature(), said);
    }
}

#[tokio::test]
async fn tasks_that_begin_at_once_have_one_request_refused() {
    for (versions, refused) in [(Signatures::V4, 1), (Signatures::Both, 0)] {
        let store = with_bucket(versions, None).await;
        let photos = client(&store).bucket("photos");
        let since = Since::now(&store);
        let puts = stream::iter(0..64).map(|i| photos.put(format!("{i}"), "meow").send());
        let stored: Vec<_> = puts.buffer_unordered(64).collect().await;
        assert!(stored.iter().all(Result::is_ok), "{stored:?}");
        assert_eq!(since.counts(), (64 + refused, refused));
    }
}

#[tokio::test]
async fn operations_that_may_run_once_are_sent_again() {
    let store = with_bucket(Signatures::V4, None).await;
    let photos = client(&store).bucket("photos");
    let since = Since::now(&store);
    photos.put("k", "meow").if_none_match_any().await.unwrap();
    assert_eq!(since.counts(), (2, 1));
    let error = photos.put("k", "no").if_none_match_any().await.unwrap_err();
    assert!(error.is_condition_failed(), "{error}");
}

pub(super) fn once(body: &'static str) -> Source {
    let pieces = [Ok::<_, std::io::Error>(Bytes::from_static(body.as_bytes()))];
    Source::stream(body.len() as u64, stream::iter(pieces))
}

#[tokio::test]
async fn a_body_that_can_be_read_once_is_not_lost() {
    for expects in [Some(0), None] {
        let store = with_bucket(Signatures::V4, None).await;
        let builder = builder(&store).expect_continue(expects);
        let photos = builder.build().unwrap().bucket("photos");
        let since = Since::now(&store);
        photos.put("k", once("meow")).await.unwrap();
        // The question where the bucket is, twice, and the object.
        assert_eq!(since.counts(), (3, 1), "{expects:?}");
        photos.put("k", once("miaow")).await.unwrap();
        assert_eq!(since.counts(), (4, 1));
        let got = photos.get("k").await.unwrap();
        assert_eq!(got.body.bytes(100).await.unwrap(), "miaow");
    }
}

#[tokio::test]
async fn large_bodies_are_not_sent_in_vain() {
    let store = with_bucket(Signatures::V4, None).await;
    let photos = client(&store).bucket("photos");
    let since = Since::now(&store);
    photos.put("k", vec![7; 128 << 10]).await.unwrap();
    assert_eq!(since.counts(), (3, 1), "a question went ahead");
    let photos = client(&store).bucket("photos");
    photos.put("k", vec![7; (128 << 10) - 1]).await.unwrap();
    assert_eq!(since.counts(), (5, 2), "a small body goes itself");
}

#[tokio::test]
async fn a_head_request_has_no_words_and_is_asked_for() {
    let store = with_bucket(Signatures::V4, Some("garage")).await;
    let photos = client(&store).bucket("photos");
    let since = Since::now(&store);
    photos.head_bucket().await.unwrap();
    assert_eq!(since.counts(), (4, 2));
    assert!(photos.head("none").await.unwrap_err().is_not_found());
    assert_eq!(since.counts(), (5, 2));
    // Where there is no such bucket, the answer tells of the signature all the same.
    let none = client(&store).bucket("none");
    assert!(none.head("none").await.unwrap_err().is_not_found());
    assert_eq!(none.signature(), Signature::v4("garage"));
}

#[tokio::test]
async fn a_wrong_key_is_no_wrong_version() {
    for (versions, first, doubts) in [
        (Signatures::Both, (1, 1), true),
        // The engine that checks Version 4 in the emulator counts no refusal.
        (Signatures::V4, (2, 1), false),
    ] {
        let store = store(versions, None).await;
        let wrong = Credentials::new(store.access_key(), "topsecret");
        let client = builder(&store).credentials(wrong).build().unwrap();
        let since = Since::now(&store);
        let error = client.list_buckets().await.unwrap_err();
        assert_eq!(error.code(), Some("SignatureDoesNotMatch"), "{error}");
        assert_eq!(since.counts(), first, "{versions:?}");
        let text = error.to_string();
        assert_eq!(text.contains("signed by Version 2"), doubts, "{text}");
        assert!(!text.contains("topsecret"), "{text}");
        client.list_buckets().await.unwrap_err();
        assert_eq!(since.counts().0, first.0 + 1, "and once more");
    }
}

async fn post(made: &PostForm) -> Answer {
    let (content_type, body) = form(made.fields(), "cat.txt", b"purr");
    send(
        "POST",
        made.url(),
        [("Content-Type", &*content_type)],
        &body,
    )
    .await
}

#[tokio::test]
async fn links_and_forms_are_signed_as_was_learnt() {
    let store = with_bucket(Signatures::V4, Some("eu-west-1")).await;
    let photos = client(&store).bucket("photos");
    for error in [
        photos.presign_get("k").await.unwrap_err(),
        photos.post_policy().key("k").await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), Kind::Invalid);
        assert!(
            error.to_string().contains(".signature(Signature::V2)"),
            "{error}"
        );
    }
    photos.put("k", "meow").await.unwrap();
    let link = photos.presign_get("k").await.unwrap();
    let got = send("GET", link.url(), [], b"").await;
    assert_eq!((got.status, got.text()), (200, "meow".to_owned()));
    let made = photos.post_policy().key("f").await.unwrap();
    let posted = post(&made).await;
    assert_eq!(posted.status, 204, "{}", posted.text());
    // One by Version 2 is refused there: the emulator stands in for stores that take one version.
    let old = builder(&store).signature(Signature::V2).build().unwrap();
    let old = old.bucket("photos");
    let link = old.presign_get("k").await.unwrap();
    let refused = send("GET", link.url(), [], b"").await;
    assert_eq!(refused.status, 400);
    assert!(refused.text().contains("Please use AWS4-HMAC-SHA256"));
    let made = old.post_policy().key("f").await.unwrap();
    let refused = post(&made).await;
    assert_eq!(refused.status, 400, "{}", refused.text());
    // Links of hosts that tell are made at once.
    let s3 = S3Client::builder().endpoint("http://s3.eu-west-1.amazonaws.com");
    let s3 = s3.credentials(Credentials::new("i", "s")).build().unwrap();
    let link = s3.bucket("photos").presign_get("k").await.unwrap();
    assert!(link.url().contains("%2Feu-west-1%2Fs3%2F"));
}

#[tokio::test]
async fn a_busy_store_settles_nothing() {
    let store = with_bucket(Signatures::V4, None).await;
    store.faults().add(Rule::new(Fault::slow_down()).times(2));
    let photos = client(&store).bucket("photos");
    photos.put("k", "meow").await.unwrap();
    assert_eq!(photos.signature(), Signature::v4("us-east-1"));
}

/// Answers in the words of a store, until a request is signed as it wants. Holds the first request back until it is
/// let go.
#[derive(Clone, Debug)]
pub(super) struct Words {
    refusal: (u16, &'static str),
    /// What the `Authorization` has to contain.
    wants: &'static str,
    pub(super) hold: Arc<Mutex<Option<Arc<Notify>>>>,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Words {
    pub(super) fn new(status: u16, xml: &'static str, wants: &'static str) -> Self {
        Self {
            refusal: (status, xml),
            wants,
            hold: Arc::default(),
            seen: Arc::default(),
        }
    }

    pub(super) fn client(&self, endpoint: &str) -> S3Client {
        let builder = S3Client::builder().endpoint(endpoint);
        let builder = builder.credentials(Credentials::new("i", "s"));
        let builder = builder.retry(RetryConfig::none());
        builder.transport(self.clone()).build().unwrap()
    }

    pub(super) fn seen(&self) -> Vec<String> {
        std::mem::take(&mut self.seen.lock().unwrap())
    }
}

/// `V2`, or the region of Version 4.
fn signed(request: &Request) -> String {
    let mut headers = request.headers();
    let field = headers.find(|(name, _)| name.eq_ignore_ascii_case("authorization"));
    let value = field.map_or("none", |(_, value)| value);
    match value.strip_prefix("AWS4-HMAC-SHA256 ") {
        Some(scope) => scope.split('/').nth(2).unwrap().to_owned(),
        None if value.starts_with("AWS ") => "V2".to_owned(),
        None => value.to_owned(),
    }
}

impl Transport for Words {
    fn send(&self, _: &Origin, request: Request) -> ResponseFuture {
        let by = signed(&request);
        let (status, xml) = match by == self.wants {
            true => (200, ""),
            false => self.refusal,
        };
        self.seen.lock().unwrap().push(by);
        let body = match request.method() {
            Method::Head => "",
            _ => xml,
        };
        let answer = Response::new(Head::new(status, []), Bytes::from_static(body.as_bytes()));
        match self.hold.lock().unwrap().take() {
            None => ResponseFuture::ready(Ok(answer)),
            Some(hold) => ResponseFuture::new(async move {
                hold.notified().await;
                Ok(answer)
            }),
        }
    }
}

pub(super) const AMAZON: &str = "<Error><Code>InvalidRequest</Code><Message>The authorization mechanism you have provided is not \
                      supported. Please use AWS4-HMAC-SHA256.</Message></Error>";
const GARAGE: &str = "<Error><Code>InvalidRequest</Code><Message>Bad request: Unsupported authorization \
                      method</Message><Resource>/photos/</Resource><Region>garage</Region></Error>";

#[tokio::test]
async fn the_words_of_stores_are_understood() {
    for (status, xml, wants) in [
        (400, AMAZON, "us-east-1"),
        (
            401,
            "<Error><Code>Unauthorized</Code><Message>SigV2 authorization is not supported. Please use SigV4 \
             instead.</Message></Error>",
            "us-east-1",
        ),
        (
            400,
            "<Error>\n <Code>InvalidRequest</Code>\n <Message>The V2 signature authorization mechanism you have \
             provided is not supported. Please use AWS4-HMAC-SHA256</Message>\n</Error>",
            "us-east-1",
        ),
        (400, GARAGE, "garage"),
        (
            403,
            "<Error><Code>InvalidRequest</Code><Message>Error creating s3 auth info. The request may not be signed \
             using AWS V4 signing algorithm, or might be invalid</Message></Error>",
            "us-east-1",
        ),
    ] {
        let server = Words::new(status, xml, wants);
        let photos = server.client("http://store.example").bucket("photos");
        photos.delete("k").await.unwrap();
        photos.delete("k").await.unwrap();
        assert_eq!(server.seen(), ["V2", wants, wants], "{xml}");
    }
    let riak = "<Error><Code>InvalidRequest</Code><Message>The authorization mechanism you have provided \
                (AWS4-HMAC-SHA256) is not supported.</Message></Error>";
    let server = Words::new(400, riak, "V2");
    let builder = S3Client::builder().endpoint("http://store.example");
    let builder = builder.credentials(Credentials::new("i", "s"));
    let said = builder.signature(Signature::v4("eu")).negotiate(true);
    let photos = said.transport(server.clone()).build().unwrap();
    let photos = photos.bucket("photos");
    photos.delete("k").await.unwrap();
    photos.delete("k").await.unwrap();
    assert_eq!(server.seen(), ["eu", "V2", "V2"]);
}

#[tokio::test]
async fn hosts_that_tell_are_not_asked() {
    for (endpoint, region) in [
        ("http://s3.amazonaws.com", "us-east-1"),
        ("http://s3.eu-west-1.amazonaws.com", "eu-west-1"),
        ("http://0123.r2.cloudflarestorage.com", "auto"),
        ("http://s3.us-west-004.backblazeb2.com", "us-west-004"),
        ("http://storage.googleapis.com", "auto"),
    ] {
        let server = Words::new(400, AMAZON, region);
        let photos = server.client(endpoint).bucket("photos");
        photos.head("k").await.unwrap();
        photos.put("k", once("x")).await.unwrap();
        assert_eq!(server.seen(), [region, region], "{endpoint}");
    }
}

#[tokio::test]
async fn a_store_that_refuses_both_versions_is_asked_by_each_once() {
    let server = Words::new(400, GARAGE, "never");
    let client = server.client("http://store.example");
    let error = client.bucket("photos").delete("k").await.unwrap_err();
    assert!(error.to_string().contains("either version"), "{error}");
    assert_eq!(server.seen(), ["V2", "garage"]);
    let error = client.bucket("photos").delete("k").await.unwrap_err();
    assert!(error.to_string().contains("either version"), "{error}");
    assert_eq!(server.seen(), ["garage"]);
}

#[tokio::test(start_paused = true)]
async fn others_wait_for_the_first_but_not_for_ever() {
    let hold = Arc::new(Notify::new());
    let server = Words {
        hold: Arc::new(Mutex::new(Some(hold.clone()))),
        ..Words::new(400, AMAZON, "us-east-1")
    };
    let photos = server.client("http://store.example").bucket("photos");
    let first = tokio::spawn(photos.delete("first").send());
    tokio::task::yield_now().await;
    let begun = Instant::now();
    photos.delete("second").await.unwrap();
    assert_eq!(begun.elapsed(), Duration::from_secs(5));
    assert_eq!(server.seen(), ["V2", "V2", "us-east-1"]);
    // The answer to the first is late: it is signed again by what was learnt meanwhile.
    hold.notify_one();
    first.await.unwrap().unwrap();
    assert_eq!(server.seen(), ["us-east-1"]);
}

#[tokio::test(start_paused = true)]
async fn a_wait_is_part_of_the_time_of_an_operation() {
    let server = Words {
        hold: Arc::new(Mutex::new(Some(Arc::default()))),
        ..Words::new(400, AMAZON, "us-east-1")
    };
    let builder = S3Client::builder().endpoint("http://store.example");
    let builder = builder.credentials(Credentials::new("i", "s"));
    let builder = builder.timeout(Duration::from_secs(2));
    let client = builder.transport(server.clone()).build().unwrap();
    let photos = client.bucket("photos");
    let first = photos.delete("first").send();
    let second = photos.delete("second").send();
    let begun = Instant::now();
    let (first, _second) = tokio::join!(first, second);
    assert_eq!(begun.elapsed(), Duration::from_secs(2));
    assert_eq!(first.unwrap_err().kind(), Kind::Timeout);
}

#[tokio::test(start_paused = true)]
async fn others_go_when_the_first_is_given_up() {
    let server = Words {
        hold: Arc::new(Mutex::new(Some(Arc::default()))),
        ..Words::new(400, AMAZON, "us-east-1")
    };
    let photos = server.client("http://store.example").bucket("photos");
    let first = tokio::spawn(photos.delete("first").send());
    tokio::task::yield_now().await;
    let others: Vec<_> = (0..8)
        .map(|i| tokio::spawn(photos.delete(format!("{i}")).send()))
        .collect();
    tokio::task::yield_now().await;
    let begun = Instant::now();
    first.abort();
    for other in others {
        other.await.unwrap().unwrap();
    }
    assert_eq!(begun.elapsed(), Duration::ZERO);
    assert_eq!(photos.signature(), Signature::v4("us-east-1"));
}
