//! Who may send what to whom.

use cloud_stores::privacy::{
    PrivacyAction, PrivacyItem, PrivacyList, PrivacyLists, PrivacyStanzas, PrivacySubject,
};
use cloud_stores::{BareJid, Kind, Stores};
use emulator::{Fault, Rule};
use futures_util::future::join_all;

use crate::kit::{World, jid};

fn list(name: &str, about: &str) -> PrivacyList {
    let item = PrivacyItem {
        order: 1,
        action: PrivacyAction::Deny,
        subject: PrivacySubject::Jid(about.to_owned()),
        stanzas: PrivacyStanzas {
            all: true,
            ..PrivacyStanzas::default()
        },
    };
    PrivacyList {
        name: name.to_owned(),
        items: vec![item],
    }
}

async fn names(stores: &Stores, jid: &BareJid) -> Vec<String> {
    let lists = stores.privacy().get(jid).await.unwrap().unwrap();
    lists.lists.into_iter().map(|list| list.name).collect()
}

#[tokio::test]
async fn lists_and_the_default_come_back() {
    let world = World::start().await;
    let privacy = world.stores.privacy();
    let ann = jid("ann");
    let kind = |result: cloud_stores::Result<()>| result.unwrap_err().kind();
    assert_eq!(privacy.get(&ann).await.unwrap(), None);
    assert_eq!(privacy.list(&ann, None).await.unwrap(), None);
    assert_eq!(kind(privacy.set_default(&ann, "a").await), Kind::NotFound);
    assert_eq!(kind(privacy.remove_list(&ann, "a").await), Kind::NotFound);
    privacy.unset_default(&ann).await.unwrap();
    assert!(world.left().await.is_empty());

    privacy.set_list(&ann, list("a", "eve@x")).await.unwrap();
    privacy.set_list(&ann, list("b", "bob@x")).await.unwrap();
    privacy.set_list(&ann, list("a", "zoe@x")).await.unwrap();
    assert_eq!(privacy.list(&ann, None).await.unwrap(), None);
    assert_eq!(
        privacy.list(&ann, Some("a")).await.unwrap(),
        Some(list("a", "zoe@x"))
    );
    assert_eq!(privacy.list(&ann, Some("c")).await.unwrap(), None);
    privacy.set_default(&ann, "b").await.unwrap();
    assert_eq!(
        privacy.list(&ann, None).await.unwrap(),
        Some(list("b", "bob@x"))
    );
    assert_eq!(kind(privacy.remove_list(&ann, "b").await), Kind::Conflict);
    assert_eq!(kind(privacy.set_default(&ann, "c").await), Kind::NotFound);
    privacy.unset_default(&ann).await.unwrap();
    privacy.remove_list(&ann, "b").await.unwrap();
    assert_eq!(names(&world.stores, &ann).await, ["a"]);
    let all = PrivacyLists {
        default: Some("d".into()),
        lists: vec![list("d", "x")],
    };
    privacy.set(&ann, all.clone()).await.unwrap();
    assert_eq!(privacy.get(&ann).await.unwrap(), Some(all));
    privacy.remove(&ann).await.unwrap();
    privacy.remove(&ann).await.unwrap();
    assert!(world.left().await.is_empty());
}

#[tokio::test]
async fn a_read_is_one_request_and_a_change_two() {
    let world = World::start().await;
    let privacy = world.stores.privacy();
    let ann = jid("ann");
    let (_, requests) = world.requests(privacy.list(&ann, None)).await;
    assert_eq!(requests, ["GetObject"]);
    for _ in 0..2 {
        let (_, requests) = world.requests(privacy.set_list(&ann, list("a", "x"))).await;
        assert_eq!(requests, ["GetObject", "PutObject"]);
    }
    let (_, requests) = world.requests(privacy.unset_default(&ann)).await;
    assert_eq!(requests, ["GetObject"]);
    let (_, requests) = world.requests(privacy.remove(&ann)).await;
    assert_eq!(requests, ["DeleteObject"]);
    // With a cache, who has no list costs nothing after the first time.
    let world = World::cached().await;
    let privacy = world.stores.privacy();
    privacy.list(&ann, None).await.unwrap();
    let (_, requests) = world.requests(privacy.list(&ann, None)).await;
    assert!(requests.is_empty(), "{requests:?}");
    let (_, requests) = world.requests(privacy.set_list(&ann, list("a", "x"))).await;
    assert_eq!(requests, ["PutObject"]);
}

