//! What a read and a write of one key do, step by step. The code here decides the steps, and its caller takes them.
//!
//! A read that finds nothing is granted a **lease** by memcached: the right to fill the key, which any
//! deletion takes away. So a value that was fetched before a write cannot land behind the deletion that the
//! write brings. The lease holds on the connection that granted it only: memcached counts its leases from 1
//! after a restart, and an old one could be taken for a new one.

/// What memcached had for the key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Looked<L, V> {
    /// It had this value.
    Hit(V),
    /// It had this value, which the holder of this lease is to fetch anew.
    Renew(V, L),
    /// It had nothing, and granted the right to fill the key.
    Win(L),
    /// It had nothing, and another read has the right to fill the key.
    Lost,
    /// It gave no answer, or one that makes no sense.
    Down,
}

/// The next step of a read that leads.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum ReadStep<L, V> {
    /// Ask memcached for the key.
    Look,
    /// Wait a moment for the read that fills the key, then ask again.
    Wait,
    /// Fetch the thing from where it is.
    Load,
    /// Store what was fetched under this lease.
    Fill(L),
    /// The shell gives this lease back.
    Cancel(L),
    /// The shell answers with this value.
    Serve(V),
    /// Answer with this value, and fetch it anew under this lease.
    ServeAndRenew(V, L),
    /// Answer with what was fetched.
    Done,
}

/// The state of a read that leads.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ReadSteps<L> {
    lease: Option<L>,
}

impl<L> ReadSteps<L> {
    pub(crate) fn new() -> Self {
        Self { lease: None }
    }

    /// The state of a read that only renews an entry.
    pub(crate) fn renewing(lease: L) -> Self {
        Self { lease: Some(lease) }
    }

    /// Takes the lease, if the read holds one, since the read was given up.
    pub(crate) fn take_lease(&mut self) -> Option<L> {
        self.lease.take()
    }

    pub(crate) fn start<V>(&self) -> ReadStep<L, V> {
        match self.lease {
            Some(_) => ReadStep::Load,
            None => ReadStep::Look,
        }
    }

    /// Memcached has answered. `patient` says whether there is time to ask again.
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

    /// The thing was fetched, or could not be. `storable` says whether the answer may be kept, `current` whether this
    /// process has written nothing since the read began.
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
    /// Send the write to the service.
    Write,
    /// Store what was written under this lease.
    Fill(L),
    /// The write has ended.
    Done {
        /// Whether what memcached has is to be doubted for a time.
        doubted: bool,
    },
}

/// The state of a write of one key. The key is deleted before the write, so that the next reader asks the source, and
/// again after it, since the key may have been filled meanwhile with what was there before.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct WriteSteps<L> {
    /// Whether what was written is to be stored.
    through: bool,
    lease: Option<L>,
    written: bool,
    certain: bool,
}

impl<L> WriteSteps<L> {
    pub(crate) fn new(through: bool) -> Self {
        Self {
            through,
            lease: None,
            written: false,
            certain: false,
        }
    }

    /// A deletion has ended; `acknowledged` says how.
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

    /// The lease was asked for before the write is sent. If it were granted later, the value of this write could
    /// cover another write in between.
    pub(crate) fn leased(&mut self, lease: Option<L>) -> WriteStep<L> {
        self.lease = lease;
        WriteStep::Write
    }

    /// The write has been answered, or given up. `certain` says that no part of it is still on its way, `known` that
    /// what it wrote can be stored.
    pub(crate) fn written(&mut self, certain: bool, known: bool) -> WriteStep<L> {
        self.written = true;
        self.certain = certain;
        match self.lease.take() {
            Some(lease) if certain && known => WriteStep::Fill(lease),
            _ => WriteStep::Delete,
        }
    }

    /// The fill has ended; `stored` says whether what was written is stored.
    pub(crate) fn filled(&self, stored: bool) -> WriteStep<L> {
        match stored {
            true => WriteStep::Done { doubted: false },
            false => WriteStep::Delete,
        }
    }
}
