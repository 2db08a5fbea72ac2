//! Values as objects of S3.

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use s3_client::{Bucket, Error, Object, Result};

use crate::{Found, Key, Status, Tag, When, escape, foreign, parse};

#[derive(Clone)]
pub(crate) struct S3 {
    pub(crate) bucket: Bucket,
}

impl S3 {
    pub(crate) async fn put(&self, name: String, value: Bytes, when: When<'_>) -> Result<Tag> {
        // The digest has the store check what arrived.
        let put = self.bucket.put(name, value).content_md5(true);
        let put = match when {
            When::Always => put,
            When::Absent => put.if_none_match_any(),
            When::Is(tag) => put.if_match(tag.0.as_str()),
        };
        let stored = put.await?;
        stored.etag().map(tag).ok_or_else(no_tag)
    }

    pub(crate) async fn get(&self, name: String, most: usize) -> Result<Option<(Bytes, Tag)>> {
        let object = match self.bucket.get(name).await {
            Ok(object) => object,
            Err(error) if is_absent(&error) => return Ok(None),
            Err(error) => return Err(error),
        };
        let tag = object.head.etag().map(tag).ok_or_else(no_tag)?;
        Ok(Some((object.body.bytes(most).await?, tag)))
    }

    pub(crate) async fn delete(&self, name: String) -> Result<()> {
        match self.bucket.delete(name).await {
            // Not all stores take it for done.
            Err(error) if !is_absent(&error) => Err(error),
            _ => Ok(()),
        }
    }

    pub(crate) fn buckets(&self, prefix: String) -> Found<Vec<u8>> {
        let start = prefix.len();
        let pages = self.bucket.list().prefix(prefix).delimiter("/").pages();
        let names = pages.map_ok(|page| stream::iter(page.prefixes.into_iter().map(Ok)));
        Found::new(names.try_flatten().and_then(move |name: String| {
            let name = name.get(start..).and_then(|name| name.strip_suffix('/'));
            let name = name.and_then(escape::unescape);
            std::future::ready(name.ok_or_else(|| foreign("its bucket is not encoded")))
        }))
    }

    pub(crate) fn keys(&self, prefix: String) -> Found<Key> {
        let objects = self.bucket.list().prefix(prefix).objects();
        Found::new(objects.and_then(async |object| parse(&object.key)))
    }

    pub(crate) fn values(&self, prefix: String, most: usize) -> Found<(Key, Bytes)> {
        let listed = self.bucket.list().prefix(prefix).get_many().results();
        Found::new(listed.filter_map(move |listed| async move {
            let (info, object) = match listed {
                Ok(listed) => listed,
                Err(error) => return Some(Err(error)),
            };
            match object {
                Ok(object) => Some(read(&info.key, object, most).await),
                // Removed since it was listed.
                Err(error) if is_absent(&error) => None,
                Err(error) => Some(Err(error)),
            }
        }))
    }

    pub(crate) async fn clear(&self, prefix: String) -> Result<()> {
        let summary = self.bucket.purge().prefix(prefix).await?;
        match summary.failures.into_iter().next() {
            Some((_, error)) => Err(error),
            None => Ok(()),
        }
    }

    pub(crate) async fn is_empty(&self, prefix: String) -> Result<bool> {
        self.bucket.is_empty().prefix(prefix).await
    }

    pub(crate) async fn status(&self, prefix: String) -> Result<Status> {
        let mut objects = self.bucket.list().prefix(prefix).objects();
        let (mut status, mut bytes, mut last) = (Status::default(), 0u64, None);
        while let Some(object) = objects.try_next().await? {
            // Those of one bucket stand together.
            let bucket = Some(parse(&object.key)?.bucket);
            status.buckets += u64::from(bucket != last);
            last = bucket;
            status.keys += 1;
            bytes = bytes.saturating_add(object.size);
        }
        status.bytes = Some(bytes);
        Ok(status)
    }
}

async fn read(name: &str, object: Object, most: usize) -> Result<(Key, Bytes)> {
    Ok((parse(name)?, object.body.bytes(most).await?))
}

/// Whether the store says that there is no such value. A bucket that is gone and a page of some proxy are errors.
fn is_absent(error: &Error) -> bool {
    error.code() == Some("NoSuchKey")
}

fn tag(etag: &str) -> Tag {
    Tag(etag.to_owned())
}

fn no_tag() -> Error {
    Error::protocol("the store sent no entity tag")
}
