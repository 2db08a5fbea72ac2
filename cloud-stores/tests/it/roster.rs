//! Whom people have as contacts.

use cloud_stores::roster::{
    Ask, RosterChange, RosterEntry, RosterExpectation, RosterItem, RosterItemVersion, RosterWrite,
    Subscription,
};
use cloud_stores::{BareJid, Kind, Result, Stores};
use emulator::{Fault, Rule};
use futures_util::future::join_all;

use crate::kit::{World, jid};

pub(crate) fn contact(jid: &str, name: &str, groups: &[&str]) -> RosterItem {
    RosterItem {
        contact: jid.to_owned(),
        name: name.to_owned(),
        groups: groups.iter().map(|group| (*group).to_owned()).collect(),
        ..RosterItem::default()
    }
}

pub(crate) fn put(expected: RosterExpectation, item: RosterItem) -> RosterChange {
    let write = RosterWrite::Put(item);
    RosterChange { expected, write }
}

pub(crate) fn remove(expected: RosterExpectation, contact: &str) -> RosterChange {
    let write = RosterWrite::Remove(contact.to_owned());
    RosterChange { expected, write }
}

pub(crate) fn is(entry: &RosterEntry) -> RosterExpectation {
    // As a server keeps it that has no such type.
    RosterExpectation::Is(RosterItemVersion::parse(&entry.version.to_string()))
}

pub(crate) async fn commit(stores: &Stores, jid: &BareJid, change: RosterChange) -> Result<()> {
    stores.roster().commit(jid, &[change], None).await
}

#[tokio::test]
async fn contacts_come_back() {
    let world = World::start().await;
    let roster = world.stores.roster();
    let ann = jid("ann");
    let far = format!(
        "{}@{}/{}",
        "b".repeat(1023),
        "c".repeat(1023),
        "d".repeat(1023)
    );
    let groups: Vec<String> = (0..100)
        .map(|n| format!("{n:03}{}", "g".repeat(1020)))
        .collect();
    let items = [
        contact("bob@example.org", "", &[]),
        RosterItem {
            subscription: Subscription::Both,
            ask: Ask::Unsubscribe,
            message: "\u{e9}".repeat(32 << 10),
            ..contact(&far, &"n".repeat(16 << 10), &[])
        },
        RosterItem {
            groups,
            message: "-".into(),
            ..contact("zoe@example.org/r|x y", "Zo\u{eb}", &[])
        },
        contact("cat@example.org", ".", &["", "-", ".", "G", "g"]),
    ];
    for item in &items {
        assert_eq!(roster.get(&ann, &item.contact).await.unwrap(), None);
        commit(
            &world.stores,
            &ann,
            put(RosterExpectation::Absent, item.clone()),
        )
        .await
        .unwrap();
        let entry = roster.get(&ann, &item.contact).await.unwrap().unwrap();
        assert_eq!(&entry.item, item);
        assert_eq!(
            roster.get_newest(&ann, &item.contact).await.unwrap(),
            Some(entry)
        );
    }
    commit(
        &world.stores,
        &jid("anna"),
        put(RosterExpectation::Any, items[0].clone()),
    )
    .await
    .unwrap();
    roster.set_version(&ann, "v1").await.unwrap();
    let mut all: Vec<_> = roster
        .all(&ann)
        .await
        .unwrap()
        .into_iter()
        .map(|e| e.item)
        .collect();
    all.sort_by(|one, other| one.contact.cmp(&other.contact));
    let mut wanted = items.to_vec();
    wanted.sort_by(|one, other| one.contact.cmp(&other.contact));
    assert_eq!(all, wanted);
    // Groups come back sorted, each once, and the last one goes.
    let twice = contact("cat@example.org", "", &["b", "a", "b"]);
    commit(&world.stores, &ann, put(RosterExpectation::Any, twice))
        .await
        .unwrap();
    let entry = roster.get(&ann, "cat@example.org").await.unwrap().unwrap();
    assert_eq!(entry.item.groups, ["a", "b"]);
    let none = contact("cat@example.org", "", &[]);
    commit(&world.stores, &ann, put(is(&entry), none))
        .await
        .unwrap();
    assert!(
        roster
            .get(&ann, "cat@example.org")
            .await
            .unwrap()
            .unwrap()
            .item
            .groups
            .is_empty()
    );
    roster.remove(&ann).await.unwrap();
    assert!(roster.all(&ann).await.unwrap().is_empty());
    assert_eq!(world.left().await.len(), 1);
    for subscription in Subscription::ALL {
        assert_eq!(
            Subscription::parse(&subscription.to_string()),
            Some(subscription)
        );
    }
    for ask in Ask::ALL {
        assert_eq!(Ask::parse(&ask.to_string()), Some(ask));
    }
}

