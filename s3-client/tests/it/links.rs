//! Links and forms, used by requests that know nothing of this client.

#![allow(
    clippy::unwrap_used,
    reason = "this is test code outside of a test function"
)]

use std::time::{Duration, SystemTime};

use aws_core::transport::ResponseFuture;
use bytes::Bytes;
use pipeline_pool::{Head, Origin, Request, Response};
use s3_client::settings::Clock;
use s3_client::transport::Transport;
use s3_client::{Bucket, Credentials, Kind, S3Client, Signature};

use crate::raw::{form, send};
use crate::signing::KEYS;
use crate::store::Store;

fn both() -> [Signature; 2] {
    [Signature::V2, Signature::v4("us-east-1")]
}

async fn bucket(store: &Store, signature: Signature) -> Bucket {
    let client = store.builder().signature(signature).build().unwrap();
    store.bucket_of(&client).await
}

#[tokio::test]
async fn links_store_fetch_ask_and_remove() {
    let store = Store::start().await;
    for signature in both() {
        let bucket = bucket(&store, signature.clone()).await;
        for key in KEYS {
            let case = format!("{signature:?} {key:?}");
            let put = bucket.presign_put(key).await.unwrap();
            let stored = send(put.method(), put.url(), put.headers(), b"0123456789").await;
            assert_eq!(stored.status, 200, "{case}: {}", stored.text());
            let get = bucket.presign_get(key).await.unwrap();
            let got = send("GET", get.url(), [("Range", "bytes=2-4")], b"").await;
            assert_eq!((got.status, got.text()), (206, "234".to_owned()), "{case}");
            let head = bucket.presign_head(key).await.unwrap();
            let known = send(head.method(), head.url(), [], b"").await;
            assert_eq!(
                (known.status, known.field("content-length")),
                (200, Some("10")),
                "{case}"
            );
            // A link is good for its own method and key.
            let misused = send("PUT", get.url(), [], b"x").await;
            assert_eq!(misused.status, 403, "{case}");
            let other = get.url().replacen('?', "x?", 1);
            assert_eq!(send("GET", &other, [], b"").await.status, 403, "{case}");
            let delete = bucket.presign_delete(key).await.unwrap();
            assert_eq!(
                send(delete.method(), delete.url(), [], b"").await.status,
                204,
                "{case}"
            );
            assert!(bucket.get(key).await.unwrap_err().is_not_found(), "{case}");
        }
    }
}

#[tokio::test]
async fn links_demand_fields_and_override_answers() {
    let store = Store::start().await;
    for signature in both() {
        let bucket = bucket(&store, signature.clone()).await;
        let put = bucket
            .presign_put("k")
            .content_type("image/png")
            .metadata("Mood", "sleepy, very")
            .await
            .unwrap();
        let fields: Vec<_> = put.headers().collect();
        assert_eq!(
            fields,
            [
                ("content-type", "image/png"),
                ("x-amz-meta-mood", "sleepy, very")
            ]
        );
        let without = send("PUT", put.url(), [("content-type", "image/png")], b"x").await;
        assert_eq!(without.status, 403, "{signature:?}");
        let other = [
            ("content-type", "text/html"),
            ("x-amz-meta-mood", "sleepy, very"),
        ];
        assert_eq!(
            send("PUT", put.url(), other, b"x").await.status,
            403,
            "{signature:?}"
        );
        let stored = send("PUT", put.url(), put.headers(), b"x").await;
        assert_eq!(stored.status, 200, "{signature:?}: {}", stored.text());
        let disposition = "attachment; filename=\"caf%C3%A9 & more.png\"";
        let get = bucket
            .presign_get("k")
            .response_content_type("text/plain; charset=utf-8")
            .response_content_disposition(disposition)
            .response_cache_control("no-store")
            .response_content_language("mi, en")
            .await
            .unwrap();
        let got = send("GET", get.url(), [], b"").await;
        assert_eq!(got.status, 200, "{signature:?}: {}", got.text());
        assert_eq!(got.field("content-type"), Some("text/plain; charset=utf-8"));
        assert_eq!(got.field("content-disposition"), Some(disposition));
        assert_eq!(got.field("cache-control"), Some("no-store"));
        assert_eq!(got.field("x-amz-meta-mood"), Some("sleepy, very"));
    }
}

