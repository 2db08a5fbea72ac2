//! A bounded pool of pipelined connections.
//!
//! **What it is for:** very many small requests to a few servers. The number of sockets has a hard
//! cap; when all are in use, further requests are pipelined onto them as deep as measurement shows
//! that it pays, and beyond that they wait in a queue, first come, first served, with a deadline. One
//! task drives each connection and writes the requests that have come together in one go.
//!
//! **What it promises:** an answer reaches the request that it belongs to, or nobody. A request that
//! may not run twice is written once. The time limit, failure or cancellation of one request does not
//! fail those beside it. Every [`Error`] says whether the server may have run the request.
//!
//! **What it does not have:** HTTP/2, redirects, cookies, compression, and knowledge of any service.
//!
//! The engine knows no HTTP: it serves any [`Protocol`] of ordered replies, as a [`Pool`] of
//! connections to one server. HTTP/1.1 ([RFC 9112](https://www.rfc-editor.org/rfc/rfc9112)) lies on
//! it as [`HttpPool`], which has any number of servers.
//!
//! ```
//! use pipeline_pool::{HttpPool, Method, Origin, Request};
//! # use tokio::io::{AsyncReadExt, AsyncWriteExt};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
//! # let uri = format!("http://{}", listener.local_addr()?);
//! # tokio::spawn(async move {
//! #     let (mut io, _) = listener.accept().await.unwrap();
//! #     io.read(&mut [0; 1024]).await.unwrap();
//! #     io.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello").await.unwrap();
//! # });
//! let pool = HttpPool::builder().max_connections(8).build();
//! let origin = Origin::parse(&uri)?;
//! let mut request = Request::new(Method::Get, &origin, "/greeting")?;
//! request.header("accept", "text/plain")?;
//! let response = pool.send(&origin, request).await?;
//! assert_eq!(response.status(), 200);
//! let (_, body) = response.into_parts();
//! assert_eq!(body.bytes(1024).await?, "hello");
//! # Ok(())
//! # }
//! ```
//!
//! Cargo features: `http1` (default) brings [`HttpPool`]; `tls` (default) brings https by rustls
//! with ring; `platform-roots` brings a builder method that trusts what the system trusts.

// On docs.rs each item says which feature it needs.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod builder;
mod connect;
mod engine;
mod error;
mod event;
#[cfg(feature = "http1")]
pub mod http1;
mod origin;
#[cfg(feature = "http1")]
mod origins;
mod outbox;
#[cfg(feature = "http1")]
mod pool;
mod protocol;
mod single;
mod stats;

#[cfg(feature = "http1")]
pub use builder::HttpPoolBuilder;
pub use builder::PoolBuilder;
#[cfg(feature = "http1")]
pub use connect::Proxy;
pub use connect::{Connect, Connecting, Io, Resolve, Resolving};
pub use engine::shell::runtimes::check_timer;
pub use error::{Error, Kind, Sent};
pub use event::{CloseReason, Event};
#[cfg(feature = "http1")]
pub use http1::{Body, BodyError, FieldName, Head, Headers, Method, Request, Response};
pub use origin::Origin;
pub use outbox::Outbox;
#[cfg(feature = "http1")]
pub use pool::{HttpPool, Sending};
pub use protocol::{Begin, Beginning, ConnectionId, Decoded, Encoded, Protocol, Treatment};
pub use single::{Pool, PoolSending};
pub use stats::OriginStats;
#[cfg(feature = "http1")]
pub use stats::{Forgotten, Stats};
