//! The first tier: entries in the memory of this process, for a short time.

use std::time::{Duration, Instant};

use bytes::Bytes;
use quick_cache::{Weighter, sync::Cache};

use super::entry::Entry;
use crate::memcached::Key;

/// About how many bytes an entry takes beside its own.
const ENTRY_OVERHEAD: usize = 160;

#[derive(Clone)]
struct Weight;

impl Weighter<Key, (Entry, Instant)> for Weight {
    fn weight(&self, key: &Key, (entry, _): &(Entry, Instant)) -> u64 {
        (ENTRY_OVERHEAD + key.as_bytes().len() + entry.head.len() + entry.body.len()) as u64
    }
}

/// Entries that together take no more than a number of bytes.
pub(crate) struct Local {
    cache: Cache<Key, (Entry, Instant), Weight>,
    ttl: Duration,
}

impl Local {
    pub(crate) fn new(bytes: u64, ttl: Duration) -> Self {
        // This estimate of the number of entries sizes the tables of the cache.
        let items = usize::try_from(bytes / 1024)
            .unwrap_or(usize::MAX)
            .clamp(16, 1 << 20);
        Self {
            cache: Cache::with_weighter(items, bytes, Weight),
            ttl,
        }
    }

    pub(crate) fn get(&self, key: &Key, now: Instant) -> Option<Entry> {
        let (entry, until) = self.cache.get(key)?;
        if now < until {
            return Some(entry);
        }
        self.cache.remove(key);
        None
    }

    /// Keeps a copy of the entry, since its bytes may be a small piece of a large buffer.
    pub(crate) fn insert(&self, key: &Key, entry: &Entry, now: Instant, fresh: Duration) {
        let entry = Entry {
            head: Bytes::copy_from_slice(&entry.head),
            body: Bytes::copy_from_slice(&entry.body),
            ..*entry
        };
        self.cache
            .insert(key.clone(), (entry, now + self.ttl.min(fresh)));
    }

    pub(crate) fn remove(&self, key: &Key) {
        self.cache.remove(key);
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.cache.weight()
    }

    pub(crate) fn clear(&self) {
        self.cache.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(bytes: usize) -> Entry {
        Entry {
            absent: false,
            cost: 0.0,
            head: Bytes::new(),
            body: vec![7; bytes].into(),
        }
    }

    #[test]
    fn entries_end_and_memory_is_bounded() {
        let (local, now) = (Local::new(100_000, Duration::from_secs(2)), Instant::now());
        let key = Key::from("k");
        local.insert(&key, &entry(10), now, Duration::from_secs(60));
        assert!(local.get(&key, now + Duration::from_millis(1999)).is_some());
        assert!(local.get(&key, now + Duration::from_secs(2)).is_none());
        // What is fresh for a shorter time stays for that.
        local.insert(&key, &entry(10), now, Duration::from_secs(1));
        assert!(local.get(&key, now + Duration::from_secs(1)).is_none());
        for i in 0..1000 {
            local.insert(
                &Key::from(format!("k{i}")),
                &entry(1000),
                now,
                Duration::from_secs(9),
            );
            assert!(local.bytes() <= 100_000);
        }
        local.clear();
        assert_eq!(local.bytes(), 0);
    }
}
