//! Servers that are discovered: a stream of lists, and what becomes of the servers that come and go with it.

use std::time::Duration;

use cache_layer::Server as Place;
use cache_layer::memcached::Memcached;
use futures_util::stream;
use futures_util::{FutureExt as _, StreamExt as _};

use crate::server::{Server, patient};

fn place(server: &Server) -> Place {
    server.name.parse().unwrap()
}

fn names(cache: &Memcached) -> Vec<String> {
    cache.servers().iter().map(ToString::to_string).collect()
}

/// A key of this server, by what the client says.
fn key_of(cache: &Memcached, server: &Server, from: usize) -> String {
    let keys = (from..).map(|i| format!("key-{i}"));
    let mut keys = keys.filter(|key| cache.shard(key).to_string() == server.name);
    keys.next().unwrap()
}

#[tokio::test]
async fn a_server_that_is_twice_on_a_list_holds_up_no_other_change() {
    let (a, b) = (Server::start(), Server::start());
    let cache = patient().servers([&a.name]).build().unwrap();
    // The address of one that is gone has a new owner, and both are known for a while.
    let heavy = format!("{} 7", b.name).parse().unwrap();
    let lists = [vec![place(&b), heavy, place(&a)]];
    cache.follow(stream::iter(lists)).await;
    assert_eq!(names(&cache), [&*b.name, &*a.name]);
    assert_eq!(cache.servers()[0].weight(), 1, "as it stands there first");
}

#[tokio::test]
async fn a_server_that_stays_keeps_what_it_has_and_one_that_returns_does_not() {
    let (a, b) = (Server::start(), Server::start());
    let builder = patient().retry_interval(Duration::ZERO, Duration::ZERO);
    let cache = builder.servers([&a.name, &b.name]).build().unwrap();
    let (of_a, of_b) = (key_of(&cache, &a, 0), key_of(&cache, &b, 0));
    cache.set(&of_a, "kept").await.unwrap();
    cache.set(&of_b, "old").await.unwrap();
    let commands = cache.stats()[0].commands;

    assert!(cache.set_servers([place(&a)]).unwrap());
    assert_eq!(cache.shard(&of_b), place(&a), "there is no other");
    cache.set(&of_b, "new").await.unwrap();
    cache.delete(&of_b).await.unwrap();
    assert!(cache.set_servers([place(&a), place(&b)]).unwrap());
    assert_eq!(cache.shard(&of_b), place(&b));
    while cache.stats()[1].owed != Some(0) {
        assert_eq!(cache.get(&of_b).await.unwrap(), None, "it was deleted");
        tokio::task::yield_now().await;
    }
    assert_eq!(cache.get(&of_b).await.unwrap(), None);
    assert_eq!(cache.get(&of_a).await.unwrap().unwrap().data, "kept");
    assert!(
        cache.stats()[0].commands > commands,
        "the one that stays is the same"
    );
    // Once more: it is emptied each time that it returns.
    cache.set(&of_b, "old").await.unwrap();
    cache.set_servers([place(&a)]).unwrap();
    cache.set_servers([place(&a), place(&b)]).unwrap();
    while cache.stats()[1].owed != Some(0) {
        assert_eq!(cache.get(&of_b).await.unwrap(), None);
        tokio::task::yield_now().await;
    }
    assert_eq!(cache.get(&of_b).await.unwrap(), None);
}

#[tokio::test]
async fn the_order_and_the_weights_of_a_list_count() {
    let (a, b) = (Server::start(), Server::start());
    let cache = patient().servers([&a.name, &b.name]).build().unwrap();
    assert!(!cache.set_servers([place(&a), place(&b)]).unwrap());
    assert!(cache.set_servers([place(&b), place(&a)]).unwrap());
    assert_eq!(names(&cache), [&*b.name, &*a.name]);
    let heavy = format!("{} 1000", a.name).parse().unwrap();
    assert!(cache.set_servers([heavy, place(&b)]).unwrap());
    let of_a = (0..200).filter(|i| cache.shard(format!("key-{i}")).to_string() == a.name);
    assert!(of_a.count() > 150, "it has nearly all of the keys");
}

/// Whoever follows is a future like others: dropped between two lists, it leaves the servers as they are.
#[tokio::test]
async fn a_follower_that_is_dropped_leaves_the_last_list() {
    let (a, b) = (Server::start(), Server::start());
    let cache = patient().servers([&a.name]).build().unwrap();
    let first = stream::iter([vec![place(&a), place(&b)]]);
    let lists = first.chain(stream::pending());
    let ended = cache.follow(lists).now_or_never();
    assert!(ended.is_none(), "the stream does not end");
    assert_eq!(names(&cache), [&*a.name, &*b.name]);
    cache.set("a", "1").await.unwrap();
    assert_eq!(cache.get("a").await.unwrap().unwrap().data, "1");
}
