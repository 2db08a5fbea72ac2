//! What [`S3Builder`](crate::S3Builder) is told, besides [keys](crate::credentials) and what carries requests
//! ([`transport`](crate::transport)).
//!
//! | type | setter | what it says |
//! |---|---|---|
//! | [`Signature`] | `signature` | by which version requests are signed, and for which region |
//! | [`SubResources`], [`Server`] | `sub_resources` | which parameters of a query Version 2 signs |
//! | [`Addressing`] | `addressing` | whether a bucket is named in the host or in the path |
//! | [`Endpoint`] | `endpoint` | where requests go, as [`S3Client::endpoint`](crate::S3Client::endpoint) tells it |
//! | [`Variables`](crate::shared_config::Variables) | `from_env`, `from_variables` | what the environment and the files under `~/.aws` say: [`shared_config`](crate::shared_config) |
//! | [`RetryConfig`] | `retry` | how failed attempts are repeated |
//! | [`Clock`] | `clock` | what time it is |
//! | [`KeyVisibility`] | `show_keys` | where keys may be shown |
//! | [`Idempotency`] | none | whether an [operation](crate::idempotency) may be sent twice |

pub use aws_core::{Clock, Endpoint, Idempotency, KeyVisibility, RetryConfig};
pub use aws_sigv2::s3::{Server, SubResources};

pub use crate::route::Addressing;
pub use crate::sign::Signature;
