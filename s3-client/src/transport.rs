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
//!
//! A transport of one's own can stand in for the server in a unit test; an `Arc` keeps it at hand:
//!
//! ```
//! use std::sync::{Arc, Mutex};
//! use s3_client::{Credentials, S3Client};
//! use s3_client::transport::{Head, Origin, Request, Response, ResponseFuture, Transport};
//!
//! #[derive(Debug, Default)]
//! struct Scripted(Mutex<Vec<String>>);
//!
//! impl Transport for Scripted {
//!     fn send(&self, _server: &Origin, request: Request) -> ResponseFuture {
//!         self.0.lock().unwrap().push(format!("{:?} {}", request.method(), request.target()));
//!         let head = Head::new(200, [("ETag", &b"\"1\""[..]), ("Content-Type", &b"text/plain"[..])]);
//!         ResponseFuture::ready(Ok(Response::new(head, bytes::Bytes::from_static(b"meow"))))
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> s3_client::Result<()> {
//! let script = Arc::new(Scripted::default());
//! let s3 = S3Client::builder()
//!     .endpoint("http://store.example")
//!     .credentials(Credentials::new("key", "secret"))
//!     .transport(script.clone())
//!     .build()?;
//! let cat = s3.bucket("photos").get("cat.jpg").await?;
//! assert_eq!(cat.body.bytes(100).await?, "meow");
//! assert_eq!(*script.0.lock().unwrap(), ["Get /photos/cat.jpg"]);
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
