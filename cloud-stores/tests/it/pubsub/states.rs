//! States: of a node, of a person, of owners; who is told of changes.

use cloud_stores::pubsub::{
    Affiliation, Commit, NodeIndex, PubSub, Seen, State, StateSubscription, SubscriptionState,
};
use cloud_stores::{BareJid, Kind, Reads};
use emulator::{Fault, Gate, Rule};

use super::{content, node, said, service, subscribed};
use crate::kit::{World, jid};

/// What this JID is to the node.
async fn state(pubsub: &PubSub, index: &NodeIndex, jid: &str) -> State {
    let bare = BareJid::parse(jid.split('/').next().unwrap()).unwrap();
    let loaded = pubsub.load(index, &bare).await.unwrap();
    let found = loaded.states.into_iter().find(|state| state.jid == jid);
    found.unwrap_or_else(|| State::absent(jid))
}

async fn set(
    pubsub: &PubSub,
    index: &NodeIndex,
    jid: &str,
    affiliation: Affiliation,
    id: Option<&str>,
) {
    let before = state(pubsub, index, jid).await;
    let subscriptions = id.map(subscribed).unwrap_or_default();
    pubsub
        .commit(Commit::new(index).write(before, affiliation, subscriptions))
        .await
        .unwrap();
}

#[tokio::test]
async fn states_come_back_whole() {
    let world = World::start().await;
    let pubsub = world.stores.pubsub();
    let index = node(&pubsub).await;
    let long = format!("{}/{}", jid(&"\u{e9}".repeat(500)), "r|/".repeat(300));
    let many: Vec<StateSubscription> = (0..200)
        .map(|n| StateSubscription {
            state: [SubscriptionState::Pending, SubscriptionState::Subscribed][n % 2],
            id: format!("{}:{}", 200 - n, "i".repeat(890)),
        })
        .collect();
    for jid in ["bob@example.com", "bob@example.com/phone", &long] {
        for (affiliation, subscriptions) in [
            (Affiliation::Member, Vec::new()),
            (Affiliation::None, many.clone()),
            (Affiliation::PublishOnly, subscribed("x")),
            (Affiliation::Outcast, Vec::new()),
        ] {
            let before = state(&pubsub, &index, jid).await;
            let kept = Seen::parse(&before.seen.to_string()).unwrap();
            let before = State {
                seen: kept,
                ..before
            };
            let write = Commit::new(&index).write(before, affiliation, subscriptions.clone());
            pubsub.commit(write).await.unwrap();
            let after = state(&pubsub, &index, jid).await;
            assert_eq!(
                (after.affiliation, after.subscriptions),
                (affiliation, subscriptions)
            );
        }
    }
    let everybody = pubsub.states(&index).await.unwrap();
    assert_eq!(everybody.len(), 4);
    for jid in ["bob@example.com", "bob@example.com/phone", &long] {
        set(&pubsub, &index, jid, Affiliation::None, None).await;
    }
    assert_eq!(
        said(&pubsub.states(&index).await.unwrap()),
        ["ann@example.com: owner []"]
    );
    pubsub.delete_node(&index).await.unwrap();
    pubsub.clean_node(&index).await.unwrap();
    assert!(world.left().await.is_empty());
}

#[tokio::test]
async fn an_owner_without_a_state_is_one_until_it_says_something() {
    let world = World::start().await;
    let pubsub = world.stores.pubsub();
    let index = node(&pubsub).await;
    let ann = state(&pubsub, &index, "ann@example.com").await;
    assert_eq!(
        (ann.affiliation, ann.seen.is_absent()),
        (Affiliation::Owner, true)
    );
    assert_eq!(
        said(&pubsub.states(&index).await.unwrap()),
        ["ann@example.com: owner []"]
    );
    // He subscribes: what is written has what was read.
    set(
        &pubsub,
        &index,
        "ann@example.com",
        Affiliation::Owner,
        Some("x"),
    )
    .await;
    assert_eq!(
        said(&pubsub.states(&index).await.unwrap()),
        ["ann@example.com: owner [subscribed x]"]
    );
    set(
        &pubsub,
        &index,
        "ann@example.com",
        Affiliation::Member,
        None,
    )
    .await;
    assert_eq!(
        said(&pubsub.states(&index).await.unwrap()),
        ["ann@example.com: member []"]
    );
    // Somebody else's is nobody's.
    assert!(
        pubsub
            .load(&index, &jid("an"))
            .await
            .unwrap()
            .states
            .is_empty()
    );
}

