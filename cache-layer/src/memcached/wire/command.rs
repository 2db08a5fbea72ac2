//! What can be asked of a server.

use bytes::Bytes;

use crate::memcached::key::WireKey;

/// A command, and what its connection has to know to read the answer.
#[derive(Debug)]
pub(crate) struct Command {
    pub(crate) op: Op,
    /// The first of its opaque numbers.
    pub(crate) opaque: u64,
    /// It could not be said in the connection's protocol.
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
    Store(Store),
    Delete(Delete),
    Arith(Arith),
    Touch {
        key: WireKey,
        ttl: i32,
    },
    /// The meta protocol's look at an entry without its value.
    Inspect(WireKey),
    Version,
    Stats {
        what: Bytes,
    },
    /// Seconds until it takes effect.
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
    /// A new time to live.
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

    /// Whether it changes nothing.
    pub(crate) fn only_reads(&self) -> bool {
        self.touch.is_none() && self.vivify.is_none() && self.recache.is_none()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Set,
    Add,
    Replace,
    Append,
    Prepend,
}

#[derive(Clone)]
pub(crate) struct Store {
    pub(crate) mode: Mode,
    pub(crate) key: WireKey,
    pub(crate) value: Bytes,
    pub(crate) flags: u32,
    pub(crate) ttl: i32,
    pub(crate) cas: Option<u64>,
}

/// Without the value.
impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store")
            .field("mode", &self.mode)
            .field("key", &self.key)
            .field("bytes", &self.value.len())
            .field("ttl", &self.ttl)
            .field("cas", &self.cas)
            .finish_non_exhaustive()
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Delete {
    pub(crate) key: WireKey,
    pub(crate) cas: Option<u64>,
    /// Marks it stale instead, for this long.
    pub(crate) stale: Option<i32>,
}

#[derive(Clone, Debug)]
pub(crate) struct Arith {
    pub(crate) key: WireKey,
    pub(crate) up: bool,
    pub(crate) by: u64,
    /// What it is when there is none, and for how long.
    pub(crate) initial: Option<(u64, i32)>,
}
