//! What can go wrong, and whether the server may have run the command.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;

use pipeline_pool::{Kind as PoolKind, Sent};

/// What a caller can decide on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// A setting, a server list or a request makes no sense.
    Config,
    /// The value is over the server's limit; nothing is stored under the key.
    TooLarge,
    /// The server has been ejected, and its keys miss until it is back.
    Down,
    /// Too many requests wait for a connection to the server.
    Busy,
    /// The server did not answer within the time of an operation.
    Timeout,
    /// No connection could be opened, or the login was refused.
    Connect,
    /// The connection was lost before the answer.
    Closed,
    /// The answer was an error of the server, or made no sense; the connection was closed.
    Protocol,
    /// The server had no memory for the value; nothing is stored under the key.
    OutOfMemory,
    /// A counter was to be changed, and the value is no number.
    NotNumber,
    /// The server, or what stands before it, does not speak the meta protocol, which this needs.
    Unsupported,
    /// The connection that granted the lease is gone, and the lease with it.
    Gone,
    /// The client was closed.
    Shutdown,
    /// There is no tokio runtime here.
    NoRuntime,
}

/// This says why an operation failed. Its text is one line, and has no value in it.
#[derive(Clone)]
pub struct Error(Box<Inner>);

#[derive(Clone)]
struct Inner {
    kind: Kind,
    sent: bool,
    owed: bool,
    server: Option<String>,
    text: Cow<'static, str>,
    source: Option<pipeline_pool::Error>,
}

/// A result with this [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    pub(crate) fn new(kind: Kind, text: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Inner {
            kind,
            sent: false,
            owed: false,
            server: None,
            text: text.into(),
            source: None,
        }))
    }

    pub(crate) fn of_pool(error: pipeline_pool::Error) -> Self {
        let kind = match error.kind() {
            PoolKind::Busy => Kind::Busy,
            PoolKind::WaitTimeout | PoolKind::Timeout => Kind::Timeout,
            PoolKind::Connect => Kind::Connect,
            PoolKind::Protocol => Kind::Protocol,
            PoolKind::Gone => Kind::Gone,
            PoolKind::Shutdown => Kind::Shutdown,
            PoolKind::NoRuntime => Kind::NoRuntime,
            PoolKind::Invalid => Kind::Config,
            _ => Kind::Closed,
        };
        Self(Box::new(Inner {
            kind,
            sent: error.sent() != Sent::No,
            owed: false,
            server: None,
            text: error.detail().to_owned().into(),
            source: Some(error),
        }))
    }

    /// The same error at this server.
    #[must_use]
    pub(crate) fn at(mut self, server: &impl fmt::Display) -> Self {
        self.0.server = Some(server.to_string());
        self
    }

    /// The same error of a command that the server has seen.
    #[must_use]
    pub(crate) fn seen(mut self) -> Self {
        self.0.sent = true;
        self
    }

    /// The same error of a change that is made good: the entry will be deleted.
    #[must_use]
    pub(crate) fn owed(mut self) -> Self {
        self.0.owed = true;
        self
    }

    /// Whether this client has noted that the entry is in question. Until it has been deleted
    /// there, this client reads it as absent, however long the server is away.
    pub fn is_owed(&self) -> bool {
        self.0.owed
    }

    /// What kind of failure it is.
    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// Whether the server may have run the command.
    pub fn may_have_been_sent(&self) -> bool {
        self.0.sent
    }

    /// The server that it happened at, as `host:port` or a path, if it happened at one.
    pub fn server(&self) -> Option<&str> {
        self.0.server.as_deref()
    }

    /// The error beneath, for example an [`std::io::Error`]; `Display` tells it already, and
    /// [`source`](StdError::source) is what lies beneath it.
    pub fn cause(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_ref()?.cause()
    }

    /// Whether it says that the server is away or in trouble, and not that the request was bad.
    pub fn is_fault(&self) -> bool {
        matches!(
            self.kind(),
            Kind::Down | Kind::Busy | Kind::Timeout | Kind::Connect | Kind::Closed | Kind::Protocol
        )
    }

    /// Whether it counts against the server's health.
    pub(crate) fn is_failure(&self) -> bool {
        self.is_fault() && !matches!(self.kind(), Kind::Down | Kind::Busy)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(server) = &self.0.server {
            write!(f, "memcached at {server}: ")?;
        }
        f.write_str(&self.0.text)?;
        let cause = self.cause();
        match cause {
            Some(cause) => write!(f, ": {cause}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("may_have_been_sent", &self.0.sent)
            .field("server", &self.0.server)
            .field("text", &self.0.text)
            .field("source", &self.0.source)
            .finish()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.cause()?.source()
    }
}
