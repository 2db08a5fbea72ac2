//! What answers have in common.

pub(crate) mod etag;
pub(crate) mod object;
pub(crate) mod values;
