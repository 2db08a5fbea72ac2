//! One attempt of an operation: credentials, hooks, signature, answer.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::{Bytes, BytesMut};
use pipeline_pool::{Head, Method, Origin, Request, Sent};
use tokio::time::{Instant, timeout_at};
use tracing::Instrument as _;

use super::beside::{is_about_keys, request_id, retry_after, text_of};
use super::run::Run;
use super::verdict::{Failure, is_move};
use super::{Shared, after, trace};
use crate::body::Body;
use crate::classify::{Class, Idempotency, is_skewed};
use crate::credentials::Credentials;
use crate::envelope::ErrorBody;
use crate::error::{Error, Kind, Result, Site};
use crate::event::{AttemptEvent, AttemptStart};
use crate::operation::{Answer, Attempt, DestinationOf, Operation, Redirect, Service};
use crate::overrides::Overrides;
use crate::time::parse_http;
use crate::transport::ResponseFuture;

/// The most bytes of an error's body that are read.
pub(crate) const MAX_ERROR: usize = 64 << 10;

/// What an attempt was signed with.
pub(super) struct Signed {
    credentials: Credentials,
    now: SystemTime,
    offset_ms: i64,
    /// What the service had [learnt](Service::lesson) before.
    lesson: u64,
}

/// An attempt under way.
pub(super) struct Started {
    pub(super) signed: Signed,
    pub(super) sending: ResponseFuture,
}

/// What hooks are told of an attempt, gathered on the way.
#[derive(Default)]
struct Observed {
    method: Option<Method>,
    status: Option<u16>,
    sent: Option<u64>,
    received: Option<u64>,
    request_id: Option<String>,
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
    /// The head of an answer that sends the request elsewhere.
    moved: Option<Head>,
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self {
            error,
            server_date: None,
            offset_ms: 0,
            credentials: None,
            learnt: false,
            moved: None,
        }
    }
}

impl Failed {
    /// What the decision on it needs to know.
    pub(super) fn failure(&self) -> Failure {
        Failure {
            learnt: self.learnt,
            ..Failure::of(&self.error)
        }
    }

    /// Where the operation goes next; if nowhere, the error says why.
    pub(super) fn redirect<O: Operation>(
        &mut self,
        operation: &O,
        service: &O::Service,
        from: &Origin,
    ) -> Option<DestinationOf<O>> {
        let head = self.moved.take()?;
        let redirect = Redirect::new(from, &head, &self.error);
        match operation.redirect(service, &redirect) {
            Ok(place) => place,
            Err(why) => {
                self.error.add_hint(&why);
                None
            }
        }
    }
}

