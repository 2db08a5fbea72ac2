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
    Counter, CounterFn, Gauge, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder,
    SharedString, Unit,
};

type Figures = Arc<Mutex<BTreeMap<String, u64>>>;

/// Adds up counters, and the number of values of histograms, by name and labels.
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

    fn absolute(&self, _: u64) {}
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
            .filter(|label| !matches!(label.key(), "service" | "operation"))
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

    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::noop()
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
