//! The one loop that every operation goes through: credentials, sign, send, classify, again or done.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::{Bytes, BytesMut};
use pipeline_pool::{Head, HttpPool, Sent};
use tokio::time::{Instant, timeout_at};

use crate::body::Body;
use crate::classify::{Failure, Idempotency, Verdict, classify};
use crate::clock::Clock;
use crate::credentials::{Cached, Credentials, ProvideCredentials};
use crate::envelope::ErrorBody;
use crate::error::{Error, Kind, Result, Site};
use crate::operation::{Answer, Attempt, MAX_ANSWER, Operation, Service};
use crate::overrides::Overrides;
use crate::retry::{Budget, RetryConfig};
use crate::time::parse_http;
use crate::transport::Transport;

/// The most bytes of an error's body that are read.
const MAX_ERROR: usize = 64 << 10;

/// How often an operation is tried again because its service learnt how to sign it.
const MAX_LESSONS: u32 = 2;

/// Builds a [`Dispatch`]; the builders of the clients hold one.
#[derive(Debug)]
pub struct DispatchBuilder {
    transport: Option<Arc<dyn Transport>>,
    credentials: Option<Arc<dyn ProvideCredentials>>,
    retry: RetryConfig,
    timeout: Duration,
    clock: Clock,
}

impl DispatchBuilder {
    /// Carries requests over this. Defaults to an [`HttpPool`] of its own.
    pub fn transport(&mut self, transport: impl Transport + 'static) {
        self.transport = Some(Arc::new(transport));
    }

    /// Signs with the keys of this provider, which are kept as [`Cached`] says. Has no default.
    pub fn credentials(&mut self, provider: impl ProvideCredentials + 'static) {
        self.credentials = Some(Arc::new(Cached::new(provider)));
    }

    /// Repeats failed attempts in this way.
    pub fn retry(&mut self, retry: RetryConfig) {
        self.retry = retry;
    }

    /// The longest time of one operation, all its attempts and pauses included, up to the head of its answer,
    /// or the end of it where it is read whole. Defaults to 30 s.
    pub fn timeout(&mut self, timeout: Duration) {
        self.timeout = timeout;
    }

    /// Tells the time by this clock. Defaults to the system's.
    pub fn clock(&mut self, clock: Clock) {
        self.clock = clock;
    }

    /// The dispatcher.
    ///
    /// # Errors
    /// [`Kind::Invalid`] when there is no provider of credentials or the timeout is zero.
    pub fn build(self) -> Result<Dispatch> {
        let Some(credentials) = self.credentials else {
            return Err(Error::invalid(
                "no credentials are set: give the builder some",
            ));
        };
        if self.timeout.is_zero() {
            return Err(Error::invalid("the timeout is zero"));
        }
        let transport = self
            .transport
            .unwrap_or_else(|| Arc::new(HttpPool::builder().build()) as Arc<dyn Transport>);
        Ok(Dispatch(Arc::new(Shared {
            keeps_deadlines: transport.keeps_deadlines(),
            transport,
            credentials,
            budget: self.retry.new_budget(),
            retry: self.retry,
            timeout: self.timeout,
            clock: self.clock,
        })))
    }
}

/// Runs operations; cheap to clone.
#[derive(Clone)]
pub struct Dispatch(Arc<Shared>);

struct Shared {
    transport: Arc<dyn Transport>,
    keeps_deadlines: bool,
    credentials: Arc<dyn ProvideCredentials>,
    retry: RetryConfig,
    budget: Budget,
    timeout: Duration,
    clock: Clock,
}

impl Dispatch {
    /// A builder with the defaults.
    pub fn builder() -> DispatchBuilder {
        DispatchBuilder {
            transport: None,
            credentials: None,
            retry: RetryConfig::default(),
            timeout: Duration::from_secs(30),
            clock: Clock::system(),
        }
    }

    /// The clock, with what servers said of it.
    pub fn clock(&self) -> &Clock {
        &self.0.clock
    }

