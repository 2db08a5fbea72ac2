//! One verb, one file.

pub(crate) mod buckets;
pub(crate) mod delete;
pub(crate) mod get;
pub(crate) mod head;
pub(crate) mod list;
pub(crate) mod put;
