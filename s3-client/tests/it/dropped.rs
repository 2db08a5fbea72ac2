//! What a dropped request leaves behind, as docs/cancellation.md says.

#![allow(
    clippy::unwrap_used,
    reason = "this is test code outside of a test function"
)]

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use emulator::{Emulator, Fault, Gate, Rule};
use futures_util::{StreamExt as _, stream};
use s3_client::request::RetryConfig;
use s3_client::{Bucket, Credentials, HttpPool, S3Client, Source};

/// An emulator, a gate at which requests of one operation wait, and a bucket over one connection.
struct Held {
    emulator: Emulator,
    gate: Gate,
    pool: HttpPool,
    bucket: Bucket,
}

impl Held {
    async fn start(operation: &str) -> Self {
        let emulator = Emulator::start_blocking().unwrap();
        let pool = HttpPool::builder()
            .max_connections(1)
            .max_pipeline(1)
            .build();
        let keys = Credentials::new(emulator.access_key(), emulator.secret_key());
        let builder = S3Client::builder()
            .endpoint(emulator.url())
            .credentials(keys);
        let bucket = builder.pool(pool.clone()).build().unwrap().bucket("photos");
        bucket.create().await.unwrap();
        bucket.put("there", "meow").await.unwrap();
        let gate = Gate::new();
        let hold = Rule::new(Fault::hold(&gate)).operation(operation).times(1);
        emulator.faults().add(hold);
        Self {
            emulator,
            gate,
            pool,
            bucket,
        }
    }

    /// Begins this, waits until it has come to the gate, drops it, and opens the gate.
    async fn drop_at_gate<T: Send + 'static>(
        &self,
        request: impl Future<Output = T> + Send + 'static,
    ) {
        let running = tokio::spawn(request);
        self.gate.arrived(1).await;
        running.abort();
        assert!(running.await.is_err_and(|error| error.is_cancelled()));
        self.gate.open();
    }

    /// Another client, which does not wait for the connection of the first.
    fn other(&self) -> Bucket {
        let keys = Credentials::new(self.emulator.access_key(), self.emulator.secret_key());
        let builder = S3Client::builder()
            .endpoint(self.emulator.url())
            .credentials(keys);
        builder.build().unwrap().bucket("photos")
    }
}

#[tokio::test]
async fn a_get_leaves_its_connection_to_others() {
    let held = Held::start("GetObject").await;
    held.drop_at_gate(held.bucket.get("there").send()).await;
    let got = held.bucket.get("there").await.unwrap();
    assert_eq!(got.body.bytes(9).await.unwrap(), "meow");
    assert_eq!(held.pool.stats().opened(), 1);
}

#[tokio::test]
async fn what_was_never_polled_is_never_sent() {
    let held = Held::start("none").await;
    let before = held.emulator.stats().requests;
    drop(held.bucket.put("new", "meow").send());
    drop(held.bucket.delete("there").send());
    drop(held.bucket.upload("new", "meow").send());
    assert!(held.bucket.head("new").await.unwrap_err().is_not_found());
    held.bucket.head("there").await.unwrap();
    assert_eq!(held.emulator.stats().requests, before + 2);
}

#[tokio::test]
async fn what_waits_for_a_connection_is_never_sent() {
    let held = Held::start("GetObject").await;
    let first = tokio::spawn(held.bucket.get("there").send());
    held.gate.arrived(1).await;
    let waiting = tokio::spawn(held.bucket.put("new", "meow").send());
    while held.pool.stats().origins[0].waiting == 0 {
        tokio::task::yield_now().await;
    }
    waiting.abort();
    assert!(waiting.await.unwrap_err().is_cancelled());
    assert_eq!(held.pool.stats().origins[0].waiting, 0);
    held.gate.open();
    first.await.unwrap().unwrap();
    // The only connection has served what came before and what came behind it.
    assert!(held.bucket.head("new").await.unwrap_err().is_not_found());
    // The bucket, the object that is there, the get and this question.
    assert_eq!(held.pool.stats().replies(), 4);
}

#[tokio::test]
async fn a_put_under_way_may_still_be_done_whole() {
    let held = Held::start("PutObject").await;
    let body = Bytes::from(vec![b'x'; 10_000]);
    held.drop_at_gate(held.bucket.put("new", body.clone()).send())
        .await;
    let other = held.other();
    let found = loop {
        match other.get("new").await {
            Ok(found) => break found,
            Err(error) => assert!(error.is_not_found(), "{error}"),
        }
    };
    assert_eq!(found.body.bytes(20_000).await.unwrap(), body);
}

#[tokio::test]
async fn a_put_within_its_body_stores_nothing() {
    let held = Held::start("none").await;
    let (told, mut begun) = tokio::sync::mpsc::unbounded_channel();
    let first = stream::once(async move {
        told.send(()).unwrap();
        Ok::<_, std::io::Error>(Bytes::from(vec![b'x'; 1000]))
    });
    let endless = first.chain(stream::pending());
    let put = held.bucket.put("new", Source::stream(10_000, endless));
    let running = tokio::spawn(put.send());
    begun.recv().await.unwrap();
    running.abort();
    assert!(running.await.unwrap_err().is_cancelled());
    // The connection closes, and the next request opens another one.
    assert!(held.bucket.head("new").await.unwrap_err().is_not_found());
    assert_eq!(held.pool.stats().opened(), 2);
}

#[tokio::test]
async fn a_delete_under_way_may_still_be_done() {
    let held = Held::start("DeleteObject").await;
    held.drop_at_gate(held.bucket.delete("there").send()).await;
    let other = held.other();
    while other.head("there").await.is_ok() {}
    assert!(other.head("there").await.unwrap_err().is_not_found());
}

#[tokio::test]
async fn no_attempt_follows_the_drop() {
    let held = Held::start("none").await;
    let slow = Rule::new(Fault::slow_down()).operation("PutObject");
    let slow = held.emulator.faults().add(slow);
    let hour = Duration::from_secs(3600);
    // The pause is an hour, and the time allowed is longer.
    let patient = RetryConfig::new().backoff(hour, hour).random(|| 0.99);
    let put = held.bucket.put("new", "meow");
    let put = put.retry(patient).timeout(10 * hour);
    let running = tokio::spawn(put.send());
    while slow.count() == 0 {
        tokio::task::yield_now().await;
    }
    running.abort();
    assert!(running.await.unwrap_err().is_cancelled());
    assert!(held.bucket.head("new").await.unwrap_err().is_not_found());
    assert_eq!(slow.count(), 1);
}

#[test]
fn the_page_names_tests_that_are_there() {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let page = std::fs::read_to_string(workspace.join("docs/cancellation.md")).unwrap();
    let rows: Vec<_> = page
        .lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| dropped "))
        .collect();
    assert!(rows.len() > 10, "{rows:?}");
    for row in rows {
        let test = row.rsplit('`').nth(1).unwrap();
        let (file, name) = test.split_once("::").unwrap();
        let source = std::fs::read_to_string(workspace.join(file)).unwrap();
        assert!(source.contains(&format!("fn {name}(")), "{test} is missing");
    }
}
