//! What can go wrong, and whether the request may have run.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

use crate::event::CloseReason;

/// How much of a request had been written when it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Sent {
    /// Not one byte: the server cannot have seen it.
    No,
    /// Some of it, or it was about to be: the server may have run it.
    Part,
    /// All of it: the server may have run it.
    All,
}

/// The kind of a failure: what a caller can decide on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// The request cannot be sent as it is (a line break in a header, a bad target).
    Invalid,
    /// The waiting line is full.
    Busy,
    /// No connection became free before the wait deadline.
    WaitTimeout,
    /// No connection could be opened: name resolution, TCP or TLS failed.
    Connect,
    /// The server did not answer, or stopped in the middle, within the time allowed.
    Timeout,
    /// The connection was closed or reset before the whole answer had come.
    Closed,
    /// The answer breaks the protocol, or exceeds a bound of this pool.
    Protocol,
    /// The request's own body failed while it was read.
    Body,
    /// The pool has been closed.
    Shutdown,
    /// There is no tokio runtime here, or what serves a request ends in it again and again, as it
    /// does where time or IO are not enabled.
    NoRuntime,
    /// The connection that the request was bound to is gone, or cannot take it now.
    Gone,
}

/// Why a request failed, and how much of it had been sent.
///
/// `Display` tells the cause too, and [`source`](StdError::source) is what lies beneath that cause: a report that prints
/// an error with all its sources tells each once. [`cause`](Self::cause) gives the cause as a value.
#[derive(Clone)]
pub struct Error(Box<Details>);

#[derive(Clone)]
struct Details {
    kind: Kind,
    sent: Sent,
    detail: Cow<'static, str>,
    source: Option<Arc<dyn StdError + Send + Sync>>,
    reason: Option<CloseReason>,
}

impl Error {
    /// An error of this kind; `detail` is a short sentence for a person, without secrets.
    pub fn new(kind: Kind, detail: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Details {
            kind,
            sent: Sent::No,
            detail: detail.into(),
            source: None,
            reason: None,
        }))
    }

    /// The same error with its cause.
    #[must_use]
    pub fn with_source(mut self, source: impl StdError + Send + Sync + 'static) -> Self {
        self.0.source = Some(Arc::new(source));
        self
    }

    /// The same error for a request of which this much had been sent.
    #[must_use]
    pub fn with_sent(mut self, sent: Sent) -> Self {
        self.0.sent = sent;
        self
    }

    /// The same error for a request of which at least this much had been sent.
    #[must_use]
    pub(crate) fn at_least(self, sent: Sent) -> Self {
        let sent = self.sent().max(sent);
        self.with_sent(sent)
    }

    /// The same error as the end of a connection, for this reason.
    pub(crate) fn because(mut self, reason: CloseReason) -> Self {
        self.0.reason = Some(reason);
        self
    }

    pub(crate) fn reason(&self) -> Option<CloseReason> {
        self.0.reason
    }

    /// What kind of failure it is.
    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// How much of the request had been written.
    pub fn sent(&self) -> Sent {
        self.0.sent
    }

    /// Whether the server may have run the request.
    pub fn may_have_been_sent(&self) -> bool {
        self.0.sent != Sent::No
    }

    /// The error beneath, for example an [`std::io::Error`]; `Display` tells it already.
    pub fn cause(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|e| e as _)
    }

    /// Whether no connection could be opened since the peer, which was to speak TLS, has answered without it. Never
    /// without the feature `tls`.
    pub fn is_without_tls(&self) -> bool {
        #[cfg(feature = "tls")]
        return self.cause().is_some_and(crate::connect::tls::is_plain);
        #[cfg(not(feature = "tls"))]
        return false;
    }

    /// The sentence that says what happened.
    pub fn detail(&self) -> &str {
        &self.0.detail
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("sent", &self.0.sent)
            .field("detail", &self.0.detail)
            .field("source", &self.0.source)
            .finish()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.detail)?;
        if let Some(source) = &self.0.source {
            write!(f, ": {source}")?;
        }
        Ok(())
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.cause()?.source()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn display_names_the_cause() {
        let cause = std::io::Error::new(std::io::ErrorKind::ConnectionRefused, "refused");
        let error = Error::new(Kind::Connect, "no connection to 127.0.0.1:1").with_source(cause);
        assert_eq!(error.to_string(), "no connection to 127.0.0.1:1: refused");
        assert!(error.source().is_none(), "a report would tell it twice");
        assert!(error.cause().is_some_and(|e| e.is::<std::io::Error>()));
        assert!(!error.may_have_been_sent());
        assert!(error.with_sent(Sent::Part).may_have_been_sent());
    }
}
