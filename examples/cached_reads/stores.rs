//! The two services as one: a thing has a number, and half of the numbers are items.

use std::sync::Arc;

use cache_layer::Cache;
use examples::child::Emulator;
use s3_client::{Bucket, Credentials, HttpPool, S3Client};
use sdb_client::{Domain, SdbClient};

use crate::Failure;

/// The name of the bucket and of the domain: the emulator has nothing else.
const NAME: &str = "cached-reads";

/// Which thing: its key, and whether it is an item.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Which {
    pub key: usize,
    pub item: bool,
}

/// A bucket and a domain, through a cache or not.
#[derive(Clone)]
pub(crate) struct Stores {
    bucket: Bucket,
    domain: Domain,
}

impl Stores {
    pub(crate) fn new(
        emulator: &Emulator,
        pool: &HttpPool,
        cache: Option<&Cache>,
    ) -> Result<Self, Failure> {
        let keys = || Credentials::new(&*emulator.access_key, &*emulator.secret_key.0);
        let mut s3 = S3Client::builder()
            .endpoint(&*emulator.url)
            .credentials(keys())
            .pool(pool.clone());
        let mut sdb = SdbClient::builder()
            .endpoint(&*emulator.url)
            .credentials(keys())
            .pool(pool.clone());
        if let Some(cache) = cache {
            s3 = s3.cache(cache.clone());
            sdb = sdb.cache(cache.clone());
        }
        Ok(Self {
            bucket: s3.build()?.bucket(NAME),
            domain: sdb.build()?.domain(NAME),
        })
    }

    pub(crate) async fn create(&self) -> Result<(), Failure> {
        self.bucket.create().await?;
        self.domain.create().await?;
        Ok(())
    }

    pub(crate) async fn put(&self, which: Which, content: Vec<u8>) -> Result<(), Arc<str>> {
        let name = name(which);
        let done = match which.item {
            false => self.bucket.put(name, content).await.map(drop),
            true => {
                let text = String::from_utf8(content).map_err(|error| error.to_string())?;
                let put = self.domain.put(name).replace("content", text);
                put.await.map(drop)
            }
        };
        done.map_err(|error| error.to_string().into())
    }

    /// The content; nothing in place of an item of another form.
    pub(crate) async fn get(&self, which: Which) -> Result<Vec<u8>, Arc<str>> {
        let name = name(which);
        let got = match which.item {
            false => match self.bucket.get(name).await {
                Ok(object) => object.body.bytes(1 << 20).await.map(|bytes| bytes.to_vec()),
                Err(error) => Err(error),
            },
            true => self.domain.get(name).await.map(|fetched| {
                let mut all = fetched.item.attributes.into_iter();
                match (all.next(), all.next()) {
                    (Some(only), None) if only.name == "content" => only.value.into_bytes(),
                    _ => Vec::new(),
                }
            }),
        };
        got.map_err(|error| error.to_string().into())
    }
}

fn name(which: Which) -> String {
    format!("thing/{:07}", which.key)
}
