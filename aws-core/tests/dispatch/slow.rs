//! How a client slows down.

#![allow(
    clippy::unwrap_used,
    reason = "this is test code outside of a test function"
)]

use std::sync::Arc;
use std::time::Duration;

use aws_core::Idempotency::Repeatable;
use aws_core::transport::{ResponseFuture, Transport};
use aws_core::{Credentials, Dispatch, RetryConfig};
use bytes::Bytes;
use pipeline_pool::{Head, Kind as Pool, Origin, Request, Response, Sent};
use std::sync::Mutex;
use tokio::time::{Instant, timeout};

use crate::common::{Do, Script, Step, Toy};
use crate::{BUSY, SLOW_DOWN};

/// A server that takes so many requests a second and refuses the others.
#[derive(Clone, Debug)]
struct Limited {
    rate: f64,
    keeps_deadlines: bool,
    state: Arc<Mutex<(f64, Instant, usize, usize)>>,
}

impl Limited {
    fn new(rate: f64, keeps_deadlines: bool) -> Self {
        let state = (rate, Instant::now(), 0, 0);
        let state = Arc::new(Mutex::new(state));
        Self {
            rate,
            keeps_deadlines,
            state,
        }
    }
}

impl Transport for Limited {
    fn send(&self, _: &Origin, _: Request) -> ResponseFuture {
        let (tokens, last, taken, refused) = &mut *self.state.lock().unwrap();
        let now = Instant::now();
        *tokens = (*tokens + (now - *last).as_secs_f64() * self.rate).min(self.rate / 10.0);
        *last = now;
        let (status, body) = if *tokens >= 1.0 {
            *tokens -= 1.0;
            *taken += 1;
            (200, "done")
        } else {
            *refused += 1;
            (503, "<Error><Code>SlowDown</Code></Error>")
        };
        let answer = Response::new(Head::new(status, []), Bytes::from_static(body.as_bytes()));
        ResponseFuture::new(async move {
            tokio::time::sleep(Duration::from_millis(10)).await;
            Ok(answer)
        })
    }

    fn keeps_deadlines(&self) -> bool {
        self.keeps_deadlines
    }
}

