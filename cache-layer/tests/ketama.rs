//! Rings against what libmemcached and libketama themselves choose, and the properties
//! every consistent hash must have.

use std::fmt::Write;

use cache_layer::{Mode, Ring, Server, parse_list};
use md5::{Digest, Md5};
use serde_json::Value;

fn equal(count: usize) -> Vec<Server> {
    (0..count)
        .map(|i| {
            Server::new(&format!("10.1.{}.{}", i / 250, i % 250), 11211, 1).expect("an address")
        })
        .collect()
}

fn keys() -> impl Iterator<Item = Vec<u8>> {
    (0..20_000).map(|i| format!("bucket/object-{i}").into_bytes())
}

fn points_of(ring: &Ring, server: usize) -> usize {
    ring.points().filter(|p| p.server == server).count()
}

#[test]
fn agrees_with_libmemcached() {
    let vectors: Value =
        serde_json::from_str(include_str!("vectors/libmemcached_ketama.json")).unwrap();
    let keys = vectors["keys"].as_array().unwrap();
    let mut checked = 0;
    for case in vectors["cases"].as_array().unwrap() {
        let Ok(mode) = case["mode"].as_str().unwrap().parse::<Mode>() else {
            continue;
        };
        let servers: Vec<Server> = case["servers"]
            .as_array()
            .unwrap()
            .iter()
            .map(|s| {
                Server::new(
                    s["host"].as_str().unwrap(),
                    s["port"].as_u64().unwrap().try_into().unwrap(),
                    s["weight"].as_u64().unwrap().try_into().unwrap(),
                )
                .unwrap()
            })
            .collect();
        let ring = Ring::new(mode, &servers).unwrap();
        let index = case["index"].as_array().unwrap();
        assert_eq!(index.len(), keys.len());
        for (key, want) in keys.iter().zip(index) {
            let key = key.as_str().unwrap();
            let got = ring.server(key.as_bytes()) as u64;
            assert_eq!(got, want.as_u64().unwrap(), "{} {mode} {key}", case["case"]);
            checked += 1;
        }
    }
    assert_eq!(checked, 2 * 6 * 100, "both modes, every list, every key");
}

#[test]
fn agrees_with_libketama_on_a_million_keys() {
    let servers = parse_list(
        "#------ Server -------\t-Mem-#\n\
         #255.255.255.255:65535\t66666#\n\
         10.0.1.1:11211\t600\n\
         10.0.1.2:11211\t300\n\
         10.0.1.3:11211\t200\n\
         10.0.1.4:11211\t350\n\
         10.0.1.5:11211\t1000\n\
         10.0.1.6:11211\t800\n\
         10.0.1.7:11211\t950\n\
         10.0.1.8:11211\t100\n",
    )
    .unwrap();
    let ring = Ring::new(Mode::Libketama, &servers).unwrap();
    assert_eq!(ring.points().len(), 1264);

    // libketama's own test prints an empty error line, then a line for each key.
    let mut digest = Md5::new_with_prefix("\n");
    let (mut key, mut line) = (String::new(), String::new());
    for i in 0..1_000_000 {
        key.clear();
        line.clear();
        write!(key, "{i}").unwrap();
        let (hash, point) = (ring.hash(key.as_bytes()), ring.point(key.as_bytes()));
        writeln!(line, "{hash} {} {}", point.hash, servers[point.server]).unwrap();
        digest.update(&line);
    }
    let hex = digest.finalize().iter().fold(String::new(), |mut hex, b| {
        write!(hex, "{b:02x}").unwrap();
        hex
    });
    assert_eq!(hex, "5672b131391f5aa2b280936aec1eea74");
}

// The counts come from the expressions of libmemcached 1.1.4 and libketama, compiled for
// x86-64.
#[test]
fn equal_shares_round_as_in_each_original() {
    for (count, weighted, libketama) in [
        (1, 160, 160),
        (24, 160, 160),
        (25, 156, 160),
        (61, 156, 156),
        (100, 156, 160),
        (122, 156, 156),
        (237, 156, 156),
        (397, 156, 160),
    ] {
        let servers = equal(count);
        for (mode, want) in [
            (Mode::KetamaWeighted, weighted),
            (Mode::Libketama, libketama),
            (Mode::KetamaSpy, 100),
        ] {
            let ring = Ring::new(mode, &servers).unwrap();
            for server in 0..count {
                assert_eq!(points_of(&ring, server), want, "{mode} {server}/{count}");
            }
        }
    }
}

