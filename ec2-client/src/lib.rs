//! A client that tells which EC2 instances there are, and a stream of those that are peers.
//!
//! [`Ec2Client`] speaks one action of the [EC2 API](https://docs.aws.amazon.com/AWSEC2/latest/APIReference/Welcome.html),
//! DescribeInstances of the version 2016-11-15, over a bounded pool of pipelined connections that it can share with other
//! clients:
//!
//! - [`Ec2Client::instances`] lists instances, filtered by the server, page after page.
//! - [`Ec2Client::peers`] tells of the other members of a cluster as they come and go ([`peers`] has the rules).
//! - [`Metadata`] is the metadata service of the instance that this program runs on.
//!
//! Requests are POST forms, so that nothing signed stands in a URL. They are signed by Version 4; [`Signature::V2`] is
//! there for older regions and for servers that are not Amazon's. Keys come from the standard
//! [chain](credentials::Chain) unless the builder is given others.
//!
//! The client has no other action of EC2.
//!
//! # Example
//!
//! ```
//! use ec2_client::{Credentials, Ec2Client, PeerEvent};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let service = emulator::Emulator::start_blocking()?;
//! # service.ec2().set(r#"[{"InstanceId": "i-1", "PrivateIpAddress": "10.0.0.1", "Tags": {"cluster": "chat"}},
//! #     {"InstanceId": "i-2", "State": "stopped", "Tags": {"cluster": "chat"}}]"#)?;
//! let ec2 = Ec2Client::builder()
//!     .endpoint(service.url()) // at Amazon: .region("eu-west-1")
//!     .credentials(Credentials::new(service.access_key(), service.secret_key()))
//!     .build()?;
//!
//! let mut all = ec2.instances().tag("cluster", "chat").items();
//! while let Some(instance) = all.try_next().await? {
//!     println!("{} is {}", instance.id, instance.state);
//! }
//!
//! let mut peers = ec2.peers().tag("cluster", "chat").port(7946).watch();
//! while let Some(event) = peers.next().await {
//!     match event {
//!         PeerEvent::Joined(peer) => assert_eq!(peer.address, "10.0.0.1:7946"),
//!         PeerEvent::Ready { count } => {
//!             assert_eq!(count, 1);
//!             break;
//!         }
//!         PeerEvent::Left(peer, why) => println!("{} is gone: {why}", peer.id),
//!         PeerEvent::Failing(error, _) => println!("not known at present: {error}"),
//!         _ => {}
//!     }
//! }
//! # Ok(()) }
//! ```

// On docs.rs each item says which feature it needs.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod selection;

mod client;
pub mod idempotency;
pub mod instances;
mod limits;
pub mod metadata;
pub mod peers;
mod signature;
mod wire;

pub use aws_core::credentials;
pub use aws_core::event;
#[cfg(feature = "metrics")]
pub use aws_core::metrics;
pub use aws_core::shared_config;
pub use aws_core::{Clock, Credentials, Error, Kind, Result, RetryConfig, Transport};
pub use client::{Ec2Builder, Ec2Client};
pub use instances::{DescribeInstances, Instance};
pub use metadata::Metadata;
pub use peers::{Peer, PeerEvent};
pub use pipeline_pool::HttpPool;
pub use signature::Signature;
