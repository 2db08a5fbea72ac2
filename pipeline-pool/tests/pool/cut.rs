//! Answers that begin and do not end: whatever cuts them, their request was sent.

use std::time::Duration;

use pipeline_pool::{Error, HttpPool, Kind, Sent};

use crate::peer::{Conn, Peer, post};

const HEAD: &str = "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n";
const CHUNKED: &str = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n20\r\n";

#[derive(Clone, Copy, Debug)]
enum Cut {
    Closed,
    Reset,
    Stalled,
    Garbled,
    /// More than the reader takes.
    Long,
    /// The pool is closed and waits for nobody.
    Shutdown,
}

/// How the reader of the answer to a request that may run once hears of it.
async fn cut(cut: Cut) -> Error {
    let mut peer = Peer::start().await;
    let pool = HttpPool::builder()
        .max_whole_body(8)
        .body_timeout(Duration::from_secs(3))
        .build();
    let sending = tokio::spawn(pool.send(&peer.origin, post(&peer.origin, "/once", "x")));
    let mut conn: Conn = peer.accept().await;
    conn.target().await;
    conn.write(match cut {
        Cut::Garbled => CHUNKED,
        _ => HEAD,
    })
    .await;
    conn.write([b'x'; 0x20]).await;
    let (_, mut body) = sending.await.unwrap().unwrap().into_parts();
    if let Cut::Long = cut {
        return body.bytes(99).await.unwrap_err();
    }
    let mut read = 0;
    while read < 0x20 {
        read += body.chunk().await.unwrap().unwrap().len();
    }
    let kept = match cut {
        Cut::Closed => {
            drop(conn);
            None
        }
        Cut::Reset => {
            conn.reset();
            None
        }
        Cut::Garbled => {
            conn.write("no line end").await;
            Some(conn)
        }
        Cut::Shutdown => {
            pool.close(Duration::ZERO).await;
            Some(conn)
        }
        Cut::Stalled | Cut::Long => Some(conn),
    };
    let error = body.bytes(1000).await.unwrap_err();
    drop(kept);
    assert_eq!(peer.accepted(), 1, "it is sent once");
    error
}

#[tokio::test(start_paused = true)]
async fn the_reader_of_a_cut_answer_hears_that_its_request_was_sent() {
    for (how, kind) in [
        (Cut::Closed, Kind::Closed),
        (Cut::Reset, Kind::Closed),
        (Cut::Stalled, Kind::Timeout),
        (Cut::Garbled, Kind::Protocol),
        (Cut::Long, Kind::Protocol),
        (Cut::Shutdown, Kind::Shutdown),
    ] {
        let error = cut(how).await;
        assert_eq!((error.kind(), error.sent()), (kind, Sent::All), "{how:?}");
    }
}

#[tokio::test]
async fn the_reader_of_an_answer_hears_of_a_runtime_that_ends() {
    let serving = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let mut peer = Peer::start().await;
    let pool = HttpPool::builder().max_whole_body(8).build();
    let sending = serving.spawn(pool.send(&peer.origin, post(&peer.origin, "/once", "x")));
    let mut conn = peer.accept().await;
    conn.target().await;
    conn.write(HEAD).await;
    let (_, body) = sending.await.unwrap().unwrap().into_parts();
    serving.shutdown_background();
    let error = body.bytes(1000).await.unwrap_err();
    assert_eq!(error.sent(), Sent::All, "{error:?}");
}