/// How many requests the server took and refused in so many seconds of 50 busy tasks.
async fn load(retry: RetryConfig, seconds: u64, keeps_deadlines: bool) -> (usize, usize) {
    let server = Limited::new(200.0, keeps_deadlines);
    let mut builder = Dispatch::builder();
    builder.transport(server.clone());
    builder.credentials(Credentials::new("id", "topsecret"));
    builder.retry(retry.budget(0));
    let dispatch = builder.build().unwrap();
    let end = Instant::now() + Duration::from_secs(seconds);
    let tasks: Vec<_> = (0..50)
        .map(|_| {
            let dispatch = dispatch.clone();
            tokio::spawn(async move {
                while Instant::now() < end {
                    let _refused_at_last = dispatch.call(&Toy, &Do::new(Repeatable)).await;
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let state = server.state.lock().unwrap();
    (state.2, state.3)
}

#[tokio::test(start_paused = true)]
async fn tasks_of_a_client_slow_down_together() {
    for keeps_deadlines in [true, false] {
        let (taken, refused) = load(RetryConfig::new(), 20, keeps_deadlines).await;
        let what = format!("keeps deadlines: {keeps_deadlines}, {taken} taken, {refused} refused");
        // 4,000 could have been taken.
        assert!(taken > 3000 && refused * 10 < taken, "{what}");
        let (taken, refused) = load(RetryConfig::new().adaptive(false), 2, keeps_deadlines).await;
        assert!(refused * 4 > taken, "{what}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_turn_of_a_first_attempt_is_waited_for() {
    let script = Script::new((0..400).map(|_| SLOW_DOWN));
    let dispatch = script.dispatch(RetryConfig::new().random(|| 1.0).budget(0));
    let calls = (0..400).map(|_| {
        let dispatch = dispatch.clone();
        tokio::spawn(async move { dispatch.call(&Toy, &Do::new(Repeatable)).await })
    });
    let mut late = 0;
    for call in calls.collect::<Vec<_>>() {
        let outcome = call.await.unwrap();
        late += usize::from(outcome.is_err_and(|error| error.kind() == aws_core::Kind::Busy));
    }
    let sent = script.count();
    assert!(late > 0 && sent < 400, "{late} late, {sent} sent");
}

/// What came of a minute of 200 busy tasks that want their answers within a quarter or all of a second.
#[derive(Debug, Default)]
struct Outcome {
    /// Answers of the server by the second.
    served: Vec<u32>,
    succeeded: u32,
    /// Requests that were sent and not answered in time, by what the client says.
    lost: u32,
}

async fn impatient(limit: Duration, outside: bool) -> Outcome {
    // The client's own timers end what is late.
    let server = Limited::new(200.0, false);
    let mut builder = Dispatch::builder();
    builder.transport(server.clone());
    builder.credentials(Credentials::new("id", "topsecret"));
    builder.retry(RetryConfig::new().budget(0));
    let dispatch = builder.build().unwrap();
    let end = Instant::now() + Duration::from_secs(60);
    let outcome = Arc::new(Mutex::new(Outcome::default()));
    for _ in 0..200 {
        let (dispatch, outcome) = (dispatch.clone(), outcome.clone());
        tokio::spawn(async move {
            let mut op = Do::new(Repeatable);
            if !outside {
                op.overrides.timeout(limit);
            }
            while Instant::now() < end {
                let called = timeout(limit, dispatch.call(&Toy, &op)).await;
                let failed = {
                    let mut outcome = outcome.lock().unwrap();
                    match &called {
                        Ok(Ok(_)) => outcome.succeeded += 1,
                        Ok(Err(error)) if error.is_timeout() && error.may_have_been_sent() => {
                            outcome.lost += 1;
                        }
                        _ => {}
                    }
                    called.is_err() || called.is_ok_and(|called| called.is_err())
                };
                if failed && !outside {
                    tokio::time::sleep(limit / 4).await;
                }
            }
        });
    }
    for _ in 0..60 {
        let before = server.state.lock().unwrap().2;
        tokio::time::sleep(Duration::from_secs(1)).await;
        let now = server.state.lock().unwrap().2;
        outcome.lock().unwrap().served.push((now - before) as u32);
    }
    let mut outcome = outcome.lock().unwrap();
    std::mem::take(&mut *outcome)
}

#[tokio::test(start_paused = true)]
async fn callers_who_give_up_get_what_the_server_gives() {
    for limit in [250, 1000].map(Duration::from_millis) {
        for outside in [true, false] {
            let outcome = impatient(limit, outside).await;
            let what = format!("{limit:?}, outside: {outside}: {outcome:?}");
            // 200 a second, of which the client may leave a tenth; the first ten seconds are for finding out.
            let last: u32 = outcome.served[10..].iter().sum();
            assert!(last > 9000, "{what}");
            assert!(outcome.succeeded > 10_500, "{what}");
            assert!(outcome.lost < 120, "{what}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_turn_that_is_too_late_is_an_error_that_was_not_sent() {
    let script = Script::new((0..40).map(|_| SLOW_DOWN));
    let dispatch = script.dispatch(RetryConfig::none());
    let mut op = Do::new(Repeatable);
    op.overrides.timeout(Duration::from_millis(100));
    let mut sent = true;
    for _ in 0..20 {
        sent &= dispatch
            .call(&Toy, &op)
            .await
            .unwrap_err()
            .may_have_been_sent();
    }
    assert!(!sent);
    let count = script.count();
    assert!(count < 10, "{count}");
    let start = Instant::now();
    let error = dispatch.call(&Toy, &op).await.unwrap_err();
    assert!(error.kind() == aws_core::Kind::Busy && error.is_throttled());
    assert!(start.elapsed().is_zero());
    // With more time it waits for its turn.
    op.overrides.timeout(Duration::from_secs(5));
    assert!(dispatch.call(&Toy, &op).await.unwrap_err().is_throttled());
    assert_eq!(script.count(), count + 1);
}

#[tokio::test(start_paused = true)]
async fn retry_after_may_be_a_date() {
    const LATER: &[(&str, &str)] = &[
        ("Date", "Tue, 27 Mar 2007 19:36:42 GMT"),
        ("Retry-After", "Tue, 27 Mar 2007 19:36:47 GMT"),
    ];
    const PAST: &[(&str, &str)] = &[
        ("Date", "Tue, 27 Mar 2007 19:36:42 GMT"),
        ("Retry-After", "Tue, 27 Mar 2007 19:36:12 GMT"),
    ];
    const NONSENSE: &[(&str, &str)] = &[("Retry-After", "soon")];
    for (fields, pause) in [(LATER, 5000), (PAST, 0), (NONSENSE, 0)] {
        let script = Script::new([Step::Answer(503, fields, "")]);
        let dispatch = script.dispatch(RetryConfig::new().random(|| 0.0));
        dispatch.call(&Toy, &Do::new(Repeatable)).await.unwrap();
        assert_eq!(script.seen.lock().unwrap().at[1].as_millis(), pause);
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_slower_after_a_few_refusals() {
    let script = Script::new([BUSY]);
    let dispatch = script.dispatch(RetryConfig::new().random(|| 0.0));
    let start = Instant::now();
    for _ in 0..4 {
        dispatch.call(&Toy, &Do::new(Repeatable)).await.unwrap();
    }
    assert!(start.elapsed() <= Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn what_refuses_no_request_slows_nothing_down() {
    let failures = [
        || Step::Lost(Pool::Closed, Sent::All),
        || Step::Lost(Pool::Connect, Sent::No),
        || Step::Answer(404, &[], ""),
        || Step::Answer(500, &[], ""),
    ];
    for failure in failures {
        let script = Script::new((0..40).map(|_| failure()));
        let dispatch = script.dispatch(RetryConfig::none());
        let start = Instant::now();
        for _ in 0..40 {
            let failed = dispatch.call(&Toy, &Do::new(Repeatable)).await;
            assert!(failed.is_err());
        }
        assert!(start.elapsed().is_zero() && script.count() == 40);
    }
}
