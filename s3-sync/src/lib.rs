//! Trees of files and buckets brought level by content, and releases that nodes follow.

#![forbid(unsafe_code)]

mod digest;

pub use digest::{Digest, NoDigest};
