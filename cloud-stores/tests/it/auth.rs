//! Who may log in.

use std::time::Duration;

use cloud_stores::auth::{ScramKeys, Secret, Selection};
use cloud_stores::{BareJid, Kind, Reads};
use emulator::{Fault, Gate, Rule};
use futures_util::future::join_all;

use crate::kit::{World, jid};

fn scram(name: &str) -> Secret {
    Secret::Scram(ScramKeys {
        hash: "sha256".into(),
        stored_key: format!("stored-{name}"),
        server_key: format!("server-{name}"),
        salt: String::new(),
        iterations: 4096,
    })
}

#[tokio::test]
async fn secrets_come_back_whatever_kind_they_were_before() {
    let world = World::start().await;
    let auth = world.stores.auth();
    let ann = jid("ann");
    let plain = Secret::Plain("-".into());
    auth.register(&ann, &plain).await.unwrap();
    assert_eq!(auth.get(&ann).await.unwrap(), Some(plain.clone()));
    for secret in [scram("1"), Secret::Plain(String::new()), scram("2"), plain] {
        auth.set(&ann, &secret).await.unwrap();
        assert_eq!(auth.get(&ann).await.unwrap(), Some(secret));
    }
    assert_eq!(
        auth.register(&ann, &scram("3")).await.unwrap_err().kind(),
        Kind::Exists
    );
    auth.remove(&ann).await.unwrap();
    auth.remove(&ann).await.unwrap();
    assert_eq!(auth.get(&ann).await.unwrap(), None);
    // Nothing of the name is left that would keep somebody from taking it again.
    assert!(world.left().await.is_empty());
    auth.register(&ann, &scram("3")).await.unwrap();
}

#[tokio::test]
async fn each_action_is_one_request() {
    let world = World::start().await;
    let auth = world.stores.auth();
    let ann = jid("ann");
    let (_, requests) = world.requests(auth.register(&ann, &scram("a"))).await;
    assert_eq!(requests, ["PutAttributes"]);
    let (_, requests) = world.requests(auth.register(&ann, &scram("b"))).await;
    assert_eq!(requests, ["PutAttributes"]);
    let (_, requests) = world.requests(auth.set(&ann, &scram("b"))).await;
    assert_eq!(requests, ["PutAttributes"]);
    let (_, requests) = world.requests(auth.get(&ann)).await;
    assert_eq!(requests, ["GetAttributes"]);
    let all = Selection::default();
    let (_, requests) = world.requests(auth.list("example.com", &all)).await;
    assert_eq!(requests, ["Select"; 4]);
    let (_, requests) = world.requests(auth.count("example.com", "")).await;
    assert_eq!(requests, ["Select"; 4]);
    let (_, requests) = world.requests(auth.remove(&ann)).await;
    assert_eq!(requests, ["DeleteAttributes"]);
    let none = Selection {
        limit: Some(0),
        ..all
    };
    let (found, requests) = world.requests(auth.list("example.com", &none)).await;
    assert!(found.unwrap().is_empty() && requests.is_empty());
}

#[tokio::test]
async fn of_ten_registrations_one_wins_and_its_secret_stays() {
    let world = World::start().await;
    let other = world.another(|builder| builder).await;
    for round in 0..5 {
        let ann = jid(&format!("ann{round}"));
        let register = async |n: usize| {
            let node = if n < 5 { &world.stores } else { &other };
            node.auth()
                .register(&ann, &scram(&n.to_string()))
                .await
                .map(|()| n)
        };
        let done = join_all((0..10).map(register)).await;
        let (won, lost): (Vec<_>, Vec<_>) = done.into_iter().partition(Result::is_ok);
        assert_eq!(won.len(), 1);
        assert!(
            lost.into_iter()
                .all(|lost| lost.unwrap_err().kind() == Kind::Exists)
        );
        let winner = won[0].as_ref().unwrap().to_string();
        assert_eq!(other.auth().get(&ann).await.unwrap(), Some(scram(&winner)));
    }
}

