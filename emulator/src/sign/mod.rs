//! Strings to sign of [Signature Version 2], and Version 4 of the Query APIs, written from Amazon's
//! documents only, so that they are a judge of clients and not a copy of one.
//!
//! [Signature Version 2]: https://docs.aws.amazon.com/AmazonS3/latest/userguide/RESTAuthentication.html

pub(crate) mod query;
pub(crate) mod s3;
pub(crate) mod v4;
