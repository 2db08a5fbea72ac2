//! What there is in the model, and how it begins.

use crate::memcached::Key;
use crate::through::name::Name;
use crate::through::steps::{ReadSteps, WriteSteps};
use crate::through::trust::{Moment, Placement, Shard, Trust, Visit, WriteTicket};

/// The connection that granted it, and the number that memcached gave it.
pub(super) type ModelLease = (u8, u8);

/// What memcached has of one owner: the number of its last change, and a version unless it is a place held.
pub(super) type ModelItem = (u8, Option<u8>);

/// An owner, and so where in memcached the thing is that all of them see.
pub(super) type Owner = u8;

/// What is on its way to memcached; it may be carried out long after its sender stopped waiting.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum ModelCommand {
    Peek(Owner),
    Look(Owner),
    Delete(Owner),
    Fill(Owner, ModelLease, u8),
    Cancel(Owner, ModelLease),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum ReaderStage {
    Idle,
    /// May ask memcached before anybody knows of it.
    Believing,
    /// Asks memcached before anybody knows of it.
    Finding,
    /// To be admitted.
    Entering,
    /// Asks memcached since it has met an older read, of this number.
    Asking(u64),
    /// Waits for what the read of this number lands with.
    Sharing(u64),
    /// Waits for the end of the read of this number.
    Meeting(u64),
    /// Past the cache.
    Past,
    Looking(ReadSteps<ModelLease>),
    /// To ask again.
    Waiting(ReadSteps<ModelLease>),
    Loading(ReadSteps<ModelLease>),
    Loaded(ReadSteps<ModelLease>, u8),
    Filling(u8),
}

#[derive(Clone, Debug, Hash)]
pub(super) struct ModelRead {
    pub(super) at: ReaderStage,
    pub(super) owner: Owner,
    pub(super) visit: Visit,
    pub(super) asked: bool,
    pub(super) down: bool,
    /// The number under which it leads.
    pub(super) number: u64,
    /// The list of servers by which it was let in.
    pub(super) list: u8,
    /// What it must see: of writes that ended before it began.
    pub(super) floor: u8,
    pub(super) left: u8,
}

/// A write's work on the entry of one owner.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Work {
    Deleting,
    Leasing,
    Filling,
    /// It waits for the others.
    Ready,
    Done {
        doubted: bool,
        acknowledged: bool,
    },
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Stage {
    Before,
    WriteSteps,
    /// Carried out: this is what it wrote.
    Wrote(u8),
    /// Nothing if nobody knows whether it was carried out.
    After(Option<u8>),
}

#[derive(Clone, Debug, Hash)]
pub(super) struct ModelWrite {
    pub(super) stage: Stage,
    pub(super) keys: Vec<(Owner, WriteSteps<ModelLease>, Work)>,
    pub(super) told: WriteTicket,
    /// It changes what nobody can name.
    pub(super) group: bool,
}

#[derive(Clone, Debug, Hash)]
pub(super) struct ModelProcess {
    pub(super) trust: Trust<u8, ()>,
    pub(super) reads: Vec<ModelRead>,
    pub(super) write: Option<ModelWrite>,
    pub(super) writes_left: u8,
    /// The greatest version that a write of this process has made, and ended.
    pub(super) made: u8,
}

/// Who sent a command, to be told of its outcome while it waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Sender {
    Read(usize, usize),
    /// A process, and which entry of its write.
    Write(usize, usize),
}

#[derive(Clone, Debug, Hash)]
pub(super) struct World {
    /// The version at the source.
    pub(super) source: u8,
    /// Writes that their senders gave up and that may still be carried out.
    pub(super) lost: u8,
    /// What each of two servers has of each owner.
    pub(super) items: [[Option<ModelItem>; 2]; 2],
    /// The number of the list of servers. By one list all is on the first server, by the next on the second.
    pub(super) list: u8,
    pub(super) number: u8,
    /// Restarts so far: a connection does not outlive one.
    pub(super) restarts: u8,
    /// By server.
    pub(super) wire: Vec<(u8, ModelCommand, Option<Sender>)>,
    pub(super) processes: Vec<ModelProcess>,
    /// For each owner, the greatest version of a write, of any process, that told it and ended with all deletions
    /// acknowledged.
    pub(super) known: [u8; 2],
    pub(super) forgets: u8,
    pub(super) give_ups: u8,
    pub(super) breaks: u8,
}

