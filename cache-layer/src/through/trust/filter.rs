//! Which keys are under suspicion, told without a lock.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};

use crate::memcached::Key;

/// Keys share so many places: few enough to stay in a processor's cache, enough that a key seldom pays for another.
const PLACES: usize = 1024;

/// A count of the keys that a write is under way of, or that are doubted, by a hash of theirs. Those who read ask
/// here first, and only those who read such a key, or one of its place, look it up in the [rules](super::Rules).
#[derive(Debug)]
pub(crate) struct Filter {
    /// In all places.
    keys: AtomicUsize,
    places: [AtomicU32; PLACES],
    /// Keys that nobody has counted.
    others: AtomicBool,
    /// The list of servers that all this is said of.
    list: AtomicU64,
}

impl Filter {
    pub(crate) fn new() -> Self {
        Self {
            keys: AtomicUsize::new(0),
            places: [const { AtomicU32::new(0) }; PLACES],
            others: AtomicBool::new(false),
            list: AtomicU64::new(0),
        }
    }

    /// Whether this key may be one of them by this list of servers; false is certain.
    ///
    /// A write that ended before this was called has been seen, if its caller knows that it ended.
    pub(crate) fn may_have(&self, key: &Key, list: u64) -> bool {
        self.list.load(Ordering::Acquire) != list
            || self.others.load(Ordering::Acquire)
            || (self.keys.load(Ordering::Acquire) > 0
                && self.place(key).load(Ordering::Acquire) > 0)
    }

    pub(crate) fn add(&self, key: &Key) {
        self.place(key).fetch_add(1, Ordering::AcqRel);
        self.keys.fetch_add(1, Ordering::AcqRel);
    }

    pub(crate) fn remove(&self, key: &Key) {
        self.keys.fetch_sub(1, Ordering::AcqRel);
        self.place(key).fetch_sub(1, Ordering::AcqRel);
    }

    /// Whether there are keys that could not be counted one by one.
    pub(crate) fn set_others(&self, any: bool) {
        self.others.store(any, Ordering::Release);
    }

    /// What is said from now on is said of this list of servers.
    pub(crate) fn set_list(&self, list: u64) {
        self.list.store(list, Ordering::Release);
    }

    /// Whether there are such keys.
    #[cfg(feature = "local")]
    pub(crate) fn has_others(&self) -> bool {
        self.others.load(Ordering::Acquire)
    }

    fn place(&self, key: &Key) -> &AtomicU32 {
        // Any spread will do, and this one takes a few nanoseconds: it guards against nobody.
        const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
        let mix = |hash: u64, word: u64| (hash.rotate_left(23) ^ word).wrapping_mul(ODD);
        let (words, rest) = key.as_bytes().as_chunks::<8>();
        let hash = words
            .iter()
            .fold(0, |hash, word| mix(hash, u64::from_le_bytes(*word)));
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        let hash = mix(hash, u64::from_le_bytes(last));
        &self.places[(hash >> 54) as usize % PLACES]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_added_is_found_until_removed() {
        let suspects = Filter::new();
        let keys: Vec<Key> = (0..100).map(|i| Key::from(format!("key {i}"))).collect();
        assert!(!keys.iter().any(|key| suspects.may_have(key, 0)));
        for key in &keys {
            suspects.add(key);
            suspects.add(key);
        }
        for key in &keys {
            suspects.remove(key);
        }
        assert!(keys.iter().all(|key| suspects.may_have(key, 0)));
        // Most others are not taken for them.
        let others = (0..1000).map(|i| Key::from(format!("other {i}")));
        let taken = others.filter(|key| suspects.may_have(key, 0)).count();
        assert!(taken < 200, "{taken} of 1000");
        for key in &keys {
            suspects.remove(key);
        }
        assert!(!keys.iter().any(|key| suspects.may_have(key, 0)));
        suspects.set_others(true);
        assert!(suspects.may_have(&keys[0], 0));
        suspects.set_others(false);
        assert!(!suspects.may_have(&keys[0], 0) && suspects.may_have(&keys[0], 1));
        suspects.set_list(1);
        assert!(suspects.may_have(&keys[0], 0) && !suspects.may_have(&keys[0], 1));
    }
}
