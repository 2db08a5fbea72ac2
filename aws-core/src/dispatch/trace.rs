//! The spans of an operation and of its attempts.
//!
//! ```text
//!  S3.GetObject                the operation: bucket, signature, attempts, outcome, bytes, whether a cache answered it
//!   ├── attempt                one sending: server, status, error, the service's identifier of the request
//!   │    └── http.client.request    the pool's: method, server, status
//!   └── attempt                a retry
//! ```
//!
//! *Problem:* Who looks on from outside wants to know what each operation did, and who does not must pay nothing for it.
//! *Decision:* Spans are of the level `DEBUG`, with the names of
//! [OpenTelemetry](https://opentelemetry.io/docs/specs/semconv/cloud-providers/aws-sdk/) where it has one. Whether any
//! subscriber listens at that level is one number of the process, which is read at the begin of an operation; only then
//! does the operation take the way through here, in a future of its own on the heap. *Cost:* Without a subscriber, no
//! allocation, and some 180 of 20,700 instructions of a GET of the S3 client. With one, an allocation and two spans for
//! each operation.

use tracing::level_filters::LevelFilter;
use tracing::{Instrument as _, Span, field};

use crate::error::{Error, Result};
use crate::operation::{Operation, Service, SpanStart};
use crate::visibility::KeyVisibility;

/// Whether any subscriber may listen to the spans of operations.
pub(crate) fn listens() -> bool {
    LevelFilter::current() >= LevelFilter::DEBUG
}

/// The span of an operation that begins now.
pub(crate) fn span_of<O: Operation>(
    service: &O::Service,
    operation: &O,
    keys: KeyVisibility,
) -> Span {
    let resource = operation.resource();
    service.span(&SpanStart {
        service: O::Service::NAME,
        operation: O::NAME,
        resource: resource.map(|name| &**name),
        key: operation.key().filter(|_| keys.in_spans()),
        signature: service.signature(resource),
    })
}

/// The name of the span of an operation, for subscribers that do not know `otel.name`.
const NAME: &str = "operation";

/// A field that such a span has, whatever its service, and one of the caller's that is called the same has not.
const FIELD: &str = "rpc.method";

/// The span of the operation that goes on here; a span without fields where that is turned off, and another one, for
/// example the caller's, is around.
pub(crate) fn current() -> Span {
    let span = Span::current();
    match span.metadata() {
        Some(own) if own.name() == NAME && own.fields().field(FIELD).is_some() => span,
        _ => Span::none(),
    }
}

/// The span of an operation; the caller may drop that before it ends.
struct TracedCourse {
    span: Span,
    ended: bool,
}

impl Drop for TracedCourse {
    fn drop(&mut self) {
        if !self.ended {
            self.span.record("outcome", "dropped");
        }
    }
}

/// Runs an operation within its span, and notes there how it ended.
pub(crate) async fn within<T>(span: Span, operation: impl Future<Output = Result<T>>) -> Result<T> {
    let mut course = TracedCourse { span, ended: false };
    let outcome = operation.instrument(course.span.clone()).await;
    course.ended = true;
    let span = &course.span;
    match &outcome {
        Ok(_) => drop(span.record("outcome", "ok")),
        Err(error) => {
            span.record("outcome", "error");
            failed(span, error);
        }
    }
    outcome
}

/// The span of the attempt of this number.
pub(super) fn attempt(number: u32, origin: &pipeline_pool::Origin) -> Span {
    tracing::debug_span!(
        "attempt",
        http.request.resend_count = number.saturating_sub(1),
        server.address = origin.host(),
        server.port = origin.port(),
        http.response.status_code = field::Empty,
        http.request.body.size = field::Empty,
        http.response.body.size = field::Empty,
        aws.request_id = field::Empty,
        error.type = field::Empty,
        otel.status_code = field::Empty,
    )
}

/// Notes in a span that it ended with this error. Its text is left out, since it may name a key.
pub(super) fn failed(span: &Span, error: &Error) {
    match (error.code(), error.status()) {
        (Some(code), _) => span.record("error.type", code),
        (None, Some(status)) => span.record("error.type", field::display(status)),
        (None, None) => span.record("error.type", field::debug(error.kind())),
    };
    span.record("otel.status_code", "ERROR");
    if let Some(status) = error.status() {
        span.record("http.response.status_code", status);
    }
    if let Some(id) = error.request_id() {
        span.record("aws.request_id", id);
    }
}
