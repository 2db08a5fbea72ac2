//! Commits: what was read has to be so still, and what is refused leaves nothing.

use cloud_stores::Kind;
use cloud_stores::pubsub::{Affiliation, Commit, NodeIndex, State};
use emulator::{Fault, Rule};

use super::{item, node, said, subscribed};
use crate::kit::{World, jid};

const ANN: &str = "ann@example.com";
const BOB: &str = "bob@example.com";
const PHONE: &str = "bob@example.com/phone";

async fn states(world: &World, index: &NodeIndex) -> Vec<State> {
    world.stores.pubsub().states(index).await.unwrap()
}

async fn state(world: &World, index: &NodeIndex, jid: &str) -> State {
    let found = states(world, index)
        .await
        .into_iter()
        .find(|state| state.jid == jid);
    found.unwrap_or_else(|| State::absent(jid))
}

fn conflict(done: cloud_stores::Result<()>) {
    assert_eq!(done.unwrap_err().kind(), Kind::Conflict);
}

#[tokio::test]
async fn what_was_read_has_to_be_so_still() {
    let world = World::start().await;
    let pubsub = world.stores.pubsub();
    let index = node(&pubsub).await;
    let none = || State::absent(BOB);
    pubsub
        .commit(Commit::new(&index).write(none(), Affiliation::Member, Vec::new()))
        .await
        .unwrap();
    // Made by somebody else meanwhile.
    conflict(
        pubsub
            .commit(Commit::new(&index).write(none(), Affiliation::Owner, Vec::new()))
            .await,
    );
    let member = state(&world, &index, BOB).await;
    let write = |before: &State, affiliation| {
        Commit::new(&index).write(before.clone(), affiliation, Vec::new())
    };
    pubsub
        .commit(write(&member, Affiliation::Publisher))
        .await
        .unwrap();
    // Changed by somebody else meanwhile.
    conflict(pubsub.commit(write(&member, Affiliation::Owner)).await);
    conflict(pubsub.commit(write(&member, Affiliation::None)).await);
    let publisher = state(&world, &index, BOB).await;
    pubsub
        .commit(write(&publisher, Affiliation::None))
        .await
        .unwrap();
    // Removed by somebody else meanwhile.
    conflict(pubsub.commit(write(&publisher, Affiliation::Owner)).await);
    conflict(pubsub.commit(write(&publisher, Affiliation::None)).await);
    assert_eq!(
        said(&states(&world, &index).await),
        [format!("{ANN}: owner []")]
    );
    // What was refused is named by no index.
    assert!(pubsub.states_of(&jid("bob")).await.unwrap().is_empty());
    pubsub.delete_node(&index).await.unwrap();
    pubsub.clean_node(&index).await.unwrap();
    assert!(world.left().await.is_empty(), "{:?}", world.left().await);
}

#[tokio::test]
async fn what_was_only_read_has_to_be_so_too() {
    let world = World::start().await;
    let pubsub = world.stores.pubsub();
    let index = node(&pubsub).await;
    let subscribe = |general: State| {
        let phone = State::absent(PHONE);
        Commit::new(&index)
            .read(general)
            .write(phone, Affiliation::None, subscribed("p"))
    };
    let make_outcast =
        |before: State| Commit::new(&index).write(before, Affiliation::Outcast, Vec::new());
    // He was nothing when it was decided, and is an outcast now.
    pubsub
        .commit(make_outcast(State::absent(BOB)))
        .await
        .unwrap();
    conflict(pubsub.commit(subscribe(State::absent(BOB))).await);
    let outcast = state(&world, &index, BOB).await;
    let member = Commit::new(&index).write(outcast.clone(), Affiliation::Member, Vec::new());
    pubsub.commit(member).await.unwrap();
    conflict(pubsub.commit(subscribe(outcast)).await);
    let bob = state(&world, &index, BOB).await;
    pubsub.commit(subscribe(bob.clone())).await.unwrap();
    // Who has decided by the same thing at the same time decides again.
    conflict(pubsub.commit(make_outcast(bob)).await);
    let expected = [
        format!("{ANN}: owner []"),
        format!("{PHONE}: none [subscribed p]"),
        format!("{BOB}: member []"),
    ];
    assert_eq!(said(&states(&world, &index).await), expected);
}

