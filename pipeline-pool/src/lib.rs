//! A bounded pool of pipelined connections.

#[cfg(feature = "http1")]
mod builder;
mod connect;
mod engine;
mod error;
mod event;
#[cfg(feature = "http1")]
pub mod http1;
mod origin;
mod outbox;
#[cfg(feature = "http1")]
mod pool;
mod protocol;
mod stats;

#[cfg(feature = "http1")]
pub use builder::HttpPoolBuilder;
pub use error::{Error, Kind, Sent};
pub use event::{CloseReason, Event};
#[cfg(feature = "http1")]
pub use http1::{Body, BodyError, Head, Headers, Method, Request, Response};
pub use origin::Origin;
pub use outbox::Outbox;
#[cfg(feature = "http1")]
pub use pool::{HttpPool, Sending};
pub use protocol::{Class, Decoded, Encoded, Protocol};
pub use stats::{OriginStats, Stats};
