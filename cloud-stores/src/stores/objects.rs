//! Reading and writing objects of S3.

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use s3_client::ObjectHead;
use s3_client::answer::Objects;
use s3_client::config::CannedAcl;
#[cfg(feature = "cache")]
use s3_client::request::CacheMode;

#[cfg(feature = "cache")]
use super::Reads;
use super::settle::{Settled, Versioned, settled};
use super::{Freshness, Stores};
use crate::error::{Error, Result};
use crate::version::Version;

/// The name of the metadata that has the version of an object (`x-amz-meta-version`).
const VERSION: &str = "version";

/// The most bytes of an object that is kept here: a stanza, a vCard, the lists of a person.
pub(crate) const MAX_DOCUMENT: usize = 4 << 20;

/// How many objects are read at the same time for one action.
const PARALLEL: usize = 32;

/// What is to be stored, and its media type.
#[derive(Clone)]
pub(crate) struct Body {
    bytes: Bytes,
    media_type: &'static str,
    is_public: bool,
}

impl Body {
    pub(crate) fn new(media_type: &'static str, bytes: impl Into<Bytes>) -> Self {
        Self {
            bytes: bytes.into(),
            media_type,
            is_public: false,
        }
    }

    /// The same for everybody to read, by its access control list.
    pub(crate) fn public(mut self) -> Self {
        self.is_public = true;
        self
    }

    pub(crate) fn xml(bytes: impl Into<Bytes>) -> Self {
        Self::new("application/xml", bytes)
    }

    pub(crate) fn json(text: String) -> Self {
        Self::new("application/json", text)
    }

    /// The form of a record, of which nobody else knows what it is.
    pub(crate) fn record(bytes: Bytes) -> Self {
        Self::new("application/octet-stream", bytes)
    }
}

/// Which content of an object a write is to replace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tag {
    etag: String,
    version: Version,
}

#[cfg(test)]
impl Tag {
    /// The tag of nothing, for tests that store nothing.
    pub(crate) fn made_up() -> Self {
        Self {
            etag: String::new(),
            version: Version::read(""),
        }
    }
}

/// An object that was read.
#[derive(Clone)]
pub(crate) struct Document {
    pub(crate) body: Bytes,
    pub(crate) tag: Tag,
}

/// The first of some objects.
pub(crate) struct Portion {
    pub(crate) found: Vec<(String, Document)>,
    /// The keys that come next.
    pub(crate) rest: Vec<String>,
}

impl Versioned for Document {
    fn version(&self) -> &Version {
        &self.tag.version
    }
}

impl Stores {
    /// `PREFIX/STORE/PART/PART…`, with the parts escaped.
    pub(crate) fn key(&self, store: &str, parts: &[&str]) -> String {
        self.0.layout.key(store, parts)
    }

    /// What all keys below `PREFIX/STORE/PART/PART…` begin with.
    pub(crate) fn folder(&self, store: &str, parts: &[&str]) -> String {
        self.0.layout.folder(store, parts)
    }

