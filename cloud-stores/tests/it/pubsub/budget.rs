//! What an action takes: requests in all, and one after another, with caches that are warm.

use std::sync::{Arc, Mutex};

use cloud_stores::pubsub::{
    Affiliation, Commit, Item, State, StateSubscription, SubscriptionState,
};
use emulator::{Fault, Gate, Rule};
use tokio::sync::Notify;

use super::{content, item, service};
use crate::kit::{World, jid};

/// Has the work done in waves: what is asked for waits until all of the wave has been asked for, and is answered then.
/// Hangs where the work asks for less at once, and fails where it asks for something else.
async fn waves<T>(world: &World, waves: &[&[&str]], work: impl Future<Output = T>) -> T {
    let asked: Arc<Mutex<Vec<String>>> = Arc::default();
    let (told, more) = (Arc::clone(&asked), Arc::new(Notify::new()));
    let notify = Arc::clone(&more);
    let hold = |gate: &Gate| {
        let (told, notify) = (Arc::clone(&told), Arc::clone(&notify));
        world.calm();
        world
            .faults()
            .add(Rule::new(Fault::hold(gate)).when(move |seen| {
                told.lock().unwrap().push(seen.operation.clone());
                notify.notify_one();
                true
            }));
    };
    let mut gate = Gate::new();
    hold(&gate);
    let drive = async {
        for wave in waves {
            while asked.lock().unwrap().len() < wave.len() {
                more.notified().await;
            }
            let next = Gate::new();
            let mut seen = std::mem::take(&mut *asked.lock().unwrap());
            seen.sort();
            assert_eq!(seen, *wave);
            hold(&next);
            gate.open();
            gate = next;
        }
    };
    let (done, ()) = tokio::join!(work, drive);
    assert!(asked.lock().unwrap().is_empty(), "{asked:?}");
    gate.open();
    world.calm();
    done
}

#[tokio::test]
async fn a_publication_takes_three_steps_and_five_requests() {
    let world = World::cached().await;
    let pubsub = world.stores.pubsub();
    let ann = jid("ann");
    for host in [service(), ann.clone()] {
        let index = pubsub
            .create_node(&host, "n", content(&[&ann]))
            .await
            .unwrap();
        let subscribe = Commit::new(&index).write(
            State::absent("bob@example.com"),
            Affiliation::Member,
            vec![StateSubscription {
                state: SubscriptionState::Subscribed,
                id: "1".to_owned(),
            }],
        );
        pubsub.commit(subscribe).await.unwrap();
        pubsub
            .commit(Commit::new(&index).put_item(item("1", 1, &ann), None))
            .await
            .unwrap();
        // Warm: the node, the generation, and with it the states. A write is known as such to the cache for one read.
        for _ in 0..3 {
            pubsub.node_at(&index).await.unwrap();
            pubsub.states(&index).await.unwrap();
        }

        // A new item takes the place of the oldest.
        let publish = async {
            pubsub.node(&host, "n").await.unwrap().unwrap();
            let loaded = pubsub.load(&index, &ann).await.unwrap();
            let old = loaded.items.items()[0].keys.clone();
            let commit = Commit::new(&index)
                .put_item(item("2", 2, &ann), None)
                .remove_item(old);
            pubsub.commit(commit).await.unwrap();
            assert_eq!(pubsub.states(&index).await.unwrap().len(), 2);
        };
        let steps: [&[&str]; 3] = [
            &["ListObjectsV2", "Select"],
            &["PutObject", "PutObject"],
            &["DeleteObjects"],
        ];
        waves(&world, &steps, publish).await;

        // The same item again, as most of PEP is.
        pubsub
            .item(&index, &pubsub.items(&index).await.unwrap().items()[0].keys)
            .await
            .unwrap();
        let publish = async {
            pubsub.node(&host, "n").await.unwrap().unwrap();
            let loaded = pubsub.load(&index, &ann).await.unwrap();
            let keys = &loaded.items.find("2").unwrap().keys;
            let old = pubsub.item(&index, keys).await.unwrap().unwrap();
            let again = Item { modified: 3, ..old };
            pubsub
                .commit(Commit::new(&index).put_item(again, Some(keys)))
                .await
                .unwrap();
            assert_eq!(pubsub.states(&index).await.unwrap().len(), 2);
        };
        let (_, requests) = world.requests(publish).await;
        assert!((4..=5).contains(&requests.len()), "{requests:?}");
        assert_eq!(pubsub.last_items(&index, 1).await.unwrap()[0].modified, 3);
    }
}

