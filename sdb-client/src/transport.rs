//! What carries requests: the pool of connections, or anything else that is a [`Transport`].
//!
//! [`HttpPool::builder`] sets the numbers of connections and of requests on each, a [`Proxy`], a resolver of names
//! ([`Resolve`]), a connector ([`Connect`]) and, with the feature `platform-roots`, whether certificates of the
//! system's roots are trusted. [`SdbBuilder::pool`](crate::SdbBuilder::pool) takes it, and other clients can share it.
//! [`SdbBuilder::transport`](crate::SdbBuilder::transport) takes another transport: `Reqwest` with the feature
//! `reqwest`, or one of your own, which is made of [`Request`], [`Response`], [`Head`] and [`Origin`]; [`Transport`] shows
//! one for unit tests.

#[cfg(feature = "reqwest")]
pub use aws_core::transport::Reqwest;
pub use aws_core::transport::{ResponseFuture, Transport};
pub use pipeline_pool as pool;
pub use pipeline_pool::{
    BodyError, CloseReason, Connect, Connecting, Event, Head, Headers, HttpPool, HttpPoolBuilder,
    Io, Method, Origin, OriginStats, Proxy, Request, Resolve, Resolving, Response, Stats,
};
