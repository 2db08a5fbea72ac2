//! Nodes: made once, changed, listed, removed.

use bytes::Bytes;
use cloud_stores::pubsub::{NodeContent, NodeIndex, PubSub};
use cloud_stores::{BareJid, Kind};
use futures_util::future::join_all;

use super::{content, item, service};
use crate::kit::{World, jid};
use cloud_stores::pubsub::{Affiliation, Commit, State};

#[tokio::test]
async fn nodes_come_back_under_any_name() {
    let world = World::start().await;
    let pubsub = world.stores.pubsub();
    let long = "n/|~\u{e9}".repeat(400);
    let ann = jid("ann");
    for host in [service(), ann.clone()] {
        for name in ["", "urn:xmpp:tune", "a/b|c", "..", &long] {
            assert_eq!(pubsub.node(&host, name).await.unwrap(), None);
            let content = content(&[&ann, &host]);
            let index = pubsub
                .create_node(&host, name, content.clone())
                .await
                .unwrap();
            assert_eq!((index.host(), index.name()), (&host, name));
            let node = pubsub.node(&host, name).await.unwrap().unwrap();
            assert_eq!((&node.index, &node.content), (&index, &content));
            assert_eq!(pubsub.node_at(&index).await.unwrap(), Some(node));
            let error = pubsub.create_node(&host, name, content).await.unwrap_err();
            assert_eq!(error.kind(), Kind::Exists);
        }
        assert_eq!(pubsub.nodes(&host).await.unwrap().len(), 5);
    }
    assert!(pubsub.nodes(&jid("an")).await.unwrap().is_empty());
}

#[tokio::test]
async fn of_ten_that_make_a_node_one_has_made_it() {
    let world = World::start().await;
    let other = world.another(|builder| builder).await;
    for host in [service(), jid("ann")] {
        for round in 0..3 {
            let name = format!("node{round}");
            let make = async |n: usize| {
                let node = if n < 5 { &world.stores } else { &other };
                node.pubsub()
                    .create_node(&host, &name, content(&[&jid("ann")]))
                    .await
            };
            let made: Vec<_> = join_all((0..10).map(make)).await;
            let (won, lost): (Vec<_>, Vec<_>) = made.into_iter().partition(Result::is_ok);
            assert_eq!(won.len(), 1);
            let index = won[0].as_ref().unwrap();
            assert!(
                lost.into_iter()
                    .all(|lost| lost.unwrap_err().kind() == Kind::Exists)
            );
            assert_eq!(
                other
                    .pubsub()
                    .node(&host, &name)
                    .await
                    .unwrap()
                    .unwrap()
                    .index,
                *index
            );
        }
    }
}

#[tokio::test]
async fn nodes_of_a_person_that_are_made_at_once_are_all_there() {
    let world = World::start().await;
    let ann = jid("ann");
    let made = join_all((0..6).map(|n| {
        let pubsub = world.stores.pubsub();
        let ann = ann.clone();
        async move {
            pubsub
                .create_node(&ann, &n.to_string(), content(&[&ann]))
                .await
        }
    }));
    let made: Vec<NodeIndex> = made.await.into_iter().map(Result::unwrap).collect();
    let pubsub = world.stores.pubsub();
    assert_eq!(pubsub.nodes(&ann).await.unwrap().len(), 6);
    // Two of one person's nodes that are removed at once are both gone; of none, no object stays.
    let removed = join_all(made.iter().map(|index| pubsub.delete_node(index))).await;
    assert!(removed.into_iter().all(Result::unwrap));
    assert!(world.left().await.is_empty());
}

