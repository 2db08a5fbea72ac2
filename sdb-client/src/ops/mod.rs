//! The operations of SimpleDB, each with the methods that make its request.

pub(crate) mod batch;
pub(crate) mod domains;
pub(crate) mod get;
#[cfg(feature = "export")]
pub(crate) mod get_export;
#[cfg(feature = "export")]
pub(crate) mod list_exports;
pub(crate) mod metadata;
pub(crate) mod select;
#[cfg(feature = "export")]
pub(crate) mod start_export;
pub(crate) mod write;
