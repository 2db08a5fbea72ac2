//! The export API over a scripted server.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::{Duration, UNIX_EPOCH};

use aws_core::transport::{ResponseFuture, Transport};
use pipeline_pool::{Head, Origin, Request, Response, Sent};
use sdb_client::export::{Encryption, ExportStatus};
use sdb_client::request::RetryConfig;
use sdb_client::settings::Clock;
use sdb_client::{Code, Credentials, Kind, SdbClient};

const ARN: &str = "arn:aws:sdb:eu-west-1:111122223333:domain/users/export/1";
const KEY: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

/// Answers requests in their order, and keeps target, header fields and body of each.
#[derive(Clone, Debug, Default)]
struct Server {
    answers: Arc<Mutex<VecDeque<Answer>>>,
    seen: Arc<Mutex<Vec<Seen>>>,
}

/// Status and body, or nothing.
type Answer = Option<(u16, String)>;
/// Target, header fields and body.
type Seen = (String, Vec<(String, String)>, String);

impl Server {
    fn then(self, status: u16, body: &str) -> Self {
        let answer = Some((status, body.to_owned()));
        self.answers.lock().unwrap().push_back(answer);
        self
    }

    /// The request may have arrived; no answer comes.
    fn then_nothing(self) -> Self {
        self.answers.lock().unwrap().push_back(None);
        self
    }

    fn bodies(&self) -> Vec<String> {
        let seen = self.seen.lock().unwrap();
        seen.iter().map(|(_, _, body)| body.clone()).collect()
    }
}

impl Transport for Server {
    fn send(&self, _: &Origin, request: Request) -> ResponseFuture {
        let fields = request.headers();
        let fields = fields.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()));
        self.seen.lock().unwrap().push((
            request.target().to_owned(),
            fields.collect(),
            String::from_utf8(request.whole_body().unwrap_or_default().to_vec()).unwrap(),
        ));
        let lost = pipeline_pool::Error::new(pipeline_pool::Kind::Closed, "scripted");
        let answer = self.answers.lock().unwrap().pop_front().unwrap();
        ResponseFuture::ready(match answer {
            None => Err(lost.with_sent(Sent::All)),
            Some((status, body)) => {
                let head = Head::new(status, [("x-amzn-requestid", b"r1".as_slice())]);
                Ok(Response::new(head, bytes::Bytes::from(body)))
            }
        })
    }
}

fn client(server: &Server) -> SdbClient {
    let now = UNIX_EPOCH + Duration::from_secs(1_767_323_045);
    SdbClient::builder()
        .endpoint("http://sdb.eu-west-1.amazonaws.com")
        .credentials(Credentials::new("AKIDEXAMPLE", KEY).with_token("token"))
        .clock(Clock::from_fn(move || now))
        .retry(RetryConfig::new().random(|| 0.0))
        .transport(server.clone())
        .build()
        .unwrap()
}

fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap()
}

#[tokio::test]
async fn an_export_is_started_once() {
    let answer = format!(
        "{{\"clientToken\":\"t\",\"exportArn\":\"{ARN}\",\"requestedAt\":1751622716.5,\"new\":[]}}"
    );
    let server = Server::default()
        .then_nothing()
        .then(200, &answer)
        .then(200, &answer);
    let users = client(&server).domain("users");
    let start = users
        .start_export("my-exports")
        .prefix("a/b")
        .bucket_owner("111122223333");
    let started = start
        .encryption(Encryption::Kms(Some("key".into())))
        .await
        .unwrap();
    assert_eq!((&*started.arn, &*started.token), (ARN, "t"));
    let at = UNIX_EPOCH + Duration::from_millis(1_751_622_716_500);
    assert_eq!(started.requested_at, at);
    // The answer was lost; the second attempt has the same token, so it starts nothing twice.
    let bodies = server.bodies();
    assert_eq!(bodies[0], bodies[1]);
    let mut body = json(&bodies[0]);
    let token = body["clientToken"].take();
    assert_eq!(token.as_str().unwrap().len(), 32);
    let expected = serde_json::json!({
        "clientToken": null, "domainName": "users", "s3Bucket": "my-exports", "s3KeyPrefix": "a/b",
        "s3BucketOwner": "111122223333", "s3SseAlgorithm": "KMS", "s3SseKmsKeyId": "key",
    });
    assert_eq!(body, expected);
    assert_eq!(server.seen.lock().unwrap()[0].0, "/v2/StartDomainExport");

    let start = users
        .start_export("my-exports")
        .token("mine")
        .encryption(Encryption::Aes256);
    start.await.unwrap();
    assert_eq!(
        json(&server.bodies()[2]),
        serde_json::json!({
            "clientToken": "mine", "domainName": "users", "s3Bucket": "my-exports", "s3SseAlgorithm": "AES256",
        })
    );
}

