//! The EC2 half: over raw connections with requests signed by these tests, and with clients that others wrote.

// Helpers here are tests too.
#![allow(clippy::unwrap_used)]

#[path = "../sdb/bench.rs"]
#[allow(dead_code, reason = "some of it is for SimpleDB")]
mod bench;
mod clients;
mod filters;
mod metadata;
mod protocol;
#[path = "../support/clients.rs"]
mod python;
#[path = "../support/wire.rs"]
mod wire;
