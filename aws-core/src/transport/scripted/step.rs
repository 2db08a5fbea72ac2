//! One step of a script: what a request has to be, and what it is answered with.

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use pipeline_pool::{Body, Error, Head, Kind, Response, Sent};

use super::{ScriptedRequest, is_secret};

/// What the next request has to be, and what it is answered with: 200 without a body, unless another is said.
#[derive(Clone, Debug)]
#[must_use = "a step does nothing until it is given to a script"]
pub struct Step {
    /// The method and the target, where it matters.
    line: Option<(String, String)>,
    headers: Vec<(String, String)>,
    body: Option<Bytes>,
    body_parts: Vec<String>,
    answer: StepAnswer,
}

#[derive(Clone, Debug)]
enum StepAnswer {
    Answer {
        status: u16,
        headers: Vec<(String, String)>,
        body: Bytes,
        /// The bytes after which the body is cut.
        cut: Option<usize>,
    },
    Error(Error),
}

impl Step {
    /// Expects a request of this method, as it is written on the wire, and this target: path and query, percent-encoded.
    pub fn new(method: impl Into<String>, target: impl Into<String>) -> Self {
        Self {
            line: Some((method.into(), target.into())),
            ..Self::any()
        }
    }

    /// Expects any request.
    pub fn any() -> Self {
        Self {
            line: None,
            headers: Vec::new(),
            body: None,
            body_parts: Vec::new(),
            answer: StepAnswer::Answer {
                status: 200,
                headers: Vec::new(),
                body: Bytes::new(),
                cut: None,
            },
        }
    }

    /// Expects this header field too; its name in any case.
    pub fn with_header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Expects this body.
    pub fn with_body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = Some(body.into());
        self
    }

    /// Expects this text somewhere in the body: `Action=Select` of a request to SimpleDB, whose forms have dates and
    /// signatures in them.
    pub fn with_body_part(mut self, text: impl Into<String>) -> Self {
        self.body_parts.push(text.into());
        self
    }

    /// Answers with this status.
    pub fn answer(mut self, code: u16) -> Self {
        if let StepAnswer::Answer { status, .. } = &mut self.answer {
            *status = code;
        }
        self
    }

    /// Answers with this header field, too.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        if let StepAnswer::Answer { headers, .. } = &mut self.answer {
            headers.push((name.into(), value.into()));
        }
        self
    }

    /// Answers with this body.
    pub fn body(mut self, bytes: impl Into<Bytes>) -> Self {
        if let StepAnswer::Answer { body, .. } = &mut self.answer {
            *body = bytes.into();
        }
        self
    }

    /// Cuts the body of the answer after so many bytes, as a connection that ends does. Where `Content-Length` is not among
    /// the answer's fields, it says what was meant to come.
    pub fn cut(mut self, after: usize) -> Self {
        if let StepAnswer::Answer { cut, .. } = &mut self.answer {
            *cut = Some(after);
        }
        self
    }

    /// Fails the request with this error, in place of an answer.
    pub fn fail(mut self, error: Error) -> Self {
        self.answer = StepAnswer::Error(error);
        self
    }

    /// Compares a request with what is expected: what differs, in a sentence.
    pub(super) fn check(&self, request: &ScriptedRequest) -> Result<(), String> {
        let found = format!("{} {}", request.method, request.target);
        if let Some((method, target)) = &self.line
            && (*method != request.method || *target != request.target)
        {
            return Err(format!("the script expects {self}, and was sent {found}"));
        }
        for (name, value) in &self.headers {
            match request.header(name) {
                Some(found) if found == value => {}
                Some(_) if is_secret(name) => {
                    return Err(format!(
                        "{found} has another {name} than the script expects"
                    ));
                }
                other => {
                    let other =
                        other.map_or_else(|| "none".to_owned(), |other| format!("{other:?}"));
                    return Err(format!(
                        "the script expects {name}: {value:?} of {found}, which has {other}"
                    ));
                }
            }
        }
        if let Some(body) = &self.body
            && *body != request.body
        {
            return Err(format!(
                "the script expects another body of {found}: {} bytes, and was sent {}",
                body.len(),
                request.body.len()
            ));
        }
        let text = String::from_utf8_lossy(&request.body);
        match self
            .body_parts
            .iter()
            .find(|part| !text.contains(part.as_str()))
        {
            Some(part) => Err(format!(
                "the script expects {part:?} in the body of {found}"
            )),
            None => Ok(()),
        }
    }

    pub(super) fn respond(self) -> Result<Response, Error> {
        let (status, headers, body, cut) = match self.answer {
            StepAnswer::Error(error) => return Err(error),
            StepAnswer::Answer {
                status,
                headers,
                body,
                cut,
            } => (status, headers, body, cut),
        };
        let length = body.len().to_string();
        let mut fields: Vec<_> = headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_bytes()))
            .collect();
        let has_length = fields
            .iter()
            .any(|(name, _)| name.eq_ignore_ascii_case("content-length"));
        if !has_length {
            fields.push(("content-length", length.as_bytes()));
        }
        let head = Head::new(status, fields);
        let Some(cut) = cut else {
            return Ok(Response::new(head, body));
        };
        let start = body.slice(..cut.min(body.len()));
        let error = Error::new(Kind::Closed, "the script cuts the body here").with_sent(Sent::All);
        let pieces = ScriptedPieces([Ok(start), Err(error)].into());
        Ok(Response::new(
            head,
            Body::from_stream(Some(body.len() as u64), pieces),
        ))
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.line {
            Some((method, target)) => write!(f, "{method} {target}"),
            None => f.write_str("any request"),
        }
    }
}

/// The pieces of a body, as a stream.
struct ScriptedPieces(VecDeque<Result<Bytes, Error>>);

impl futures_core::Stream for ScriptedPieces {
    type Item = Result<Bytes, Error>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Ready(self.0.pop_front())
    }
}
