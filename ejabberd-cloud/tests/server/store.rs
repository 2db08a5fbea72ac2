//! What is in the stores.

use s3_client::Credentials;
use sdb_client::SdbClient;

use crate::cloud::Cloud;

/// The keys of all objects, and the names and contents of all items.
pub(crate) fn names(emulator: &Cloud) -> Vec<String> {
    within(async {
        let keys = Credentials::new(emulator.access_key(), emulator.secret_key());
        let sdb = SdbClient::builder()
            .endpoint(emulator.url())
            .credentials(keys)
            .build()
            .expect("a client");
        let mut names = Vec::new();
        let mut objects = emulator.bucket().list().objects();
        while let Some(object) = objects.try_next().await.expect("a list") {
            names.push(object.key);
        }
        let mut domains = sdb.list_domains().names();
        while let Some(domain) = domains.try_next().await.expect("a list") {
            let items = sdb.select(format!("select * from `{domain}`"));
            let mut items = items.consistent(true).items();
            while let Some(item) = items.try_next().await.expect("a selection") {
                let pairs = item
                    .attributes
                    .iter()
                    .map(|pair| format!("{}={}", pair.name, pair.value));
                let pairs = pairs.collect::<Vec<_>>().join(" ");
                names.push(format!("{domain} {} {pairs}", item.name).replace(['\t', '\n'], " "));
            }
        }
        names
    })
}

/// The object under this key, as one line.
pub(crate) fn object(emulator: &Cloud, key: &str) -> String {
    String::from_utf8_lossy(&bytes(emulator, key)).replace('\n', " ")
}

/// Writes the object under this key anew with one text in the place of another, as somebody else would.
pub(crate) fn replace(emulator: &Cloud, key: &str, from: &str, to: &str) {
    assert_eq!(from.len(), to.len(), "its lengths are told in the object");
    let mut bytes = bytes(emulator, key);
    let at = bytes
        .windows(from.len())
        .position(|part| part == from.as_bytes())
        .expect("the text in the object");
    bytes[at..at + from.len()].copy_from_slice(to.as_bytes());
    within(async { emulator.bucket().put(key, bytes).await.expect("a put") });
}

/// Removes the object under this key, as somebody else would.
pub(crate) fn remove(emulator: &Cloud, key: &str) {
    within(async { emulator.bucket().delete(key).await.expect("a removal") });
}

/// Has the object under one key under another one, too, with all that is said of it.
pub(crate) fn copy(emulator: &Cloud, from: &str, to: &str) {
    within(async { emulator.bucket().copy(from, to).await.expect("a copy") });
}

fn bytes(emulator: &Cloud, key: &str) -> Vec<u8> {
    within(async {
        let object = emulator.bucket().get(key).await.expect("an object");
        object
            .body
            .bytes(1 << 20)
            .await
            .expect("its bytes")
            .to_vec()
    })
}

fn within<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.expect("a runtime").block_on(work)
}
