//! What can go wrong with an operation, and what a caller can decide on.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use pipeline_pool::{Origin, Sent};

use crate::classify::{Class, class_of};
use crate::envelope::ErrorBody;

/// The result of an operation.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What kind of failure it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// The request or a setting is not legal, and nothing was sent: a bad bucket name, a value over its limit.
    Invalid,
    /// There are no credentials, or they could not be read or fetched.
    Credentials,
    /// The pool's waiting line is full, or no connection became free in time.
    Busy,
    /// No connection could be opened: name resolution, TCP or TLS failed.
    Connect,
    /// No whole answer came within the time allowed.
    Timeout,
    /// The connection ended before the whole answer had come.
    Closed,
    /// The answer breaks HTTP, or its body is not what the operation answers with.
    Protocol,
    /// The request's own body failed while it was read.
    Body,
    /// A file of this machine could not be read or written.
    File,
    /// The pool has been closed, or there is no runtime to work on.
    Shutdown,
    /// The service answered with an error: see [`Error::code`] and [`Error::status`].
    Service,
}

/// Why an operation failed.
///
/// `Display` is one line that names operation, server, bucket or domain, and what happened. Its wording may
/// change; decide on [`kind`](Self::kind), [`code`](Self::code) and the `is_…` methods. Neither `Display` nor
/// `Debug` shows a secret, a signature or a body.
///
/// ```
/// use aws_core::{Error, Kind};
///
/// fn advice(error: &Error) -> &'static str {
///     match error.kind() {
///         Kind::Service if error.is_not_found() => "it is not there",
///         Kind::Service if error.is_condition_failed() => "somebody was quicker",
///         Kind::Service if error.code() == Some("AccessDenied") => "these keys may not do it",
///         Kind::Invalid => "the request is wrong, and was not sent",
///         _ if error.is_timeout() || error.is_throttled() => "try again later",
///         _ if error.may_have_been_sent() => "it may have been done",
///         _ => "it was not done",
///     }
/// }
/// assert_eq!(advice(&Error::invalid("the key is empty")), "the request is wrong, and was not sent");
/// ```
#[derive(Clone)]
pub struct Error(Box<Inner>);

#[derive(Clone)]
struct Inner {
    kind: Kind,
    site: Option<Site>,
    message: String,
    status: Option<u16>,
    body: ErrorBody,
    class: Class,
    attempts: u32,
    sent: Sent,
    timed_out: bool,
    retry_after: Option<Duration>,
    source: Option<Arc<dyn StdError + Send + Sync>>,
}

/// Which operation, where, on what.
#[derive(Clone, Debug)]
pub(crate) struct Site {
    pub(crate) service: &'static str,
    pub(crate) operation: &'static str,
    pub(crate) origin: Origin,
    pub(crate) resource: Option<Arc<str>>,
}