#[tokio::test]
async fn links_end() {
    let store = Store::start().await;
    for signature in both() {
        let client = store
            .builder()
            .signature(signature.clone())
            .build()
            .unwrap();
        let now = store.bucket_of(&client).await;
        now.put("k", "x").await.unwrap();
        let hour_ago = SystemTime::now() - Duration::from_secs(3600);
        let then = store.builder().signature(signature.clone());
        let then = then
            .clock(Clock::from_fn(move || hour_ago))
            .build()
            .unwrap();
        let then = then.bucket(now.name());
        let old = then
            .presign_get("k")
            .expires(Duration::from_secs(60))
            .await
            .unwrap();
        assert!(old.expires() < SystemTime::now());
        let refused = send("GET", old.url(), [], b"").await;
        assert_eq!(refused.status, 403, "{signature:?}: {}", refused.text());
        assert!(
            refused.text().contains("<Code>AccessDenied</Code>"),
            "{}",
            refused.text()
        );
        let new = then
            .presign_get("k")
            .expires(Duration::from_secs(2 * 3600))
            .await
            .unwrap();
        let got = send("GET", new.url(), [], b"").await;
        assert_eq!(got.status, 200, "{signature:?}: {}", got.text());
    }
}

fn client(signature: Signature, url: &str) -> S3Client {
    let keys = Credentials::new("AKID", "hush").with_token("fleeting");
    let builder = S3Client::builder().endpoint(url).credentials(keys);
    builder.signature(signature).build().unwrap()
}

#[tokio::test]
async fn what_no_link_can_be_is_refused() {
    let v4 = client(Signature::v4("us-east-1"), "http://h").bucket("photos");
    let v2 = client(Signature::V2, "http://h").bucket("photos");
    let week = Duration::from_secs(604_800);
    assert!(v4.presign_get("k").expires(week).await.is_ok());
    let long = week + Duration::from_secs(1);
    let error = v4.presign_get("k").expires(long).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Invalid);
    assert!(error.to_string().contains("604801") && error.to_string().contains("604800"));
    assert!(v2.presign_get("k").expires(long).await.is_ok());
    for bucket in [&v2, &v4] {
        for after in [Duration::ZERO, Duration::from_millis(999)] {
            assert!(bucket.presign_get("k").expires(after).await.is_err());
            assert!(bucket.post_policy().key("k").expires(after).await.is_err());
        }
        assert!(bucket.presign_get("").await.is_err());
        assert!(bucket.presign_get("k").version_id("").await.is_err());
        let broken = bucket.presign_get("k").response_content_type("a\nb");
        assert!(broken.await.is_err());
        let early = std::time::SystemTime::UNIX_EPOCH - Duration::from_secs(1);
        assert!(
            bucket
                .presign_get("k")
                .response_expires(early)
                .await
                .is_err()
        );
        assert!(bucket.presign_get("k".repeat(1025)).await.is_err());
        for (name, value) in [
            ("host", "x"),
            ("a b", "x"),
            ("", "x"),
            ("x-a", "x\r\ny: z"),
            ("x-a", " x"),
        ] {
            let error = bucket
                .presign_put("k")
                .header(name, value)
                .await
                .unwrap_err();
            assert_eq!(error.kind(), Kind::Invalid, "{name:?} {value:?}");
        }
        let error = bucket.post_policy().await.unwrap_err();
        assert!(error.to_string().contains("no key"), "{error}");
        assert!(bucket.post_policy().key("").await.is_err());
        let error = bucket
            .post_policy()
            .key("k")
            .content_length_range(9, 8)
            .await
            .unwrap_err();
        assert!(error.to_string().contains("9 to 8"), "{error}");
        // The end of time is no crash.
        let last = bucket.post_policy().key("k").expires(Duration::MAX).await;
        assert!(last.is_err());
    }
    let endless = v2.presign_get("k").expires(Duration::MAX).await.unwrap();
    assert!(endless.url().contains("Expires=18446744073709551615"));
}

