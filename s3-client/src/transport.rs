//! What carries requests: the pool of connections, or anything else that is a [`Transport`].
//!
//! [`HttpPool::builder`] sets the numbers of connections and of requests on each, a [`Proxy`], a resolver of names
//! ([`Resolve`]), a connector ([`Connect`]) and, with the feature `platform-roots`, whether certificates of the
//! system's roots are trusted. [`S3Builder::pool`](crate::S3Builder::pool) takes it.
//! [`S3Builder::transport`](crate::S3Builder::transport) takes another transport: `Reqwest` with the feature `reqwest`,
//! or one of your own, which is made of [`Request`], [`Response`], [`Head`] and [`Origin`]; [`Transport`] shows one.
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
//! With the feature `testing`, `Scripted` stands in for the server in unit tests of a program: it answers from a script,
//! in order, and says what was not sent as the script has it. An `Arc` keeps it at hand. The signature is said, since a
//! client that is told none may ask an unknown store first what it takes, and that is a request too.
//!
//! ```
//! # #[cfg(feature = "testing")] mod tests {
//! use std::sync::Arc;
//! use s3_client::{Bucket, Credentials, S3Client, Signature};
//! use s3_client::transport::{Scripted, Step};
//!
//! /// The program under test: moves an object.
//! async fn archive(photos: &Bucket, key: &str) -> s3_client::Result<()> {
//!     photos.copy(key, format!("old/{key}")).await?;
//!     photos.delete(key).await
//!         .map(drop)
//! }
//!
//! # pub async fn test() -> Result<(), Box<dyn std::error::Error>> {
//! let copied = "<CopyObjectResult><ETag>\"1\"</ETag></CopyObjectResult>";
//! let script = Scripted::new()
//!     .step(Step::new("PUT", "/photos/old/cat.jpg").with_header("x-amz-copy-source", "/photos/cat.jpg").body(copied))
//!     .step(Step::new("DELETE", "/photos/cat.jpg").answer(204));
//! let script = Arc::new(script);
//! let s3 = S3Client::builder()
//!     .endpoint("http://store.example")
//!     .credentials(Credentials::new("key", "secret"))
//!     .signature(Signature::V2)
//!     .transport(script.clone())
//!     .build()?;
//! archive(&s3.bucket("photos"), "cat.jpg").await?;
//! script.finish()?;
//! assert_eq!(script.requests()[1].method, "DELETE");
//! # Ok(()) }
//! # }
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # #[cfg(feature = "testing")] tests::test().await?;
//! # Ok(()) }
//! ```

#[cfg(feature = "reqwest")]
pub use aws_core::transport::Reqwest;
pub use aws_core::transport::{ResponseFuture, Transport};
#[cfg(feature = "testing")]
pub use aws_core::transport::{Scripted, ScriptedRequest, Step};
pub use pipeline_pool as pool;
pub use pipeline_pool::{
    BodyError, CloseReason, Connect, Connecting, Event, Head, Headers, HttpPool, HttpPoolBuilder,
    Io, Method, Origin, OriginStats, Proxy, Request, Resolve, Resolving, Response, Stats,
};
