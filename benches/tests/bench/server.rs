//! The servers behave as their options say.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use benches::server::{Counts, Mode, STATS_PATH, Server};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// How long a test waits for what must come at once.
const LIMIT: Duration = Duration::from_secs(10);

async fn start(mode: Mode) -> SocketAddr {
    let server = Server::bind("127.0.0.1:0".parse().unwrap(), mode)
        .await
        .unwrap();
    let addr = server.addr().unwrap();
    tokio::spawn(server.run());
    addr
}

async fn connect(addr: SocketAddr) -> TcpStream {
    TcpStream::connect(addr).await.unwrap()
}

/// An answer's head as text and its body.
type Answer = (String, Vec<u8>);

/// Reads one answer; none at the end of the connection.
async fn answer(stream: &mut TcpStream, has_body: bool) -> Option<Answer> {
    let read = async {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            match stream.read_u8().await {
                Ok(byte) => head.push(byte),
                Err(_) if head.is_empty() => return None,
                Err(error) => panic!("{error} within a head"),
            }
        }
        let head = String::from_utf8(head).unwrap();
        let length = head
            .split("Content-Length: ")
            .nth(1)
            .unwrap()
            .split("\r\n")
            .next()
            .unwrap();
        let mut body = vec![0; if has_body { length.parse().unwrap() } else { 0 }];
        stream.read_exact(&mut body).await.unwrap();
        Some((head, body))
    };
    tokio::time::timeout(LIMIT, read).await.unwrap()
}

async fn gets(stream: &mut TcpStream, n: usize) {
    let requests = "GET /a/b HTTP/1.1\r\nhost: x\r\n\r\n".repeat(n);
    stream.write_all(requests.as_bytes()).await.unwrap();
}

/// The time of each of `n` answers to GETs sent in one write, from that write.
async fn times(addr: SocketAddr, n: usize) -> Vec<Duration> {
    let mut stream = connect(addr).await;
    let start = Instant::now();
    gets(&mut stream, n).await;
    let mut times = Vec::new();
    for _ in 0..n {
        answer(&mut stream, true).await.unwrap();
        times.push(start.elapsed());
    }
    times
}