#[tokio::test]
async fn a_registration_whose_answer_was_lost_is_no_second_one() {
    let world = World::start().await;
    let auth = world.stores.auth();
    // Done, and lost.
    let lost = world.lose("PutAttributes");
    auth.register(&jid("ann"), &scram("a")).await.unwrap();
    assert_eq!(lost.count(), 1);
    // Lost, and not done.
    let lost = world.swallow("PutAttributes");
    auth.register(&jid("bob"), &scram("b")).await.unwrap();
    assert_eq!(lost.count(), 1);
    assert_eq!(auth.get(&jid("bob")).await.unwrap(), Some(scram("b")));
    // Somebody else was there: it is said, and his secret stays.
    let lost = world.swallow("PutAttributes");
    let error = auth.register(&jid("ann"), &scram("c")).await.unwrap_err();
    assert_eq!((lost.count(), error.kind()), (1, Kind::Exists));
    assert_eq!(error.about(), "password of ann@example.com");
    assert_eq!(auth.get(&jid("ann")).await.unwrap(), Some(scram("a")));
    // What became of it cannot be found out: that is an outage, not somebody else.
    world.lose("PutAttributes");
    world
        .faults()
        .add(Rule::new(Fault::error(403, "AccessDenied")).operation("GetAttributes"));
    let error = auth.register(&jid("dan"), &scram("d")).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Unavailable);
}

#[tokio::test]
async fn an_outage_is_no_missing_person() {
    let world = World::start().await;
    let auth = world.stores.auth();
    auth.register(&jid("ann"), &scram("a")).await.unwrap();
    world.outage();
    for error in [
        auth.get(&jid("ann")).await.unwrap_err(),
        auth.register(&jid("bob"), &scram("b")).await.unwrap_err(),
        auth.set(&jid("ann"), &scram("b")).await.unwrap_err(),
        auth.remove(&jid("ann")).await.unwrap_err(),
        auth.list("example.com", &Selection::default())
            .await
            .unwrap_err(),
        auth.count("example.com", "").await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), Kind::Unavailable, "{error}");
    }
    world.calm();
    let (_, sdb) = world.clients();
    for domain in world.stores.layout().domains() {
        sdb.domain(domain).delete_domain().await.unwrap();
    }
    assert_eq!(
        auth.get(&jid("ann")).await.unwrap_err().kind(),
        Kind::Unavailable
    );
}

#[tokio::test]
async fn a_deadline_ends_what_hangs() {
    let short = Duration::from_millis(50);
    let world = World::with(None, |builder| builder.deadline(short)).await;
    let gate = Gate::new();
    world.faults().add(Rule::new(Fault::hold(&gate)));
    let error = world.stores.auth().get(&jid("ann")).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Timeout);
    gate.open();
}

