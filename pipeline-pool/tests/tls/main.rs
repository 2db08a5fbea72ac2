//! TLS: who is trusted, who is shown, what is resumed, and what is said when it fails.
#![allow(clippy::unwrap_used)]
#![cfg(all(feature = "http1", feature = "tls"))]

mod authority;
mod failures;
mod sessions;
mod uploads;
