//! S3, SimpleDB and EC2's list of instances in one process, checking signatures by itself.
//!
//! One TCP port serves all: a GET or form POST of `/` with an `Action` is SimpleDB's, or EC2's if it is
//! signed for EC2 by Version 4, asks for instances or names a version of EC2; what is below `/latest/` and
//! has a token of the metadata service, or is not signed, is that service's; everything else is S3's. It is for tests, examples and benchmarks: it answers pipelined requests in
//! order, counts connections, and refuses what Amazon refuses, with Amazon's codes. Signatures of
//! Version 2 are checked by code that shares nothing with any client, written from Amazon's
//! documents, and so are those of Version 4 for EC2; S3's Version 4 is checked by the [`s3s`] crate.
//!
//! It can be told to answer with errors, late, in part or not at all: see [`Faults`].
//!
//! SimpleDB is there whole: its select language, its limits and codes, and, by [`SdbOptions`], its
//! domains on disk and reads of the past.
//!
//! S3 has several [accounts](Builder::account), whose access control lists, bucket policies and CORS rules are kept to. A
//! new bucket is as one was before [April 2023](https://docs.aws.amazon.com/AmazonS3/latest/userguide/create-bucket-faq.html):
//! access control lists count in it, and nothing public is blocked, until it is given
//! ownership controls (`BucketOwnerEnforced`) and a public access block.
//!
//! EC2 is DescribeInstances over a table that can be changed at any time, [`Ec2Table`], and the metadata
//! service (version 2) of one of its instances.
//!
//! With a [folder](Builder::dir), S3 and SimpleDB outlive the process; what they acknowledged is there after it is killed.
//!
//! The feature `cli`, which is there unless default features are turned off, adds the program and `serve_main`, and with
//! them clap. Tests and programs that start an emulator in their own process do without.
//!
//! Not in scope: TLS, policies of users (IAM), and speed beyond that of one machine's tests.
//!
//! *Problem:* Two programs that share a mistake agree with each other. *Decision:* The emulator checks signatures by
//! code that was written from Amazon's documents, and shares no line with the clients. S3's protocol is the `s3s` crate
//! over a store of our own; SimpleDB and EC2 are written here. All are on one port, told apart by the form of the
//! request, so that one address is enough for a test. As a child process it ends when its standard input ends, so that
//! a parent that was killed leaves none behind. *Cost:* Each operation is written twice, once for each side.
//!
//! ```
//! use emulator::Emulator;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> std::io::Result<()> {
//! let emulator = Emulator::start().await?;
//! assert!(emulator.url().starts_with("http://127.0.0.1:"));
//! // ... point a client at `emulator.url()` with `emulator.access_key()` and `secret_key()` ...
//! assert_eq!(emulator.stats().connections_max, 0);
//! emulator.shutdown().await;
//! # Ok(())
//! # }
//! ```

mod accounts;
mod builder;
#[cfg(feature = "cli")]
pub mod cli;
mod clock;
mod disk;
mod ec2;
mod encode;
mod faults;
mod s3;
mod sdb;
mod server;
mod sign;
mod socket;
mod stats;
mod users;
mod xml;

pub use accounts::Account;
pub use builder::Builder;
#[cfg(feature = "cli")]
pub use cli::serve_main;
pub use ec2::options::Ec2Options;
pub use ec2::table::{Ec2Table, Ec2TableError};
pub use faults::{Fault, Faults, Gate, Hits, Injection, Rule, Seen, Service, SpecError};
pub use s3::http::versions::Signatures;
pub use sdb::options::{SdbModes, SdbOptions};
pub use server::Emulator;
pub use stats::Stats;
