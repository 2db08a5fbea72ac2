//! Makes the clients and opens the stores, as the settings say.

use std::sync::Arc;
use std::time::Duration;

use aws_core::ProvideCredentials;
use aws_core::credentials::{Cached, Chain};
use cache_layer::{Cache, Memcached};
use cloud_stores::{Kind, Reads, Stores, StoresBuilder};
use s3_client::{Bucket, HttpPool, S3Client, Signature};
use sdb_client::SdbClient;
use tokio::sync::watch;
use tokio::time::sleep;

use crate::log;
use crate::ops::Opened;
use crate::settings::{SignatureVersion, StoreSettings};

/// The pause after the first failure to open the stores; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Why the settings cannot be used, as text for a person.
pub(crate) type Wrong = Box<dyn std::error::Error + Send + Sync>;

/// Stores that are set up, and have not been asked anything.
#[derive(Debug)]
pub(crate) struct Settled {
    bucket: Bucket,
    create_bucket: bool,
    stores: StoresBuilder,
}

/// Sets the stores up.
///
/// # Errors
///
/// An endpoint, a region or a server of the cache that cannot be read.
pub(crate) fn settle(settings: &StoreSettings) -> Result<Settled, Wrong> {
    let credentials = Arc::new(Cached::new(Chain::standard()));
    clients(settings, credentials)
}

fn clients<P: ProvideCredentials + 'static>(
    settings: &StoreSettings,
    credentials: Arc<P>,
) -> Result<Settled, Wrong> {
    let region = &settings.region;
    let pool = HttpPool::builder()
        .max_connections(settings.max_connections.into())
        .build();
    let url = settings
        .s3_endpoint
        .clone()
        .unwrap_or_else(|| format!("https://s3.{region}.amazonaws.com"));
    let mut s3 = S3Client::builder()
        .endpoint(&url)
        .credentials(Arc::clone(&credentials))
        .pool(pool.clone())
        .timeout(settings.deadline());
    s3 = match settings.signature {
        SignatureVersion::Auto => s3,
        SignatureVersion::V2 => s3.signature(Signature::V2),
        SignatureVersion::V4 => s3.signature(Signature::v4(region)),
    };
    let url = settings
        .sdb_endpoint
        .clone()
        .unwrap_or_else(|| simpledb(region));
    let mut sdb = SdbClient::builder()
        .endpoint(&url)
        .credentials(credentials)
        .pool(pool)
        .timeout(settings.deadline());
    let mut reads = Reads::Consistent;
    if !settings.cache_servers.is_empty() {
        let memcached = Memcached::builder()
            .servers(&settings.cache_servers)
            .build()?;
        let ttl = Duration::from_secs(settings.cache_ttl);
        // Most people have no privacy lists and no vCard: that there is none is asked for the most. What comes to be is told to
        // the cache as what changes is, so it is believed for as long.
        let cache = Cache::builder(memcached, ttl).absent_ttl(ttl).build()?;
        s3 = s3.cache(cache.clone());
        sdb = sdb.cache(cache);
        reads = Reads::Cached;
    }
    let bucket = s3.build()?.bucket(settings.bucket.as_str());
    let mut stores = Stores::builder(bucket.clone(), sdb.build()?)
        .prefix(&settings.prefix)
        .reads(reads)
        .deadline(settings.deadline())
        .unquoted_if_match(settings.unquoted_if_match);
    if let Some(shards) = settings.shards {
        stores = stores.shards(shards);
    }
    Ok(Settled {
        bucket,
        create_bucket: settings.create_bucket,
        stores,
    })
}

impl Settled {
    /// Opens the stores.
    ///
    /// # Errors
    ///
    /// As [`StoresBuilder::open`]; and as the bucket cannot be made.
    pub(crate) async fn open(&self) -> Result<Stores, cloud_stores::Error> {
        if self.create_bucket {
            match self.bucket.create().await {
                Err(error) if error.code() == Some("BucketAlreadyOwnedByYou") => {}
                made => made?,
            }
        }
        self.stores.clone().open().await
    }
}

/// Where SimpleDB is in a region: its first one has no name in the address
/// ([endpoints](https://docs.aws.amazon.com/general/latest/gr/simpledb.html)).
fn simpledb(region: &str) -> String {
    match region {
        "us-east-1" => "https://sdb.amazonaws.com".to_owned(),
        other => format!("https://sdb.{other}.amazonaws.com"),
    }
}

/// How far the opening of the stores is.
#[derive(Clone, Debug)]
pub(crate) enum Opening {
    /// The first trial is under way.
    Trying,
    /// The last trial failed, and there will be another.
    Failing,
    /// They are open.
    Open(Arc<Opened>),
}

/// Opens the stores, and tries again until they are open. `public_log` says whether everybody may read the logs of rooms.
///
/// # Errors
///
/// What no further trial can mend: the settings are not those that the service was begun with, or not legal.
pub(crate) async fn open(
    settled: &Settled,
    public_log: bool,
    opening: watch::Sender<Opening>,
) -> Result<Arc<Opened>, cloud_stores::Error> {
    let failing = || {
        opening.send_replace(Opening::Failing);
    };
    let stores = open_stores(settled, failing).await?;
    let opened = Arc::new(Opened::new(stores, public_log));
    opening.send_replace(Opening::Open(Arc::clone(&opened)));
    Ok(opened)
}

/// Opens the stores, and tries again until they are open; tells each failure.
///
/// # Errors
///
/// As [`open`].
pub(crate) async fn open_stores(
    settled: &Settled,
    failing: impl Fn(),
) -> Result<Stores, cloud_stores::Error> {
    let mut pause = FIRST_PAUSE;
    loop {
        match settled.open().await {
            Err(error) if error.kind() != Kind::Invalid => {
                log::line(format_args!(
                    "the stores cannot be opened, which is tried again in {pause:?}: {error}"
                ));
                failing();
            }
            opened => return opened,
        }
        sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}
