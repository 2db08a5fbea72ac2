//! The servers of a run, and the clients that speak to them over one pool.

use std::time::SystemTime;

use aws_core::Credentials;
use aws_core::credentials::{Environment, ProvideCredentials};
use cache_layer::Cache;
use examples::child::Emulator;
use pipeline_pool::HttpPool;
use s3_client::S3Client;
use sdb_client::SdbClient;

use crate::Failure;
use crate::args::Args;
use crate::transport::Counted;

/// The clients, and what they share.
pub(crate) struct Servers {
    pub s3: S3Client,
    pub sdb: Option<SdbClient>,
    pub transport: Counted,
    /// Kept for as long as it has to serve.
    _emulator: Option<Emulator>,
}

impl Servers {
    /// Starts the emulator if it has anything to serve, and builds the clients; nothing is sent.
    pub(crate) async fn open(args: &Args, cache: Option<&Cache>) -> Result<Self, Failure> {
        let given = match args.endpoint.is_some() || args.sdb_endpoint.is_some() {
            true => Some(keys_of_environment().await?),
            false => None,
        };
        let needed = args.endpoint.is_none() || (args.sdb_endpoint.is_none() && !args.no_sdb);
        let emulator = if needed {
            let started = Emulator::start(&[]);
            Some(started.map_err(|error| Failure(format!("the emulator: {error}")))?)
        } else {
            None
        };
        let place = |endpoint: &Option<String>| match (endpoint, &given, &emulator) {
            (Some(url), Some(keys), _) => (url.clone(), keys.clone()),
            (_, _, Some(emulator)) => {
                let keys = Credentials::new(&*emulator.access_key, &*emulator.secret_key.0);
                (emulator.url.clone(), keys)
            }
            _ => unreachable!("without an endpoint there is an emulator"),
        };
        let mut pool = HttpPool::builder().max_connections(args.connections.into());
        if let Some(depth) = args.depth {
            pool = pool.max_pipeline(depth.into());
        }
        let transport = Counted::new(pool.build());
        let (url, keys) = place(&args.endpoint);
        let mut s3 = S3Client::builder()
            .endpoint(&*url)
            .credentials(keys)
            .transport(transport.clone());
        if let Some(cache) = cache {
            s3 = s3.cache(cache.clone());
        }
        let s3 = s3
            .build()
            .map_err(|error| Failure(format!("--endpoint {url}: {error}")))?;
        let sdb = if args.no_sdb {
            None
        } else {
            let (url, keys) = place(&args.sdb_endpoint);
            let mut sdb = SdbClient::builder()
                .endpoint(&*url)
                .credentials(keys)
                .transport(transport.clone());
            if let Some(cache) = cache {
                sdb = sdb.cache(cache.clone());
            }
            let sdb = sdb
                .build()
                .map_err(|error| Failure(format!("--sdb-endpoint {url}: {error}")))?;
            Some(sdb)
        };
        Ok(Self {
            s3,
            sdb,
            transport,
            _emulator: emulator,
        })
    }
}

async fn keys_of_environment() -> Result<Credentials, Failure> {
    let found = Environment::new().provide(SystemTime::now()).await;
    match found {
        Ok(provided) => Ok(provided.credentials),
        Err(error) => Err(Failure(format!("keys for the given server: {error}"))),
    }
}
