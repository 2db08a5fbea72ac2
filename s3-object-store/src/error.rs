//! The client's errors as those of the interface.

use object_store::Error;
use object_store::path::Path;
use s3_client::answer::Class;

pub(crate) const STORE: &str = "S3";

/// An error of a request about this path.
pub(crate) fn at(path: &Path, source: s3_client::Error) -> Error {
    let path = path.to_string();
    if source.status() == Some(501) || source.code() == Some("NotImplemented") {
        let operation = source.operation().unwrap_or("the request").to_owned();
        return missing(operation);
    }
    match (source.class(), source.status(), source.code()) {
        (Class::NotFound, ..) => Error::NotFound {
            path,
            source: source.into(),
        },
        (Class::ConditionFailed, ..) => Error::Precondition {
            path,
            source: source.into(),
        },
        (_, Some(401), _)
        | (
            _,
            _,
            Some("InvalidAccessKeyId" | "SignatureDoesNotMatch" | "ExpiredToken" | "InvalidToken"),
        ) => Error::Unauthenticated {
            path,
            source: source.into(),
        },
        (Class::Denied, ..) => Error::PermissionDenied {
            path,
            source: source.into(),
        },
        _ => any(source),
    }
}

/// An error that is about nothing in particular.
pub(crate) fn any(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::Generic {
        store: STORE,
        source: source.into(),
    }
}

/// What this store does not do, or was not told to.
pub(crate) fn missing(operation: impl Into<String>) -> Error {
    Error::NotImplemented {
        operation: operation.into(),
        implementer: "S3Store".to_owned(),
    }
}
