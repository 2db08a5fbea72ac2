//! The stores that every test runs on.

use std::sync::atomic::{AtomicU64, Ordering};

use cache_layer::Cache;
use emulator::Emulator;
use keys::Keys;
use s3_client::{Bucket, Credentials, S3Client, Signature};
use sdb_client::{Domain, SdbClient};

use crate::memcached::Server;

/// What a store is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    S3,
    Sdb,
    S3Cached,
    SdbCached,
}

pub(crate) const ALL: [Kind; 4] = [Kind::S3, Kind::Sdb, Kind::S3Cached, Kind::SdbCached];

/// A store of its own, in a bucket that [`end`](Self::end) removes from a server that stays.
pub(crate) struct Fixture {
    pub(crate) keys: Keys,
    pub(crate) cache: Option<Cache>,
    pub(crate) bucket: Option<Bucket>,
    pub(crate) domain: Option<Domain>,
    real: bool,
    /// None when the store is a real one.
    pub(crate) emulator: Option<Emulator>,
    pub(crate) memcached: Option<Server>,
}

impl Fixture {
    pub(crate) async fn start(kind: Kind) -> Self {
        let memcached = matches!(kind, Kind::S3Cached | Kind::SdbCached).then(Server::start);
        let cache = memcached.as_ref();
        let cache = cache.map(|server| server.cache().build().unwrap());
        let real = std::env::var("S3_TEST_ENDPOINT").ok();
        let real = real.filter(|_| matches!(kind, Kind::S3 | Kind::S3Cached));
        let is_real = real.is_some();
        let (emulator, url, credentials) = match real {
            Some(url) => {
                let variable = |name| std::env::var(name).unwrap();
                let id = variable("S3_TEST_ACCESS_KEY");
                let credentials = Credentials::new(id, variable("S3_TEST_SECRET_KEY"));
                (None, url, credentials)
            }
            None => {
                let emulator = Emulator::start_blocking().unwrap();
                let credentials = Credentials::new(emulator.access_key(), emulator.secret_key());
                let url = emulator.url();
                (Some(emulator), url, credentials)
            }
        };
        static SERIAL: AtomicU64 = AtomicU64::new(0);
        let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
        let place = format!("keys-{}-{serial}", std::process::id());
        let (keys, bucket, domain) = match kind {
            Kind::S3 | Kind::S3Cached => {
                let mut builder = S3Client::builder().endpoint(url).credentials(credentials);
                if let Ok(region) = std::env::var("S3_TEST_REGION") {
                    builder = builder.signature(Signature::v4(region));
                }
                if let Some(cache) = &cache {
                    builder = builder.cache(cache.clone());
                }
                let bucket = builder.build().unwrap().bucket(place);
                bucket.create().await.unwrap();
                (Keys::s3(bucket.clone(), "one"), Some(bucket), None)
            }
            Kind::Sdb | Kind::SdbCached => {
                let mut builder = SdbClient::builder().endpoint(url).credentials(credentials);
                if let Some(cache) = &cache {
                    builder = builder.cache(cache.clone());
                }
                let domain = builder.build().unwrap().domain(place);
                domain.create().await.unwrap();
                let keys = Keys::sdb(domain.clone(), "one").consistent(cache.is_none());
                (keys, None, Some(domain))
            }
        };
        Self {
            keys,
            cache,
            bucket,
            domain,
            real: is_real,
            emulator,
            memcached,
        }
    }

    /// Whether a value can be replaced by its tag: Ceph RGW up to 16.2 refuses a quoted entity tag.
    pub(crate) fn replaces(&self) -> bool {
        !self.real
    }

    /// The same values as a process without the cache has them; nothing at a server that stays.
    pub(crate) fn elsewhere(&self) -> Option<Keys> {
        let emulator = self.emulator.as_ref()?;
        let (url, id, secret) = (emulator.url(), emulator.access_key(), emulator.secret_key());
        let credentials = Credentials::new(id, secret);
        Some(match (&self.bucket, &self.domain) {
            (Some(bucket), _) => {
                let s3 = S3Client::builder().endpoint(url).credentials(credentials);
                Keys::s3(s3.build().unwrap().bucket(bucket.name()), "one")
            }
            (None, domain) => {
                let sdb = SdbClient::builder().endpoint(url).credentials(credentials);
                let sdb = sdb.build().unwrap();
                Keys::sdb(sdb.domain(domain.as_ref()?.name()), "one")
            }
        })
    }

    pub(crate) async fn end(self) {
        if let Some(bucket) = self.bucket.filter(|_| self.real) {
            bucket.purge().await.unwrap();
            bucket.delete_bucket().await.unwrap();
        }
    }
}
