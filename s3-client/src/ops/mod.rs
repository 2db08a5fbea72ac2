//! One verb, one file.

pub(crate) mod acl;
pub(crate) mod attributes;
pub(crate) mod buckets;
pub(crate) mod copy;
pub(crate) mod delete;
pub(crate) mod delete_batch;
pub(crate) mod get;
pub(crate) mod head;
pub(crate) mod list;
pub(crate) mod lock;
pub(crate) mod put;
pub(crate) mod restore;
pub(crate) mod tagging;
mod target;
