//! Several publishers at once, and nodes that follow meanwhile.

use std::collections::BTreeSet;

use emulator::{Fault, Rule};
use s3_sync::release::{Channel, Place, PublishEnd};

use crate::world::{World, following, tree, until};

/// Two publishers, 100 rounds, with answers that are lost; three nodes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_publishers_lose_no_release_and_no_node_goes_back() {
    let world = World::new().await;
    let faults = world.emulator.faults();
    faults.seed(7);
    for fault in [Fault::reset_after(), Fault::reset_before()] {
        faults.add(Rule::new(fault).method("PUT").rate(0.03));
    }
    let apps = [world.another(), world.another()];
    let sources =
        [0, 1].map(|publisher| world.source(&tree(&[("publisher", &publisher.to_string())])));
    let nodes: Vec<_> = (0..3)
        .map(|node| following(world.node(&format!("n{node}")).fsync(false)))
        .collect();
    let mut numbers = BTreeSet::new();
    let (mut current, mut overtaken) = (0, 0);
    for round in 0..100 {
        for source in &sources {
            std::fs::write(source.path().join("round"), round.to_string()).unwrap();
        }
        let (one, two) = tokio::join!(
            apps[0]
                .publish(sources[0].path())
                .even_unchanged(true)
                .send(),
            apps[1]
                .publish(sources[1].path())
                .even_unchanged(true)
                .send()
        );
        for published in [one.unwrap(), two.unwrap()] {
            assert!(numbers.insert(published.release), "{published:?}");
            match published.end {
                PublishEnd::Current => current += 1,
                PublishEnd::Overtaken => overtaken += 1,
                _ => panic!("{published:?}"),
            }
        }
    }
    faults.clear();
    // A put whose answer was lost on its way there took no number: all are there, without a gap.
    assert_eq!(numbers, (1..=200).collect());
    assert_eq!(world.keys("releases/").await.len(), 200);
    assert_eq!(world.keys("history/").await.len(), current);
    assert_eq!(current + overtaken, 200);
    let last = world
        .app
        .status(&Place::Bucket, &Channel::main())
        .await
        .unwrap();
    assert_eq!(last.pointer.unwrap().target.release, 200);

    for (task, seen) in nodes {
        until("the last release", || {
            seen.lock().unwrap().last() == Some(&200)
        })
        .await;
        task.abort();
        let seen = seen.lock().unwrap().clone();
        assert!(seen.is_sorted_by(|a, b| a < b), "{seen:?}");
        assert!(seen.len() > 1, "{seen:?}");
    }
    for node in 0..3 {
        let used = world.used(&format!("n{node}"));
        assert_eq!(used["round"].0, b"99");
    }
}