#[tokio::test]
async fn a_change_is_done_on_its_condition() {
    let world = World::start().await;
    let roster = world.stores.roster();
    let (ann, bob) = (jid("ann"), "bob@example.org");
    let kind = |result: Result<()>| result.unwrap_err().kind();
    let name = async || roster.get(&ann, bob).await.unwrap().unwrap().item.name;
    let named = |name: &str| contact(bob, name, &[]);
    let commit = |change| commit(&world.stores, &ann, change);

    commit(put(RosterExpectation::Absent, named("1")))
        .await
        .unwrap();
    assert_eq!(
        kind(commit(put(RosterExpectation::Absent, named("2"))).await),
        Kind::Conflict
    );
    let first = roster.get(&ann, bob).await.unwrap().unwrap();
    commit(put(is(&first), named("2"))).await.unwrap();
    assert_eq!(
        kind(commit(put(is(&first), named("3"))).await),
        Kind::Conflict
    );
    assert_eq!(kind(commit(remove(is(&first), bob)).await), Kind::Conflict);
    assert_eq!(name().await, "2");
    commit(put(RosterExpectation::Any, named("4")))
        .await
        .unwrap();
    assert_eq!(name().await, "4");
    let other = RosterExpectation::Is(RosterItemVersion::parse("of something else"));
    assert_eq!(
        kind(commit(put(other.clone(), named("5"))).await),
        Kind::Conflict
    );
    assert_eq!(kind(commit(remove(other, bob)).await), Kind::Conflict);
    let fourth = roster.get(&ann, bob).await.unwrap().unwrap();
    commit(remove(is(&fourth), bob)).await.unwrap();
    // What is gone has no version any more.
    assert_eq!(
        kind(commit(put(is(&fourth), named("6"))).await),
        Kind::Conflict
    );
    assert_eq!(kind(commit(remove(is(&fourth), bob)).await), Kind::Conflict);
    commit(remove(RosterExpectation::Absent, bob))
        .await
        .unwrap();
    commit(remove(RosterExpectation::Any, bob)).await.unwrap();
    assert!(world.left().await.is_empty());

    // Of several, those before the one that fails are done.
    let changes = [
        put(RosterExpectation::Absent, contact("a@x", "", &[])),
        put(is(&fourth), named("7")),
        put(RosterExpectation::Absent, contact("c@x", "", &[])),
    ];
    assert_eq!(
        kind(roster.commit(&ann, &changes, None).await),
        Kind::Conflict
    );
    let all = roster.all(&ann).await.unwrap();
    assert_eq!((all.len(), &*all[0].item.contact), (1, "a@x"));
}

