//! What the examples share: servers to talk to, and tables.
//!
//! The examples themselves are beside this folder: `small_objects` is the large one, `cached_reads` shows
//! the cache while one of its servers dies, `chat_cloud` is a chat server with people in it, `observed` prints spans and
//! metrics, `any_store` asks a store of S3 what it takes, `keys` is a store of buckets and keys beside Redis, `s3_basics` and
//! `sdb_basics` are the programs of the README, `sdb`, `sdb_dump`, `sdb_restore` and `sdb_batcher` are tools for SimpleDB,
//! `ec2_nodes` and `ec2_panes` for EC2, `boot_server` has nodes follow
//! releases.

pub mod child;
pub mod dump;
pub mod ec2;
pub mod environment;
mod failure;
pub mod lines;
pub mod memcached;
pub mod place;
pub mod prices;
pub mod state;
pub mod table;

use std::error::Error;
use std::time::SystemTime;

use aws_core::credentials::{Chain, Environment, Profile, ProvideCredentials};
use aws_core::{Credentials, Endpoint};
use emulator::Emulator;

pub use failure::{Failure, exit, printed, say, shown};

/// Reads the address of a server for the command line, which refuses what is none.
///
/// # Errors
/// When it is none: why.
pub fn endpoint(url: &str) -> aws_core::Result<String> {
    Endpoint::parse(url).map(|_| url.to_owned())
}

/// A server and the keys to it.
#[derive(Debug)]
pub struct Server {
    /// Its address, as `http://host:port`.
    pub url: String,
    /// Whose requests it takes.
    pub keys: Credentials,
    /// Serves until this value is dropped.
    emulator: Option<Emulator>,
}

impl Server {
    /// The server at this address, with the keys of the environment or of a profile; without one, an emulator on a
    /// thread of its own.
    ///
    /// # Errors
    /// When there is an address but no keys, or the emulator cannot be started.
    pub async fn open(url: Option<String>) -> Result<Self, Box<dyn Error>> {
        let Some(url) = url else {
            let emulator = Emulator::start_blocking()?;
            return Ok(Self {
                url: emulator.url(),
                keys: Credentials::new(emulator.access_key(), emulator.secret_key()),
                emulator: Some(emulator),
            });
        };
        // The sources further down the standard chain are asked over the network: they are not waited for.
        let keys = Chain::new().or(Environment::new()).or(Profile::new());
        let provided = keys.provide(SystemTime::now()).await?;
        Ok(Self {
            url,
            keys: provided.credentials,
            emulator: None,
        })
    }

    /// Whether it is an emulator that was started for this value, and is empty.
    pub fn is_new(&self) -> bool {
        self.emulator.is_some()
    }
}

/// Has the programs of the README compiled.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
