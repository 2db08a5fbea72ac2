//! Conditions of reads and writes.

use hyper::HeaderMap;
use hyper::header::{ETAG, LAST_MODIFIED};
use s3s::dto::{ETagCondition, Timestamp};
use s3s::{S3Error, S3Result, s3_error};

use crate::s3::model::error::no_such_key;
use crate::s3::model::store::Object;

/// Decides a conditional write against what is stored now.
pub(in crate::s3) fn check_write(
    current: Option<&Object>,
    if_match: Option<&ETagCondition>,
    if_none_match: Option<&ETagCondition>,
) -> S3Result<()> {
    if let Some(wanted) = if_match {
        let Some(current) = current else {
            return Err(no_such_key());
        };
        if !matches(wanted, current) {
            return Err(failed("If-Match"));
        }
    }
    match (if_none_match, current) {
        (Some(unwanted), Some(current)) if matches(unwanted, current) => {
            Err(failed("If-None-Match"))
        }
        _ => Ok(()),
    }
}

fn matches(condition: &ETagCondition, object: &Object) -> bool {
    match condition {
        ETagCondition::Any => true,
        ETagCondition::ETag(etag) => etag.value() == object.etag,
    }
}

pub(in crate::s3) fn failed(condition: &str) -> S3Error {
    s3_error!(
        PreconditionFailed,
        "At least one of the pre-conditions you specified did not hold: {condition}"
    )
}

/// The conditions of a read, in the order RFC 9110, 13.2.2 gives them.
pub(in crate::s3) struct Conditions<'a> {
    pub(in crate::s3) if_match: Option<&'a ETagCondition>,
    pub(in crate::s3) if_none_match: Option<&'a ETagCondition>,
    pub(in crate::s3) if_modified_since: Option<&'a Timestamp>,
    pub(in crate::s3) if_unmodified_since: Option<&'a Timestamp>,
}

impl Conditions<'_> {
    pub(in crate::s3) fn check(&self, object: &Object) -> S3Result<()> {
        let since = |at: &Timestamp| time::OffsetDateTime::from(at.clone()).unix_timestamp();
        match (self.if_match, self.if_unmodified_since) {
            (Some(wanted), _) if !matches(wanted, object) => return Err(failed("If-Match")),
            (None, Some(at)) if object.modified_unix() > since(at) => {
                return Err(failed("If-Unmodified-Since"));
            }
            _ => {}
        }
        let unchanged = match (self.if_none_match, self.if_modified_since) {
            (Some(unwanted), _) => matches(unwanted, object),
            (None, Some(at)) => object.modified_unix() <= since(at),
            (None, None) => false,
        };
        if unchanged {
            return Err(not_modified(object));
        }
        Ok(())
    }
}

fn not_modified(object: &Object) -> S3Error {
    let mut headers = HeaderMap::new();
    if let Ok(etag) = object.etag().to_http_header() {
        headers.insert(ETAG, etag);
    }
    let modified = httpdate::fmt_http_date(object.modified);
    if let Ok(modified) = modified.try_into() {
        headers.insert(LAST_MODIFIED, modified);
    }
    let mut error = s3_error!(NotModified, "Not Modified");
    error.set_headers(headers);
    error
}
