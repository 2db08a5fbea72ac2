//! Putting and removing objects.

use std::collections::HashMap;

use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};
use object_store::path::Path;
use object_store::{Error, PutMode, PutOptions, PutPayload, PutResult, Result};
use s3_client::Source;
use s3_client::answer::Class;

use crate::convert::described;
use crate::error::{any, at, missing};
use crate::store::S3Store;

/// How many objects one request removes.
const BATCH: usize = 1000;

pub(crate) fn source(payload: PutPayload) -> Source {
    Source::pieces(payload)
}

/// The error of a conditional write. One that other writes of the same object were in the way of to the end has met
/// another object than its condition says.
fn failed(location: &Path, source: s3_client::Error) -> Error {
    if source.class() == Class::Conflict {
        return Error::Precondition {
            path: location.to_string(),
            source: source.into(),
        };
    }
    at(location, source)
}

impl S3Store {
    pub(crate) async fn put_one(
        &self,
        location: &Path,
        payload: PutPayload,
        opts: PutOptions,
    ) -> Result<PutResult> {
        let put = self.bucket.put(location.as_ref(), source(payload));
        let mut put = described(put, &opts.attributes, &opts.tags)?.content_md5(self.content_md5);
        if let Some(checksum) = self.checksum {
            put = put.checksum(checksum);
        }
        let stored = match opts.mode {
            PutMode::Overwrite => put.await.map_err(|e| at(location, e)),
            PutMode::Create => {
                let put = put.if_none_match_any().await;
                put.map_err(|e| match failed(location, e) {
                    Error::Precondition { path, source } => Error::AlreadyExists { path, source },
                    other => other,
                })
            }
            PutMode::Update(_) if !self.updates => {
                return Err(missing("replacing a given version"));
            }
            PutMode::Update(version) => {
                let tag = version.e_tag.ok_or_else(|| {
                    any("an update needs the entity tag of the object that it replaces")
                })?;
                let put = put.if_match(tag).await;
                put.map_err(|e| match failed(location, e) {
                    // What is gone is not what it was.
                    Error::NotFound { path, source } => Error::Precondition { path, source },
                    other => other,
                })
            }
        }?;
        Ok(PutResult {
            e_tag: stored.etag().map(str::to_owned),
            version: stored.version_id().map(str::to_owned),
            extensions: Default::default(),
        })
    }

    pub(crate) fn remove_all(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        let store = self.clone();
        locations
            .chunks(BATCH)
            .then(move |batch| {
                let store = store.clone();
                async move { stream::iter(store.remove(batch).await) }
            })
            .flatten()
            .boxed()
    }

    /// Removes some objects; what became of each in their order.
    async fn remove(&self, batch: Vec<Result<Path>>) -> Vec<Result<Path>> {
        let keys: Vec<String> = batch
            .iter()
            .flatten()
            .map(|path| path.as_ref().to_owned())
            .collect();
        let results = if let [key] = keys.as_slice() {
            let outcome = self.bucket.delete(key).await.map(drop);
            HashMap::from([(key.clone(), outcome)])
        } else {
            let removing = self.bucket.delete_many(keys).results();
            removing
                .map(|(id, outcome)| (id.key, outcome.map(drop)))
                .collect()
                .await
        };
        let became = |path: Path| match results.get(path.as_ref()) {
            Some(Ok(())) => Ok(path),
            Some(Err(error)) => Err(at(&path, error.clone())),
            None => Err(any(format!("nothing is known of what became of {path}"))),
        };
        batch
            .into_iter()
            .map(|path| path.and_then(became))
            .collect()
    }
}
