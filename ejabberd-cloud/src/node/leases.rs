//! Who is there by leases in S3: [`LeaseView`].
//!
//! Each third of a lease it renews the one of this node and looks at all. Times come in, so that tests need not wait.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use cloud_stores::nodes::{NodeEvent, NodeLease, NodeLeases, NodeWatch, OwnLease};
use cloud_stores::{Error, Kind};
use tokio::time::Instant;

use super::message::Told;
use crate::log::line;

/// By how much the clocks of two nodes may differ.
const SKEW: Duration = Duration::from_secs(5);

/// The leases as this node sees them, and its own.
#[derive(Debug)]
pub(super) struct LeaseView {
    nodes: NodeLeases,
    name: String,
    length: Duration,
    own: Option<OwnLease>,
    watch: NodeWatch,
    /// The leases whose nodes are being removed by the server.
    claimed: BTreeMap<String, NodeLease>,
    /// Those that were told to be there last.
    told: Option<Vec<String>>,
    /// Whether the last look has failed, which is said once.
    is_failing: bool,
}

impl LeaseView {
    pub(super) fn new(nodes: NodeLeases, name: &str, length: Duration) -> Self {
        Self {
            watch: NodeWatch::new(name, length, SKEW),
            nodes,
            name: name.to_owned(),
            length,
            own: None,
            claimed: BTreeMap::new(),
            told: None,
            is_failing: false,
        }
    }

    /// Takes or renews the lease of this node, looks at all, and says what the server has to hear. `running` are the other
    /// nodes that are joined to it: nobody of them is removed, whatever has become of his lease.
    pub(super) async fn look(
        &mut self,
        running: &[String],
        now: SystemTime,
        tick: Instant,
    ) -> Vec<Told> {
        let mut told = Vec::new();
        let looked = self.try_look(running, now, tick, &mut told).await;
        match &looked {
            Err(error) if !self.is_failing => line(format_args!(
                "who is there is not known, which is tried again: {error}"
            )),
            Ok(()) if self.is_failing => line(format_args!("who is there is known again")),
            _ => {}
        }
        self.is_failing = looked.is_err();
        told
    }

    async fn try_look(
        &mut self,
        running: &[String],
        now: SystemTime,
        tick: Instant,
        told: &mut Vec<Told>,
    ) -> Result<(), Error> {
        match &mut self.own {
            None => self.take(now).await?,
            Some(own) => match own.renew(now).await {
                Err(error) if error.kind() == Kind::Conflict => {
                    line(format_args!("this node joins again: {error}"));
                    self.own = None;
                    told.push(Told::Lost);
                    self.take(now).await?;
                }
                renewed => renewed?,
            },
        }
        let leases = self.nodes.list().await?;
        for event in self.watch.look(&leases, now, tick) {
            let NodeEvent::Remove(lease) = event else {
                continue;
            };
            if running.contains(&lease.name) || self.claimed.contains_key(&lease.name) {
                continue;
            }
            let claimed = self.nodes.claim(&lease, &self.name, self.length, now).await;
            if let Some(claimed) = claimed? {
                line(format_args!("{} is gone, and is removed", lease.name));
                told.push(Told::Remove(lease.name.clone()));
                self.claimed.insert(lease.name, claimed);
            }
        }
        let others = self.watch.there().filter(|name| *name != self.name);
        let others: Vec<String> = others.map(str::to_owned).collect();
        if self.told.as_ref() != Some(&others) {
            told.push(Told::There(others.clone()));
            self.told = Some(others);
        }
        Ok(())
    }

    async fn take(&mut self, now: SystemTime) -> Result<(), Error> {
        let own = self.nodes.join(&self.name, Bytes::new(), self.length, now);
        self.own = Some(own.await?);
        Ok(())
    }

    /// Whether this node is to begin the cluster. `reached` are the others that the server has reached, none of which serves.
    pub(super) async fn begin(
        &mut self,
        reached: &[String],
        now: SystemTime,
    ) -> Result<bool, Error> {
        let Some(own) = &self.own else {
            return Ok(false);
        };
        let life = own.lease().life.clone();
        let founder = self.nodes.founder().await?;
        let leases = self.nodes.list().await?;
        let mut there = leases
            .iter()
            .filter(|lease| lease.name != self.name && lease.is_current(now, SKEW));
        let is_founder = |lease: &NodeLease| {
            founder
                .node
                .as_ref()
                .is_some_and(|(name, life)| lease.name == *name && lease.life == *life)
        };
        if there.any(|lease| is_founder(lease) || !reached.contains(&lease.name)) {
            return Ok(false);
        }
        self.nodes.found(&founder, &self.name, &life).await
    }

    /// The server has removed a node, or could not.
    pub(super) async fn removed(&mut self, name: &str, is_done: bool) {
        // Where it could not, the claim runs out, and this or another node tries again.
        let claimed = self.claimed.remove(name);
        if let Some(lease) = claimed.filter(|_| is_done)
            && let Err(error) = self.nodes.forget(&lease).await
        {
            line(format_args!(
                "{name} is removed, and its lease will be later: {error}"
            ));
        }
    }

