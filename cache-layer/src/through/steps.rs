//! What a read and a write of one key do, step by step; whoever takes the steps waits for them.
//!
//! A read that finds nothing is granted a **lease** by memcached: the right to fill the key, which any
//! deletion takes away. So a value that was fetched before a write cannot land behind the deletion that the
//! write brings. The lease holds on the connection that granted it only: memcached counts its leases from 1
//! after a restart, and an old one could be taken for a new one.

/// What memcached had.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Looked<L, V> {
    /// This value.
    Hit(V),
    /// This value, to be fetched again soon, by whoever holds this lease.
    Renew(V, L),
    /// Nothing, and the right to fill it.
    Win(L),
    /// Nothing, and another has the right to fill it.
    Lost,
    /// No answer, or one that makes no sense.
    Down,
}

/// The next step of a read that leads.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum ReadStep<L, V> {
    /// Ask memcached.
    Look,
    /// Give the one who fills it a moment, then ask again.
    Wait,
    /// Fetch it from where it comes from.
    Load,
    /// Store what was fetched under this lease.
    Fill(L),
    /// Give this lease back.
    Cancel(L),
    /// This is the answer.
    Serve(V),
    /// This is the answer, and it should be fetched anew under this lease.
    ServeAndRenew(V, L),
    /// What was fetched is the answer.
    Done,
}

/// A read that leads.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Reading<L> {
    lease: Option<L>,
}

impl<L> Reading<L> {
    pub(crate) fn new() -> Self {
        Self { lease: None }
    }

    /// A read that only renews.
    pub(crate) fn renewing(lease: L) -> Self {
        Self { lease: Some(lease) }
    }

    /// The lease, if it holds one: the read was given up.
    pub(crate) fn take_lease(&mut self) -> Option<L> {
        self.lease.take()
    }

    pub(crate) fn start<V>(&self) -> ReadStep<L, V> {
        match self.lease {
            Some(_) => ReadStep::Load,
            None => ReadStep::Look,
        }
    }

    /// Memcached has answered; `patient` says whether there is time to ask again.
    pub(crate) fn looked<V>(&mut self, looked: Looked<L, V>, patient: bool) -> ReadStep<L, V> {
        match looked {
            Looked::Hit(value) => ReadStep::Serve(value),
            Looked::Renew(value, lease) => ReadStep::ServeAndRenew(value, lease),
            Looked::Win(lease) => {
                self.lease = Some(lease);
                ReadStep::Load
            }
            Looked::Lost if patient => ReadStep::Wait,
            Looked::Lost | Looked::Down => ReadStep::Load,
        }
    }

    /// It was fetched, or could not be. `storable` says whether it may be kept, `current` whether nothing was
    /// written here since the read began.
    pub(crate) fn loaded<V>(&mut self, storable: bool, current: bool) -> ReadStep<L, V> {
        match self.lease.take() {
            Some(lease) if storable && current => ReadStep::Fill(lease),
            Some(lease) => ReadStep::Cancel(lease),
            None => ReadStep::Done,
        }
    }
}

/// The next step of a write.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum WriteStep<L> {
    /// Delete the key in memcached.
    Delete,
    /// Ask for the right to fill it.
    Lease,
    /// Write.
    Write,
    /// Store what was written under this lease.
    Fill(L),
    /// That is all; whether what memcached has is to be doubted for a time.
    Done {
        /// Whether it is.
        doubted: bool,
    },
}

/// A write: the key is deleted before, so that whoever reads it next asks its source, and again after, since
/// it may have been filled meanwhile with what it was.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Writing<L> {
    /// What was written is stored.
    through: bool,
    lease: Option<L>,
    written: bool,
    certain: bool,
}

impl<L> Writing<L> {
    pub(crate) fn new(through: bool) -> Self {
        Self {
            through,
            lease: None,
            written: false,
            certain: false,
        }
    }

    /// The deletion was acknowledged, or not.
    pub(crate) fn deleted(&self, acknowledged: bool) -> WriteStep<L> {
        if self.written {
            return WriteStep::Done {
                doubted: !acknowledged || !self.certain,
            };
        }
        match self.through && acknowledged {
            true => WriteStep::Lease,
            false => WriteStep::Write,
        }
    }

    /// The lease was granted before the write: had it been after, another's write in between would be covered
    /// by this one's value.
    pub(crate) fn leased(&mut self, lease: Option<L>) -> WriteStep<L> {
        self.lease = lease;
        WriteStep::Write
    }

    /// It was written; `certain` says that it was, and that no part of it is still on its way. `known`: what it
    /// wrote can be stored.
    pub(crate) fn written(&mut self, certain: bool, known: bool) -> WriteStep<L> {
        self.written = true;
        self.certain = certain;
        match self.lease.take() {
            Some(lease) if certain && known => WriteStep::Fill(lease),
            _ => WriteStep::Delete,
        }
    }

    /// What was written is stored, or not.
    pub(crate) fn filled(&self, stored: bool) -> WriteStep<L> {
        match stored {
            true => WriteStep::Done { doubted: false },
            false => WriteStep::Delete,
        }
    }
}
