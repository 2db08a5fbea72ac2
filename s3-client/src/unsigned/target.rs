//! What a request is about, and the path and query that say so.

use std::sync::Arc;

use aws_sigv2::escape;

use crate::bucket::Bucket;
use crate::client::S3Client;
use crate::route::push_bucket;

/// What a request is about: bucket and key as they were given, which are encoded where the request is written. Nothing has
/// to be decoded to know them, and no string of them is kept beside the request.
pub(super) struct Target {
    about: About,
    key: Option<String>,
    /// The parameters, percent-encoded, as they stand behind the question mark; empty where there are none.
    query: String,
}

/// The service or a bucket, with the client that a request about it goes by.
#[derive(Clone)]
enum About {
    Service(S3Client),
    Bucket(Bucket),
}

impl Target {
    /// The service itself, for requests that concern no bucket.
    pub(super) fn service(client: S3Client) -> Self {
        Self::of(About::Service(client), None)
    }

    /// A bucket, or an object in it.
    #[inline]
    pub(super) fn within(bucket: Bucket, key: Option<String>) -> Self {
        Self::of(About::Bucket(bucket), key)
    }

    #[inline]
    fn of(about: About, key: Option<String>) -> Self {
        Self {
            about,
            key,
            query: String::new(),
        }
    }

    /// The same once more.
    pub(super) fn again(&self) -> Self {
        Self {
            about: self.about.clone(),
            key: self.key.clone(),
            query: self.query.clone(),
        }
    }

    /// The bucket alone.
    pub(super) fn bucket_root(&self) -> Option<Self> {
        Some(Self::within(self.bucket()?.clone(), None))
    }

    /// Adds a parameter, whose value is percent-encoded.
    pub(super) fn query(&mut self, name: &str, value: &str) {
        self.flag(name);
        self.query.push('=');
        escape::push_component(&mut self.query, value);
    }

    /// Adds a sub-resource, which has a name only.
    pub(super) fn flag(&mut self, name: &str) {
        if !self.query.is_empty() {
            self.query.push('&');
        }
        self.query.push_str(name);
    }

    /// About how many bytes it has as it is sent.
    #[inline]
    pub(super) fn room(&self) -> usize {
        let key = self.key.as_ref().map_or(0, |key| key.len() + key.len() / 4);
        let in_front = match &self.about {
            About::Service(client) => client.endpoint().path().len() + 1,
            About::Bucket(bucket) => bucket.path().len(),
        };
        in_front + key + self.query.len() + 1
    }

    /// Appends the path, percent-encoded, as it is at the bucket's own place, or at another that names the bucket in its
    /// host or does not.
    #[inline]
    pub(super) fn push_path(&self, out: &mut String, bucket_in_host: Option<bool>) {
        match (&self.about, bucket_in_host) {
            (About::Bucket(bucket), None) => out.push_str(bucket.path()),
            (About::Bucket(bucket), Some(in_host)) => {
                let named = bucket.name();
                push_bucket(out, self.prefix(), (!in_host).then_some(named));
            }
            (About::Service(_), _) => push_bucket(out, self.prefix(), None),
        }
        if let Some(key) = &self.key {
            escape::push_path(out, key);
        }
    }

    /// Appends the question mark and the parameters, where there are any.
    #[inline]
    pub(super) fn push_query(&self, out: &mut String) {
        if !self.query.is_empty() {
            out.push('?');
            out.push_str(&self.query);
        }
    }

    fn prefix(&self) -> &str {
        self.client().endpoint().path()
    }

    /// What is behind the question mark, percent-encoded; empty where there is no query.
    pub(super) fn parameters(&self) -> &str {
        &self.query
    }

    /// The client that the request goes by.
    #[inline]
    pub(super) fn client(&self) -> &S3Client {
        match &self.about {
            About::Service(client) => client,
            About::Bucket(bucket) => bucket.client(),
        }
    }

    /// The bucket that the request is about.
    #[inline]
    pub(super) fn bucket(&self) -> Option<&Bucket> {
        match &self.about {
            About::Service(_) => None,
            About::Bucket(bucket) => Some(bucket),
        }
    }

    /// The name of that bucket.
    #[inline]
    pub(super) fn bucket_name(&self) -> Option<&Arc<str>> {
        self.bucket().map(Bucket::shared_name)
    }

    /// The key of the object.
    #[inline]
    pub(super) fn key(&self) -> Option<&str> {
        self.key.as_deref()
    }

    /// The key of the object, owned.
    pub(super) fn take_key(&mut self) -> Option<String> {
        self.key.take()
    }
}
