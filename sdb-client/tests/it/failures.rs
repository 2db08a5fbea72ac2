//! What goes wrong, and what is said of it.

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use crate::common::{Act, Script, builder, emulator};
use aws_core::transport::{ResponseFuture, Transport};
use pipeline_pool::{Head, Origin, Request, Response};
use sdb_client::request::RetryConfig;
use sdb_client::settings::Clock;
use sdb_client::{Credentials, Expected, Kind, SdbClient};

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

/// Answers the first request with 503, all others well.
#[derive(Clone, Debug, Default)]
struct BusyOnce(Arc<Mutex<Vec<bool>>>);

impl Transport for BusyOnce {
    fn send(&self, _: &Origin, request: Request) -> ResponseFuture {
        let mut seen = self.0.lock().expect("a lock");
        seen.push(request.is_repeatable());
        let (status, body) = if seen.len() == 1 {
            (
                503,
                "<Response><Errors><Error><Code>ServiceUnavailable</Code><Message>busy</Message><BoxUsage>0.5</BoxUsage>\
                   </Error></Errors><RequestID>r1</RequestID></Response>",
            )
        } else {
            (
                200,
                "<PutAttributesResponse><ResponseMetadata><RequestId>r2</RequestId><BoxUsage>0.25</BoxUsage>\
                   </ResponseMetadata></PutAttributesResponse>",
            )
        };
        let body = bytes_of(body);
        ResponseFuture::ready(Ok(Response::new(Head::new(status, []), body)))
    }
}

fn bytes_of(text: &'static str) -> pipeline_pool::Body {
    let once = futures_util::stream::once(async move { Ok(text.into()) });
    pipeline_pool::Body::from_stream(None, once)
}

fn client(transport: &BusyOnce) -> SdbClient {
    SdbClient::builder()
        .endpoint("http://sdb.example")
        .credentials(Credentials::new("AKID", SECRET))
        .transport(transport.clone())
        .retry(RetryConfig::new().random(|| 0.0))
        .build()
        .expect("a client")
}

#[tokio::test]
async fn a_busy_service_is_asked_again_unless_the_write_is_conditional() {
    let transport = BusyOnce::default();
    let sdb = client(&transport);
    let usage = sdb
        .domain("users")
        .put("u")
        .replace("a", "b")
        .await
        .unwrap();
    assert_eq!(
        (usage.box_usage, usage.request_id.as_deref()),
        (0.25, Some("r2"))
    );
    assert_eq!(*transport.0.lock().unwrap(), [true, true]);
    assert_eq!((sdb.usage().box_usage, sdb.usage().requests), (0.75, 2));

    let transport = BusyOnce::default();
    let put = client(&transport)
        .domain("users")
        .put("u")
        .replace("a", "b");
    let error = put.expect(Expected::absent("a")).await.unwrap_err();
    assert_eq!(
        (error.code(), error.attempts()),
        (Some("ServiceUnavailable"), 1)
    );
    assert!(error.is_throttled() && error.may_have_been_sent());
    assert_eq!(*transport.0.lock().unwrap(), [false]);
    assert_eq!(
        error.to_string(),
        "SimpleDB PutAttributes at http://sdb.example on users, \"u\": 503 ServiceUnavailable: busy \
         (request r1)"
    );
}

#[tokio::test]
async fn a_wrong_secret_is_said_and_not_shown() {
    let service = emulator().await;
    let sdb = builder(&service)
        .credentials(Credentials::new(service.access_key(), SECRET))
        .build()
        .unwrap();
    let error = sdb.domain("users").create().await.unwrap_err();
    assert_eq!(
        (error.status(), error.code()),
        (Some(403), Some("SignatureDoesNotMatch"))
    );
    let put = sdb
        .domain("users")
        .put("u")
        .replace("a", "hush")
        .expect(Expected::equals("a", "hush"));
    let select = sdb.select("select * from users where a = 'hush'");
    let shown = format!("{sdb:?} {error:?} {error} {put:?} {select:?}");
    assert!(
        !shown.contains(SECRET) && !shown.contains("hush"),
        "{shown}"
    );
}

#[tokio::test]
async fn a_refused_connection_names_host_and_port() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    drop(listener);
    let builder = SdbClient::builder()
        .endpoint(format!("http://{addr}"))
        .retry(RetryConfig::none());
    let sdb = builder
        .credentials(Credentials::new("AKID", SECRET))
        .build()
        .unwrap();
    let error = sdb.list_domains().await.unwrap_err();
    assert_eq!(error.kind(), Kind::Connect);
    assert!(
        error.to_string().contains(&addr.to_string()) && !error.may_have_been_sent(),
        "{error}"
    );
}