#[tokio::test]
async fn what_was_read_as_absent_stays_so_and_leaves_nothing() {
    let world = World::start().await;
    let pubsub = world.stores.pubsub();
    let index = node(&pubsub).await;
    let owner = state(&world, &index, ANN).await;
    assert!(owner.seen.is_absent());
    let subscribe = Commit::new(&index)
        .read(State::absent(BOB))
        .read(owner)
        .write(State::absent(PHONE), Affiliation::None, subscribed("p"));
    let before = world.left().await.len();
    pubsub.commit(subscribe.clone()).await.unwrap();
    // The state, the index, and the generation.
    assert_eq!(world.left().await.len(), before + 3);
    // Neither did the refused one leave anything.
    conflict(pubsub.commit(subscribe).await);
    assert_eq!(world.left().await.len(), before + 3);
    assert_eq!(
        state(&world, &index, ANN).await.affiliation,
        Affiliation::Owner
    );

    // One that was left by a process that stopped is no state, and in nobody's way.
    let denied = Rule::new(Fault::error(403, "AccessDenied")).operation("DeleteAttributes");
    world.faults().add(denied);
    let phone = state(&world, &index, PHONE).await;
    let again = Commit::new(&index)
        .read(State::absent(BOB))
        .read(state(&world, &index, ANN).await)
        .write(phone, Affiliation::None, subscribed("q"));
    pubsub.commit(again).await.unwrap();
    world.calm();
    let expected = [
        format!("{ANN}: owner []"),
        format!("{PHONE}: none [subscribed q]"),
    ];
    assert_eq!(said(&states(&world, &index).await), expected);
    for (jid, affiliation) in [(BOB, Affiliation::Member), (ANN, Affiliation::Owner)] {
        let held = state(&world, &index, jid).await;
        assert!(!held.seen.is_absent());
        let read = Commit::new(&index).read(held).write(
            state(&world, &index, PHONE).await,
            Affiliation::None,
            subscribed("q"),
        );
        pubsub.commit(read).await.unwrap();
        let held = state(&world, &index, jid).await;
        let write = Commit::new(&index).write(held, affiliation, subscribed("x"));
        pubsub.commit(write).await.unwrap();
    }
    assert_eq!(pubsub.states_of(&jid("ann")).await.unwrap().len(), 1);
    assert_eq!(pubsub.states_of(&jid("bob")).await.unwrap().len(), 2);
}

#[tokio::test]
async fn of_several_states_all_are_written_or_none() {
    let world = World::start().await;
    let pubsub = world.stores.pubsub();
    let index = node(&pubsub).await;
    let names = ["a@h", "b@h", "c@h", "d@h"];
    let make = |jid: &str| State::absent(jid);
    let first = Commit::new(&index)
        .write(make("b@h"), Affiliation::Member, subscribed("1"))
        .write(make("c@h"), Affiliation::Publisher, Vec::new())
        .write(make("d@h"), Affiliation::Owner, Vec::new());
    pubsub.commit(first).await.unwrap();
    let before = said(&states(&world, &index).await);
    let mut read = Vec::new();
    for name in names {
        read.push(state(&world, &index, name).await);
    }
    // The last one is changed by somebody else.
    let last = Commit::new(&index).write(read[3].clone(), Affiliation::Owner, subscribed("2"));
    pubsub.commit(last).await.unwrap();
    // One is made, one changed, one removed; all of it is undone.
    let [a, b, c, d] = [0, 1, 2, 3].map(|n| read[n].clone());
    let all = Commit::new(&index)
        .write(d, Affiliation::None, Vec::new())
        .write(a, Affiliation::Owner, Vec::new())
        .write(b, Affiliation::Outcast, Vec::new())
        .write(c, Affiliation::None, Vec::new())
        .put_item(item("x", 1, &jid("ann")), None);
    conflict(pubsub.commit(all).await);
    let mut expected = before;
    expected[3] = "d@h: owner [subscribed 2]".to_owned();
    assert_eq!(said(&states(&world, &index).await), expected);
    assert!(pubsub.items(&index).await.unwrap().items().is_empty());
    for (name, count) in [("a", 0), ("b", 1), ("c", 1), ("d", 1)] {
        let person = cloud_stores::BareJid::new(name, "h").unwrap();
        assert_eq!(
            pubsub.states_of(&person).await.unwrap().len(),
            count,
            "{name}"
        );
    }
    // With what is there now it works.
    let mut all = Commit::new(&index);
    for name in names {
        all = all.write(
            state(&world, &index, name).await,
            Affiliation::None,
            Vec::new(),
        );
    }
    pubsub.commit(all).await.unwrap();
    assert_eq!(
        said(&states(&world, &index).await),
        [format!("{ANN}: owner []")]
    );
}

