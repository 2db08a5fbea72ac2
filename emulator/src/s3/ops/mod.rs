//! The operations, one file for each kind of thing that they work on.

pub(in crate::s3) mod archive;
pub(in crate::s3) mod copy;
pub(in crate::s3) mod delete;
pub(in crate::s3) mod list;
pub(in crate::s3) mod list_uploads;
pub(in crate::s3) mod list_versions;
pub(in crate::s3) mod multipart;
pub(in crate::s3) mod object;
pub(in crate::s3) mod object_settings;
pub(in crate::s3) mod service;
