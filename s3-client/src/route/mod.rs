//! Where requests about a bucket go: how it is named in them, which answers may send them elsewhere, and what is
//! remembered of buckets.

mod addressing;
mod memory;
mod redirect;
mod trust;

pub use self::addressing::Addressing;
pub(crate) use self::addressing::{BucketAddress, push_bucket};
pub(crate) use self::memory::Memory;
pub(crate) use self::redirect::Redirects;
