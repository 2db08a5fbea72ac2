//! Who is there by the instances of EC2: [`InstanceView`].
//!
//! An instance that runs is there, whether its server does or not. Of those that are known to the cluster, one that is neither
//! joined nor there is to be removed, by the first of those that are joined; nobody has to be asked, since all see one list.
//! The list comes in, and so does the time.

use std::collections::BTreeSet;
use std::time::Duration;

use cloud_stores::Error;
use cloud_stores::nodes::NodeLeases;
use ec2_client::Peer;
use tokio::time::Instant;

use super::message::Told;
use crate::log::line;

/// How long an instance that runs, and cannot be reached, keeps others from beginning: its server may be starting.
const PATIENCE: Duration = Duration::from_secs(120);

/// The instances as this node sees them.
#[derive(Debug)]
pub(super) struct InstanceView {
    nodes: NodeLeases,
    name: String,
    /// A name of this life of the node.
    life: String,
    /// The names of the other nodes that are there, once there was a list.
    there: Option<BTreeSet<String>>,
    /// Those that the server is removing.
    asked: BTreeSet<String>,
    /// Since when this node has wanted to begin.
    waiting: Option<Instant>,
}

/// What stands before and behind the `@` of the name of a node.
pub(super) fn parts(name: &str) -> (&str, &str) {
    name.split_once('@').unwrap_or((name, ""))
}

impl InstanceView {
    pub(super) fn new(nodes: NodeLeases, name: &str) -> Self {
        let mut life = [0; 8];
        // Without randomness it is the same in each life: then one that was started anew takes itself for the founder.
        let _ = getrandom::fill(&mut life);
        Self {
            nodes,
            name: name.to_owned(),
            life: format!("{:016x}", u64::from_be_bytes(life)),
            there: None,
            asked: BTreeSet::new(),
            waiting: None,
        }
    }

    /// Takes a whole list of instances that run. They are called as this node is, with their own address.
    pub(super) fn take(&mut self, peers: &[Peer]) -> Told {
        let app = parts(&self.name).0;
        let names = peers.iter().map(|peer| format!("{app}@{}", peer.address));
        let others: BTreeSet<String> = names.filter(|name| *name != self.name).collect();
        let told = Told::There(others.iter().cloned().collect());
        self.there = Some(others);
        told
    }

    /// Whom the server is to remove. `running` are the others that are joined to it, `known` all that it knows.
    pub(super) fn gone(&mut self, running: &[String], known: &[String]) -> Vec<Told> {
        let Some(there) = &self.there else {
            return Vec::new();
        };
        self.asked.retain(|name| known.contains(name));
        if running.iter().any(|other| *other < self.name) {
            return Vec::new();
        }
        let gone = known.iter().filter(|name| {
            **name != self.name && !running.contains(name) && !there.contains(*name)
        });
        let gone = gone.filter(|name| self.asked.insert((*name).clone()));
        let gone = gone.inspect(|name| line(format_args!("{name} is gone, and is removed")));
        gone.map(|name| Told::Remove(name.clone())).collect()
    }

    /// The server has removed a node, or could not: then it is asked again.
    pub(super) fn removed(&mut self, name: &str) {
        self.asked.remove(name);
    }

    /// Whether this node is to begin the cluster. `reached` are the others that the server has reached, none of which serves.
    pub(super) async fn begin(&mut self, reached: &[String], tick: Instant) -> Result<bool, Error> {
        let Some(there) = &self.there else {
            return Ok(false);
        };
        let since = *self.waiting.get_or_insert(tick);
        let is_patient = tick.saturating_duration_since(since) < PATIENCE;
        if is_patient && there.iter().any(|name| !reached.contains(name)) {
            return Ok(false);
        }
        let founder = self.nodes.founder().await?;
        if let Some((name, _)) = &founder.node
            && is_patient
            && there.contains(name)
        {
            return Ok(false);
        }
        self.nodes.found(&founder, &self.name, &self.life).await
    }
}

#[cfg(test)]
mod tests {
    use cloud_stores::Stores;
    use ec2_client::{Credentials, Ec2Client};
    use emulator::Emulator;

    use super::*;

