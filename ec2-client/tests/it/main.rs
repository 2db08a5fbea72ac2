//! The client over the emulator, which checks every signature by itself, and over a cloud of the tests' own, in virtual
//! time.

#![allow(
    clippy::unwrap_used,
    reason = "this is test code outside of a test function"
)]

mod answers;
mod cloud;
mod instances;
mod lifetime;
mod memcached;
mod metadata;
mod pauses;
mod peers;
mod refusals;
mod signing;
