//! The store that tests talk to.
//!
//! That is an emulator of their own, or the server of `S3_TEST_ENDPOINT` with the keys `S3_TEST_ACCESS_KEY` and
//! `S3_TEST_SECRET_KEY`. With `S3_TEST_REGION` requests are signed by Version 4. With `S3_TEST_VIRTUAL_HOST`, the name
//! under which a server knows itself, buckets stand in front of that name; where the name leads is not asked, all are
//! at the server's address. A test makes its buckets by [`Store::bucket`] and meets nobody else in them. What a
//! real server cannot do is said once, in [`Store::lacks`]; a test of it then asserts what that server answers
//! instead.

#![allow(
    clippy::unwrap_used,
    reason = "this is test code outside of a test function"
)]

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock};
use std::time::{SystemTime, UNIX_EPOCH};

use emulator::Emulator;
use pipeline_pool::{Resolve, Resolving};
use s3_client::request::RetryConfig;
use s3_client::settings::SubResources;
use s3_client::{Addressing, Bucket, Credentials, HttpPool, S3Builder, S3Client, Signature};

/// What not every store can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Feature {
    /// Ownership of objects, acceleration, and more that only Amazon has.
    AmazonsConfigs,
    /// A key marker alone leaves out all versions of its key.
    KeyMarkerOfAllVersions,
    /// A 304 tells the entity tag.
    EtagOfUnchanged,
    /// `If-Match` of a put takes the entity tag in its quotes.
    QuotedIfMatchOfPut,
    /// A copy tells its version and that of its source.
    VersionsOfCopies,
    /// The removal of a delete marker that is the null version tells that it was one.
    NullMarkers,
    /// A copy can be given tags of its own.
    TagsOfCopies,
    /// Requests are refused that expect a bucket to be of another account.
    ExpectedOwners,
    /// Copies keep to conditions, on their source or on what they replace.
    ConditionsOfCopies,
    /// Deletes keep to conditions.
    ConditionsOfDeletes,
    /// Encrypted objects can be copied.
    CopiesOfEncrypted,
    /// Checksums other than MD5 are compared and kept.
    Checksums,
    /// A retention can be ended before its time by an empty one.
    EndsOfRetention,
    /// Copies can be locked when they are made.
    LocksOfCopies,
    /// Uploads in parts can be locked when they are begun.
    LocksOfUploads,
    /// A part with a customer's key is refused to an upload that was begun without one.
    KeysOfPlainUploads,
    /// Checksums can follow the body.
    Trailers,
    /// The attributes of an object can be asked for.
    Attributes,
    /// Storage classes of Amazon's names.
    StorageClasses,
    /// Encryption with keys that the store keeps.
    StoreEncryption,
    /// One part of an object can be read by its number.
    ReadsOfParts,
    /// Regions of Amazon's names.
    Regions,
    /// A public access block that was not stored is not there.
    UnsetPublicAccessBlock,
    /// Buckets that are websites.
    Websites,
    /// An upload in parts that is gone is `NoSuchUpload` to every request.
    GoneUploads,
    /// An upload can be completed without some of its parts.
    PartsLeftOut,
    /// The listing of uploads in parts tells what it has rolled up at a delimiter.
    PrefixesOfUploads,
    /// A copy into a part keeps to its conditions.
    ConditionsOfPartCopies,
    /// The listing of uploads in parts behind a key alone has none of that key.
    UploadsBehindKeys,
    /// The completion of an upload in parts keeps to its conditions.
    ConditionsOfCompletions,
    /// Buckets belong to tenants, whose names stand in front of theirs.
    Tenants,
}

/// The servers that are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Server {
    Emulator,
    /// Ceph's RADOS Gateway, 16.2.
    Rgw,
    Other,
}

/// A store, and the buckets that a test has made in it.
pub(crate) struct Store {
    emulator: Option<Emulator>,
    /// Where it is, `http://host:port`.
    address: String,
    access_key: String,
    secret_key: String,
    server: Server,
    /// The name that buckets stand in front of, where requests go to such hosts.
    domain: Option<String>,
    made: Mutex<Vec<String>>,
}

