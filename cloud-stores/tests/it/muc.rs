//! Rooms and nicknames.

use bytes::Bytes;
use cloud_stores::muc::Rooms;
use cloud_stores::{BareJid, Kind};
use emulator::{Fault, Gate, Rule};
use futures_util::future::join_all;

use crate::kit::{World, jid};

fn host() -> BareJid {
    BareJid::parse("conference.example.com").unwrap()
}

fn options(text: &str) -> Bytes {
    Bytes::from(text.to_owned())
}

async fn restored(rooms: &Rooms, name: &str) -> Option<Bytes> {
    rooms.restore(&host(), name).await.unwrap()
}

#[tokio::test]
async fn a_room_comes_back_and_goes() {
    let world = World::start().await;
    let rooms = world.stores.rooms();
    let long = "\u{e9}/".repeat(300);
    for name in ["tea", "a/b|c", "..", &long] {
        assert_eq!(restored(&rooms, name).await, None);
        for text in ["1", "", "\u{0}2"] {
            let (stored, requests) = world
                .requests(rooms.store(&host(), name, options(text)))
                .await;
            stored.unwrap();
            assert_eq!(requests, ["PutObject"]);
            let (read, requests) = world.requests(rooms.restore(&host(), name)).await;
            assert_eq!(read.unwrap(), Some(options(text)));
            assert_eq!(requests, ["GetObject"]);
        }
    }
    let mut names = rooms.names(&host()).await.unwrap();
    names.sort();
    assert_eq!(names, ["..", "a/b|c", "tea", &long]);
    let all = rooms.all(&host()).await.unwrap();
    assert_eq!(all.len(), 4);
    assert!(
        all.iter()
            .all(|room| room.options == "\u{0}2" && names.contains(&room.name))
    );
    let elsewhere = BareJid::parse("conference.example").unwrap();
    assert!(rooms.names(&elsewhere).await.unwrap().is_empty());
    for name in &names {
        rooms.forget(&host(), name).await.unwrap();
        rooms.forget(&host(), name).await.unwrap();
        assert_eq!(restored(&rooms, name).await, None);
    }
    assert!(world.left().await.is_empty());
}

#[tokio::test]
async fn a_room_that_runs_on_two_nodes_is_told() {
    let world = World::cached().await;
    let one = world.stores.rooms();
    let other = world.another(|builder| builder).await.rooms();
    let conflict = |done: cloud_stores::Result<()>| {
        assert_eq!(done.unwrap_err().kind(), Kind::Conflict);
    };
    one.store(&host(), "tea", options("one")).await.unwrap();
    // Made here and there.
    conflict(other.store(&host(), "tea", options("other")).await);
    assert_eq!(restored(&other, "tea").await, Some(options("one")));
    other.store(&host(), "tea", options("other")).await.unwrap();
    // The one has not seen that; it is told, and told again until it restores the room.
    conflict(one.store(&host(), "tea", options("one")).await);
    conflict(one.store(&host(), "tea", options("one")).await);
    assert_eq!(restored(&one, "tea").await, Some(options("other")));
    one.clone()
        .store(&host(), "tea", options("one"))
        .await
        .unwrap();
    conflict(other.store(&host(), "tea", options("other")).await);
    // One that is removed elsewhere is not made again by who still runs it.
    assert_eq!(restored(&other, "tea").await, Some(options("one")));
    other.forget(&host(), "tea").await.unwrap();
    conflict(one.store(&host(), "tea", options("one")).await);
    conflict(one.store(&host(), "tea", options("one")).await);
    // Who knows that it is gone may make it.
    assert_eq!(restored(&one, "tea").await, None);
    one.store(&host(), "tea", options("one")).await.unwrap();
    one.release(&host(), "tea").unwrap();
    conflict(one.store(&host(), "tea", options("one")).await);
    assert!(format!("{one:?}").contains("held"));
}

#[tokio::test]
async fn what_another_node_made_of_a_room_while_an_answer_was_lost_is_not_overwritten() {
    let world = World::start().await;
    let one = world.stores.rooms();
    let other = world.another(|builder| builder).await.rooms();
    one.store(&host(), "tea", options("1")).await.unwrap();
    // The second is stored, and its answer lost; before that is looked into, the other node goes on from it.
    world.lose("PutObject");
    let gate = Gate::new();
    let look = Rule::new(Fault::hold(&gate)).operation("GetObject");
    world.faults().add(look.times(1));
    let going_on = async {
        gate.arrived(1).await;
        assert_eq!(restored(&other, "tea").await, Some(options("2")));
        other.store(&host(), "tea", options("3")).await.unwrap();
        gate.open();
    };
    let room = host();
    let (stored, ()) = tokio::join!(one.store(&room, "tea", options("2")), going_on);
    stored.unwrap();
    let error = one.store(&host(), "tea", options("4")).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Conflict);
    assert_eq!(restored(&one, "tea").await, Some(options("3")));
}

