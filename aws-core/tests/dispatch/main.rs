//! The loop: what is tried again, when, and what is reported.

#![allow(
    clippy::unwrap_used,
    reason = "this is test code outside of a test function"
)]

mod attempts;
#[path = "../common/mod.rs"]
mod common;
mod environment;
mod hooks;
mod redirects;
mod slow;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use aws_core::Idempotency::{Once, Repeatable};
use aws_core::transport::{ResponseFuture, Transport};
use aws_core::{Clock, Credentials, Dispatch, Error, Kind, RetryConfig};
use bytes::Bytes;
use common::{Do, Script, Step, Toy};
use pipeline_pool::{Head, Kind as Pool, Origin, Request, Response, Sent};
use tokio::sync::Barrier;

/// Pauses are the longest possible: 100, 200, 400 … ms.
fn slow() -> RetryConfig {
    RetryConfig::new()
        .backoff(Duration::from_millis(100), Duration::from_secs(60))
        .random(|| 1.0)
}

async fn run(steps: Vec<Step>, retry: RetryConfig, op: Do) -> (Result<String, Error>, Script) {
    let script = Script::new(steps);
    let outcome = script.dispatch(retry).call(&Toy, &op).await;
    (outcome, script)
}

pub(crate) const BUSY: Step = Step::Answer(
    503,
    &[],
    "<Error><Code>ServiceUnavailable</Code><Message>later</Message></Error>",
);
pub(crate) const SLOW_DOWN: Step = Step::Answer(
    503,
    &[],
    "<Error><Code>SlowDown</Code><Message>slower</Message></Error>",
);

#[tokio::test(start_paused = true)]
async fn repeatable_operations_are_repeated_with_growing_pauses() {
    let steps = vec![
        BUSY,
        Step::Lost(Pool::Closed, Sent::All),
        Step::Answer(500, &[], "oops"),
    ];
    let (outcome, script) = run(steps, slow(), Do::new(Repeatable)).await;
    assert_eq!(outcome.unwrap(), "done");
    let seen = script.seen.lock().unwrap();
    let at: Vec<u128> = seen.at.iter().map(Duration::as_millis).collect();
    assert_eq!(at, [0, 100, 300, 700]);
    assert_eq!(
        seen.repeatable, [true; 4],
        "the pool hears of it, though the method is POST"
    );
}

#[tokio::test(start_paused = true)]
async fn the_last_error_is_reported_after_the_last_attempt() {
    let steps = vec![Step::Lost(Pool::Closed, Sent::All), BUSY, BUSY, BUSY, BUSY];
    let (outcome, script) = run(steps, slow().max_attempts(3), Do::new(Repeatable)).await;
    let error = outcome.unwrap_err();
    assert_eq!(
        (error.kind(), error.attempts(), script.count()),
        (Kind::Service, 3, 3)
    );
    assert!(error.is_throttled());
    assert_eq!(
        error.to_string(),
        "Toy Do at http://toy.example:81, \"the key\": 503 ServiceUnavailable: later (after 3 attempts)"
    );
}

