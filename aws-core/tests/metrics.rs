//! What operations count, and that each is counted once however it ends.

#![allow(
    clippy::unwrap_used,
    reason = "this is test code outside of a test function"
)]

#[allow(dead_code, reason = "it is for other tests too")]
mod common;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use aws_core::Idempotency::Repeatable;
use aws_core::{Overrides, RetryConfig};
use common::{Do, Script, Step, Toy};
use metrics::{
    Counter, CounterFn, Gauge, GaugeFn, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder,
    SharedString, Unit,
};
use pipeline_pool::{HttpPool, Method, Origin, Request};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

type Figures = Arc<Mutex<BTreeMap<String, u64>>>;

/// Adds up counters, and the number of values of histograms, by name and labels; gauges and absolute counters have their
/// last value.
#[derive(Default)]
struct Sums(Figures);

struct Sum(Figures, String);

impl Sum {
    fn add(&self, value: u64) {
        *self.0.lock().unwrap().entry(self.1.clone()).or_default() += value;
    }
}

impl CounterFn for Sum {
    fn increment(&self, value: u64) {
        self.add(value);
    }

    fn absolute(&self, value: u64) {
        self.0.lock().unwrap().insert(self.1.clone(), value);
    }
}

impl GaugeFn for Sum {
    fn increment(&self, value: f64) {
        self.add(value as u64);
    }

    fn decrement(&self, _: f64) {}

    fn set(&self, value: f64) {
        CounterFn::absolute(self, value as u64);
    }
}

impl HistogramFn for Sum {
    fn record(&self, _: f64) {
        self.add(1);
    }
}

impl Sums {
    fn sum(&self, key: &Key) -> Arc<Sum> {
        let labels: Vec<String> = key
            .labels()
            .filter(|label| !matches!(label.key(), "service" | "operation" | "origin"))
            .map(|label| format!(" {}={}", label.key(), label.value()))
            .collect();
        let short = key.name().trim_start_matches("aws_client_");
        Arc::new(Sum(self.0.clone(), format!("{short}{}", labels.concat())))
    }
}

impl Recorder for Sums {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.sum(key))
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(self.sum(key))
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::from_arc(self.sum(key))
    }
}

/// What this counts.
fn counted<F: Future<Output = ()>>(run: impl FnOnce() -> F) -> Vec<(String, u64)> {
    let sums = Sums::default();
    metrics::with_local_recorder(&sums, || {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_all().start_paused(true).build().unwrap();
        runtime.block_on(async { run().await });
    });
    let figures = sums.0.lock().unwrap();
    figures.iter().map(|(name, n)| (name.clone(), *n)).collect()
}

fn quick() -> RetryConfig {
    RetryConfig::new().random(|| 0.0).max_attempts(3)
}

fn figures(of: &[(&str, u64)]) -> Vec<(String, u64)> {
    of.iter()
        .map(|(name, n)| ((*name).to_owned(), *n))
        .collect()
}

const BUSY: &str = "<Error><Code>ServiceUnavailable</Code></Error>";

#[test]
fn an_operation_that_succeeds_at_once_is_counted() {
    let found = counted(|| async {
        let dispatch = Script::new([]).dispatch(quick());
        let done = dispatch.call(&Toy, &Do::new(Repeatable)).await;
        assert_eq!(done.unwrap(), "done");
    });
    let expected = figures(&[
        ("attempts_total", 1),
        ("operation_seconds", 1),
        ("operations_total outcome=ok", 1),
    ]);
    assert_eq!(found, expected);
}

#[test]
fn an_operation_is_counted_once_and_its_retries_apart() {
    let found = counted(|| async {
        let script = Script::new([Step::Answer(503, &[], BUSY), Step::Answer(503, &[], BUSY)]);
        let dispatch = script.dispatch(quick());
        let done = dispatch.call(&Toy, &Do::new(Repeatable)).await;
        assert_eq!(done.unwrap(), "done");
    });
    let expected = figures(&[
        ("attempts_total", 3),
        ("errors_total class=unavailable", 2),
        ("operation_seconds", 1),
        ("operations_total outcome=ok", 1),
        ("retries_total", 2),
    ]);
    assert_eq!(found, expected);
}

