//! What carries requests: the pool of connections, or anything else that is a [`Transport`].
//!
//! [`HttpPool::builder`] sets the numbers of connections and of requests on each, a [`Proxy`], a resolver of names
//! ([`Resolve`]), a connector ([`Connect`]) and, with the feature `platform-roots`, whether certificates of the
//! system's roots are trusted. [`S3Builder::pool`](crate::S3Builder::pool) takes it.
//! [`S3Builder::transport`](crate::S3Builder::transport) takes another transport: `Reqwest` with the feature `reqwest`,
//! or one of your own, which is made of [`Request`], [`Response`], [`Head`] and [`Origin`].
//!
//! ```
//! use s3_client::{Credentials, HttpPool, S3Client};
//! use s3_client::transport::Proxy;
//!
//! # fn example(keys: Credentials) -> Result<(), Box<dyn std::error::Error>> {
//! let pool = HttpPool::builder().max_connections(32).proxy(Proxy::http("http://proxy.example:3128")?).build();
//! let s3 = S3Client::builder().endpoint("https://s3.example").credentials(keys).pool(pool).build()?;
//! # Ok(()) }
//! ```

#[cfg(feature = "reqwest")]
pub use aws_core::transport::Reqwest;
pub use aws_core::transport::{ResponseFuture, Transport};
pub use pipeline_pool as pool;
pub use pipeline_pool::{
    BodyError, CloseReason, Connect, Connecting, Event, Head, Headers, HttpPool, HttpPoolBuilder,
    Io, Method, Origin, OriginStats, Proxy, Request, Resolve, Resolving, Response, Stats,
};
