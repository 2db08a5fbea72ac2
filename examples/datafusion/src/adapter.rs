//! A store of `object_store` 0.14 as one of 0.13, which is what DataFusion 55 takes.
//!
//! It reads and lists, which is all that a query asks for; the rest is answered as not implemented. Once DataFusion takes the
//! version that `s3-object-store` has, this file can go, and `S3Store` is registered as it is.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::object_store as old;
use futures_util::stream::{self, BoxStream};
use futures_util::{StreamExt, TryStreamExt};
use object_store as new;
use old::path::Path;

/// The store that DataFusion is given.
#[derive(Debug)]
pub(crate) struct Adapter(pub(crate) Arc<dyn new::ObjectStore>);

impl fmt::Display for Adapter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

fn path(path: &Path) -> Result<new::path::Path, old::Error> {
    new::path::Path::parse(path.as_ref()).map_err(|error| generic(error.into()))
}

fn generic(source: Box<dyn std::error::Error + Send + Sync>) -> old::Error {
    let store = "S3";
    old::Error::Generic { store, source }
}

fn error(error: new::Error) -> old::Error {
    let source = Box::new;
    match error {
        new::Error::NotFound { ref path, .. } => old::Error::NotFound {
            path: path.clone(),
            source: source(error),
        },
        new::Error::Precondition { ref path, .. } => old::Error::Precondition {
            path: path.clone(),
            source: source(error),
        },
        new::Error::NotModified { ref path, .. } => old::Error::NotModified {
            path: path.clone(),
            source: source(error),
        },
        other => generic(other.into()),
    }
}

fn meta(meta: new::ObjectMeta) -> Result<old::ObjectMeta, old::Error> {
    Ok(old::ObjectMeta {
        location: Path::parse(meta.location.as_ref())?,
        last_modified: meta.last_modified,
        size: meta.size,
        e_tag: meta.e_tag,
        version: meta.version,
    })
}

fn range(range: old::GetRange) -> new::GetRange {
    match range {
        old::GetRange::Bounded(range) => new::GetRange::Bounded(range),
        old::GetRange::Offset(start) => new::GetRange::Offset(start),
        old::GetRange::Suffix(bytes) => new::GetRange::Suffix(bytes),
    }
}

fn missing(operation: &str) -> old::Error {
    old::Error::NotImplemented {
        operation: operation.to_owned(),
        implementer: "the adapter of this example".to_owned(),
    }
}

#[async_trait]
impl old::ObjectStore for Adapter {
    async fn put_opts(
        &self,
        _: &Path,
        _: old::PutPayload,
        _: old::PutOptions,
    ) -> old::Result<old::PutResult> {
        Err(missing("put"))
    }

    async fn put_multipart_opts(
        &self,
        _: &Path,
        _: old::PutMultipartOptions,
    ) -> old::Result<Box<dyn old::MultipartUpload>> {
        Err(missing("an upload in parts"))
    }

    async fn get_opts(&self, at: &Path, options: old::GetOptions) -> old::Result<old::GetResult> {
        let wanted = new::GetOptions {
            if_match: options.if_match,
            if_none_match: options.if_none_match,
            if_modified_since: options.if_modified_since,
            if_unmodified_since: options.if_unmodified_since,
            range: options.range.map(range),
            version: options.version,
            head: options.head,
            ..Default::default()
        };
        let found = self.0.get_opts(&path(at)?, wanted).await.map_err(error)?;
        let (about, bytes) = (meta(found.meta.clone())?, found.range.clone());
        let body = found.into_stream().map_err(error).boxed();
        Ok(old::GetResult {
            payload: old::GetResultPayload::Stream(body),
            meta: about,
            range: bytes,
            attributes: old::Attributes::new(),
        })
    }

    async fn get_ranges(&self, at: &Path, ranges: &[Range<u64>]) -> old::Result<Vec<bytes::Bytes>> {
        self.0.get_ranges(&path(at)?, ranges).await.map_err(error)
    }

    fn delete_stream(
        &self,
        _: BoxStream<'static, old::Result<Path>>,
    ) -> BoxStream<'static, old::Result<Path>> {
        stream::once(async { Err(missing("delete")) }).boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, old::Result<old::ObjectMeta>> {
        let prefix = match prefix.map(path).transpose() {
            Ok(prefix) => prefix,
            Err(error) => return stream::once(async { Err(error) }).boxed(),
        };
        let list = self.0.list(prefix.as_ref());
        list.map(|found| meta(found.map_err(error)?)).boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> old::Result<old::ListResult> {
        let prefix = prefix.map(path).transpose()?;
        let found = self
            .0
            .list_with_delimiter(prefix.as_ref())
            .await
            .map_err(error)?;
        let prefixes = found.common_prefixes.iter();
        let prefixes = prefixes.map(|prefix| Path::parse(prefix.as_ref()));
        Ok(old::ListResult {
            common_prefixes: prefixes.collect::<Result<_, _>>()?,
            objects: found
                .objects
                .into_iter()
                .map(meta)
                .collect::<Result<_, _>>()?,
        })
    }

    async fn copy_opts(&self, _: &Path, _: &Path, _: old::CopyOptions) -> old::Result<()> {
        Err(missing("copy"))
    }
}