    struct World {
        emulator: Emulator,
        stores: Stores,
        start: Instant,
    }

    impl World {
        async fn start() -> Self {
            let (emulator, stores) = super::super::testing::stores().await;
            let stores = stores.open();
            Self {
                stores: stores.await.expect("stores"),
                emulator,
                start: Instant::now(),
            }
        }

        /// A node that has seen a list.
        async fn node(&self, number: u32) -> InstanceView {
            let mut node = self.unlisted(number);
            node.take(&self.peers().await);
            node
        }

        fn unlisted(&self, number: u32) -> InstanceView {
            InstanceView::new(self.stores.nodes(), &format!("ejabberd@10.0.0.{number}"))
        }

        fn run(&self, numbers: &[u32]) {
            let instances = numbers
                .iter()
                .map(|n| format!(r#"{{"InstanceId": "i-{n}", "PrivateIpAddress": "10.0.0.{n}"}}"#));
            let instances = instances.collect::<Vec<_>>().join(",");
            self.emulator
                .ec2()
                .set(&format!("[{instances}]"))
                .expect("instances");
        }

        async fn peers(&self) -> Vec<Peer> {
            let keys = Credentials::new(self.emulator.access_key(), self.emulator.secret_key());
            let ec2 = Ec2Client::builder()
                .endpoint(self.emulator.url())
                .credentials(keys)
                .build();
            ec2.expect("a client").peers().once().await.expect("peers")
        }

        async fn begins(&self, node: &mut InstanceView, reached: &[u32], second: u64) -> bool {
            let tick = self.start + Duration::from_secs(second);
            node.begin(&names(reached), tick).await.expect("an answer")
        }
    }

    fn names(numbers: &[u32]) -> Vec<String> {
        numbers
            .iter()
            .map(|number| format!("ejabberd@10.0.0.{number}"))
            .collect()
    }

    #[tokio::test]
    async fn instances_are_nodes_and_the_first_removes_who_is_gone() {
        let world = World::start().await;
        world.run(&[1, 2, 3]);
        let (mut first, mut second) = (world.unlisted(1), world.unlisted(2));
        // Without a list nobody is gone.
        assert_eq!(first.gone(&[], &names(&[9])), []);
        let peers = world.peers().await;
        assert_eq!(first.take(&peers), Told::There(names(&[2, 3])));
        assert_eq!(second.take(&peers), Told::There(names(&[1, 3])));
        // One that runs is left alone, joined or not, and so is one that is joined, listed or not.
        assert_eq!(first.gone(&names(&[2, 8]), &names(&[2, 3, 8])), []);
        assert_eq!(second.gone(&names(&[1]), &names(&[1, 9])), []);
        let remove = [Told::Remove("ejabberd@10.0.0.9".to_owned())];
        assert_eq!(first.gone(&names(&[2]), &names(&[2, 9])), remove);
        assert_eq!(first.gone(&names(&[2]), &names(&[2, 9])), []);
        first.removed("ejabberd@10.0.0.9");
        assert_eq!(first.gone(&names(&[2]), &names(&[2, 9])), remove);
    }

    #[tokio::test]
    async fn of_two_that_begin_one_does() {
        let world = World::start().await;
        world.run(&[1, 2]);
        let mut unlisted = world.unlisted(1);
        assert!(!world.begins(&mut unlisted, &[], 0).await);
        let (mut first, mut second) = (world.node(1).await, world.node(2).await);
        // The other one was not reached.
        assert!(!world.begins(&mut first, &[], 0).await);
        assert!(world.begins(&mut first, &[2], 1).await);
        assert!(!world.begins(&mut second, &[1], 1).await);
        // The one that began is terminated.
        world.run(&[2]);
        second.take(&world.peers().await);
        assert!(world.begins(&mut second, &[], 2).await);
        // An instance that runs and never serves is waited for, and not for ever.
        world.run(&[2, 3, 4]);
        let mut fourth = world.node(4).await;
        assert!(!world.begins(&mut fourth, &[], 10).await);
        assert!(!world.begins(&mut fourth, &[], 129).await);
        assert!(world.begins(&mut fourth, &[], 130).await);
    }
}
