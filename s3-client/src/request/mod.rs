//! What requests have in common.

#[macro_use]
pub(crate) mod options;
#[macro_use]
pub(crate) mod attributes;
#[macro_use]
pub(crate) mod reading;

pub(crate) mod body;
pub(crate) mod encryption;
