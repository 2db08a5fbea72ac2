//! Ways to sign: Version 4, anonymous, and what a client learns from a server.

#![allow(
    clippy::unwrap_used,
    reason = "this is test code outside of a test function"
)]

use std::sync::{Arc, Mutex};

use aws_core::transport::ResponseFuture;
use bytes::Bytes;
use futures_util::stream;
use pipeline_pool::{Head, Origin, Request, Response};
use s3_client::transport::Transport;
use s3_client::{Credentials, S3Builder, S3Client, Signature, Source};

use crate::store::Store;

/// Keys that a signature trips over.
pub(crate) const KEYS: [&str; 14] = [
    "plain",
    "a b",
    "a+b",
    "a%2Fb",
    "100%",
    "q?x=1&y#z",
    "caf\u{e9}/\u{1d11e}",
    "/leading//double/",
    "~tilde.-_",
    "a=b,c;d:e@f$g",
    "'quotes\"and`ticks`",
    "{[(<>)]}|\\^",
    "*!",
    "dots/.../..x",
];

fn v4(store: &Store) -> S3Builder {
    store.builder().signature(Signature::v4("us-east-1"))
}

#[tokio::test]
async fn version_4_signs_what_version_2_does() {
    let store = Store::start().await;
    let bucket = store.bucket_of(&v4(&store).build().unwrap()).await;
    for key in KEYS {
        let body = format!("body of {key}");
        bucket
            .put(key, body.clone())
            .content_type("text/plain; charset=utf-8")
            .metadata("mood", "two  spaces and a  tab")
            .content_md5(true)
            .await
            .unwrap();
        let got = bucket.get(key).range(1..).await.unwrap();
        assert_eq!(got.head.metadata("mood"), Some("two  spaces and a  tab"));
        assert_eq!(got.body.bytes(1000).await.unwrap(), body[1..], "{key}");
        assert_eq!(
            bucket.head(key).await.unwrap().size(),
            Some(body.len() as u64)
        );
    }
    let mut listing = bucket.list().prefix("a").delimiter("+").objects();
    let mut found = Vec::new();
    while let Some(object) = listing.try_next().await.unwrap() {
        found.push(object.key);
    }
    assert_eq!(found, ["a b", "a%2Fb", "a=b,c;d:e@f$g"]);
    for key in KEYS {
        bucket.delete(key).await.unwrap();
    }
    bucket.delete_bucket().await.unwrap();
}

#[tokio::test]
async fn version_4_signs_bodies_or_not() {
    let store = Store::start().await;
    let signed = v4(&store).build().unwrap();
    let bucket = store.bucket_of(&signed).await;
    let unsigned = v4(&store).sign_bodies(false).build().unwrap();
    let unsigned = unsigned.bucket(bucket.name());
    let body: Vec<u8> = (0..200_000_u32).map(|i| (i % 251) as u8).collect();
    let pieces = || {
        let pieces: Vec<_> = body.chunks(7001).map(Bytes::copy_from_slice).collect();
        let pieces = stream::iter(pieces.into_iter().map(Ok::<_, std::io::Error>));
        Source::stream(body.len() as u64, pieces)
    };
    for (key, bucket) in [("in chunks", &bucket), ("unsigned", &unsigned)] {
        bucket
            .put(key, pieces())
            .content_encoding("x-none")
            .await
            .unwrap();
        let got = bucket.get(key).await.unwrap();
        let encoding = got.head.header("content-encoding");
        // Some servers keep the coding of the transfer.
        assert!(encoding.unwrap().ends_with("x-none"), "{encoding:?}");
        assert_eq!(got.body.bytes(1 << 20).await.unwrap(), body, "{key}");
        bucket.put(key, "small").await.unwrap();
        assert_eq!(
            bucket.get(key).await.unwrap().body.bytes(9).await.unwrap(),
            "small"
        );
    }
    bucket
        .put(
            "none",
            Source::stream(0, stream::empty::<Result<Bytes, std::io::Error>>()),
        )
        .await
        .unwrap();
    assert_eq!(bucket.head("none").await.unwrap().size(), Some(0));
}

#[tokio::test]
async fn a_wrong_secret_is_refused_in_both_versions() {
    let store = Store::start().await;
    for signature in [Signature::V2, Signature::v4("us-east-1")] {
        let wrong = Credentials::new(store.access_key(), "topsecret");
        let client = store.builder().credentials(wrong).signature(signature);
        let error = client.build().unwrap().list_buckets().await.unwrap_err();
        assert_eq!(error.code(), Some("SignatureDoesNotMatch"));
        assert!(!format!("{error} {error:?}").contains("topsecret"));
    }
}

#[tokio::test]
async fn anonymous_requests_need_no_keys() {
    let store = Store::start().await;
    let bucket = store.bucket().await;
    bucket.put("private", "x").await.unwrap();
    bucket
        .put("public", "for all")
        .header("x-amz-acl", "public-read")
        .await
        .unwrap();
    let nobody = store.builder().anonymous().build().unwrap();
    let nobody = nobody.bucket(bucket.name());
    let error = nobody.get("private").await.unwrap_err();
    assert_eq!(
        (error.status(), error.code()),
        (Some(403), Some("AccessDenied"))
    );
    let public = nobody.get("public").await.unwrap();
    assert_eq!(public.body.bytes(100).await.unwrap(), "for all");
    assert_eq!(nobody.head("public").await.unwrap().size(), Some(7));
    for error in [
        nobody.delete("public").await.unwrap_err(),
        nobody.get("missing").await.unwrap_err(),
        nobody.list().send().await.unwrap_err(),
    ] {
        assert_eq!(error.status(), Some(403), "{error}");
    }
    assert!(
        nobody.presign_get("public").await.is_err(),
        "there is nothing to sign with"
    );
}

