//! What goes wrong over the emulator, and what is said of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use aws_core::transport::{ResponseFuture, Transport};
use ec2_client::{Clock, Credentials, Ec2Client, Kind, PeerEvent, RetryConfig, Signature};
use emulator::{Ec2Options, Emulator, Fault, Rule};
use pipeline_pool::{Head, Origin, Request, Response};

use crate::cloud::{SECRET, error, list, short};
use crate::instances::builder;

const CHAT: &str = r#"[{"InstanceId": "i-1", "Tags": {"cluster": "chat"}}, {"InstanceId": "i-2", "Tags": {"cluster": "chat"}}]"#;

#[tokio::test]
async fn an_unknown_filter_is_named() {
    let service = Emulator::start().await.unwrap();
    let ec2 = builder(&service).build().unwrap();
    let error = ec2.instances().filter("colour", ["red"]).await.unwrap_err();
    assert_eq!(
        (error.status(), error.code()),
        (Some(400), Some("InvalidParameterValue"))
    );
    assert!(error.to_string().contains("colour"), "{error}");
    let mut peers = ec2.peers().filter("colour", ["red"]).watch();
    let Some(PeerEvent::Failing(error, _)) = peers.next().await else {
        panic!("no failure");
    };
    assert!(error.to_string().contains("colour"), "{error}");
    assert!(peers.peers().is_empty());
}

/// A clock that is ten minutes off, at a server that allows for five.
#[tokio::test]
async fn a_clock_that_is_off_is_put_right_by_the_server() {
    for signature in [Signature::V4, Signature::V2] {
        for ahead in [true, false] {
            let service = Emulator::builder().skew(Duration::from_secs(300));
            let service = service.start().await.unwrap();
            service.ec2().put(CHAT).unwrap();
            let off = Duration::from_secs(600);
            let clock = Clock::from_fn(move || match ahead {
                true => SystemTime::now() + off,
                false => SystemTime::now() - off,
            });
            let ec2 = builder(&service)
                .signature(signature)
                .clock(clock)
                .build()
                .unwrap();
            let mut peers = ec2.peers().tag("cluster", "chat").watch();
            let mut told = Vec::new();
            while told.len() < 3 {
                told.push(short(&peers.next().await.unwrap()));
            }
            assert_eq!(told, ["+i-1", "+i-2", "ready 2"], "{signature:?} {ahead}");
            assert_eq!(service.stats().ec2_requests, 2, "it is learnt at once");
        }
    }
}

#[tokio::test]
async fn a_clock_that_no_server_puts_right_is_named() {
    let service = Emulator::builder().skew(Duration::from_secs(300));
    let service = service.start().await.unwrap();
    service.ec2().put(CHAT).unwrap();
    // Its answers do not say what time it is.
    service.faults().add(Rule::new(Fault::wrong_date("today")));
    let clock = Clock::from_fn(|| SystemTime::now() - Duration::from_secs(600));
    let ec2 = builder(&service).clock(clock).build().unwrap();
    let mut peers = ec2.peers().watch();
    let Some(PeerEvent::Failing(error, _)) = peers.next().await else {
        panic!("no failure");
    };
    assert_eq!(error.code(), Some("RequestExpired"), "{error}");
}

/// Says so many times that keys are wrong, and what time it is.
#[derive(Clone, Debug)]
struct Strict {
    times: usize,
    calls: Arc<AtomicUsize>,
}

impl Transport for Strict {
    fn send(&self, _: &Origin, _: Request) -> ResponseFuture {
        let now = aws_core::http_date(SystemTime::now());
        let (status, body) = match self.calls.fetch_add(1, Ordering::SeqCst) < self.times {
            true => (401, error("AuthFailure")),
            false => (200, list(&[("i-1", "running")])),
        };
        let head = Head::new(status, [("date", now.as_ref().as_bytes())]);
        ResponseFuture::ready(Ok(Response::new(head, bytes::Bytes::from(body))))
    }
}

