//! Writing past the cache, so that nobody here reads what was there before.

use std::sync::Arc;

use futures_util::future::join_all;
use tokio::runtime::Handle;

use super::core::Core;
use super::entry::Entry;
use super::name::Name;
use super::shelf::{Deleted, Filled, Shelf};
use super::stats::Counters;
use super::steps::{Looked, WriteStep, Writing};
use super::trust::Told;

/// A write under way. Reads of its keys in this process go past the cache until it is finished; dropped
/// instead, it counts as one that may still happen.
pub(crate) struct Write<S: Shelf> {
    core: Arc<Core<S>>,
    /// The things, as their own owner sees them and then as all others do that are known.
    keys: Vec<(Name, Writing<S::Lease>)>,
    /// As many are as their own owner sees them.
    own: usize,
    told: Told,
    /// What it writes can be stored.
    through: bool,
    /// It may have been sent.
    begun: bool,
    finished: bool,
}

impl<S: Shelf> Core<S> {
    /// Begins a write of these keys. With `through`, what it writes can be stored in place of what was there.
    pub(crate) async fn write(self: Arc<Self>, names: Vec<Name>, through: bool) -> Write<S> {
        // What it wrote is stored as its own owner sees it.
        let through = through && self.config.write_through && names.len() == 1;
        let own = names.len();
        let (names, told) = self.trust.begin_write(names, &self.shelf);
        for name in &names {
            self.forget_local(name);
        }
        let writing = |(i, name)| (name, Writing::new(through && i == 0));
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
            let deleted = core.shelf.delete(&name.key).await.is_safe();
            if !deleted || !through || i > 0 {
                return (deleted, None);
            }
            let limit = core.shelf.timeout();
            let look = core.shelf.look(&name.key, core.config.lease, None, limit);
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

impl<S: Shelf> Write<S> {
    /// Adds the things as those owners see them that were met since it began.
    fn close(&mut self) {
        let own: Vec<Name> = self.keys[..self.own]
            .iter()
            .map(|(name, _)| name.clone())
            .collect();
        let late = self.core.trust.close_write(&own, self.told);
        let late = late.into_iter().map(|name| (name, Writing::new(false)));
        self.keys.extend(late);
    }

    /// The write has ended. `certain` says that no part of it can still happen; `wrote` is what a read of the
    /// key would now find.
    pub(crate) async fn finish(mut self, certain: bool, wrote: Option<Entry>) {
        self.close();
        let core = self.core.clone();
        let one = async |(name, mut writing): (Name, Writing<S::Lease>)| {
            let mut step = writing.written(certain, wrote.is_some());
            let doubted = loop {
                step = match step {
                    WriteStep::Fill(lease) => {
                        let stored = fill(&core, &name, lease, wrote.as_ref()).await;
                        writing.filled(stored)
                    }
                    WriteStep::Done { doubted } => break doubted,
                    _ => {
                        let deleted = core.shelf.delete(&name.key).await;
                        if deleted != Deleted::Done {
                            Counters::add(&core.counters.unacknowledged);
                        }
                        writing.deleted(deleted.is_safe())
                    }
                }
            };
            (name, doubted)
        };
        // The names stay here, in case this is dropped while it waits.
        let keys: Vec<_> = self
            .keys
            .iter_mut()
            .map(|(name, writing)| {
                (
                    name.clone(),
                    std::mem::replace(writing, Writing::new(false)),
                )
            })
            .collect();
        let ended = join_all(keys.into_iter().map(one)).await;
        for (name, doubted) in &ended {
            Counters::add(&core.counters.invalidations);
            core.forget_local(name);
            core.trust.end_write(name, self.told, *doubted, &core.shelf);
        }
        self.finished = true;
    }
}

async fn fill<S: Shelf>(
    core: &Core<S>,
    name: &Name,
    lease: S::Lease,
    wrote: Option<&Entry>,
) -> bool {
    let Some(keep) = wrote.and_then(|entry| core.to_keep(name, entry)) else {
        return false;
    };
    let stored = core.shelf.fill(lease, keep.value, keep.ttl).await == Filled::Stored;
    if stored {
        Counters::add(&core.counters.fills);
    }
    stored
}

impl<S: Shelf> Drop for Write<S> {
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
                .end_write(name, self.told, self.begun, &core.shelf);
        }
        // A write that had not begun may hold the right to fill its key, or be granted it still.
        if (self.begun || self.through)
            && let Ok(runtime) = Handle::try_current()
        {
            let core = self.core.clone();
            runtime.spawn(async move {
                join_all(names.iter().map(|name| core.shelf.delete(&name.key))).await;
            });
        }
    }
}
