//! What is done with requests and answers as such: who signed, what fits, and how errors and documents look.

pub(crate) mod auth;
pub(in crate::s3) mod cors;
pub(in crate::s3) mod document;
pub(crate) mod error;
pub(in crate::s3) mod form;
pub(in crate::s3) mod front;
pub(in crate::s3) mod gate;
pub(crate) mod host;
pub(crate) mod versions;