#[tokio::test]
async fn lost_answers_about_rooms_are_settled() {
    let world = World::start().await;
    let rooms = world.stores.rooms();
    for (name, lose) in [
        ("a", World::lose as fn(&World, &str) -> _),
        ("b", World::swallow),
    ] {
        for text in ["1", "2", "3"] {
            let lost = lose(&world, "PutObject");
            rooms.store(&host(), name, options(text)).await.unwrap();
            assert_eq!(lost.count(), 1);
        }
        let stored = world.stores.rooms().restore(&host(), name).await.unwrap();
        assert_eq!(stored, Some(options("3")));
    }
    world.outage();
    for error in [
        rooms.store(&host(), "a", options("4")).await.unwrap_err(),
        rooms.restore(&host(), "a").await.unwrap_err(),
        rooms.forget(&host(), "a").await.unwrap_err(),
        rooms.names(&host()).await.unwrap_err(),
        rooms.all(&host()).await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), Kind::Unavailable);
    }
    // What was not stored does not count as known.
    world.calm();
    rooms.store(&host(), "a", options("4")).await.unwrap();
}

#[tokio::test]
async fn limits_of_rooms_are_named_before_anything_is_sent() {
    let world = World::start().await;
    let rooms = world.stores.rooms();
    let large = Bytes::from(vec![0; (4 << 20) + 1]);
    let (error, requests) = world.requests(rooms.store(&host(), "tea", large)).await;
    let error = error.unwrap_err();
    assert_eq!(
        (error.kind(), error.about()),
        (Kind::TooLarge, "room of tea@conference.example.com")
    );
    assert!(
        error
            .message()
            .contains("4194305 bytes, over the limit of 4194304"),
        "{error}"
    );
    assert!(requests.is_empty());
    let error = rooms.restore(&host(), &"r".repeat(1024)).await.unwrap_err();
    assert_eq!(
        error.message(),
        "the name of a room has 1024 bytes, over the limit of 1023"
    );
    assert_eq!(
        rooms.restore(&host(), "").await.unwrap_err().kind(),
        Kind::Invalid
    );
    let largest = Bytes::from(vec![0; 4 << 20]);
    rooms.store(&host(), "tea", largest.clone()).await.unwrap();
    assert_eq!(restored(&rooms, "tea").await, Some(largest));
}

#[tokio::test]
async fn a_nickname_has_one_owner_and_a_person_has_one() {
    let world = World::start().await;
    let nicks = world.stores.nicks();
    let (ann, bob) = (jid("ann"), jid("bob"));
    let long = "\u{e9}".repeat(500);
    let elsewhere = BareJid::parse("rooms.example.com").unwrap();
    for nick in ["tea|pot", &long, "x"] {
        nicks.set(&host(), &ann, nick).await.unwrap();
        assert_eq!(nicks.owner(&host(), nick).await.unwrap(), Some(ann.clone()));
        assert_eq!(
            nicks.of(&host(), &ann).await.unwrap().as_deref(),
            Some(nick)
        );
        let error = nicks.set(&host(), &bob, nick).await.unwrap_err();
        assert_eq!(
            (error.kind(), error.about()),
            (Kind::Exists, "nickname of bob@example.com")
        );
        assert_eq!(nicks.of(&host(), &bob).await.unwrap(), None);
    }
    // What she had before is free, and so is it on another host.
    nicks.set(&host(), &bob, "tea|pot").await.unwrap();
    nicks.set(&elsewhere, &bob, "x").await.unwrap();
    assert_eq!(nicks.owner(&host(), &long).await.unwrap(), None);
    nicks.remove(&host(), &ann).await.unwrap();
    nicks.remove(&host(), &ann).await.unwrap();
    assert_eq!(nicks.owner(&host(), "x").await.unwrap(), None);
    nicks.set(&host(), &bob, "x").await.unwrap();
    for host in [host(), elsewhere] {
        nicks.remove(&host, &bob).await.unwrap();
    }
    assert!(world.left().await.is_empty());
    let error = nicks
        .set(&host(), &ann, &"n".repeat(1024))
        .await
        .unwrap_err();
    assert_eq!(
        error.message(),
        "the nickname has 1024 bytes, over the limit of 1023"
    );
    assert_eq!(
        nicks.set(&host(), &ann, "").await.unwrap_err().kind(),
        Kind::Invalid
    );
}

