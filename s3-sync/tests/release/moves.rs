//! Rollbacks, channels, and what is not there to go to.

use s3_sync::Kind;
use s3_sync::release::{Channel, Place, PublishEnd};

use crate::world::{World, following, once, reaches, tree};

#[tokio::test]
async fn a_rollback_is_a_move_of_its_own_and_the_next_release_goes_on() {
    let world = World::new().await;
    for i in 1..=3 {
        world.publish(&tree(&[("a", &i.to_string())])).await;
    }
    let (task, seen) = following(world.node("n"));
    reaches(&seen, 3).await;
    let back = world.app.rollback(None).send().await.unwrap();
    assert_eq!((back.release, back.seq), (2, 4));
    reaches(&seen, 2).await;
    let back = world.app.rollback(Some(1)).send().await.unwrap();
    assert_eq!((back.release, back.seq), (1, 5));
    reaches(&seen, 1).await;
    let next = world.publish(&tree(&[("a", "4")])).await;
    assert_eq!(
        (next.release, next.seq, next.end),
        (4, 6, PublishEnd::Current)
    );
    reaches(&seen, 4).await;
    task.abort();
}

#[tokio::test]
async fn what_is_not_there_is_not_gone_to() {
    let world = World::new().await;
    let told = world.app.rollback(None).send().await.unwrap_err();
    assert!(told.to_string().contains("nothing is published"), "{told}");
    world.publish(&tree(&[("a", "1")])).await;
    let told = world.app.rollback(None).send().await.unwrap_err();
    assert!(told.to_string().contains("no release before"), "{told}");
    assert_eq!(
        world.app.rollback(Some(9)).send().await.unwrap_err().kind(),
        Kind::Usage
    );
    world.publish(&tree(&[("a", "2")])).await;
    for key in world.keys("blobs/").await {
        world.bucket.delete(key).await.unwrap();
    }
    let told = world.app.rollback(Some(1)).send().await.unwrap_err();
    assert!(
        told.to_string().contains("the content of a was removed"),
        "{told}"
    );
    let moves = world.keys("history/").await;
    assert_eq!(moves.len(), 2);
}

#[tokio::test]
async fn a_canary_goes_first_and_the_others_after_it() {
    let world = World::new().await;
    let canary: Channel = "canary".parse().unwrap();
    let (old, new) = (tree(&[("a", "1")]), tree(&[("a", "2")]));
    world.publish(&old).await;
    let source = world.source(&new);
    let published = world
        .app
        .publish(source.path())
        .channel(canary.clone())
        .send()
        .await
        .unwrap();
    assert_eq!((published.release, published.seq), (2, 1));
    once(world.node("first").channel(canary.clone()))
        .await
        .unwrap();
    once(world.node("other")).await.unwrap();
    assert_eq!(
        (world.used("first"), world.used("other")),
        (new.clone(), old)
    );
    let moved = world.app.promote(canary.clone()).send().await.unwrap();
    assert_eq!((moved.release, moved.seq), (2, 2));
    once(world.node("other")).await.unwrap();
    assert_eq!(world.used("other"), new);
    let told = world
        .app
        .promote("none".parse().unwrap())
        .send()
        .await
        .unwrap_err();
    assert!(
        told.to_string().contains("nothing is published yet"),
        "{told}"
    );
    // What a channel names is not garbage.
    for i in 3..6 {
        world.publish(&tree(&[("a", &i.to_string())])).await;
    }
    let zero = std::time::Duration::ZERO;
    world
        .app
        .gc()
        .keep(1)
        .older(zero)
        .young(zero)
        .send()
        .await
        .unwrap();
    once(world.node("late").channel(canary)).await.unwrap();
    assert_eq!(world.used("late"), new);
}

#[tokio::test]
async fn an_earlier_release_is_not_promoted() {
    let world = World::new().await;
    let canary: Channel = "canary".parse().unwrap();
    let source = world.source(&tree(&[("a", "1")]));
    let publish = world.app.publish(source.path()).channel(canary.clone());
    publish.send().await.unwrap();
    world.publish(&tree(&[("a", "2")])).await;
    let told = world.app.promote(canary.clone()).send().await.unwrap_err();
    assert_eq!(told.kind(), Kind::Guard, "{told}");
    assert!(told.to_string().contains("is a rollback"), "{told}");
    // After a rollback it is a later one, and the same is no step back.
    world.app.rollback(Some(1)).send().await.unwrap();
    let moved = world.app.promote(canary).send().await.unwrap();
    assert_eq!((moved.release, moved.seq), (1, 3));
}

#[tokio::test]
async fn releases_are_listed_with_what_their_manifests_tell() {
    let world = World::new().await;
    let main = [Channel::main()];
    let list = async |last| {
        let listed = world.app.releases(last, &Place::Bucket, &main).await;
        listed.unwrap()
    };
    assert!(list(9).await.is_empty());
    for (i, note) in ["one", "two", "three"].into_iter().enumerate() {
        let source = world.source(&tree(&[("a", &"x".repeat(i)), ("b", "same")]));
        let publish = world.app.publish(source.path()).note(note);
        match i {
            2 => publish.channel("canary".parse().unwrap()).send().await,
            _ => publish.send().await,
        }
        .unwrap();
    }
    world
        .bucket
        .put("app/releases/000001.json", "{}")
        .await
        .unwrap();
    let listed = list(9).await;
    let numbers: Vec<u64> = listed.iter().map(|release| release.number).collect();
    assert_eq!(numbers, [1, 2, 3]);
    let error = listed[0].about.as_ref().unwrap_err();
    assert_eq!(error.about(), "app/releases/000001.json");
    assert!(listed[0].current.is_empty());
    let two = listed[1].about.as_ref().unwrap();
    assert_eq!((&*two.note, two.files, two.bytes), ("two", 2, 5));
    assert_eq!(two.parent, Some(1));
    assert_eq!(listed[1].current, main);
    let three = listed[2].about.as_ref().unwrap();
    assert_eq!((&*three.note, three.bytes), ("three", 6));
    assert_eq!(listed[2].current, ["canary".parse().unwrap()]);
    let status = world.app.status(&Place::Bucket, &main[0]).await.unwrap();
    assert_eq!(status.pointer.unwrap().target.manifest, two.manifest);
    // Those that are current are told however old they are, and also where they are gone.
    let current = list(1).await;
    let numbers: Vec<u64> = current.iter().map(|release| release.number).collect();
    assert_eq!(numbers, [2, 3]);
    let gone = world.bucket.delete("app/releases/000002.json");
    gone.await.unwrap();
    let current = list(1).await;
    assert_eq!(current[0].current, main);
    let error = current[0].about.as_ref().unwrap_err().to_string();
    assert!(error.contains("a pointer names it"), "{error}");
}
