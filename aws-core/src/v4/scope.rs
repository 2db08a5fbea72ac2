//! A region and a service, with the rules and the keys of their signatures.

use std::fmt;
use std::sync::Arc;

use aws_sigv2::Credentials;
use aws_sigv2::mac::{Key, Sha256};

use super::key::Keys;
use super::time::AmzDate;

/// A region and a service: what a signature is valid for besides its day.
///
/// Cheap to clone; clones share the keys that were derived for the days and credentials of late.
#[derive(Clone)]
pub struct Scope {
    inner: Arc<ScopeParts>,
    rules: Rules,
}

struct ScopeParts {
    region: Box<str>,
    service: Box<str>,
    /// What goes after the day: `/us-east-1/s3/aws4_request`.
    suffix: Box<str>,
    keys: Keys,
}

/// By what rules a service signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rules {
    /// Whether dot and empty segments leave the path.
    pub(super) normalize: bool,
    /// Whether the path is escaped once more than it is sent.
    pub(super) escape_again: bool,
    /// Whether `x-amz-content-sha256` is sent and signed.
    pub(super) content_sha256: bool,
    /// Whether links sign the body.
    pub(super) links_sign_body: bool,
}

impl Scope {
    /// The scope of any service but S3, for example `us-east-1` and `sdb`.
    pub fn new(region: &str, service: &str) -> Self {
        let rules = Rules {
            normalize: true,
            escape_again: true,
            content_sha256: false,
            links_sign_body: true,
        };
        Self::with(region, service, rules)
    }

    /// The scope of S3 in a region.
    pub fn s3(region: &str) -> Self {
        let rules = Rules {
            normalize: false,
            escape_again: false,
            content_sha256: true,
            links_sign_body: false,
        };
        Self::with(region, "s3", rules)
    }

    fn with(region: &str, service: &str, rules: Rules) -> Self {
        let inner = ScopeParts {
            region: region.into(),
            service: service.into(),
            suffix: format!("/{region}/{service}/aws4_request").into(),
            keys: Keys::default(),
        };
        Self {
            inner: Arc::new(inner),
            rules,
        }
    }

    /// The same scope, with the path signed without `.`, `..` and empty segments, or as it is. Defaults to
    /// as it is for S3, and without them for all others.
    #[must_use]
    pub fn with_normalized_path(mut self, yes: bool) -> Self {
        self.rules.normalize = yes;
        self
    }

    /// The same scope, with `x-amz-content-sha256` sent and signed, or not. Defaults to yes for S3 and no for
    /// all others.
    #[must_use]
    pub fn with_content_sha256(mut self, yes: bool) -> Self {
        self.rules.content_sha256 = yes;
        self
    }

    /// The region, for example `eu-west-1`.
    pub fn region(&self) -> &str {
        &self.inner.region
    }

    /// The service, for example `s3`.
    pub fn service(&self) -> &str {
        &self.inner.service
    }

    pub(super) fn rules(&self) -> Rules {
        self.rules
    }

    /// Does something with the key of these credentials and this day.
    pub(super) fn with_key<T>(
        &self,
        credentials: &Credentials,
        date: AmzDate,
        work: impl FnOnce(&Arc<Key<Sha256>>) -> T,
    ) -> T {
        let ScopeParts {
            region,
            service,
            keys,
            ..
        } = &*self.inner;
        keys.with(credentials, date.day_bytes(), region, service, work)
    }

    /// Writes `20130524/us-east-1/s3/aws4_request`.
    pub(super) fn push(&self, out: &mut String, date: AmzDate) {
        out.push_str(date.day());
        out.push_str(&self.inner.suffix);
    }

    /// The bytes of it.
    pub(super) fn len(&self) -> usize {
        8 + self.inner.suffix.len()
    }
}

impl PartialEq for Scope {
    fn eq(&self, other: &Self) -> bool {
        self.rules == other.rules
            && (Arc::ptr_eq(&self.inner, &other.inner)
                || (self.inner.region == other.inner.region
                    && self.inner.service == other.inner.service))
    }
}

impl Eq for Scope {}

impl fmt::Debug for Scope {
    /// Leaves out the keys.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope")
            .field("region", &self.inner.region)
            .field("service", &self.inner.service)
            .field("rules", &self.rules)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_equal_that_sign_alike() {
        let scope = Scope::s3("eu-west-1");
        assert_eq!(scope, scope.clone());
        assert_eq!(scope, Scope::s3("eu-west-1"));
        for other in [
            Scope::s3("eu-west-2"),
            Scope::new("eu-west-1", "s3"),
            scope.clone().with_normalized_path(true),
            scope.clone().with_content_sha256(false),
        ] {
            assert_ne!(scope, other);
        }
        let other = Scope::new("eu-west-1", "sdb");
        assert_eq!((other.region(), other.service()), ("eu-west-1", "sdb"));
        assert_eq!(other, Scope::new("eu-west-1", "sdb"));
        assert_ne!(other, Scope::new("eu-west-1", "iam"));
        assert_ne!(other, Scope::new("us-east-1", "sdb"));
    }

    #[test]
    fn debug_shows_no_key() {
        let scope = Scope::s3("eu-west-1");
        let keys = Credentials::new("AKID", "hush");
        let key = scope.with_key(&keys, AmzDate::new(std::time::UNIX_EPOCH), Arc::clone);
        let shown = format!("{scope:?} {key:?}");
        assert!(
            shown.contains("eu-west-1") && !shown.contains("hush"),
            "{shown}"
        );
    }
}
