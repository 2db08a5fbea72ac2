//! What is asked of the store for single tasks.

use std::sync::Arc;

use bytes::Bytes;
use s3_client::{Body, Bucket, Source};
use sha2::{Digest as _, Sha256};

use super::content::{SMALL, check_unchanged};
use super::options::Options;
use super::task::{ObjectSide, Task};
use super::under_way::Portion;
use crate::digest::Digest;
use crate::error::{Error, Kind, Result};
use crate::filter::media_type;
use crate::step::Steps;
use crate::tree::Tree;
use crate::url::Url;

/// How often a body that was cut goes on.
const RESUMES: u32 = 5;
/// A prefix of a bucket, and how objects in it are made.
#[derive(Clone)]
pub(crate) struct Store {
    pub(crate) bucket: Bucket,
    pub(crate) url: Url,
    pub(crate) options: Arc<Options>,
    pub(crate) steps: Steps,
}

impl Store {
    /// Stores a file; the answer is the tag of the object.
    pub(crate) async fn upload(
        &self,
        tree: &Tree,
        task: &mut Task,
        portion: Portion,
    ) -> Result<String> {
        let Some(file) = task.file.clone() else {
            return Err(Error::new(Kind::Content, &*task.key, "there is no file"));
        };
        let key = self.url.key(&task.key);
        self.steps.tell("put", &key);
        let options = &self.options;
        let content_type = media_type(&options.content_type, &task.key);
        let cache_control = options.cache_control.value(&task.key);
        let content_encoding = options.content_encoding.value(&task.key);
        let etag = match task.content.take() {
            Some(content) => {
                let mut put = self.bucket.put(key, content);
                if let Some(value) = content_type {
                    put = put.content_type(value);
                }
                if let Some(value) = cache_control {
                    put = put.cache_control(value);
                }
                if let Some(value) = content_encoding {
                    put = put.content_encoding(value);
                }
                put.send().await?.etag().map(str::to_owned)
            }
            None => {
                let path = tree.path(&task.key);
                let mut upload = self.bucket.upload(key, Source::file(&path));
                upload = upload.verify(!options.trust.opaque_etags);
                upload = upload.progress(move |done| portion.reach(done.bytes));
                if let Some(value) = content_type {
                    upload = upload.content_type(value);
                }
                if let Some(value) = cache_control {
                    upload = upload.cache_control(value);
                }
                if let Some(value) = content_encoding {
                    upload = upload.content_encoding(value);
                }
                let uploaded = upload.send().await?;
                let (path, key) = (tree.clone(), task.key.clone());
                blocking(move || check_unchanged(&path, &key, &file.stamp)).await?;
                uploaded.etag().map(str::to_owned)
            }
        };
        Ok(crate::etag::bare(etag.as_deref().unwrap_or_default()).to_owned())
    }

    /// Fetches a small object.
    pub(crate) async fn fetch(&self, object: &ObjectSide) -> Result<Bytes> {
        let key = self.url.key(&object.key);
        // Without the index the client compares with the tag, where that is a digest, and with what the store keeps.
        let verify = object.told.is_none() && !self.options.trust.opaque_etags;
        let get = self.bucket.get(key).verify(verify).resumes(RESUMES);
        let found = get.send().await?;
        check_tag(object, found.head.etag())?;
        let limit = usize::try_from(SMALL).unwrap_or(usize::MAX);
        let bytes = found.body.bytes(limit).await?;
        check_size(object, bytes.len() as u64)?;
        Ok(bytes)
    }

    /// Begins to read an object.
    pub(crate) async fn read(&self, object: &ObjectSide) -> Result<Reading> {
        let key = self.url.key(&object.key);
        let verify = object.told.is_none() && !self.options.trust.opaque_etags;
        let get = self.bucket.get(key).verify(verify).resumes(RESUMES);
        let found = get.send().await?;
        check_tag(object, found.head.etag())?;
        Ok(Reading {
            body: found.body,
            sha: Sha256::new(),
            len: 0,
        })
    }
}

/// An object that is read piece by piece.
pub(crate) struct Reading {
    body: Body,
    sha: Sha256,
    len: u64,
}

impl Reading {
    /// The next piece; nothing at the end.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>> {
        let piece = self.body.chunk().await.transpose()?;
        if let Some(piece) = &piece {
            self.len += piece.len() as u64;
            self.sha.update(piece);
        }
        Ok(piece)
    }

    /// The digest of what was read, which must be all of it, and what the index tells.
    pub(crate) fn finish(self, object: &ObjectSide) -> Result<Digest> {
        check_size(object, self.len)?;
        let found = Digest::from_bytes(self.sha.finalize().into());
        check_digest(object, found)?;
        Ok(found)
    }
}

/// Whether an answer is of the object that was listed.
pub(crate) fn check_tag(object: &ObjectSide, etag: Option<&str>) -> Result<()> {
    match etag.map(crate::etag::bare) {
        Some(etag) if etag != object.etag && !object.etag.is_empty() => Err(Error::new(
            Kind::Changed,
            &*object.key,
            "the object was replaced since it was listed",
        )),
        _ => Ok(()),
    }
}

fn check_size(object: &ObjectSide, len: u64) -> Result<()> {
    match len == object.size {
        true => Ok(()),
        false => Err(Error::new(
            Kind::Content,
            &*object.key,
            format!(
                "the object has {len} bytes, and was listed with {}",
                object.size
            ),
        )),
    }
}

/// Whether a content is the one that the index tells of.
pub(crate) fn check_digest(object: &ObjectSide, found: Digest) -> Result<()> {
    match object.told {
        Some(told) if told.sha != found => Err(Error::new(
            Kind::Content,
            &*object.key,
            format!(
                "the object has the SHA-256 {found}, and the index says {}",
                told.sha
            ),
        )),
        _ => Ok(()),
    }
}

/// Runs something that may wait for a disk.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(ended) => match ended.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Err(Error::new(
                Kind::Stopped,
                "",
                "the runtime is shutting down",
            )),
        },
    }
}