#[tokio::test]
async fn people_are_listed_and_counted_by_host_and_prefix() {
    let world = World::start().await;
    let auth = world.stores.auth();
    let long = "x".repeat(300);
    let names = [
        "ann", "anna", "bob", "a%b", "a_b", "\u{e9}ve", ".dot", &long,
    ];
    for name in names {
        auth.register(&jid(name), &scram(name)).await.unwrap();
    }
    for name in ["ann", "zoe"] {
        let elsewhere = BareJid::new(name, "example.org").unwrap();
        auth.register(&elsewhere, &scram(name)).await.unwrap();
    }
    let list = async |prefix: &str, offset, limit| {
        let prefix = prefix.to_owned();
        let selection = Selection {
            prefix,
            offset,
            limit,
        };
        auth.list("example.com", &selection).await.unwrap()
    };
    // In the order of the escaped forms.
    let all = ["\u{e9}ve", ".dot"];
    let all: Vec<&str> = [".dot", all[0], "a%b", "a_b", "ann", "anna", "bob", &long].to_vec();
    assert_eq!(list("", 0, None).await, all);
    for offset in 0..=all.len() {
        for limit in 0..=all.len() {
            let page = list("", offset, Some(limit)).await;
            assert_eq!(
                page,
                all[offset..(offset + limit).min(all.len())],
                "{offset} {limit}"
            );
        }
    }
    assert_eq!(list("ann", 1, None).await, ["anna"]);
    assert_eq!(list("a%", 0, None).await, ["a%b"]);
    assert_eq!(list("a_", 0, None).await, ["a_b"]);
    assert_eq!(list(&"x".repeat(299), 0, None).await, [&*long]);
    assert!(
        list(&format!("{}y", "x".repeat(160)), 0, None)
            .await
            .is_empty()
    );
    for (prefix, count) in [
        ("", 8),
        ("ann", 2),
        ("a%", 1),
        ("c", 0),
        (&"x".repeat(200), 1),
    ] {
        assert_eq!(
            auth.count("example.com", prefix).await.unwrap(),
            count,
            "{prefix}"
        );
        assert_eq!(list(prefix, 0, None).await.len(), count, "{prefix}");
    }
    assert_eq!(auth.count("example.org", "").await.unwrap(), 2);
}

#[tokio::test]
async fn secrets_are_not_shown() {
    let world = World::start().await;
    let auth = world.stores.auth();
    let secret = "hush-hush";
    for secret in [Secret::Plain(secret.into()), scram(secret)] {
        let shown = format!("{secret:?}");
        assert!(!shown.contains("hush"), "{shown}");
        world.outage();
        let error = auth.register(&jid("ann"), &secret).await.unwrap_err();
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains("hush"), "{shown}");
        world.calm();
    }
    let long = Secret::Plain(secret.repeat(200));
    let (error, requests) = world.requests(auth.set(&jid("ann"), &long)).await;
    let error = error.unwrap_err();
    assert_eq!(error.kind(), Kind::TooLarge);
    assert_eq!(
        error.message(),
        "the password has 1801 bytes, over the limit of 1024"
    );
    assert!(requests.is_empty() && !format!("{error:?}").contains("hush"));
}

#[tokio::test]
async fn reads_are_as_new_as_they_are_set() {
    let world = World::start().await;
    let eventual = world
        .another(|builder| builder.reads(Reads::Eventual))
        .await;
    world.stale();
    let ann = jid("ann");
    let mut missed = 0;
    for n in 0..40 {
        world
            .stores
            .auth()
            .set(&ann, &scram(&n.to_string()))
            .await
            .unwrap();
        let seen = world.stores.auth().get(&ann).await.unwrap();
        assert_eq!(seen, Some(scram(&n.to_string())));
        missed += usize::from(eventual.auth().get(&ann).await.unwrap() != seen);
    }
    assert!(missed > 0);
    // Conditions see everything in any case.
    let error = eventual
        .auth()
        .register(&ann, &scram("late"))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), Kind::Exists);
}

#[tokio::test]
async fn a_cache_answers_and_knows_what_this_node_writes() {
    let world = World::cached().await;
    let auth = world.stores.auth();
    let ann = jid("ann");
    // The second time, that nobody is there comes from the cache.
    assert_eq!(auth.get(&ann).await.unwrap(), None);
    let (seen, requests) = world.requests(auth.get(&ann)).await;
    assert!(seen.unwrap().is_none() && requests.is_empty());
    auth.register(&ann, &scram("1")).await.unwrap();
    assert_eq!(auth.get(&ann).await.unwrap(), Some(scram("1")));
    auth.get(&ann).await.unwrap();
    let (seen, requests) = world.requests(auth.get(&ann)).await;
    assert_eq!(seen.unwrap(), Some(scram("1")));
    assert!(requests.is_empty(), "{requests:?}");
    auth.set(&ann, &scram("2")).await.unwrap();
    assert_eq!(auth.get(&ann).await.unwrap(), Some(scram("2")));
}
