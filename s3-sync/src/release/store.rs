//! The objects of an application, as far as every verb asks for them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use s3_client::{Bucket, Kind as StoreKind, S3Client};
use sdb_client::Domain;

use super::layout::{Channel, Layout};
use super::manifest::{Bounds, Manifest};
use crate::digest::Digest;
use crate::error::{Error, Kind, Result};
use crate::url::Url;

/// The first pause before a write is sent again whose answer was lost; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// An application: its bucket, and where in it its objects lie.
#[derive(Clone, Debug)]
pub struct App {
    pub(crate) bucket: Bucket,
    pub(crate) layout: Layout,
    /// Where nodes tell what they run; nothing for the bucket.
    pub(crate) reports: Option<Domain>,
    url: Url,
}

/// What became of a create-only put.
#[derive(Debug)]
pub(crate) enum Created {
    /// It was stored.
    Done,
    /// There is an object of this key, which may be the one that was put.
    Taken,
    /// It is not known.
    Lost(Error),
}

impl App {
    /// The application whose objects lie below this prefix.
    pub fn new(client: &S3Client, url: &Url) -> Self {
        Self {
            bucket: client.bucket(url.bucket()),
            layout: Layout::new(url),
            reports: None,
            url: url.clone(),
        }
    }

    /// Where it is.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Reads an object of at most so many bytes, if there is one.
    pub(crate) async fn read(&self, key: &str, limit: usize) -> Result<Option<Bytes>> {
        let object = match self.bucket.get(key).send().await {
            Ok(object) => object,
            Err(error) if is_missing(&error) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        if let Some(size) = object.head.size().filter(|size| *size > limit as u64) {
            let what = format!("it has {size} bytes, and {limit} are allowed");
            return Err(Error::new(Kind::Content, key, what));
        }
        Ok(Some(object.body.bytes(limit).await?))
    }

    /// Stores a small document, whatever was there.
    pub(crate) async fn put(&self, key: &str, json: impl Into<Bytes>) -> Result<()> {
        let put = self.bucket.put(key, json.into());
        put.content_type("application/json").send().await?;
        Ok(())
    }

    /// Stores a document if there is none of this key.
    pub(crate) async fn create(&self, key: &str, json: impl Into<Bytes>) -> Result<Created> {
        let put = self.bucket.put(key, json.into());
        let put = put.content_type("application/json").if_none_match_any();
        created(put.send().await.map(drop))
    }

    /// The keys below a prefix, after one of them, in their order.
    pub(crate) async fn keys(&self, prefix: String, after: Option<String>) -> Result<Vec<String>> {
        let mut list = self.bucket.list().prefix(prefix);
        if let Some(after) = after {
            list = list.start_after(after);
        }
        let mut objects = list.objects();
        let mut keys = Vec::new();
        while let Some(object) = objects.try_next().await? {
            keys.push(object.key);
        }
        Ok(keys)
    }

    /// The channels whose pointers are in the bucket, and that of all nodes in any case.
    pub(crate) async fn channels(&self) -> Result<Vec<Channel>> {
        let main = Channel::main();
        let keys = self.keys(self.layout.current(&main), None).await?;
        let mut channels: Vec<Channel> = keys
            .iter()
            .filter_map(|key| self.layout.channel_of(key))
            .collect();
        if !channels.contains(&main) {
            channels.push(main);
        }
        Ok(channels)
    }

    /// The manifest of a release, and its digest, if there is one.
    pub(crate) async fn manifest(
        &self,
        number: u64,
        bounds: &Bounds,
    ) -> Result<Option<(Manifest, Digest, Bytes)>> {
        let key = self.layout.release(number);
        let Some(bytes) = self.read(&key, bounds.manifest_bytes()).await? else {
            return Ok(None);
        };
        let (manifest, digest) = Manifest::decode(&key, number, &bytes)?;
        Ok(Some((manifest, digest, bytes)))
    }
}

/// What a create-only put came to.
pub(crate) fn created(put: s3_client::Result<()>) -> Result<Created> {
    match put {
        Ok(()) => Ok(Created::Done),
        Err(error) if error.is_condition_failed() => Ok(Created::Taken),
        Err(error) if is_uncertain(&error) => Ok(Created::Lost(error.into())),
        Err(error) => Err(error.into()),
    }
}

/// Whether the write that this is the failure of may have been done, or may be done when it is sent again.
pub(crate) fn is_uncertain(error: &s3_client::Error) -> bool {
    match error.kind() {
        // A conflict with another write of the same object that is under way: it may be asked again.
        StoreKind::Service => error
            .status()
            .is_none_or(|status| status >= 500 || status == 409),
        StoreKind::Timeout | StoreKind::Closed | StoreKind::Protocol | StoreKind::Connect => true,
        StoreKind::Busy => true,
        _ => false,
    }
}

/// Whether there is no object of the key. That there is no bucket is an error.
pub(crate) fn is_missing(error: &s3_client::Error) -> bool {
    error.is_not_found() && error.code() != Some("NoSuchBucket")
}

/// The pause before the next of several tries, the first of which has the number 0.
pub(crate) fn pause(tries: u32) -> Duration {
    FIRST_PAUSE * 2_u32.pow(tries.min(6))
}

/// A random name that nobody else draws.
pub(crate) fn random_id() -> String {
    format!("{:032x}", fastrand::u128(..))
}

/// The time in seconds since 1970.
pub(crate) fn unix_now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map(|time| time.as_secs())
        .unwrap_or_default()
}