#[tokio::test]
async fn changes_of_many_nodes_at_the_same_time_all_stay() {
    let world = World::start().await;
    let mut nodes = vec![world.stores.clone()];
    for _ in 0..3 {
        nodes.push(world.another(|builder| builder).await);
    }
    let ann = jid("ann");
    let set = async |n: usize| {
        let privacy = nodes[n % nodes.len()].privacy();
        // Ten rounds may be too few for one of many; nobody's change is lost for that.
        while let Err(error) = privacy.set_list(&ann, list(&n.to_string(), "x")).await {
            assert_eq!(error.kind(), Kind::Conflict, "{error}");
        }
    };
    join_all((0..16).map(set)).await;
    let mut all: Vec<usize> = names(&world.stores, &ann)
        .await
        .iter()
        .map(|name| name.parse().unwrap())
        .collect();
    all.sort_unstable();
    assert_eq!(all, (0..16).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_change_that_is_based_on_an_old_cache_is_decided_again() {
    let world = World::cached().await;
    let privacy = world.stores.privacy();
    let other = world.another(|builder| builder).await;
    let ann = jid("ann");
    privacy.set_list(&ann, list("a", "x")).await.unwrap();
    privacy.get(&ann).await.unwrap();
    privacy.get(&ann).await.unwrap();
    other
        .privacy()
        .set_list(&ann, list("b", "x"))
        .await
        .unwrap();
    let (done, requests) = world.requests(privacy.set_list(&ann, list("c", "x"))).await;
    done.unwrap();
    assert_eq!(requests, ["PutObject", "GetObject", "PutObject"]);
    assert_eq!(names(&other, &ann).await, ["a", "b", "c"]);
    // What the cache does not know of yet is there.
    privacy.get(&ann).await.unwrap();
    privacy.get(&ann).await.unwrap();
    other
        .privacy()
        .set_list(&ann, list("d", "x"))
        .await
        .unwrap();
    privacy.set_default(&ann, "d").await.unwrap();
    // And so is a default, where the cache has none: it is taken away.
    let bob = jid("bob");
    privacy.set_list(&bob, list("a", "x")).await.unwrap();
    privacy.get(&bob).await.unwrap();
    privacy.get(&bob).await.unwrap();
    other.privacy().set_default(&bob, "a").await.unwrap();
    privacy.unset_default(&bob).await.unwrap();
    assert_eq!(
        other.privacy().get(&bob).await.unwrap().unwrap().default,
        None
    );
}

#[tokio::test]
async fn lost_answers_are_settled() {
    let world = World::start().await;
    let privacy = world.stores.privacy();
    let ann = jid("ann");
    for (n, after) in [true, false, true, false].into_iter().enumerate() {
        let lost = if after {
            world.lose("PutObject")
        } else {
            world.swallow("PutObject")
        };
        privacy
            .set_list(&ann, list(&n.to_string(), "x"))
            .await
            .unwrap();
        assert_eq!(lost.count(), 1);
    }
    assert_eq!(names(&world.stores, &ann).await, ["0", "1", "2", "3"]);
    // What became of it cannot be seen: no conflict.
    world.lose("PutObject");
    let blind = Rule::new(Fault::error(403, "AccessDenied"))
        .operation("GetObject")
        .skip(1);
    world.faults().add(blind);
    let error = privacy.set_list(&ann, list("4", "x")).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Unavailable, "{error}");
}

#[tokio::test]
async fn tags_without_quotes_are_conditions_all_the_same() {
    let world = World::with(None, |builder| builder.unquoted_if_match(true)).await;
    let privacy = world.stores.privacy();
    privacy.set_list(&jid("ann"), list("a", "x")).await.unwrap();
    // The emulator takes a tag with quotes and without.
    privacy.set_list(&jid("ann"), list("b", "x")).await.unwrap();
    let other = world.another(|builder| builder).await;
    other
        .privacy()
        .set_list(&jid("ann"), list("c", "x"))
        .await
        .unwrap();
    assert_eq!(names(&other, &jid("ann")).await, ["a", "b", "c"]);
}

#[tokio::test]
async fn limits_and_foreign_content_are_named() {
    let world = World::start().await;
    let privacy = world.stores.privacy();
    let long = list("a", &"x".repeat(4 << 20));
    let error = privacy.set_list(&jid("ann"), long).await.unwrap_err();
    assert_eq!(error.kind(), Kind::TooLarge);
    assert!(
        error.message().contains("over the limit of 4194304"),
        "{error}"
    );
    let (bucket, _) = world.clients();
    bucket
        .put("it/privacy/bob@example.com", "[]")
        .await
        .unwrap();
    assert_eq!(
        privacy.get(&jid("bob")).await.unwrap_err().kind(),
        Kind::Invalid
    );
    assert_eq!(
        privacy.unset_default(&jid("bob")).await.unwrap_err().kind(),
        Kind::Invalid
    );
}

#[tokio::test]
async fn lost_answers_are_settled_where_what_was_read_came_from_a_cache() {
    let world = World::cached().await;
    let privacy = world.stores.privacy();
    for after in [true, false] {
        // After a lost answer the cache is not believed about a person: each has one.
        let ann = jid(&format!("ann-{after}"));
        privacy.set_list(&ann, list("a", "x")).await.unwrap();
        privacy.get(&ann).await.unwrap();
        privacy.get(&ann).await.unwrap();
        let lost = if after {
            world.lose("PutObject")
        } else {
            world.swallow("PutObject")
        };
        let change = privacy.set_list(&ann, list("b", "x"));
        let (done, requests) = world.requests(change).await;
        done.unwrap();
        assert_eq!((lost.count(), &*requests[0]), (1, "PutObject"));
        assert_eq!(names(&world.stores, &ann).await, ["a", "b"]);
    }
}
