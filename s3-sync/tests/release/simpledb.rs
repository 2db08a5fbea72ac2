//! The pointer in SimpleDB: a compare-and-swap of one item.

use emulator::{Fault, Rule};
use s3_sync::release::{Channel, Hooks, Place, PublishEnd};
use sdb_client::{Credentials, Domain, SdbClient};

use crate::world::{World, following, once, reaches, tree};

async fn domain(world: &World) -> Domain {
    let client = SdbClient::builder()
        .endpoint(world.emulator.url())
        .credentials(Credentials::new(
            world.emulator.access_key(),
            world.emulator.secret_key(),
        ))
        .build()
        .unwrap();
    let domain = client.domain("pointers");
    domain.create().await.unwrap();
    domain
}

async fn place(world: &World) -> Place {
    Place::SimpleDb {
        domain: domain(world).await,
        item: "app".to_owned(),
    }
}

#[tokio::test]
async fn the_pointer_is_an_item_and_lost_answers_are_settled() {
    let world = World::new().await;
    let place = place(&world).await;
    let publish = async |content: &str| {
        let source = world.source(&tree(&[("a", content)]));
        world
            .app
            .publish(source.path())
            .place(place.clone())
            .send()
            .await
            .unwrap()
    };
    for (i, fault) in [Fault::none(), Fault::reset_after(), Fault::reset_before()]
        .into_iter()
        .enumerate()
    {
        let put = Rule::new(fault).operation("PutAttributes").times(1);
        world.emulator.faults().add(put);
        let published = publish(&i.to_string()).await;
        assert_eq!(
            (published.seq, published.end),
            (i as u64 + 1, PublishEnd::Current)
        );
    }
    assert_eq!(
        world.keys("history/").await.len() + world.keys("current").await.len(),
        0
    );
    once(world.node("n").place(place.clone())).await.unwrap();
    assert_eq!(world.used("n"), tree(&[("a", "2")]));
    let back = world
        .app
        .rollback(None)
        .place(place.clone())
        .send()
        .await
        .unwrap();
    assert_eq!((back.release, back.seq), (2, 4));
    let canary = "canary".parse().unwrap();
    world
        .app
        .promote(s3_sync::release::Channel::main())
        .channel(canary)
        .place(place)
        .send()
        .await
        .unwrap();
}

#[tokio::test]
async fn two_publishers_agree_on_one_item() {
    let world = World::new().await;
    let place = place(&world).await;
    let apps = [world.another(), world.another()];
    let sources = [
        world.source(&tree(&[("a", "1")])),
        world.source(&tree(&[("a", "2")])),
    ];
    let (task, seen) = following(world.node("n").place(place.clone()).fsync(false));
    let mut moves = 0;
    for _ in 0..20 {
        let publish = |i: usize| {
            apps[i]
                .publish(sources[i].path())
                .place(place.clone())
                .even_unchanged(true)
                .send()
        };
        let (one, two) = tokio::join!(publish(0), publish(1));
        for published in [one.unwrap(), two.unwrap()] {
            moves += u64::from(published.end == PublishEnd::Current);
        }
    }
    reaches(&seen, 40).await;
    task.abort();
    let seen = seen.lock().unwrap().clone();
    assert!(seen.is_sorted_by(|a, b| a < b), "{seen:?}");
    let status = world
        .app
        .status(&place, &s3_sync::release::Channel::main())
        .await
        .unwrap();
    assert_eq!(status.pointer.unwrap().seq, moves);
}

#[tokio::test]
async fn what_nodes_say_is_items_that_one_selection_reads() {
    let world = World::new().await;
    let domain = domain(&world).await;
    let app = world.another().reports_in(domain.clone());
    for content in ["1", "2"] {
        world.publish(&tree(&[("a", content)])).await;
    }
    let node = |name: &str| {
        let folder = world.folder.path().join(name);
        app.follow(folder).name(name)
    };
    for name in ["n2", "n1"] {
        once(node(name)).await.unwrap();
    }
    // What a command says is cut, and a failure stays one.
    let long = Hooks::new().then(format!("false {}", "\"".repeat(1500)));
    let canary: Channel = "canary".parse().unwrap();
    let source = world.source(&tree(&[("a", "3")]));
    let publish = world.app.publish(source.path()).channel(canary.clone());
    publish.send().await.unwrap();
    let bad = node("n3").channel(canary).hooks(long);
    once(bad).await.unwrap();
    assert_eq!(world.keys("nodes/").await.len(), 0);
    // Another application, somebody else's item, and a report that is none.
    for (name, node, application) in [
        ("other", "x", "s3://releases/other/"),
        ("strange", "..", "s3://releases/app/"),
        ("broken", "n4", "s3://releases/app/"),
    ] {
        let put = domain.put(name).replace("node", node);
        let put = put.replace("application", application);
        put.replace("report", "{").await.unwrap();
    }

    let selects = world.count(|seen| seen.operation == "Select");
    let main = Channel::main();
    let status = app.status(&Place::Bucket, &main).await.unwrap();
    assert_eq!(selects.load(std::sync::atomic::Ordering::Relaxed), 1);
    let nodes: Vec<_> = status
        .nodes
        .iter()
        .map(|node| (&*node.node, node.release))
        .collect();
    let expected = [
        ("n1", Some(2)),
        ("n2", Some(2)),
        ("n3", Some(3)),
        ("n4", None),
    ];
    assert_eq!(nodes, expected);
    let third = &status.nodes[2];
    assert!(
        !third.is_ok() && third.result.starts_with("false"),
        "{third:?}"
    );
    assert_eq!(third.channel.as_deref(), Some("canary"));
    assert!(status.nodes[3].is_unreadable());
    let seq = status.pointer.unwrap().seq;
    let names: Vec<String> = ["n1", "n2", "n4", "n5"].map(str::to_owned).into();
    let waited = app.wait_for(2, seq, &names, std::time::Duration::ZERO);
    let waited = waited.await.unwrap();
    assert_eq!(
        (&waited.there[..], &waited.missing[..]),
        (&names[..2], &names[3..])
    );
    assert_eq!(waited.unreadable[0].0, "n4");
    // What a node runs is no garbage.
    let young = std::time::Duration::ZERO;
    for content in ["4", "5"] {
        world.publish(&tree(&[("a", content)])).await;
    }
    let gc = app.gc().keep(1).older(young).young(young).dry_run(true);
    assert_eq!(gc.send().await.unwrap().releases, [1, 4]);
}