#[test]
fn an_error_is_counted_by_its_class() {
    let found = counted(|| async {
        let missing = "<Error><Code>NoSuchThing</Code></Error>";
        let script = Script::new([Step::Answer(404, &[], missing)]);
        let dispatch = script.dispatch(quick());
        let done = dispatch.call(&Toy, &Do::new(Repeatable)).await;
        assert!(done.unwrap_err().is_not_found());
        // What is refused before it is begun is no operation.
        let mut operation = Do::new(Repeatable);
        operation.overrides = Overrides::default();
        operation.overrides.timeout(std::time::Duration::ZERO);
        let refused = dispatch.call(&Toy, &operation).await;
        assert!(!refused.unwrap_err().may_have_been_sent());
    });
    let expected = figures(&[
        ("attempts_total", 1),
        ("errors_total class=not_found", 1),
        ("operation_seconds", 1),
        ("operations_total outcome=not_found", 1),
    ]);
    assert_eq!(found, expected);
}

#[test]
fn an_operation_that_is_dropped_is_counted_as_that() {
    let found = counted(|| async {
        let dispatch = Script::new([Step::Never]).dispatch(quick());
        let operation = Do::new(Repeatable);
        // One that was never polled is none.
        drop(dispatch.call(&Toy, &operation));
        let second = std::time::Duration::from_secs(1);
        let late = tokio::time::timeout(second, dispatch.call(&Toy, &operation));
        assert!(late.await.is_err());
    });
    let expected = figures(&[
        ("attempts_total", 1),
        ("operations_total outcome=dropped", 1),
    ]);
    assert_eq!(found, expected);
}

const ANSWER: &str = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone";

/// Answers this many requests of one connection, and closes it.
async fn serve(listener: TcpListener, requests: usize) {
    let (mut socket, _) = listener.accept().await.unwrap();
    for _ in 0..requests {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(socket.read_u8().await.unwrap());
        }
        socket.write_all(ANSWER.as_bytes()).await.unwrap();
    }
    // Until the client has read them, too.
    let _ended = socket.read(&mut [0]).await;
}

#[test]
fn what_a_pool_has_done_is_told_as_it_is() {
    let sums = Sums::default();
    metrics::with_local_recorder(&sums, || {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let origin =
                Origin::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
            tokio::spawn(serve(listener, 3));
            let pool = HttpPool::builder().build();
            for _ in 0..3 {
                let request = Request::new(Method::Get, &origin, "/").unwrap();
                pool.send(&origin, request).await.unwrap();
            }
            aws_core::metrics::record_pool(&pool);
            aws_core::metrics::record_cost("Toy", "Do", 2.0);
            aws_core::metrics::record_cost("Toy", "Do", 3.0);
        });
    });
    let figures = sums.0.lock().unwrap();
    let sent = figures["aws_pool_sent_bytes_total"];
    assert!(sent > 3 * 16 && sent % 3 == 0, "{sent}");
    for (name, value) in [
        ("aws_pool_connections", 1),
        ("aws_pool_idle_connections", 1),
        ("aws_pool_waiting", 0),
        ("aws_pool_opened_total", 1),
        ("aws_pool_open_failed_total", 0),
        ("aws_pool_replies_total", 3),
        ("aws_pool_refused_total", 0),
        ("aws_pool_replays_total", 0),
        ("aws_pool_received_bytes_total", 3 * ANSWER.len() as u64),
        ("cost", 5),
    ] {
        assert_eq!(figures.get(name), Some(&value), "{name}: {figures:?}");
    }
    assert!(figures["aws_pool_depth"] >= 1, "{figures:?}");
}