#[tokio::test]
async fn each_action_asks_for_as_much_as_it_says() {
    let world = World::start().await;
    let roster = world.stores.roster();
    let (ann, bob) = (jid("ann"), "bob@example.org");
    let item = || contact(bob, "Bob", &["friends"]);
    let (_, requests) = world.requests(roster.all(&ann)).await;
    assert_eq!(requests, ["Select"]);
    let (_, requests) = world.requests(roster.get(&ann, bob)).await;
    assert_eq!(requests, ["GetAttributes"]);
    let change = [put(RosterExpectation::Absent, item())];
    let (_, requests) = world.requests(roster.commit(&ann, &change, None)).await;
    assert_eq!(requests, ["PutAttributes"]);
    let entry = roster.get(&ann, bob).await.unwrap().unwrap();
    let change = [put(is(&entry), contact(bob, "Bob", &[]))];
    let (done, requests) = world
        .requests(roster.commit(&ann, &change, Some("v1")))
        .await;
    done.unwrap();
    assert_eq!(
        requests,
        ["PutAttributes", "PutAttributes", "DeleteAttributes"]
    );
    let (version, requests) = world.requests(roster.version(&ann)).await;
    assert_eq!(
        (version.unwrap().as_deref(), requests.len()),
        (Some("v1"), 1)
    );
    let entry = roster.get(&ann, bob).await.unwrap().unwrap();
    let change = [remove(is(&entry), bob)];
    let (_, requests) = world.requests(roster.commit(&ann, &change, None)).await;
    assert_eq!(requests, ["DeleteAttributes"]);
    let change = [remove(RosterExpectation::Absent, bob)];
    let (_, requests) = world.requests(roster.commit(&ann, &change, None)).await;
    assert!(requests.is_empty());
    let (_, requests) = world.requests(roster.set_version(&ann, "v2")).await;
    assert_eq!(requests, ["PutAttributes"]);
    let (_, requests) = world.requests(roster.remove(&ann)).await;
    assert_eq!(requests, ["Select", "DeleteAttributes"]);
    assert!(world.left().await.is_empty());
}

#[tokio::test]
async fn a_version_is_valid_only_with_all_that_belongs_to_it() {
    let world = World::start().await;
    let roster = world.stores.roster();
    let ann = jid("ann");
    let version = async || roster.version(&ann).await.unwrap();
    let change = |n: usize| {
        [put(
            RosterExpectation::Any,
            contact(&format!("c{n}@x"), "", &[]),
        )]
    };
    assert_eq!(version().await, None);
    roster.set_version(&ann, "v0").await.unwrap();
    assert_eq!(version().await.as_deref(), Some("v0"));
    roster.commit(&ann, &change(1), Some("")).await.unwrap();
    assert_eq!(version().await.as_deref(), Some(""));

    // The contact cannot be written: the version before it is gone all the same, and what is stored is valid again.
    let refused = || Rule::new(Fault::error(403, "AccessDenied"));
    world
        .faults()
        .add(refused().operation("PutAttributes").skip(1));
    roster
        .commit(&ann, &change(2), Some("v2"))
        .await
        .unwrap_err();
    world.calm();
    assert_eq!(version().await.as_deref(), Some("v2"));

    // The node ends before the last step: no version is valid, also not after further commits.
    world.faults().add(refused().operation("DeleteAttributes"));
    roster.commit(&ann, &change(3), Some("v3")).await.unwrap();
    world.calm();
    assert_eq!(version().await, None);
    roster.commit(&ann, &change(4), Some("v4")).await.unwrap();
    assert_eq!(version().await, None);
    roster.set_version(&ann, "v5").await.unwrap();
    assert_eq!(version().await, None);

    // Until the mark is an hour old: it is cleared away, and the next version is valid.
    let (_, sdb) = world.clients();
    let domains = world.stores.layout().domains();
    let mut marked = None;
    for name in domains.iter().filter(|name| name.contains("-roster.")) {
        let item = sdb
            .domain(&**name)
            .get("ann@example.com")
            .consistent(true)
            .await
            .unwrap()
            .item;
        if let Some(mark) = item.first("p") {
            marked = Some((sdb.domain(&**name), mark.to_owned()));
        }
    }
    let (domain, mark) = marked.unwrap();
    let (seconds, random) = mark.split_once('-').unwrap();
    let old = format!("{:012}-{random}", seconds.parse::<u64>().unwrap() - 3700);
    domain
        .put("ann@example.com")
        .replace("p", old)
        .await
        .unwrap();
    assert_eq!(version().await, None);
    let fresh = version().await.unwrap();
    assert!(!fresh.starts_with('v'), "{fresh}");
    roster.commit(&ann, &change(6), Some("v6")).await.unwrap();
    assert_eq!(version().await.as_deref(), Some("v6"));

    // The answer to the last step is lost, before and after it was done.
    world.lose("DeleteAttributes");
    roster.commit(&ann, &change(7), Some("v7")).await.unwrap();
    assert_eq!(version().await.as_deref(), Some("v7"));
    world.swallow("DeleteAttributes");
    roster.commit(&ann, &change(8), Some("v8")).await.unwrap();
    assert!(version().await.is_some());
}