#[tokio::test]
async fn states_and_items_go_together() {
    let world = World::start().await;
    let pubsub = world.stores.pubsub();
    let index = node(&pubsub).await;
    let commit = |bob: State| {
        Commit::new(&index)
            .write(bob, Affiliation::Publisher, Vec::new())
            .put_item(item("x", 1, &jid("bob")), None)
    };
    pubsub.commit(commit(State::absent(BOB))).await.unwrap();
    assert_eq!(pubsub.items(&index).await.unwrap().items().len(), 1);
    let keys = pubsub.items(&index).await.unwrap().items()[0].keys.clone();
    let remove = Commit::new(&index)
        .write(State::absent(BOB), Affiliation::None, subscribed("x"))
        .remove_item(keys.clone());
    conflict(pubsub.commit(remove).await);
    assert_eq!(pubsub.items(&index).await.unwrap().items().len(), 1);
    let bob = state(&world, &index, BOB).await;
    let remove = Commit::new(&index)
        .write(bob, Affiliation::None, Vec::new())
        .remove_item(keys);
    pubsub.commit(remove).await.unwrap();
    assert!(pubsub.items(&index).await.unwrap().items().is_empty());
    assert!(pubsub.last_items(&index, 1).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_lost_answer_is_no_conflict() {
    let faults: [fn() -> Fault; 2] = [Fault::reset_after, Fault::reset_before];
    for (fault, operation, most) in [
        (faults[0], "PutAttributes", 4),
        (faults[1], "PutAttributes", 4),
        (faults[0], "DeleteAttributes", 3),
        (faults[1], "DeleteAttributes", 3),
    ] {
        for skip in 0..most {
            let world = World::start().await;
            let pubsub = world.stores.pubsub();
            let index = node(&pubsub).await;
            // Each of the requests of a first subscription, a change and a removal in its turn.
            let mut lost = 0;
            for (affiliation, id) in [
                (Affiliation::None, Some("1")),
                (Affiliation::Member, Some("2")),
                (Affiliation::None, None),
                (Affiliation::None, Some("3")),
            ] {
                let before = state(&world, &index, PHONE).await;
                let general = state(&world, &index, BOB).await;
                let subscriptions = id.map(subscribed).unwrap_or_default();
                let commit =
                    Commit::new(&index)
                        .read(general)
                        .write(before, affiliation, subscriptions);
                let rule = Rule::new(fault()).operation(operation).skip(skip).times(1);
                let hits = world.faults().add(rule);
                pubsub.commit(commit).await.unwrap();
                lost += hits.count();
                world.calm();
            }
            assert!(lost > 0, "{operation} {skip}");
            let expected = [
                format!("{ANN}: owner []"),
                format!("{PHONE}: none [subscribed 3]"),
            ];
            assert_eq!(said(&states(&world, &index).await), expected);
            assert_eq!(pubsub.states_of(&jid("bob")).await.unwrap().len(), 1);
        }
    }
}

#[tokio::test]
async fn an_outage_is_said_and_no_conflict() {
    let world = World::start().await;
    let pubsub = world.stores.pubsub();
    let index = node(&pubsub).await;
    let bob = || State::absent(BOB);
    world.outage();
    for error in [
        pubsub.load(&index, &jid("bob")).await.unwrap_err(),
        pubsub.states(&index).await.unwrap_err(),
        pubsub.states_of(&jid("bob")).await.unwrap_err(),
        pubsub
            .commit(Commit::new(&index).write(bob(), Affiliation::Member, Vec::new()))
            .await
            .unwrap_err(),
    ] {
        assert_eq!(error.kind(), Kind::Unavailable);
        assert!(
            error.about().starts_with("state") || error.about().starts_with("node"),
            "{error}"
        );
    }
}