impl Store {
    /// The server that the environment names, else an emulator.
    pub(crate) async fn start() -> Self {
        let Ok(address) = std::env::var("S3_TEST_ENDPOINT") else {
            return Self::emulator().await;
        };
        let mut store = Self {
            emulator: None,
            address,
            access_key: std::env::var("S3_TEST_ACCESS_KEY").unwrap(),
            secret_key: std::env::var("S3_TEST_SECRET_KEY").unwrap(),
            server: Server::Other,
            domain: virtual_host(),
            made: Mutex::default(),
        };
        store.server = store.recognise().await;
        store
    }

    /// An emulator, whatever the environment says: for tests of what only it can be made to do.
    pub(crate) async fn emulator() -> Self {
        Self::emulator_at(virtual_host()).await
    }

    /// The server that the environment names if it names its domain too, else an emulator; buckets stand in front of
    /// the host in any case.
    pub(crate) async fn by_host() -> Self {
        match virtual_host() {
            Some(_) => Self::start().await,
            None => Self::emulator_at(Some("store.test".to_owned())).await,
        }
    }

    async fn emulator_at(domain: Option<String>) -> Self {
        let builder = match &domain {
            Some(name) => Emulator::builder().domain(name),
            None => Emulator::builder(),
        };
        let emulator = builder.start().await.unwrap();
        Self {
            address: emulator.url(),
            access_key: emulator.access_key().to_owned(),
            secret_key: emulator.secret_key().to_owned(),
            server: Server::Emulator,
            domain,
            made: Mutex::default(),
            emulator: Some(emulator),
        }
    }

    /// RGW tells itself by its request ids.
    async fn recognise(&self) -> Server {
        static SERVER: OnceLock<Server> = OnceLock::new();
        if let Some(server) = SERVER.get() {
            return *server;
        }
        let error = self.client().bucket("no-such-bucket-of-anyone").get("k");
        let error = error.await.unwrap_err();
        let server = match error.request_id() {
            Some(id) if id.starts_with("tx0") => Server::Rgw,
            _ => Server::Other,
        };
        *SERVER.get_or_init(|| server)
    }

    /// The table of what servers lack.
    pub(crate) fn lacks(&self, feature: Feature) -> bool {
        match self.server {
            Server::Emulator | Server::Other => feature == Feature::Tenants,
            Server::Rgw => matches!(
                feature,
                Feature::EtagOfUnchanged
                    | Feature::QuotedIfMatchOfPut
                    | Feature::AmazonsConfigs
                    | Feature::KeyMarkerOfAllVersions
                    | Feature::VersionsOfCopies
                    | Feature::NullMarkers
                    | Feature::TagsOfCopies
                    | Feature::ExpectedOwners
                    | Feature::ConditionsOfCopies
                    | Feature::ConditionsOfDeletes
                    | Feature::CopiesOfEncrypted
                    | Feature::Checksums
                    | Feature::Trailers
                    | Feature::EndsOfRetention
                    | Feature::KeysOfPlainUploads
                    | Feature::LocksOfCopies
                    | Feature::LocksOfUploads
                    | Feature::Attributes
                    | Feature::StorageClasses
                    | Feature::StoreEncryption
                    | Feature::ReadsOfParts
                    | Feature::Regions
                    | Feature::UnsetPublicAccessBlock
                    | Feature::Websites
                    | Feature::GoneUploads
                    | Feature::PartsLeftOut
                    | Feature::PrefixesOfUploads
                    | Feature::ConditionsOfPartCopies
                    | Feature::UploadsBehindKeys
                    | Feature::ConditionsOfCompletions
            ),
        }
    }

    /// The address that clients are told.
    pub(crate) fn endpoint(&self) -> String {
        match &self.domain {
            Some(name) => format!("http://{name}:{}", self.address.rsplit_once(':').unwrap().1),
            None => self.address.clone(),
        }
    }

    /// A pool whose connections go to this store, whatever name it is called by.
    pub(crate) fn pool(&self) -> HttpPool {
        let address = self.address.strip_prefix("http://").unwrap().to_owned();
        match self.domain {
            Some(_) => HttpPool::builder().resolver(Always(address)).build(),
            None => HttpPool::builder().build(),
        }
    }