#[tokio::test(start_paused = true)]
async fn once_operations_are_repeated_only_when_they_surely_did_not_run() {
    let table = [
        (Step::Lost(Pool::Connect, Sent::No), true),
        (Step::Lost(Pool::Closed, Sent::No), true),
        (SLOW_DOWN, true),
        (Step::Lost(Pool::Closed, Sent::Part), false),
        (Step::Lost(Pool::Timeout, Sent::All), false),
        (BUSY, false),
        (Step::Answer(500, &[], ""), false),
    ];
    for (i, (step, again)) in table.into_iter().enumerate() {
        let (outcome, script) = run(vec![step], slow(), Do::new(Once)).await;
        assert_eq!(outcome.is_ok(), again, "row {i}");
        assert_eq!(script.count(), if again { 2 } else { 1 }, "row {i}");
        assert!(!script.seen.lock().unwrap().repeatable[0]);
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_sent_once_stays_sent() {
    let steps = vec![
        Step::Lost(Pool::Closed, Sent::All),
        Step::Lost(Pool::Connect, Sent::No),
    ];
    let (outcome, _) = run(steps, slow().max_attempts(2), Do::new(Repeatable)).await;
    let error = outcome.unwrap_err();
    assert_eq!(error.kind(), Kind::Connect);
    assert!(error.may_have_been_sent());
    let never = vec![Step::Lost(Pool::Connect, Sent::No)];
    let (outcome, _) = run(never, RetryConfig::none(), Do::new(Repeatable)).await;
    assert!(!outcome.unwrap_err().may_have_been_sent());
}

#[tokio::test(start_paused = true)]
async fn times_that_no_clock_can_tell_are_no_limits() {
    let endless = slow()
        .max_retry_after(Duration::MAX)
        .attempt_timeout(Duration::MAX);
    for (asked, done) in [("1000000", true), ("18446744073709551615", false)] {
        let asked: &'static [_] = Box::leak(Box::new([("Retry-After", asked)]));
        let script = Script::new(vec![Step::Answer(503, asked, "")]);
        let mut builder = Dispatch::builder();
        builder.transport(script.clone());
        builder.credentials(Credentials::new("id", "topsecret"));
        builder.retry(endless.clone());
        builder.timeout(Duration::MAX);
        let outcome = builder.build().unwrap();
        let outcome = outcome.call(&Toy, &Do::new(Repeatable)).await;
        assert_eq!(outcome.is_ok(), done, "{asked:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn retry_after_is_waited_for() {
    let steps = vec![Step::Answer(503, &[("Retry-After", "3")], "")];
    let (outcome, script) = run(steps, slow(), Do::new(Repeatable)).await;
    outcome.unwrap();
    assert_eq!(script.seen.lock().unwrap().at[1].as_millis(), 3100);
}

#[tokio::test(start_paused = true)]
async fn a_pause_that_does_not_fit_is_not_begun() {
    let steps = vec![Step::Answer(503, &[("Retry-After", "15")], "")];
    let start = tokio::time::Instant::now();
    let (outcome, script) = run(steps, slow(), Do::new(Repeatable)).await;
    assert!(outcome.unwrap_err().is_throttled());
    assert_eq!((script.count(), start.elapsed()), (1, Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn one_deadline_for_everything() {
    for step in [Step::Never, Step::Stuck(200)] {
        let start = tokio::time::Instant::now();
        let (outcome, script) = run(vec![BUSY, step], slow(), Do::new(Repeatable)).await;
        let error = outcome.unwrap_err();
        assert!(error.is_timeout() && error.may_have_been_sent(), "{error}");
        assert_eq!((script.count(), start.elapsed().as_millis()), (2, 10_000));
    }
    // An error whose body does not end is still that error.
    let (outcome, _) = run(vec![Step::Stuck(403)], slow(), Do::new(Repeatable)).await;
    assert_eq!(outcome.unwrap_err().status(), Some(403));
}

#[tokio::test(start_paused = true)]
async fn one_attempt_may_be_cut_short() {
    let retry = slow().attempt_timeout(Duration::from_secs(1));
    let (outcome, script) = run(vec![Step::Never], retry, Do::new(Repeatable)).await;
    assert_eq!(outcome.unwrap(), "done");
    assert_eq!(script.seen.lock().unwrap().at[1].as_millis(), 1100);
}

#[tokio::test(start_paused = true)]
async fn an_outage_is_not_multiplied() {
    let script = Script::new((0..100).map(|_| BUSY));
    let dispatch = script.dispatch(slow().budget(5));
    for _ in 0..20 {
        let outcome = dispatch.call(&Toy, &Do::new(Repeatable)).await;
        assert!(outcome.is_err());
    }
    assert_eq!(script.count(), 25);
}

#[tokio::test(start_paused = true)]
async fn one_request_may_do_differently() {
    let script = Script::new([BUSY, Step::Never]);
    let dispatch = script.dispatch(RetryConfig::none());
    let mut op = Do::new(Repeatable);
    op.overrides.timeout(Duration::from_secs(2));
    op.overrides.retry(slow());
    op.overrides.header("X-Trace", "7");
    let start = tokio::time::Instant::now();
    let error = dispatch.call(&Toy, &op).await.unwrap_err();
    assert!(error.is_timeout() && error.attempts() == 2, "{error}");
    assert_eq!(start.elapsed(), Duration::from_secs(2));
    let field = ("x-trace".to_owned(), "7".to_owned());
    let seen = script.seen.lock().unwrap();
    assert!(seen.headers.iter().all(|headers| headers.contains(&field)));
}

#[tokio::test]
async fn a_request_with_an_illegal_override_is_not_sent() {
    let script = Script::new([]);
    let mut op = Do::new(Repeatable);
    op.overrides.header("content-length", "1");
    let dispatch = script.dispatch(RetryConfig::none());
    let error = dispatch.call(&Toy, &op).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.attempts(), script.count()),
        (Kind::Invalid, 0, 0)
    );
    assert!(error.to_string().contains("Content-Length"), "{error}");
}

const SKEWED: &str = "<Error><Code>RequestTimeTooSkewed</Code><Message>m</Message></Error>";

#[tokio::test(start_paused = true)]
async fn the_clock_follows_the_server_once() {
    let script = Script::new([
        Step::Answer(403, &[("Date", "Tue, 27 Mar 2007 19:36:42 GMT")], SKEWED),
        Step::Answer(200, &[], "in time"),
        Step::Answer(403, &[("Date", "Tue, 27 Mar 2007 20:36:42 GMT")], SKEWED),
        Step::Answer(403, &[("Date", "Tue, 27 Mar 2007 20:36:42 GMT")], SKEWED),
    ]);
    let local = SystemTime::UNIX_EPOCH + Duration::from_secs(1_175_020_000);
    let mut builder = Dispatch::builder();
    builder.transport(script.clone());
    builder.credentials(Credentials::new("id", "topsecret"));
    builder.clock(Clock::from_fn(move || local));
    let dispatch = builder.build().unwrap();
    // A clock error means that nothing has run, so this one may be repeated too.
    assert_eq!(
        dispatch.call(&Toy, &Do::new(Once)).await.unwrap(),
        "in time"
    );
    assert_eq!(dispatch.clock().offset_ms(), 4_202_000);
    let error = dispatch.call(&Toy, &Do::new(Once)).await.unwrap_err();
    assert_eq!(
        (error.code(), error.attempts()),
        (Some("RequestTimeTooSkewed"), 2)
    );
    let seen = script.seen.lock().unwrap();
    assert_eq!(seen.dates[0], "Tue, 27 Mar 2007 18:26:40 GMT");
    assert_eq!(seen.dates[1], "Tue, 27 Mar 2007 19:36:42 GMT");
    assert_eq!(seen.dates[3], "Tue, 27 Mar 2007 20:36:42 GMT");
    assert!(seen.at.iter().all(Duration::is_zero));
}

#[tokio::test]
async fn a_refusal_without_a_body_tells_the_time_too() {
    const DATE: (&str, &str) = ("Date", "Tue, 27 Mar 2007 19:36:42 GMT");
    for (off, attempts) in [(7200, 2), (301, 2), (299, 1), (0, 1)] {
        let local = SystemTime::UNIX_EPOCH + Duration::from_secs(1_175_024_202 - off);
        let script = Script::new([Step::Answer(403, &[DATE], "")]);
        let mut builder = Dispatch::builder();
        builder.transport(script.clone());
        builder.credentials(Credentials::new("id", "topsecret"));
        builder.clock(Clock::from_fn(move || local));
        let outcome = builder.build().unwrap().call(&Toy, &Do::new(Once)).await;
        assert_eq!(script.count(), attempts, "{off} s off");
        assert_eq!(outcome.is_ok(), attempts == 2, "{off} s off");
    }
}

/// Answers two requests that a clock is wrong when both have been signed, and all others well.
#[derive(Debug)]
struct BothSkewed {
    both: Arc<Barrier>,
    count: AtomicUsize,
}

impl Transport for BothSkewed {
    fn send(&self, _: &Origin, _: Request) -> ResponseFuture {
        let early = self.count.fetch_add(1, Ordering::Relaxed) < 2;
        let both = self.both.clone();
        ResponseFuture::new(async move {
            if !early {
                return Ok(Response::new(
                    Head::new(200, []),
                    Bytes::from_static(b"done"),
                ));
            }
            both.wait().await;
            let date: (&str, &[u8]) = ("Date", b"Tue, 27 Mar 2007 19:36:42 GMT");
            let body = Bytes::from_static(SKEWED.as_bytes());
            Ok(Response::new(Head::new(403, [date]), body))
        })
    }
}

#[tokio::test]
async fn a_clock_that_another_request_has_moved_is_believed() {
    let local = SystemTime::UNIX_EPOCH + Duration::from_secs(1_175_000_000);
    let mut builder = Dispatch::builder();
    builder.transport(BothSkewed {
        both: Arc::new(Barrier::new(2)),
        count: AtomicUsize::new(0),
    });
    builder.credentials(Credentials::new("id", "topsecret"));
    builder.clock(Clock::from_fn(move || local));
    let dispatch = builder.build().unwrap();
    let op = Do::new(Once);
    let (first, second) = tokio::join!(dispatch.call(&Toy, &op), dispatch.call(&Toy, &op));
    assert_eq!(first.unwrap(), "done");
    assert_eq!(second.unwrap(), "done");
}

#[tokio::test(start_paused = true)]
async fn what_another_request_was_in_the_way_of_is_tried_again() {
    for code in ["OperationAborted", "ConditionalRequestConflict"] {
        let body: &'static str = Box::leak(format!("<Error><Code>{code}</Code></Error>").into());
        let steps = (0..3).map(|_| Step::Answer(409, &[], body)).collect();
        let (outcome, script) = run(steps, slow(), Do::new(Once)).await;
        assert_eq!((outcome.unwrap().as_str(), script.count()), ("done", 4));
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_proxy_did_not_understand_may_have_run() {
    for status in [502, 504, 520, 524, 599] {
        let step = || vec![Step::Answer(status, &[], "<html>")];
        let (outcome, _) = run(step(), slow(), Do::new(Repeatable)).await;
        assert!(outcome.is_ok(), "{status}");
        let (outcome, script) = run(step(), slow(), Do::new(Once)).await;
        assert!(outcome.unwrap_err().may_have_been_sent());
        assert_eq!(script.count(), 1, "{status}");
    }
}

#[tokio::test]
async fn foreign_error_bodies_are_no_crash() {
    for body in [
        "<html><body>502 Bad Gateway</body></html>",
        "{\"message\":\"no\"}",
        "\u{0}",
        "",
        "<Error><Code>",
        "<?xml version=\"1.0\"?><Error><Code>SlowDown</Code><Mess",
        "\u{1f}\u{8b}\u{8}\u{0}\u{0}\u{3}\u{0}",
        "<!DOCTYPE html>\r\n<html><head><title>Error</title></head>",
        "<Error><Code>a</Code></Wrong>",
    ] {
        let (outcome, _) = run(
            vec![Step::Answer(418, &[("x-amz-request-id", "r1")], body)],
            slow(),
            Do::new(Once),
        )
        .await;
        let error = outcome.unwrap_err();
        assert_eq!(
            (error.status(), error.code(), error.request_id()),
            (Some(418), None, Some("r1"))
        );
        assert!(!error.to_string().contains('\n'));
    }
}

#[tokio::test]
async fn no_secret_is_shown() {
    let script = Script::new([BUSY]);
    let dispatch = script.dispatch(RetryConfig::none());
    let error = dispatch.call(&Toy, &Do::new(Once)).await.unwrap_err();
    let shown = format!("{dispatch:?} {error:?} {error} {:?}", Dispatch::builder());
    assert!(!shown.contains("topsecret"), "{shown}");
}

#[tokio::test]
async fn a_client_needs_credentials() {
    assert_eq!(
        Dispatch::builder().build().unwrap_err().kind(),
        Kind::Invalid
    );
}

pub(crate) const EXPIRED: Step = Step::Answer(
    400,
    &[],
    "<Error><Code>ExpiredToken</Code><Message>old</Message></Error>",
);

/// Gives `k0`, `k1`, … by turns, as long as there are as many.
#[derive(Debug, Default)]
struct Turns(std::sync::atomic::AtomicUsize, usize);

impl aws_core::ProvideCredentials for Turns {
    fn provide(&self, _: SystemTime) -> aws_core::credentials::ProvideFuture<'_> {
        let turn = self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let keys = Credentials::new("id", format!("k{}", turn.min(self.1)));
        Box::pin(std::future::ready(Ok(keys.with_token("t").into())))
    }
}

fn secrets(script: &Script) -> Vec<String> {
    let seen = script.seen.lock().unwrap();
    let all = seen.headers.iter().flatten();
    all.filter(|(name, _)| name == "authorization")
        .map(|(_, value)| value.clone())
        .collect()
}

#[tokio::test(start_paused = true)]
async fn expired_keys_are_fetched_anew_once() {
    let with = |keys: usize, steps: Vec<Step>| {
        let script = Script::new(steps);
        let mut builder = Dispatch::builder();
        builder.transport(script.clone());
        builder.credentials(Turns(Default::default(), keys));
        (builder.build().unwrap(), script)
    };
    let (dispatch, script) = with(9, vec![EXPIRED]);
    let outcome = dispatch.call(&Toy, &Do::new(Once)).await;
    assert_eq!(outcome.unwrap(), "done");
    assert_eq!(secrets(&script), ["k0", "k1"]);
    // Once for each call.
    let (dispatch, script) = with(9, vec![EXPIRED, EXPIRED]);
    let error = dispatch.call(&Toy, &Do::new(Repeatable)).await.unwrap_err();
    assert_eq!(
        (error.class(), error.attempts()),
        (aws_core::Class::ExpiredToken, 2)
    );
    assert_eq!(secrets(&script), ["k0", "k1"]);
    // A source that has no others is not asked at every request.
    let (dispatch, script) = with(0, vec![EXPIRED, EXPIRED, EXPIRED]);
    assert!(dispatch.call(&Toy, &Do::new(Once)).await.is_err());
    assert!(dispatch.call(&Toy, &Do::new(Once)).await.is_err());
    assert_eq!(script.count(), 3);
    // Fixed keys stay what they are.
    let (outcome, script) = run(vec![EXPIRED], slow(), Do::new(Once)).await;
    assert!(outcome.is_err());
    assert_eq!(script.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn only_what_succeeds_at_once_refills_the_stock_of_repeats() {
    let done = || Step::Answer(200, &[], "done");
    let script = Script::new((0..40).flat_map(|_| [BUSY, done()]));
    let dispatch = script.dispatch(slow().budget(10));
    let mut repeated = 0;
    while dispatch.call(&Toy, &Do::new(Repeatable)).await.is_ok() {
        repeated += 1;
    }
    assert_eq!(repeated, 10);
}
