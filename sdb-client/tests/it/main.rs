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
#[cfg(feature = "export")]
mod exports;
mod failures;
mod items;
#[cfg(feature = "cache")]
mod memcached;
mod robust;
mod selects;
mod updates;
