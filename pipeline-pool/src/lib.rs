//! A bounded pool of pipelined connections.

pub mod error;
#[cfg(feature = "http1")]
pub mod http1;
pub mod origin;
#[cfg(feature = "http1")]
mod pool;

pub use error::{Error, Kind, Sent};
#[cfg(feature = "http1")]
pub use http1::{Body, BodyError, Head, Headers, Method, Request, Response};
pub use origin::Origin;
#[cfg(feature = "http1")]
pub use pool::{HttpPool, HttpPoolBuilder, Sending};
