//! How a server fails, is paid, and comes back.

use super::*;
use crate::Memcached;
use tokio::net::TcpListener;

fn client(servers: [&str; 2]) -> Memcached {
    Memcached::builder().servers(servers).build().unwrap()
}

fn key(name: &str) -> WireKey {
    crate::memcached::Key::from(name).wire(false)
}

#[test]
fn a_server_is_not_back_before_all_is_paid() {
    let node = client(["a:1", "b:1"]).now().nodes[0].clone();
    node.owed.add(&key("k"), false, None);
    node.health().eject(now());
    node.away.store(true, Ordering::Release);
    assert_eq!(node.health().admit(now()), Permission::Probe);
    assert!(!node.probed(true) && node.is_away());
    node.owed.deleted(&key("k"), node.owed.turn());
    assert!(node.probed(true) && !node.is_away());
}

/// What it was passed over for may have been stored after it was back.
#[test]
fn a_server_that_is_back_meanwhile_leaves_a_debt_to_the_one_that_stood_in() {
    let nodes = client(["a:1", "b:1"]).now().nodes.clone();
    let stands_in = |back: bool| {
        if !back {
            nodes[0].health().eject(now());
        }
        let (key, skipped) = (key("k"), &nodes[..1]);
        drop(StandInGuard {
            node: &nodes[1],
            key: &key,
            skipped,
        });
        (nodes[0].owed.has(&key), nodes[1].owed.has(&key))
    };
    assert_eq!(stands_in(true), (false, true));
    nodes[1].owed.deleted(&key("k"), nodes[1].owed.turn());
    assert_eq!(stands_in(false), (true, false));
}

/// Otherwise it would try again for ever, in a client that nobody uses.
#[tokio::test]
async fn nobody_pays_what_is_owed_when_the_client_is_closed() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = Memcached::builder()
        .servers([listener.local_addr().unwrap().to_string()])
        .eject_after(u32::MAX)
        .retry_interval(Duration::ZERO, Duration::ZERO)
        .timeout(Duration::from_millis(20))
        .build()
        .unwrap();
    assert!(client.delete("k").await.unwrap_err().is_owed());
    let node = Arc::downgrade(&client.now().nodes[0]);
    client.close(Duration::ZERO).await;
    let forgotten = async {
        while node.upgrade().is_some() {
            tokio::task::yield_now().await;
        }
    };
    let ended = tokio::time::timeout(Duration::from_secs(30), forgotten).await;
    ended.expect("a task holds it");
}
