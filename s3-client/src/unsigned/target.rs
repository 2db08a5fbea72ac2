//! What a request is about, and the path and query that say so.

use std::sync::Arc;

use aws_sigv2::escape;

/// Room for the query of a request about a bucket, in bytes: most are listings.
const QUERY_ROOM: usize = 64;

/// The target of a request: bucket and key as they were given, beside the path and query in which they are encoded.
/// Nothing has to be decoded to know what a request is about.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Target {
    bucket: Option<Arc<str>>,
    key: Option<String>,
    /// Whether the host names the bucket, so that the path does not and the signature must.
    bucket_in_host: bool,
    /// The bytes of the endpoint's own path, which comes first.
    prefix_len: usize,
    /// The path and the query are percent-encoded.
    encoded: String,
    /// The bytes of the path.
    path_len: usize,
}

impl Target {
    /// The service itself, for requests that concern no bucket, below the endpoint's path.
    pub(super) fn service(prefix: &str) -> Self {
        Self {
            bucket: None,
            key: None,
            bucket_in_host: false,
            prefix_len: prefix.len(),
            encoded: format!("{prefix}/"),
            path_len: prefix.len() + 1,
        }
    }

    /// A bucket, or an object in it, below the endpoint's path.
    pub(super) fn within(
        prefix: &str,
        bucket: Arc<str>,
        key: Option<String>,
        bucket_in_host: bool,
    ) -> Self {
        let room = match &key {
            Some(key) => key.len() + key.len() / 4 + 16,
            None => QUERY_ROOM,
        };
        let mut encoded = String::with_capacity(prefix.len() + bucket.len() + 2 + room);
        encoded.push_str(prefix);
        encoded.push('/');
        if !bucket_in_host {
            // Of what a legal name is made of only the colon behind a tenant needs an escape.
            if bucket.as_bytes().contains(&b':') {
                escape::push_component(&mut encoded, &bucket);
            } else {
                encoded.push_str(&bucket);
            }
            encoded.push('/');
        }
        if let Some(key) = &key {
            escape::push_path(&mut encoded, key);
        }
        Self {
            prefix_len: prefix.len(),
            path_len: encoded.len(),
            encoded,
            bucket: Some(bucket),
            key,
            bucket_in_host,
        }
    }

    /// The same at a place that names the bucket in its host, or in the path.
    pub(super) fn moved(&self, bucket_in_host: bool) -> Self {
        let prefix = &self.encoded[..self.prefix_len];
        let mut moved = match &self.bucket {
            Some(bucket) => Self::within(prefix, bucket.clone(), self.key.clone(), bucket_in_host),
            None => Self::service(prefix),
        };
        moved.encoded.push_str(&self.encoded[self.path_len..]);
        moved
    }

    /// The bucket alone, named in the same way.
    pub(super) fn bucket_root(&self) -> Option<Self> {
        let prefix = &self.encoded[..self.prefix_len];
        let bucket = self.bucket.clone()?;
        Some(Self::within(prefix, bucket, None, self.bucket_in_host))
    }

    /// Adds a parameter, whose value is percent-encoded.
    pub(super) fn query(&mut self, name: &str, value: &str) {
        self.flag(name);
        self.encoded.push('=');
        escape::push_component(&mut self.encoded, value);
    }

    /// Adds a sub-resource, which has a name only.
    pub(super) fn flag(&mut self, name: &str) {
        let first = self.encoded.len() == self.path_len;
        self.encoded.push(if first { '?' } else { '&' });
        self.encoded.push_str(name);
    }

    /// The path and the query, percent-encoded.
    pub(super) fn encoded(&self) -> &str {
        &self.encoded
    }

    /// The path, percent-encoded.
    pub(super) fn path(&self) -> &str {
        &self.encoded[..self.path_len]
    }

    /// What is behind the question mark, percent-encoded; empty where there is no query.
    pub(super) fn parameters(&self) -> &str {
        self.encoded.get(self.path_len + 1..).unwrap_or_default()
    }

