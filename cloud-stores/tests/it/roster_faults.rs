//! Rosters where answers are lost, the services are away, or reads are old.

use cloud_stores::roster::RosterExpectation;
use cloud_stores::{Kind, Reads};

use crate::kit::{World, jid};
use crate::roster::{commit, contact, is, put, remove};

#[tokio::test]
async fn lost_answers_are_settled() {
    let world = World::start().await;
    let roster = world.stores.roster();
    let (ann, bob) = (jid("ann"), "bob@example.org");
    let mut expected = RosterExpectation::Absent;
    for (n, after) in [true, false, true, false].into_iter().enumerate() {
        let lost = if after {
            world.lose("PutAttributes")
        } else {
            world.swallow("PutAttributes")
        };
        let change = put(expected, contact(bob, &n.to_string(), &[]));
        commit(&world.stores, &ann, change).await.unwrap();
        let entry = roster.get(&ann, bob).await.unwrap().unwrap();
        assert_eq!(
            (lost.count(), entry.item.name.as_str()),
            (1, &*n.to_string())
        );
        expected = is(&entry);
    }
    for after in [true, false] {
        let lost = if after {
            world.lose("DeleteAttributes")
        } else {
            world.swallow("DeleteAttributes")
        };
        commit(&world.stores, &ann, remove(expected, bob))
            .await
            .unwrap();
        assert_eq!(
            (lost.count(), roster.get(&ann, bob).await.unwrap()),
            (1, None)
        );
        commit(
            &world.stores,
            &ann,
            put(RosterExpectation::Any, contact(bob, "", &[])),
        )
        .await
        .unwrap();
        expected = is(&roster.get(&ann, bob).await.unwrap().unwrap());
    }
}

#[tokio::test]
async fn an_outage_is_no_empty_roster() {
    let world = World::start().await;
    let roster = world.stores.roster();
    let ann = jid("ann");
    world.outage();
    for error in [
        roster.all(&ann).await.unwrap_err(),
        roster.get(&ann, "b@x").await.unwrap_err(),
        roster.version(&ann).await.unwrap_err(),
        roster.remove(&ann).await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), Kind::Unavailable);
    }
}

#[tokio::test]
async fn contacts_and_version_are_new_where_reads_may_be_old() {
    let world = World::with(None, |builder| builder.reads(Reads::Eventual)).await;
    world.stale();
    let roster = world.stores.roster();
    let ann = jid("ann");
    for n in 1..20 {
        let change = [put(
            RosterExpectation::Absent,
            contact(&format!("c{n}@x"), "", &[]),
        )];
        roster
            .commit(&ann, &change, Some(&n.to_string()))
            .await
            .unwrap();
        assert_eq!(roster.version(&ann).await.unwrap(), Some(n.to_string()));
        assert_eq!(roster.all(&ann).await.unwrap().len(), n);
        assert!(
            roster
                .get_newest(&ann, &format!("c{n}@x"))
                .await
                .unwrap()
                .is_some()
        );
    }
    roster.remove(&ann).await.unwrap();
    assert!(world.left().await.is_empty());
}
