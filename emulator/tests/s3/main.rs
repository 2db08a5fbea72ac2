//! The S3 half over raw connections, with requests signed by these tests.

// Helpers here are tests too.
#![allow(clippy::unwrap_used)]

mod accounts;
mod bench;
mod buckets;
mod checksums;
mod cross_origin;
mod disk;
mod encryption;
mod locks;
mod objects;
#[path = "../support/program.rs"]
mod program;
mod server;
mod signatures;
#[path = "../support/v2.rs"]
mod v2;
#[path = "../support/v4.rs"]
mod v4;
mod version_four;
#[path = "../support/wire.rs"]
mod wire;
