//! The stores on the emulator: with faults, lost answers, stale reads, and through a cache.

#![allow(
    clippy::unwrap_used,
    reason = "this is test code outside of a test function"
)]

mod auth;
mod kit;
mod last;
#[allow(dead_code, reason = "others use more of it")]
#[path = "../../../s3-client/tests/it/memcached.rs"]
mod memcached;
mod offline;
mod opening;
mod privacy;
mod private;
mod pubsub;
mod remove;
mod roster;
mod roster_model;
mod vcard;
