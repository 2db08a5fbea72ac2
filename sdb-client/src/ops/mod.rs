//! One verb, one file.

pub(crate) mod delete;
pub(crate) mod domains;
pub(crate) mod get;
pub(crate) mod put;
pub(crate) mod select;
