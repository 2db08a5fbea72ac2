//! Bodies that wait until the server wants them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, stream};
use pipeline_pool::{BodyError, HttpPool, Method, Origin, Request};

use crate::peer::{Conn, Peer, get};

/// Long enough that no test gets there.
const PATIENT: Duration = Duration::from_secs(600);
const WAIT: Duration = Duration::from_millis(20);

/// How a request carries its body.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Form {
    Whole,
    Length,
    Chunked,
}

/// A PUT of `body`, and how often its stream has been asked.
fn put(origin: &Origin, form: Form, patience: Duration) -> (Request, Arc<AtomicUsize>) {
    let mut request = Request::new(Method::Put, origin, "/k").unwrap();
    let asked = Arc::new(AtomicUsize::new(0));
    let pieces = pieces(asked.clone());
    match form {
        Form::Whole => request.body("body"),
        Form::Length => request.stream(Some(4), pieces),
        Form::Chunked => request.stream(None, pieces),
    }
    request.expect_continue(Some(patience));
    (request, asked)
}

/// The pieces of a body, counted when they are asked for.
fn pieces(
    count: Arc<AtomicUsize>,
) -> impl Stream<Item = Result<Bytes, BodyError>> + Send + 'static {
    stream::iter(["bo", "dy"]).map(move |piece| {
        count.fetch_add(1, Ordering::SeqCst);
        Ok(Bytes::from_static(piece.as_bytes()))
    })
}

/// The head of the next request.
async fn head(conn: &mut Conn) -> String {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        head.push_str(&conn.exactly(1).await);
    }
    head
}

fn body(form: Form) -> &'static str {
    match form {
        Form::Chunked => "2\r\nbo\r\n2\r\ndy\r\n0\r\n\r\n",
        _ => "body",
    }
}

const FORMS: [Form; 3] = [Form::Whole, Form::Length, Form::Chunked];
const CONTINUE: &str = "HTTP/1.1 100 Continue\r\n\r\n";
const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";

#[tokio::test]
async fn a_body_comes_when_it_is_wanted() {
    for form in FORMS {
        let mut peer = Peer::start().await;
        let pool = HttpPool::builder().max_connections(1).build();
        let (request, asked) = put(&peer.origin, form, PATIENT);
        let sending = tokio::spawn(pool.send(&peer.origin, request));
        let mut conn = peer.accept().await;
        let head = head(&mut conn).await;
        assert!(head.contains("\r\nexpect: 100-continue\r\n"), "{head}");
        assert_eq!(asked.load(Ordering::SeqCst), 0);
        // Other interim answers do not count.
        conn.write("HTTP/1.1 103 Early Hints\r\n\r\n").await;
        conn.write(CONTINUE).await;
        let expected = body(form);
        assert_eq!(conn.exactly(expected.len()).await, expected);
        conn.write(OK).await;
        assert_eq!(sending.await.unwrap().unwrap().status(), 200);
        // The connection goes on.
        let next = tokio::spawn(pool.send(&peer.origin, get(&peer.origin, "/next")));
        assert_eq!(conn.target().await, "/next");
        conn.answer("").await;
        next.await.unwrap().unwrap();
        assert_eq!(peer.accepted(), 1);
    }
}

#[tokio::test]
async fn an_answer_instead_ends_the_upload() {
    for form in FORMS {
        let mut peer = Peer::start().await;
        let pool = HttpPool::builder().max_connections(1).build();
        let (request, asked) = put(&peer.origin, form, PATIENT);
        let sending = tokio::spawn(pool.send(&peer.origin, request));
        let mut conn = peer.accept().await;
        head(&mut conn).await;
        conn.write("HTTP/1.1 412 No\r\ncontent-length: 2\r\n\r\nno")
            .await;
        let response = sending.await.unwrap().unwrap();
        assert_eq!(response.status(), 412);
        assert_eq!(response.body().as_whole().unwrap(), "no");
        assert_eq!(asked.load(Ordering::SeqCst), 0, "{form:?}");
        // The server may still wait for the body, so nothing else goes there.
        assert!(conn.closed().await);
    }
}

