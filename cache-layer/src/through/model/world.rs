//! What there is in the model, and how it begins.

use crate::through::fence::Fence;
use crate::through::steps::{Reading, Writing};

/// The connection that granted it, and the number that memcached gave it.
pub(super) type Lease = (u8, u8);

/// What is on its way to memcached; it may be carried out long after its sender stopped waiting.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Command {
    Peek,
    Look,
    Delete,
    Fill(u8, u8),
    Cancel(u8),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Reader {
    Idle,
    /// Asked before anybody knows of it.
    Peeking,
    /// Waits for another of this process.
    Joined,
    /// Past the cache.
    Past,
    Looking(Reading<Lease>),
    /// To ask again.
    Waiting(Reading<Lease>),
    Loading(Reading<Lease>),
    Loaded(Reading<Lease>, u8),
    Filling(u8),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Read {
    pub(super) at: Reader,
    pub(super) flight: u64,
    /// What it must see: of writes that ended before it began in its process, and in any.
    pub(super) own: u8,
    pub(super) any: u8,
    pub(super) left: u8,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Writer {
    Idle,
    Deleting(Writing<Lease>),
    Leasing(Writing<Lease>),
    Writing(Writing<Lease>),
    /// Carried out: this is what it wrote.
    Wrote(Writing<Lease>, u8),
    Filling(Writing<Lease>, u8),
    Deleting2(Writing<Lease>, u8),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Process {
    pub(super) fence: Fence<u8>,
    pub(super) reads: Vec<Read>,
    pub(super) write: Writer,
    pub(super) writes_left: u8,
    /// The greatest version that a write of this process has made, and ended.
    pub(super) made: u8,
    pub(super) next: u64,
}

/// Who sent a command, to be told of its outcome while it waits: process, and reader or none for the writer.
pub(super) type Sender = (usize, Option<usize>);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct World {
    /// The version at the source.
    pub(super) source: u8,
    /// Writes that their senders gave up and that may still be carried out.
    pub(super) lost: u8,
    /// What memcached has: the number of its last change, and a version unless it is a place held.
    pub(super) item: Option<(u8, Option<u8>)>,
    pub(super) number: u8,
    /// Restarts so far: a connection does not outlive one.
    pub(super) restarts: u8,
    pub(super) wire: Vec<(Command, Option<Sender>)>,
    pub(super) processes: Vec<Process>,
    /// The greatest version of a write, of any process, that ended with all deletions acknowledged.
    pub(super) known: u8,
    pub(super) forgets: u8,
    pub(super) give_ups: u8,
}

/// What is allowed to happen, and which rules hold.
#[derive(Clone, Copy)]
pub(super) struct Rules {
    pub(super) readers: [u8; 2],
    pub(super) reads: u8,
    pub(super) writes: [u8; 2],
    pub(super) restarts: u8,
    pub(super) forgets: u8,
    pub(super) give_ups: u8,
    pub(super) through: bool,
    /// A read peeks before it enters.
    pub(super) finds: bool,
    /// It does so only where the fence trusts the cache.
    pub(super) trusted: bool,
    /// A fill goes only on the connection that granted its lease.
    pub(super) bound: bool,
    /// The key is deleted after a write.
    pub(super) deletes_after: bool,
    /// A write cuts off the reads that others may join.
    pub(super) fenced: bool,
}

pub(super) const RULES: Rules = Rules {
    readers: [2, 1],
    reads: 1,
    writes: [1, 1],
    restarts: 0,
    forgets: 0,
    give_ups: 0,
    through: false,
    finds: false,
    trusted: true,
    bound: true,
    deletes_after: true,
    fenced: true,
};

pub(super) fn start(rules: &Rules) -> World {
    let process = |i: usize| Process {
        fence: Fence::default(),
        reads: vec![
            Read {
                at: Reader::Idle,
                flight: 0,
                own: 0,
                any: 0,
                left: rules.reads,
            };
            usize::from(rules.readers[i])
        ],
        write: Writer::Idle,
        writes_left: rules.writes[i],
        made: 0,
        next: 1,
    };
    World {
        source: 1,
        lost: 0,
        item: None,
        number: 0,
        restarts: 0,
        wire: Vec::new(),
        processes: vec![process(0), process(1)],
        known: 0,
        forgets: 0,
        give_ups: 0,
    }
}
