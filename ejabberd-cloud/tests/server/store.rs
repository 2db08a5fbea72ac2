//! What is in the stores.

use emulator::Emulator;
use s3_client::{Credentials, S3Client};
use sdb_client::SdbClient;

/// The keys of all objects, and the names and contents of all items.
pub(crate) fn names(emulator: &Emulator) -> Vec<String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let keys = Credentials::new(emulator.access_key(), emulator.secret_key());
        let s3 = S3Client::builder()
            .endpoint(emulator.url())
            .credentials(keys.clone())
            .build()
            .expect("a client");
        let sdb = SdbClient::builder()
            .endpoint(emulator.url())
            .credentials(keys)
            .build()
            .expect("a client");
        let mut names = Vec::new();
        let mut objects = s3.bucket("chat").list().objects();
        while let Some(object) = objects.try_next().await.expect("a list") {
            names.push(object.key);
        }
        let mut domains = sdb.list_domains().names();
        while let Some(domain) = domains.try_next().await.expect("a list") {
            let mut items = sdb
                .select(format!("select * from `{domain}`"))
                .consistent(true)
                .items();
            while let Some(item) = items.try_next().await.expect("a selection") {
                let values: Vec<String> = item
                    .attributes
                    .iter()
                    .map(|attribute| format!("{}={}", attribute.name, attribute.value))
                    .collect();
                names.push(
                    format!("{domain} {} {}", item.name, values.join(" "))
                        .replace(['\t', '\n'], " "),
                );
            }
        }
        names
    })
}

/// The object under this key, as one line.
pub(crate) fn object(emulator: &Emulator, key: &str) -> String {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let keys = Credentials::new(emulator.access_key(), emulator.secret_key());
        let s3 = S3Client::builder()
            .endpoint(emulator.url())
            .credentials(keys)
            .build()
            .expect("a client");
        let object = s3.bucket("chat").get(key).await.expect("an object");
        let bytes = object.body.bytes(1 << 20).await.expect("its bytes");
        String::from_utf8_lossy(&bytes).replace('\n', " ")
    })
}
