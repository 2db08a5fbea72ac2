//! An S3 client for very many small objects.
//!
//! [`S3Client`] speaks to any S3-compatible store over one bounded pool of pipelined connections, which it can
//! share with other clients. [`S3Client::bucket`] gives a [`Bucket`]; a verb on it returns a request that owns
//! what it needs; setters refine it, `.await` (or `.send()`, which saves an allocation) sends it. A request is no future
//! itself: give `tokio::spawn`, `join!` and `timeout` its `.send()`. Listings are streams. Requests are signed by the
//! version of signatures that the store takes, which is found out, or as [`Signature`] says; [`Bucket::presign_get`]
//! and its like make links, [`Bucket::post_policy`] forms.
//!
//! This page shows what one begins with. The types of requests are in [`request`], those of answers in [`answer`], the
//! documents about a bucket in [`config`], and what [`S3Builder`] is told in [`settings`], [`credentials`] and
//! [`transport`].
//!
//! Here are buckets and their [configurations](config); objects, put, fetched, copied and deleted, with ranges,
//! conditions, versions, metadata, tags, access control, encryption, [checksums](Checksum) and locks; listings; many objects
//! at once ([`Bucket::get_many`], [`Bucket::put_many`], [`Bucket::delete_many`], [`Bucket::purge`]); uploads in
//! parts ([`Bucket::create_multipart`]) and whole transfers in parts ([`Bucket::upload`], `Bucket::download`), also of
//! files with the feature `fs` (default). With the feature `cache`, reads of whole objects go through memcached, where the
//! builder is given a cache. Not here: S3 Select, access points and directory buckets, analytics, metrics and inventories.
//!
//! What may be sent twice, and why, is [one table](idempotency). Limits are checked before anything is sent,
//! and named with the value that breaks them.
//!
//! # Example
//!
//! ```
//! use s3_client::{Credentials, S3Client};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let store = emulator::Emulator::start_blocking()?;
//! let s3 = S3Client::builder()
//!     .endpoint(store.url())
//!     .credentials(Credentials::new(store.access_key(), store.secret_key()))
//!     .build()?;
//! let photos = s3.bucket("photos");
//! photos.create().await?;
//! photos.put("2009/cat.jpg", "meow").content_type("image/jpeg").metadata("mood", "sleepy").await?;
//!
//! let cat = photos.get("2009/cat.jpg").range(..2).await?;
//! assert_eq!(cat.head.content_type(), Some("image/jpeg"));
//! assert_eq!(cat.head.metadata("mood"), Some("sleepy"));
//! assert_eq!(cat.body.bytes(1 << 20).await?, "me");
//!
//! let mut listing = photos.list().prefix("2009/").objects();
//! while let Some(object) = listing.try_next().await? {
//!     assert_eq!((object.key.as_str(), object.size), ("2009/cat.jpg", 4));
//! }
//! assert!(photos.get("dog.jpg").await.unwrap_err().is_not_found());
//! # Ok(()) }
//! ```
//!
//! # From code that is not async
//!
//! A program without `async` keeps a tokio runtime of its own and waits for requests in it. The runtime has to live as long
//! as the client, since it serves the connections; with one worker thread it does so between two requests, too. Do not
//! call such a function from within another runtime: tokio panics rather than block it.
//!
//! ```
//! use std::sync::LazyLock;
//!
//! use s3_client::{Bucket, Credentials, Result, S3Client};
//! use tokio::runtime::{Builder, Runtime};
//!
//! static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
//!     let mut builder = Builder::new_multi_thread();
//!     builder.worker_threads(1).enable_all().build().expect("a thread can be started")
//! });
//!
//! fn read(bucket: &Bucket, key: &str) -> Result<Vec<u8>> {
//!     RUNTIME.block_on(async {
//!         let object = bucket.get(key).await?;
//!         Ok(object.body.bytes(1 << 20).await?.into())
//!     })
//! }
//!
//! fn main() -> Result<()> {
//! #   let store = emulator::Emulator::start_blocking().expect("an emulator");
//! #   let (url, keys) = (store.url(), Credentials::new(store.access_key(), store.secret_key()));
//!     let s3 = S3Client::builder().endpoint(url).credentials(keys).build()?;
//!     let photos = s3.bucket("photos");
//!     RUNTIME.block_on(photos.create().send())?;
//!     RUNTIME.block_on(photos.put("cat.jpg", "meow").send())?;
//!     assert_eq!(read(&photos, "cat.jpg")?, b"meow");
//!     // From several threads at once, over the same connections.
//!     std::thread::scope(|scope| {
//!         for _ in 0..4 {
//!             scope.spawn(|| assert_eq!(read(&photos, "cat.jpg").ok().as_deref(), Some(&b"meow"[..])));
//!         }
//!     });
//!     Ok(())
//! }
//! ```
//!
//! # What can be seen of it
//!
//! Each operation is a span of the crate [`tracing`](https://docs.rs/tracing), of the level `DEBUG`, with one below it for
//! each attempt; where no subscriber listens at that level they cost no
//! allocation, and less than a hundredth of the instructions of a get. With the feature `metrics` the module
//! `metrics` counts operations, errors, retries and connections. [`event`] has hooks of your own. What a dropped request
//! leaves behind is told in `docs/cancellation.md` of the repository.

// On docs.rs each item says which feature it needs.
#![cfg_attr(docsrs, feature(doc_cfg))]

#[macro_use]
pub mod request;

mod amazon;
pub mod answer;
mod bucket;
mod cached;
mod checksum;
mod client;
mod digest;
#[cfg(feature = "fs")]
mod file;
pub mod idempotency;
mod limits;
mod list;
mod many;
mod md5sums;
mod multipart;
mod object;
mod operation;
mod resolve;
mod route;
mod service;
pub mod settings;
mod sign;
#[cfg(test)]
mod testing;
mod transfer;
pub mod transport;
mod unsigned;

pub use answer::object::{Object, ObjectHead};
pub use aws_core::credentials;
pub use aws_core::event;
#[cfg(feature = "metrics")]
pub use aws_core::metrics;
pub use aws_core::shared_config;
pub use aws_core::{Body, Credentials, Error, Kind, Result};
pub use bucket::{Bucket, config};
#[cfg(feature = "cache")]
pub use cache_layer;
pub use checksum::Checksum;
pub use client::{S3Builder, S3Client};
pub use pipeline_pool::HttpPool;
pub use request::source::Source;
pub use route::Addressing;
pub use sign::Signature;
