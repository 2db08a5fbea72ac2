//! Which owners were seen in this second, told without a lock.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use crate::through::name::Name;

/// As many owners are remembered, each at one place.
const PLACES: usize = 512;

/// The owners that read in this second and that every write is told of; a place holds the hash of an owner, its group
/// and the second. Others ask the [rules](super::Rules), which is right too, and costs a lock.
///
/// The hash has 64 bits and a random key, so that nobody can choose an owner that is taken for another.
#[derive(Debug)]
pub(crate) struct Seen {
    places: [AtomicU64; PLACES],
    hasher: RandomState,
    began: Instant,
}

/// An owner in a group, in one second.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark(u64);

impl Seen {
    pub(crate) fn new(began: Instant) -> Self {
        Self {
            places: [const { AtomicU64::new(0) }; PLACES],
            hasher: RandomState::new(),
            began,
        }
    }

    pub(crate) fn mark(&self, name: &Name, now: Instant) -> Mark {
        let second = now.saturating_duration_since(self.began).as_secs();
        // No mark is that of an empty place.
        Mark(self.hasher.hash_one((name.owner_and_group(), second)) | 1)
    }

    pub(crate) fn has(&self, mark: Mark) -> bool {
        self.place(mark).load(Ordering::Acquire) == mark.0
    }

    pub(crate) fn put(&self, mark: Mark) {
        self.place(mark).store(mark.0, Ordering::Release);
    }

    fn place(&self, Mark(mark): Mark) -> &AtomicU64 {
        &self.places[(mark >> 32) as usize % PLACES]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_mark_is_of_one_owner_in_one_group_and_second() {
        let (began, second) = (Instant::now(), Duration::from_secs(1));
        let seen = Seen::new(began);
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