    /// Gives the lease of this node back.
    pub(super) async fn leave(&mut self) {
        if let Some(own) = self.own.take()
            && let Err(error) = own.leave().await
        {
            line(format_args!("the lease of this node runs out: {error}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use cloud_stores::Stores;
    use emulator::{Emulator, Fault, Rule};

    use super::*;

    const LENGTH: Duration = Duration::from_secs(30);

    struct World {
        emulator: Emulator,
        stores: Stores,
        start: Instant,
    }

    impl World {
        async fn start() -> Self {
            let (emulator, stores) = super::super::testing::stores().await;
            let stores = stores.deadline(Duration::from_secs(2)).open();
            Self {
                emulator,
                stores: stores.await.expect("stores"),
                start: Instant::now(),
            }
        }

        fn node(&self, name: &str) -> LeaseView {
            LeaseView::new(self.stores.nodes(), name, LENGTH)
        }

        /// What this node tells its server at this second.
        async fn look(&self, node: &mut LeaseView, running: &[&str], second: u64) -> Vec<Told> {
            let running: Vec<String> = running.iter().map(|name| (*name).to_owned()).collect();
            let tick = self.start + Duration::from_secs(second);
            node.look(&running, at(second), tick).await
        }
    }

    fn at(second: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000 + second)
    }

    fn there(names: &[&str]) -> Told {
        Told::There(names.iter().map(|name| (*name).to_owned()).collect())
    }

    #[tokio::test]
    async fn nodes_see_each_other_come_and_go() {
        let world = World::start().await;
        let (mut a, mut b) = (world.node("a"), world.node("b"));
        assert_eq!(world.look(&mut a, &[], 0).await, [there(&[])]);
        assert_eq!(world.look(&mut b, &[], 1).await, [there(&["a"])]);
        assert_eq!(world.look(&mut a, &[], 10).await, [there(&["b"])]);
        assert_eq!(world.look(&mut a, &["b"], 20).await, []);
        b.leave().await;
        assert_eq!(world.look(&mut a, &[], 30).await, [there(&[])]);
    }

    #[tokio::test]
    async fn who_is_gone_is_removed_unless_he_is_still_joined() {
        let world = World::start().await;
        let (mut a, mut b) = (world.node("a"), world.node("b"));
        world.look(&mut b, &[], 0).await;
        world.look(&mut a, &[], 0).await;
        for second in [10, 20, 30] {
            assert_eq!(world.look(&mut a, &["b"], second).await, []);
        }
        // Its lease has ended, but the server has it.
        assert_eq!(world.look(&mut a, &["b"], 40).await, [there(&[])]);
        let remove = [Told::Remove("b".to_owned())];
        assert_eq!(world.look(&mut a, &[], 50).await, remove);
        assert_eq!(world.look(&mut a, &[], 60).await, []);
        // The server could not: it is told again once the claim has run out.
        a.removed("b", false).await;
        assert_eq!(world.look(&mut a, &[], 70).await, []);
        assert_eq!(world.look(&mut a, &[], 100).await, remove);
        // Until then it cannot come back.
        assert_eq!(world.look(&mut b, &[], 101).await, [Told::Lost]);
        a.removed("b", true).await;
        assert_eq!(world.look(&mut b, &[], 102).await, [there(&["a"])]);
    }

    #[tokio::test]
    async fn who_was_taken_for_gone_joins_again() {
        let world = World::start().await;
        let (mut first, mut second) = (world.node("a"), world.node("a"));
        world.look(&mut first, &[], 0).await;
        world.look(&mut second, &[], 1).await;
        assert_eq!(world.look(&mut first, &[], 10).await, [Told::Lost]);
    }

    #[tokio::test]
    async fn an_outage_takes_nobody_for_gone() {
        let world = World::start().await;
        let (mut a, mut b) = (world.node("a"), world.node("b"));
        world.look(&mut a, &[], 0).await;
        world.look(&mut b, &[], 0).await;
        world.look(&mut a, &["b"], 1).await;
        let outage = Rule::new(Fault::error(403, "AccessDenied"));
        world.emulator.faults().add(outage);
        for second in (10..200).step_by(10) {
            assert_eq!(world.look(&mut a, &["b"], second).await, []);
        }
        world.emulator.faults().clear();
        assert_eq!(world.look(&mut a, &["b"], 200).await, [there(&[])]);
        world.look(&mut b, &["a"], 201).await;
        assert_eq!(world.look(&mut a, &["b"], 210).await, [there(&["b"])]);
    }

    #[tokio::test]
    async fn of_two_that_begin_one_does() {
        let world = World::start().await;
        let (mut a, mut b) = (world.node("a"), world.node("b"));
        let begin = async |node: &mut LeaseView, reached: &[&str], second| {
            let reached: Vec<String> = reached.iter().map(|name| (*name).to_owned()).collect();
            node.begin(&reached, at(second)).await.expect("an answer")
        };
        // Without a lease of its own, no node begins.
        assert!(!begin(&mut a, &[], 0).await);
        world.look(&mut a, &[], 0).await;
        world.look(&mut b, &[], 0).await;
        // The other one was not reached: it may serve.
        assert!(!begin(&mut a, &[], 1).await);
        assert!(begin(&mut a, &["b"], 1).await);
        assert!(begin(&mut a, &["b"], 2).await);
        // It has been begun, by one that is there.
        assert!(!begin(&mut b, &["a"], 3).await);
        // That one is gone.
        assert!(!begin(&mut b, &[], 30).await);
        world.look(&mut b, &[], 30).await;
        assert!(begin(&mut b, &[], 40).await);
        // It has come back, as a new life, and finds that it was begun without it.
        let mut a = world.node("a");
        world.look(&mut a, &[], 41).await;
        assert!(!begin(&mut a, &["b"], 42).await);
        // The one that began has come back: it may begin again.
        let mut b = world.node("b");
        world.look(&mut b, &[], 43).await;
        assert!(begin(&mut b, &["a"], 44).await);
    }
}
