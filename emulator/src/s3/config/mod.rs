//! Configurations of buckets: their route, their forms, and what Amazon asks of them beyond the form.

pub(in crate::s3) mod route;
pub(in crate::s3) mod rules;
pub(in crate::s3) mod schema;