#[tokio::test]
async fn links_carry_tokens_and_show_nothing() {
    for signature in both() {
        let bucket = client(signature, "http://store.example:8080").bucket("photos");
        let link = bucket.presign_put("k").metadata("a", "hush").await.unwrap();
        assert!(
            link.url()
                .starts_with("http://store.example:8080/photos/k?")
        );
        assert!(
            link.url()
                .to_lowercase()
                .contains("x-amz-security-token=fleeting")
        );
        let form = bucket
            .post_policy()
            .key("k")
            .exact("x-amz-meta-a", "hush")
            .await
            .unwrap();
        assert_eq!(form.url(), "http://store.example:8080/photos/");
        let token = form
            .fields()
            .iter()
            .find(|(n, _)| n == "x-amz-security-token");
        assert_eq!(token.unwrap().1, "fleeting");
        let policy = &form.fields().iter().find(|(n, _)| n == "policy").unwrap().1;
        let shown = format!("{link:?} {form:?} {:?}", bucket.presign_get("k"));
        for secret in ["fleeting", "hush", "Signature=", policy] {
            assert!(!shown.contains(secret), "{shown}");
        }
    }
    let amazon = client(
        Signature::v4("eu-west-1"),
        "http://s3.eu-west-1.amazonaws.com",
    );
    let link = amazon.bucket("photos").presign_get("k").await.unwrap();
    assert!(
        link.url()
            .starts_with("http://photos.s3.eu-west-1.amazonaws.com/k?X-Amz-Algorithm=")
    );
    let form = amazon
        .bucket("photos")
        .post_policy()
        .key("k")
        .await
        .unwrap();
    assert_eq!(form.url(), "http://photos.s3.eu-west-1.amazonaws.com/");
}

#[tokio::test]
async fn forms_store_within_their_limits() {
    let store = Store::start().await;
    for signature in both() {
        let bucket = bucket(&store, signature.clone()).await;
        let policy = bucket
            .post_policy()
            .key_starts_with("user/eric caf\u{e9}/")
            .content_type("text/plain")
            .metadata("mood", "sleepy")
            .starts_with("x-amz-meta-tag", "")
            .success_status(201)
            .content_length_range(2, 20)
            .await
            .unwrap();
        let mut fields = policy.fields().to_vec();
        fields.push(("x-amz-meta-tag".into(), "some \"tag\"".into()));
        let post = async |fields: &[(String, String)], file: &[u8]| {
            let (content_type, body) = form(fields, "notes.txt", file);
            send(
                "POST",
                policy.url(),
                [("Content-Type", content_type.as_str())],
                &body,
            )
            .await
        };
        let answer = post(&fields, b"hello").await;
        assert_eq!(answer.status, 201, "{signature:?}: {}", answer.text());
        assert!(answer.text().contains("<PostResponse"), "{}", answer.text());
        let stored = bucket.get("user/eric caf\u{e9}/notes.txt").await.unwrap();
        assert_eq!(stored.head.metadata("mood"), Some("sleepy"));
        assert_eq!(stored.head.metadata("tag"), Some("some \"tag\""));
        assert_eq!(stored.head.content_type(), Some("text/plain"));
        assert_eq!(stored.body.bytes(100).await.unwrap(), "hello");

        let changed = |name: &str, value: &str| {
            let mut fields = fields.clone();
            let field = fields.iter_mut().find(|(n, _)| n == name).unwrap();
            field.1 = value.to_owned();
            fields
        };
        let signed = match signature {
            Signature::V2 => "signature",
            _ => "x-amz-signature",
        };
        for (case, fields, file) in [
            ("too small", fields.clone(), "h"),
            ("too large", fields.clone(), "hello hello hello hello"),
            ("another prefix", changed("key", "user/ann/x"), "hello"),
            (
                "another value",
                changed("x-amz-meta-mood", "awake"),
                "hello",
            ),
            ("another signature", changed(signed, "AAAA"), "hello"),
        ] {
            let answer = post(&fields, file.as_bytes()).await;
            assert!(
                matches!(answer.status, 400 | 403),
                "{signature:?} {case}: {}",
                answer.status
            );
        }
        assert_eq!(
            bucket.list().send().await.unwrap().objects.len(),
            1,
            "{signature:?}"
        );

        // One key, and the usual answer.
        let exact = bucket.post_policy().key("one key").await.unwrap();
        let (content_type, body) = form(exact.fields(), "x", b"\0\xff\r\n--");
        let headers = [("Content-Type", content_type.as_str())];
        let answer = send("POST", exact.url(), headers, &body).await;
        assert_eq!(answer.status, 204, "{signature:?}: {}", answer.text());
        let stored = bucket.get("one key").await.unwrap();
        assert_eq!(stored.body.bytes(100).await.unwrap(), b"\0\xff\r\n--"[..]);
    }
}