#[tokio::test]
async fn a_wrong_clock_is_put_right_by_the_server() {
    let service = emulator().await;
    for hours in [-2, 2] {
        let clock = Clock::from_fn(move || {
            let now = SystemTime::now();
            let off = Duration::from_secs(7200);
            if hours < 0 { now - off } else { now + off }
        });
        let client = builder(&service)
            .clock(clock.clone())
            .retry(RetryConfig::none())
            .build()
            .unwrap();
        if let Err(error) = client.domain("users").create().await {
            panic!("{hours}: {error}");
        }
        assert!(
            (clock.offset_ms().abs() - 7_200_000).abs() < 5_000,
            "{clock:?}"
        );
        assert_eq!(client.list_domains().await.unwrap().names, ["users"]);
    }
}

#[tokio::test]
async fn an_answer_that_is_none_is_an_error() {
    let service = emulator().await;
    let answer = |inside: &str| format!("<XResponse>{inside}</XResponse>");
    for body in [
        "busy".to_owned(),
        answer("<XResult><ItemCount>many</ItemCount></XResult>"),
        answer("<XResult><ItemCount>-1</ItemCount></XResult>"),
        answer("<XResult><Timestamp>99999999999999999999</Timestamp></XResult>"),
        answer("<ResponseMetadata><BoxUsage>much</BoxUsage></ResponseMetadata>"),
        answer("<XResult>"),
    ] {
        let script = Script::new(move |_| Act::Reply(200, body.clone()));
        let sdb = builder(&service)
            .transport(script)
            .retry(RetryConfig::none())
            .build()
            .unwrap();
        let users = sdb.domain("users");
        let error = users.metadata().await.unwrap_err();
        assert_eq!(error.kind(), Kind::Protocol, "{error}");
    }
    // Absent numbers are nothing, and a time beyond what can be told is no panic.
    let late = answer("<XResult><Timestamp>18446744073709551615</Timestamp></XResult>");
    let script = Script::new(move |_| Act::Reply(200, late.clone()));
    let sdb = builder(&service).transport(script).build().unwrap();
    let size = sdb.domain("users").metadata().await.unwrap();
    assert_eq!((size.items, size.bytes()), (0, 0));
}

/// Answers all requests with this, in pieces of so many bytes: the first of one length, the others of another.
#[derive(Clone, Debug)]
struct InPieces(usize, usize);

const CUT: &str = "<?xml version=\"1.0\"?><GetAttributesResponse xmlns=\"http://sdb.amazonaws.com/doc/2009-04-15/\">\
    <GetAttributesResult><Attribute><Name>a&amp;b</Name><Value>caf\u{e9} &#x3c;</Value></Attribute><Attribute>\
    <Name>bin</Name><Value encoding=\"base64\">AQI=</Value></Attribute></GetAttributesResult><ResponseMetadata>\
    <RequestId>r</RequestId><BoxUsage>0.5</BoxUsage></ResponseMetadata></GetAttributesResponse>";

impl Transport for InPieces {
    fn send(&self, _: &Origin, _: Request) -> ResponseFuture {
        let (first, rest) = CUT.as_bytes().split_at(self.0);
        let pieces = std::iter::once(first).chain(rest.chunks(self.1));
        let pieces: Vec<_> = pieces.map(|piece| Ok(piece.into())).collect();
        let body = pipeline_pool::Body::from_stream(None, futures_util::stream::iter(pieces));
        ResponseFuture::ready(Ok(Response::new(Head::new(200, []), body)))
    }
}

#[tokio::test]
async fn an_answer_is_read_alike_wherever_it_is_cut() {
    let all = CUT.len();
    for (first, others) in (0..all).map(|cut| (cut, all)).chain([(1, 1), (0, 3)]) {
        let sdb = SdbClient::builder()
            .endpoint("http://sdb.example")
            .credentials(Credentials::new("AKID", SECRET))
            .transport(InPieces(first, others))
            .build()
            .expect("a client");
        let fetched = sdb.domain("users").get("u").await.expect("an answer");
        let attributes = fetched.item.attributes.iter();
        let pairs: Vec<_> = attributes.map(|a| (&*a.name, &*a.value)).collect();
        assert_eq!(
            pairs,
            [("a&b", "caf\u{e9} <"), ("bin", "\u{1}\u{2}")],
            "cut at {first}"
        );
        assert_eq!(fetched.usage.box_usage, 0.5);
    }
}
