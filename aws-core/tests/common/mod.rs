//! A service with one operation, and a transport that plays a script.

#![allow(
    clippy::unwrap_used,
    reason = "this is test code outside of a test function"
)]

use std::collections::VecDeque;
use std::future::pending;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_core::operation::{Answer, Attempt, Redirect};
use aws_core::transport::{ResponseFuture, Transport};
use aws_core::{
    Credentials, Dispatch, Idempotency, Operation, Overrides, Result, RetryConfig, Service,
};
use bytes::Bytes;
use pipeline_pool::{Body, Head, Kind, Method, Origin, Request, Response, Sent};
use tokio::time::Instant;

#[derive(Debug)]
pub(crate) struct Toy;

impl Service for Toy {
    const NAME: &'static str = "Toy";
    type Destination = Origin;
}

pub(crate) struct Do {
    pub(crate) origin: Origin,
    pub(crate) idempotency: Idempotency,
    pub(crate) overrides: Overrides,
    /// Where it may be sent on to, if that is what an answer says.
    pub(crate) follows: Option<&'static str>,
    /// There is nothing left of it to send a second time.
    pub(crate) consumed: bool,
    /// How long its body waits for the server to want it.
    pub(crate) expect: Option<Duration>,
}

impl Do {
    pub(crate) fn new(idempotency: Idempotency) -> Self {
        Self {
            origin: Origin::parse("http://toy.example:81").unwrap(),
            idempotency,
            overrides: Overrides::default(),
            follows: None,
            consumed: false,
            expect: None,
        }
    }
}

impl Operation for Do {
    type Service = Toy;
    type Output = String;
    const NAME: &'static str = "Do";

    fn idempotency(&self) -> Idempotency {
        self.idempotency
    }

    fn origin(&self) -> &Origin {
        &self.origin
    }

    fn overrides(&self) -> Option<&Overrides> {
        Some(&self.overrides)
    }

    fn resource(&self) -> Option<&Arc<str>> {
        None
    }

    fn can_repeat(&self) -> bool {
        !self.consumed
    }

    fn key(&self) -> Option<&str> {
        Some("the key")
    }

    fn redirect(
        &self,
        _: &Toy,
        redirect: &Redirect<'_>,
    ) -> std::result::Result<Option<Origin>, String> {
        let Some(location) = redirect.field("location") else {
            return Ok(None);
        };
        if self.follows != Some(location) {
            return Err(format!("it is sent to {location}, which is not followed"));
        }
        Ok(Some(Origin::parse(location).unwrap()))
    }

    fn request(&self, service: &Toy, attempt: &Attempt<'_>) -> Result<Request> {
        self.request_at(service, attempt, &self.origin)
    }

    fn request_at(&self, _: &Toy, attempt: &Attempt<'_>, origin: &Origin) -> Result<Request> {
        let mut request = Request::new(Method::Post, origin, "/")?;
        request.header("date", attempt.http_date().as_ref())?;
        request.header("authorization", attempt.credentials().secret_key())?;
        request.header("x-number", &attempt.number().to_string())?;
        for (name, value) in attempt.headers() {
            request.header(name, value)?;
        }
        request.expect_continue(self.expect);
        Ok(request)
    }

    fn parse(&self, _: &Toy, answer: Answer) -> Result<String> {
        Ok(String::from_utf8_lossy(&answer.bytes()).into_owned())
    }
}

pub(crate) enum Step {
    Answer(u16, &'static [(&'static str, &'static str)], &'static str),
    /// The head comes, the body never ends.
    Stuck(u16),
    /// The head comes and then this failure, of which the transport does not say that anything was sent.
    Cut(Kind),
    Lost(Kind, Sent),
    Never,
}

#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) at: Vec<Duration>,
    pub(crate) dates: Vec<String>,
    pub(crate) repeatable: Vec<bool>,
    pub(crate) expects: Vec<bool>,
    pub(crate) headers: Vec<Vec<(String, String)>>,
    pub(crate) origins: Vec<String>,
}

/// Answers requests by its script, then with 200. It keeps deadlines as the pool does, unless it has a [`Step::Never`].
#[derive(Clone)]
pub(crate) struct Script {
    steps: Arc<Mutex<VecDeque<Step>>>,
    pub(crate) seen: Arc<Mutex<Seen>>,
    start: Instant,
}

impl std::fmt::Debug for Script {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Script")
    }
}

impl Script {
    pub(crate) fn new(steps: impl IntoIterator<Item = Step>) -> Self {
        Self {
            steps: Arc::new(Mutex::new(steps.into_iter().collect())),
            seen: Arc::default(),
            start: Instant::now(),
        }
    }

    pub(crate) fn count(&self) -> usize {
        self.seen.lock().unwrap().at.len()
    }

    pub(crate) fn dispatch(&self, retry: RetryConfig) -> Dispatch {
        let mut builder = Dispatch::builder();
        builder.transport(self.clone());
        builder.credentials(Credentials::new("id", "topsecret"));
        builder.retry(retry);
        builder.timeout(Duration::from_secs(10));
        builder.build().unwrap()
    }
}

impl Transport for Script {
    fn send(&self, origin: &Origin, request: Request) -> ResponseFuture {
        let date = request
            .headers()
            .find(|(name, _)| *name == "date")
            .map(|(_, v)| v.to_owned());
        let mut seen = self.seen.lock().unwrap();
        seen.at.push(self.start.elapsed());
        seen.dates.extend(date);
        let headers = request.headers();
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned()));
        seen.headers.push(headers.collect());
        seen.origins.push(origin.to_string());
        seen.repeatable.push(request.is_repeatable());
        seen.expects.push(request.expects_continue().is_some());
        let step = self.steps.lock().unwrap().pop_front();
        match step.unwrap_or(Step::Answer(200, &[], "done")) {
            Step::Answer(status, headers, body) => {
                let head = Head::new(status, headers.iter().map(|(n, v)| (*n, v.as_bytes())));
                ResponseFuture::ready(Ok(Response::new(head, Bytes::from_static(body.as_bytes()))))
            }
            Step::Stuck(status) => {
                let body = Body::from_stream(None, futures_util::stream::pending());
                ResponseFuture::ready(Ok(Response::new(Head::new(status, []), body)))
            }
            Step::Cut(kind) => {
                let cut = futures_util::stream::iter([Err(pipeline_pool::Error::new(kind, "cut"))]);
                let body = Body::from_stream(None, cut);
                ResponseFuture::ready(Ok(Response::new(Head::new(200, []), body)))
            }
            Step::Lost(kind, sent) => {
                ResponseFuture::ready(Err(pipeline_pool::Error::new(kind, "lost").with_sent(sent)))
            }
            Step::Never => ResponseFuture::new(pending()),
        }
    }

    fn keeps_deadlines(&self) -> bool {
        let steps = self.steps.lock().unwrap();
        !steps.iter().any(|step| matches!(step, Step::Never))
    }
}
