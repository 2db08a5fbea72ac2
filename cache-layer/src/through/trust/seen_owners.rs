//! A table that tells without a lock which owners have read in this second.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use crate::through::name::Name;

/// How many owners have a slot.
const SEEN_SLOTS: usize = 512;

/// The owners that have read in this second and that every write tells. A slot holds the hash of an owner, its group
/// and the second. Other owners ask the [`Trust`](super::Trust), which gives the same answer and costs a lock.
///
/// The hash has 64 bits and a random key, so that nobody can choose an owner that is taken for another.
#[derive(Debug)]
pub(crate) struct SeenOwners {
    slots: [AtomicU64; SEEN_SLOTS],
    hasher: RandomState,
    began: Instant,
}

/// An owner in a group, in one second.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark(u64);

impl SeenOwners {
    pub(crate) fn new(began: Instant) -> Self {
        Self {
            slots: [const { AtomicU64::new(0) }; SEEN_SLOTS],
            hasher: RandomState::new(),
            began,
        }
    }

    pub(crate) fn mark(&self, name: &Name, now: Instant) -> Mark {
        let second = now.saturating_duration_since(self.began).as_secs();
        // No mark looks like an empty slot.
        Mark(self.hasher.hash_one((name.owner_and_group(), second)) | 1)
    }

    pub(crate) fn has(&self, mark: Mark) -> bool {
        self.place(mark).load(Ordering::Acquire) == mark.0
    }

    pub(crate) fn put(&self, mark: Mark) {
        self.place(mark).store(mark.0, Ordering::Release);
    }

    fn place(&self, Mark(mark): Mark) -> &AtomicU64 {
        &self.slots[(mark >> 32) as usize % SEEN_SLOTS]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_mark_is_of_one_owner_in_one_group_and_second() {
        let (began, second) = (Instant::now(), Duration::from_secs(1));
        let seen = SeenOwners::new(began);
        let mark = |owner: &str, group: &str, after: u32| {
            seen.mark(
                &Name::new("t:0:", owner, &[group], "k"),
                began + second * after,
            )
        };
        seen.put(mark("a", "g", 0));
        assert!(seen.has(mark("a", "g", 0)));
        for other in [
            mark("b", "g", 0),
            mark("a", "h", 0),
            mark("a", "g", 1),
            mark("", "a:g", 0),
        ] {
            assert!(!seen.has(other));
        }
    }
}