#[tokio::test]
async fn a_subscription_takes_four_steps() {
    let world = World::cached().await;
    let pubsub = world.stores.pubsub();
    let ann = jid("ann");
    let index = pubsub
        .create_node(&service(), "n", content(&[&ann]))
        .await
        .unwrap();
    for _ in 0..3 {
        pubsub.node_at(&index).await.unwrap();
    }
    let set = async |affiliation| {
        let loaded = pubsub.load(&index, &jid("bob")).await.unwrap();
        let bob = loaded.states.into_iter().next();
        let bob = bob.unwrap_or_else(|| State::absent("bob@example.com"));
        pubsub
            .commit(Commit::new(&index).write(bob, affiliation, Vec::new()))
            .await
            .unwrap();
    };
    let new: [&[&str]; 4] = [
        &["ListObjectsV2", "Select"],
        &["PutAttributes", "PutAttributes"],
        &["PutAttributes"],
        &["PutAttributes"],
    ];
    waves(&world, &new, set(Affiliation::Member)).await;
    waves(
        &world,
        &[new[0], new[2], new[3]],
        set(Affiliation::Publisher),
    )
    .await;
    let removal: [&[&str]; 3] = [
        new[0],
        &["DeleteAttributes"],
        &["DeleteAttributes", "PutAttributes"],
    ];
    waves(&world, &removal, set(Affiliation::None)).await;
    // Who has decided by the affiliation of the bare JID, too, touches that meanwhile.
    let full = async {
        let commit = Commit::new(&index)
            .read(State::absent("bob@example.com"))
            .write(
                State::absent("bob@example.com/x"),
                Affiliation::Member,
                Vec::new(),
            );
        pubsub.commit(commit).await.unwrap();
    };
    let touched: [&[&str]; 3] = [
        &["PutAttributes"; 3],
        &["PutAttributes"],
        &["DeleteAttributes", "PutAttributes"],
    ];
    waves(&world, &touched, full).await;
}

#[tokio::test]
async fn a_login_asks_for_the_index_and_each_state() {
    let world = World::cached().await;
    let pubsub = world.stores.pubsub();
    let bob = jid("bob");
    // That there is none comes from the cache the second time.
    let (_, requests) = world.requests(pubsub.states_of(&bob)).await;
    assert_eq!(requests, ["GetAttributes"]);
    let (_, requests) = world.requests(pubsub.states_of(&bob)).await;
    assert!(requests.is_empty(), "{requests:?}");
    for n in 0..3 {
        let index = pubsub
            .create_node(&service(), &n.to_string(), content(&[]))
            .await
            .unwrap();
        let bob = State::absent("bob@example.com");
        pubsub
            .commit(Commit::new(&index).write(bob, Affiliation::Member, Vec::new()))
            .await
            .unwrap();
    }
    let other = world.another(|builder| builder).await.pubsub();
    let steps: [&[&str]; 2] = [&["GetAttributes"], &["GetAttributes"; 3]];
    assert_eq!(
        waves(&world, &steps, other.states_of(&bob))
            .await
            .unwrap()
            .len(),
        3
    );
    for _ in 0..3 {
        assert_eq!(pubsub.states_of(&bob).await.unwrap().len(), 3);
    }
    let (_, requests) = world.requests(pubsub.states_of(&bob)).await;
    assert!(requests.is_empty(), "{requests:?}");
}