    /// The bucket that the request is about.
    pub(super) fn bucket(&self) -> Option<&Arc<str>> {
        self.bucket.as_ref()
    }

    /// The bucket, where the host names it and the path does not.
    pub(super) fn bucket_of_host(&self) -> Option<&str> {
        self.bucket.as_deref().filter(|_| self.bucket_in_host)
    }

    /// The key of the object.
    pub(super) fn key(&self) -> Option<&str> {
        self.key.as_deref()
    }

    /// The key of the object, owned.
    pub(super) fn into_key(self) -> Option<String> {
        self.key
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn target(bucket: &str, key: Option<&str>, bucket_in_host: bool) -> Target {
        Target::within("", bucket.into(), key.map(str::to_owned), bucket_in_host)
    }

    #[test]
    fn targets_are_encoded() {
        let mut root = target("johnsmith", None, false);
        assert_eq!((root.encoded(), root.parameters()), ("/johnsmith/", ""));
        root.query("prefix", "a/b c&d=\u{e9}");
        root.query("list-type", "2");
        root.flag("acl");
        let query = "prefix=a%2Fb%20c%26d%3D%C3%A9&list-type=2&acl";
        assert_eq!(root.encoded(), format!("/johnsmith/?{query}"));
        assert_eq!((root.path(), root.parameters()), ("/johnsmith/", query));
        for (key, path) in [
            ("a b+c?d", "/johnsmith/a%20b%2Bc%3Fd"),
            ("//x/", "/johnsmith///x/"),
            ("..", "/johnsmith/.."),
        ] {
            assert_eq!(target("johnsmith", Some(key), false).encoded(), path);
        }
    }

    #[test]
    fn the_bucket_of_a_tenant_is_encoded() {
        let object = target("tenant:photos", Some("a:b"), false);
        assert_eq!(object.encoded(), "/tenant%3Aphotos/a%3Ab");
        assert_eq!(
            target("tenant:photos", None, false).encoded(),
            "/tenant%3Aphotos/"
        );
    }

    #[test]
    fn the_path_of_the_endpoint_comes_first() {
        let below =
            |in_host| Target::within("/v1/s3", "johnsmith".into(), Some("a b".into()), in_host);
        assert_eq!(below(false).path(), "/v1/s3/johnsmith/a%20b");
        assert_eq!(below(true).path(), "/v1/s3/a%20b");
        assert_eq!(below(false).moved(true), below(true));
        let service = Target::service("/v1/s3");
        assert_eq!(
            (service.path(), service.moved(false)),
            ("/v1/s3/", Target::service("/v1/s3"))
        );
    }

    #[test]
    fn a_request_about_no_bucket_is_moved_as_it_is() {
        let mut service = Target::service("");
        service.query("marker", "a");
        for in_host in [false, true] {
            let moved = service.moved(in_host);
            assert_eq!((moved.encoded(), moved.key()), ("/?marker=a", None));
        }
    }

    proptest! {
        /// What a request is about is what was asked for, wherever it goes.
        #[test]
        fn bucket_and_key_stay_what_they_were(
            bucket in "([a-z0-9]{1,9}:)?[a-z0-9.-]{3,12}",
            key in proptest::option::of(".{1,20}"),
            query in proptest::option::of(".{0,9}"),
            in_host in any::<bool>(),
        ) {
            let mut there = target(&bucket, key.as_deref(), in_host);
            if let Some(value) = &query {
                there.query("versionId", value);
            }
            let elsewhere = there.moved(!in_host);
            for target in [&there, &elsewhere] {
                prop_assert_eq!(target.bucket().map(|name| &**name), Some(&*bucket));
                prop_assert_eq!(target.key(), key.as_deref());
                prop_assert_eq!(target.parameters(), there.parameters());
            }
            let of_host = there.bucket_of_host().or(elsewhere.bucket_of_host());
            prop_assert_eq!(of_host, Some(&*bucket));
            prop_assert_eq!(elsewhere.moved(in_host), there);
        }
    }
}
