//! What can be chosen about SimpleDB: its limits, where it keeps its domains, and what reads meet.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use crate::disk::DiskOptions;

/// Settings of the emulator's SimpleDB half, for [`Builder::sdb`](crate::Builder::sdb).
///
/// ```no_run
/// use emulator::{Emulator, SdbModes, SdbOptions};
/// use std::time::Duration;
///
/// # async fn start() -> std::io::Result<()> {
/// let sdb = SdbOptions::default()
///     .dir("var/simpledb")
///     .domains_max(10)
///     .modes(SdbModes::default().stale(Duration::from_secs(1)));
/// let emulator = Emulator::builder().sdb(sdb).start().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct SdbOptions {
    pub(crate) limits: Limits,
    pub(crate) modes: SdbModes,
    pub(crate) dir: Option<PathBuf>,
    pub(crate) fsync: bool,
    /// How long the journal gets before it is folded into a snapshot, in bytes.
    pub(crate) journal_max: Option<u64>,
}

/// Amazon's [limits](https://docs.aws.amazon.com/AmazonSimpleDB/latest/DeveloperGuide/SDBLimits.html)
/// as far as they can be chosen.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) domains: usize,
    pub(crate) domain_bytes: u64,
    pub(crate) domain_pairs: u64,
    pub(crate) select_time: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            domains: 250,
            domain_bytes: 10 << 30,
            domain_pairs: 1_000_000_000,
            select_time: Duration::from_secs(5),
        }
    }
}

impl SdbOptions {
    /// Keeps the domains in this folder, which is made if it is not there; without it, the
    /// default, they are gone with the emulator.
    ///
    /// What a call was acknowledged for is there after the process is killed at any moment. One
    /// emulator at a time can use a folder. Its form is its own, and may change between
    /// versions.
    pub fn dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.dir = Some(dir.into());
        self
    }

    /// Whether an answer waits until its write is on the disk itself, so that it also outlives a
    /// loss of power. Writes that wait at the same time share one flush. Defaults to false;
    /// without [`dir`](Self::dir) or [`Builder::dir`](crate::Builder::dir) the emulator does not start.
    pub fn fsync(mut self, fsync: bool) -> Self {
        self.fsync = fsync;
        self
    }

    /// How long the journal of a folder gets before it is folded into a snapshot, in bytes.
    /// Defaults to 64 MiB; without [`dir`](Self::dir) or [`Builder::dir`](crate::Builder::dir) the emulator does not
    /// start.
    pub fn journal_max(mut self, bytes: u64) -> Self {
        self.journal_max = Some(bytes);
        self
    }

    /// Where and how domains are kept, if they are.
    ///
    /// # Errors
    /// When something is said of a folder, and no folder is named.
    pub(crate) fn disk(&self) -> io::Result<Option<DiskOptions>> {
        let whose = " of SimpleDB's options";
        DiskOptions::new(self.dir.clone(), self.fsync, self.journal_max, whose)
    }

    /// The same folder as these options have it, which name none themselves.
    pub(crate) fn refine(&self, disk: DiskOptions) -> DiskOptions {
        DiskOptions {
            fsync: disk.fsync || self.fsync,
            journal_max: self.journal_max.unwrap_or(disk.journal_max),
            ..disk
        }
    }

    /// How many domains there may be before `NumberDomainsExceeded`. Defaults to 250.
    pub fn domains_max(mut self, count: usize) -> Self {
        self.limits.domains = count;
        self
    }

    /// How many bytes of names and values a domain may hold before `NumberDomainBytesExceeded`.
    /// Item names and values count each time, an attribute name once. Defaults to 10 GiB.
    pub fn domain_bytes_max(mut self, bytes: u64) -> Self {
        self.limits.domain_bytes = bytes;
        self
    }

    /// How many pairs of name and value a domain may hold before
    /// `NumberDomainAttributesExceeded`. Defaults to 1,000,000,000.
    pub fn domain_pairs_max(mut self, count: u64) -> Self {
        self.limits.domain_pairs = count;
        self
    }

    /// How long a select may run before it answers with what it has and a `NextToken`, or with
    /// `RequestTimeout` if it has not got that far; no time at all makes every select do the
    /// latter. Defaults to 5 seconds.
    pub fn select_time_max(mut self, time: Duration) -> Self {
        self.limits.select_time = time;
        self
    }

    /// The modes to start in. Defaults to those of [`SdbModes`]: none.
    pub fn modes(mut self, modes: SdbModes) -> Self {
        self.modes = modes;
        self
    }
}

/// What reads of SimpleDB can meet, on demand, so that a test meets it. For errors, throttling and
/// latency see [`Faults`](crate::Faults).
///
/// The default is none of it. What is drawn by chance is drawn from the seed and from how many
/// reads came before, so that the same reads in the same order meet the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct SdbModes {
    pub(crate) seed: u64,
    pub(crate) stale: Duration,
    pub(crate) rows: Option<usize>,
}

impl SdbModes {
    /// What chance is drawn from. Defaults to 0.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Lets reads without `ConsistentRead` miss writes that are younger than `age`: each such
    /// read sees its domain before some of the last writes, from none to all of those (and at
    /// most 4,096). Writes count from when this was set. Defaults to zero: every read is
    /// consistent.
    pub fn stale(mut self, age: Duration) -> Self {
        self.stale = age;
        self
    }

    /// Ends every page of a select, and every count, after having looked at so many items, with
    /// what it found and a `NextToken`, as a select does whose time is over. At least one item is
    /// looked at. Defaults to no such end.
    pub fn rows_max(mut self, rows: usize) -> Self {
        self.rows = Some(rows.max(1));
        self
    }
}

/// A number from 0 up to 1 that depends on nothing but the seed and the count.
pub(crate) fn chance(seed: u64, count: u64) -> f64 {
    // SplitMix64, by Sebastiano Vigna.
    let mut z = seed.wrapping_add(count.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^= z >> 31;
    (z >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_of_a_folder_needs_one_and_may_be_said_before_it() {
        assert!(SdbOptions::default().disk().unwrap().is_none());
        for without in [
            SdbOptions::default().fsync(true),
            SdbOptions::default().journal_max(9),
        ] {
            let kind = without.disk().unwrap_err().kind();
            assert_eq!(kind, io::ErrorKind::InvalidInput);
            let disk = without.dir("a").disk().unwrap().unwrap();
            assert!(disk.fsync || disk.journal_max == 9);
        }
        let disk = SdbOptions::default().dir("a").disk().unwrap().unwrap();
        assert_eq!(
            (disk.fsync, disk.journal_max),
            (false, crate::disk::JOURNAL_MAX)
        );
    }

    #[test]
    fn chance_is_repeatable_and_spread() {
        let draw = |seed| (0..1000).map(|n| chance(seed, n)).collect::<Vec<_>>();
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
        let mean = draw(7).iter().sum::<f64>() / 1000.0;
        assert!((0.45..0.55).contains(&mean), "{mean}");
        assert!(draw(7).iter().all(|drawn| (0.0..1.0).contains(drawn)));
    }
}
