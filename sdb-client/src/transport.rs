//! What carries requests: the pool of connections, or anything else that is a [`Transport`].
//!
//! [`HttpPool::builder`] sets the numbers of connections and of requests on each, a [`Proxy`], a resolver of names
//! ([`Resolve`]), a connector ([`Connect`]) and, with the feature `platform-roots`, whether certificates of the
//! system's roots are trusted. [`SdbBuilder::pool`](crate::SdbBuilder::pool) takes it, and other clients can share it.
//! [`SdbBuilder::transport`](crate::SdbBuilder::transport) takes another transport: `Reqwest` with the feature
//! `reqwest`, or one of your own, which is made of [`Request`], [`Response`], [`Head`] and [`Origin`]; [`Transport`] shows one.
//!
//! With the feature `testing`, `Scripted` stands in for the service in unit tests of a program: it answers from a script,
//! in order, and says what was not sent as the script has it. An `Arc` keeps it at hand.
//!
//! ```
//! # #[cfg(feature = "testing")] mod tests {
//! use std::sync::Arc;
//! use sdb_client::{Credentials, SdbClient};
//! use sdb_client::transport::{Scripted, Step};
//!
//! # pub async fn test() -> Result<(), Box<dyn std::error::Error>> {
//! let done = "<PutAttributesResponse><ResponseMetadata><RequestId>1</RequestId>\
//!             <BoxUsage>0.0000219907</BoxUsage></ResponseMetadata></PutAttributesResponse>";
//! let put = Step::new("POST", "/").with_body_part("Action=PutAttributes").with_body_part("ItemName=u1");
//! let script = Arc::new(Scripted::new().step(put.body(done)));
//! let sdb = SdbClient::builder()
//!     .endpoint("https://sdb.amazonaws.com")
//!     .credentials(Credentials::new("key", "secret"))
//!     .transport(script.clone())
//!     .build()?;
//! // What the program under test does:
//! sdb.domain("users").put("u1").replace("name", "Ann").await?;
//! script.finish()?;
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
