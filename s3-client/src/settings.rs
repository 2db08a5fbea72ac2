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
//! | [`HttpPoolBuilder`](crate::transport::HttpPoolBuilder) | `pool_with` | how many connections the client's own pool has, and more |
//! | [`KeyVisibility`] | `show_keys` | where keys may be shown |
//! | [`Idempotency`] | none | whether an [operation](crate::idempotency) may be sent twice |
//!
//! # Settings of S3 in the environment
//!
//! Besides those that are for [all services](crate::shared_config), [`from_env`](crate::S3Builder::from_env) reads those of
//! S3 alone. Each is the setting of this name below `s3 =` in the profile; before that comes `s3_` and the name in the
//! profile, and before that the variable `AWS_S3_` and the name in capital letters:
//!
//! | setting | values | setter |
//! |---|---|---|
//! | `addressing_style` | `auto`, `path`, `virtual` | `addressing` |
//! | `signature_version` | `s3` for Version 2, `s3v4` for Version 4 | `signature` |
//! | `payload_signing_enabled` | `true`, `false` | `sign_bodies` |
//! | `use_accelerate_endpoint` | `true`, `false` | `accelerate` |
//! | `use_dualstack_endpoint` | `true`, `false` | `dual_stack` |
//! | `us_east_1_regional_endpoint` | `regional`, `legacy` (`https://s3.amazonaws.com` for `us-east-1`) | `endpoint` |
//!
//! ```text
//! [profile work]
//! region = eu-west-1
//! services = mine
//! s3 =
//!   addressing_style = path
//!   signature_version = s3v4
//!
//! [services mine]
//! s3 =
//!   endpoint_url = https://store.example
//! ```

pub use aws_core::{Clock, Endpoint, Idempotency, KeyVisibility, RetryConfig};
pub use aws_sigv2::s3::{Server, SubResources};

pub use crate::route::Addressing;
pub use crate::sign::Signature;
