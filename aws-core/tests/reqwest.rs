//! The transport over reqwest against servers that answer by a script, byte by byte.

#![cfg(feature = "reqwest")]
#![allow(
    clippy::unwrap_used,
    reason = "this is test code outside of a test function"
)]

use std::sync::{Arc, Mutex};

use aws_core::Transport as _;
use aws_core::transport::Reqwest;
use aws_core::transport::reqwest::Proxy;
use bytes::Bytes;
use futures_util::stream;
use pipeline_pool::{BodyError, Error, Kind, Method, Origin, Request, Response, Sent};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// What becomes of a request.
#[derive(Clone, Copy)]
enum Step {
    /// These bytes come back.
    Answer(&'static str),
    /// These bytes come back, then the connection ends.
    Break(&'static str),
    /// Its target comes back.
    Echo,
    /// The connection ends.
    Close,
}

/// Answers the n-th request by the n-th step and keeps what it read; the last step goes on for ever.
struct Server {
    origin: Origin,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Server {
    async fn start(steps: &'static [Step]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let seen: Arc<Mutex<Vec<String>>> = Arc::default();
        let requests = seen.clone();
        tokio::spawn(async move {
            loop {
                let (socket, _) = listener.accept().await.unwrap();
                tokio::spawn(serve(socket, steps, requests.clone()));
            }
        });
        Self {
            origin: Origin::parse(&origin).unwrap(),
            seen,
        }
    }

    fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }

    async fn send(&self, request: Request) -> Result<Response, Error> {
        direct().send(&self.origin, request).await
    }

    fn request(&self, method: Method, target: &str) -> Request {
        Request::new(method, &self.origin, target).unwrap()
    }
}

/// Without the proxies of wherever the tests run.
fn direct() -> Reqwest {
    let builder = Reqwest::client_builder().unwrap().no_proxy();
    builder.build().unwrap().into()
}

async fn serve(socket: TcpStream, steps: &'static [Step], seen: Arc<Mutex<Vec<String>>>) {
    let mut socket = BufReader::new(socket);
    while let Some(request) = read(&mut socket).await {
        let target = request.split(' ').nth(1).unwrap_or_default().to_owned();
        let step = {
            let mut seen = seen.lock().unwrap();
            seen.push(request);
            steps[(seen.len() - 1).min(steps.len() - 1)]
        };
        let answer = match step {
            Step::Answer(text) | Step::Break(text) => text.to_owned(),
            Step::Echo => format!(
                "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{target}",
                target.len()
            ),
            Step::Close => return,
        };
        let written = socket.write_all(answer.as_bytes()).await;
        if written.is_err() || matches!(step, Step::Break(_)) {
            return;
        }
    }
}

/// One request as it came, chunks and all.
async fn read(socket: &mut BufReader<TcpStream>) -> Option<String> {
    let mut text = String::new();
    while !text.ends_with("\r\n\r\n") {
        if socket.read_line(&mut text).await.ok()? == 0 {
            return None;
        }
    }
    if text.contains("transfer-encoding: chunked") {
        while !text.ends_with("\r\n0\r\n\r\n") {
            if socket.read_line(&mut text).await.ok()? == 0 {
                return None;
            }
        }
    } else if let Some((_, rest)) = text.split_once("content-length: ") {
        let len = rest.split("\r\n").next()?.parse().ok()?;
        let mut body = vec![0; len];
        socket.read_exact(&mut body).await.ok()?;
        text.push_str(std::str::from_utf8(&body).ok()?);
    }
    Some(text)
}

const EMPTY: Step = Step::Answer("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");

#[tokio::test]
async fn targets_arrive_byte_for_byte_or_not_at_all() {
    let server = Server::start(&[Step::Echo]).await;
    let transport = direct();
    let arrives = async |target: &str| {
        let request = server.request(Method::Get, target);
        match transport.send(&server.origin, request).await {
            Ok(response) => {
                assert_eq!(response.body().as_whole().unwrap(), target.as_bytes());
                true
            }
            Err(error) => {
                let seen = (error.kind(), error.sent());
                assert_eq!(seen, (Kind::Invalid, Sent::No), "{error}");
                false
            }
        }
    };
    for target in ["/", "//", "//a//b/", "/?", "/?acl", "/%2F/%41%7e", "/??a=?"] {
        assert!(arrives(target).await, "{target}");
    }
    let (mut paths, mut queries) = (String::new(), String::new());
    for b in (0x21..0x7f).map(char::from).filter(|b| *b != '#') {
        if !arrives(&format!("/a{b}/c")).await {
            paths.push(b);
        }
        if !arrives(&format!("/a?b={b}{b}c")).await {
            queries.push(b);
        }
    }
    assert_eq!((&*paths, &*queries), ("\"<>\\`{}", "\"'<>"));
}

#[tokio::test]
async fn fields_and_bodies_arrive() {
    let server = Server::start(&[EMPTY]).await;
    let mut request = server.request(Method::Put, "/k");
    request.header("x-a", "caf\u{e9}").unwrap();
    request.header("x-a", "2").unwrap();
    server.send(request).await.unwrap();
    let mut request = server.request(Method::Post, "/k");
    request.body("whole");
    server.send(request).await.unwrap();
    let pieces = || stream::iter(["ab", "", "cde"].map(|p| Ok::<_, BodyError>(Bytes::from(p))));
    let mut request = server.request(Method::Put, "/k");
    request.stream(Some(5), pieces());
    server.send(request).await.unwrap();
    let mut request = server.request(Method::Put, "/k");
    request.stream(None, pieces());
    server.send(request).await.unwrap();
    let seen = server.seen();
    let host = format!("host: {}\r\n", server.origin.authority());
    for request in &seen {
        assert_eq!(request.matches(&host).count(), 1, "{request}");
        assert_eq!(request.matches("host: ").count(), 1, "{request}");
    }
    assert!(seen[0].contains("x-a: caf\u{e9}\r\n") && seen[0].contains("x-a: 2\r\n"));
    assert!(seen[0].contains("content-length: 0\r\n"), "{}", seen[0]);
    assert!(seen[1].contains("content-length: 5\r\n") && seen[1].ends_with("\r\n\r\nwhole"));
    assert!(seen[2].contains("content-length: 5\r\n") && seen[2].ends_with("\r\n\r\nabcde"));
    assert!(
        seen[3].ends_with("\r\n\r\n2\r\nab\r\n3\r\ncde\r\n0\r\n\r\n"),
        "{}",
        seen[3]
    );
}

#[tokio::test]
async fn a_body_that_fails_is_the_requests_own_failure() {
    let server = Server::start(&[EMPTY]).await;
    for len in [Some(4), None] {
        let mut request = server.request(Method::Put, "/k");
        let broken = Err::<Bytes, BodyError>("the disk is gone".into());
        request.stream(len, stream::iter([Ok(Bytes::from("ab")), broken]));
        let error = server.send(request).await.unwrap_err();
        assert_eq!((error.kind(), error.sent()), (Kind::Body, Sent::Part));
        assert!(error.to_string().contains("the disk is gone"), "{error}");
    }
    let mut request = server.request(Method::Put, "/k");
    request.stream(Some(4), stream::iter([Ok(Bytes::from("ab"))]));
    let error = server.send(request).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Body);
    assert!(server.seen().is_empty(), "no request was whole");
}

#[tokio::test]
async fn answers_come_as_they_are() {
    const CHUNKED: Step = Step::Answer(
        "HTTP/1.1 200 OK\r\nETag: \"x\"\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    );
    const LENGTH: Step = Step::Answer("HTTP/1.1 200 OK\r\ncontent-length: 9000000\r\n\r\n");
    const ENCODED: Step =
        Step::Answer("HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 3\r\n\r\nabc");
    const MOVED: Step = Step::Answer(
        "HTTP/1.1 307 Moved\r\nlocation: http://127.0.0.1:9/\r\ncontent-length: 0\r\n\r\n",
    );
    let server = Server::start(&[CHUNKED, LENGTH, ENCODED, MOVED, EMPTY]).await;
    let response = server.send(server.request(Method::Get, "/k")).await;
    let (head, body) = response.unwrap().into_parts();
    assert_eq!((head.status(), head.header("etag")), (200, Some("\"x\"")));
    assert!(body.as_whole().is_none());
    assert_eq!(body.bytes(9).await.unwrap(), "abc");
    let response = server
        .send(server.request(Method::Head, "/k"))
        .await
        .unwrap();
    assert_eq!(response.header("content-length"), Some("9000000"));
    assert!(response.body().as_whole().unwrap().is_empty());
    let response = server
        .send(server.request(Method::Get, "/k"))
        .await
        .unwrap();
    assert_eq!(response.header("content-encoding"), Some("gzip"));
    assert_eq!(response.body().as_whole().unwrap(), "abc");
    let response = server
        .send(server.request(Method::Get, "/k"))
        .await
        .unwrap();
    assert_eq!(response.status(), 307);
    assert_eq!(server.seen().len(), 4, "nothing was followed");
}

#[tokio::test]
async fn a_head_may_have_as_many_fields_as_metadata_has_room_for() {
    // Names of one and two letters, and no values: S3 takes 2 KB of both together.
    let letters = "abcdefghijklmnopqrstuvwxyz0123456789-_.!#$%&'*+^`|~";
    let mut names: Vec<String> = letters.chars().map(String::from).collect();
    for first in letters.chars() {
        names.extend(letters.chars().map(|second| format!("{first}{second}")));
    }
    let mut room = 2048;
    let names = names.into_iter().take_while(|name| {
        let fits = room >= name.len();
        room -= name.len().min(room);
        fits
    });
    let fields: String = names
        .map(|name| format!("x-amz-meta-{name}:\r\n"))
        .collect();
    assert!(fields.lines().count() > 1000);
    let answer = format!("HTTP/1.1 200 OK\r\n{fields}content-length: 0\r\n\r\n");
    let steps = Box::leak(Box::new([Step::Answer(answer.leak())]));
    let server = Server::start(steps).await;
    let request = || server.request(Method::Get, "/k");
    let response = server.send(request()).await.unwrap();
    let count = fields.lines().count() + 1;
    assert_eq!(response.head().headers().count(), count);
    // The pool takes the same.
    let pool = pipeline_pool::HttpPool::new();
    let response = pool.send(&server.origin, request()).await.unwrap();
    assert_eq!(response.head().headers().count(), count);
}

#[tokio::test]
async fn a_body_that_breaks_off_is_an_error() {
    let server = Server::start(&[Step::Break(
        "HTTP/1.1 200 OK\r\ncontent-length: 70000\r\n\r\nabc",
    )])
    .await;
    let transport = direct();
    let request = server.request(Method::Get, "/k");
    let response = transport.send(&server.origin, request).await.unwrap();
    let (_, mut body) = response.into_parts();
    assert_eq!(body.remaining(), Some(70_000));
    assert_eq!(body.chunk().await.unwrap().unwrap(), "abc");
    assert_eq!(body.remaining(), Some(69_997));
    let error = body.chunk().await.unwrap().unwrap_err();
    assert_eq!((error.kind(), error.sent()), (Kind::Closed, Sent::All));
    assert!(body.chunk().await.is_none());
}

#[tokio::test]
async fn what_was_written_is_never_written_again() {
    for method in [Method::Get, Method::Post] {
        let server = Server::start(&[EMPTY, Step::Close, EMPTY]).await;
        let transport = direct();
        let first = server.request(method, "/first");
        transport.send(&server.origin, first).await.unwrap();
        let second = server.request(method, "/second?Signature=topsecret");
        let error = transport.send(&server.origin, second).await.unwrap_err();
        assert_eq!((error.kind(), error.sent()), (Kind::Closed, Sent::Part));
        assert!(!format!("{error} {error:?}").contains("topsecret"));
        assert_eq!(server.seen().len(), 2);
    }
}

#[tokio::test]
async fn failures_say_what_they_are_and_hide_the_target() {
    let check = |error: Error, kind, sent| {
        assert_eq!((error.kind(), error.sent()), (kind, sent), "{error}");
        let mut shown = format!("{error} {error:?}");
        let mut cause = std::error::Error::source(&error);
        while let Some(e) = cause {
            shown.push_str(&format!(" {e} {e:?}"));
            cause = e.source();
        }
        assert!(!shown.contains("topsecret"), "{shown}");
        shown
    };
    let request = |origin: &Origin| {
        let mut request = Request::new(Method::Get, origin, "/?Signature=topsecret").unwrap();
        request.header("authorization", "topsecret").unwrap();
        request
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = Origin::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    drop(listener);
    let error = direct().send(&origin, request(&origin)).await.unwrap_err();
    let shown = check(error, Kind::Connect, Sent::No);
    assert!(
        shown.contains(origin.authority()) && shown.contains("refused"),
        "{shown}"
    );

    let server = Server::start(&[Step::Answer("what?\r\n\r\n")]).await;
    let error = server.send(request(&server.origin)).await.unwrap_err();
    check(error, Kind::Protocol, Sent::Part);

    let unix = Origin::unix("/run/none.sock", "s3").unwrap();
    let error = direct().send(&unix, request(&unix)).await.unwrap_err();
    check(error, Kind::Invalid, Sent::No);

    // A server without TLS, asked for it.
    let tls = Origin::parse(&format!("https://{}", server.origin.authority())).unwrap();
    let server = Server::start(&[Step::Close]).await;
    let error = direct().send(&tls, request(&tls)).await.unwrap_err();
    check(error, Kind::Connect, Sent::No);
    assert!(server.seen().is_empty());
}

#[tokio::test]
async fn a_proxy_gets_the_whole_url() {
    let proxy = Server::start(&[EMPTY]).await;
    let url = format!("http://me:hidden@{}", proxy.origin.authority());
    let builder = Reqwest::client_builder().unwrap();
    let builder = builder.proxy(Proxy::all(url).unwrap());
    let transport = Reqwest::from(builder.build().unwrap());
    let origin = Origin::parse("http://store.example").unwrap();
    let request = Request::new(Method::Get, &origin, "/photos//%41?acl").unwrap();
    let response = transport.send(&origin, request).await.unwrap();
    assert_eq!(response.status(), 200);
    let seen = proxy.seen();
    assert!(
        seen[0].starts_with("GET http://store.example/photos//%41?acl HTTP/1.1\r\n"),
        "{}",
        seen[0]
    );
    assert!(seen[0].contains("host: store.example\r\n"));
    assert!(seen[0].contains("proxy-authorization: Basic bWU6aGlkZGVu\r\n"));
    assert!(!format!("{transport:?}").contains("hidden"));
}