#[tokio::test]
async fn the_owners_of_a_node_that_was_just_read_need_no_request() {
    let world = World::start().await;
    let pubsub = world.stores.pubsub();
    let (ann, bob) = (jid("ann"), jid("bob"));
    let index = pubsub
        .create_node(&service(), "n", content(&[&ann]))
        .await
        .unwrap();
    set(
        &pubsub,
        &index,
        "bob@example.com",
        Affiliation::Member,
        None,
    )
    .await;
    let (loaded, requests) = world.requests(pubsub.load(&index, &ann)).await;
    assert_eq!(requests.len(), 3, "{requests:?}");
    let owned = pubsub.load_owned(&index, vec![ann.clone()], &ann);
    let (owned, requests) = world.requests(owned).await;
    assert_eq!(requests.len(), 2, "{requests:?}");
    assert_eq!(owned.unwrap().states, loaded.unwrap().states);
    // What is said of the owners is believed, and of nobody else.
    let owned = pubsub.load_owned(&index, vec![ann.clone()], &bob);
    assert_eq!(
        owned.await.unwrap().states[0].affiliation,
        Affiliation::Member
    );
    let all = said(&pubsub.states(&index).await.unwrap());
    let owned = world.requests(pubsub.states_owned(&index, vec![ann]));
    let (owned, requests) = owned.await;
    assert_eq!(said(&owned.unwrap()), all);
    assert!(!requests.contains(&"GetObject".to_owned()), "{requests:?}");
}

#[tokio::test]
async fn the_states_of_a_person_are_found_wherever_they_are() {
    let world = World::start().await;
    let pubsub = world.stores.pubsub();
    let (bob, mut nodes) = (jid("bob"), Vec::new());
    for n in 0..6 {
        let host = [service(), jid("ann")][n % 2].clone();
        let index = pubsub
            .create_node(&host, &n.to_string(), content(&[]))
            .await
            .unwrap();
        set(
            &pubsub,
            &index,
            "bob@example.com",
            Affiliation::Member,
            None,
        )
        .await;
        set(
            &pubsub,
            &index,
            "bob@example.com/phone",
            Affiliation::None,
            Some("p"),
        )
        .await;
        set(
            &pubsub,
            &index,
            "bobby@example.com",
            Affiliation::Owner,
            None,
        )
        .await;
        nodes.push(index);
    }
    set(
        &pubsub,
        &nodes[0],
        "bob@example.com",
        Affiliation::None,
        None,
    )
    .await;
    set(
        &pubsub,
        &nodes[1],
        "bob@example.com/phone",
        Affiliation::None,
        None,
    )
    .await;
    let found = async || {
        let mut found: Vec<String> = Vec::new();
        for (index, state) in pubsub.states_of(&bob).await.unwrap() {
            found.extend(
                said(&[state])
                    .into_iter()
                    .map(|said| format!("{}: {said}", index.name())),
            );
        }
        found.sort();
        found
    };
    let mut expected = vec![
        "0: bob@example.com/phone: none [subscribed p]".to_owned(),
        "1: bob@example.com: member []".to_owned(),
    ];
    for n in 2..6 {
        expected.push(format!("{n}: bob@example.com/phone: none [subscribed p]"));
        expected.push(format!("{n}: bob@example.com: member []"));
    }
    expected.sort();
    assert_eq!(found().await, expected);
    // One that was removed and made again is there once.
    set(
        &pubsub,
        &nodes[0],
        "bob@example.com/phone",
        Affiliation::None,
        None,
    )
    .await;
    set(
        &pubsub,
        &nodes[0],
        "bob@example.com/phone",
        Affiliation::None,
        Some("p"),
    )
    .await;
    assert_eq!(found().await, expected);
    for index in &nodes {
        pubsub.delete_node(index).await.unwrap();
        pubsub.clean_node(index).await.unwrap();
    }
    assert!(found().await.is_empty());
    assert!(world.left().await.is_empty());
}

