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
    /// One for each key, in their order.
    Values(Vec<Option<Item>>),
    Status(Status),
    Number(u64),
    Text(String),
    Pairs(Vec<(String, String)>),
    /// The server said no, and what it will do next is known.
    Refused(Refusal),
    /// The connection's protocol has no words for it.
    Unsupported,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    /// Stored, deleted, touched, flushed.
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
    /// This caller is to fill it.
    pub(crate) won: bool,
    /// It was marked stale.
    pub(crate) stale: bool,
    /// Another caller has won before.
    pub(crate) taken: bool,
}

/// Without the value.
impl std::fmt::Debug for Item {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Item")
            .field("bytes", &self.data.len())
            .field("flags", &self.flags)
            .field("cas", &self.cas)
            .finish_non_exhaustive()
    }
}
