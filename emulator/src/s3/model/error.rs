//! Errors that several operations answer with, each worded once.

use s3s::{S3Error, s3_error};

/// A document that is none, or not of the form that it should have.
pub(in crate::s3) fn malformed_xml() -> S3Error {
    s3_error!(
        MalformedXML,
        "The XML you provided was not well-formed or did not validate against our published schema"
    )
}

/// The same of an access control list.
pub(in crate::s3) fn malformed_acl() -> S3Error {
    s3_error!(
        MalformedACLError,
        "The XML you provided was not well-formed or did not validate against our published schema"
    )
}

pub(in crate::s3) fn denied() -> S3Error {
    s3_error!(AccessDenied, "Access Denied")
}

pub(in crate::s3) fn no_such_bucket() -> S3Error {
    s3_error!(NoSuchBucket, "The specified bucket does not exist")
}

pub(in crate::s3) fn no_such_key() -> S3Error {
    s3_error!(NoSuchKey, "The specified key does not exist.")
}

/// A `Content-MD5` that is no digest.
pub(in crate::s3) fn invalid_digest() -> S3Error {
    s3_error!(InvalidDigest, "The Content-MD5 you specified is not valid.")
}

pub(in crate::s3) fn invalid_part_number() -> S3Error {
    s3_error!(
        InvalidArgument,
        "Part number must be an integer between 1 and 10000, inclusive"
    )
}
