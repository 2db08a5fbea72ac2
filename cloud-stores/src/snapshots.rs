//! What a process keeps of selections, and how it knows that it is still good: [`Snapshots`].
//!
//! *Problem:* A selection is no read that a cache answers, and some are asked for at each publication and each presence.
//! *Decision:* A process keeps what it selected, with the *generation* that it read before. The generation is an item of its
//! own, which the clients' cache does answer; as long as it is the same, so is what was selected. Whoever changes something
//! writes that first and a new generation then. *Cost:* One write more for each change. A process that stops between the two
//! leaves what others keep old, so nothing is kept for longer than [`MAX_AGE`].

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sdb_client::{Domain, PutItem};
use tokio::time::Instant;

use crate::error::Result;
use crate::recent::Recent;
use crate::stores::{Freshness, Stores};

/// How long something is kept at most.
const MAX_AGE: Duration = Duration::from_secs(60);

/// The attribute of an item that is a generation.
const GENERATION: &str = "g";

/// An item that is a generation: its domain and its name.
pub(crate) struct Generation {
    pub(crate) domain: Domain,
    pub(crate) item: String,
}

/// What was selected lately, by names.
pub(crate) struct Snapshots<T>(Mutex<Recent<String, Arc<Snapshot<T>>>>);

struct Snapshot<T> {
    generation: Option<String>,
    taken: Instant,
    found: Vec<T>,
}

impl<T: Clone> Snapshots<T> {
    /// Keeps up to so many of what selections find.
    pub(crate) fn new(bound: usize) -> Self {
        Self(Mutex::new(Recent::new(bound)))
    }

    /// What this process has selected under this name, if the generation is still the one that it is of; what `select` finds
    /// otherwise.
    pub(crate) async fn read(
        &self,
        stores: &Stores,
        name: &str,
        generation: &Generation,
        select: impl Future<Output = Result<Vec<T>>>,
    ) -> Result<Vec<T>> {
        let taken = Instant::now();
        let generation = stores.generation(generation).await?;
        if let Some(kept) = self.get(name, generation.as_deref(), taken) {
            return Ok(kept.found.clone());
        }
        let found = select.await?;
        let snapshot = Snapshot {
            generation,
            taken,
            found: found.clone(),
        };
        self.put(name, snapshot);
        Ok(found)
    }

    /// Drops what is kept under this name.
    pub(crate) fn forget(&self, name: &str) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.remove(&name.to_owned());
    }

    fn get(&self, name: &str, generation: Option<&str>, now: Instant) -> Option<Arc<Snapshot<T>>> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let snapshot = kept.get(&name.to_owned())?;
        let is_good = snapshot.generation.as_deref() == generation
            && now.saturating_duration_since(snapshot.taken) < MAX_AGE;
        Some(snapshot).filter(|_| is_good)
    }

    fn put(&self, name: &str, snapshot: Snapshot<T>) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let weight = snapshot.found.len() + 1;
        kept.put(name.to_owned(), Arc::new(snapshot), weight);
    }
}

impl Stores {
    async fn generation(&self, of: &Generation) -> Result<Option<String>> {
        let item = self
            .get_item(&of.domain, &of.item, Freshness::AsSet)
            .await?;
        Ok(item.and_then(|item| item.first(GENERATION).map(str::to_owned)))
    }

    /// Tells all processes that something was changed of what they may have selected.
    pub(crate) async fn renew(&self, of: Generation) -> Result<()> {
        let generation = format!("{:016x}", fastrand::u64(..));
        let put = PutItem::new(of.item).replace(GENERATION, generation);
        self.put_item(&of.domain, put).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_good_for_its_generation_and_for_a_minute() {
        let snapshots = Snapshots::new(100);
        let taken = Instant::now();
        let snapshot = |generation: Option<&str>| Snapshot {
            generation: generation.map(str::to_owned),
            taken,
            found: vec![1],
        };
        snapshots.put("a", snapshot(Some("1")));
        snapshots.put("b", snapshot(None));
        let has = |name, generation, seconds| {
            let now = taken + Duration::from_secs(seconds);
            snapshots.get(name, generation, now).is_some()
        };
        assert!(has("a", Some("1"), 0) && has("a", Some("1"), 59));
        assert!(!has("a", Some("1"), 60));
        assert!(!has("a", Some("2"), 0) && !has("a", None, 0));
        assert!(has("b", None, 0) && !has("b", Some("1"), 0));
        assert!(!has("c", None, 0));
        snapshots.forget("a");
        assert!(!has("a", Some("1"), 0) && has("b", None, 0));
    }
}
