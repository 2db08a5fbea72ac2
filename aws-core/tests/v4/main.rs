//! Signature Version 4, judged by Amazon's test suite, by the examples of the S3 documentation, and by another
//! signer on random requests.

#![allow(
    clippy::unwrap_used,
    reason = "this is test code outside of a test function"
)]

mod documented;
mod oracle;
mod suite;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_core::Credentials;

/// The pair of all examples in the S3 documentation.
fn example_keys() -> Credentials {
    Credentials::new(
        "AKIAIOSFODNN7EXAMPLE",
        "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    )
}

fn at(unix: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(unix)
}
