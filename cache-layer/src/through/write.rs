//! A write, which goes past the cache and has it forget what was there before.

use std::sync::Arc;

use futures_util::future::join_all;
use tokio::runtime::Handle;

use super::backend::{Backend, Deleted, Filled};
use super::core::Core;
use super::entry::Entry;
use super::name::Name;
use super::stats::count;
use super::steps::{Looked, WriteStep, WriteSteps};
use super::trust::WriteTicket;

/// A write under way. Reads of its keys in this process go past the cache until it is finished. When it is dropped
/// instead, it counts as a write that may still happen.
pub(crate) struct Write<S: Backend> {
    core: Arc<Core<S>>,
    /// The names of the things for their own owner, and behind them the names for all other owners that are known.
    keys: Vec<(Name, WriteSteps<S::Right>)>,
    /// How many names are those of their own owner.
    own: usize,
    told: WriteTicket,
    /// Whether what it writes can be stored.
    through: bool,
    /// Whether it may have been sent.
    begun: bool,
    finished: bool,
}

impl<S: Backend> Core<S> {
    /// Begins a write of these keys. `through` says that what it writes can be stored in place of what was there.
    pub(crate) async fn write(self: Arc<Self>, names: Vec<Name>, through: bool) -> Write<S> {
        // What it wrote is stored for its own owner only.
        let through = through && self.config.write_through && names.len() == 1;
        let own = names.len();
        let (names, told) = self.trust.begin_write(names, &self.backend);
        for name in &names {
            self.forget_local(name);
        }
        let writing = |(i, name)| (name, WriteSteps::new(through && i == 0));
        let mut write = Write {
            keys: names.into_iter().enumerate().map(writing).collect(),
            own,
            told,
            through,
            core: self,
            begun: false,
            finished: false,
        };
        let core = &write.core;
        let begin = async |i: usize, name: &Name| {
            let deleted = core.backend.delete(&name.key).await.is_safe();
            if !deleted || !through || i > 0 {
                return (deleted, None);
            }
            let limit = core.backend.timeout();
            let look = core.backend.look(&name.key, core.config.lease, None, limit);
            match look.await {
                Looked::Win(lease) => (true, Some(lease)),
                _ => (true, None),
            }
        };
        let begun = join_all(
            write
                .keys
                .iter()
                .enumerate()
                .map(|(i, (name, _))| begin(i, name)),
        )
        .await;
        for ((_, writing), (deleted, lease)) in write.keys.iter_mut().zip(begun) {
            if matches!(writing.deleted(deleted), WriteStep::Lease) {
                writing.leased(lease);
            }
        }
        write.begun = true;
        write
    }
}

impl<S: Backend> Write<S> {
    /// Adds the names for the owners that were met since the write began.
    fn close(&mut self) {
        let own: Vec<Name> = self.keys[..self.own]
            .iter()
            .map(|(name, _)| name.clone())
            .collect();
        let late = self.core.trust.close_write(&own, self.told);
        let late = late.into_iter().map(|name| (name, WriteSteps::new(false)));
        self.keys.extend(late);
    }

    /// Ends the write. `certain` says that no part of it can still happen; `wrote` is what a read of the key would
    /// now find.
    pub(crate) async fn finish(mut self, certain: bool, wrote: Option<Entry>) {
        self.close();
        let core = self.core.clone();
        let one = async |(name, mut writing): (Name, WriteSteps<S::Right>)| {
            let mut step = writing.written(certain, wrote.is_some());
            let doubted = loop {
                step = match step {
                    WriteStep::Fill(lease) => {
                        let stored = fill(&core, &name, lease, wrote.as_ref()).await;
                        writing.filled(stored)
                    }
                    WriteStep::Done { doubted } => break doubted,
                    _ => {
                        let deleted = core.backend.delete(&name.key).await;
                        if deleted != Deleted::Done {
                            count(&core.counters.unacknowledged);
                        }
                        writing.deleted(deleted.is_safe())
                    }
                }
            };
            (name, doubted)
        };
        // The names stay in `self`, in case this future is dropped while it waits.
        let keys: Vec<_> = self
            .keys
            .iter_mut()
            .map(|(name, writing)| {
                (
                    name.clone(),
                    std::mem::replace(writing, WriteSteps::new(false)),
                )
            })
            .collect();
        let ended = join_all(keys.into_iter().map(one)).await;
        for (name, doubted) in &ended {
            count(&core.counters.invalidations);
            core.forget_local(name);
            core.trust
                .end_write(name, self.told, *doubted, &core.backend);
        }
        self.finished = true;
    }
}

async fn fill<S: Backend>(
    core: &Core<S>,
    name: &Name,
    lease: S::Right,
    wrote: Option<&Entry>,
) -> bool {
    let Some(keep) = wrote.and_then(|entry| core.to_keep(name, entry)) else {
        return false;
    };
    let stored = core.backend.fill(lease, keep.value, keep.ttl).await == Filled::Stored;
    if stored {
        count(&core.counters.fills);
    }
    stored
}

impl<S: Backend> Drop for Write<S> {
    fn drop(&mut self) {
        if self.finished {
            return;
        }
        if self.begun {
            self.close();
        }
        let core = &self.core;
        let names: Vec<Name> = self.keys.drain(..).map(|(name, _)| name).collect();
        for name in &names {
            core.forget_local(name);
            core.trust
                .end_write(name, self.told, self.begun, &core.backend);
        }
        // A write that was dropped before it was sent may hold the right to fill its key, or may be granted it later.
        if (self.begun || self.through)
            && let Ok(runtime) = Handle::try_current()
        {
            let core = self.core.clone();
            runtime.spawn(async move {
                join_all(names.iter().map(|name| core.backend.delete(&name.key))).await;
            });
        }
    }
}
