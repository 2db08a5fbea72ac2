//! The stores on the emulator: with faults, lost answers, stale reads, and through a cache.

#![allow(
    clippy::unwrap_used,
    reason = "this is test code outside of a test function"
)]

mod auth;
mod caps;
mod kit;
mod last;
#[allow(dead_code, reason = "others use more of it")]
#[path = "../../../s3-client/tests/it/memcached.rs"]
mod memcached;
mod muc;
mod muc_log;
mod nodes;
mod offline;
mod opening;
mod portions;
mod privacy;
mod private;
mod pubsub;
mod remove;
mod roster;
mod roster_faults;
mod roster_model;
mod shared_roster;
mod vcard;
