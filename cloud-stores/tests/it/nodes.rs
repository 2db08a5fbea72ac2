//! Leases of nodes.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use cloud_stores::nodes::{NodeEvent, NodeWatch};
use cloud_stores::{Kind, Stores};
use emulator::{Fault, Gate, Rule};
use futures_util::future::join_all;
use tokio::time::Instant;

use crate::kit::World;

const LENGTH: Duration = Duration::from_secs(30);
const SKEW: Duration = Duration::from_secs(5);

fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000 + seconds)
}

async fn names(stores: &Stores) -> Vec<String> {
    let leases = stores.nodes().list().await.unwrap();
    leases
        .into_iter()
        .map(|lease| format!("{} {}", lease.name, lease.renewals))
        .collect()
}

#[tokio::test]
async fn a_lease_is_taken_renewed_and_given_back() {
    let world = World::start().await;
    let nodes = world.stores.nodes();
    assert!(nodes.list().await.unwrap().is_empty());
    let details = Bytes::from_static(b"10.0.0.7 \xff");
    let (own, requests) = world
        .requests(nodes.join("n1@10.0.0.7", details.clone(), LENGTH, at(0)))
        .await;
    let mut own = own.unwrap();
    assert_eq!(requests, ["GetObject", "PutObject"]);
    nodes.join("n2", Bytes::new(), LENGTH, at(0)).await.unwrap();
    let (renewed, requests) = world.requests(own.renew(at(10))).await;
    renewed.unwrap();
    assert_eq!(requests, ["PutObject"]);
    assert_eq!(names(&world.stores).await, ["n1@10.0.0.7 1", "n2 0"]);
    let read = nodes.list().await.unwrap().remove(0);
    assert_eq!(&read, own.lease());
    assert_eq!((read.expires, &read.details), (at(40), &details));
    assert!(read.is_current(at(40), Duration::ZERO) && read.is_current(at(45), SKEW));
    assert!(!read.is_current(at(46), SKEW));
    own.leave().await.unwrap();
    assert_eq!(names(&world.stores).await, ["n2 0"]);
}

#[tokio::test]
async fn a_new_life_takes_the_lease_of_an_old_one() {
    let world = World::start().await;
    let nodes = world.stores.nodes();
    let join = || nodes.join("n1", Bytes::new(), LENGTH, at(0));
    let mut old = join().await.unwrap();
    let mut new = join().await.unwrap();
    assert_ne!(old.lease().life, new.lease().life);
    assert_eq!(old.renew(at(10)).await.unwrap_err().kind(), Kind::Conflict);
    // The old one does not give back what is not its own.
    old.leave().await.unwrap();
    new.renew(at(10)).await.unwrap();
    // Of several that start under one name at once, one has it.
    let started = join_all((0..6).map(|_| join())).await;
    let mut alive = 0;
    for own in started.into_iter().flatten() {
        let mut own = own;
        alive += usize::from(own.renew(at(20)).await.is_ok());
    }
    assert_eq!(alive, 1);
}