/// EC2 says `AuthFailure` of a wrong clock as well.
#[tokio::test]
async fn a_clock_that_is_taken_for_wrong_keys_is_put_right() {
    let client = |times: usize| {
        let clock = Clock::from_fn(|| SystemTime::now() - Duration::from_secs(600));
        let strict = Strict {
            times,
            calls: Arc::default(),
        };
        let builder = Ec2Client::builder()
            .endpoint("http://ec2.example")
            .credentials(Credentials::new("AKID", SECRET))
            .transport(strict.clone())
            .clock(clock.clone());
        (builder.build().unwrap(), strict.calls, clock)
    };
    let (ec2, calls, clock) = client(1);
    assert_eq!(ec2.instances().await.unwrap().instances.len(), 1);
    assert_eq!(calls.load(Ordering::SeqCst), 2);
    assert!((595_000..605_000).contains(&clock.offset_ms()), "{clock:?}");
    // Keys that are wrong are so at any time.
    let (ec2, calls, _) = client(usize::MAX);
    let error = ec2.instances().await.unwrap_err();
    assert_eq!(error.code(), Some("AuthFailure"));
    assert_eq!(calls.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn version_2_says_where_it_is_refused() {
    let options = Ec2Options::default().refuse_v2(true);
    let service = Emulator::builder().ec2(options).start().await.unwrap();
    let old = builder(&service).signature(Signature::V2).build().unwrap();
    let error = old.instances().await.unwrap_err();
    assert_eq!(
        (error.status(), error.code()),
        (Some(401), Some("AuthFailure"))
    );
    assert!(error.to_string().contains("Signature::V4"), "{error}");
    // By Version 4 the same refusal is about the keys.
    let nobody = builder(&service).credentials(Credentials::new("NOBODY", SECRET));
    let error = nobody.build().unwrap().instances().await.unwrap_err();
    assert_eq!(error.code(), Some("AuthFailure"));
    assert!(!error.to_string().contains("Signature::V4"), "{error}");
}

#[tokio::test]
async fn a_bad_day_of_the_emulator_tells_nobody_to_leave() {
    let service = Emulator::start().await.unwrap();
    service.ec2().put(CHAT).unwrap();
    let faults = service.faults();
    let ec2 = builder(&service).build().unwrap();
    let mut peers = ec2
        .peers()
        .every(Duration::from_secs(1))
        .random(|| 0.0)
        .watch();
    let mut told = async |count: usize| {
        let mut all = Vec::new();
        while all.len() < count {
            all.push(short(&peers.next().await.unwrap()));
        }
        all
    };
    assert_eq!(told(3).await, ["+i-1", "+i-2", "ready 2"]);
    for fault in [
        Fault::error(500, "InternalError"),
        Fault::slow_down(),
        Fault::reset_before(),
        Fault::cut(100),
        Fault::garbage("what"),
    ] {
        faults.add(Rule::new(fault.clone()));
        let event = told(1).await.remove(0);
        assert!(event.starts_with("failing"), "{fault:?}: {event}");
        faults.clear();
        loop {
            match told(1).await.remove(0) {
                event if event.starts_with("failing") => {}
                event => break assert_eq!(event, "ready 2", "{fault:?}"),
            }
        }
    }
    // A list that lacks one, once: nothing. Then it is gone, and a stale list brings it back.
    faults.add(Rule::new(Fault::lacking(["i-1"])).times(1));
    service.ec2().put(r#"{"InstanceId": "i-3"}"#).unwrap();
    assert_eq!(told(1).await, ["+i-3"]);
    service.ec2().set_state("i-2", "terminated").unwrap();
    assert_eq!(told(1).await, ["-i-2 missing from two lists"]);
    faults.add(Rule::new(Fault::stale(1)).times(1));
    assert_eq!(told(1).await, ["+i-2"]);
}

#[tokio::test]
async fn a_wrong_secret_is_said_and_not_shown() {
    let service = Emulator::start().await.unwrap();
    for signature in [Signature::V4, Signature::V2] {
        let keys = Credentials::new(service.access_key(), SECRET);
        let builder = builder(&service).credentials(keys).signature(signature);
        let ec2 = builder.retry(RetryConfig::none()).build().unwrap();
        let error = ec2.instances().await.unwrap_err();
        assert_eq!(error.code(), Some("SignatureDoesNotMatch"));
        let peers = ec2.peers().tag("cluster", "chat");
        let shown = format!("{error} {error:?} {ec2:?} {peers:?} {:?}", ec2.instances());
        assert!(!shown.contains(SECRET), "{shown}");
    }
}

#[tokio::test]
async fn nobody_there_is_named() {
    let ec2 = Ec2Client::builder()
        .endpoint("http://127.0.0.1:1")
        .credentials(Credentials::new("AKID", SECRET))
        .retry(RetryConfig::none());
    let error = ec2.build().unwrap().instances().await.unwrap_err();
    assert_eq!(error.kind(), Kind::Connect);
    assert!(error.to_string().contains("127.0.0.1:1"), "{error}");
}