#[tokio::test]
async fn content_is_changed_by_who_has_seen_it() {
    let world = World::start().await;
    let pubsub = world.stores.pubsub();
    let ann = jid("ann");
    for host in [service(), ann.clone()] {
        let first = content(&[&ann]);
        let index = pubsub.create_node(&host, "n", first.clone()).await.unwrap();
        let second = NodeContent {
            parents: vec!["p".to_owned()],
            ..first.clone()
        };
        let third = NodeContent {
            options: Bytes::new(),
            ..first.clone()
        };
        pubsub
            .set_node(&index, second.clone(), Some(&first))
            .await
            .unwrap();
        let error = pubsub
            .set_node(&index, third.clone(), Some(&first))
            .await
            .unwrap_err();
        assert_eq!(error.kind(), Kind::Conflict);
        assert_eq!(
            pubsub.node_at(&index).await.unwrap().unwrap().content,
            second
        );
        pubsub.set_node(&index, third.clone(), None).await.unwrap();
        assert_eq!(
            pubsub.node_at(&index).await.unwrap().unwrap().content,
            third
        );

        assert!(pubsub.delete_node(&index).await.unwrap());
        assert!(!pubsub.delete_node(&index).await.unwrap());
        let gone = async |index| {
            pubsub
                .set_node(index, first.clone(), None)
                .await
                .unwrap_err()
                .kind()
        };
        assert_eq!(gone(&index).await, Kind::NotFound);
        // The one that is made then is another one.
        let later = pubsub.create_node(&host, "n", first.clone()).await.unwrap();
        assert_eq!(gone(&index).await, Kind::NotFound);
        assert_eq!(pubsub.node_at(&index).await.unwrap(), None);
        assert!(!pubsub.delete_node(&index).await.unwrap());
        assert_eq!(pubsub.node(&host, "n").await.unwrap().unwrap().index, later);
    }
}

#[tokio::test]
async fn what_is_left_of_a_node_is_never_seen_and_goes() {
    let world = World::start().await;
    let pubsub = world.stores.pubsub();
    let (ann, bob) = (jid("ann"), jid("bob"));
    for host in [service(), ann.clone()] {
        let index = pubsub
            .create_node(&host, "n", content(&[&ann]))
            .await
            .unwrap();
        let fill = Commit::new(&index)
            .write(State::absent(ann.as_str()), Affiliation::Owner, Vec::new())
            .write(
                State::absent(format!("{bob}/phone")),
                Affiliation::Member,
                Vec::new(),
            )
            .put_item(item("1", 1, &ann), None)
            .put_item(item("2", 2, &ann), None);
        pubsub.commit(fill).await.unwrap();
        pubsub.delete_node(&index).await.unwrap();
        let later = pubsub.create_node(&host, "n", content(&[])).await.unwrap();
        assert!(pubsub.states(&later).await.unwrap().is_empty());
        assert!(pubsub.items(&later).await.unwrap().items().is_empty());
        assert!(pubsub.last_items(&later, 1).await.unwrap().is_empty());
        // It can be stopped anywhere and begun again.
        for operation in [
            "DeleteAttributes",
            "BatchDeleteAttributes",
            "DeleteObjects",
            "Select",
        ] {
            let denied = emulator::Fault::error(403, "AccessDenied");
            world
                .faults()
                .add(emulator::Rule::new(denied).operation(operation).times(1));
            assert_eq!(
                pubsub.clean_node(&index).await.unwrap_err().kind(),
                Kind::Unavailable
            );
        }
        pubsub.clean_node(&index).await.unwrap();
        pubsub.clean_node(&index).await.unwrap();
        assert!(pubsub.states_of(&bob).await.unwrap().is_empty());
        pubsub.delete_node(&later).await.unwrap();
        assert!(world.left().await.is_empty(), "{:?}", world.left().await);
    }
}

async fn names(pubsub: &PubSub, host: &BareJid, parent: Option<&str>) -> Vec<String> {
    let children = pubsub.children(host, parent).await.unwrap();
    children
        .into_iter()
        .map(|node| node.index.name().to_owned())
        .collect()
}

