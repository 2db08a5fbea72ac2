//! The endpoints of a pool, made on demand and forgotten when they have long been of no use.
//!
//! *Problem:* A program that visits very many hosts would keep a table entry for each for ever.
//! *Decision:* An origin is forgotten when the table alone holds it, 10 minutes after its last use, or
//! earlier from 1,024 origins on. Its sums stay in the figures of the pool. *Cost:* What was learnt of
//! a forgotten origin, such as its depth, is learnt anew.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::engine::shell::endpoint::Endpoint;
use crate::http1::codec::Http1;
use crate::origin::Origin;
use crate::stats::{Forgotten, OriginStats};

/// How long an endpoint is kept that nobody uses: what it has learnt is old by then.
const MAX_UNUSED_TIME: Duration = Duration::from_secs(10 * 60);
/// From so many on, endpoints that nobody uses are forgotten earlier.
const MANY_ENDPOINTS: usize = 1024;
/// So few are not worth looking through.
const FEW_ENDPOINTS: usize = 64;

/// Endpoints by their origin.
pub(crate) struct Origins {
    known: HashMap<Origin, Arc<Endpoint<Http1>>, BuildHasherDefault<Hashed>>,
    forgotten: Forgotten,
    /// They are looked through when there are so many, which is not often for each that is added.
    sweep_at: usize,
}

impl Default for Origins {
    fn default() -> Self {
        Self {
            known: HashMap::default(),
            forgotten: Forgotten::default(),
            sweep_at: FEW_ENDPOINTS,
        }
    }
}

impl Origins {
    pub(crate) fn get(&self, origin: &Origin) -> Option<&Arc<Endpoint<Http1>>> {
        self.known.get(origin)
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Arc<Endpoint<Http1>>> {
        self.known.values()
    }

    /// The endpoint of this origin, made if there is none.
    pub(crate) fn get_or_make(
        &mut self,
        origin: &Origin,
        now: Instant,
        make: impl FnOnce() -> Arc<Endpoint<Http1>>,
    ) -> Arc<Endpoint<Http1>> {
        if let Some(endpoint) = self.known.get(origin) {
            return endpoint.clone();
        }
        if self.known.len() >= self.sweep_at {
            self.sweep(now);
            self.sweep_at = (self.known.len() * 2).max(FEW_ENDPOINTS);
        }
        let endpoint = make();
        self.known.insert(origin.clone(), endpoint.clone());
        endpoint
    }

    /// Forgets what nobody uses: for long, or, when there are many, the longest unused half.
    fn sweep(&mut self, now: Instant) {
        // Requests and connections, and the tasks that serve them, hold their endpoint; whoever
        // wants it now has to wait until this is done, and then makes a new one.
        let unused = |endpoint: &Arc<Endpoint<Http1>>| Arc::strong_count(endpoint) == 1;
        let since = self.known.iter().filter(|(_, e)| unused(e));
        let mut since: Vec<_> = since.map(|(o, e)| (e.lock().quiet(), o.clone())).collect();
        since.sort_unstable_by_key(|(quiet, _)| *quiet);
        let spare = match self.known.len() >= MANY_ENDPOINTS {
            true => self.known.len() - MANY_ENDPOINTS / 2,
            false => 0,
        };
        for (i, (quiet, origin)) in since.into_iter().enumerate() {
            if i >= spare && now.saturating_duration_since(quiet) < MAX_UNUSED_TIME {
                break;
            }
            if let Some(endpoint) = self.known.remove(&origin) {
                self.forgotten.add(&OriginStats::of(&origin, &endpoint));
            }
        }
    }

    /// The figures of each, and the sums of those that have been forgotten.
    pub(crate) fn stats(&self) -> (Vec<OriginStats>, Forgotten) {
        let known = self.known.iter();
        let figures = known.map(|(origin, e)| OriginStats::of(origin, e));
        (figures.collect(), self.forgotten.clone())
    }
}

/// Takes the hash that an [`Origin`] carries as it is.
#[derive(Default)]
struct Hashed(u64);

impl Hasher for Hashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}
