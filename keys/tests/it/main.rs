//! One store of buckets and keys after another: S3, SimpleDB, and both through a cache.
//!
//! S3 is the emulator's, or that of `S3_TEST_ENDPOINT` with the keys `S3_TEST_ACCESS_KEY` and `S3_TEST_SECRET_KEY`,
//! signed by Version 4 if there is `S3_TEST_REGION`.

#![allow(
    clippy::unwrap_used,
    reason = "this is test code outside of a test function"
)]

mod faults;
mod foreign;
mod meanwhile;
#[path = "../../../s3-client/tests/it/memcached.rs"]
mod memcached;
mod model;
mod names;
mod scripted;
mod standard;
mod stores;
