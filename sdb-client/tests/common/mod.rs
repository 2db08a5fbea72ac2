//! A client over the emulator.

#![allow(
    clippy::unwrap_used,
    reason = "this is test code outside of a test function"
)]

use emulator::Emulator;
use sdb_client::{Credentials, SdbBuilder, SdbClient};

pub(crate) async fn emulator() -> Emulator {
    Emulator::start().await.unwrap()
}

pub(crate) fn builder(service: &Emulator) -> SdbBuilder {
    SdbClient::builder()
        .endpoint(service.url())
        .credentials(Credentials::new(service.access_key(), service.secret_key()))
}
