//! What the store keeps, and the rules of what it keeps.

pub(in crate::s3) mod acl;
pub(in crate::s3) mod attributes;
pub(in crate::s3) mod checksums;
pub(in crate::s3) mod conditions;
pub(in crate::s3) mod defaults;
pub(in crate::s3) mod error;
pub(in crate::s3) mod lock;
pub(in crate::s3) mod store;
pub(in crate::s3) mod uploads;
pub(in crate::s3) mod versions;
