//! Faults on purpose, as they look on the wire.

// Helpers here are tests too, and they share files with tests that use more of them.
#![allow(clippy::unwrap_used, dead_code)]

#[path = "support/v2.rs"]
mod v2;
#[path = "support/wire.rs"]
mod wire;

use emulator::{Emulator, Fault, Gate, Rule, Service};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use v2::Signer;
use wire::Wire;

async fn bench() -> (Emulator, Signer) {
    let emulator = Emulator::start().await.unwrap();
    let addr = emulator.addr();
    let signer = Signer::new(emulator.access_key(), emulator.secret_key(), addr);
    let mut wire = Wire::open(addr).await;
    for (target, body) in [("/bkt/", ""), ("/bkt/k", "0123456789")] {
        let request = signer.request("PUT", target, &[], body.as_bytes());
        assert_eq!(wire.call(&request).await.status, 200);
    }
    (emulator, signer)
}

/// What the server sends on a connection of its own until it ends, and how it ends.
async fn raw(emulator: &Emulator, request: &[u8]) -> (String, std::io::Result<usize>) {
    let mut stream = TcpStream::connect(emulator.addr()).await.unwrap();
    stream.write_all(request).await.unwrap();
    let mut answer = Vec::new();
    let ended = stream.read_to_end(&mut answer).await;
    (String::from_utf8_lossy(&answer).into_owned(), ended)
}

#[tokio::test]
async fn errors_have_the_form_of_their_service() {
    let (emulator, signer) = bench().await;
    let faults = emulator.faults();
    let s3 = Rule::script([
        Fault::slow_down().retry_after("7"),
        Fault::error(500, "InternalError"),
        Fault::expired_token(),
        Fault::error(200, "InternalError"),
    ]);
    faults.add(s3.service(Service::S3));
    faults.add(
        Rule::new(Fault::slow_down())
            .service(Service::SimpleDb)
            .domain("d"),
    );
    let mut wire = Wire::open(emulator.addr()).await;
    let get = signer.request("GET", "/bkt/k", &[], b"");
    let first = wire.call(&get).await;
    assert_eq!(first.error(), (503, "SlowDown"));
    assert_eq!(first.header("retry-after"), Some("7"));
    assert!(first.header("x-amz-request-id").is_some());
    assert_eq!(wire.call(&get).await.error(), (500, "InternalError"));
    assert_eq!(wire.call(&get).await.error(), (400, "ExpiredToken"));
    assert_eq!(wire.call(&get).await.error(), (200, "InternalError"));
    assert_eq!(wire.call(&get).await.text(), "0123456789");
    let sdb = |domain: &str| {
        format!("GET /?Action=PutAttributes&DomainName={domain} HTTP/1.1\r\nhost: x\r\n\r\n")
    };
    let refused = wire.call(sdb("d").as_bytes()).await;
    assert_eq!(refused.error(), (503, "ServiceUnavailable"));
    assert_eq!(refused.all("BoxUsage").len(), 1);
    assert_eq!(wire.call(sdb("e").as_bytes()).await.status, 403);
    assert_eq!(faults.count(), 5);
}

#[tokio::test]
async fn connections_end_before_and_after_the_request_ran() {
    let (emulator, signer) = bench().await;
    let faults = emulator.faults();
    let hits =
        faults.add(Rule::script([Fault::reset_before(), Fault::reset_after()]).method("PUT"));
    for (key, stored) in [("before", 404), ("after", 200)] {
        let target = format!("/bkt/{key}");
        let (answer, ended) = raw(&emulator, &signer.request("PUT", &target, &[], b"x")).await;
        assert!(answer.is_empty(), "{answer}");
        assert_eq!(
            ended.unwrap_err().kind(),
            std::io::ErrorKind::ConnectionReset
        );
        let mut wire = Wire::open(emulator.addr()).await;
        let get = signer.request("GET", &target, &[], b"");
        assert_eq!(wire.call(&get).await.status, stored, "{key}");
    }
    assert_eq!(hits.count(), 2);
}

