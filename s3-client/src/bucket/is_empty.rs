//! Asking whether a bucket is empty: [`Bucket::is_empty`].

use aws_core::{Result, awaitable};

use crate::bucket::Bucket;
use crate::request::options::Options;

/// A question whether there is nothing in a bucket; made by [`Bucket::is_empty`].
#[must_use = "nothing is sent until this is awaited"]
#[derive(Clone, Debug)]
pub struct IsEmpty {
    bucket: Bucket,
    prefix: Option<String>,
    versions: bool,
    options: Options,
}

impl Bucket {
    /// Asks whether there is no object in the bucket.
    pub fn is_empty(&self) -> IsEmpty {
        IsEmpty {
            bucket: self.clone(),
            prefix: None,
            versions: false,
            options: Options::default(),
        }
    }
}

impl IsEmpty {
    /// Looks only at keys that begin with this. Defaults to all.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = Some(prefix.into());
        self
    }

    /// Whether old versions and delete markers count too, without which a bucket cannot be removed. Defaults to no.
    pub fn versions(mut self, yes: bool) -> Self {
        self.versions = yes;
        self
    }

    /// Sends it: a listing of one, and more only while a store answers with empty pages.
    ///
    /// # Errors
    /// [`is_not_found`](crate::Error::is_not_found) when there is no such bucket; otherwise as sending and the
    /// store say.
    pub async fn send(self) -> Result<bool> {
        let prefix = self.prefix.unwrap_or_default();
        if self.versions {
            let list = self.bucket.list_versions().options(self.options);
            let list = list.prefix(prefix).page_size(1);
            return Ok(list.versions().try_next().await?.is_none());
        }
        let list = self.bucket.list().options(self.options);
        let list = list.prefix(prefix).page_size(1);
        Ok(list.objects().try_next().await?.is_none())
    }
}

options!(IsEmpty);
awaitable!(IsEmpty, bool);
