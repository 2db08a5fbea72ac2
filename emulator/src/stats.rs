//! What the emulator has seen, for tests and benchmarks to assert on.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// A snapshot of the emulator's counters, from [`Emulator::stats`](crate::Emulator::stats).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Requests whose head was read and handed to a service, answered or not.
    pub requests: u64,
    /// The part of `requests` that went to S3.
    pub s3_requests: u64,
    /// The part of `requests` that went to SimpleDB.
    pub sdb_requests: u64,
    /// The part of `requests` that went to EC2.
    pub ec2_requests: u64,
    /// The part of `requests` that went to the metadata service.
    pub metadata_requests: u64,
    /// Items and entries of indexes that selects looked at.
    pub sdb_rows: u64,
    /// The sum of the `BoxUsage` of all answers of SimpleDB, refusals among them, in units of 10⁻¹⁰ machine hours: so many
    /// digits does an answer have. Answers that a fault made are not in it.
    pub sdb_box_usage: u64,
    /// Requests refused because their signature, key, date or token was not right.
    pub refused: u64,
    /// Connections open now.
    pub connections_open: u64,
    /// The most connections that were ever open at once.
    pub connections_max: u64,
    /// Connections accepted in all.
    pub connections_accepted: u64,
    /// The most requests that one read from a socket brought: above 1, the peer pipelined.
    /// It is a lower bound of the depth in flight, as a deep pipeline may arrive in pieces.
    pub pipeline_max: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) s3: AtomicU64,
    pub(crate) sdb: AtomicU64,
    pub(crate) ec2: AtomicU64,
    pub(crate) metadata: AtomicU64,
    pub(crate) sdb_rows: AtomicU64,
    sdb_box_usage: AtomicU64,
    pub(crate) refused: AtomicU64,
    open: AtomicU64,
    max_open: AtomicU64,
    accepted: AtomicU64,
    pipeline_max: AtomicU64,
}

impl Counters {
    pub(crate) fn snapshot(&self) -> Stats {
        let (s3_requests, sdb_requests) = (self.s3.load(Relaxed), self.sdb.load(Relaxed));
        let (ec2_requests, metadata_requests) =
            (self.ec2.load(Relaxed), self.metadata.load(Relaxed));
        Stats {
            requests: s3_requests + sdb_requests + ec2_requests + metadata_requests,
            s3_requests,
            sdb_requests,
            ec2_requests,
            metadata_requests,
            sdb_rows: self.sdb_rows.load(Relaxed),
            sdb_box_usage: self.sdb_box_usage.load(Relaxed),
            refused: self.refused.load(Relaxed),
            connections_open: self.open.load(Relaxed),
            connections_max: self.max_open.load(Relaxed),
            connections_accepted: self.accepted.load(Relaxed),
            pipeline_max: self.pipeline_max.load(Relaxed),
        }
    }

    /// Adds a price in machine hours.
    pub(crate) fn charge(&self, hours: f64) {
        let units = (hours * 1e10).round() as u64;
        self.sdb_box_usage.fetch_add(units, Relaxed);
    }

    pub(crate) fn count(counter: &AtomicU64) {
        counter.fetch_add(1, Relaxed);
    }
}

/// One open connection; dropping it counts it closed.
#[derive(Debug)]
pub(crate) struct Connection {
    counters: Arc<Counters>,
    since_read: AtomicU64,
}

impl Connection {
    pub(crate) fn open(counters: &Arc<Counters>) -> Arc<Self> {
        Counters::count(&counters.accepted);
        let open = counters.open.fetch_add(1, Relaxed) + 1;
        counters.max_open.fetch_max(open, Relaxed);
        Arc::new(Self {
            counters: Arc::clone(counters),
            since_read: AtomicU64::new(0),
        })
    }

    pub(crate) fn request(&self) {
        let depth = self.since_read.fetch_add(1, Relaxed) + 1;
        self.counters.pipeline_max.fetch_max(depth, Relaxed);
    }

    /// Tells that a read brought bytes.
    pub(crate) fn read(&self) {
        self.since_read.store(0, Relaxed);
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.counters.open.fetch_sub(1, Relaxed);
    }
}
