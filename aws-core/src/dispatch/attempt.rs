//! One attempt of an operation: credentials, hooks, signature, answer.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::{Bytes, BytesMut};
use pipeline_pool::{Head, Method, Origin, Sent};
use tokio::time::{Instant, timeout_at};

use super::{Shared, after};
use crate::body::Body;
use crate::classify::Idempotency;
use crate::credentials::Credentials;
use crate::endpoint::Place;
use crate::envelope::ErrorBody;
use crate::error::{Error, Kind, Result, Site};
use crate::event::{AttemptEvent, AttemptStart};
use crate::operation::{Answer, Attempt, MAX_ANSWER, Operation, Redirect, Service};
use crate::overrides::Overrides;
use crate::retry::RetryConfig;
use crate::time::parse_http;

/// The most bytes of an error's body that are read.
const MAX_ERROR: usize = 64 << 10;

/// What is the same for all of an attempt.
pub(super) struct Course<'a> {
    pub(super) retry: &'a RetryConfig,
    pub(super) number: u32,
    pub(super) deadline: Instant,
    /// Whether a large body may wait until the server wants it.
    pub(super) expect: bool,
    /// Where it goes, if not where the operation says.
    pub(super) place: Option<&'a Place>,
}

/// What hooks hear of an attempt, gathered on the way.
#[derive(Default)]
struct Trail {
    wanted: bool,
    method: Option<Method>,
    status: Option<u16>,
    sent: Option<u64>,
    received: Option<u64>,
    request_id: Option<String>,
}

impl<'a> Course<'a> {
    fn origin<O: Operation>(&self, operation: &'a O) -> &'a Origin {
        self.place.map_or(operation.origin(), |place| &place.origin)
    }
}

/// An attempt that failed, and what the server said of the time.
pub(super) struct Failed {
    pub(super) error: Error,
    pub(super) server_date: Option<SystemTime>,
    pub(super) offset_ms: i64,
    /// What the attempt was signed with, when a server has answered it.
    credentials: Option<Credentials>,
    /// Whether the service learnt from it how to sign.
    pub(super) learnt: bool,
    /// What an answer said of another place.
    pub(super) redirect: Option<Moved>,
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self {
            error,
            server_date: None,
            offset_ms: 0,
            credentials: None,
            learnt: false,
            redirect: None,
        }
    }
}

/// What an answer says of where a request belongs.
pub(super) struct Moved {
    status: u16,
    location: Option<String>,
    region: Option<String>,
}

impl Moved {
    fn of(head: &Head) -> Option<Self> {
        let status = head.status();
        let text = |name| head.header(name).map(str::to_owned);
        matches!(status, 301 | 307 | 308).then(|| Self {
            status,
            location: text("location"),
            region: text("x-amz-bucket-region"),
        })
    }
}

impl Failed {
    /// Where the operation goes next; if nowhere, the error says why.
    pub(super) fn redirect<O: Operation>(
        &mut self,
        operation: &O,
        service: &O::Service,
        from: &Origin,
    ) -> Option<Place> {
        let moved = self.redirect.take()?;
        let redirect = Redirect {
            from,
            status: moved.status,
            location: moved.location.as_deref(),
            region: moved.region.as_deref().or(self.error.detail("Region")),
            endpoint: self.error.detail("Endpoint"),
        };
        match operation.redirect(service, &redirect) {
            Ok(place) => place,
            Err(why) => {
                self.error.add_hint(&why);
                None
            }
        }
    }
}