#[tokio::test]
async fn a_server_that_says_nothing_gets_the_body_and_is_not_asked_for_ever() {
    for form in FORMS {
        let mut peer = Peer::start().await;
        let pool = HttpPool::builder().max_connections(1).build();
        let mut conn = None;
        for asks in [true, true, false, false] {
            let (request, _) = put(&peer.origin, form, WAIT);
            let sending = tokio::spawn(pool.send(&peer.origin, request));
            if conn.is_none() {
                conn = Some(peer.accept().await);
            }
            let conn = conn.as_mut().unwrap();
            let head = head(conn).await;
            assert_eq!(head.contains("expect"), asks, "{form:?} {head}");
            let expected = body(form);
            assert_eq!(conn.exactly(expected.len()).await, expected);
            conn.write(OK).await;
            assert_eq!(sending.await.unwrap().unwrap().status(), 200);
        }
        assert_eq!(peer.accepted(), 1);
    }
}

#[tokio::test]
async fn a_request_that_is_lost_before_its_body_can_be_sent_again() {
    let mut peer = Peer::start().await;
    let pool = HttpPool::builder().max_connections(1).build();
    let (request, _) = put(&peer.origin, Form::Whole, PATIENT);
    let sending = tokio::spawn(pool.send(&peer.origin, request));
    let mut conn = peer.accept().await;
    head(&mut conn).await;
    conn.reset();
    // A body in one piece is replayed by the pool.
    let mut conn = peer.accept().await;
    assert!(head(&mut conn).await.contains("expect"));
    conn.write(CONTINUE).await;
    assert_eq!(conn.exactly(4).await, "body");
    conn.write(OK).await;
    assert_eq!(sending.await.unwrap().unwrap().status(), 200);
    // A stream is not, and has not been read.
    let (request, asked) = put(&peer.origin, Form::Length, PATIENT);
    let sending = tokio::spawn(pool.send(&peer.origin, request));
    head(&mut conn).await;
    conn.reset();
    assert!(sending.await.unwrap().unwrap_err().may_have_been_sent());
    assert_eq!(asked.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn an_answer_that_is_long_ends_the_wait_for_the_body_too() {
    for form in FORMS {
        let mut peer = Peer::start().await;
        let builder = HttpPool::builder().max_connections(1);
        let pool = builder.max_whole_body(4).build();
        let (request, asked) = put(&peer.origin, form, WAIT);
        let sending = tokio::spawn(pool.send(&peer.origin, request));
        let mut conn = peer.accept().await;
        head(&mut conn).await;
        conn.write("HTTP/1.1 412 No\r\ncontent-length: 8\r\n\r\nno ")
            .await;
        let (_, body) = sending.await.unwrap().unwrap().into_parts();
        tokio::time::sleep(2 * WAIT).await;
        conn.write("and no").await;
        assert_eq!(body.bytes(100).await.unwrap(), "no and n");
        // Not one byte of the body has come.
        assert!(conn.closed().await);
        assert_eq!(asked.load(Ordering::SeqCst), 0, "{form:?}");
    }
}

#[tokio::test]
async fn a_request_without_a_body_asks_for_nothing() {
    let mut peer = Peer::start().await;
    let pool = HttpPool::builder().max_connections(1).build();
    let mut request = Request::new(Method::Put, &peer.origin, "/k").unwrap();
    request.expect_continue(Some(PATIENT));
    let sending = tokio::spawn(pool.send(&peer.origin, request));
    let mut conn = peer.accept().await;
    assert!(!head(&mut conn).await.contains("expect"));
    conn.write(OK).await;
    assert_eq!(sending.await.unwrap().unwrap().status(), 200);
    let mut request = Request::new(Method::Put, &peer.origin, "/k").unwrap();
    assert!(request.header("Expect", "100-continue").is_err());
}
