//! What the dispatcher tells a tracing subscriber: a process of its own, as other tests that log at the same time
//! without a subscriber would decide for all what is listened to.

#![allow(
    clippy::unwrap_used,
    reason = "this is test code outside of a test function"
)]

#[allow(dead_code, reason = "it is for other tests too")]
mod common;

use std::fmt::{Debug, Write as _};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_core::Idempotency::Repeatable;
use aws_core::{Kind, RetryConfig};
use common::{Do, Script, Step, Toy};
use pipeline_pool::{Kind as Pool, Sent};
use tracing::field::{Empty, Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Instrument as _, Metadata, Subscriber};
use tracing_subscriber::Registry;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};
use tracing_subscriber::registry::LookupSpan;

/// Writes down the fields of all spans and events, each line after the name of its span.
#[derive(Clone, Default)]
struct Heard(Arc<Mutex<String>>);

impl Heard {
    fn take(&self) -> String {
        std::mem::take(&mut self.0.lock().unwrap())
    }

    fn note<S: Subscriber + for<'a> LookupSpan<'a>>(
        &self,
        id: &Id,
        context: &Context<'_, S>,
    ) -> FieldsOf {
        FieldsOf {
            name: context.span(id).unwrap().name(),
            heard: self.clone(),
        }
    }
}

/// The fields of one span or event.
struct FieldsOf {
    name: &'static str,
    heard: Heard,
}