impl Shared {
    /// Makes an attempt, and tells the hooks of it.
    pub(super) async fn attempt<O: Operation>(
        &self,
        service: &O::Service,
        operation: &O,
        course: &Course<'_>,
    ) -> Result<O::Output, Failed> {
        let headers = operation.overrides().map_or(&[][..], Overrides::headers);
        let mut trail = Trail::default();
        if self.hooks.is_empty() {
            return self
                .run(service, operation, course, headers, &mut trail)
                .await;
        }
        trail.wanted = true;
        let start = AttemptStart {
            service: O::Service::NAME,
            operation: O::NAME,
            origin: course.origin(operation),
            resource: operation.resource().map(|name| &**name),
            key: operation.key(),
            number: course.number,
        };
        let headers = self.hooks.before(&start, headers)?;
        let (started, begun) = (SystemTime::now(), Instant::now());
        let outcome = self
            .run(service, operation, course, &headers, &mut trail)
            .await;
        let error = outcome.as_ref().err().map(|failed| &failed.error);
        let of_error = error.and_then(Error::request_id);
        self.hooks.after(&AttemptEvent {
            start,
            started,
            duration: begun.elapsed(),
            method: trail.method,
            status: trail.status,
            error,
            sent: trail.sent,
            received: trail.received,
            request_id: trail.request_id.as_deref().or(of_error),
        });
        outcome
    }

    async fn run<O: Operation>(
        &self,
        service: &O::Service,
        operation: &O,
        course: &Course<'_>,
        headers: &[(String, String)],
        trail: &mut Trail,
    ) -> Result<O::Output, Failed> {
        let deadline = course.deadline;
        let now = self.clock.now();
        let offset_ms = self.clock.offset_ms();
        let credentials = match self.credentials.ready(now) {
            Some(credentials) => credentials,
            None => self.fetch_credentials(now, deadline).await?,
        };
        let attempt = Attempt {
            credentials: &credentials,
            now,
            number: course.number,
            headers,
            place: course.place,
        };
        let mut request = operation.request(service, &attempt)?;
        trail.method = Some(request.method());
        trail.sent = request.body_len();
        if !course.expect {
            request.expect_continue(None);
        }
        request.repeatable(operation.idempotency() == Idempotency::Repeatable);
        request.deadline(deadline.into_std());
        let extra = operation.extra_time();
        let per_attempt = course.retry.per_attempt().map(|t| t.saturating_add(extra));
        if let Some(timeout) = per_attempt {
            request.timeout(timeout);
        } else if !extra.is_zero() {
            // The transport's own limit is meant for what is small.
            request.timeout(deadline.saturating_duration_since(Instant::now()));
        }
        let origin = course.origin(operation);
        let sending = self.transport.send(origin, request);
        let response = if self.keeps_deadlines {
            sending.await
        } else {
            let until = per_attempt.map_or(deadline, |t| deadline.min(after(Instant::now(), t)));
            within(until, sending).await
        };
        let (head, body) = response.map_err(Error::from)?.into_parts();
        let status = head.status();
        trail.status = Some(status);
        trail.received = body.remaining();
        if trail.wanted {
            trail.request_id = request_id(&head).map(str::to_owned);
        }
        tracing::debug!(
            rpc.system = "aws-api",
            rpc.service = O::Service::NAME,
            rpc.method = O::NAME,
            server.address = origin.host(),
            server.port = origin.port(),
            http.response.status_code = status,
            http.request.resend_count = course.number - 1,
            "answered"
        );
        let failed = |bytes: &[u8]| {
            let resource = operation.resource();
            let (error, learnt) = service_error(service, resource, &head, bytes, now);
            Failed {
                error,
                server_date: head.header("date").and_then(parse_http),
                offset_ms,
                credentials: Some(credentials.clone()),
                learnt,
                redirect: Moved::of(&head),
            }
        };
        if !operation.accepts(status) {
            let bytes = timeout_at(deadline, error_body(body))
                .await
                .unwrap_or_default();
            trail.received = trail.received.or(Some(bytes.len() as u64));
            return Err(failed(&bytes));
        }
        let body = if O::STREAMS || body.as_whole().is_some() {
            body
        } else {
            within(deadline, body.bytes(MAX_ANSWER))
                .await
                .map_err(Error::from)?
                .into()
        };
        if !O::STREAMS
            && let Some(bytes) = body.as_whole()
        {
            trail.received = Some(bytes.len() as u64);
            if ErrorBody::begins(bytes) {
                return Err(failed(bytes));
            }
        }
        let answer = Answer {
            head,
            body: Body::new(body, site(operation, origin)),
            cached: false,
        };
        operation
            .parse(service, answer)
            .map_err(|e| e.with_status(status).into())
    }