#[tokio::test]
async fn children_ancestors_and_people_are_found() {
    let world = World::start().await;
    let pubsub = world.stores.pubsub();
    let host = service();
    for (name, parents) in [
        ("a", &[][..]),
        ("b", &["a"]),
        ("c", &["b", "a"]),
        ("x", &["y"]),
        ("y", &["x"]),
    ] {
        let parents = parents.iter().map(|name| (*name).to_owned()).collect();
        let content = NodeContent {
            parents,
            ..content(&[])
        };
        pubsub.create_node(&host, name, content).await.unwrap();
    }
    assert_eq!(names(&pubsub, &host, None).await, ["a"]);
    assert_eq!(names(&pubsub, &host, Some("a")).await, ["b", "c"]);
    assert!(names(&pubsub, &host, Some("c")).await.is_empty());
    let up = async |name| {
        let nodes = pubsub.ancestors(&host, name).await.unwrap();
        nodes
            .into_iter()
            .map(|node| node.index.name().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(up("c").await, ["c", "b", "a"]);
    assert_eq!(up("x").await, ["x", "y"]);
    assert!(up("z").await.is_empty());

    let long = jid(&"\u{e9}".repeat(400));
    let elsewhere = BareJid::new("ann", "example.org").unwrap();
    for person in [&jid("ann"), &jid("bob"), &long, &elsewhere] {
        pubsub.create_node(person, "n", content(&[])).await.unwrap();
    }
    let mut people = pubsub.people("example.com").await.unwrap();
    people.sort();
    assert_eq!(people, [jid("ann"), jid("bob"), long]);
    assert_eq!(pubsub.people("example.org").await.unwrap(), [elsewhere]);
}

#[tokio::test]
async fn lost_answers_are_settled() {
    let world = World::start().await;
    let pubsub = world.stores.pubsub();
    for host in [service(), jid("ann")] {
        for lose in [World::lose, World::swallow] {
            let lost = lose(&world, "PutObject");
            let index = pubsub.create_node(&host, "n", content(&[])).await.unwrap();
            let more = lose(&world, "PutObject");
            let content = content(&[&jid("bob")]);
            pubsub
                .set_node(&index, content.clone(), None)
                .await
                .unwrap();
            assert_eq!(
                pubsub.node_at(&index).await.unwrap().unwrap().content,
                content
            );
            let last = lose(&world, "DeleteObject");
            pubsub.delete_node(&index).await.unwrap();
            assert_eq!((lost.count(), more.count(), last.count()), (1, 1, 1));
            assert_eq!(pubsub.node(&host, "n").await.unwrap(), None);
            world.calm();
        }
    }
}

#[tokio::test]
async fn limits_are_named_before_anything_is_sent() {
    let world = World::start().await;
    let pubsub = world.stores.pubsub();
    let long = "n".repeat(3072);
    let good = content(&[]);
    let over = [
        ("3072 bytes, over the limit of 3071", &*long, good.clone()),
        (
            "1001 entries, over the limit of 1000",
            "n",
            content(&vec![&jid("ann"); 1001]),
        ),
        (
            "101 entries, over the limit of 100",
            "n",
            NodeContent {
                parents: vec![String::new(); 101],
                ..good.clone()
            },
        ),
        (
            "3072 bytes, over the limit of 3071",
            "n",
            NodeContent {
                parents: vec![long.clone()],
                ..good.clone()
            },
        ),
        (
            "262145 bytes, over the limit of 262144",
            "n",
            NodeContent {
                options: vec![0; 262_145].into(),
                ..good
            },
        ),
    ];
    for (text, name, content) in over {
        let (error, requests) = world
            .requests(pubsub.create_node(&service(), name, content))
            .await;
        let error = error.unwrap_err();
        assert_eq!(error.kind(), Kind::TooLarge);
        assert!(error.message().contains(text), "{error}");
        assert!(requests.is_empty());
    }
    // A person's nodes have a limit together.
    let ann = jid("ann");
    let large = NodeContent {
        options: vec![0; 262_144].into(),
        ..content(&[])
    };
    for n in 0..15 {
        pubsub
            .create_node(&ann, &n.to_string(), large.clone())
            .await
            .unwrap();
    }
    let error = pubsub
        .create_node(&ann, "one more", large)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), Kind::TooLarge);
    assert!(
        error.message().contains("over the limit of 4194304"),
        "{error}"
    );
}

#[tokio::test]
async fn a_cache_that_is_old_makes_no_wrong_decision() {
    let world = World::cached().await;
    let cached = world.stores.pubsub();
    let other = world.another(|builder| builder).await.pubsub();
    let ann = jid("ann");
    for host in [service(), ann.clone()] {
        // The cache knows that there is none, and others make one.
        cached.node(&host, "n").await.unwrap();
        let index = other.create_node(&host, "n", content(&[])).await.unwrap();
        let error = cached
            .create_node(&host, "n", content(&[]))
            .await
            .unwrap_err();
        assert_eq!(error.kind(), Kind::Exists);
        assert_eq!(cached.node(&host, "n").await.unwrap().unwrap().index, index);
        // The cache has it, and others change it.
        let second = content(&[&ann]);
        other.set_node(&index, second.clone(), None).await.unwrap();
        let third = content(&[&ann, &ann]);
        cached
            .set_node(&index, third.clone(), Some(&second))
            .await
            .unwrap();
        assert_eq!(other.node_at(&index).await.unwrap().unwrap().content, third);
        // The cache has it, and others remove and make it.
        cached.node(&host, "n").await.unwrap();
        other.delete_node(&index).await.unwrap();
        let later = other.create_node(&host, "n", content(&[])).await.unwrap();
        assert!(!cached.delete_node(&index).await.unwrap());
        assert_eq!(other.node(&host, "n").await.unwrap().unwrap().index, later);
    }
}