pub(super) async fn counts(addr: SocketAddr, query: &str) -> Counts {
    let mut stream = connect(addr).await;
    let request = format!("GET {STATS_PATH}{query} HTTP/1.1\r\nhost: x\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    serde_json::from_slice(&answer(&mut stream, true).await.unwrap().1).unwrap()
}

/// Has it done again until it takes less than this: a busy machine makes anything late, but not every
/// time.
async fn in_time(most: Duration, mut what: impl AsyncFnMut() -> Duration) {
    let until = Instant::now() + 30 * LIMIT;
    loop {
        let took = what().await;
        if took < most {
            return;
        }
        assert!(Instant::now() < until, "{took:?}");
    }
}

#[tokio::test]
async fn answers_come_in_order_whatever_the_splits() {
    let addr = start(Mode {
        body: 7,
        ..Mode::default()
    })
    .await;
    let mut stream = connect(addr).await;
    stream.set_nodelay(true).unwrap();
    let requests = b"GET / HTTP/1.1\r\n\r\nPUT / HTTP/1.1\r\nContent-Length: 5\r\n\r\nGET /HEAD / \
                     HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\n";
    for piece in requests.chunks(3) {
        stream.write_all(piece).await.unwrap();
        tokio::task::yield_now().await;
    }
    let mut bodies = Vec::new();
    // The body of the PUT reads like the beginning of a request, and is none.
    for has_body in [true, false, false, true] {
        let (head, body) = answer(&mut stream, has_body).await.unwrap();
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"));
        bodies.push(body.len());
    }
    assert_eq!(bodies, [7, 0, 0, 7]);
    assert_eq!(counts(addr, "").await.requests, 4);
}

#[tokio::test]
async fn a_concurrent_server_works_a_pipeline_at_once() {
    let latency = Duration::from_millis(30);
    let addr = start(Mode {
        latency,
        ..Mode::default()
    })
    .await;
    // One after another they would take 240 ms.
    in_time(5 * latency, async || {
        let times = times(addr, 8).await;
        assert!(times[0] >= latency, "{times:?}");
        times[7]
    })
    .await;
}

#[tokio::test]
async fn a_serial_server_works_each_connection_in_order_and_all_at_once() {
    let latency = Duration::from_millis(10);
    let mode = Mode {
        latency,
        serial: true,
        ..Mode::default()
    };
    let addr = start(mode).await;
    // One connection after another they would take 500 ms.
    in_time(Duration::from_millis(350), async || {
        let start = Instant::now();
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..10 {
            tasks.spawn(times(addr, 5));
        }
        for times in tasks.join_all().await {
            for (i, time) in (1..).zip(times) {
                assert!(time >= i * latency, "{i}: {time:?}");
            }
        }
        start.elapsed()
    })
    .await;
}

#[tokio::test]
async fn short_delays_are_not_rounded_up() {
    let latency = Duration::from_micros(300);
    let addr = start(Mode {
        latency,
        serial: true,
        ..Mode::default()
    })
    .await;
    // A timer that counts milliseconds would take 100 ms or more.
    in_time(Duration::from_millis(90), async || {
        let all = times(addr, 100).await;
        assert!(all[99] >= 100 * latency, "{:?}", all[99]);
        all[99]
    })
    .await;
}

#[tokio::test]
async fn a_late_answer_holds_up_those_behind_it() {
    let tail = Some("100:40".parse().unwrap());
    let addr = start(Mode {
        tail,
        ..Mode::default()
    })
    .await;
    assert!(times(addr, 2).await[0] >= Duration::from_millis(40));

    // With every second one late, some are and some are not.
    let tail = Some("50:40".parse().unwrap());
    let addr = start(Mode {
        tail,
        ..Mode::default()
    })
    .await;
    let mut late = 0;
    for _ in 0..20 {
        late += usize::from(times(addr, 1).await[0] >= Duration::from_millis(40));
    }
    assert!((1..20).contains(&late), "{late}");
}

#[tokio::test]
async fn a_connection_is_closed_after_so_many_answers() {
    for announce in [true, false] {
        let mode = Mode {
            close_after: Some(3),
            announce,
            ..Mode::default()
        };
        let addr = start(mode).await;
        let mut stream = connect(addr).await;
        gets(&mut stream, 5).await;
        for i in 1..=3 {
            let (head, body) = answer(&mut stream, true).await.unwrap();
            assert_eq!(body.len(), 1024);
            assert_eq!(head.contains("Connection: close"), announce && i == 3);
        }
        assert_eq!(answer(&mut stream, true).await, None);
    }
}

#[tokio::test]
async fn with_nagle_a_body_waits_for_the_acknowledgement_of_its_head() {
    let addr = start(Mode {
        nagle: true,
        ..Mode::default()
    })
    .await;
    let mut stream = connect(addr).await;
    let mut longest = Duration::ZERO;
    // The system acknowledges at once for a while, then after 40 ms.
    for _ in 0..200 {
        let start = Instant::now();
        gets(&mut stream, 1).await;
        assert_eq!(answer(&mut stream, true).await.unwrap().1.len(), 1024);
        longest = longest.max(start.elapsed());
        if longest >= Duration::from_millis(35) {
            return;
        }
    }
    panic!("the longest took {longest:?}");
}

#[tokio::test]
async fn connections_are_counted_without_those_that_ask() {
    let addr = start(Mode::default()).await;
    let mut streams = Vec::new();
    for _ in 0..3 {
        let mut stream = connect(addr).await;
        gets(&mut stream, 2).await;
        answer(&mut stream, true).await.unwrap();
        answer(&mut stream, true).await.unwrap();
        streams.push(stream);
    }
    let first = counts(addr, "?reset").await;
    assert_eq!((first.open, first.total, first.requests), (3, 3, 6));
    let second = counts(addr, "").await;
    assert_eq!((second.open, second.total, second.requests), (3, 3, 0));
    assert_eq!((first.most, second.most), (3, 3));
}
