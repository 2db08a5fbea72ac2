//! What a server answers.

use bytes::Bytes;
use pipeline_pool::ConnectionId;

/// An answer, and the connection that brought it.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) outcome: Outcome,
    pub(crate) connection: ConnectionId,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Value(Item),
    /// One value for each key, in their order.
    Values(Vec<Option<Item>>),
    Status(Status),
    Number(u64),
    Text(String),
    Pairs(Vec<(String, String)>),
    /// The server refused the command, and goes on with the next one.
    Refused(Refusal),
    /// The protocol of the connection has no such command.
    Unsupported,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    /// The entry was stored, deleted or touched, or the server was emptied.
    Done,
    NotStored,
    Exists,
    NotFound,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    TooLarge,
    OutOfMemory,
    NotNumber,
}

/// A value and what came with it.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Item {
    pub(crate) data: Bytes,
    pub(crate) flags: u32,
    pub(crate) cas: Option<u64>,
    /// Whether this caller is to fill the entry.
    pub(crate) won: bool,
    /// Whether the entry was marked stale.
    pub(crate) stale: bool,
    /// Whether another caller is to fill the entry.
    pub(crate) taken: bool,
}

/// The value is left out.
impl std::fmt::Debug for Item {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Item")
            .field("bytes", &self.data.len())
            .field("flags", &self.flags)
            .field("cas", &self.cas)
            .finish_non_exhaustive()
    }
}
