//! What it takes to find the server of a key: the best of many rounds, in tenths of a nanosecond.
//!
//! `cargo bench -p cache-layer --bench lookup [part of a name]`

#![allow(clippy::unwrap_used, reason = "a benchmark may fail")]

use std::hint::black_box;
use std::io::Write;
use std::time::{Duration, Instant};

use cache_layer::{Mode, Ring, Server};
use md5::{Digest, Md5};

fn main() {
    let keys: Vec<String> = (0..1000)
        .map(|i| format!("user:{:08x}:profile", i * 2_654_435_761_u64 % 0xffff_ffff))
        .collect();
    show("MD5 of a key, by the crate md-5", &keys, |key| {
        usize::from(Md5::digest(key)[0])
    });
    for servers in [1, 10, 100, 1000] {
        let list: Vec<Server> = (0..servers)
            .map(|i| Server::new(&format!("10.0.{}.{}", i / 250, i % 250), 11211, 1).unwrap())
            .collect();
        for mode in Mode::ALL {
            let ring = Ring::new(mode, &list).unwrap();
            let name = format!("{mode}, {servers} servers");
            show(&name, &keys, |key| ring.server(key));
        }
    }
}

/// The best round is the one that the machine disturbed least.
fn show(name: &str, keys: &[String], find: impl Fn(&[u8]) -> usize) {
    const ROUNDS: u32 = 500;
    let wanted = std::env::args().skip(1).find(|arg| !arg.starts_with('-'));
    if wanted.is_some_and(|part| !name.contains(&part)) {
        return;
    }
    let round = || {
        let start = Instant::now();
        for key in keys {
            black_box(find(black_box(key.as_bytes())));
        }
        start.elapsed()
    };
    let best = (0..ROUNDS).map(|_| round()).min().unwrap_or(Duration::MAX);
    let tenths = 10 * best.as_nanos() / keys.len() as u128;
    let mut out = std::io::stdout();
    writeln!(out, "{name}: {}.{} ns", tenths / 10, tenths % 10).unwrap();
}
