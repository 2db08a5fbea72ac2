//! Why the core does not serve a request.

use super::ticket::Ticket;
use crate::error::{Error, Kind};
use crate::protocol::Protocol;

/// A request that was not taken, and why. Its caller hears of it at once.
pub(crate) struct Refusal<P: Protocol> {
    pub(crate) ticket: Ticket<P>,
    pub(crate) error: Error,
}

/// Why a request fails that is bound to a connection.
pub(super) fn gone() -> Error {
    let text = "the connection that the request was bound to is gone, or waits for a late answer";
    Error::new(Kind::Gone, text)
}

/// Why a request fails that is handed in when its pool has been closed.
pub(super) fn closed() -> Error {
    Error::new(Kind::Shutdown, "the pool is closed")
}

/// Why a request fails when its pool has been closed and the time for that is over.
pub(super) fn aborted() -> Error {
    Error::new(Kind::Shutdown, "the pool was closed")
}

/// Why a request fails that needs a new connection where nothing can be opened.
pub(crate) fn without_runtime() -> Error {
    Error::new(Kind::NoRuntime, "a tokio runtime is needed to send")
}
