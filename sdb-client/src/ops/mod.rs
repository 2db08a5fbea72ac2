//! One verb, one file.

pub(crate) mod batch_delete;
pub(crate) mod batch_put;
pub(crate) mod delete;
pub(crate) mod domains;
pub(crate) mod get;
pub(crate) mod metadata;
pub(crate) mod put;
pub(crate) mod select;
