//! The interface of the [`object_store`] crate over the S3 client of this project.
//!
//! [`S3Store`] is one bucket as an [`ObjectStore`]: programs that speak that interface (DataFusion, Polars, delta-rs
//! and others) get the bounded pool of pipelined connections, Signature Version 2 and whatever else the
//! [`s3_client`] they hand in is set up with. It is a [`MultipartStore`], a [`PaginatedListStore`] too, and with the feature `signer` a
//! `Signer`.
//!
//! [`S3StoreBuilder`] makes one from a URL such as `s3://bucket/prefix` and the options of `object_store`'s own S3 client; all other
//! settings are those of the client ([`s3_client::S3Client::builder`]). Not here: prefixes (`object_store` has `PrefixStore`
//! for them).
//!
//! # Example
//!
//! ```
//! use object_store::path::Path;
//! use object_store::{ObjectStoreExt, PutMode};
//! use object_store::ObjectStore as _;
//! use s3_client::{Credentials, S3Client};
//! use s3_object_store::S3Store;
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let emulator = emulator::Emulator::start_blocking()?;
//! let s3 = S3Client::builder()
//!     .endpoint(emulator.url())
//!     .credentials(Credentials::new(emulator.access_key(), emulator.secret_key()))
//!     .build()?;
//! let photos = s3.bucket("photos");
//! photos.create().await?;
//!
//! let store = S3Store::new(photos);
//! let cat = Path::from("2009/cat.jpg");
//! store.put(&cat, "meow".into()).await?;
//! assert_eq!(store.get_range(&cat, 0..2).await?, "me");
//! let again = store.put_opts(&cat, "purr".into(), PutMode::Create.into()).await;
//! assert!(matches!(again, Err(object_store::Error::AlreadyExists { .. })));
//! let folder = store.list_with_delimiter(None).await?;
//! assert_eq!(folder.common_prefixes, [Path::from("2009")]);
//! # Ok(()) }
//! ```

// On docs.rs each item says which feature it needs.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod builder;
mod convert;
mod error;
mod list;
mod multipart;
mod options;
mod read;
mod said;
#[cfg(feature = "signer")]
mod signer;
mod store;
mod url;
mod write;

pub use builder::S3StoreBuilder;
pub use store::S3Store;

#[cfg(doc)]
use object_store::{ObjectStore, list::PaginatedListStore, multipart::MultipartStore};
