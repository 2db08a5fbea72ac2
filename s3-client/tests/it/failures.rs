//! What goes wrong, and what is said of it.

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use s3_client::request::RetryConfig;
use s3_client::settings::Clock;
use s3_client::{Credentials, Kind, S3Client};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::store::Store;

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

/// A server that answers the n-th request with the n-th text, and closes after each.
struct Scripted {
    url: String,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Scripted {
    async fn start(answers: &'static [&'static str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = requests.clone();
        tokio::spawn(async move {
            for answer in answers {
                let Ok((mut socket, _)) = listener.accept().await else {
                    return;
                };
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    match socket.read_u8().await {
                        Ok(b) => head.push(b),
                        Err(_) => break,
                    }
                }
                seen.lock()
                    .expect("a lock")
                    .push(String::from_utf8_lossy(&head).into_owned());
                let _closed = socket.write_all(answer.as_bytes()).await;
            }
        });
        Self { url, requests }
    }

    fn client(&self) -> S3Client {
        let builder = S3Client::builder()
            .endpoint(&self.url)
            .credentials(Credentials::new("AKID", SECRET));
        builder
            .retry(RetryConfig::new().random(|| 0.0))
            .build()
            .expect("a client")
    }

    fn count(&self) -> usize {
        self.requests.lock().expect("a lock").len()
    }
}

const OK: &str = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 4\r\n\r\nmeow";
const SLOW_DOWN: &str = "HTTP/1.1 503 Slow Down\r\nconnection: close\r\ncontent-length: 64\r\n\r\n\
    <Error><Code>SlowDown</Code><Message>less</Message></Error>     ";
const BUSY: &str =
    "HTTP/1.1 503 Busy\r\nconnection: close\r\nretry-after: 0\r\ncontent-length: 0\r\n\r\n";
const HTML: &str = "HTTP/1.1 403 Forbidden\r\nconnection: close\r\ncontent-length: 31\r\n\r\n<html><h1>no\r\nway</h1></html>\r\n.";

#[tokio::test]
async fn busy_answers_are_tried_again_and_signed_again() {
    let server = Scripted::start(&[SLOW_DOWN, BUSY, OK]).await;
    let object = server.client().bucket("photos").get("k").await.unwrap();
    assert_eq!(object.body.bytes(9).await.unwrap(), "meow");
    let requests = server.requests.lock().unwrap();
    assert_eq!(requests.len(), 3);
    for request in requests.iter() {
        assert!(
            request.starts_with("GET /photos/k HTTP/1.1\r\n"),
            "{request}"
        );
        assert_eq!(
            request.matches("authorization: AWS AKID:").count()
                + request.matches("Authorization: AWS AKID:").count(),
            1
        );
    }
}

#[tokio::test]
async fn a_conditional_put_is_not_tried_again_when_it_may_have_run() {
    let server = Scripted::start(&[BUSY, OK]).await;
    let put = server
        .client()
        .bucket("photos")
        .put("k", "")
        .if_none_match_any();
    let error = put.await.unwrap_err();
    assert_eq!(
        (error.status(), error.attempts(), server.count()),
        (Some(503), 1, 1)
    );
    assert!(error.is_throttled() && error.may_have_been_sent());
    let server = Scripted::start(&[SLOW_DOWN, OK]).await;
    server
        .client()
        .bucket("photos")
        .put("k", "")
        .if_none_match_any()
        .await
        .unwrap();
    assert_eq!(server.count(), 2, "SlowDown says that it did not run");
}

#[tokio::test]
async fn a_foreign_error_body_is_one_line() {
    let server = Scripted::start(&[HTML]).await;
    let error = server.client().bucket("photos").get("k").await.unwrap_err();
    assert_eq!(
        (error.status(), error.code(), error.kind()),
        (Some(403), None, Kind::Service)
    );
    let shown = error.to_string();
    assert!(
        shown.contains("GetObject") && shown.contains("photos") && shown.contains("403"),
        "{shown}"
    );
    assert!(!shown.contains(['\n', '\r']));
}

#[tokio::test]
async fn a_refused_connection_names_host_and_port() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    drop(listener);
    let s3 = S3Client::builder()
        .endpoint(format!("http://{addr}"))
        .credentials(Credentials::new("AKID", SECRET))
        .retry(RetryConfig::none())
        .build()
        .unwrap();
    let error = s3.bucket("photos").get("k").await.unwrap_err();
    assert_eq!(error.kind(), Kind::Connect);
    assert!(!error.may_have_been_sent());
    assert!(error.to_string().contains(&addr.to_string()), "{error}");
    assert!(!error.to_string().contains('\n'));
}

#[tokio::test]
async fn a_wrong_secret_is_said_and_not_shown() {
    let store = Store::start().await;
    let s3 = store
        .builder()
        .credentials(Credentials::new(store.access_key(), SECRET))
        .build()
        .unwrap();
    let name = store.name();
    let error = s3.bucket(&*name).create().await.unwrap_err();
    assert_eq!(
        (error.status(), error.code()),
        (Some(403), Some("SignatureDoesNotMatch"))
    );
    let nobody = store
        .builder()
        .credentials(Credentials::new("NOBODY", SECRET))
        .build()
        .unwrap();
    let unknown = nobody.bucket(&*name).get("k").await.unwrap_err();
    assert_eq!(unknown.code(), Some("InvalidAccessKeyId"));
    let put = s3.bucket("photos").put("k", "hush").metadata("a", "hush");
    let shown = format!(
        "{s3:?} {error:?} {error} {unknown:?} {put:?} {:?}",
        s3.bucket("photos").get("k")
    );
    assert!(
        !shown.contains(SECRET) && !shown.contains("hush"),
        "{shown}"
    );
}

#[tokio::test]
async fn an_error_to_head_has_no_code() {
    let store = Store::start().await;
    let error = store
        .builder()
        .build()
        .unwrap()
        .bucket(store.name())
        .head("k")
        .await
        .unwrap_err();
    assert_eq!(
        (error.status(), error.code(), error.is_not_found()),
        (Some(404), None, true)
    );
}

#[tokio::test]
async fn settings_are_checked() {
    let keys = || Credentials::new("AKID", SECRET);
    for (builder, word) in [
        (S3Client::builder().credentials(keys()), "endpoint"),
        (
            S3Client::builder().endpoint("ftp://h").credentials(keys()),
            "http://",
        ),
        (S3Client::builder().endpoint("http://h"), "credentials"),
    ] {
        let error = builder.build().unwrap_err();
        assert_eq!(error.kind(), Kind::Invalid);
        assert!(error.to_string().contains(word), "{error}");
    }
}

#[tokio::test]
async fn a_wrong_clock_is_put_right_by_the_server() {
    let service = Store::start().await;
    for hours in [-2, 2] {
        let clock = Clock::from_fn(move || {
            let now = SystemTime::now();
            let off = Duration::from_secs(7200);
            if hours < 0 { now - off } else { now + off }
        });
        let client = service
            .builder()
            .clock(clock.clone())
            .retry(RetryConfig::none())
            .build()
            .unwrap();
        let bucket = client.bucket(service.name());
        if let Err(error) = bucket.create().await {
            panic!("{hours}: {error}");
        }
        assert!(
            (clock.offset_ms().abs() - 7_200_000).abs() < 5_000,
            "{clock:?}"
        );
        bucket.delete_bucket().await.unwrap();
    }
}