#[test]
fn the_text_hashed_for_a_server_differs_by_mode() {
    // Every server text with its index gives four points; one is enough to tell.
    let first = |text: &str| {
        let digest: [u8; 16] = Md5::digest(text).into();
        u32::from_le_bytes([digest[0], digest[1], digest[2], digest[3]])
    };
    for (mode, server, text) in [
        (Mode::KetamaWeighted, "a:11211", "a-0"),
        (Mode::KetamaWeighted, "a:11212", "a:11212-0"),
        (Mode::KetamaWeighted, "[::1]:11211", "[::1]-0"),
        (Mode::KetamaWeighted, "[::1]:11212", "[::1]:11212-0"),
        (Mode::Libketama, "a:11211", "a:11211-0"),
        (Mode::Libketama, "[::1]:11211", "[::1]:11211-0"),
        (Mode::KetamaSpy, "a:11211 2", "/a:11211-0"),
        (Mode::KetamaSpy, "[::1]:11211 2", "/[::1]:11211-0"),
    ] {
        let ring = Ring::new(mode, &[server.parse().unwrap()]).unwrap();
        let want = first(text);
        assert!(ring.points().any(|p| p.hash == want), "{mode} {server}");
        assert!(
            Mode::ALL.into_iter().any(|other| {
                let ring = Ring::new(other, &[server.parse().unwrap()]).unwrap();
                ring.points().all(|p| p.hash != want)
            }),
            "{mode} {server}"
        );
    }
}

#[test]
fn adding_a_server_moves_its_share_and_only_to_it() {
    for mode in Mode::ALL {
        for count in [1, 2, 5, 10, 20] {
            let (old, new) = (equal(count), equal(count + 1));
            let (old, new) = (
                Ring::new(mode, &old).unwrap(),
                Ring::new(mode, &new).unwrap(),
            );
            let mut moved = 0;
            for key in keys() {
                let (from, to) = (old.server(&key), new.server(&key));
                if from != to {
                    assert_eq!(to, count, "{mode} moved a key between old servers");
                    moved += 1;
                }
            }
            let share = f64::from(moved) / 20_000.0 * (count + 1) as f64;
            assert!((0.7..1.3).contains(&share), "{mode} {count}: {share}");
        }
    }
}

#[test]
fn weights_share_out_keys() {
    let weights = [1u32, 2, 3, 4, 10];
    let total = f64::from(weights.iter().sum::<u32>());
    let servers: Vec<Server> = (1..)
        .zip(weights)
        .map(|(i, w)| Server::new(&format!("10.2.0.{i}"), 11211, w).unwrap())
        .collect();
    for mode in Mode::ALL {
        let ring = Ring::new(mode, &servers).unwrap();
        let mut counts = [0u32; 5];
        for key in keys() {
            counts[ring.server(&key)] += 1;
        }
        for (server, (count, weight)) in counts.into_iter().zip(weights).enumerate() {
            assert_eq!(points_of(&ring, server), weight as usize * 40, "{mode}");
            let share = f64::from(count) / 20_000.0 / (f64::from(weight) / total);
            assert!((0.65..1.35).contains(&share), "{mode} {server}: {share}");
        }
    }
}

#[test]
fn the_order_of_the_list_does_not_matter() {
    let servers = equal(10);
    let turned: Vec<Server> = servers.iter().rev().cloned().collect();
    for mode in Mode::ALL {
        let (a, b) = (
            Ring::new(mode, &servers).unwrap(),
            Ring::new(mode, &turned).unwrap(),
        );
        for key in keys() {
            assert_eq!(servers[a.server(&key)], turned[b.server(&key)], "{mode}");
        }
    }
}

#[test]
fn successors_are_every_server_once_in_failover_order() {
    let servers = equal(8);
    for mode in Mode::ALL {
        let ring = Ring::new(mode, &servers).unwrap();
        for key in keys().take(100) {
            let order: Vec<usize> = ring.successors(&key).collect();
            assert_eq!(ring.successors(&key).len(), 8);
            assert_eq!(order[0], ring.server(&key));
            let mut sorted = order.clone();
            sorted.sort_unstable();
            assert_eq!(sorted, (0..8).collect::<Vec<_>>());

            let mut rest = servers.clone();
            let mut left = order.iter();
            while let (Some(&failed), Some(&next)) = (left.next(), left.clone().next()) {
                rest.retain(|s| *s != servers[failed]);
                let without = Ring::new(mode, &rest).unwrap();
                assert_eq!(rest[without.server(&key)], servers[next], "{mode}");
            }
        }
    }
}

#[test]
fn a_server_too_light_for_a_point_gets_no_key() {
    let servers: Vec<Server> = ["a:11211 1", "b:11211 100000", "c:11211 100000"]
        .iter()
        .map(|text| text.parse().unwrap())
        .collect();
    for mode in Mode::ALL {
        let ring = Ring::new(mode, &servers).unwrap();
        assert_eq!(points_of(&ring, 0), 0);
        for key in keys().take(1000) {
            let mut successors = ring.successors(&key);
            assert_eq!(successors.len(), 2);
            assert!(successors.all(|server| server != 0));
        }
    }
}

#[test]
fn extreme_weights_and_long_keys_are_fine() {
    let servers: Vec<Server> = (0..50)
        .map(|i| Server::new(&format!("h{i}"), 1, u32::MAX - i).unwrap())
        .collect();
    for mode in Mode::ALL {
        let ring = Ring::new(mode, &servers).unwrap();
        assert!(ring.points().len() >= 50 * 156);
        for length in [0, 1, 55, 56, 63, 64, 65, 119, 120, 250, 10_000] {
            let key = vec![0xff; length];
            assert_eq!(ring.point(&key).server, ring.server(&key));
            assert!(ring.server(&key) < 50);
        }
    }
}
