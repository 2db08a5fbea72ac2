//! The state of an XMPP server in S3 and SimpleDB.
//!
//! An XMPP server that keeps its state in these stores keeps nothing on its disk: nodes come and go, and any of them has
//! what the others have written. The stores know no server's data types. Each is a set of verbs on values of plain types,
//! which any XMPP server in Rust can call, and others through a bridge, as `ejabberd-cloud` is one for ejabberd.
//!
//! | store | its types | what it keeps |
//! |---|---|---|
//! | [`Stores::auth`] | [`auth`] | who may log in, and by what: SCRAM keys or passwords |
//! | [`Stores::last`] | [`last`] | when somebody was last there |
//! | [`Stores::roster`] | [`roster`] | contacts, and the version of each roster |
//! | [`Stores::private`] | [`private`] | XML that clients keep with the server |
//! | [`Stores::privacy`] | [`privacy`] | privacy lists |
//! | [`Stores::vcards`] | [`vcard`] | vCards, and the search for people |
//! | [`Stores::offline`] | [`offline`] | messages for people who are away |
//! | [`Stores::shared_roster`] | [`shared_roster`] | groups whose members are in each other's rosters |
//! | [`Stores::rooms`], [`Stores::nicks`] | [`muc`] | what rooms are set to, and whose nickname is whose |
//! | [`Stores::muc_log`] | [`muc_log`] | what is said in rooms, as pages for a browser |
//! | [`Stores::caps`] | [`caps`] | what clients can do |
//! | [`Stores::pubsub`] | [`pubsub`] | nodes, their items, and who may do what with them |
//! | [`Stores::nodes`] | [`nodes`] | which nodes of the cluster are there |
//!
//! [`Stores::remove_person`] removes all that is kept of somebody.
//!
//! What they have in common:
//!
//! - **Conditions.** A write that follows from something read expects that it is still so, and is refused with
//!   [`Kind::Conflict`] otherwise. Of ten registrations of one name one is done.
//! - **Lost answers are settled.** A conditional write whose answer did not come is looked for, and sent again if it was not
//!   done. It never meets itself as a conflict.
//! - **An outage is an error**, never an absence: nobody's password is wrong because a service is away.
//! - **Limits** are checked before anything is sent, and named with the value: [`Kind::TooLarge`].
//! - **A deadline** ends each action ([`StoresBuilder::deadline`]). A write may have been done then.
//! - **Caches** of the two clients answer reads of single things, where [`Reads::Cached`] says so, also that there is
//!   nothing. A conditional write finds out what was old, and the next read goes past the cache.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let cloud = emulator::Emulator::start_blocking()?;
//! use cloud_stores::{BareJid, Kind, Stores};
//! use cloud_stores::auth::Secret;
//! use s3_client::{Credentials, S3Client};
//! use sdb_client::SdbClient;
//!
//! let keys = Credentials::new(cloud.access_key(), cloud.secret_key());
//! let s3 = S3Client::builder().endpoint(cloud.url()).credentials(keys.clone()).build()?;
//! let sdb = SdbClient::builder().endpoint(cloud.url()).credentials(keys).build()?;
//! let bucket = s3.bucket("chat");
//! bucket.create().await?;
//!
//! let stores = Stores::builder(bucket, sdb).prefix("example").open().await?;
//! let ann = BareJid::new("ann", "example.com")?;
//! stores.auth().register(&ann, &Secret::Plain("swordfish".into())).await?;
//! let late = stores.auth().register(&ann, &Secret::Plain("another".into())).await;
//! assert_eq!(late.unwrap_err().kind(), Kind::Exists);
//!
//! stores.remove_person(&ann).await?;
//! assert_eq!(stores.auth().get(&ann).await?, None);
//! # Ok(()) }
//! ```
//!
//! A program depends on this crate, on `s3-client` and `sdb-client`, with which it makes the clients, and on `tokio` with
//! the features `rt` and `time`. S3 is asked for `s3:GetObject`, `s3:PutObject`, `s3:DeleteObject` and `s3:ListBucket`, without
//! which an object that is not there would be an error; SimpleDB for `sdb:CreateDomain`, `sdb:ListDomains`,
//! `sdb:GetAttributes`, `sdb:PutAttributes`, `sdb:DeleteAttributes`, `sdb:BatchDeleteAttributes` and `sdb:Select`.
//!
#![doc = include_str!("../LAYOUT.md")]
#![forbid(unsafe_code)]

pub mod auth;
pub mod caps;
mod error;
mod jid;
pub mod last;
mod layout;
pub mod muc;
pub mod muc_log;
mod names;
pub mod nodes;
pub mod offline;
pub mod privacy;
pub mod private;
pub mod pubsub;
mod recent;
mod record;
mod remove;
pub mod roster;
pub mod shared_roster;
mod snapshots;
mod stores;
pub mod vcard;
mod version;

pub use self::error::{Error, Kind, Result};
pub use self::jid::BareJid;
pub use self::layout::{DEFAULT_SHARDS, Layout, MAX_SHARDS};
pub use self::stores::{Reads, Stores, StoresBuilder};
