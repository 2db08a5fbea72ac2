//! The pointer in SimpleDB: a compare-and-swap of one item.

use emulator::{Fault, Rule};
use s3_sync::release::{Place, PublishEnd};
use sdb_client::{Credentials, SdbClient};

use crate::world::{World, following, once, tree, until};

async fn place(world: &World) -> Place {
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
    Place::SimpleDb {
        domain,
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
    until("the last", || seen.lock().unwrap().last() == Some(&40)).await;
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