    /// The credentials and the time by the server's clock that a request would be signed with now: for links and
    /// forms, which are signed and not sent.
    ///
    /// # Errors
    /// [`Kind::Credentials`] when there are none, or none in the time of an operation.
    pub async fn signing(&self) -> Result<(Credentials, SystemTime)> {
        let now = self.0.clock.now();
        let deadline = Instant::now() + self.0.timeout;
        let credentials = match self.0.credentials.ready(now) {
            Some(credentials) => credentials,
            None => self.0.fetch_credentials(now, deadline).await?,
        };
        Ok((credentials, now))
    }

    /// Runs an operation to its end: as many attempts as are allowed and make sense, within one deadline.
    ///
    /// # Errors
    /// The last attempt's, with the number of attempts and how much of any of them was sent.
    pub async fn call<O: Operation>(
        &self,
        service: &O::Service,
        operation: &O,
    ) -> Result<O::Output> {
        let shared = &*self.0;
        let overrides = operation.overrides();
        if let Some(overrides) = overrides {
            overrides
                .check()
                .map_err(|error| error.with_site(|| site(operation)))?;
        }
        let timeout = overrides.and_then(Overrides::get_timeout);
        let usual = || shared.timeout + operation.extra_time();
        let deadline = Instant::now() + timeout.unwrap_or_else(usual);
        let retry = overrides
            .and_then(Overrides::get_retry)
            .unwrap_or(&shared.retry);
        let idempotency = operation.idempotency();
        let mut number = 0;
        let mut sent = Sent::No;
        let mut clock_corrected = false;
        let mut renewed = false;
        let mut lessons = 0;
        loop {
            number += 1;
            let outcome = shared
                .attempt(service, operation, retry, number, deadline)
                .await;
            let mut error = match outcome {
                Ok(output) => {
                    if number == 1 {
                        shared.budget.give_back();
                    }
                    return Ok(output);
                }
                Err(error) => error,
            };
            sent = sent.max(error.error.sent());
            log_failure::<O>(number, &error.error);
            let pause = match classify(Failure::of(&error.error), idempotency) {
                _ if !operation.can_repeat() => None,
                _ if error.learnt && lessons < MAX_LESSONS => {
                    lessons += 1;
                    Some(Duration::ZERO)
                }
                Verdict::CorrectClock if !clock_corrected => {
                    clock_corrected = true;
                    let server = error.server_date.take();
                    let moved = server.is_some_and(|date| shared.clock.correct(date));
                    // Another request may have moved the clock meanwhile. Some services have one code for a
                    // request and for a token that has expired.
                    let moved = moved || shared.clock.offset_ms() != error.offset_ms;
                    (moved || shared.renew(&error)).then_some(Duration::ZERO)
                }
                Verdict::Renew if !renewed => {
                    renewed = true;
                    shared.renew(&error).then_some(Duration::ZERO)
                }
                Verdict::Retry if number < retry.attempts() => {
                    let pause = retry.pause(number, error.error.retry_after());
                    let fits = Instant::now() + pause < deadline;
                    (fits && shared.budget.take()).then_some(pause)
                }
                _ => None,
            };
            match pause {
                None => {
                    return Err(error
                        .error
                        .with_attempts(number, sent)
                        .with_site(|| site(operation)));
                }
                Some(Duration::ZERO) => {}
                Some(pause) => tokio::time::sleep(pause).await,
            }
        }
    }
}

/// An attempt that failed, and what the server said of the time.
struct Failed {
    error: Error,
    server_date: Option<SystemTime>,
    offset_ms: i64,
    /// What the attempt was signed with, when a server has answered it.
    credentials: Option<Credentials>,
    /// Whether the service learnt from it how to sign.
    learnt: bool,
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self {
            error,
            server_date: None,
            offset_ms: 0,
            credentials: None,
            learnt: false,
        }
    }
}

