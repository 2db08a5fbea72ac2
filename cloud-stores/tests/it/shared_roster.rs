//! Shared groups.

use bytes::Bytes;
use cloud_stores::{BareJid, Kind};
use emulator::{Fault, Gate, Rule};

use crate::kit::{World, jid};

const HOST: &str = "example.com";

#[tokio::test]
async fn groups_and_members_come_back() {
    let world = World::start().await;
    let shared = world.stores.shared_roster();
    let long = "g|/\u{e9}".repeat(300);
    let set: Vec<u8> = (0..=255).collect();
    let names = ["staff", "a|b", "", &long];
    let people = [jid("ann"), jid("an"), jid(&"\u{e9}".repeat(400))];
    for name in names {
        assert_eq!(shared.get(HOST, name).await.unwrap(), None);
        for options in [
            Bytes::from(set.repeat(200)),
            Bytes::new(),
            Bytes::from_static(b"x"),
        ] {
            shared.set(HOST, name, options.clone()).await.unwrap();
            assert_eq!(shared.get(HOST, name).await.unwrap(), Some(options));
        }
        for person in &people {
            assert!(!shared.is_member(HOST, name, person).await.unwrap());
            shared.add(HOST, name, person).await.unwrap();
            shared.add(HOST, name, person).await.unwrap();
            assert!(shared.is_member(HOST, name, person).await.unwrap());
        }
        let mut members = shared.members(HOST, name).await.unwrap();
        members.sort();
        assert_eq!(members, [jid("an"), jid("ann"), people[2].clone()]);
    }
    shared
        .set("example.org", "staff", Bytes::new())
        .await
        .unwrap();
    shared
        .add("example.org", "staff", &people[0])
        .await
        .unwrap();
    let mut groups: Vec<String> = shared
        .groups(HOST)
        .await
        .unwrap()
        .into_iter()
        .map(|group| group.name)
        .collect();
    groups.sort();
    let mut sorted = names.to_vec();
    sorted.sort_unstable();
    assert_eq!(groups, sorted);
    let mut his = shared.groups_of(HOST, &people[0]).await.unwrap();
    his.sort();
    assert_eq!(his, sorted);

    shared.take_out(HOST, "staff", &people[0]).await.unwrap();
    shared.take_out(HOST, "staff", &people[0]).await.unwrap();
    assert_eq!(shared.groups_of(HOST, &people[0]).await.unwrap().len(), 3);
    assert_eq!(
        shared.groups_of("example.org", &people[0]).await.unwrap(),
        ["staff"]
    );
    for name in names {
        shared.remove(HOST, name).await.unwrap();
        shared.remove(HOST, name).await.unwrap();
        assert!(shared.members(HOST, name).await.unwrap().is_empty());
    }
    shared.remove("example.org", "staff").await.unwrap();
    assert!(world.left().await.is_empty());
}

#[tokio::test]
async fn each_action_takes_so_many_requests() {
    let world = World::start().await;
    let shared = world.stores.shared_roster();
    let ann = jid("ann");
    let (_, requests) = world.requests(shared.set(HOST, "g", Bytes::new())).await;
    // The second one tells other processes.
    assert_eq!(requests, ["PutAttributes"; 2]);
    let (_, requests) = world.requests(shared.add(HOST, "g", &ann)).await;
    assert_eq!(requests, ["PutAttributes"; 2]);
    for (requests, operation) in [
        (world.requests(shared.groups(HOST)).await.1, "Select"),
        (
            world.requests(shared.groups_of(HOST, &ann)).await.1,
            "Select",
        ),
        (world.requests(shared.members(HOST, "g")).await.1, "Select"),
        (
            world.requests(shared.get(HOST, "g")).await.1,
            "GetAttributes",
        ),
        (
            world.requests(shared.is_member(HOST, "g", &ann)).await.1,
            "GetAttributes",
        ),
    ] {
        assert_eq!(requests, [operation]);
    }
    let (_, requests) = world.requests(shared.take_out(HOST, "g", &ann)).await;
    assert_eq!(requests, ["DeleteAttributes", "PutAttributes"]);
}

