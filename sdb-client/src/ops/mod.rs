//! One verb, one file.

pub(crate) mod batch_delete;
pub(crate) mod batch_put;
pub(crate) mod delete;
pub(crate) mod domains;
pub(crate) mod get;
#[cfg(feature = "export")]
pub(crate) mod get_export;
#[cfg(feature = "export")]
pub(crate) mod list_exports;
pub(crate) mod metadata;
pub(crate) mod put;
pub(crate) mod select;
#[cfg(feature = "export")]
pub(crate) mod start_export;
