//! Items read through a cache, on a real memcached.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use emulator::{Emulator, Fault, Rule, SdbModes};
use sdb_client::cache_layer::Cache;
use sdb_client::request::{CacheMode, RetryConfig};
use sdb_client::{Credentials, Domain, Expected, SdbClient};

use crate::memcached::Server;

struct Cached {
    cache: Cache,
    client: SdbClient,
    domain: Domain,
    sent: Arc<AtomicUsize>,
}

impl Cached {
    fn new(emulator: &Emulator, server: &Server) -> Self {
        let sent = Arc::new(AtomicUsize::new(0));
        let count = sent.clone();
        let cache = server.cache().build().unwrap();
        let keys = Credentials::new(emulator.access_key(), emulator.secret_key());
        let client = SdbClient::builder()
            .endpoint(emulator.url())
            .credentials(keys)
            .cache(cache.clone())
            .on_attempt(move |_| {
                count.fetch_add(1, SeqCst);
            })
            .build()
            .unwrap();
        Self {
            cache,
            domain: client.domain("users"),
            client,
            sent,
        }
    }

    fn sent(&self) -> usize {
        self.sent.swap(0, SeqCst)
    }

    /// The values of an attribute of an item, sorted.
    async fn values(&self, item: &str, attribute: &str) -> Vec<String> {
        let fetched = self.domain.get(item).await.unwrap();
        let all = fetched.item.attributes.into_iter();
        let mut values: Vec<_> = all
            .filter(|a| a.name == attribute)
            .map(|a| a.value)
            .collect();
        values.sort();
        values
    }
}

async fn start() -> (Emulator, Server, Cached, Cached) {
    let emulator = Emulator::start().await.unwrap();
    let server = Server::start();
    let (a, b) = (
        Cached::new(&emulator, &server),
        Cached::new(&emulator, &server),
    );
    a.domain.create().await.unwrap();
    (emulator, server, a, b)
}

#[tokio::test]
async fn items_are_answered_without_a_request_and_cost_nothing() {
    let (emulator, _server, a, b) = start().await;
    let put = a
        .domain
        .put("u1")
        .add("name", "Ann \u{1}")
        .add("tag", "x")
        .add("tag", "y");
    put.await.unwrap();
    assert_eq!(a.values("u1", "tag").await, ["x", "y"]);
    a.sent();
    let cost = b.client.usage().box_usage;
    let kept = b.domain.get("u1").await.unwrap();
    assert_eq!(b.sent(), 0);
    assert_eq!((kept.item.name.as_str(), kept.usage.box_usage), ("u1", 0.0));
    assert_eq!(b.client.usage().box_usage, cost);
    // Some attributes of what is kept whole.
    let some = b
        .domain
        .get("u1")
        .attributes(["name", "none"])
        .await
        .unwrap();
    assert_eq!(b.sent(), 0);
    assert_eq!(some.item.attributes.len(), 1);
    assert_eq!(some.item.attributes[0].value, "Ann \u{1}");
    let saved = b.cache.stats().saved;
    assert_eq!(
        (saved[0].operation, saved[0].requests),
        ("GetAttributes", 2)
    );
    assert!(saved[0].cost > 0.0);
    // Some attributes of what is not kept: asked for, and not kept.
    a.domain
        .put("u2")
        .add("a", "1")
        .add("b", "2")
        .await
        .unwrap();
    a.sent();
    a.domain.get("u2").attributes(["a"]).await.unwrap();
    a.domain.get("u2").attributes(["a"]).await.unwrap();
    assert_eq!(a.sent(), 2);
    // Who asks for a consistent read asks SimpleDB.
    b.domain.get("u1").consistent(true).await.unwrap();
    b.domain.get("u1").cache(CacheMode::Past).await.unwrap();
    assert_eq!(b.sent(), 2);
    emulator.shutdown().await;
}

#[tokio::test]
async fn every_way_to_write_is_seen_at_once() {
    let (emulator, _server, a, b) = start().await;
    let seen = async |wanted: &[&str]| {
        assert_eq!(a.values("u", "v").await, wanted);
        assert_eq!(b.values("u", "v").await, wanted);
    };
    seen(&[]).await;
    a.sent();
    seen(&[]).await;
    assert_eq!(a.sent(), 0, "that there is none is known too");
    a.domain.put("u").replace("v", "1").await.unwrap();
    seen(&["1"]).await;
    let put = a.domain.put("u").replace("v", "2");
    put.expect(Expected::equals("v", "1")).await.unwrap();
    seen(&["2"]).await;
    // One that its condition refused changes nothing, and is not believed to.
    let put = a.domain.put("u").replace("v", "3");
    assert!(put.expect(Expected::equals("v", "1")).await.is_err());
    seen(&["2"]).await;
    let items = ["u", "w"].map(|item| sdb_client::PutItem::new(item).replace("v", "4"));
    a.domain
        .batch_put()
        .items(items)
        .await
        .unwrap()
        .into_result()
        .unwrap();
    seen(&["4"]).await;
    a.domain.delete("u").await.unwrap();
    seen(&[]).await;
    a.domain.put("u").add("v", "5").await.unwrap();
    seen(&["5"]).await;
    let items = ["u", "w"].map(sdb_client::DeleteItem::new);
    a.domain
        .batch_delete()
        .items(items)
        .await
        .unwrap()
        .into_result()
        .unwrap();
    seen(&[]).await;
    // A domain that is made anew has none of the old items, for the one who made it.
    a.domain.put("u").add("v", "6").await.unwrap();
    seen(&["6"]).await;
    a.domain.delete_domain().await.unwrap();
    a.domain.create().await.unwrap();
    assert!(a.values("u", "v").await.is_empty());
    emulator.shutdown().await;
}

#[tokio::test]
async fn what_fills_it_is_read_consistently() {
    let (emulator, _server, a, _b) = start().await;
    emulator.set_sdb_modes(
        SdbModes::default()
            .seed(1)
            .stale(std::time::Duration::from_secs(3600)),
    );
    for i in 0..30 {
        let value = format!("{i}");
        a.domain.put("u").replace("v", &*value).await.unwrap();
        assert_eq!(a.values("u", "v").await, [value.as_str()]);
    }
    emulator.shutdown().await;
}

#[tokio::test]
async fn without_memcached_all_goes_on() {
    let (emulator, mut server, a, _b) = start().await;
    a.domain.put("u").replace("v", "1").await.unwrap();
    assert_eq!(a.values("u", "v").await, ["1"]);
    server.kill();
    assert_eq!(a.values("u", "v").await, ["1"]);
    a.domain.put("u").replace("v", "2").await.unwrap();
    assert_eq!(a.values("u", "v").await, ["2"]);
    a.domain.delete("u").await.unwrap();
    assert!(a.values("u", "v").await.is_empty());
    assert!(a.cache.stats().errors > 0);
    emulator.shutdown().await;
}

#[tokio::test]
async fn what_cannot_be_read_is_not_kept() {
    let (emulator, _server, a, b) = start().await;
    a.domain.put("u").replace("v", "1").await.unwrap();
    let page = "HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\n<html>";
    let page = Rule::new(Fault::garbage(page)).operation("GetAttributes");
    emulator.faults().add(page.times(1));
    let get = a.domain.get("u").retry(RetryConfig::none()).await;
    get.unwrap_err();
    assert_eq!(a.cache.stats().fills, 0);
    assert_eq!(a.values("u", "v").await, ["1"]);
    a.sent();
    assert_eq!(b.values("u", "v").await, ["1"]);
    assert_eq!((b.sent(), b.cache.stats().hits), (0, 1));
    emulator.shutdown().await;
}