/// What is allowed to happen, and which scenario hold.
#[derive(Clone, Copy)]
pub(super) struct Scenario {
    /// For each process, the owners that its readers read as.
    pub(super) readers: [&'static [Owner]; 2],
    pub(super) reads: u8,
    pub(super) writes: [u8; 2],
    /// The writes of the first process change what nobody can name.
    pub(super) groups: bool,
    pub(super) restarts: u8,
    /// Changes of the list of servers.
    pub(super) moves: u8,
    pub(super) forgets: u8,
    pub(super) give_ups: u8,
    /// Reads that lead and come to nothing, and readers that take over.
    pub(super) breaks: u8,
    pub(super) through: bool,
    /// A read asks memcached before it enters.
    pub(super) finds: bool,
    /// It does so only where the scenario let it believe.
    pub(super) trusted: bool,
    /// A fill goes only on the connection that granted its lease.
    pub(super) bound: bool,
    /// The key is deleted after a write.
    pub(super) deletes_after: bool,
    /// A write is told to the scenario.
    pub(super) fenced: bool,
    /// A read shares only what began after it did.
    pub(super) shares_younger: bool,
    /// Owners that are met during a write have theirs deleted at its end.
    pub(super) tells_late: bool,
    /// What was written is remembered for owners that are met later.
    pub(super) remembers: bool,
    /// A group that something was changed in is doubted.
    pub(super) forgets_groups: bool,
    /// The scenario know of the list of servers.
    pub(super) knows_lists: bool,
    /// What memcached says is believed only if the list has not changed since it was asked.
    pub(super) looks_again: bool,
}

pub(super) const SCENARIO: Scenario = Scenario {
    readers: [&[0, 0], &[0]],
    reads: 1,
    writes: [1, 1],
    groups: false,
    restarts: 0,
    moves: 0,
    forgets: 0,
    give_ups: 0,
    breaks: 0,
    through: false,
    finds: false,
    trusted: true,
    bound: true,
    deletes_after: true,
    fenced: true,
    shares_younger: true,
    tells_late: true,
    remembers: true,
    forgets_groups: true,
    knows_lists: true,
    looks_again: true,
};

/// Time stands still: a doubt does not end.
pub(super) const NOW: Moment<u8> = Moment { now: 0, until: 1 };

/// All keys are on one server, and by the next list on the other one.
pub(super) struct ModelPlaces(u64);

impl Placement for ModelPlaces {
    fn list(&self) -> u64 {
        self.0
    }

    fn shard(&self, _: &Key) -> Shard {
        Shard {
            list: self.0,
            server: self.0 as usize % 2,
        }
    }
}

impl World {
    /// Where all keys are.
    pub(super) fn home(&self) -> u8 {
        self.list % 2
    }

    /// What the scenario are told of that.
    pub(super) fn places(&self, scenario: &Scenario) -> ModelPlaces {
        ModelPlaces(if scenario.knows_lists {
            self.list.into()
        } else {
            0
        })
    }

    /// The connection to the server where all keys are.
    pub(super) fn connection(&self) -> u8 {
        2 * self.restarts + self.home()
    }

    pub(super) fn send(&mut self, command: ModelCommand, sender: Option<Sender>) {
        let server = match command {
            // A lease is of the server that granted it.
            ModelCommand::Fill(_, (connection, _), _)
            | ModelCommand::Cancel(_, (connection, _)) => connection % 2,
            _ => self.home(),
        };
        self.wire.push((server, command, sender));
    }
}

/// The thing as this owner sees it.
pub(super) fn name(owner: Owner) -> Name {
    Name::new("", if owner == 0 { "a" } else { "b" }, &["g/"], "k")
}

pub(super) fn owner_of(name: &Name) -> Owner {
    u8::from(name.owner() == b"b")
}

pub(super) fn start(scenario: &Scenario) -> World {
    let read = |owner: &Owner| ModelRead {
        at: ReaderStage::Idle,
        owner: *owner,
        visit: Visit::default(),
        asked: false,
        down: false,
        number: 0,
        list: 0,
        floor: 0,
        left: scenario.reads,
    };
    let process = |i: usize| ModelProcess {
        trust: Trust::new(10, None),
        reads: scenario.readers[i].iter().map(read).collect(),
        write: None,
        writes_left: scenario.writes[i],
        made: 0,
    };
    World {
        source: 1,
        lost: 0,
        items: [[None; 2]; 2],
        list: 0,
        number: 0,
        restarts: 0,
        wire: Vec::new(),
        processes: vec![process(0), process(1)],
        known: [0, 0],
        forgets: 0,
        give_ups: 0,
        breaks: 0,
    }
}
