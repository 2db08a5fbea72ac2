//! A transport that answers from a script: [`Scripted`], for unit tests of programs.
//!
//! *Problem:* A program that holds a client is tested without a server, and a test has to see what would have been sent.
//! *Decision:* A script is a list of [`Step`]s, each with what the next request has to be and what it is answered with. A
//! request that is not what its step expects fails as one that cannot be sent, which no client repeats, and
//! [`Scripted::finish`] tells of it, as of steps that nothing has asked for. *Cost:* Requests have an order. A test of a
//! program that sends several at once expects any by [`Step::any`], and looks at [`Scripted::requests`] afterwards.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use pipeline_pool::{Error, Kind, Origin, Request, Response};

use super::{ResponseFuture, Transport};

mod step;

pub use self::step::Step;

/// The most bytes of a request's body that a script takes.
const BODY_MAX: usize = 1 << 30;

/// Answers requests from a script, in order, and remembers them.
///
/// An `Arc` of it goes to the client and stays with the test. The clients export it, and what it is made of, in their module
/// `transport`, where the feature `testing` is on.
#[derive(Default)]
pub struct Scripted {
    state: Arc<Mutex<Progress>>,
}

#[derive(Default)]
struct Progress {
    steps: VecDeque<Step>,
    requests: Vec<ScriptedRequest>,
    /// The first thing that was not as the script has it, in a sentence.
    wrong: Option<String>,
}

impl Scripted {
    /// Makes a script without a step.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds what comes next.
    #[must_use]
    pub fn step(self, step: Step) -> Self {
        self.lock().steps.push_back(step);
        self
    }

    /// Returns the requests so far, in the order in which they came.
    pub fn requests(&self) -> Vec<ScriptedRequest> {
        self.lock().requests.clone()
    }

    /// Says whether every request was what its step expects, and every step was asked for; a test ends with it.
    ///
    /// # Errors
    /// The first difference, in a sentence.
    pub fn finish(&self) -> Result<(), String> {
        let state = self.lock();
        match (&state.wrong, state.steps.front()) {
            (Some(wrong), _) => Err(wrong.clone()),
            (None, Some(step)) => Err(format!(
                "{} of the script's steps were not asked for; the next is {step}",
                state.steps.len()
            )),
            (None, None) => Ok(()),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Progress> {
        lock(&self.state)
    }
}

fn lock(state: &Mutex<Progress>) -> MutexGuard<'_, Progress> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Transport for Scripted {
    fn send(&self, origin: &Origin, mut request: Request) -> ResponseFuture {
        let (state, origin) = (Arc::clone(&self.state), origin.clone());
        ResponseFuture::new(async move {
            let request = ScriptedRequest::read(&origin, &mut request).await?;
            lock(&state).next(request)
        })
    }
}

impl Progress {
    /// Takes in a request: what it is answered with.
    fn next(&mut self, request: ScriptedRequest) -> Result<Response, Error> {
        let checked = match self.steps.pop_front() {
            Some(step) => step.check(&request).map(|()| step),
            None => Err(format!(
                "the script is at its end, and was sent {} {}",
                request.method, request.target
            )),
        };
        self.requests.push(request);
        match checked {
            Ok(step) => step.respond(),
            Err(wrong) => {
                self.wrong.get_or_insert_with(|| wrong.clone());
                Err(Error::new(Kind::Invalid, wrong))
            }
        }
    }
}

impl fmt::Debug for Scripted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.lock();
        f.debug_struct("Scripted")
            .field("steps", &state.steps.len())
            .field("requests", &state.requests)
            .finish_non_exhaustive()
    }
}

/// A request that a script was sent. `Debug` shows no value of a field that signs it or has a token in it.
#[derive(Clone)]
pub struct ScriptedRequest {
    /// The scheme, host and port that it was sent to, `https://host:443`.
    pub origin: String,
    /// The method, as it is written on the wire.
    pub method: String,
    /// Path and query, percent-encoded.
    pub target: String,
    /// The header fields, in the order in which they were set.
    pub headers: Vec<(String, String)>,
    /// The whole body.
    pub body: Bytes,
}

impl ScriptedRequest {
    /// Returns the value of a header field; its name in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self
            .headers
            .iter()
            .find(|(given, _)| given.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    async fn read(origin: &Origin, request: &mut Request) -> Result<Self, Error> {
        let headers = request.headers();
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned()));
        Ok(Self {
            origin: origin.to_string(),
            method: request.method().as_str().to_owned(),
            target: request.target().to_owned(),
            headers: headers.collect(),
            body: request.take_body().bytes(BODY_MAX).await?,
        })
    }
}