#[tokio::test]
async fn of_many_that_remove_a_node_one_does() {
    let world = World::start().await;
    let nodes = world.stores.nodes();
    let mut dead = nodes
        .join("dead", Bytes::new(), LENGTH, at(0))
        .await
        .unwrap();
    let lease = nodes.list().await.unwrap().remove(0);
    let names: Vec<String> = (0..6).map(|n| format!("n{n}")).collect();
    let claims = join_all(
        names
            .iter()
            .map(|name| nodes.claim(&lease, name, LENGTH, at(60))),
    )
    .await;
    let won: Vec<_> = claims.into_iter().filter_map(Result::unwrap).collect();
    assert_eq!(won.len(), 1);
    assert!(!won[0].is_current(at(61), SKEW));
    // It comes back: it has to wait until it is removed, and then it is another life.
    assert_eq!(dead.renew(at(61)).await.unwrap_err().kind(), Kind::Conflict);
    let error = nodes
        .join("dead", Bytes::new(), LENGTH, at(61))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), Kind::Exists);
    assert!(
        error.message().contains(won[0].remover.as_ref().unwrap()),
        "{error}"
    );
    nodes.forget(&won[0]).await.unwrap();
    let back = nodes
        .join("dead", Bytes::new(), LENGTH, at(62))
        .await
        .unwrap();
    // Whoever was slow removes nothing.
    nodes.forget(&won[0]).await.unwrap();
    assert!(
        nodes
            .claim(&won[0], "n9", LENGTH, at(63))
            .await
            .unwrap()
            .is_none()
    );
    assert_eq!(nodes.list().await.unwrap(), [back.lease().clone()]);
    // A removal that stopped does not keep the node away for ever.
    let claimed = nodes
        .claim(back.lease(), "n1", LENGTH, at(100))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        nodes
            .join("dead", Bytes::new(), LENGTH, at(129))
            .await
            .unwrap_err()
            .kind(),
        Kind::Exists
    );
    let again = nodes
        .claim(&claimed, "n2", LENGTH, at(140))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(again.remover.as_deref(), Some("n2"));
    nodes
        .join("dead", Bytes::new(), LENGTH, at(170))
        .await
        .unwrap();
}

#[tokio::test]
async fn lost_answers_are_settled() {
    for lose in [World::lose, World::swallow] {
        let world = World::start().await;
        let nodes = world.stores.nodes();
        let lost = lose(&world, "PutObject");
        let mut own = nodes.join("n1", Bytes::new(), LENGTH, at(0)).await.unwrap();
        assert_eq!(lost.count(), 1);
        let lost = lose(&world, "PutObject");
        own.renew(at(10)).await.unwrap();
        assert_eq!(lost.count(), 1);
        // What was read after the loss is what the next renewal replaces.
        let (renewed, requests) = world.requests(own.renew(at(20))).await;
        renewed.unwrap();
        assert_eq!(requests, ["PutObject"]);
        let lost = lose(&world, "DeleteObject");
        own.leave().await.unwrap();
        assert_eq!(lost.count(), 1);
        assert!(world.left().await.is_empty());
    }
}

#[tokio::test]
async fn a_renewal_that_was_done_and_told_to_have_failed_costs_no_lease() {
    let world = World::start().await;
    let nodes = world.stores.nodes();
    let mut own = nodes.join("n1", Bytes::new(), LENGTH, at(0)).await.unwrap();
    // The answer is lost, and nobody can look at what became of it.
    let lost = world.lose("PutObject");
    let refused = Rule::new(Fault::error(403, "AccessDenied")).operation("GetObject");
    let blind = world.faults().add(refused.times(1));
    own.renew(at(10)).await.unwrap_err();
    assert_eq!((lost.count(), blind.count()), (1, 1));
    own.renew(at(20)).await.unwrap();
    let there = nodes.list().await.unwrap();
    assert_eq!((there[0].renewals, &there[0].life), (2, &own.lease().life));
    assert!(there[0].is_current(at(20), Duration::ZERO));
    // Another life under the same name is another's.
    let mut second = nodes
        .join("n1", Bytes::new(), LENGTH, at(21))
        .await
        .unwrap();
    assert_eq!(own.renew(at(30)).await.unwrap_err().kind(), Kind::Conflict);
    // So is one that is being removed.
    let claimed = nodes
        .claim(second.lease(), "n2", LENGTH, at(60))
        .await
        .unwrap();
    assert!(claimed.is_some());
    assert_eq!(
        second.renew(at(61)).await.unwrap_err().kind(),
        Kind::Conflict
    );
}