#[tokio::test]
async fn a_person_has_so_many_states_and_no_more() {
    let world = World::start().await;
    let pubsub = world.stores.pubsub();
    let index = node(&pubsub).await;
    let full = |n: usize| State::absent(format!("bob@example.com/{n}"));
    let first = (0..256).fold(Commit::new(&index), |all, n| {
        all.write(full(n), Affiliation::None, subscribed("x"))
    });
    pubsub.commit(first).await.unwrap();
    assert_eq!(pubsub.states_of(&jid("bob")).await.unwrap().len(), 256);
    let one_more = Commit::new(&index).write(full(256), Affiliation::None, subscribed("x"));
    let error = pubsub.commit(one_more).await.unwrap_err();
    assert_eq!(error.kind(), Kind::TooLarge);
    assert!(
        error
            .message()
            .contains("257 states, over the limit of 256"),
        "{error}"
    );
    assert_eq!(pubsub.states(&index).await.unwrap().len(), 257);
}

#[tokio::test]
async fn what_a_process_keeps_is_good_until_somebody_commits() {
    let world = World::start().await;
    let pubsub = world.stores.pubsub();
    let other = world.another(|builder| builder).await.pubsub();
    let index = node(&pubsub).await;
    let states = async || {
        let (states, mut requests) = world.requests(pubsub.states(&index)).await;
        requests.sort();
        (said(&states.unwrap()).len(), requests)
    };
    // The generation and the node are asked for, since there is no cache.
    let (kept, fresh) = (
        ["GetAttributes", "GetObject"],
        ["GetAttributes", "GetObject", "Select"],
    );
    assert_eq!(states().await, (1, fresh.map(str::to_owned).to_vec()));
    assert_eq!(states().await, (1, kept.map(str::to_owned).to_vec()));
    set(&other, &index, "bob@example.com", Affiliation::Member, None).await;
    assert_eq!(states().await, (2, fresh.map(str::to_owned).to_vec()));
    set(
        &pubsub,
        &index,
        "dan@example.com",
        Affiliation::Member,
        None,
    )
    .await;
    assert_eq!(states().await, (3, fresh.map(str::to_owned).to_vec()));
    assert_eq!(states().await, (3, kept.map(str::to_owned).to_vec()));
    set(&other, &index, "bob@example.com", Affiliation::None, None).await;
    assert_eq!(states().await.0, 2);
    // Clones keep the same, and another one nothing.
    let (_, requests) = world.requests(pubsub.clone().states(&index)).await;
    assert_eq!(requests.len(), 2);
    let (_, requests) = world.requests(world.stores.pubsub().states(&index)).await;
    assert_eq!(requests.len(), 3);
}