impl<O: Operation> Run<'_, O> {
    /// Begins an attempt of a client without hooks, if there are credentials at hand.
    pub(super) fn start_at_once(&self) -> Result<Option<Started>> {
        let now = self.shared().clock.now();
        let Some(credentials) = self.shared().credentials.ready(now) else {
            return Ok(None);
        };
        let signed = self.signed(credentials, now);
        let request = self.request(&signed, self.own_headers())?;
        self.count_sent();
        let sending = self.shared().transport.send(self.origin(), request);
        Ok(Some(Started { signed, sending }))
    }

    fn own_headers(&self) -> &[(String, String)] {
        let overrides = self.operation.overrides();
        overrides.map_or(&[], Overrides::headers)
    }

    fn signed(&self, credentials: Credentials, now: SystemTime) -> Signed {
        Signed {
            credentials,
            now,
            offset_ms: self.shared().clock.offset_ms(),
            lesson: self.service.lesson(self.operation.resource()),
        }
    }

    /// The request of an attempt.
    fn request(&self, signed: &Signed, headers: &[(String, String)]) -> Result<Request> {
        let operation = self.operation;
        let attempt = Attempt {
            credentials: &signed.credentials,
            now: signed.now,
            number: self.course.attempts(),
            headers,
        };
        let mut request = match &self.place {
            None => operation.request(self.service, &attempt)?,
            Some(place) => operation.request_at(self.service, &attempt, place)?,
        };
        if !self.course.expects() {
            request.expect_continue(None);
        }
        request.repeatable(operation.idempotency() == Idempotency::Repeatable);
        request.deadline(self.deadline.into_std());
        if let Some(timeout) = self.timeout() {
            request.timeout(timeout);
        } else if !operation.extra_time().is_zero() {
            // The transport's own limit is meant for what is small.
            request.timeout(self.deadline.saturating_duration_since(Instant::now()));
        }
        Ok(request)
    }

    /// The longest time of one attempt, where there is one.
    pub(super) fn timeout(&self) -> Option<Duration> {
        let timeout = self.retry().per_attempt()?;
        Some(timeout.saturating_add(self.operation.extra_time()))
    }

    /// Makes an attempt, within its span if somebody listens.
    pub(super) async fn attempt(&self) -> Result<O::Output, Failed> {
        if self.traced {
            return self.traced_attempt().await;
        }
        self.hooked_attempt(&mut Observed::default()).await
    }

    /// Makes an attempt within its span.
    async fn traced_attempt(&self) -> Result<O::Output, Failed> {
        let span = trace::attempt(self.course.attempts(), self.origin());
        let mut observed = Observed::default();
        let outcome = self
            .hooked_attempt(&mut observed)
            .instrument(span.clone())
            .await;
        for span in [&span, &trace::current()] {
            let status = observed.status;
            status.map(|status| span.record("http.response.status_code", status));
            let (sent, received) = (observed.sent, observed.received);
            sent.map(|bytes| span.record("http.request.body.size", bytes));
            received.map(|bytes| span.record("http.response.body.size", bytes));
            let id = observed.request_id.as_deref();
            id.map(|id| span.record("aws.request_id", id));
        }
        if let Err(failed) = &outcome {
            trace::failed(&span, &failed.error);
        }
        outcome
    }

    /// Makes an attempt, and tells the hooks of it.
    async fn hooked_attempt(&self, observed: &mut Observed) -> Result<O::Output, Failed> {
        let headers = self.own_headers();
        let hooks = &self.shared().hooks;
        if hooks.is_empty() {
            return self.watched(headers, observed).await;
        }
        let start = AttemptStart {
            service: O::Service::NAME,
            operation: O::NAME,
            origin: self.origin(),
            resource: self.operation.resource().map(|name| &**name),
            key: self.operation.key(),
            number: self.course.attempts(),
        };
        let headers = hooks.before(&start, headers)?;
        let (started, begun) = (SystemTime::now(), Instant::now());
        let outcome = self.watched(&headers, observed).await;
        let error = outcome.as_ref().err().map(|failed| &failed.error);
        let of_error = error.and_then(Error::request_id);
        hooks.after(&AttemptEvent {
            start,
            started,
            duration: begun.elapsed(),
            method: observed.method,
            status: observed.status,
            error,
            sent: observed.sent,
            received: observed.received,
            request_id: observed.request_id.as_deref().or(of_error),
        });
        outcome
    }

    async fn watched(
        &self,
        headers: &[(String, String)],
        observed: &mut Observed,
    ) -> Result<O::Output, Failed> {
        let shared = self.shared();
        let now = shared.clock.now();
        let credentials = match shared.credentials.ready(now) {
            Some(credentials) => credentials,
            None => shared.fetch_credentials(now, self.deadline).await?,
        };
        let signed = self.signed(credentials, now);
        let request = self.request(&signed, headers)?;
        observed.method = Some(request.method());
        observed.sent = request.body_len();
        self.count_sent();
        let sending = shared.transport.send(self.origin(), request);
        let response = if shared.keeps_deadlines {
            sending.await
        } else {
            pipeline_pool::check_timer().map_err(Error::from)?;
            let timeout = self.timeout();
            let until = timeout.map_or(self.deadline, |t| {
                self.deadline.min(after(Instant::now(), t))
            });
            within(until, sending).await
        };
        let (head, body) = response.map_err(Error::from)?.into_parts();
        self.log_answer(&head);
        observed.status = Some(head.status());
        observed.received = body.remaining();
        if self.traced || !shared.hooks.is_empty() {
            observed.request_id = request_id(&head).map(str::to_owned);
        }
        let body = self.read(&head, body).await?;
        let read = || body.as_whole().map(|bytes| bytes.len() as u64);
        observed.received = observed.received.or_else(read);
        if let (Some(element), Some(bytes)) = (O::Service::REQUEST_ID, body.as_whole())
            && observed.request_id.is_none()
            && (self.traced || !shared.hooks.is_empty())
        {
            observed.request_id = text_of(bytes, element).map(str::to_owned);
        }
        self.settle(&signed, head, body)
    }

    pub(super) fn log_answer(&self, head: &Head) {
        tracing::debug!(
            rpc.system = "aws-api",
            rpc.service = O::Service::NAME,
            rpc.method = O::NAME,
            server.address = self.origin().host(),
            server.port = self.origin().port(),
            http.response.status_code = head.status(),
            http.request.resend_count = self.course.attempts() - 1,
            "answered"
        );
    }

    /// Whether as much of a body is here as is needed to settle the attempt.
    pub(super) fn is_here(&self, head: &Head, body: &pipeline_pool::Body) -> bool {
        body.as_whole().is_some() || (O::STREAMS && self.operation.accepts(head.status()))
    }

    /// Reads as much of a body as is needed to settle the attempt. Its head is here: a failure is
    /// that of a request that was sent.
    async fn read(&self, head: &Head, body: pipeline_pool::Body) -> Result<pipeline_pool::Body> {
        if self.is_here(head, &body) {
            return Ok(body);
        }
        if !self.operation.accepts(head.status()) {
            let read = timeout_at(self.deadline, error_body(body)).await;
            return Ok(read.unwrap_or_default().into());
        }
        let read = within(self.deadline, body.bytes(self.operation.max_answer())).await;
        let bytes = read.map_err(|error| Error::from(error).after_answer())?;
        Ok(bytes.into())
    }

    pub(super) async fn read_and_settle(
        &self,
        signed: &Signed,
        head: Head,
        body: pipeline_pool::Body,
    ) -> Result<O::Output, Failed> {
        let body = self.read(&head, body).await?;
        self.settle(signed, head, body)
    }

    /// What becomes of an attempt whose answer is here.
    pub(super) fn settle(
        &self,
        signed: &Signed,
        head: Head,
        body: pipeline_pool::Body,
    ) -> Result<O::Output, Failed> {
        let (operation, status) = (self.operation, head.status());
        if !operation.accepts(status) {
            let bytes = body.as_whole().map_or(&[][..], |bytes| bytes);
            return Err(self.refused(signed, &head, &bytes[..bytes.len().min(MAX_ERROR)]));
        }
        if !O::STREAMS
            && let Some(bytes) = body.as_whole()
            && ErrorBody::begins(bytes)
        {
            return Err(self.refused(signed, &head, bytes));
        }
        // What came whole costs no allocation here, and is told its key by whoever has it (`Body::name_key`).
        let site = match body.as_whole() {
            Some(_) => Site::of(operation, self.origin()),
            None => Site::keyed(operation, self.origin(), self.shared().keys),
        };
        let answer = Answer {
            head,
            body: Body::new(body, site),
            cached: false,
        };
        let parsed = operation.parse(self.service, answer);
        parsed.map_err(|e| e.with_status(status).after_answer().into())
    }

    /// An attempt that was answered with an error.
    #[cold]
    fn refused(&self, signed: &Signed, head: &Head, bytes: &[u8]) -> Failed {
        let resource = self.operation.resource();
        let (error, learnt) = service_error(
            self.service,
            resource,
            head,
            bytes,
            signed.now,
            Some(signed.lesson),
        );
        let server_date = head.header("date").and_then(parse_http);
        let mut error = match is_skewed(head.status(), error.code(), signed.now, server_date) {
            true => error.with_class(Class::Skewed),
            false => error,
        };
        if is_about_keys(&error)
            && let Some(source) = self.shared().credentials.source_of(&signed.credentials)
        {
            error.add_hint(&format!("(The keys are those of {source}.)"));
        }
        Failed {
            error,
            server_date,
            offset_ms: signed.offset_ms,
            credentials: Some(signed.credentials.clone()),
            learnt,
            moved: is_move(head.status()).then(|| head.clone()),
        }
    }
}