impl fmt::Debug for ScriptedRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |(name, value): &(String, String)| match is_secret(name) {
            true => format!("{name}: ***"),
            false => format!("{name}: {value}"),
        };
        // A query and a form may hold a signature, too.
        let path = self.target.split('?').next().unwrap_or_default();
        f.debug_struct("ScriptedRequest")
            .field("method", &self.method)
            .field("path", &path)
            .field(
                "headers",
                &self.headers.iter().map(shown).collect::<Vec<_>>(),
            )
            .field("body_len", &self.body.len())
            .finish_non_exhaustive()
    }
}

fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name == "authorization" || name.ends_with("security-token") || name.contains("customer-key")
}

#[cfg(test)]
mod tests {
    use pipeline_pool::Method;

    use super::*;

    async fn send(
        script: &Scripted,
        method: Method,
        target: &str,
        body: &'static str,
    ) -> StepResult {
        let origin = Origin::parse("http://store.example").unwrap();
        let mut request = Request::new(method, &origin, target).unwrap();
        request.header("authorization", "hunter2").unwrap();
        request.header("x-amz-security-token", "hunter2").unwrap();
        request.header("x-amz-meta-mood", "sleepy").unwrap();
        request.body(body);
        script.send(&origin, request).await
    }

    type StepResult = Result<Response, Error>;

    #[tokio::test]
    async fn steps_are_answered_in_their_order() {
        let script = Scripted::new()
            .step(Step::new("PUT", "/k").with_body("meow").answer(204))
            .step(
                Step::any()
                    .with_body_part("=Se")
                    .header("etag", "x")
                    .body("purr"),
            )
            .step(Step::any().cut(2).body("meow"))
            .step(Step::any().fail(Error::new(Kind::Busy, "full")));
        let put = send(&script, Method::Put, "/k", "meow").await.unwrap();
        assert_eq!(put.status(), 204);
        let post = send(&script, Method::Post, "/", "Action=Select")
            .await
            .unwrap();
        assert_eq!(post.header("etag"), Some("x"));
        let (_, body) = post.into_parts();
        assert_eq!(body.bytes(9).await.unwrap(), "purr");
        assert!(
            script
                .finish()
                .unwrap_err()
                .starts_with("2 of the script's steps")
        );
        let (_, body) = send(&script, Method::Get, "/k", "")
            .await
            .unwrap()
            .into_parts();
        assert_eq!(body.bytes(9).await.unwrap_err().kind(), Kind::Closed);
        let full = send(&script, Method::Get, "/k", "").await.unwrap_err();
        assert_eq!(full.kind(), Kind::Busy);
        script.finish().unwrap();
        let requests = script.requests();
        assert_eq!(requests[0].header("X-Amz-Meta-Mood"), Some("sleepy"));
        assert_eq!(
            (&*requests[1].method, &*requests[1].body),
            ("POST", &b"Action=Select"[..])
        );
        let shown = format!("{script:?} {requests:?}");
        assert!(
            shown.contains("sleepy") && !shown.contains("hunter2"),
            "{shown}"
        );
    }

    #[tokio::test]
    async fn what_is_not_as_the_script_has_it_is_told() {
        for (step, why) in [
            (
                Step::new("GET", "/k"),
                "expects GET /k, and was sent PUT /k",
            ),
            (
                Step::new("PUT", "/other"),
                "expects PUT /other, and was sent PUT /k",
            ),
            (
                Step::any().with_header("x", "y"),
                "expects x: \"y\" of PUT /k, which has none",
            ),
            (
                Step::any().with_header("x-amz-meta-mood", "y"),
                "which has \"sleepy\"",
            ),
            (
                Step::any().with_header("Authorization", "hunter3"),
                "has another Authorization",
            ),
            (
                Step::any().with_body("purr"),
                "expects another body of PUT /k",
            ),
            (
                Step::any().with_body_part("purr"),
                "expects \"purr\" in the body",
            ),
        ] {
            let script = Scripted::new().step(step);
            let error = send(&script, Method::Put, "/k", "meow").await.unwrap_err();
            assert_eq!(error.kind(), Kind::Invalid);
            let told = script.finish().unwrap_err();
            assert!(told.contains(why) && !told.contains("hunter"), "{told}");
            // The first difference stays.
            send(&script, Method::Put, "/k", "meow").await.unwrap_err();
            assert_eq!(script.finish().unwrap_err(), told);
        }
        let script = Scripted::new();
        send(&script, Method::Get, "/k", "").await.unwrap_err();
        assert!(script.finish().unwrap_err().contains("is at its end"));
    }
}
