//! Trees of files and buckets brought level by content, and releases that nodes follow.

#![forbid(unsafe_code)]

mod digest;
mod error;
pub mod names;
mod url;

pub use digest::{Digest, NoDigest};
pub use error::{Error, Kind, Result};
pub use url::Url;
