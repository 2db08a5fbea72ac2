//! The parts that every client of an AWS service needs, and would otherwise repeat.
//!
//! An operation is a pure value that encodes itself and reads its answer ([`Operation`]). [`Dispatch`] runs
//! it: it fetches [credentials], has the request signed **again for each attempt**, sends it over
//! a [`Transport`], decides by [one table](dispatch::verdict) what follows a failure, and stops at one deadline.
//! [`Endpoint`] says where requests go, [`shared_config`] what the environment says of that, and [`Error`] what went
//! wrong. [`paginate`] makes streams of pages, [`xml`] reads answers, and [`v4`] signs by Version 4.
//!
//! This crate has no single service in it (those are the crates `s3-client` and `sdb-client`), Signature Version 2
//! (`aws-sigv2`), sockets and HTTP (`pipeline-pool`).
//!
//! # Example
//!
//! A service and one operation of it, run over a transport that stands in for the server:
//!
//! ```
//! use std::sync::Arc;
//! use aws_core::operation::{Answer, Attempt};
//! use aws_core::transport::{ResponseFuture, Transport};
//! use aws_core::{Credentials, Dispatch, Idempotency, Operation, Result, Service};
//! use pipeline_pool::{Head, Method, Origin, Request, Response};
//!
//! struct Echo;
//! impl Service for Echo {
//!     const NAME: &'static str = "Echo";
//!     type Destination = Origin;
//! }
//!
//! struct Say { origin: Origin, word: String }
//! impl Operation for Say {
//!     type Service = Echo;
//!     type Output = String;
//!     const NAME: &'static str = "Say";
//!     fn idempotency(&self) -> Idempotency { Idempotency::Repeatable }
//!     fn origin(&self) -> &Origin { &self.origin }
//!     fn resource(&self) -> Option<&Arc<str>> { None }
//!     fn request(&self, _: &Echo, attempt: &Attempt<'_>) -> Result<Request> {
//!         let mut request = Request::new(Method::Get, &self.origin, &format!("/{}", self.word))?;
//!         request.header("date", attempt.http_date().as_ref())?;
//!         Ok(request)
//!     }
//!     fn parse(&self, _: &Echo, answer: Answer) -> Result<String> {
//!         Ok(String::from_utf8_lossy(&answer.bytes()).into_owned())
//!     }
//! }
//!
//! #[derive(Debug)]
//! struct Mirror;
//! impl Transport for Mirror {
//!     fn send(&self, _: &Origin, request: Request) -> ResponseFuture {
//!         let body = bytes::Bytes::copy_from_slice(request.target().as_bytes());
//!         ResponseFuture::ready(Ok(Response::new(Head::new(200, []), body)))
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<()> {
//! let mut builder = Dispatch::builder();
//! builder.transport(Mirror);
//! builder.credentials(Credentials::new("id", "secret"));
//! let dispatch = builder.build()?;
//! let say = Say { origin: Origin::parse("http://echo.example")?, word: "hello".into() };
//! assert_eq!(dispatch.call(&Echo, &say).await?, "/hello");
//! # Ok(()) }
//! ```

// On docs.rs each item says which feature it needs.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod awaitable;
pub mod body;
pub mod cache;
pub mod classify;
mod clock;
pub mod credentials;
pub mod dispatch;
mod endpoint;
mod envelope;
mod error;
pub mod event;
pub mod idempotency;
mod measure;
#[cfg(feature = "metrics")]
pub mod metrics;
pub mod operation;
mod overrides;
pub mod paginate;
mod retry;
mod settings;
pub mod shared_config;
mod throttle;
pub mod time;
pub mod transport;
pub mod v4;
mod visibility;
pub mod xml;

pub use body::Body;
pub use classify::{Class, Idempotency};
pub use clock::{Clock, http_date};
pub use credentials::{Credentials, ProvideCredentials};
pub use dispatch::{Dispatch, DispatchBuilder};
pub use endpoint::Endpoint;
pub use envelope::ErrorBody;
pub use error::{Error, Kind, Result};
pub use event::{AttemptEvent, Middleware};
pub use operation::{Operation, Service};
pub use overrides::Overrides;
pub use retry::RetryConfig;
pub use transport::Transport;
pub use visibility::KeyVisibility;