#[tokio::test]
async fn with_a_cache_a_selection_is_made_once_until_something_changes() {
    let world = World::cached().await;
    let shared = world.stores.shared_roster();
    // Another process, with the same cache.
    let other = world.stores.shared_roster();
    let (ann, bob) = (jid("ann"), jid("bob"));
    let seen = async || {
        let groups = shared.groups(HOST).await.unwrap();
        let mut names: Vec<String> = groups.into_iter().map(|group| group.name).collect();
        names.sort();
        let members = shared.members(HOST, "g").await.unwrap();
        let his = shared.groups_of(HOST, &ann).await.unwrap();
        (names, members, his)
    };
    let name = |text: &str| vec![text.to_owned()];
    let selections = async || {
        let (seen, requests) = world.requests(seen()).await;
        let selects = requests.iter().filter(|name| *name == "Select").count();
        (seen, selects, requests.len() - selects)
    };
    let nothing = (Vec::new(), Vec::new(), Vec::new());
    // It is read once that there is no generation yet.
    assert_eq!(selections().await, (nothing.clone(), 3, 1));
    assert_eq!(selections().await, (nothing.clone(), 0, 0));
    other.set(HOST, "g", Bytes::new()).await.unwrap();
    let made = (name("g"), Vec::new(), Vec::new());
    let after = selections().await;
    assert_eq!((after.0, after.1), (made.clone(), 3));
    assert_eq!(selections().await, (made, 0, 0));
    other.add(HOST, "g", &ann).await.unwrap();
    let added = (name("g"), vec![ann.clone()], name("g"));
    assert_eq!(selections().await.0, added);
    // Nobody else's host, and no read of one thing, is of interest.
    other.add("example.org", "g", &ann).await.unwrap();
    assert!(other.is_member(HOST, "g", &ann).await.unwrap());
    assert_eq!(selections().await, (added, 0, 0));
    other.take_out(HOST, "g", &ann).await.unwrap();
    assert_eq!(selections().await.0.1, []);
    shared.add(HOST, "g", &bob).await.unwrap();
    assert_eq!(selections().await.0.1, std::slice::from_ref(&bob));
    other.add(HOST, "g", &ann).await.unwrap();
    assert_eq!(selections().await.0.1.len(), 2);
    // A change that failed may be done in part.
    let denied = Rule::new(Fault::error(403, "AccessDenied")).operation("DeleteAttributes");
    world.faults().add(denied.times(1));
    other.remove(HOST, "g").await.unwrap_err();
    assert_eq!(
        selections().await.0,
        (name("g"), Vec::new(), Vec::new()),
        "its members are gone"
    );
    other.remove(HOST, "g").await.unwrap();
    assert_eq!(selections().await.0, nothing);
}

#[tokio::test]
async fn a_removal_that_stopped_is_seen_and_can_be_done_again() {
    let world = World::start().await;
    let shared = world.stores.shared_roster();
    shared.set(HOST, "g", Bytes::new()).await.unwrap();
    for n in 0..30 {
        shared.add(HOST, "g", &jid(&format!("p{n}"))).await.unwrap();
    }
    let denied = Rule::new(Fault::error(403, "AccessDenied")).operation("BatchDeleteAttributes");
    world.faults().add(denied.skip(1));
    assert_eq!(
        shared.remove(HOST, "g").await.unwrap_err().kind(),
        Kind::Unavailable
    );
    world.calm();
    assert!(shared.get(HOST, "g").await.unwrap().is_some());
    let lost = [
        world.lose("BatchDeleteAttributes"),
        world.lose("DeleteAttributes"),
    ];
    shared.remove(HOST, "g").await.unwrap();
    assert!(lost.iter().all(|lost| lost.count() == 1));
    assert!(world.left().await.is_empty());
}

#[tokio::test]
async fn who_is_added_to_a_group_while_it_is_removed_is_in_no_later_one() {
    let world = World::start().await;
    let shared = world.stores.shared_roster();
    shared.set(HOST, "g", Bytes::new()).await.unwrap();
    let gate = Gate::new();
    let held = Rule::new(Fault::hold(&gate)).operation("DeleteAttributes");
    let held = world.faults().add(held);
    let add = async {
        while held.count() == 0 {
            tokio::task::yield_now().await;
        }
        shared.add(HOST, "g", &jid("ann")).await.unwrap();
        gate.open();
    };
    let (removed, ()) = tokio::join!(shared.remove(HOST, "g"), add);
    removed.unwrap();
    assert!(world.left().await.is_empty());
}

#[tokio::test]
async fn limits_are_named_before_anything_is_sent_and_an_outage_is_said() {
    let world = World::start().await;
    let shared = world.stores.shared_roster();
    let long = "g".repeat(3072);
    let large = Bytes::from(vec![0; 65_537]);
    let ann = jid("ann");
    let errors = async {
        [
            shared.set(HOST, "g", large).await.unwrap_err(),
            shared.set(HOST, &long, Bytes::new()).await.unwrap_err(),
            shared.add(HOST, &long, &ann).await.unwrap_err(),
        ]
    };
    let (errors, requests) = world.requests(errors).await;
    for (error, value) in errors.iter().zip(["65537", "3072", "3072"]) {
        assert_eq!(error.kind(), Kind::TooLarge);
        assert!(error.message().contains(value), "{error}");
    }
    assert!(requests.is_empty());
    let most = BareJid::new("a".repeat(1023), "b".repeat(1023)).unwrap();
    shared
        .add(&"h".repeat(1023), &long[1..], &most)
        .await
        .unwrap();
    shared
        .set(HOST, &long[1..], Bytes::from(vec![0; 65_536]))
        .await
        .unwrap();
    world.outage();
    assert_eq!(
        shared.groups(HOST).await.unwrap_err().kind(),
        Kind::Unavailable
    );
    assert_eq!(
        shared.is_member(HOST, "g", &ann).await.unwrap_err().kind(),
        Kind::Unavailable
    );
}