impl Shared {
    async fn attempt<O: Operation>(
        &self,
        service: &O::Service,
        operation: &O,
        retry: &RetryConfig,
        number: u32,
        deadline: Instant,
    ) -> Result<O::Output, Failed> {
        let now = self.clock.now();
        let offset_ms = self.clock.offset_ms();
        let credentials = match self.credentials.ready(now) {
            Some(credentials) => credentials,
            None => self.fetch_credentials(now, deadline).await?,
        };
        let attempt = Attempt {
            credentials: &credentials,
            now,
            number,
            headers: operation.overrides().map_or(&[], Overrides::headers),
        };
        let mut request = operation.request(service, &attempt)?;
        request.repeatable(operation.idempotency() == Idempotency::Repeatable);
        request.deadline(deadline.into_std());
        let extra = operation.extra_time();
        let per_attempt = retry.per_attempt().map(|timeout| timeout + extra);
        if let Some(timeout) = per_attempt {
            request.timeout(timeout);
        } else if !extra.is_zero() {
            // The transport's own limit is meant for what is small.
            request.timeout(deadline.saturating_duration_since(Instant::now()));
        }
        let sending = self.transport.send(operation.origin(), request);
        let response = if self.keeps_deadlines {
            sending.await
        } else {
            let until = per_attempt.map_or(deadline, |t| deadline.min(Instant::now() + t));
            within(until, sending).await
        };
        let (head, body) = response.map_err(Error::from)?.into_parts();
        let status = head.status();
        tracing::debug!(
            rpc.system = "aws-api",
            rpc.service = O::Service::NAME,
            rpc.method = O::NAME,
            server.address = operation.origin().host(),
            server.port = operation.origin().port(),
            http.response.status_code = status,
            http.request.resend_count = number - 1,
            "answered"
        );
        if !operation.accepts(status) {
            let bytes = timeout_at(deadline, error_body(body))
                .await
                .unwrap_or_default();
            let resource = operation.resource();
            let (error, learnt) = service_error(service, resource, &head, &bytes);
            let server_date = head.header("date").and_then(parse_http);
            return Err(Failed {
                error,
                server_date,
                offset_ms,
                credentials: Some(credentials),
                learnt,
            });
        }
        let body = if O::STREAMS || body.as_whole().is_some() {
            body
        } else {
            within(deadline, body.bytes(MAX_ANSWER))
                .await
                .map_err(Error::from)?
                .into()
        };
        let answer = Answer {
            head,
            body: Body::new(body, site(operation)),
        };
        operation
            .parse(service, answer)
            .map_err(|e| e.with_status(status).into())
    }

    /// Has the credentials of a failed attempt fetched anew, if their provider can.
    fn renew(&self, failed: &Failed) -> bool {
        let used = failed.credentials.as_ref();
        used.is_some_and(|used| self.credentials.forget(used, self.clock.now()))
    }

    async fn fetch_credentials(&self, now: SystemTime, deadline: Instant) -> Result<Credentials> {
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

fn service_error<S: Service>(
    service: &S,
    resource: Option<&Arc<str>>,
    head: &Head,
    bytes: &[u8],
) -> (Error, bool) {
    let mut body = service
        .parse_error(head, bytes)
        .unwrap_or_else(|| ErrorBody {
            message: foreign_text(bytes),
            ..ErrorBody::default()
        });
    if body.request_id.is_none() {
        let names = ["x-amz-request-id", "x-amzn-requestid"];
        body.request_id = names
            .iter()
            .find_map(|name| head.header(name))
            .map(str::to_owned);
    }
    let class = service.class(head.status(), body.code.as_deref());
    let retry_after = head
        .header("retry-after")
        .and_then(|v| v.parse().ok())
        .map(Duration::from_secs);
    let learnt = service.learn(resource, head, &mut body);
    let error = Error::service(head.status(), body, class).with_retry_after(retry_after);
    (error, learnt)
}

/// What a body that is no service's error can contribute to one line: its beginning, if it is text.
fn foreign_text(bytes: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(bytes).ok()?.trim();
    let short: String = text.chars().take(80).collect();
    (!short.is_empty()).then(|| format!("an answer that is no error of the service: {short:?}"))
}

fn site<O: Operation>(operation: &O) -> Site {
    Site {
        service: O::Service::NAME,
        operation: O::NAME,
        origin: operation.origin().clone(),
        resource: operation.resource().cloned(),
    }
}

fn log_failure<O: Operation>(number: u32, error: &Error) {
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

impl fmt::Debug for Dispatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dispatch")
            .field("transport", &self.0.transport)
            .field("retry", &self.0.retry)
            .field("timeout", &self.0.timeout)
            .field("clock", &self.0.clock)
            .finish_non_exhaustive()
    }
}
