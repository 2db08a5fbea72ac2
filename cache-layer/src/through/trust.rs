//! What may be believed of what the cache has: the one place that decides it, for reads and for writes.
//!
//! Memcached is shared, forgets, and answers late; other processes fill it. What this process knows better is which of
//! its own writes may not have reached it. Three questions are put here:
//!
//! - [`believes`](Trust::believes): may a read that begins now believe what memcached has? It then fills nothing and
//!   nobody waits for it, so that a hit costs no more than the question. In the usual case that is answered by
//!   two looks at atomic numbers, without a lock.
//! - [`admit`](Rules::admit): how does a read go on that found nothing?
//! - [`begin_write`](Trust::begin_write), [`close_write`](Trust::close_write) and [`end_write`](Trust::end_write): which
//!   keys does a write make old, and what is doubted after it?
//!
//! A key is in one of these states, in this process:
//!
//! ```text
//!              begin_write                          end_write, acknowledged and certain
//!   ┌──────┐ ───────────────► ┌─────────────────┐ ──────────────────────────────► ┌──────┐
//!   │ open │                  │ being written   │                                 │ open │
//!   │      │ ◄─────────────── │ (by n writes)   │ ───────────► ┌─────────┐ ─────► │      │
//!   └──────┘   the last ends  └─────────────────┘  end_write,  │ doubted │  time  └──────┘
//!     │  ▲                             ▲           otherwise   └─────────┘
//!     │  │ leave, or cut off           └───────────── begin_write ──┘
//!     ▼  │ by a write
//!   ┌────────────────┐
//!   │ open, and one  │   open: reads believe memcached, and what is missing is fetched by one read that leads
//!   │ read leads     │   being written, doubted: reads go past the cache, and fill nothing
//!   └────────────────┘
//! ```
//!
//! A doubt lasts until nothing is left that could have been kept before it: the longest time to live, and before that
//! the time in which a fill may still land that began earlier. It is of a [key](keys); of a [server](shards) where
//! there are more keys than can be remembered; of a [group](groups) where nobody can name what was changed; and of what
//! an [owner](owners) has that no write was told of.
//!
//! **Servers come and go.** The deletions of a write reach the server where the key is by the list of that time. By
//! another list the key may be on a server that has kept it from an earlier time. So what was written under one list is
//! not believed under another for as long as anything can be kept, and an answer that came after the list had changed is
//! not believed at all. For that time after a change of the list every read takes the lock.
//!
//! **A read shares what began after it did, and nothing older.** Each read that leads has a number; a read that meets
//! one with a number given before its own beginning waits for its end only, and shares the next. So what is
//! promised of a write, here and in other processes, is true of reads that share too.

mod filter;
mod groups;
mod keys;
mod owners;
mod rules;
mod seen;
mod shards;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use filter::Filter;
pub(crate) use rules::{Admit, Rules, Told, Visit};
use seen::Seen;
pub(crate) use shards::{Placement, Shard};

use super::name::Name;

/// An instant, and the one by which all that could be kept at it is gone.
#[derive(Clone, Copy, Debug)]
pub(crate) struct At<T> {
    pub(crate) now: T,
    pub(crate) until: T,
}

/// The [rules](Rules), shared by all tasks of the process.
pub(crate) struct Trust<F> {
    rules: Mutex<Rules<Instant, F>>,
    filter: Arc<Filter>,
    seen: Seen,
    /// How long a doubt lasts.
    lasts: Duration,
}

impl<F: Clone> Trust<F> {
    /// Doubts last that long; beyond so many keys, whole servers are doubted.
    pub(crate) fn new(lasts: Duration, max_doubted: usize) -> Self {
        let filter = Arc::new(Filter::new());
        Self {
            rules: Mutex::new(Rules::new(max_doubted, Some(filter.clone()))),
            filter,
            seen: Seen::new(now()),
            lasts,
        }
    }

    pub(crate) fn rules(&self) -> MutexGuard<'_, Rules<Instant, F>> {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does something under the lock, with the time under the lock: a task that waits for it long would else end
    /// doubts too early.
    pub(crate) fn with_rules<R>(
        &self,
        act: impl FnOnce(&mut Rules<Instant, F>, At<Instant>) -> R,
    ) -> R {
        let mut rules = self.rules();
        let now = now();
        let until = now + self.lasts;
        act(&mut rules, At { now, until })
    }

    /// Whether a read that begins now and fills nothing may believe what memcached has. In the usual case without a
    /// lock: nothing of its key is under way or in doubt, and its owner was seen in this second.
    ///
    /// What memcached says may be believed only if the [list](Placement::list) is the same after it as it was before
    /// this.
    pub(crate) fn believes(&self, name: &Name, places: &impl Placement) -> bool {
        let mark = self.seen.mark(name, now());
        if self.seen.has(mark) && !self.filter.may_have(&name.key, places.list()) {
            return true;
        }
        let belief = self.with_rules(|rules, at| rules.believes(name, places, at));
        if belief.sure {
            self.seen.put(mark);
        }
        belief.believed
    }

    /// Whether a read that begins now may believe what the first tier has: nothing there is as old as a write of this
    /// process, unless its owner was not told of it.
    #[cfg(feature = "local")]
    pub(crate) fn believes_local(&self, name: &Name) -> bool {
        let mark = self.seen.mark(name, now());
        if self.seen.has(mark) && !self.filter.has_others() {
            return true;
        }
        let belief = self.with_rules(|rules, at| rules.believes_local(name, at));
        if belief.sure {
            self.seen.put(mark);
        }
        belief.believed
    }

    pub(crate) fn begin_write(
        &self,
        names: Vec<Name>,
        places: &impl Placement,
    ) -> (Vec<Name>, Told) {
        self.with_rules(|rules, at| rules.begin_write(names, places, at))
    }

    pub(crate) fn close_write(&self, names: &[Name], told: Told) -> Vec<Name> {
        self.with_rules(|rules, at| rules.close_write(names, told, at))
    }

    pub(crate) fn end_write(
        &self,
        name: &Name,
        told: Told,
        doubted: bool,
        places: &impl Placement,
    ) {
        self.with_rules(|rules, at| rules.end_write(&name.key, told, doubted, places, at));
    }

    pub(crate) fn forget_group(&self, name: &Name) {
        self.with_rules(|rules, at| rules.forget_group(name.group(), at));
    }

    /// Keys that the cache is not asked for at present.
    pub(crate) fn doubted(&self) -> usize {
        self.rules().doubted(now())
    }
}

/// The instant now, on tokio's clock.
pub(crate) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
