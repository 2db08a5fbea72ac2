//! Where requests about a bucket go: how it is named in them, and which answers may send them elsewhere.

mod addressing;
mod redirect;
mod trust;

pub use self::addressing::Addressing;
pub(crate) use self::addressing::BucketAddress;
pub(crate) use self::redirect::Redirects;
