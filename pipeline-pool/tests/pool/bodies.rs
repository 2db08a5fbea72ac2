//! Bodies both ways: every framing, streams with backpressure, and what cuts them short.

use futures_util::StreamExt;
use pipeline_pool::{BodyError, CloseReason, HttpPool, Kind, Method, Request, Sent};
use tokio::sync::oneshot;

use crate::peer::{Peer, get};

#[tokio::test]
async fn bodies_of_every_framing() {
    let mut peer = Peer::start().await;
    let pool = HttpPool::builder().max_connections(1).build();
    let requests: Vec<(Method, &str, &str)> = vec![
        (
            Method::Get,
            "HTTP/1.1 200 OK\r\ncontent-length: 2, 2\r\n\r\nab",
            "ab",
        ),
        (
            Method::Head,
            "HTTP/1.1 200 OK\r\ncontent-length: 700\r\n\r\n",
            "",
        ),
        (Method::Get, "HTTP/1.1 204 No Content\r\n\r\n", ""),
        (
            Method::Get,
            "HTTP/1.1 304 Not Modified\r\ncontent-length: 9\r\n\r\n",
            "",
        ),
        (
            Method::Get,
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2;x=y\r\nab\r\n1\r\nc\r\n0\r\nt: u\r\n\r\n",
            "abc",
        ),
        (
            Method::Put,
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 200\r\nx: a\r\n b\r\ncontent-length: 0\r\n\r\n",
            "",
        ),
        (
            Method::Get,
            "HTTP/1.1 200 OK\r\n\r\nuntil the end",
            "until the end",
        ),
    ];
    let origin = peer.origin.clone();
    let served: Vec<&str> = requests.iter().map(|r| r.1).collect();
    let server = tokio::spawn(async move {
        let mut conn = peer.accept().await;
        for bytes in served {
            conn.target().await;
            // Cut at every byte: the answers must not depend on how they arrive.
            for byte in bytes.as_bytes() {
                conn.write([*byte]).await;
                tokio::task::yield_now().await;
            }
        }
        drop(conn);
        peer
    });
    for (method, _, expected) in requests {
        let request = Request::new(method, &origin, "/").unwrap();
        let response = pool.send(&origin, request).await.unwrap();
        assert_eq!(response.body().as_whole().unwrap(), expected);
    }
    assert_eq!(server.await.unwrap().accepted(), 1);
}

#[tokio::test]
async fn a_large_body_streams_and_waits_for_its_reader() {
    let mut peer = Peer::start().await;
    let pool = HttpPool::builder()
        .max_connections(1)
        .max_whole_body(1000)
        .body_window(4096)
        .build();
    let sending = tokio::spawn(pool.send(&peer.origin, get(&peer.origin, "/big")));
    let mut conn = peer.accept().await;
    conn.target().await;
    // More than the kernel's buffers take.
    let size = 64 << 20;
    let (written, all_written) = oneshot::channel();
    let server = tokio::spawn(async move {
        conn.write(format!("HTTP/1.1 200 OK\r\ncontent-length: {size}\r\n\r\n"))
            .await;
        conn.write(vec![b'x'; size]).await;
        let _ = written.send(());
        conn.echo().await;
    });
    let response = sending.await.unwrap().unwrap();
    let (_, mut body) = response.into_parts();
    assert_eq!(body.remaining(), Some(size as u64));
    // Another request waits: this connection takes none meanwhile.
    let next = tokio::spawn(pool.send(&peer.origin, get(&peer.origin, "/next")));
    let mut all_written = all_written;
    let mut got = 0;
    let mut early = true;
    while let Some(chunk) = body.chunk().await {
        early &= all_written.try_recv().is_err();
        got += chunk.unwrap().len();
        if got < 1 << 20 {
            assert!(early, "the server could write it all before it was read");
        }
    }
    assert_eq!(got, size);
    assert_eq!(
        next.await.unwrap().unwrap().body().as_whole().unwrap(),
        "/next"
    );
    drop(pool);
    server.await.unwrap();
}

#[tokio::test]
async fn a_body_cut_short_is_an_error() {
    let mut peer = Peer::start().await;
    let pool = HttpPool::builder().max_whole_body(4).build();
    let sending = tokio::spawn(pool.send(&peer.origin, get(&peer.origin, "/")));
    let mut conn = peer.accept().await;
    conn.target().await;
    conn.write("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc")
        .await;
    let response = sending.await.unwrap().unwrap();
    drop(conn);
    let error = response.into_parts().1.bytes(100).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Closed);
}

