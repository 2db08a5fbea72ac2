//! What the cache has done, and what it has saved.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::counters::counters;
use crate::memcached::ServerStats;

counters! {
    pub(crate) struct CacheCounters;
    /// What a cache has done so far.
    #[derive(Clone, Debug, Default)]
    #[non_exhaustive]
    pub struct CacheStats {
        /// Reads answered by the first tier.
        local_hits,
        /// Reads answered by memcached, stale ones included.
        hits,
        /// Hits that said that the thing does not exist.
        absent_hits,
        /// Hits that were stale, and were fetched anew after the read was answered.
        stale_hits,
        /// Reads that waited for the same read of another task and shared its answer.
        joined,
        /// Reads that memcached had nothing for, or no answer.
        misses,
        /// Entries that were stored in memcached.
        fills,
        /// Fills that were dropped, since the key was written or deleted meanwhile.
        refused_fills,
        /// Answers that were too large, or of a kind that is not kept.
        unkept,
        /// Reads past the cache, since this process was writing the key or doubted what memcached has.
        past,
        /// Reads that memcached had no answer for in time, or none that makes sense.
        errors,
        /// Entries that were damaged, of another form, or another key's.
        corrupt,
        /// Keys deleted on behalf of writes, each write of one counted once.
        invalidations,
        /// Keys deleted on behalf of writes whose deletion was not acknowledged.
        unacknowledged,
    } and {
        /// Keys that this process reads past the cache now, since a write of them is under way, or ended
        /// so that what memcached has is not certain.
        pub doubted: usize,
        /// Bytes in the first tier.
        pub local_bytes: u64,
        /// What was not asked of the service, by operation.
        pub saved: Vec<Saved>,
        /// The figures of each server.
        pub servers: Vec<ServerStats>,
    }
}

/// Adds one to a counter.
pub(crate) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Relaxed);
}

/// What the cache has saved of one operation.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Saved {
    /// The operation, as the service names it.
    pub operation: &'static str,
    /// How many requests were not sent.
    pub requests: u64,
    /// What the answers had cost when they were fetched, in the service's unit: machine hours for SimpleDB,
    /// nothing for S3, which bills by the request.
    pub cost: f64,
}

/// What a service costs, for an estimate of what was saved. The caller takes the figures from the price list of the
/// service.
#[derive(Clone, Debug, Default)]
pub struct Prices {
    /// The price of a thousand requests of an operation, by its name, such as `("GetObject", 0.0004)`.
    pub per_thousand: Vec<(&'static str, f64)>,
    /// The price of one unit of [`Saved::cost`], such as that of a machine hour.
    pub per_unit: f64,
}

impl CacheStats {
    /// How many reads needed no request.
    pub fn answered(&self) -> u64 {
        self.local_hits + self.hits + self.joined
    }

    /// The share of reads that the cache was asked for and that needed no request, 0 to 1; 0 when there were
    /// none.
    pub fn hit_rate(&self) -> f64 {
        let asked = self.answered() + self.misses;
        if asked == 0 {
            return 0.0;
        }
        self.answered() as f64 / asked as f64
    }

    /// About what was saved, in the currency of the prices.
    pub fn money(&self, prices: &Prices) -> f64 {
        let price = |operation: &str| {
            let mut all = prices.per_thousand.iter();
            all.find(|(name, _)| *name == operation)
                .map_or(0.0, |p| p.1)
        };
        let of =
            |s: &Saved| s.requests as f64 / 1000.0 * price(s.operation) + s.cost * prices.per_unit;
        // The sum of no numbers would be minus zero.
        self.saved.iter().map(of).fold(0.0, |all, one| all + one)
    }
}

/// What was not asked of the service, by operation; counted without a lock.
#[derive(Debug, Default)]
pub(crate) struct Savings(OnceLock<Box<Tally>>);

impl Savings {
    /// One request of this operation was not sent, whose answer had cost so much.
    pub(crate) fn add(&self, operation: &'static str, cost: f64) {
        let mut place = &self.0;
        loop {
            let tally = place.get_or_init(|| Box::new(Tally::new(operation)));
            if tally.operation == operation {
                return tally.add(cost);
            }
            place = &tally.next;
        }
    }

    pub(crate) fn all(&self) -> Vec<Saved> {
        let first = self.0.get().map(Box::as_ref);
        let tallies = std::iter::successors(first, |tally| tally.next.get().map(Box::as_ref));
        let saved = |tally: &Tally| Saved {
            operation: tally.operation,
            requests: tally.requests.load(Relaxed),
            cost: f64::from_bits(tally.cost.load(Relaxed)),
        };
        // A tally may be in the list whose first request is not counted yet.
        tallies.map(saved).filter(|s| s.requests > 0).collect()
    }
}

/// What one operation has not cost. The tallies make a list that only grows, by as many as there are operations.
#[derive(Debug)]
struct Tally {
    operation: &'static str,
    requests: AtomicU64,
    /// The bits of an `f64`.
    cost: AtomicU64,
    next: OnceLock<Box<Self>>,
}

impl Tally {
    fn new(operation: &'static str) -> Self {
        Self {
            operation,
            requests: AtomicU64::new(0),
            cost: AtomicU64::new(0),
            next: OnceLock::new(),
        }
    }

    fn add(&self, cost: f64) {
        self.requests.fetch_add(1, Relaxed);
        if cost != 0.0 {
            let sum = |bits| Some((f64::from_bits(bits) + cost).to_bits());
            // The closure always gives a sum.
            let _ = self.cost.fetch_update(Relaxed, Relaxed, sum);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_follows_the_price_list() {
        let savings = Savings::default();
        for _ in 0..500 {
            savings.add("GetObject", 0.0);
        }
        savings.add("GetAttributes", 0.5);
        savings.add("HeadObject", 0.0);
        let prices = Prices {
            per_thousand: vec![("GetObject", 0.4), ("HeadObject", 1000.0)],
            per_unit: 0.1,
        };
        let stats = CacheStats {
            saved: savings.all(),
            ..CacheStats::default()
        };
        assert_eq!(stats.saved.len(), 3);
        assert!((stats.money(&prices) - (0.2 + 1.0 + 0.05)).abs() < 1e-9);
        assert_eq!(stats.hit_rate(), 0.0);
        let nothing = CacheStats::default().money(&prices);
        assert!(nothing == 0.0 && nothing.is_sign_positive());
    }
}
