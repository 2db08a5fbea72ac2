//! What can go wrong with an operation, and what a caller can decide on.

mod show;
mod site;
mod status;

use std::error::Error as StdError;
use std::sync::Arc;
use std::time::Duration;

use pipeline_pool::Sent;

pub(crate) use self::site::Site;
use crate::classify::{Class, class_of};
use crate::envelope::ErrorBody;
use crate::operation::{Operation, Service};
use crate::visibility::KeyVisibility;

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
/// `Display` is one line that names operation, server, bucket or domain, the key of the object or the name of the item,
/// and what happened, down to the last cause. Keys are quoted, escaped, and cut at 200 bytes, and
/// [`KeyVisibility`](crate::KeyVisibility) hides them. The wording may change; decide on [`kind`](Self::kind),
/// [`code`](Self::code) and the `is_…` methods. Neither `Display` nor `Debug` shows a secret, a signature or a body.
///
/// A cause that `Display` tells is not told again by [`source`](StdError::source), so that a report of an error with all
/// its sources tells each once; [`cause`](Self::cause) gives it as a value.
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
    cause: Option<Arc<dyn StdError + Send + Sync>>,
    /// Whether the message tells the cause.
    told: bool,
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
            cause: None,
            told: false,
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

    /// The error that a service answered with. Where it has no code, as the answer to HEAD, the message says in words
    /// what the status means.
    pub fn service(status: u16, body: ErrorBody, class: Option<Class>) -> Self {
        let class = class.unwrap_or_else(|| class_of(status, body.code.as_deref()));
        let mut error = Self::new(Kind::Service, "");
        let inner = &mut *error.0;
        inner.status = Some(status);
        inner.class = class;
        inner.body = body;
        if inner.body.code.is_none() {
            let words = status::in_words(status);
            match &mut inner.body.message {
                Some(message) => message.insert_str(0, &format!("{words}; ")),
                None => inner.message = words.to_owned(),
            }
        }
        inner.sent = Sent::All;
        error
    }

    /// The same error with its cause, of which the message does not tell: it is its [`source`](StdError::source).
    #[must_use]
    pub fn with_source(mut self, source: impl StdError + Send + Sync + 'static) -> Self {
        self.0.cause = Some(Arc::new(source));
        self.0.told = false;
        self
    }

    /// The same error with its cause, of which the message tells already.
    #[must_use]
    pub fn with_told_cause(mut self, cause: impl StdError + Send + Sync + 'static) -> Self {
        self.0.cause = Some(Arc::new(cause));
        self.0.told = true;
        self
    }

    /// The same error, told of this operation if it is told of none: for a request that could not be made.
    #[must_use]
    pub fn of_operation<O: Operation>(mut self) -> Self {
        self.0
            .site
            .get_or_insert_default()
            .name(O::Service::NAME, O::NAME);
        self
    }

    /// The same error, told what a request was to be about that could not be made: its bucket or domain, and, where keys
    /// are shown, its key or item. [`of_operation`](Self::of_operation) tells it the rest.
    #[must_use]
    pub fn about(
        mut self,
        resource: Option<&Arc<str>>,
        key: Option<&str>,
        keys: KeyVisibility,
    ) -> Self {
        let site = self.0.site.get_or_insert_default();
        site.resource = resource.cloned();
        site.key = key.filter(|_| keys.in_errors()).map(Into::into);
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
        let gap = match said.chars().next_back() {
            None => "",
            Some('.' | ')') => " ",
            Some(_) => "; ",
        };
        let message = format!("{said}{gap}{hint}");
        self.0.body.message = Some(message);
    }

    /// Whether the answer was no error of the service.
    pub(crate) fn is_foreign(&self) -> bool {
        self.0.body.is_foreign()
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

    /// The service's own words, or what this library has to say. Behind the words there may be a sentence in parentheses
    /// that is not the service's: which setting is the cure, or where refused keys come from.
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
        let site = self.0.site.as_ref()?;
        Some(site.operation).filter(|name| !name.is_empty())
    }

    /// The bucket or domain it was about.
    pub fn resource(&self) -> Option<&str> {
        self.0.site.as_ref()?.resource.as_deref()
    }

    /// The key of the object, or the name of the item, that it was about, whole and as it was given; nothing where the
    /// operation was about none or about many, and where [`KeyVisibility`](crate::KeyVisibility) hides it.
    pub fn key(&self) -> Option<&str> {
        self.0.site.as_ref()?.key.as_deref()
    }

    /// The error beneath, for example one of the pool, which has an [`std::io::Error`] beneath itself.
    pub fn cause(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.cause.as_deref().map(|e| e as _)
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
        let mut message = cause.to_string();
        if cause.is_without_tls() {
            message.push_str(" (the URL is one of https://: is http:// meant?)");
        }
        let mut error = Self::new(kind, message);
        error.0.sent = cause.sent();
        error.0.timed_out = matches!(cause.kind(), Pool::Timeout | Pool::WaitTimeout);
        error.with_told_cause(cause)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self.0.told {
            true => self.cause()?.source(),
            false => self.cause(),
        }
    }
}