    /// Reads an object, if it is there.
    pub(crate) async fn get_object(
        &self,
        key: &str,
        freshness: Freshness,
    ) -> Result<Option<Document>> {
        let get = self.0.bucket.get(key).timeout(self.request_time());
        #[cfg(feature = "cache")]
        let get = match (freshness, self.0.reads) {
            // What others have put meanwhile is then there for the next one, too.
            (Freshness::Newest, _) => get.cache(CacheMode::Refresh),
            (Freshness::AsSet, Reads::Cached) => get,
            (Freshness::AsSet | Freshness::Once, _) => get.cache(CacheMode::Past),
        };
        #[cfg(not(feature = "cache"))]
        let _ = freshness;
        let object = match get.await {
            Ok(object) => object,
            Err(error) if is_absent(&error) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let etag = object.head.etag().ok_or_else(no_tag)?.to_owned();
        let version = version_of(&object.head);
        // Of what is larger this crate has written nothing.
        let body = object.body.bytes(MAX_DOCUMENT + (1 << 20)).await?;
        let tag = Tag { etag, version };
        Ok(Some(Document { body, tag }))
    }

    /// Reads many objects, at the same time; those that are not there are left out. They come in the order of the keys.
    pub(crate) async fn get_objects(
        &self,
        keys: Vec<String>,
        freshness: Freshness,
    ) -> Result<Vec<(String, Document)>> {
        Ok(self.get_some(keys, freshness, usize::MAX).await?.found)
    }

    /// As [`get_objects`](Self::get_objects), until the next one would make them more than so many bytes. The first one is
    /// read however large it is, so that asking for the rest, again and again, comes to an end.
    pub(crate) async fn get_some(
        &self,
        mut keys: Vec<String>,
        freshness: Freshness,
        bytes: usize,
    ) -> Result<Portion> {
        let read = stream::iter(keys.clone()).map(async |key| {
            let there = self.get_object(&key, freshness).await?;
            Ok::<_, Error>((key, there))
        });
        let mut read = read.buffered(PARALLEL);
        let (mut found, mut room, mut done) = (Vec::new(), bytes, 0);
        while let Some((key, there)) = read.try_next().await? {
            if let Some(there) = there {
                let size = there.body.len();
                if size > room && !found.is_empty() {
                    break;
                }
                room = room.saturating_sub(size);
                found.push((key, there));
            }
            done += 1;
        }
        drop(read);
        let rest = keys.split_off(done);
        Ok(Portion { found, rest })
    }

    /// Stores an object, whatever is there.
    pub(crate) async fn put_object(&self, key: &str, body: Body) -> Result<()> {
        self.put(key, &body, &Version::unconditional()).await?;
        Ok(())
    }

    /// Stores an object if what is there is still what `before` is of, or if nothing is there where that is nothing.
    ///
    /// # Errors
    /// [`Kind::Conflict`](crate::Kind::Conflict) if the condition does not hold; otherwise as the store fails. A lost
    /// answer is settled.
    pub(crate) async fn put_object_if(
        &self,
        key: &str,
        body: Body,
        before: Option<&Tag>,
    ) -> Result<Tag> {
        let before_version = before.map(|tag| &tag.version);
        let own = Version::after(before_version);
        let put = self.put(key, &body, &own);
        let put = match before {
            Some(tag) => put.if_match(if_match(&tag.etag, self.0.unquoted_if_match)),
            None => put.if_none_match_any(),
        };
        let done = settled(
            || put.clone().send(),
            || self.get_object(key, Freshness::Newest),
            |seen| own.fate(before_version, seen),
        )
        .await?;
        Ok(match done {
            Settled::Answered(stored) => Tag {
                etag: stored.etag().ok_or_else(no_tag)?.to_owned(),
                version: own,
            },
            // What others made of it meanwhile is not what the caller has: a tag that nothing has.
            Settled::Seen(Some(seen)) if seen.tag.version == own => seen.tag,
            Settled::Seen(_) => Tag {
                etag: "\"replaced-meanwhile\"".to_owned(),
                version: own,
            },
        })
    }

    fn put(&self, key: &str, body: &Body, version: &Version) -> s3_client::request::Put {
        let put = self.0.bucket.put(key, body.bytes.clone());
        let put = put.content_type(body.media_type).content_md5(true);
        let put = if body.is_public {
            put.acl(CannedAcl::PublicRead)
        } else {
            put
        };
        put.metadata(VERSION, version.to_string())
            .timeout(self.request_time())
    }

    /// Removes an object, whatever is there.
    pub(crate) async fn delete_object(&self, key: &str) -> Result<()> {
        match self.0.bucket.delete(key).timeout(self.request_time()).await {
            // Not all stores take it for done.
            Err(error) if !is_absent(&error) => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// Removes an object if what is there is still what `tag` is of. Not every store knows conditions on a removal: one
    /// that does not removes what is there.
    ///
    /// # Errors
    /// As [`put_object_if`](Self::put_object_if).
    pub(crate) async fn delete_object_if(&self, key: &str, tag: &Tag) -> Result<()> {
        let etag = if_match(&tag.etag, self.0.unquoted_if_match);
        let delete = self.0.bucket.delete(key).if_match(etag);
        let delete = delete.timeout(self.request_time());
        settled(
            || delete.clone().send(),
            || self.get_object(key, Freshness::Newest),
            |seen| tag.version.fate_of_removal(seen),
        )
        .await?;
        Ok(())
    }

    /// Removes many objects, 1,000 in each request.
    pub(crate) async fn delete_objects(&self, keys: Vec<String>) -> Result<()> {
        if keys.is_empty() {
            return Ok(());
        }
        let delete = self.0.bucket.delete_many(keys).quiet(true);
        let summary = delete.timeout(self.request_time()).await?;
        match summary.failures.into_iter().next() {
            Some((_, error)) => Err(error.into()),
            None => Ok(()),
        }
    }

    /// The keys that begin with this, in their order.
    pub(crate) async fn list_keys(&self, prefix: &str) -> Result<Vec<String>> {
        let objects = self.stream_keys(prefix);
        Ok(objects.map_ok(|object| object.key).try_collect().await?)
    }

    /// The objects whose keys begin with this, in the order of their keys, page after page.
    pub(crate) fn stream_keys(&self, prefix: &str) -> Objects {
        let list = self
            .0
            .bucket
            .list()
            .prefix(prefix)
            .timeout(self.request_time());
        list.objects()
    }
}

/// An entity tag as the store compares it: see
/// [`unquoted_if_match`](super::StoresBuilder::unquoted_if_match).
fn if_match(etag: &str, unquoted: bool) -> &str {
    if unquoted {
        etag.trim_matches('"')
    } else {
        etag
    }
}

/// Whether an object is within the limit.
///
/// # Errors
/// [`Kind::TooLarge`](crate::Kind::TooLarge), with the limit and the value.
pub(crate) fn check_document(what: &str, bytes: usize) -> Result<()> {
    match bytes {
        0..=MAX_DOCUMENT => Ok(()),
        _ => Err(Error::too_large(what, bytes, "bytes", MAX_DOCUMENT)),
    }
}

/// Whether the store says that there is no such object. A bucket that is gone and a page of some proxy are errors.
fn is_absent(error: &aws_core::Error) -> bool {
    error.code() == Some("NoSuchKey")
}

fn version_of(head: &ObjectHead) -> Version {
    Version::read(head.metadata(VERSION).unwrap_or_default())
}

fn no_tag() -> aws_core::Error {
    aws_core::Error::protocol("the store sent no entity tag")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_compared_as_the_store_does() {
        assert_eq!(if_match("\"a1\"", false), "\"a1\"");
        assert_eq!(if_match("\"a1\"", true), "a1");
    }
}
