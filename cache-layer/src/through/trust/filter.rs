//! A filter that tells without a lock which keys may be doubted.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};

use crate::memcached::Key;

/// How many slots the keys share. They are few enough to stay in the cache of a processor, and enough that a key
/// seldom shares the slot of a doubted one.
const FILTER_SLOTS: usize = 1024;

/// Counts, by a hash of the key, the keys that are being written or doubted. A read asks here first, and only a read
/// of such a key, or of one in the same slot, asks the [`Trust`](super::Trust) behind its lock.
#[derive(Debug)]
pub(crate) struct DoubtFilter {
    /// The sum of all slots.
    keys: AtomicUsize,
    slots: [AtomicU32; FILTER_SLOTS],
    /// Whether there are doubted keys that could not be counted one by one.
    others: AtomicBool,
    /// The list of servers that the counts are true of.
    list: AtomicU64,
}

impl DoubtFilter {
    pub(crate) fn new() -> Self {
        Self {
            keys: AtomicUsize::new(0),
            slots: [const { AtomicU32::new(0) }; FILTER_SLOTS],
            others: AtomicBool::new(false),
            list: AtomicU64::new(0),
        }
    }

    /// Whether this key may be one of them, by this list of servers. That it is not is certain.
    ///
    /// A write that ended before this call has been counted.
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

    /// Says whether there are doubted keys that could not be counted one by one.
    pub(crate) fn set_others(&self, any: bool) {
        self.others.store(any, Ordering::Release);
    }

    /// Says which list of servers the counts are true of from now on.
    pub(crate) fn set_list(&self, list: u64) {
        self.list.store(list, Ordering::Release);
    }

    /// Whether there are doubted keys that could not be counted one by one.
    #[cfg(feature = "local")]
    pub(crate) fn has_others(&self) -> bool {
        self.others.load(Ordering::Acquire)
    }

    fn place(&self, key: &Key) -> &AtomicU32 {
        // This hash takes a few nanoseconds. Nobody gains from keys that share a slot, so it need not resist anybody.
        const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
        let mix = |hash: u64, word: u64| (hash.rotate_left(23) ^ word).wrapping_mul(ODD);
        let (words, rest) = key.as_bytes().as_chunks::<8>();
        let hash = words
            .iter()
            .fold(0, |hash, word| mix(hash, u64::from_le_bytes(*word)));
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        let hash = mix(hash, u64::from_le_bytes(last));
        &self.slots[(hash >> 54) as usize % FILTER_SLOTS]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_added_is_found_until_removed() {
        let suspects = DoubtFilter::new();
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