    /// Has the credentials of a failed attempt fetched anew, if their provider can.
    pub(super) fn renew(&self, failed: &Failed) -> bool {
        let used = failed.credentials.as_ref();
        used.is_some_and(|used| self.credentials.forget(used, self.clock.now()))
    }

    pub(super) async fn fetch_credentials(
        &self,
        now: SystemTime,
        deadline: Instant,
    ) -> Result<Credentials> {
        match timeout_at(deadline, self.credentials.provide(now)).await {
            Ok(Ok(provided)) => Ok(provided.credentials),
            Ok(Err(cause)) => {
                Err(Error::new(Kind::Credentials, cause.to_string()).with_source(cause))
            }
            Err(_) => Err(Error::new(Kind::Credentials, "no credentials came in time")),
        }
    }
}

type Outcome<T> = std::result::Result<T, pipeline_pool::Error>;

/// Ends a future at an instant with the error of a request that may have been sent.
async fn within<T>(until: Instant, future: impl Future<Output = Outcome<T>>) -> Outcome<T> {
    timeout_at(until, future).await.unwrap_or_else(|_| {
        let late = pipeline_pool::Error::new(pipeline_pool::Kind::Timeout, "no answer in time");
        Err(late.with_sent(Sent::All))
    })
}

/// The start of an error's body: as much as can be read, up to a bound.
async fn error_body(mut body: pipeline_pool::Body) -> Bytes {
    if let Some(whole) = body.as_whole() {
        return whole.slice(..whole.len().min(MAX_ERROR));
    }
    let mut all = BytesMut::new();
    while let Some(Ok(piece)) = body.chunk().await {
        let room = MAX_ERROR - all.len();
        all.extend_from_slice(&piece[..piece.len().min(room)]);
        if piece.len() >= room {
            break;
        }
    }
    all.freeze()
}

pub(crate) fn service_error<S: Service>(
    service: &S,
    resource: Option<&Arc<str>>,
    head: &Head,
    bytes: &[u8],
    now: SystemTime,
) -> (Error, bool) {
    let mut body = service
        .parse_error(head, bytes)
        .unwrap_or_else(|| ErrorBody {
            message: foreign_text(bytes),
            ..ErrorBody::default()
        });
    if body.request_id.is_none() {
        body.request_id = request_id(head).map(str::to_owned);
    }
    let class = service.class(head.status(), body.code.as_deref());
    let retry_after = head.header("retry-after").and_then(|text| {
        let date = head.header("date").and_then(parse_http);
        retry_after(text, date.unwrap_or(now))
    });
    let learnt = service.learn(resource, head, &mut body);
    let error = Error::service(head.status(), body, class).with_retry_after(retry_after);
    (error, learnt)
}

fn request_id(head: &Head) -> Option<&str> {
    let names = ["x-amz-request-id", "x-amzn-requestid"];
    names.iter().find_map(|name| head.header(name))
}

/// How long `Retry-After` asks to wait, by the clock of the server that sent it: it is seconds or a date
/// ([RFC 9110, 10.2.3](https://www.rfc-editor.org/rfc/rfc9110#section-10.2.3)).
fn retry_after(text: &str, now: SystemTime) -> Option<Duration> {
    let text = text.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = parse_http(text)?;
    Some(date.duration_since(now).unwrap_or_default())
}

/// What a body that is no service's error can contribute to one line: its beginning, if it is text.
fn foreign_text(bytes: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(bytes).ok()?.trim();
    let short: String = text.chars().take(80).collect();
    (!short.is_empty()).then(|| format!("an answer that is no error of the service: {short:?}"))
}

pub(crate) fn site<O: Operation>(operation: &O, origin: &Origin) -> Site {
    Site {
        service: O::Service::NAME,
        operation: O::NAME,
        origin: origin.clone(),
        resource: operation.resource().cloned(),
    }
}

pub(super) fn log_failure<O: Operation>(number: u32, error: &Error) {
    tracing::debug!(
        rpc.system = "aws-api",
        rpc.service = O::Service::NAME,
        rpc.method = O::NAME,
        http.request.resend_count = number - 1,
        "error.type" = error.code().unwrap_or("transport"),
        aws.request_id = error.request_id(),
        "failed: {error}"
    );
}
