//! What goes over the wire, and what a store's refusals become.

#![allow(
    clippy::unwrap_used,
    reason = "this is test code outside of a test function"
)]

use std::sync::{Arc, Mutex};

use object_store::{Error, ObjectStoreExt as _};
use s3_object_store::{S3Store, S3StoreBuilder};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

/// A server that answers each connection once with this, and the heads that it was sent, in small letters.
async fn answering(status: u16, body: &'static str) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let heads = Arc::new(Mutex::new(Vec::new()));
    let heard = heads.clone();
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(socket.read_u8().await.unwrap());
            }
            let head = String::from_utf8(head).unwrap().to_lowercase();
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "));
            let mut body_of = vec![0; length.map_or(0, |n| n.parse().unwrap())];
            socket.read_exact(&mut body_of).await.unwrap();
            heard.lock().unwrap().push(head);
            let length = body.len();
            let answer = format!(
                "HTTP/1.1 {status} Said\r\nETag: \"a\"\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
            );
            let _gone = socket.write_all(answer.as_bytes()).await;
            let _gone = socket.shutdown().await;
        }
    });
    (url, heads)
}

fn store(url: &str, options: &[(&str, &str)]) -> S3Store {
    let place = [
        ("endpoint", url),
        ("allow_http", "true"),
        ("access_key_id", "AKID"),
        ("secret_access_key", "secret"),
    ];
    let builder = S3StoreBuilder::new("s3://photos").unwrap();
    let builder = builder.options(place).unwrap();
    let builder = builder.options(options.iter().copied()).unwrap();
    let v4 = s3_client::Signature::v4("us-east-1");
    let builder = builder.client(|client| client.signature(v4));
    builder.build().unwrap().0
}

#[tokio::test]
async fn refusals_become_the_errors_of_the_interface() {
    let name = |error: &Error| {
        let shown = format!("{error:?}");
        shown.split([' ', '{']).next().unwrap().to_owned()
    };
    for (status, body, expected) in [
        (401, "", "Unauthenticated"),
        (
            403,
            "<Error><Code>InvalidAccessKeyId</Code></Error>",
            "Unauthenticated",
        ),
        (
            403,
            "<Error><Code>SignatureDoesNotMatch</Code></Error>",
            "Unauthenticated",
        ),
        (
            400,
            "<Error><Code>ExpiredToken</Code></Error>",
            "Unauthenticated",
        ),
        (
            403,
            "<Error><Code>AccessDenied</Code></Error>",
            "PermissionDenied",
        ),
        (404, "<Error><Code>NoSuchKey</Code></Error>", "NotFound"),
        (
            412,
            "<Error><Code>PreconditionFailed</Code></Error>",
            "Precondition",
        ),
        (
            501,
            "<Error><Code>NotImplemented</Code></Error>",
            "NotImplemented",
        ),
        (400, "<Error><Code>InvalidRequest</Code></Error>", "Generic"),
    ] {
        let (url, _) = answering(status, body).await;
        let error = store(&url, &[]).get(&"cat".into()).await.unwrap_err();
        assert_eq!(name(&error), expected, "{status} {body}: {error}");
    }
}

#[tokio::test]
async fn options_say_what_is_signed() {
    for (options, signed, digest) in [
        (&[][..], true, Some(false)),
        (&[("unsigned_payload", "true")][..], true, Some(true)),
        (&[("unsigned_payload", "false")][..], true, Some(false)),
        (&[("skip_signature", "true")][..], false, None),
        (&[("skip_signature", "false")][..], true, Some(false)),
    ] {
        let (url, heads) = answering(200, "").await;
        store(&url, options)
            .put(&"cat".into(), "meow".into())
            .await
            .unwrap();
        let heads = heads.lock().unwrap();
        let head = heads.last().unwrap();
        assert_eq!(
            head.contains("authorization: "),
            signed,
            "{options:?}: {head}"
        );
        let unsigned = head.contains("x-amz-content-sha256: unsigned-payload");
        assert_eq!(unsigned, digest.unwrap_or(unsigned), "{options:?}: {head}");
    }
}