impl Error {
    /// An error of this kind; `message` is a short sentence for a person, without secrets.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            kind,
            site: None,
            message: message.into(),
            status: None,
            body: ErrorBody::default(),
            class: Class::Other,
            attempts: 0,
            sent: Sent::No,
            timed_out: kind == Kind::Timeout,
            retry_after: None,
            source: None,
        }))
    }

    /// A request or setting that is not legal: nothing is sent.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(Kind::Invalid, message)
    }

    /// An answer that is not what it should be.
    pub fn protocol(message: impl Into<String>) -> Self {
        let mut error = Self::new(Kind::Protocol, message);
        error.0.sent = Sent::All;
        error
    }

    /// The error that a service answered with.
    pub fn service(status: u16, body: ErrorBody, class: Option<Class>) -> Self {
        let class = class.unwrap_or_else(|| class_of(status, body.code.as_deref()));
        let mut error = Self::new(Kind::Service, "");
        let inner = &mut *error.0;
        inner.status = Some(status);
        inner.class = class;
        inner.body = body;
        inner.sent = Sent::All;
        error
    }

    /// The same error with its cause.
    #[must_use]
    pub fn with_source(mut self, source: impl StdError + Send + Sync + 'static) -> Self {
        self.0.source = Some(Arc::new(source));
        self
    }

    pub(crate) fn with_site(mut self, site: impl FnOnce() -> Site) -> Self {
        if self.0.site.is_none() {
            self.0.site = Some(site());
        }
        self
    }

    pub(crate) fn with_attempts(mut self, attempts: u32, sent: Sent) -> Self {
        self.0.attempts = attempts;
        self.0.sent = self.0.sent.max(sent);
        self
    }

    /// The same error for a request whose answer had begun: it was sent, whatever went wrong then.
    pub(crate) fn after_answer(mut self) -> Self {
        self.0.sent = Sent::All;
        self
    }

    pub(crate) fn with_class(mut self, class: Class) -> Self {
        self.0.class = class;
        self
    }

    pub(crate) fn with_status(mut self, status: u16) -> Self {
        self.0.status = Some(status);
        self
    }

    pub(crate) fn with_retry_after(mut self, wait: Option<Duration>) -> Self {
        self.0.retry_after = wait;
        self
    }

    /// Adds a sentence to what the service said.
    pub(crate) fn add_hint(&mut self, hint: &str) {
        let said = self.message();
        let gap = if said.is_empty() { "" } else { "; " };
        let message = format!("{said}{gap}{hint}");
        self.0.body.message = Some(message);
    }

    pub(crate) fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    pub(crate) fn sent(&self) -> Sent {
        self.0.sent
    }

    /// What kind of failure it is.
    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// The code of the service's error, for example `NoSuchKey`; nothing when it gave none (an answer to HEAD).
    pub fn code(&self) -> Option<&str> {
        self.0.body.code.as_deref()
    }

    /// The service's own words, or what this library has to say.
    pub fn message(&self) -> &str {
        self.0.body.message.as_deref().unwrap_or(&self.0.message)
    }

    /// The HTTP status of the answer, when there was one.
    pub fn status(&self) -> Option<u16> {
        self.0.status
    }

    /// The service's identifier of the request: what its operator asks for.
    pub fn request_id(&self) -> Option<&str> {
        self.0.body.request_id.as_deref()
    }

    /// Another field of the service's error, by its element name, if the service
    /// [keeps](crate::Service::ERROR_DETAILS) it: for example `Region`.
    pub fn detail(&self, name: &str) -> Option<&str> {
        self.0.body.detail(name)
    }

    /// How many times the request was tried; 0 when it was refused before the first. What the pool replays by
    /// itself is not counted.
    pub fn attempts(&self) -> u32 {
        self.0.attempts
    }

    /// Whether a server may have seen any part of any attempt: if not, the operation has surely not run.
    pub fn may_have_been_sent(&self) -> bool {
        self.0.sent != Sent::No
    }

    /// What the service's error means.
    pub fn class(&self) -> Class {
        self.0.class
    }

    /// The name of the operation that failed, for example `GetObject`.
    pub fn operation(&self) -> Option<&'static str> {
        self.0.site.as_ref().map(|s| s.operation)
    }

    /// The bucket or domain it was about.
    pub fn resource(&self) -> Option<&str> {
        self.0.site.as_ref()?.resource.as_deref()
    }

    /// Whether the thing asked for is not there (status 404 or a code that says so).
    #[doc(alias("404", "NoSuchKey"))]
    pub fn is_not_found(&self) -> bool {
        self.0.class == Class::NotFound
    }

    /// Whether a condition of the request did not hold (status 412, or a code that says so).
    #[doc(alias("is_precondition_failed", "412"))]
    pub fn is_condition_failed(&self) -> bool {
        self.0.class == Class::ConditionFailed
    }

    /// Whether the service asked for fewer requests: this one was refused, or had no turn in time.
    pub fn is_throttled(&self) -> bool {
        matches!(self.0.class, Class::Throttled | Class::Unavailable)
    }

    /// Whether time ran out, waiting for a connection or for the answer.
    pub fn is_timeout(&self) -> bool {
        self.0.timed_out
    }
}