    /// What the emulator does wrong on purpose.
    pub(crate) fn faults(&self) -> emulator::Faults {
        self.emulator.as_ref().unwrap().faults()
    }

    /// How many requests the emulator has had.
    pub(crate) fn requests(&self) -> u64 {
        self.emulator.as_ref().unwrap().stats().requests
    }

    /// The account that the emulator's buckets belong to.
    pub(crate) fn account(&self) -> Option<&'static str> {
        self.emulator.as_ref().map(Emulator::account)
    }

    pub(crate) fn access_key(&self) -> &str {
        &self.access_key
    }

    pub(crate) fn secret_key(&self) -> &str {
        &self.secret_key
    }

    /// A builder of clients of this store.
    pub(crate) fn builder(&self) -> S3Builder {
        let builder = S3Client::builder()
            .endpoint(self.endpoint())
            .credentials(Credentials::new(&*self.access_key, &*self.secret_key))
            .pool(self.pool());
        let builder = match self.domain {
            Some(_) => builder.addressing(Addressing::VirtualHost),
            None => builder,
        };
        let builder = match self.server {
            Server::Rgw => {
                builder.sub_resources(SubResources::of(s3_client::settings::Server::Rgw))
            }
            Server::Emulator | Server::Other => builder,
        };
        match std::env::var("S3_TEST_REGION") {
            Ok(region) => builder.signature(Signature::v4(region)),
            Err(_) => builder,
        }
    }

    /// A client of this store.
    pub(crate) fn client(&self) -> S3Client {
        self.builder().build().unwrap()
    }

    /// The name of a bucket that nobody has; it is removed with what is in it when the store is dropped.
    pub(crate) fn name(&self) -> String {
        static SERIAL: AtomicU64 = AtomicU64::new(0);
        let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let name = format!("it-{:x}-{serial}", since.as_micros());
        self.made.lock().unwrap().push(name.clone());
        name
    }

    /// A new, empty bucket.
    pub(crate) async fn bucket(&self) -> Bucket {
        self.bucket_of(&self.client()).await
    }

    /// A new, empty bucket, through this client.
    pub(crate) async fn bucket_of(&self, client: &S3Client) -> Bucket {
        let bucket = client.bucket(self.name());
        bucket.create().await.unwrap();
        bucket
    }
}

/// The name that all requests are to have buckets in front of, if they are.
fn virtual_host() -> Option<String> {
    std::env::var("S3_TEST_VIRTUAL_HOST").ok()
}

/// Where `host:port` of a link is to be found.
pub(crate) fn address_of(authority: &str) -> String {
    let Some(name) = virtual_host() else {
        return authority.to_owned();
    };
    let (host, port) = authority.rsplit_once(':').unwrap();
    assert!(host.ends_with(&name), "{host} is not of {name}");
    let real = std::env::var("S3_TEST_ENDPOINT");
    real.map_or(format!("127.0.0.1:{port}"), |url| {
        url["http://".len()..].to_owned()
    })
}

/// All names are of one host and port.
struct Always(String);

impl Resolve for Always {
    fn resolve(&self, _: &str, _: u16) -> Resolving {
        let found = tokio::net::lookup_host(self.0.clone());
        Box::pin(async { Ok(found.await?.collect()) })
    }
}

/// On a real server the buckets are removed as well as they can be; one that a test has removed is gone already.
impl Drop for Store {
    fn drop(&mut self) {
        let made = std::mem::take(&mut *self.made.lock().unwrap());
        if self.emulator.is_some() || made.is_empty() {
            return;
        }
        let builder = self.builder().retry(RetryConfig::none());
        let sweep = async move {
            let client = builder.build().unwrap();
            for name in made {
                sweep(&client.bucket(name)).await;
            }
        };
        // The runtime of the test may be one that cannot be blocked on.
        let thread = std::thread::spawn(move || {
            let mut runtime = tokio::runtime::Builder::new_current_thread();
            runtime.enable_all().build().unwrap().block_on(sweep);
        });
        thread.join().unwrap();
    }
}

/// Versions and uploads go too.
async fn sweep(bucket: &Bucket) {
    let _refused = bucket.purge().await;
    let _refused = bucket.delete_bucket().await;
}
