//! Objects: each verb in a file of its name, with its method of [`Bucket`](crate::Bucket), its request, the operation
//! that it sends, and its test.

pub(crate) mod acl;
pub(crate) mod attributes;
pub(crate) mod copy;
pub(crate) mod delete;
pub(crate) mod delete_batch;
pub(crate) mod get;
pub(crate) mod head;
mod legal_hold;
pub(crate) mod post_policy;
pub(crate) mod presign;
pub(crate) mod put;
mod range;
pub(crate) mod read;
pub(crate) mod restore;
mod resume;
mod retention;
mod tagging;