impl From<pipeline_pool::Error> for Error {
    fn from(cause: pipeline_pool::Error) -> Self {
        use pipeline_pool::Kind as Pool;
        let kind = match cause.kind() {
            Pool::Invalid => Kind::Invalid,
            Pool::Busy | Pool::WaitTimeout => Kind::Busy,
            Pool::Connect => Kind::Connect,
            Pool::Timeout => Kind::Timeout,
            Pool::Closed => Kind::Closed,
            Pool::Body => Kind::Body,
            Pool::Shutdown | Pool::NoRuntime => Kind::Shutdown,
            _ => Kind::Protocol,
        };
        let mut error = Self::new(kind, cause.to_string());
        error.0.sent = cause.sent();
        error.0.timed_out = matches!(cause.kind(), Pool::Timeout | Pool::WaitTimeout);
        error.0.source = Some(Arc::new(cause));
        error
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = &*self.0;
        if let Some(site) = &inner.site {
            write!(f, "{} {} at {}", site.service, site.operation, site.origin)?;
            if let Some(resource) = &site.resource {
                write!(f, " on {}", OneLine(resource))?;
            }
            f.write_str(": ")?;
        }
        let mut gap = "";
        if let Some(status) = inner.status {
            write!(f, "{status}")?;
            gap = " ";
        }
        if let Some(code) = &inner.body.code {
            write!(f, "{gap}{}", OneLine(code))?;
            gap = " ";
        }
        let message = self.message();
        if !message.is_empty() {
            let colon = if gap.is_empty() { "" } else { ": " };
            write!(f, "{colon}{}", OneLine(message))?;
        } else if inner.kind != Kind::Service {
            write!(f, "{gap}{:?}", inner.kind)?;
        }
        if let Some(id) = &inner.body.request_id {
            write!(f, " (request {})", OneLine(id))?;
        }
        if inner.attempts > 1 {
            write!(f, " (after {} attempts)", inner.attempts)?;
        }
        Ok(())
    }
}

/// Text from a server, kept to one line and a bounded length.
struct OneLine<'a>(&'a str);

impl fmt::Display for OneLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MOST: usize = 500;
        let plain = |c: char| if c.is_control() { ' ' } else { c };
        for c in self.0.chars().take(MOST) {
            fmt::Write::write_char(f, plain(c))?;
        }
        if self.0.chars().nth(MOST).is_some() {
            f.write_str("…")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("operation", &self.operation())
            .field("resource", &self.resource())
            .field("status", &self.0.status)
            .field("code", &self.code())
            .field("message", &self.message())
            .field("request_id", &self.request_id())
            .field("attempts", &self.0.attempts)
            .field("sent", &self.0.sent)
            .field("source", &self.0.source)
            .finish()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|e| e as _)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site() -> Site {
        Site {
            service: "S3",
            operation: "GetObject",
            origin: Origin::parse("http://127.0.0.1:9000").unwrap(),
            resource: Some("photos".into()),
        }
    }

    #[test]
    fn display_is_one_line_that_names_the_thing() {
        let body = ErrorBody {
            code: Some("NoSuchKey".into()),
            message: Some("The key\r\ndoes not exist".into()),
            request_id: Some("4442587FB7D0A2F9".into()),
            ..ErrorBody::default()
        };
        let error = Error::service(404, body, None)
            .with_site(site)
            .with_attempts(2, Sent::No);
        assert_eq!(
            error.to_string(),
            "S3 GetObject at http://127.0.0.1:9000 on photos: 404 NoSuchKey: The key  does not exist \
             (request 4442587FB7D0A2F9) (after 2 attempts)"
        );
        assert!(error.is_not_found() && error.may_have_been_sent());
        let bare = Error::service(500, ErrorBody::default(), None).with_site(site);
        assert_eq!(
            bare.to_string(),
            "S3 GetObject at http://127.0.0.1:9000 on photos: 500"
        );
    }

    #[test]
    fn a_pool_error_keeps_its_kind_and_sentness() {
        let cause = pipeline_pool::Error::new(
            pipeline_pool::Kind::WaitTimeout,
            "no connection became free",
        );
        let error = Error::from(cause);
        assert_eq!(error.kind(), Kind::Busy);
        assert!(error.is_timeout() && !error.may_have_been_sent());
        assert_eq!(error.to_string(), "no connection became free");
        assert!(StdError::source(&error).is_some());
    }

    #[test]
    fn a_long_message_is_cut() {
        let error = Error::invalid("x".repeat(10_000));
        assert!(error.to_string().len() < 600);
    }
}
