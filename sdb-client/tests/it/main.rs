//! The client over the emulator, which checks every signature by itself, and over scripted transports.

#![allow(
    clippy::unwrap_used,
    reason = "this is test code outside of a test function"
)]

mod batcher;
mod batches;
#[cfg(feature = "cache")]
mod cached;
mod common;
mod environment;
#[cfg(feature = "export")]
mod exports;
mod failures;
mod items;
#[cfg(feature = "cache")]
#[path = "../../../s3-client/tests/it/memcached.rs"]
mod memcached;
mod robust;
mod selects;
mod updates;
