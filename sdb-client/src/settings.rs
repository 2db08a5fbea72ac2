//! What [`SdbBuilder`](crate::SdbBuilder) is told, besides [keys](crate::credentials) and what carries requests
//! ([`transport`](crate::transport)).
//!
//! | type | setter | what it says |
//! |---|---|---|
//! | [`Endpoint`] | `endpoint` | where requests go, as [`SdbClient::endpoint`](crate::SdbClient::endpoint) tells it |
//! | [`Variables`](crate::shared_config::Variables) | `from_env`, `from_variables` | what the environment and the files under `~/.aws` say: [`shared_config`](crate::shared_config) |
//! | [`RetryConfig`] | `retry` | how failed attempts are repeated |
//! | [`Clock`] | `clock` | what time it is |
//! | [`KeyVisibility`] | `show_keys` | where names of items may be shown |
//! | [`Idempotency`] | none | whether an [operation](crate::idempotency) may be sent twice |

pub use aws_core::{Clock, Endpoint, Idempotency, KeyVisibility, RetryConfig};