#[tokio::test]
async fn what_others_made_of_a_renewal_whose_answer_was_lost_is_not_replaced() {
    let world = World::start().await;
    let nodes = world.stores.nodes();
    let mut own = nodes.join("n1", Bytes::new(), LENGTH, at(0)).await.unwrap();
    // The renewal is done and its answer lost; before it is looked at, another node claims it.
    let lost = world.lose("PutObject");
    let gate = Gate::new();
    let held = Rule::new(Fault::hold(&gate)).operation("GetObject");
    let held = world.faults().add(held.times(1));
    let renewal = own.renew(at(10));
    let claim = async {
        while held.count() == 0 {
            tokio::task::yield_now().await;
        }
        let there = nodes.list().await.unwrap().remove(0);
        assert_eq!(there.renewals, 1);
        let claimed = nodes.claim(&there, "n2", LENGTH, at(60)).await.unwrap();
        gate.open();
        claimed.unwrap()
    };
    let (renewed, claimed) = tokio::join!(renewal, claim);
    renewed.unwrap();
    assert_eq!((lost.count(), held.count()), (1, 1));
    let error = own.renew(at(61)).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Conflict, "{error}");
    assert_eq!(nodes.list().await.unwrap(), [claimed]);
}

#[tokio::test]
async fn limits_are_named_and_an_outage_is_no_empty_cluster() {
    let world = World::start().await;
    let nodes = world.stores.nodes();
    let join = async |name: &str, details: usize| {
        nodes
            .join(name, Bytes::from(vec![0; details]), LENGTH, at(0))
            .await
            .unwrap_err()
    };
    assert!(
        join(&"n".repeat(201), 0)
            .await
            .message()
            .contains("201 bytes, over the limit of 200")
    );
    assert!(
        join("n", 4097)
            .await
            .message()
            .contains("4097 bytes, over the limit of 4096")
    );
    assert_eq!(join("", 0).await.kind(), Kind::Invalid);
    let long = "\u{e9}".repeat(100);
    let mut own = nodes
        .join(&long, Bytes::from(vec![0; 4096]), LENGTH, at(0))
        .await
        .unwrap();
    assert_eq!(nodes.list().await.unwrap()[0].name, long);
    world.outage();
    assert_eq!(nodes.list().await.unwrap_err().kind(), Kind::Unavailable);
    assert_eq!(
        own.renew(at(10)).await.unwrap_err().kind(),
        Kind::Unavailable
    );
    world.calm();
    own.renew(at(20)).await.unwrap();
}

/// Three nodes, one of which is killed: it is removed by one other, once, and comes back.
#[tokio::test]
async fn a_node_that_is_killed_is_removed_once_and_comes_back() {
    let world = World::start().await;
    let start = Instant::now();
    let mut stores = Vec::new();
    for _ in 0..3 {
        stores.push(world.another(|builder| builder).await);
    }
    let names = ["a", "b", "c"];
    let mut own = Vec::new();
    for (name, stores) in names.iter().zip(&stores) {
        own.push(Some(
            stores
                .nodes()
                .join(name, Bytes::new(), LENGTH, at(0))
                .await
                .unwrap(),
        ));
    }
    let mut watches = names.map(|name| NodeWatch::new(name, LENGTH, SKEW));
    let mut removed = Vec::new();
    for seconds in (0..200).step_by(5) {
        if seconds == 20 {
            own[1] = None;
        }
        if seconds == 150 {
            own[1] = Some(
                stores[1]
                    .nodes()
                    .join("b", Bytes::new(), LENGTH, at(seconds))
                    .await
                    .unwrap(),
            );
            watches[1] = NodeWatch::new("b", LENGTH, SKEW);
        }
        for place in 0..3 {
            let Some(own) = &mut own[place] else { continue };
            let (nodes, name) = (stores[place].nodes(), names[place]);
            if seconds % 10 == 0 {
                own.renew(at(seconds)).await.unwrap();
            }
            let leases = nodes.list().await.unwrap();
            let tick = start + Duration::from_secs(seconds);
            for event in watches[place].look(&leases, at(seconds), tick) {
                if let NodeEvent::Remove(lease) = event
                    && let Some(claimed) = nodes
                        .claim(&lease, name, LENGTH, at(seconds))
                        .await
                        .unwrap()
                {
                    removed.push((lease.name, name, seconds));
                    nodes.forget(&claimed).await.unwrap();
                }
            }
        }
    }
    // Its last renewal was at 10 seconds: it ended at 40, and 5 are allowed for clocks.
    assert_eq!(removed, [("b".to_owned(), "c", 50)]);
    for watch in &watches {
        assert_eq!(watch.there().collect::<Vec<_>>(), names);
    }
}

