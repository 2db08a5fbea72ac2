//! Writing past the cache, so that nobody here reads what was there before.

use std::sync::Arc;
use std::time::SystemTime;

use futures_util::future::join_all;
use tokio::runtime::Handle;
use tokio::time::Instant;

use super::core::Core;
use super::entry::{self, Entry};
use super::name::Name;
use super::shelf::{Deleted, Filled, Shelf};
use super::stats::Counters;
use super::steps::{Looked, WriteStep, Writing};

/// A write under way. Reads of its keys in this process go past the cache until it is finished; dropped
/// instead, it counts as one that may still happen.
pub(crate) struct Write<S: Shelf> {
    core: Arc<Core<S>>,
    keys: Vec<(Name, Writing<S::Lease>)>,
    /// It may have been sent.
    begun: bool,
    finished: bool,
}

impl<S: Shelf> Core<S> {
    /// Begins a write of these keys. With `through`, what it writes can be stored in place of what was there.
    pub(crate) async fn write(self: Arc<Self>, names: Vec<Name>, through: bool) -> Write<S> {
        // What it wrote is stored as its own owner sees it.
        let through = through && self.config.write_through && names.len() == 1;
        let names = self.for_all_owners(names);
        {
            let mut fences = self.fences();
            for name in &names {
                fences.begin_write(&name.key);
                self.forget_local(name);
            }
        }
        let writing = |(i, name)| (name, Writing::new(through && i == 0));
        let mut write = Write {
            keys: names.into_iter().enumerate().map(writing).collect(),
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
    /// The write has ended. `certain` says that no part of it can still happen; `wrote` is what a read of the
    /// key would now find.
    pub(crate) async fn finish(mut self, certain: bool, wrote: Option<Entry>) {
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
        let now = Instant::now().into_std();
        let until = now + core.config.longest();
        let mut fences = core.fences();
        for (name, doubted) in &ended {
            Counters::add(&core.counters.invalidations);
            core.forget_local(name);
            let shard = || core.shelf.shard(&name.key);
            fences.end_write(&name.key, shard, doubted.then_some(until), now);
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
    let Some((entry, (fresh, ttl))) = wrote.and_then(|e| Some((e, core.times(e.absent)?))) else {
        return false;
    };
    let until = entry::unix_ms(SystemTime::now() + fresh);
    let value = core.config.form.encode(&name.key, entry, until);
    let stored = value.len() <= core.config.max_value
        && core.shelf.fill(lease, value, ttl).await == Filled::Stored;
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
        let now = Instant::now().into_std();
        let until = self.begun.then(|| now + self.core.config.longest());
        let mut names = Vec::new();
        {
            let mut fences = self.core.fences();
            for (name, _) in self.keys.drain(..) {
                self.core.forget_local(&name);
                let shard = || self.core.shelf.shard(&name.key);
                fences.end_write(&name.key, shard, until, now);
                names.push(name);
            }
        }
        if self.begun
            && let Ok(runtime) = Handle::try_current()
        {
            let core = self.core.clone();
            runtime.spawn(async move {
                join_all(names.iter().map(|name| core.shelf.delete(&name.key))).await;
            });
        }
    }
}
