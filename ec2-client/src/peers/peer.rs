//! A member of a cluster, and what may be told of one.

use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, Instant, SystemTime};

use aws_core::Error;

use super::address::{Address, Addresses};

/// A member of a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Peer {
    /// The id of its instance.
    pub id: String,
    /// What it is called, as [`Peers::name`](super::Peers::name) has it.
    pub name: String,
    /// The address that was [asked for](super::Peers::address), with the [port](super::Peers::port) if one was.
    pub address: String,
    /// All of its addresses.
    pub addresses: Addresses,
    /// Its availability zone.
    pub zone: Option<String>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// When it was last started.
    pub launched: Option<SystemTime>,
    /// Whether it is the instance that this program runs on, as far as that was to be
    /// [found out](super::Peers::metadata).
    pub is_me: bool,
}

/// This is what a [`Watch`](super::Watch) tells.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum PeerEvent {
    /// A peer runs that was none before.
    Joined(Peer),
    /// A peer has another address, name, zone, tag or start than was told.
    Changed(Peer),
    /// A peer is none any more; it is shown as it was told last.
    Left(Peer, Why),
    /// A running instance lacks the address that was asked for, and is no peer while it does. It is said once.
    Skipped {
        /// The id of the instance.
        id: String,
        /// The instance lacks an address of this kind.
        address: Address,
    },
    /// All peers of a whole list have been told: after the first one, and after the first that follows on a
    /// [`Failing`](Self::Failing).
    Ready {
        /// The list has so many instances.
        count: usize,
    },
    /// There are so many peers that lists come less often than was asked for. Said again when the interval has grown by
    /// half.
    Stretched {
        /// The time between two lists now, but for the [jitter](super).
        every: Duration,
    },
    /// The last list was none, and what is known stays; and since when that has been so. Told for each list that fails,
    /// the last of them if it is not read meanwhile.
    Failing(Error, Instant),
}

/// Why a peer is none any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Why {
    /// It is being ended for good.
    ShuttingDown,
    /// It has ended for good.
    Terminated,
    /// It is being stopped.
    Stopping,
    /// It is stopped.
    Stopped,
    /// Two whole lists did not have it.
    Missing,
    /// In two whole lists it had no address of the kind that was asked for.
    NoAddress,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ShuttingDown => "shutting down",
            Self::Terminated => "terminated",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
            Self::Missing => "missing from two lists",
            Self::NoAddress => "without an address",
        })
    }
}