#[tokio::test]
async fn forms_end() {
    let store = Store::start().await;
    for signature in both() {
        let hour_ago = SystemTime::now() - Duration::from_secs(3600);
        let now = bucket(&store, signature.clone()).await;
        let then = store.builder().signature(signature.clone());
        let then = then
            .clock(Clock::from_fn(move || hour_ago))
            .build()
            .unwrap();
        let old = then.bucket(now.name()).post_policy().key("k");
        let old = old.expires(Duration::from_secs(60)).await.unwrap();
        let (content_type, body) = form(old.fields(), "x", b"late");
        let headers = [("Content-Type", content_type.as_str())];
        let answer = send("POST", old.url(), headers, &body).await;
        assert!(
            matches!(answer.status, 400 | 403),
            "{signature:?}: {}",
            answer.text()
        );
        assert!(now.get("k").await.unwrap_err().is_not_found());
    }
}

/// A store whose buckets are all in another region.
#[derive(Debug)]
struct Moved;

impl Transport for Moved {
    fn send(&self, origin: &Origin, _: Request) -> ResponseFuture {
        let (status, body) = match origin.host() {
            "photos.s3.eu-west-1.amazonaws.com" => (204, ""),
            _ => (
                301,
                "<Error><Code>PermanentRedirect</Code><Message>m</Message><Bucket>photos</Bucket>\
                 <Endpoint>photos.s3.eu-west-1.amazonaws.com</Endpoint></Error>",
            ),
        };
        ResponseFuture::ready(Ok(Response::new(
            Head::new(status, []),
            Bytes::from_static(body.as_bytes()),
        )))
    }
}

#[tokio::test]
async fn links_lead_to_where_the_bucket_is() {
    let keys = Credentials::new("AKID", "hush");
    let client = S3Client::builder()
        .endpoint("http://s3.amazonaws.com")
        .credentials(keys)
        .transport(Moved);
    let photos = client.build().unwrap().bucket("photos");
    let before = photos.presign_get("k").await.unwrap();
    assert!(
        before
            .url()
            .starts_with("http://photos.s3.amazonaws.com/k?")
    );
    assert!(before.url().contains("%2Fus-east-1%2F"));
    photos.delete("k").await.unwrap();
    let after = photos.presign_get("k").await.unwrap();
    assert!(
        after
            .url()
            .starts_with("http://photos.s3.eu-west-1.amazonaws.com/k?")
    );
    assert!(after.url().contains("%2Feu-west-1%2F"));
    let form = photos.post_policy().key("k").await.unwrap();
    assert_eq!(form.url(), "http://photos.s3.eu-west-1.amazonaws.com/");
}