#[tokio::test]
async fn a_nickname_takes_so_many_requests() {
    let world = World::start().await;
    let nicks = world.stores.nicks();
    let set = async |nick| {
        world
            .requests(nicks.set(&host(), &jid("ann"), nick))
            .await
            .1
    };
    assert_eq!(
        set("a").await,
        ["GetAttributes", "PutAttributes", "PutAttributes"]
    );
    assert_eq!(set("a").await, ["GetAttributes"]);
    let again = set("b").await;
    assert_eq!(again.len(), 5, "{again:?}");
    let (_, removal) = world.requests(nicks.remove(&host(), &jid("ann"))).await;
    assert_eq!(removal.len(), 4, "{removal:?}");
}

#[tokio::test]
async fn of_many_who_want_a_nickname_one_gets_it() {
    let world = World::start().await;
    let other = world.another(|builder| builder).await;
    for round in 0..3 {
        let nick = format!("n{round}");
        let set = async |n: usize| {
            let node = if n < 4 { &world.stores } else { &other };
            let person = jid(&format!("p{n}"));
            node.nicks()
                .set(&host(), &person, &nick)
                .await
                .map(|()| person)
        };
        let (won, lost): (Vec<_>, Vec<_>) = join_all((0..8).map(set))
            .await
            .into_iter()
            .partition(Result::is_ok);
        assert_eq!(won.len(), 1);
        assert!(
            lost.into_iter()
                .all(|lost| lost.unwrap_err().kind() == Kind::Exists)
        );
        let owner = other.nicks().owner(&host(), &nick).await.unwrap();
        assert_eq!(owner, won.into_iter().next().map(Result::unwrap));
    }
}

#[tokio::test]
async fn a_nickname_that_was_taken_anew_is_not_released() {
    let world = World::start().await;
    let other = world.another(|builder| builder).await.nicks();
    let (nicks, ann) = (world.stores.nicks(), jid("ann"));
    nicks.set(&host(), &ann, "a").await.unwrap();
    // About to release the old one, it is overtaken by herself elsewhere, who wants it back.
    let gate = Gate::new();
    let held = Rule::new(Fault::hold(&gate)).key("n|conference.example.com|a");
    let held = world.faults().add(held.operation("GetAttributes").times(1));
    let overtake = async {
        while held.count() == 0 {
            tokio::task::yield_now().await;
        }
        other.set(&host(), &ann, "a").await.unwrap();
        gate.open();
    };
    let host = host();
    let (set, ()) = tokio::join!(nicks.set(&host, &ann, "b"), overtake);
    set.unwrap();
    assert_eq!(nicks.of(&host, &ann).await.unwrap().as_deref(), Some("a"));
    assert_eq!(nicks.owner(&host, "a").await.unwrap(), Some(ann));
    assert_eq!(nicks.owner(&host, "b").await.unwrap(), None);
}

/// A person that changes his nickname at several places at once, with answers that are lost, has one in the end, which
/// is his, and whatever else is left reserved is his too and goes when he asks for it.
#[tokio::test]
async fn one_person_at_several_places_ends_with_one_nickname() {
    for seed in 1..=3 {
        let world = World::start().await;
        let other = world.another(|builder| builder).await;
        let ann = jid("ann");
        world.faults().seed(seed);
        for operation in ["PutAttributes", "DeleteAttributes"] {
            for fault in [Fault::reset_after(), Fault::reset_before()] {
                world
                    .faults()
                    .add(Rule::new(fault).operation(operation).rate(0.05));
            }
        }
        let work = async |n: usize| {
            let node = if n < 2 { &world.stores } else { &other };
            for step in 0..6 {
                let nick = format!("n{}", (n * 5 + step * 3) % 4);
                match node
                    .nicks()
                    .set(&host(), &ann, &nick)
                    .await
                    .map_err(|error| error.kind())
                {
                    Ok(()) | Err(Kind::Conflict | Kind::Unavailable | Kind::Timeout) => {}
                    Err(kind) => panic!("{kind}"),
                }
            }
        };
        join_all((0..4).map(work)).await;
        world.calm();
        let nicks = other.nicks();
        let nick = nicks.of(&host(), &ann).await.unwrap().unwrap();
        assert_eq!(
            nicks.owner(&host(), &nick).await.unwrap(),
            Some(ann.clone()),
            "seed {seed}"
        );
        for n in 0..4 {
            let owner = nicks.owner(&host(), &format!("n{n}")).await.unwrap();
            assert!(owner.is_none_or(|owner| owner == ann));
            nicks.set(&host(), &ann, &format!("n{n}")).await.unwrap();
        }
        nicks.remove(&host(), &ann).await.unwrap();
        assert!(
            world.left().await.is_empty(),
            "seed {seed}: {:?}",
            world.left().await
        );
    }
}