#[tokio::test(start_paused = true)]
async fn an_export_is_watched_to_its_end() {
    let state = |status: &str, more: &str| {
        format!(
            "{{\"exportArn\":\"{ARN}\",\"clientToken\":\"t\",\"exportStatus\":\"{status}\",\"domainName\":\"users\",\
             \"requestedAt\":\"2025-07-04T09:51:56.064Z\",\"s3Bucket\":\"b\"{more}}}"
        )
    };
    let done = ",\"itemsCount\":7,\"exportManifest\":\"a/manifest\",\"exportDataCutoffTime\":1751622716,\
                \"s3KeyPrefix\":\"a\",\"s3SseAlgorithm\":\"KMS\",\"failureCode\":null";
    let server = Server::default()
        .then(200, &state("PENDING", ""))
        .then(503, "")
        .then(200, &state("IN_PROGRESS", ""))
        .then(200, &state("SUCCEEDED", done))
        .then(
            200,
            &state(
                "FAILED",
                ",\"failureCode\":\"NoBucket\",\"failureMessage\":\"gone\"",
            ),
        );
    let sdb = client(&server);
    let start = tokio::time::Instant::now();
    let ended = sdb
        .export(ARN)
        .until_ended(Duration::from_secs(30))
        .await
        .unwrap();
    assert_eq!(start.elapsed().as_secs(), 60);
    assert_eq!(
        (ended.status, ended.items, ended.manifest.as_deref()),
        (ExportStatus::Succeeded, Some(7), Some("a/manifest"))
    );
    assert_eq!(
        (ended.prefix.as_deref(), ended.encryption),
        (Some("a"), Some(Encryption::Kms(None)))
    );
    assert_eq!(
        ended.cut_off,
        Some(UNIX_EPOCH + Duration::from_secs(1_751_622_716))
    );
    assert_eq!(
        ended.requested_at,
        UNIX_EPOCH + Duration::from_millis(1_751_622_716_064)
    );
    let failed = sdb.export(ARN).await.unwrap();
    assert_eq!(
        (failed.status, failed.failure_code.as_deref()),
        (ExportStatus::Failed, Some("NoBucket"))
    );

    // What an independent signer, botocore's, makes of the same request at the same time.
    let seen = server.seen.lock().unwrap();
    let (target, fields, body) = &seen[0];
    assert_eq!(
        (target.as_str(), body.as_str()),
        (
            "/v2/GetExport",
            format!("{{\"exportArn\":\"{ARN}\"}}").as_str()
        )
    );
    let field = |name: &str| {
        fields
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, value)| value.as_str())
    };
    assert_eq!(
        field("authorization"),
        Some(
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260102/eu-west-1/sdb/aws4_request, \
             SignedHeaders=content-type;host;x-amz-date;x-amz-security-token, \
             Signature=8d3bed2c27d0db1e641df951ae295895f5423dc33d0b3909d3a016c894a9abc1"
        )
    );
    assert_eq!(field("x-amz-security-token"), Some("token"));
    assert_eq!(field("content-type"), Some("application/json"));
    assert!(!format!("{sdb:?}").contains(KEY));
}

