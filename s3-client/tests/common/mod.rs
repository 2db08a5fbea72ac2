//! A client over the emulator.

#![allow(
    clippy::unwrap_used,
    reason = "this is test code outside of a test function"
)]

use emulator::Emulator;
use s3_client::{Credentials, S3Builder, S3Client};

pub(crate) async fn emulator() -> Emulator {
    Emulator::start().await.unwrap()
}

pub(crate) fn builder(store: &Emulator) -> S3Builder {
    S3Client::builder()
        .endpoint(store.url())
        .credentials(Credentials::new(store.access_key(), store.secret_key()))
}
