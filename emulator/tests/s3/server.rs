//! The server itself: order, large bodies, nonsense, its thread and its end.

use emulator::Emulator;

use crate::bench::bench;
use crate::v2::Signer;
use crate::wire::Wire;

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let mut bench = bench().await;
    let mut batch = Vec::new();
    for n in 0..20 {
        let body = format!("body {n}");
        let target = format!("/bkt/{n}");
        batch.extend(bench.signer.request("PUT", &target, &[], body.as_bytes()));
        batch.extend(bench.signer.request("HEAD", &target, &[], b""));
        batch.extend(bench.signer.request("GET", &target, &[], b""));
    }
    bench.wire.send(&batch).await;
    for n in 0..20 {
        assert_eq!(bench.wire.reply(false).await.status, 200);
        let head = bench.wire.reply(true).await;
        let body = format!("body {n}");
        assert_eq!(
            head.header("content-length"),
            Some(body.len().to_string().as_str())
        );
        assert_eq!(bench.wire.reply(false).await.text(), body);
    }
    let stats = bench.emulator.stats();
    assert!(stats.pipeline_max > 1, "{stats:?}");
    assert_eq!(
        (stats.requests, stats.s3_requests, stats.refused),
        (61, 61, 0)
    );
    let connections = (
        stats.connections_open,
        stats.connections_max,
        stats.connections_accepted,
    );
    assert_eq!(connections, (1, 1, 1));
    let addr = bench.emulator.addr();
    bench.emulator.shutdown().await;
    assert!(tokio::net::TcpStream::connect(addr).await.is_err());
}

#[tokio::test]
async fn a_reply_does_not_wait_for_half_a_request() {
    let mut bench = bench().await;
    let request = bench.signer.request("HEAD", "/bkt", &[], b"");
    let half = request.len() / 2;
    bench.wire.send(&request).await;
    bench.wire.send(&request[..half]).await;
    assert_eq!(bench.wire.reply(true).await.status, 200);
    bench.wire.send(&request[half..]).await;
    assert_eq!(bench.wire.reply(true).await.status, 200);
}

#[tokio::test]
async fn large_bodies_pass_whole() {
    let mut bench = bench().await;
    let body: Vec<u8> = (0..3_000_000_u32).map(|n| (n % 251) as u8).collect();
    let put = bench.call("PUT", "/bkt/k", &[], &body).await;
    assert_eq!(put.status, 200);
    let get = bench.signer.request("GET", "/bkt/k", &[], b"");
    bench.wire.send(&get.repeat(3)).await;
    for _ in 0..3 {
        assert!(bench.wire.reply(false).await.body == body);
    }
}

#[test]
fn it_runs_on_a_thread_of_its_own() {
    let emulator = Emulator::start_blocking().unwrap();
    let addr = emulator.addr();
    let signer = Signer::new(emulator.access_key(), emulator.secret_key(), addr);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let reply = runtime.block_on(async {
        let mut wire = Wire::open(addr).await;
        wire.call(&signer.request("GET", "/", &[], b"")).await
    });
    assert_eq!(reply.status, 200);
    assert_eq!(emulator.stats().connections_max, 1);
    drop(emulator);
    assert!(std::net::TcpStream::connect(addr).is_err());
}

#[tokio::test]
async fn nonsense_gets_an_answer() {
    let emulator = Emulator::start().await.unwrap();
    let long = "x".repeat(66_000);
    let many = "a: b\r\n".repeat(700);
    for (request, status) in [
        (format!("GET /{long} HTTP/1.1\r\nhost: x\r\n\r\n"), 414),
        (format!("GET / HTTP/1.1\r\nhost: x\r\n{many}\r\n"), 431),
        ("GET /%ff%fe HTTP/1.1\r\nhost: x\r\n\r\n".into(), 400),
        ("GET /bkt/%80 HTTP/1.1\r\nhost: x\r\n\r\n".into(), 400),
        ("nonsense\r\n\r\n".into(), 400),
        ("PATCH /bkt/k HTTP/1.1\r\nhost: x\r\n\r\n".into(), 501),
        ("GET /?Signature=%zz&Expires=9999999999999999999&AWSAccessKeyId=AKIDEMULATOR HTTP/1.1\r\nhost: x\r\n\r\n".into(), 403),
        ("GET / HTTP/1.1\r\nhost: x\r\nauthorization: AWS :\r\n\r\n".into(), 403),
        ("GET / HTTP/1.1\r\nhost: x\r\nauthorization: AWS4-HMAC-SHA256 x\r\ndate: x\r\n\r\n".into(), 403),
    ] {
        let mut wire = Wire::open(emulator.addr()).await;
        let reply = wire.call(request.as_bytes()).await;
        let start: String = request.chars().take(80).collect();
        assert_eq!(reply.status, status, "{start}");
    }
}