#[tokio::test]
async fn answers_are_cut_and_replaced() {
    let (emulator, signer) = bench().await;
    let get = signer.request("GET", "/bkt/k", &[], b"");
    emulator.faults().add(Rule::script([
        Fault::cut(4),
        Fault::cut(0),
        Fault::garbage("\u{0}what\r\n\r\n"),
        Fault::wrong_date("yesterday"),
        Fault::cut(10),
    ]));
    for (wrong, whole) in [("0123", false), ("", false)] {
        let (answer, _) = raw(&emulator, &get).await;
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.contains("content-length: 10"), "{head}");
        assert_eq!((body, body.len() == 10), (wrong, whole));
    }
    assert_eq!(raw(&emulator, &get).await.0, "\u{0}what\r\n\r\n");
    let mut wire = Wire::open(emulator.addr()).await;
    assert_eq!(wire.call(&get).await.header("date"), Some("yesterday"));
    assert_eq!(wire.call(&get).await.text(), "0123456789");
}

#[tokio::test]
async fn answers_before_the_fault_are_whole() {
    let (emulator, signer) = bench().await;
    let get = signer.request("GET", "/bkt/k", &[], b"");
    emulator
        .faults()
        .add(Rule::new(Fault::garbage("garbage")).skip(2).times(1));
    let (answers, _) = raw(&emulator, &get.repeat(4)).await;
    assert_eq!(answers.matches("0123456789").count(), 2, "{answers}");
    assert!(answers.ends_with("0123456789garbage"), "{answers}");
}

#[tokio::test]
async fn gates_hold_requests_and_answers() {
    let (emulator, signer) = bench().await;
    let (hold, stall) = (Gate::new(), Gate::new());
    emulator
        .faults()
        .add(Rule::script([Fault::hold(&hold), Fault::stall(3, &stall)]).method("GET"));
    let get = signer.request("GET", "/bkt/k", &[], b"");
    let mut wire = Wire::open(emulator.addr()).await;
    wire.send(&get).await;
    hold.arrived(1).await;
    // While the first waits another is served.
    let mut other = TcpStream::connect(emulator.addr()).await.unwrap();
    other.write_all(&get).await.unwrap();
    stall.arrived(1).await;
    let mut start = Vec::new();
    while !start.ends_with(b"\r\n\r\n012") {
        assert!(other.read_buf(&mut start).await.unwrap() > 0);
    }
    stall.open();
    let mut rest = [0; 7];
    other.read_exact(&mut rest).await.unwrap();
    assert_eq!(&rest, b"3456789");
    hold.open();
    assert_eq!(wire.reply(false).await.text(), "0123456789");
}

#[tokio::test]
async fn redirects_name_the_place() {
    let (emulator, signer) = bench().await;
    let fault = Fault::redirect(301, "http://other.test:81").region("eu-west-1");
    emulator.faults().add(Rule::new(fault));
    let mut wire = Wire::open(emulator.addr()).await;
    let moved = wire
        .call(&signer.request("GET", "/bkt/a%20b?acl", &[], b""))
        .await;
    assert_eq!(moved.error(), (301, "PermanentRedirect"));
    assert_eq!(
        moved.header("location"),
        Some("http://other.test:81/bkt/a%20b?acl")
    );
    assert_eq!(moved.header("x-amz-bucket-region"), Some("eu-west-1"));
    assert_eq!(moved.all("Endpoint"), ["other.test:81"]);
}

#[tokio::test]
async fn dates_are_compared_with_its_own_clock() {
    let (emulator, mut signer) = bench().await;
    let mut wire = Wire::open(emulator.addr()).await;
    for ahead in [3600, -3600] {
        emulator.faults().set_clock_ahead(ahead);
        signer.drift = 0;
        let refused = wire.call(&signer.request("GET", "/bkt/k", &[], b"")).await;
        assert_eq!(refused.error(), (403, "RequestTimeTooSkewed"));
        let date = httpdate::parse_http_date(refused.header("date").unwrap()).unwrap();
        let date = date
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap()
            .as_secs();
        let off = i64::try_from(date).unwrap() - wire::now() - ahead;
        assert!(off.abs() < 60, "{off}");
        signer.drift = ahead;
        let taken = wire.call(&signer.request("GET", "/bkt/k", &[], b"")).await;
        assert_eq!(taken.status, 200);
    }
}