#[tokio::test]
async fn a_commit_that_could_not_tell_is_seen_after_a_minute() {
    let world = World::start().await;
    let pubsub = world.stores.pubsub();
    let other = world.another(|builder| builder).await.pubsub();
    let index = node(&pubsub).await;
    assert_eq!(pubsub.states(&index).await.unwrap().len(), 1);
    // The other one writes the state, and stops before the generation.
    let before = state(&other, &index, "bob@example.com").await;
    let denied = Rule::new(Fault::error(403, "AccessDenied")).operation("PutAttributes");
    world.faults().add(denied.skip(2));
    let write = Commit::new(&index).write(before, Affiliation::Member, Vec::new());
    assert_eq!(
        other.commit(write).await.unwrap_err().kind(),
        Kind::Unavailable
    );
    world.calm();
    assert_eq!(pubsub.states(&index).await.unwrap().len(), 1);
    tokio::time::pause();
    tokio::time::advance(std::time::Duration::from_secs(61)).await;
    tokio::time::resume();
    assert_eq!(pubsub.states(&index).await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_commit_that_is_given_up_leaves_nothing_old_in_its_process() {
    let world = World::start().await;
    let pubsub = world.stores.pubsub();
    let index = node(&pubsub).await;
    set(
        &pubsub,
        &index,
        "bob@example.com",
        Affiliation::Member,
        None,
    )
    .await;
    let before = state(&pubsub, &index, "bob@example.com").await;
    assert_eq!(pubsub.states(&index).await.unwrap().len(), 2);
    // The state is written, and the generation is not.
    let gate = Gate::new();
    let held = Rule::new(Fault::hold(&gate)).operation("PutAttributes");
    let held = world.faults().add(held.skip(1));
    let write = Commit::new(&index).write(before, Affiliation::Publisher, Vec::new());
    tokio::select! {
        _ = pubsub.commit(write) => panic!("it was done"),
        () = async {
            while held.count() == 0 {
                tokio::task::yield_now().await;
            }
        } => {}
    }
    let expected = ["ann@example.com: owner []", "bob@example.com: publisher []"];
    assert_eq!(said(&pubsub.states(&index).await.unwrap()), expected);
    gate.open();
}

#[tokio::test]
async fn what_an_index_has_kept_of_an_earlier_state_is_passed_over() {
    let world = World::start().await;
    let pubsub = world.stores.pubsub();
    let index = node(&pubsub).await;
    let bob = "bob@example.com";
    set(&pubsub, &index, bob, Affiliation::Member, None).await;
    // The state goes; that the index forgets it is refused.
    let denied = Rule::new(Fault::error(403, "AccessDenied")).operation("DeleteAttributes");
    world.faults().add(denied.skip(1));
    set(&pubsub, &index, bob, Affiliation::None, None).await;
    world.calm();
    assert!(pubsub.states_of(&jid("bob")).await.unwrap().is_empty());
    set(&pubsub, &index, bob, Affiliation::Publisher, None).await;
    assert_eq!(pubsub.states_of(&jid("bob")).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_conflict_reads_past_what_is_old() {
    let world = World::start().await;
    let index = node(&world.stores.pubsub()).await;
    let eventual = world
        .another(|builder| builder.reads(Reads::Eventual))
        .await
        .pubsub();
    set(
        &world.stores.pubsub(),
        &index,
        "bob@example.com",
        Affiliation::Member,
        None,
    )
    .await;
    assert_eq!(eventual.states(&index).await.unwrap().len(), 2);
    world.stale();
    let mut conflicts = 0;
    for n in 0..20 {
        let affiliation = [Affiliation::Publisher, Affiliation::Member][n % 2];
        set(
            &world.stores.pubsub(),
            &index,
            "bob@example.com",
            affiliation,
            None,
        )
        .await;
        // Decides by what it keeps, which may be old; the second time it must not be.
        for attempt in 0..2 {
            let states = eventual.states(&index).await.unwrap();
            let bob = states
                .into_iter()
                .find(|state| state.jid == "bob@example.com")
                .unwrap();
            let write = Commit::new(&index).write(bob, affiliation, subscribed(&n.to_string()));
            match eventual.commit(write).await {
                Err(error) if error.kind() == Kind::Conflict && attempt == 0 => conflicts += 1,
                done => {
                    done.unwrap();
                    break;
                }
            }
        }
    }
    assert!(conflicts > 0);
    let expected = [
        "ann@example.com: owner []",
        "bob@example.com: member [subscribed 19]",
    ];
    assert_eq!(
        said(&world.stores.pubsub().states(&index).await.unwrap()),
        expected
    );
}