impl Visit for FieldsOf {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let mut text = self.heard.0.lock().unwrap();
        writeln!(text, "{}: {} = {value:?}", self.name, field.name()).unwrap();
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Heard {
    fn on_new_span(&self, span: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        span.record(&mut self.note(id, &context));
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        values.record(&mut self.note(id, &context));
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        event.record(&mut FieldsOf {
            name: "event",
            heard: self.clone(),
        });
    }
}

fn retry() -> RetryConfig {
    RetryConfig::new().random(|| 0.0)
}

/// The lines are among what was heard, in this order.
#[track_caller]
fn check(text: &str, lines: &[&str]) {
    let mut heard = text.lines();
    for line in lines {
        let found = heard.any(|one| one == *line);
        assert!(found, "{line} is not there, or too early, in:\n{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn operations_and_attempts_are_told() {
    let heard = Heard::default();
    let _guard = tracing::subscriber::set_default(Registry::default().with(heard.clone()));
    one_that_succeeds(&heard).await;
    ones_that_fail(&heard).await;
    one_that_is_dropped(&heard).await;
    one_that_is_refused_before_it_is_sent(&heard).await;
    the_callers_span_is_left_alone(&heard).await;
}

async fn one_that_succeeds(heard: &Heard) {
    let busy = Step::Answer(
        503,
        &[("x-amz-request-id", "first")],
        "<Error><Code>Busy</Code><Message>m</Message></Error>",
    );
    let done = Step::Answer(200, &[("x-amzn-requestid", "second")], "four");
    let script = Script::new([busy, done]);
    let (dispatch, wanted) = (script.dispatch(retry()), Do::new(Repeatable));
    assert_eq!(dispatch.call(&Toy, &wanted).await.unwrap(), "four");
    let text = heard.take();
    check(
        &text,
        &[
            "operation: otel.name = Toy.Do",
            "attempt: http.request.resend_count = 0",
            "attempt: server.address = \"toy.example\"",
            "attempt: server.port = 81",
            "event: http.response.status_code = 503",
            "event: http.request.resend_count = 0",
            "attempt: http.response.status_code = 503",
            "attempt: aws.request_id = \"first\"",
            "operation: http.response.status_code = 503",
            "operation: aws.request_id = \"first\"",
            "attempt: error.type = \"Busy\"",
            "attempt: otel.status_code = \"ERROR\"",
            "event: http.request.resend_count = 0",
            "event: error.type = \"Busy\"",
            "attempt: http.request.resend_count = 1",
            "event: http.response.status_code = 200",
            "event: http.request.resend_count = 1",
            "attempt: http.response.status_code = 200",
            "attempt: http.request.body.size = 0",
            "attempt: http.response.body.size = 4",
            "attempt: aws.request_id = \"second\"",
            "operation: http.response.status_code = 200",
            "operation: http.response.body.size = 4",
            "operation: aws.request_id = \"second\"",
            "operation: attempts = 2",
            "operation: outcome = \"ok\"",
        ],
    );
    assert_eq!(text.matches("outcome = ").count(), 1, "{text}");
    assert!(!text.contains("operation: error.type"), "{text}");
    assert!(!text.contains("topsecret"), "{text}");
}

async fn ones_that_fail(heard: &Heard) {
    for (step, kind, told) in [
        (
            Step::Answer(404, &[], "<Error><Code>NoSuchKey</Code></Error>"),
            Kind::Service,
            [
                "error.type = \"NoSuchKey\"",
                "http.response.status_code = 404",
            ],
        ),
        (
            Step::Answer(418, &[], ""),
            Kind::Service,
            ["error.type = 418", "http.response.status_code = 418"],
        ),
        (
            Step::Lost(Pool::Closed, Sent::All),
            Kind::Closed,
            ["error.type = Closed", "otel.status_code = \"ERROR\""],
        ),
    ] {
        let script = Script::new([step]);
        let dispatch = script.dispatch(retry().max_attempts(1));
        let failed = dispatch.call(&Toy, &Do::new(Repeatable)).await;
        assert_eq!(failed.unwrap_err().kind(), kind);
        let text = heard.take();
        check(
            &text,
            &["operation: attempts = 1", "operation: outcome = \"error\""],
        );
        for told in told {
            for span in ["attempt", "operation"] {
                check(&text, &[&format!("{span}: {told}")]);
            }
        }
        assert_eq!(text.matches("outcome = ").count(), 1, "{text}");
    }
}

async fn one_that_is_dropped(heard: &Heard) {
    let dispatch = Script::new([Step::Never]).dispatch(retry());
    let wanted = Do::new(Repeatable);
    let called = dispatch.call(&Toy, &wanted);
    let late = tokio::time::timeout(Duration::from_secs(1), called).await;
    late.unwrap_err();
    let text = heard.take();
    check(&text, &["operation: outcome = \"dropped\""]);
    assert_eq!(text.matches("outcome = ").count(), 1, "{text}");
}

/// Where the spans of operations are turned off, nothing is noted in a caller's span, though it has the same name or the
/// same field.
async fn one_that_is_refused_before_it_is_sent(heard: &Heard) {
    let mut wanted = Do::new(Repeatable);
    wanted.overrides.timeout(Duration::ZERO);
    let dispatch = Script::new([]).dispatch(retry());
    let refused = dispatch.call(&Toy, &wanted).await.unwrap_err();
    assert_eq!(refused.kind(), Kind::Invalid);
    let text = heard.take();
    let lines = [
        "operation: otel.name = Toy.Do",
        "operation: outcome = \"error\"",
    ];
    check(&text, &lines);
}

async fn the_callers_span_is_left_alone(heard: &Heard) {
    let ours = |metadata: &Metadata<'_>| metadata.module_path() == Some("aws_core::operation");
    let others = filter_fn(move |metadata| !ours(metadata));
    let layer = heard.clone().with_filter(others);
    let _guard = tracing::subscriber::set_default(Registry::default().with(layer));
    for caller in [
        tracing::debug_span!(
            "caller",
            rpc.method = "Up",
            attempts = Empty,
            outcome = Empty
        ),
        tracing::debug_span!("operation", attempts = Empty, outcome = Empty),
    ] {
        let dispatch = Script::new([]).dispatch(retry());
        let wanted = Do::new(Repeatable);
        let called = dispatch.call(&Toy, &wanted).instrument(caller);
        called.await.unwrap();
        let text = heard.take();
        check(&text, &["attempt: http.response.status_code = 200"]);
        for field in ["attempts = ", "outcome = "] {
            assert!(!text.contains(field), "{text}");
        }
    }
}
