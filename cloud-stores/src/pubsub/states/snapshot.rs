//! The states of a node as a process keeps them, and how it knows that they are still good.
//!
//! *Problem:* Each publication asks for all states of its node to know whom to tell; a selection is no read that a cache
//! answers. *Decision:* A process keeps what it selected, with the generation that it read before. The generation is an
//! item of its own, which the clients' cache does answer; as long as it is the same, so are the states. Whoever commits
//! writes the states first and a new generation then. *Cost:* One write more for each commit of states. A process that
//! stops between the two leaves what others keep old, so nothing is kept for longer than [`MAX_AGE`].

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sdb_client::PutItem;
use sdb_client::query::attr;
use tokio::time::Instant;

use super::State;
use super::stored::{self, INCARNATION};
use crate::error::Result;
use crate::layout::{DomainKind, item_name};
use crate::pubsub::{NodeIndex, PubSub};
use crate::recent::Recent;
use crate::stores::Freshness;

/// How long states are kept at most.
pub(crate) const MAX_AGE: Duration = Duration::from_secs(60);

/// How many states are kept at most, over all nodes.
const MAX_STATES: usize = 100_000;

/// The attribute of an item `g|INCARNATION`, which is a generation.
const GENERATION: &str = "g";

/// The states of the nodes that were asked for lately.
pub(crate) struct Snapshots(Mutex<Recent<String, Arc<Snapshot>>>);

struct Snapshot {
    generation: Option<String>,
    taken: Instant,
    states: Vec<State>,
}

impl Snapshots {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(Recent::new(MAX_STATES)))
    }

    fn get(
        &self,
        index: &NodeIndex,
        generation: Option<&str>,
        now: Instant,
    ) -> Option<Arc<Snapshot>> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let snapshot = kept.get(&index.incarnation().to_owned())?;
        let is_good = snapshot.generation.as_deref() == generation
            && now.saturating_duration_since(snapshot.taken) < MAX_AGE;
        Some(snapshot).filter(|_| is_good)
    }

    fn put(&self, index: &NodeIndex, snapshot: Arc<Snapshot>) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let weight = snapshot.states.len() + 1;
        kept.put(index.incarnation().to_owned(), snapshot, weight);
    }

    /// Drops what is kept of a node.
    pub(crate) fn forget(&self, index: &NodeIndex) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.remove(&index.incarnation().to_owned());
    }
}

impl PubSub {
    /// All stored states of a node: those that this process has, if the generation is still the one that they are of.
    pub(super) async fn stored_states(&self, index: &NodeIndex) -> Result<Vec<State>> {
        let now = Instant::now();
        let domain = self.subs(index.incarnation());
        let item = self
            .stores
            .get_item(&domain, &generation_name(index), Freshness::AsSet)
            .await?;
        let generation = item.as_ref().and_then(|item| item.first(GENERATION));
        if let Some(kept) = self.snapshots.get(index, generation, now) {
            return Ok(kept.states.clone());
        }
        let states = self.select_states(index).await?;
        self.snapshots.put(
            index,
            Arc::new(Snapshot {
                generation: generation.map(str::to_owned),
                taken: now,
                states: states.clone(),
            }),
        );
        Ok(states)
    }

    /// All stored states of a node, as they are at this moment.
    pub(super) async fn select_states(&self, index: &NodeIndex) -> Result<Vec<State>> {
        let domain = self.subs(index.incarnation());
        let filter = attr(INCARNATION).eq(index.incarnation());
        let items = self
            .stores
            .select_items(&domain, filter, Freshness::Newest)
            .await?;
        let mut states = Vec::with_capacity(items.len());
        for item in &items {
            states.push(stored::decode(item)?.state);
        }
        Ok(states)
    }

    /// Tells all processes that the states of a node were changed.
    pub(crate) async fn renew_generation(&self, index: &NodeIndex) -> Result<()> {
        let generation = format!("{:016x}", fastrand::u64(..));
        let put = PutItem::new(generation_name(index)).replace(GENERATION, generation);
        self.stores
            .put_item(&self.subs(index.incarnation()), put)
            .await
    }

    /// The domain that has what belongs to an incarnation or to a person.
    pub(super) fn subs(&self, owner: &str) -> sdb_client::Domain {
        self.stores.domain(DomainKind::Subs, owner)
    }
}

pub(super) fn generation_name(index: &NodeIndex) -> String {
    item_name(&["g", index.incarnation()])
}