#[tokio::test]
async fn a_commit_does_not_bring_back_who_was_removed() {
    let world = World::start().await;
    let roster = world.stores.roster();
    let ann = jid("ann");
    commit(
        &world.stores,
        &ann,
        put(RosterExpectation::Any, contact("a@x", "", &[])),
    )
    .await
    .unwrap();
    let gate = emulator::Gate::new();
    world
        .faults()
        .add(Rule::new(Fault::hold(&gate)).operation("DeleteAttributes"));
    let change = [remove(RosterExpectation::Absent, "bob@x")];
    let removing = async {
        gate.arrived(1).await;
        roster.remove(&ann).await.unwrap();
        gate.open();
    };
    let (done, ()) = tokio::join!(roster.commit(&ann, &change, Some("v1")), removing);
    done.unwrap();
    assert!(world.left().await.is_empty());
}

#[tokio::test]
async fn limits_are_named_before_anything_is_sent() {
    let world = World::start().await;
    let groups: Vec<String> = (0..101).map(|n| n.to_string()).collect();
    let bob = "bob@example.org";
    for (item, message) in [
        (
            contact(&"x".repeat(3072), "", &[]),
            "the contact's JID has 3072 bytes, over the limit of 3071",
        ),
        (
            contact(bob, &"x".repeat(16_385), &[]),
            "the contact's name has 16385 bytes, over the limit of 16384",
        ),
        (
            RosterItem {
                message: "x".repeat(65_537),
                ..contact(bob, "", &[])
            },
            "the request's message has 65537 bytes, over the limit of 65536",
        ),
        (
            RosterItem {
                groups,
                ..contact(bob, "", &[])
            },
            "the contact has 101 groups, over the limit of 100",
        ),
        (
            contact(bob, "", &[&"x".repeat(1024)]),
            "a group has 1024 bytes, over the limit of 1023",
        ),
    ] {
        let changes = [
            put(RosterExpectation::Any, contact("a@x", "", &[])),
            put(RosterExpectation::Any, item),
        ];
        let roster = world.stores.roster();
        let (error, requests) = world
            .requests(roster.commit(&jid("ann"), &changes, Some("v")))
            .await;
        let error = error.unwrap_err();
        assert_eq!((error.kind(), error.message()), (Kind::TooLarge, message));
        assert!(requests.is_empty());
    }
    let roster = world.stores.roster();
    let long = "v".repeat(1024);
    let (error, requests) = world
        .requests(roster.commit(&jid("ann"), &[], Some(&long)))
        .await;
    assert_eq!(
        (error.unwrap_err().kind(), requests.len()),
        (Kind::TooLarge, 0)
    );
    let error = roster.get(&jid("ann"), "").await.unwrap_err();
    assert_eq!(
        (error.kind(), error.about()),
        (Kind::Invalid, "roster of ann@example.com")
    );
}

#[tokio::test]
async fn two_contacts_at_the_same_time_do_not_touch_each_other() {
    let world = World::start().await;
    let other = world.another(|builder| builder).await;
    let ann = jid("ann");
    let add = async |n: usize| {
        let node = if n < 20 { &world.stores } else { &other };
        let change = put(
            RosterExpectation::Absent,
            contact(&format!("c{n}@x"), "", &["g"]),
        );
        commit(node, &ann, change).await.unwrap();
    };
    join_all((0..40).map(add)).await;
    assert_eq!(other.roster().all(&ann).await.unwrap().len(), 40);
}