/// A server that wants Version 4 in `eu-west-1` of bucket `moved`, and takes anything of others.
#[derive(Clone, Debug, Default)]
struct Picky {
    seen: Arc<Mutex<Vec<String>>>,
    bodies: bool,
}

impl Transport for Picky {
    fn send(&self, _: &Origin, request: Request) -> ResponseFuture {
        let field = request
            .headers()
            .find(|(name, _)| name.eq_ignore_ascii_case("authorization"));
        let signed = field.map_or(String::new(), |(_, value)| value.to_owned());
        let scope = signed.strip_prefix("AWS4-HMAC-SHA256 ");
        let region = scope.and_then(|scope| scope.split('/').nth(2));
        let region = region.unwrap_or("none").to_owned();
        let moved = request.target().starts_with("/moved/");
        self.seen.lock().unwrap().push(region.clone());
        let (status, body, hint) = match region.as_str() {
            _ if !moved => (200, "", None),
            "eu-west-1" => (200, "", None),
            "none" => (
                400,
                "<Error><Code>InvalidRequest</Code><Message>The authorization mechanism you have provided \
                is not supported. Please use AWS4-HMAC-SHA256.</Message></Error>",
                None,
            ),
            _ => (
                400,
                "<Error><Code>AuthorizationHeaderMalformed</Code><Message>The authorization header is malformed; \
                the region 'us-east-1' is wrong; expecting 'eu-west-1'</Message><Region>eu-west-1</Region></Error>",
                Some(("x-amz-bucket-region", b"eu-west-1".as_slice())),
            ),
        };
        let body = if self.bodies { body } else { "" };
        let head = Head::new(status, hint);
        ResponseFuture::ready(Ok(Response::new(head, Bytes::from_static(body.as_bytes()))))
    }
}

impl Picky {
    fn new() -> Self {
        Self {
            bodies: true,
            ..Self::default()
        }
    }

    fn client(&self, signature: Signature, negotiate: bool) -> S3Client {
        let builder = S3Client::builder()
            .endpoint("http://store.example")
            .signature(signature);
        let builder = builder
            .credentials(Credentials::new("i", "s"))
            .transport(self.clone());
        builder.negotiate(negotiate).build().unwrap()
    }

    fn seen(&self) -> Vec<String> {
        std::mem::take(&mut self.seen.lock().unwrap())
    }
}

#[tokio::test]
async fn an_error_says_what_to_set() {
    let server = Picky::new();
    let error = server
        .client(Signature::V2, false)
        .bucket("moved")
        .delete("k")
        .await
        .unwrap_err();
    let text = error.to_string();
    assert!(text.contains("Please use AWS4-HMAC-SHA256"), "{text}");
    assert!(
        text.contains(".signature(Signature::v4(\"us-east-1\"))")
            && text.contains(".negotiate(true)"),
        "{text}"
    );
    let v4 = server.client(Signature::v4("us-east-1"), false);
    let text = v4
        .bucket("moved")
        .delete("k")
        .await
        .unwrap_err()
        .to_string();
    assert!(
        text.contains(".signature(Signature::v4(\"eu-west-1\"))"),
        "{text}"
    );
    assert_eq!(server.seen(), ["none", "us-east-1"]);
}

#[tokio::test]
async fn a_client_that_negotiates_begins_with_what_was_said() {
    let server = Picky::new();
    let client = server.client(Signature::V2, true);
    let moved = client.bucket("moved");
    moved.delete("k").await.unwrap();
    assert_eq!(server.seen(), ["none", "us-east-1", "eu-west-1"]);
    moved.put("k", "x").await.unwrap();
    client.bucket("moved").delete("other").await.unwrap();
    // What was learnt before the first success holds for all buckets.
    client.bucket("stayed").delete("k").await.unwrap();
    assert_eq!(server.seen(), ["eu-west-1"; 3]);
    let link = moved.presign_get("k").await.unwrap();
    assert!(link.url().contains("%2Feu-west-1%2Fs3%2F"));
    // A region that is learnt later is that of its bucket. The answer to HEAD has no body, only the field.
    let silent = Picky::default();
    let client = silent.client(Signature::v4("us-east-1"), true);
    client.bucket("stayed").delete("k").await.unwrap();
    client.bucket("moved").head("k").await.unwrap();
    client.bucket("other").head("k").await.unwrap();
    assert_eq!(
        silent.seen(),
        ["us-east-1", "us-east-1", "eu-west-1", "us-east-1"]
    );
}

#[test]
fn a_region_is_checked_when_the_client_is_built() {
    let builder = S3Client::builder()
        .endpoint("http://h")
        .credentials(Credentials::new("i", "s"));
    let error = builder
        .signature(Signature::v4("eu west"))
        .build()
        .unwrap_err();
    assert!(error.to_string().contains("eu west"), "{error}");
}