#[cfg(test)]
mod tests {
    use pipeline_pool::Origin;

    use super::*;

    fn site() -> Site {
        Site {
            service: "S3",
            operation: "GetObject",
            origin: Some(Origin::parse("http://127.0.0.1:9000").unwrap()),
            resource: Some("photos".into()),
            key: Some("2009/cat.jpg".into()),
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
            "S3 GetObject at http://127.0.0.1:9000 on photos, \"2009/cat.jpg\": 404 NoSuchKey: The key  does not exist \
             (request 4442587FB7D0A2F9) (after 2 attempts)"
        );
        assert!(error.is_not_found() && error.may_have_been_sent());
        let bare = Error::service(500, ErrorBody::default(), None).with_site(site);
        assert_eq!(
            bare.to_string(),
            "S3 GetObject at http://127.0.0.1:9000 on photos, \"2009/cat.jpg\": 500: internal server error"
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
        assert!(StdError::source(&error).is_none() && error.cause().is_some());
    }

    /// What a report prints: an error with all its sources, as `{:#}` of `anyhow` does.
    fn report(error: &Error) -> String {
        let sources = std::iter::successors(Some(error as &dyn StdError), |&e| e.source());
        let told: Vec<_> = sources.map(ToString::to_string).collect();
        told.join(": ")
    }

    #[test]
    fn a_report_tells_each_cause_once() {
        let refused = std::io::Error::new(std::io::ErrorKind::ConnectionRefused, "refused");
        let pool = pipeline_pool::Error::new(pipeline_pool::Kind::Connect, "no connection to h")
            .with_source(refused);
        let error = Error::from(pool);
        assert_eq!(report(&error), "no connection to h: refused");
        let beneath = error.cause().unwrap();
        let beneath = beneath.downcast_ref::<pipeline_pool::Error>().unwrap();
        assert!(beneath.cause().unwrap().is::<std::io::Error>());
        // What the message does not tell is a source.
        let error = Error::invalid("no good").with_source(error);
        assert_eq!(report(&error), "no good: no connection to h: refused");
    }

    #[test]
    fn an_answer_without_a_reason_is_put_into_words() {
        let error = |status| Error::service(status, ErrorBody::default(), None);
        for (status, words) in [
            (301, "another server or region"),
            (400, "without a reason"),
            (403, "may not list"),
            (404, "404: not found: it does not exist"),
            (412, "precondition failed"),
            (416, "range not satisfiable"),
            (418, "refused the request"),
            (429, "too many requests"),
            (502, "a gateway"),
            (503, "service unavailable"),
            (599, "a gateway"),
            (507, "the server failed"),
            (299, "does not expect"),
        ] {
            let told = error(status).to_string();
            assert!(told.contains(words), "{status}: {told}");
        }
        let mut body = ErrorBody::default();
        body.add_hint("(Say so.)");
        let told = Error::service(412, body, None);
        let words = "precondition failed: a condition of the request does not hold; (Say so.)";
        assert_eq!(told.message(), words);
        let told = Error::service(404, ErrorBody::new("NoSuchKey", "It is not there."), None);
        assert_eq!(told.to_string(), "404 NoSuchKey: It is not there.");
    }

    #[test]
    fn an_error_is_one_pointer() {
        assert_eq!(size_of::<Result<(), Error>>(), size_of::<usize>());
    }

    #[test]
    fn a_long_message_is_cut() {
        let error = Error::invalid("x".repeat(10_000));
        assert!(error.to_string().len() < 600);
    }
}