#[tokio::test]
async fn exports_are_listed_page_by_page() {
    let summary = |n: u8| {
        format!(
            "{{\"exportArn\":\"arn:{n}\",\"exportStatus\":\"SUCCEEDED\",\"requestedAt\":{n},\"domainName\":\"users\"}}"
        )
    };
    let page = |items: &[u8], token: &str| {
        let items: Vec<_> = items.iter().map(|n| summary(*n)).collect();
        format!(
            "{{\"exportSummaries\":[{}],\"nextToken\":{token}}}",
            items.join(",")
        )
    };
    let server = Server::default()
        .then(200, &page(&[1, 2], "\"t1\""))
        .then(200, &page(&[], "\"t2\""))
        .then(200, &page(&[3], "null"))
        .then(200, &page(&[], "\"t1\""));
    let sdb = client(&server);
    let list = sdb.list_exports().domain("users").page_size(2);
    let all = list.exports().try_collect_all().await.unwrap();
    let arns: Vec<_> = all.iter().map(|e| e.arn.as_str()).collect();
    assert_eq!(arns, ["arn:1", "arn:2", "arn:3"]);
    assert_eq!(
        (all[2].requested_at, &all[2].status),
        (
            UNIX_EPOCH + Duration::from_secs(3),
            &ExportStatus::Succeeded
        )
    );
    let bodies = server.bodies();
    assert_eq!(
        json(&bodies[0]),
        serde_json::json!({"domainName": "users", "maxResults": 2})
    );
    assert_eq!(json(&bodies[2])["nextToken"], "t2");
    let error = sdb.list_exports().token("t1").await.unwrap_err();
    assert_eq!(error.kind(), Kind::Protocol);
    assert_eq!(
        json(&server.bodies()[3]),
        serde_json::json!({"nextToken": "t1"})
    );
}

#[tokio::test]
async fn errors_and_nonsense() {
    let missing = "{\"__type\":\"com.amazonaws.sdb#NoSuchExportException\",\"message\":\"none\"}";
    let server = Server::default().then(400, missing);
    let error = client(&server).export(ARN).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "SimpleDB GetExport at http://sdb.eu-west-1.amazonaws.com: 400 NoSuchExportException: none (request r1)"
    );
    assert!(error.is_not_found());
    assert_eq!(
        Code::of(&error),
        Some(Code::Other("NoSuchExportException".into()))
    );
    let domain = "{\"__type\":\"NoSuchDomainException\"}";
    let server = Server::default().then(400, domain);
    let error = client(&server)
        .domain("users")
        .start_export("bucket")
        .await
        .unwrap_err();
    assert_eq!(
        (Code::of(&error), error.resource()),
        (Some(Code::NoSuchDomain), Some("users"))
    );

    for body in [
        "",
        "<html/>",
        "[]",
        "{}",
        "{\"exportArn\":1}",
        "{\"exportArn\":\"a\",\"clientToken\":\"t\",\"requestedAt\":\"yesterday\"}",
        "{\"exportArn\":\"a\",\"clientToken\":\"t\",\"requestedAt\":-1}",
        "{\"exportArn\":\"a\",\"clientToken\":\"t\",\"requestedAt\":1e300}",
        "{\"exportArn\":\"a\",\"clientToken\":\"t\",\"requestedAt\":true}",
    ] {
        let none = RetryConfig::none();
        let server = Server::default().then(200, body);
        let start = client(&server)
            .domain("users")
            .start_export("bucket")
            .retry(none.clone());
        assert_eq!(start.await.unwrap_err().kind(), Kind::Protocol, "{body}");
        let server = Server::default().then(200, body);
        let get = client(&server).export(ARN).retry(none.clone());
        assert_eq!(get.await.unwrap_err().kind(), Kind::Protocol, "{body}");
        let server = Server::default().then(200, body);
        let list = client(&server).list_exports().retry(none);
        assert_eq!(list.await.unwrap_err().kind(), Kind::Protocol, "{body}");
    }
}

#[tokio::test]
async fn limits_are_checked_before_sending() {
    let server = Server::default();
    let sdb = client(&server);
    let start = || sdb.domain("users").start_export("bucket");
    let long = "x".repeat(2049);
    let refused = [
        sdb.domain("u").start_export("bucket").await.err(),
        sdb.domain("users").start_export("b").await.err(),
        start().prefix("").await.err(),
        start().prefix("x".repeat(851)).await.err(),
        start().bucket_owner("12345678901").await.err(),
        start().bucket_owner("12345678901x").await.err(),
        start()
            .encryption(Encryption::Kms(Some(String::new())))
            .await
            .err(),
        start().token("").await.err(),
        sdb.export("short").await.err(),
        sdb.export(long.as_str()).await.err(),
        sdb.list_exports().domain("u").await.err(),
        sdb.list_exports().page_size(0).await.err(),
        sdb.list_exports().token(long.as_str()).await.err(),
    ];
    for error in refused {
        assert_eq!(
            error.map(|e| (e.kind(), e.attempts())),
            Some((Kind::Invalid, 0))
        );
    }
    assert!(server.bodies().is_empty());
}
