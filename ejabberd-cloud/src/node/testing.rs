//! Stores on an emulator of their own, for the tests of the two ways in which nodes find each other.

use cloud_stores::{Stores, StoresBuilder};
use emulator::Emulator;
use s3_client::{Credentials, S3Client};
use sdb_client::SdbClient;

/// An emulator, and stores in it that are still to be opened.
pub(super) async fn stores() -> (Emulator, StoresBuilder) {
    let emulator = Emulator::start_blocking().expect("an emulator");
    let keys = Credentials::new(emulator.access_key(), emulator.secret_key());
    let s3 = S3Client::builder()
        .endpoint(emulator.url())
        .credentials(keys.clone())
        .build();
    let sdb = SdbClient::builder()
        .endpoint(emulator.url())
        .credentials(keys)
        .build();
    let bucket = s3.expect("a client").bucket("chat");
    bucket.create().await.expect("a bucket");
    let stores = Stores::builder(bucket, sdb.expect("a client")).shards(1);
    (emulator, stores)
}
