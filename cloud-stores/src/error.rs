//! What can go wrong with an action of a store, and what a caller can decide on.

use std::error::Error as StdError;
use std::fmt;

use aws_core::Class;

/// The result of an action.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What kind of failure it is: all that a caller decides on. There will be no others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Somebody else changed the same thing first, and nothing was written: read it again, decide again.
    Conflict,
    /// What was to be made is there already, and belongs to somebody else.
    Exists,
    /// What was to be changed is not there.
    NotFound,
    /// A limit is broken; the message names it with the value. Unless a server has counted, nothing was sent.
    TooLarge,
    /// S3 or SimpleDB could not be asked, refused, or answered with an error. A write **may have been done**, unless it
    /// says otherwise.
    Unavailable,
    /// The deadline has passed. A write may have been done.
    Timeout,
    /// An argument or a setting is not legal, or what is stored was not written by this crate. Trying again does not help.
    Invalid,
}

impl Kind {
    /// The name of the kind in lower case, as `too_large`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Conflict => "conflict",
            Self::Exists => "exists",
            Self::NotFound => "notfound",
            Self::TooLarge => "too_large",
            Self::Unavailable => "unavailable",
            Self::Timeout => "timeout",
            Self::Invalid => "invalid",
        }
    }
}

/// The name of the kind, as `too_large`.
impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why an action failed.
///
/// `Display` is one line: what the action was about, the kind, and what happened. Neither it nor `Debug` has a secret or
/// the content of anything that is stored; both have names, which are JIDs of people.
#[derive(Clone)]
pub struct Error(Box<ErrorParts>);

#[derive(Clone)]
struct ErrorParts {
    kind: Kind,
    about: String,
    message: String,
    source: Option<aws_core::Error>,
}

impl Error {
    pub(crate) fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self(Box::new(ErrorParts {
            kind,
            about: String::new(),
            message: message.into(),
            source: None,
        }))
    }

    pub(crate) fn conflict(message: impl Into<String>) -> Self {
        Self::new(Kind::Conflict, message)
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(Kind::Invalid, message)
    }

    /// Something of `value` bytes, pairs or the like, which `what` names in the singular, over its limit.
    pub(crate) fn too_large(what: &str, value: usize, unit: &str, limit: usize) -> Self {
        let message = format!("{what} has {value} {unit}, over the limit of {limit}");
        Self::new(Kind::TooLarge, message)
    }

    /// The same error of another kind.
    pub(crate) fn of_kind(mut self, kind: Kind) -> Self {
        self.0.kind = kind;
        self
    }

    /// The same error with what it is about, unless it knows that.
    pub(crate) fn with_about(mut self, about: impl FnOnce() -> String) -> Self {
        if self.0.about.is_empty() {
            self.0.about = about();
        }
        self
    }

    /// A write whose answer was lost, and of which no read can tell what became of it.
    pub(crate) fn unknown_outcome(lost: aws_core::Error) -> Self {
        let mut error = Self::from(lost);
        if !matches!(error.0.kind, Kind::Timeout) {
            error.0.kind = Kind::Unavailable;
        }
        let text = "the answer was lost, and what is stored does not tell whether it was written";
        error.0.message = format!("{text}: {}", error.0.message);
        error
    }

    /// What kind of failure it is.
    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// What the action was about, for example `roster of ann@example.com`.
    pub fn about(&self) -> &str {
        &self.0.about
    }

    /// What happened, without what it was about.
    pub fn message(&self) -> &str {
        &self.0.message
    }
}

/// The failure of a request, by what it means for an action: what is not there where it was expected (a bucket, a
/// domain) is an outage, not an absence.
impl From<aws_core::Error> for Error {
    fn from(cause: aws_core::Error) -> Self {
        let kind = match cause.kind() {
            _ if cause.is_condition_failed() => Kind::Conflict,
            _ if cause.is_timeout() => Kind::Timeout,
            aws_core::Kind::Invalid => Kind::Invalid,
            _ if cause.class() == Class::Conflict => Kind::Conflict,
            _ => match cause.code() {
                Some(
                    "EntityTooLarge"
                    | "NumberItemAttributesExceeded"
                    | "NumberSubmittedAttributesExceeded",
                ) => Kind::TooLarge,
                _ => Kind::Unavailable,
            },
        };
        let mut error = Self::new(kind, cause.to_string());
        error.0.source = Some(cause);
        error
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.0.about.is_empty() {
            write!(f, "{}: ", self.0.about)?;
        }
        write!(f, "{}: {}", self.0.kind, self.0.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("about", &self.0.about)
            .field("message", &self.0.message)
            .finish_non_exhaustive()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_ref().map(|error| error as _)
    }
}

#[cfg(test)]
mod tests {
    use aws_core::ErrorBody;

    use super::*;

    fn service(status: u16, code: &str) -> Error {
        aws_core::Error::service(status, ErrorBody::new(code, "so it is"), None).into()
    }

    #[test]
    fn answers_have_kinds() {
        for (status, code, kind) in [
            (412, "PreconditionFailed", Kind::Conflict),
            (409, "ConditionalCheckFailed", Kind::Conflict),
            (409, "ConditionalRequestConflict", Kind::Conflict),
            (400, "NoSuchDomain", Kind::Unavailable),
            (404, "NoSuchBucket", Kind::Unavailable),
            (403, "AccessDenied", Kind::Unavailable),
            (503, "SlowDown", Kind::Unavailable),
            (500, "InternalError", Kind::Unavailable),
            (400, "EntityTooLarge", Kind::TooLarge),
            (409, "NumberItemAttributesExceeded", Kind::TooLarge),
        ] {
            assert_eq!(service(status, code).kind(), kind, "{code}");
        }
        let error: Error = aws_core::Error::new(aws_core::Kind::Timeout, "late").into();
        assert_eq!(error.kind(), Kind::Timeout);
        let error: Error = aws_core::Error::new(aws_core::Kind::Connect, "refused").into();
        assert_eq!(error.kind(), Kind::Unavailable);
    }

    #[test]
    fn it_says_what_it_is_about() {
        let error = service(503, "SlowDown").with_about(|| "roster of a@b".into());
        let error = error.with_about(|| "another thing".into());
        assert_eq!(error.about(), "roster of a@b");
        assert_eq!(
            error.to_string(),
            "roster of a@b: unavailable: 503 SlowDown: so it is"
        );
        assert!(StdError::source(&error).is_some());
        let error = Error::too_large("the status", 70, "bytes", 60);
        assert_eq!(
            error.to_string(),
            "too_large: the status has 70 bytes, over the limit of 60"
        );
    }

    #[test]
    fn an_outcome_that_is_not_known_is_no_conflict() {
        let lost = aws_core::Error::new(aws_core::Kind::Closed, "reset");
        assert_eq!(Error::unknown_outcome(lost).kind(), Kind::Unavailable);
        let late = aws_core::Error::new(aws_core::Kind::Timeout, "late");
        assert_eq!(Error::unknown_outcome(late).kind(), Kind::Timeout);
    }
}
