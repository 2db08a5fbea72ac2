//! A world for tests: the emulator, the stores of some nodes in it, and what they did.

#![allow(dead_code, reason = "not every test needs all of it")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use cloud_stores::{BareJid, Reads, Stores, StoresBuilder};
use emulator::{Emulator, Fault, Faults, Hits, Rule, SdbModes, Seen};
use s3_client::request::RetryConfig;
use s3_client::{Bucket, Credentials, S3Client};
use sdb_client::SdbClient;

use crate::memcached::Server;

/// The name of the only bucket.
pub(crate) const BUCKET: &str = "chat";

/// An emulator with stores in it.
pub(crate) struct World {
    pub(crate) emulator: Emulator,
    /// The stores of the first node.
    pub(crate) stores: Stores,
    memcached: Option<Server>,
    log: Arc<Mutex<Vec<Seen>>>,
}

/// Somebody at example.com.
pub(crate) fn jid(local: &str) -> BareJid {
    BareJid::new(local, "example.com").unwrap()
}

impl World {
    /// Stores that read consistently.
    pub(crate) async fn start() -> Self {
        Self::with(None, |builder| builder).await
    }

    /// Stores that read through a memcached of their own.
    pub(crate) async fn cached() -> Self {
        Self::with(Some(Server::start()), |builder| {
            builder.reads(Reads::Cached)
        })
        .await
    }

    /// Stores with these settings.
    pub(crate) async fn with(
        memcached: Option<Server>,
        set: impl FnOnce(StoresBuilder) -> StoresBuilder,
    ) -> Self {
        let emulator = Emulator::start_blocking().unwrap();
        let (bucket, sdb) = clients(&emulator, memcached.as_ref());
        bucket.create().await.unwrap();
        let builder = set(Stores::builder(bucket, sdb).prefix("it"));
        let world = Self {
            stores: builder.open().await.unwrap(),
            emulator,
            memcached,
            log: Arc::default(),
        };
        world.calm();
        world
    }

    /// The stores of another node, which has no cache; `set` refines what it opens.
    pub(crate) async fn another(&self, set: impl FnOnce(StoresBuilder) -> StoresBuilder) -> Stores {
        set(self.builder()).open().await.unwrap()
    }

    /// What another node without a cache opens its stores by.
    pub(crate) fn builder(&self) -> StoresBuilder {
        let (bucket, sdb) = self.clients();
        Stores::builder(bucket, sdb).prefix("it")
    }

    /// The bucket and SimpleDB, for a look past the stores.
    pub(crate) fn clients(&self) -> (Bucket, SdbClient) {
        clients(&self.emulator, None)
    }

    pub(crate) fn faults(&self) -> Faults {
        self.emulator.faults()
    }

    /// Takes away all faults; what is asked for goes on being noted.
    pub(crate) fn calm(&self) {
        let faults = self.faults();
        faults.clear();
        let log = Arc::clone(&self.log);
        faults.add(Rule::new(Fault::none()).when(move |seen| {
            log.lock().unwrap().push(seen.clone());
            false
        }));
    }

    /// The answer of the next request of this operation is lost after it was done.
    pub(crate) fn lose(&self, operation: &str) -> Hits {
        let rule = Rule::new(Fault::reset_after()).operation(operation);
        self.faults().add(rule.times(1))
    }

    /// The next request of this operation is lost before it is done.
    pub(crate) fn swallow(&self, operation: &str) -> Hits {
        let rule = Rule::new(Fault::reset_before()).operation(operation);
        self.faults().add(rule.times(1))
    }

    /// Every request is refused, by both services.
    pub(crate) fn outage(&self) -> Hits {
        self.faults()
            .add(Rule::new(Fault::error(403, "AccessDenied")))
    }

    /// Reads of SimpleDB that do not ask for consistency see nothing of what is written from now on.
    pub(crate) fn stale(&self) {
        let modes = SdbModes::default().seed(7).stale(Duration::from_secs(3600));
        self.emulator.set_sdb_modes(modes);
    }

    /// Which operations this took, in order, with what it came to.
    pub(crate) async fn requests<T>(&self, work: impl Future<Output = T>) -> (T, Vec<String>) {
        self.log.lock().unwrap().clear();
        let done = work.await;
        let log = self.log.lock().unwrap();
        (
            done,
            log.iter().map(|seen| seen.operation.clone()).collect(),
        )
    }

    /// Everything that is stored, but for the layout and the generations of hosts: keys of objects, and `DOMAIN: ITEM`.
    pub(crate) async fn left(&self) -> Vec<String> {
        let (bucket, sdb) = self.clients();
        let mut all = Vec::new();
        let mut objects = bucket.list().objects();
        while let Some(object) = objects.try_next().await.unwrap() {
            all.push(object.key);
        }
        for domain in self.stores.layout().domains() {
            let query = sdb_client::query::Query::names(&*domain).limit(2500);
            let mut items = sdb.select(query).consistent(true).items();
            while let Some(item) = items.try_next().await.unwrap() {
                all.push(format!("{domain}: {}", item.name));
            }
        }
        all.retain(|name| *name != self.stores.layout().object() && !name.contains(": v|"));
        all
    }
}

fn clients(emulator: &Emulator, memcached: Option<&Server>) -> (Bucket, SdbClient) {
    let keys = Credentials::new(emulator.access_key(), emulator.secret_key());
    // The emulator is near: there is nothing to wait for.
    let retry = RetryConfig::new().backoff(Duration::from_millis(1), Duration::from_millis(8));
    let mut s3 = S3Client::builder()
        .retry(retry.clone())
        .endpoint(emulator.url())
        .credentials(keys.clone());
    let mut sdb = SdbClient::builder()
        .retry(retry)
        .endpoint(emulator.url())
        .credentials(keys);
    if let Some(server) = memcached {
        s3 = s3.cache(server.cache().build().unwrap());
        sdb = sdb.cache(server.cache().build().unwrap());
    }
    (s3.build().unwrap().bucket(BUCKET), sdb.build().unwrap())
}
