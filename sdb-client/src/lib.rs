//! An Amazon SimpleDB client.
//!
//! [`SdbClient`] speaks the [data API of 2009-04-15](https://docs.aws.amazon.com/AmazonSimpleDB/latest/DeveloperGuide/SDB_API.html)
//! over a bounded pool of pipelined connections, which it can share with other clients. [`SdbClient::domain`]
//! gives a [`Domain`]; a verb on it returns a request that owns what it needs; setters refine it, `.await` (or
//! `.send()`, which saves an allocation) sends it. A request is no future itself: give `tokio::spawn`, `join!` and
//! `timeout` its `.send()`. Lists and selections are streams. Requests are signed by
//! Signature Version 2 with HMAC-SHA256, the only one that SimpleDB takes.
//!
//! This page shows what one begins with. The types of requests are in [`request`], those of answers in [`answer`], and
//! what [`SdbBuilder`] is told in [`settings`], [`credentials`] and [`transport`].
//!
//! SimpleDB bills machine time: every output has its [`Usage`], and [`SdbClient::usage`] the sum, also by
//! operation.
//!
//! What there is beside the ten operations:
//!
//! - [`query`] builds select expressions that no value can break out of; an expression can also be given as text.
//! - [`Domain::batch_put`] and [`Domain::batch_delete`] take any number of items, in as many requests as it needs.
//! - A [`Batcher`] joins the single puts of many tasks into such requests.
//! - [`Domain::update`] changes an item that others change too, and knows its own write again when an answer is lost.
//! - [`ordered`] has texts of numbers and dates that sort as they do; [`PutItem::replace_long`] takes values
//!   of more than 1,024 bytes.
//! - With the feature `serde`, the module `typed` makes items of types, and types of items.
//! - With the feature `export`, the module `export` has SimpleDB itself write a domain to S3.
//! - With the feature `cache`, reads of whole items go through memcached, where the builder is given a cache.
//!
//! The API of before 2009 is not here.
//!
//! What may be sent twice, and why, is [one table](idempotency). Limits are checked before anything is sent,
//! and named with the value that breaks them. [`Code`] has the codes of the service's errors.
//!
//! # Example
//!
//! ```
//! use sdb_client::query::attr;
//! use sdb_client::{Credentials, Expected, SdbClient};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let service = emulator::Emulator::start_blocking()?;
//! let sdb = SdbClient::builder()
//!     .endpoint(service.url())
//!     .credentials(Credentials::new(service.access_key(), service.secret_key()))
//!     .build()?;
//! let users = sdb.domain("users");
//! users.create().await?;
//! users.put("u1").replace("name", "Ann").replace("version", "3").await?;
//!
//! // Only if nobody was quicker.
//! users.put("u1").replace("version", "4").expect(Expected::equals("version", "3")).await?;
//! let late = users.put("u1").replace("version", "4").expect(Expected::equals("version", "3")).await;
//! assert!(late.unwrap_err().is_condition_failed());
//!
//! let ann = users.get("u1").consistent(true).await?.item;
//! assert_eq!(ann.first("version"), Some("4"));
//!
//! let query = users.query().filter(attr("name").eq("Ann"));
//! let mut found = sdb.select(query).consistent(true).items();
//! while let Some(item) = found.try_next().await? {
//!     assert_eq!(item.name, "u1");
//! }
//! assert!(sdb.usage().requests >= 5);
//! # Ok(()) }
//! ```

// On docs.rs each item says which feature it needs.
#![cfg_attr(docsrs, feature(doc_cfg))]

#[macro_use]
mod options;

pub mod answer;
mod batch;
mod batcher;
mod change;
mod client;
mod code;
mod domain;
#[cfg(feature = "export")]
pub mod export;
pub mod idempotency;
mod item;
mod limits;
mod long;
mod operation;
mod ops;
pub mod ordered;
pub mod query;
mod quote;
pub mod request;
pub mod settings;
pub mod transport;
#[cfg(feature = "serde")]
pub mod typed;
mod update;
mod usage;
mod version;
mod wire;

pub use aws_core::credentials;
pub use aws_core::event;
#[cfg(feature = "metrics")]
pub use aws_core::metrics;
pub use aws_core::shared_config;
pub use aws_core::{Credentials, Error, Kind, Result};
pub use batcher::Batcher;
#[cfg(feature = "cache")]
pub use cache_layer;
pub use change::{DeleteItem, PutItem};
pub use client::{SdbBuilder, SdbClient};
pub use code::Code;
pub use domain::Domain;
pub use item::{Attribute, Expected, Item};
pub use pipeline_pool::HttpPool;
pub use usage::Usage;