#[tokio::test]
async fn a_request_body_streams() {
    let mut peer = Peer::start().await;
    let pool = HttpPool::new();
    let mut request = Request::new(Method::Put, &peer.origin, "/up").unwrap();
    let chunks = || futures_util::stream::iter([Ok("abc".into()), Ok("def".into())]);
    request.stream(Some(6), chunks());
    assert!(!request.is_repeatable());
    let sending = tokio::spawn(pool.send(&peer.origin, request));
    let mut conn = peer.accept().await;
    assert_eq!(conn.request().await.unwrap().1, b"abcdef");
    conn.answer("").await;
    sending.await.unwrap().unwrap();

    let mut request = Request::new(Method::Put, &peer.origin, "/up").unwrap();
    request.stream(None, chunks());
    let sending = tokio::spawn(pool.send(&peer.origin, request));
    conn.target().await;
    let expected = "3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n";
    assert_eq!(conn.exactly(expected.len()).await, expected);
    conn.answer("").await;
    sending.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_failing_request_body_fails_its_request_alone() {
    let mut peer = Peer::start().await;
    let pool = HttpPool::builder().max_connections(1).build();
    for wrong in ["short", "long", "broken"] {
        let mut request = Request::new(Method::Put, &peer.origin, "/up").unwrap();
        let chunks: Vec<Result<bytes::Bytes, pipeline_pool::BodyError>> = match wrong {
            "short" => vec![Ok("abc".into())],
            "long" => vec![Ok("abcdefgh".into())],
            _ => vec![Ok("abc".into()), Err("disk on fire".into())],
        };
        request.stream(Some(6), futures_util::stream::iter(chunks));
        let sending = tokio::spawn(pool.send(&peer.origin, request));
        let conn = peer.accept().await;
        let error = sending.await.unwrap().unwrap_err();
        assert_eq!(error.kind(), Kind::Body, "{wrong}: {error}");
        drop(conn);
    }
}

/// A body that yields a piece and then waits for ever; the receiver hears when it is dropped.
fn stalled(request: &mut Request) -> oneshot::Receiver<()> {
    let (alive, dropped) = oneshot::channel();
    let pieces = [Some(Ok::<_, BodyError>(bytes::Bytes::from("abc"))), None];
    let pieces = futures_util::stream::iter(pieces).then(move |piece| {
        let _alive = &alive;
        async move {
            match piece {
                Some(piece) => piece,
                None => std::future::pending().await,
            }
        }
    });
    request.stream(Some(1 << 20), pieces);
    dropped
}

#[tokio::test]
async fn an_upload_ends_when_nobody_waits_for_it() {
    let mut peer = Peer::start().await;
    let pool = HttpPool::builder().max_connections(1).build();
    let mut request = Request::new(Method::Put, &peer.origin, "/up").unwrap();
    let body = stalled(&mut request);
    let sending = tokio::spawn(pool.send(&peer.origin, request));
    let mut conn = peer.accept().await;
    let head = "PUT /up HTTP/1.1\r\n";
    assert_eq!(conn.exactly(head.len()).await, head);
    let next = tokio::spawn(pool.send(&peer.origin, get(&peer.origin, "/next")));
    sending.abort();
    assert!(sending.await.unwrap_err().is_cancelled());
    // At once: the body is let go, and the connection, on which nothing else could be sent.
    assert!(body.await.is_err());
    assert!(conn.closed().await);
    tokio::spawn(peer.accept().await.echo());
    assert_eq!(
        next.await.unwrap().unwrap().body().as_whole().unwrap(),
        "/next"
    );
    let stats = pool.stats();
    assert_eq!(stats.origins[0].closed_by(CloseReason::Caller), 1);
    assert_eq!(stats.connections, 1);
}

#[tokio::test]
async fn an_upload_of_bytes_ends_when_nobody_waits_for_it() {
    const SIZE: usize = 48 << 20;
    let mut peer = Peer::start().await;
    let pool = HttpPool::builder().max_connections(1).build();
    let mut request = Request::new(Method::Put, &peer.origin, "/up").unwrap();
    request.body(vec![b'x'; SIZE]);
    let sending = tokio::spawn(pool.send(&peer.origin, request));
    let mut conn = peer.accept().await;
    let head = "PUT /up HTTP/1.1\r\n";
    assert_eq!(conn.exactly(head.len()).await, head);
    // What the kernel has room for is written; nobody reads it.
    let mut written = 0;
    while pool.stats().origins[0].bytes_out > written {
        written = pool.stats().origins[0].bytes_out;
        tokio::task::yield_now().await;
    }
    sending.abort();
    assert!(sending.await.unwrap_err().is_cancelled());
    for _ in 0..1000 {
        tokio::task::yield_now().await;
    }
    assert_eq!(
        pool.stats().connections,
        0,
        "it is not the server that ends it"
    );
    let came = conn.drain().await;
    assert!(came < SIZE / 2, "{came} bytes came");
    assert_eq!(pool.stats().origins[0].closed_by(CloseReason::Caller), 1);
}

#[tokio::test(start_paused = true)]
async fn an_upload_ends_at_its_deadline() {
    let mut peer = Peer::start().await;
    let pool = HttpPool::builder().max_connections(1).build();
    let mut request = Request::new(Method::Put, &peer.origin, "/up").unwrap();
    request.timeout(std::time::Duration::from_secs(7));
    let body = stalled(&mut request);
    let begun = tokio::time::Instant::now();
    let sending = tokio::spawn(pool.send(&peer.origin, request));
    let conn = peer.accept().await;
    let error = sending.await.unwrap().unwrap_err();
    assert_eq!((error.kind(), error.sent()), (Kind::Timeout, Sent::Part));
    assert!(body.await.is_err());
    assert!(conn.closed().await);
    assert_eq!(begun.elapsed().as_secs(), 7);
    assert_eq!(pool.stats().connections, 0);
}

#[tokio::test]
async fn an_answer_may_be_read_while_its_request_is_still_sent() {
    let mut peer = Peer::start().await;
    let pool = HttpPool::builder().max_whole_body(2).build();
    let mut request = Request::new(Method::Post, &peer.origin, "/both").unwrap();
    let (more, pieces) = tokio::sync::mpsc::unbounded_channel::<Result<bytes::Bytes, BodyError>>();
    let pieces = futures_util::stream::unfold(pieces, async |mut pieces| {
        let piece = pieces.recv().await?;
        Some((piece, pieces))
    });
    request.stream(Some(4), pieces);
    let sending = tokio::spawn(pool.send(&peer.origin, request));
    let mut conn = peer.accept().await;
    more.send(Ok("ab".into())).unwrap();
    conn.write("HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nabc")
        .await;
    let (_, body) = sending.await.unwrap().unwrap().into_parts();
    more.send(Ok("cd".into())).unwrap();
    drop(more);
    let (_, got) = conn.request().await.unwrap();
    assert_eq!(got, b"abcd");
    conn.write("def").await;
    assert_eq!(body.bytes(100).await.unwrap(), "abcdef");
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_waits_and_goes_away_is_heard_of_at_once() {
    let mut peer = Peer::start().await;
    let pool = HttpPool::builder().max_whole_body(4).build();
    let sending = tokio::spawn(pool.send(&peer.origin, get(&peer.origin, "/")));
    let mut conn = peer.accept().await;
    conn.target().await;
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", 1 << 30);
    conn.write(head + "abc").await;
    let (_, mut body) = sending.await.unwrap().unwrap().into_parts();
    assert_eq!(body.chunk().await.unwrap().unwrap(), "abc");
    // The server is silent, and there is room for what it may send.
    let waiting = futures_util::future::poll_immediate(body.chunk()).await;
    assert!(waiting.is_none());
    // The driver has heard that there is room, and waits for the server.
    tokio::task::yield_now().await;
    let begun = tokio::time::Instant::now();
    drop(body);
    assert!(conn.closed().await);
    assert!(begun.elapsed().is_zero());
    let stats = pool.stats();
    assert_eq!(stats.origins[0].closed_by(CloseReason::Caller), 1);
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_takes_its_time_is_waited_for() {
    let mut peer = Peer::start().await;
    let pool = HttpPool::builder()
        .max_whole_body(4)
        .body_window(4)
        .body_timeout(std::time::Duration::from_secs(10))
        .build();
    let sending = tokio::spawn(pool.send(&peer.origin, get(&peer.origin, "/")));
    let mut conn = peer.accept().await;
    conn.target().await;
    conn.write("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc")
        .await;
    let (_, body) = sending.await.unwrap().unwrap().into_parts();
    conn.write("defghi").await;
    // For longer than the server may pause.
    tokio::time::sleep(std::time::Duration::from_secs(60)).await;
    assert_eq!(body.bytes(100).await.unwrap(), "abcdefghi");
    assert_eq!(pool.stats().origins[0].closed(), 0);
}

#[tokio::test]
async fn a_reader_that_goes_away_is_why_its_connection_is_closed() {
    let mut peer = Peer::start().await;
    let pool = HttpPool::builder().max_whole_body(4).build();
    let sending = tokio::spawn(pool.send(&peer.origin, get(&peer.origin, "/")));
    let mut conn = peer.accept().await;
    conn.target().await;
    conn.write(format!(
        "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\nabc",
        1 << 30
    ))
    .await;
    drop(sending.await.unwrap().unwrap());
    assert!(conn.closed().await);
    let stats = pool.stats();
    assert_eq!(stats.origins[0].closed_by(CloseReason::Caller), 1);
}
