//! What happens to connections, told to a hook as it happens.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::error::{Error, Kind};

/// Why a connection was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CloseReason {
    /// It had nothing to do for the idle timeout.
    Idle,
    /// It had reached the greatest age.
    Age,
    /// It gave way to a request for another origin, the pool learnt that fewer connections serve its origin better, or its
    /// pool went away.
    Yielded,
    /// The server closed it, or said that it would.
    Peer,
    /// It was reset, or reading or writing failed.
    Lost,
    /// The server sent something doubtful, or nothing in time, or too much.
    Protocol,
    /// The server was silent for too long, or took nothing.
    Timeout,
    /// The body of a request failed, or the reader of a large answer went away.
    Caller,
    /// The pool, or the runtime that served it, was shut down.
    Shutdown,
}

impl CloseReason {
    /// All reasons.
    pub const ALL: [Self; 9] = [
        Self::Idle,
        Self::Age,
        Self::Yielded,
        Self::Peer,
        Self::Lost,
        Self::Protocol,
        Self::Timeout,
        Self::Caller,
        Self::Shutdown,
    ];

    /// Whether it was the server's doing.
    pub(crate) fn is_of_server(self) -> bool {
        matches!(
            self,
            Self::Peer | Self::Lost | Self::Protocol | Self::Timeout
        )
    }

    /// The reason for an error that ended a connection.
    pub(crate) fn of(cause: &Error) -> Self {
        cause.reason().unwrap_or(match cause.kind() {
            Kind::Protocol => Self::Protocol,
            Kind::Timeout => Self::Timeout,
            Kind::Body => Self::Caller,
            Kind::Shutdown => Self::Shutdown,
            _ if cause.cause().is_some() => Self::Lost,
            _ => Self::Peer,
        })
    }
}

/// Something that happened to a connection.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// A connection was opened.
    Opened {
        /// This is how long the opening took.
        took: Duration,
    },
    /// A connection could not be opened.
    OpenFailed {
        /// This says why the opening failed.
        error: Error,
    },
    /// A connection was closed.
    Closed {
        /// This says why the connection was closed.
        reason: CloseReason,
        /// How many answers it had brought.
        replies: u64,
        /// How long it had been open.
        age: Duration,
        /// How many requests went on to other connections.
        moved: usize,
    },
}

/// A function that hears of each [`Event`], with the name of the origin (`http://host:port`).
#[derive(Clone)]
pub(crate) struct Hook(pub(crate) Arc<Listener>);

type Listener = dyn Fn(&str, &Event) + Send + Sync;

impl fmt::Debug for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hook")
    }
}
