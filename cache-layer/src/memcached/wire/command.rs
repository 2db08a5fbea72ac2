//! What can be asked of a server.

use bytes::Bytes;

use crate::memcached::key::WireKey;

/// A command, and what its connection has to know to read the answer.
#[derive(Debug)]
pub(crate) struct Command {
    pub(crate) op: Op,
    /// The first of its opaque numbers.
    pub(crate) opaque: u64,
    /// Whether it could not be said in the protocol of the connection.
    pub(crate) unsupported: bool,
}

impl Command {
    pub(crate) fn new(op: Op) -> Self {
        Self {
            op,
            opaque: 0,
            unsupported: false,
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) enum Op {
    Get(Fetch),
    Many {
        keys: Vec<WireKey>,
        cas: bool,
    },
    Store(StoreOp),
    Delete(DeleteOp),
    Arith(Arith),
    Touch {
        key: WireKey,
        ttl: i32,
    },
    /// It asks for an entry without its value, by the meta protocol.
    Inspect(WireKey),
    Version,
    Stats {
        what: Bytes,
    },
    /// How many seconds it takes until this has effect.
    Flush {
        delay: u32,
    },
}

impl Op {
    /// How many opaque numbers it takes.
    pub(crate) fn opaques(&self) -> u64 {
        match self {
            Self::Many { keys, .. } => keys.len() as u64,
            _ => 1,
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Fetch {
    pub(crate) key: WireKey,
    pub(crate) cas: bool,
    /// The new time to live, if the entry is to get one.
    pub(crate) touch: Option<i32>,
    /// Makes an empty entry with this time to live where there is none, for the one who fills it.
    pub(crate) vivify: Option<i32>,
    /// Has one caller fill it anew when less than this many seconds are left to it.
    pub(crate) recache: Option<u32>,
}

impl Fetch {
    pub(crate) fn plain(key: WireKey) -> Self {
        Self {
            key,
            cas: false,
            touch: None,
            vivify: None,
            recache: None,
        }
    }

    /// Tells whether the command changes nothing.
    pub(crate) fn only_reads(&self) -> bool {
        self.touch.is_none() && self.vivify.is_none() && self.recache.is_none()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StoreMode {
    Set,
    Add,
    Replace,
    Append,
    Prepend,
}

#[derive(Clone)]
pub(crate) struct StoreOp {
    pub(crate) mode: StoreMode,
    pub(crate) key: WireKey,
    pub(crate) value: Bytes,
    pub(crate) flags: u32,
    pub(crate) ttl: i32,
    pub(crate) cas: Option<u64>,
}

/// The value is left out.
impl std::fmt::Debug for StoreOp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StoreOp")
            .field("mode", &self.mode)
            .field("key", &self.key)
            .field("bytes", &self.value.len())
            .field("ttl", &self.ttl)
            .field("cas", &self.cas)
            .finish_non_exhaustive()
    }
}

#[derive(Clone, Debug)]
pub(crate) struct DeleteOp {
    pub(crate) key: WireKey,
    pub(crate) cas: Option<u64>,
    /// If this is set, the entry is marked stale for this long instead.
    pub(crate) stale: Option<i32>,
}

#[derive(Clone, Debug)]
pub(crate) struct Arith {
    pub(crate) key: WireKey,
    pub(crate) up: bool,
    pub(crate) by: u64,
    /// The value that the counter begins with when there is none, and its time to live.
    pub(crate) initial: Option<(u64, i32)>,
}