impl Shared {
    /// Whether there are no hooks, and no timer is needed beside the transport's own.
    pub(super) fn is_plain(&self) -> bool {
        self.hooks.is_empty() && self.keeps_deadlines
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
        pipeline_pool::check_timer()?;
        match timeout_at(deadline, self.credentials.provide(now)).await {
            Ok(Ok(provided)) => Ok(provided.credentials),
            Ok(Err(cause)) => {
                Err(Error::new(Kind::Credentials, cause.to_string()).with_told_cause(cause))
            }
            Err(_) => {
                let text =
                    "no credentials came within the time of the operation (the setter timeout)";
                Err(Error::new(Kind::Credentials, text))
            }
        }
    }
}

type SendOutcome<T> = std::result::Result<T, pipeline_pool::Error>;

/// Ends a future at an instant with the error of a request that may have been sent.
async fn within<T>(until: Instant, future: impl Future<Output = SendOutcome<T>>) -> SendOutcome<T> {
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

/// The error of an answer, and whether the service learnt from it how to sign. It learns nothing from an answer that is
/// not one to a request which was signed at this `lesson`.
pub(crate) fn service_error<S: Service>(
    service: &S,
    resource: Option<&Arc<str>>,
    head: &Head,
    bytes: &[u8],
    now: SystemTime,
    lesson: Option<u64>,
) -> (Error, bool) {
    let mut body = service
        .parse_error(head, bytes)
        .unwrap_or_else(|| ErrorBody::of_another(bytes));
    if body.request_id.is_none() {
        body.request_id = request_id(head).map(str::to_owned);
    }
    let class = service.class(head.status(), body.code.as_deref());
    let retry_after = head.header("retry-after").and_then(|text| {
        let date = head.header("date").and_then(parse_http);
        retry_after(text, date.unwrap_or(now))
    });
    let learnt = lesson.is_some_and(|lesson| service.learn(resource, head, &mut body, lesson));
    let error = Error::service(head.status(), body, class).with_retry_after(retry_after);
    (error, learnt)
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
