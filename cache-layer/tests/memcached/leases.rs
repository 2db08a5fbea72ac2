//! Leases: one caller fills, and a fill never comes after what made it old.

use std::time::Duration;

use cache_layer::memcached::{Kind, Leased, Stored};

use crate::server::{Server, client, patient};

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn one_caller_fills_and_the_others_wait() {
    let server = Server::start();
    let (cache, other) = (client(&[&server]), client(&[&server]));
    let Leased::Miss(lease) = cache.get_lease("a").await.unwrap() else {
        panic!("the first is asked to fill");
    };
    assert!(matches!(other.get_lease("a").await.unwrap(), Leased::Wait));
    let filled = cache
        .fill(lease, "value")
        .flags(3)
        .ttl(MINUTE)
        .await
        .unwrap();
    assert_eq!(filled, Stored::Stored);
    for client in [&cache, &other] {
        let Leased::Hit {
            value,
            stale,
            refill,
        } = client.get_lease("a").await.unwrap()
        else {
            panic!("it is filled");
        };
        assert_eq!((&value.data[..], value.flags), (&b"value"[..], 3));
        assert!(!stale && refill.is_none());
    }
    // Near its end one is asked to fill it anew, and the others read on.
    let again = cache
        .get_lease("a")
        .refill_within(2 * MINUTE)
        .await
        .unwrap();
    let Leased::Hit {
        refill: Some(lease),
        stale: false,
        ..
    } = again
    else {
        panic!("{again:?}");
    };
    let others = other
        .get_lease("a")
        .refill_within(2 * MINUTE)
        .await
        .unwrap();
    assert!(matches!(others, Leased::Hit { refill: None, .. }));
    assert_eq!(cache.fill(lease, "new").await.unwrap(), Stored::Stored);
}

#[tokio::test]
async fn a_delete_voids_a_lease() {
    let server = Server::start();
    let (cache, writer) = (client(&[&server]), client(&[&server]));
    let lease = || async {
        match cache.get_lease("a").await.unwrap() {
            Leased::Miss(lease) => lease,
            other => panic!("{other:?}"),
        }
    };
    let old = lease().await;
    assert!(writer.delete("a").await.unwrap());
    assert_eq!(cache.fill(old, "old").await.unwrap(), Stored::NotFound);
    assert_eq!(cache.get("a").await.unwrap(), None);
    // Also when somebody else has a lease meanwhile.
    let old = lease().await;
    assert!(writer.delete("a").await.unwrap());
    let Leased::Miss(new) = writer.get_lease("a").await.unwrap() else {
        panic!("the next is asked to fill");
    };
    assert_eq!(cache.fill(old, "old").await.unwrap(), Stored::Exists);
    assert_eq!(writer.fill(new, "new").await.unwrap(), Stored::Stored);
    assert_eq!(cache.get("a").await.unwrap().unwrap().data, "new");
}

#[tokio::test]
async fn a_stale_value_is_read_until_one_has_filled_it() {
    let server = Server::start();
    let (cache, other) = (client(&[&server]), client(&[&server]));
    cache.set("a", "old").await.unwrap();
    assert!(cache.delete("a").stale(MINUTE).await.unwrap());
    let first = cache.get_lease("a").await.unwrap();
    let Leased::Hit {
        value,
        stale: true,
        refill: Some(lease),
    } = first
    else {
        panic!("{first:?}");
    };
    assert_eq!(value.data, "old");
    let second = other.get_lease("a").await.unwrap();
    assert!(
        matches!(
            second,
            Leased::Hit {
                stale: true,
                refill: None,
                ..
            }
        ),
        "{second:?}"
    );
    assert_eq!(cache.fill(lease, "new").await.unwrap(), Stored::Stored);
    let third = other.get_lease("a").await.unwrap();
    assert!(
        matches!(
            third,
            Leased::Hit {
                stale: false,
                refill: None,
                ..
            }
        ),
        "{third:?}"
    );
    assert!(!cache.delete("none").stale(MINUTE).await.unwrap());
}

#[tokio::test]
async fn a_lease_does_not_outlive_its_connection() {
    let mut server = Server::start();
    let cache = client(&[&server]);
    let Leased::Miss(lease) = cache.get_lease("a").await.unwrap() else {
        panic!("the first is asked to fill");
    };
    server.kill();
    server.start_again();
    // The number of the old lease is that of a new entry, and would be taken for its own.
    assert_eq!(server.raw("mg a v c N30\r\n"), "VA 0 c1 W");
    let error = cache.fill(lease.clone(), "old").await.unwrap_err();
    assert!(
        matches!(error.kind(), Kind::Gone | Kind::Closed),
        "{error:?}"
    );
    let error = cache.fill(lease, "old").await.unwrap_err();
    assert_eq!(error.kind(), Kind::Gone);
    assert!(!error.may_have_been_sent() && !error.is_owed());
    assert!(matches!(cache.get_lease("a").await.unwrap(), Leased::Wait));
}

#[tokio::test]
async fn a_lease_is_of_the_server_that_granted_it() {
    let servers = [Server::start(), Server::start()];
    let cache = client(&[&servers[0]]);
    let Leased::Miss(lease) = cache.get_lease("a").await.unwrap() else {
        panic!("the first is asked to fill");
    };
    assert!(
        cache
            .set_servers([servers[1].name.parse().unwrap()])
            .unwrap()
    );
    let error = cache.fill(lease, "old").await.unwrap_err();
    assert_eq!(error.kind(), Kind::Gone);
    assert_eq!(servers[0].raw("get a\r\n"), "VALUE a 0 0");
}

#[tokio::test]
async fn a_large_value_fills_in_pieces_by_choice_and_else_is_refused_here() {
    let server = Server::start();
    let value: Vec<u8> = (0..3_000_000u32).map(|i| (i / 251) as u8).collect();
    for split in [true, false] {
        let cache = patient()
            .servers([&server.name])
            .split(split)
            .build()
            .unwrap();
        let key = if split { "pieces" } else { "whole" };
        let Leased::Miss(lease) = cache.get_lease(key).await.unwrap() else {
            panic!("it is asked to fill");
        };
        // With the highest bit the pieces are told from other values.
        let marked = cache.fill(lease.clone(), "x").flags(1 << 31).await;
        let filled = cache.fill(lease, value.clone()).flags(3).await;
        if split {
            assert_eq!(marked.unwrap_err().kind(), Kind::Config);
            assert_eq!(filled.unwrap(), Stored::Stored);
            let read = cache.get(key).await.unwrap().unwrap();
            assert_eq!((read.data == value, read.flags), (true, 3));
        } else {
            assert_eq!(marked.unwrap(), Stored::Stored);
            let error = filled.unwrap_err();
            assert_eq!(error.kind(), Kind::TooLarge);
            assert!(error.to_string().contains("of 3000000 bytes"), "{error}");
        }
    }
}