#[tokio::test]
async fn of_many_that_begin_a_cluster_one_does() {
    let world = World::start().await;
    let nodes = world.stores.nodes();
    let nobody = nodes.founder().await.unwrap();
    assert_eq!(nobody.node, None);
    let names: Vec<String> = (0..6).map(|n| format!("n{n}")).collect();
    let founded = join_all(names.iter().map(|name| nodes.found(&nobody, name, "1"))).await;
    let founders: Vec<&String> = names
        .iter()
        .zip(founded)
        .filter(|(_, founded)| *founded.as_ref().unwrap())
        .map(|(name, _)| name)
        .collect();
    assert_eq!(founders.len(), 1);
    let (founder, requests) = world.requests(nodes.founder()).await;
    let founder = founder.unwrap();
    assert_eq!(requests, ["GetObject"]);
    let node = (founders[0].clone(), "1".to_owned());
    assert_eq!(founder.node, Some(node));
    // Whoever has read what was before does not begin over it.
    assert!(!nodes.found(&nobody, "n9", "1").await.unwrap());
    // A lost answer is settled: it is the founder, and nobody else is.
    let lost = world.lose("PutObject");
    assert!(nodes.found(&founder, "n9", "2").await.unwrap());
    assert_eq!(lost.count(), 1);
    assert!(!nodes.found(&founder, "n8", "1").await.unwrap());
    world.outage();
    let error = nodes.founder().await.unwrap_err();
    assert_eq!(error.kind(), Kind::Unavailable);
}

#[tokio::test]
async fn all_nodes_have_the_same_secrets() {
    let world = World::start().await;
    let nodes = world.stores.nodes();
    assert_eq!(nodes.secret("cookie").await.unwrap(), None);
    let mine = (0..6).map(|n| nodes.secret_or("cookie", Bytes::from(format!("cookie {n}"))));
    let cookies = join_all(mine).await;
    let first = cookies[0].as_ref().unwrap();
    assert!(
        cookies
            .iter()
            .all(|cookie| cookie.as_ref().unwrap() == first)
    );
    assert_eq!(nodes.secret("cookie").await.unwrap().as_ref(), Some(first));
    let certificate = Bytes::from_static(b"-----BEGIN CERTIFICATE-----\n");
    nodes.set_secret("tls", certificate.clone()).await.unwrap();
    assert_eq!(
        nodes.secret("tls").await.unwrap(),
        Some(certificate.clone())
    );
    let other = Bytes::from_static(b"another");
    let there = nodes.secret_or("tls", other.clone()).await.unwrap();
    assert_eq!(there, certificate);
    // Such as the answer of a command that has found no file.
    for error in [
        nodes.set_secret("tls", Bytes::new()).await.unwrap_err(),
        nodes.secret_or("tls", Bytes::new()).await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), Kind::Invalid, "{error}");
    }
    assert_eq!(nodes.secret("tls").await.unwrap(), Some(certificate));
    let long = Bytes::from(vec![0; 65_537]);
    for error in [
        nodes.set_secret("tls", long.clone()).await.unwrap_err(),
        nodes.secret_or("tls", long).await.unwrap_err(),
    ] {
        assert!(
            error
                .message()
                .contains("65537 bytes, over the limit of 65536"),
            "{error}"
        );
        assert_eq!(error.kind(), Kind::TooLarge);
    }
    // An outage is no absence: a node must not go on with a cookie of its own.
    world.outage();
    let error = nodes.secret_or("cookie", other).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Unavailable);
}
