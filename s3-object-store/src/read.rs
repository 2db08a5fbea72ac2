//! Reading objects.

use std::ops::Range;
use std::time::SystemTime;

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use object_store::path::Path;
use object_store::{
    Error, GetOptions, GetRange, GetResult, GetResultPayload, OBJECT_STORE_COALESCE_DEFAULT,
    ObjectStoreExt as _, Result, coalesce_ranges,
};
use s3_client::ObjectHead;
use s3_client::answer::{Fetched, HeadFetched};
use s3_client::request::Get;

use crate::convert;
use crate::error::{any, at};
use crate::store::S3Store;

fn unchanged(path: &Path) -> Error {
    Error::NotModified {
        path: path.to_string(),
        source: "the store says that it has not changed".into(),
    }
}

impl S3Store {
    pub(crate) async fn read(&self, path: &Path, options: GetOptions) -> Result<GetResult> {
        if options.head {
            return self.look(path, options).await;
        }
        let mut get = self.bucket.get(path.as_ref()).resumes(self.resumes);
        if let Some(version) = options.version {
            get = get.version(version);
        }
        if let Some(tag) = options.if_match {
            get = get.if_match(tag);
        }
        if let Some(time) = options.if_unmodified_since {
            get = get.if_unmodified_since(SystemTime::from(time));
        }
        if let Some(range) = &options.range {
            get = ranged(get, range)?;
        }
        let fetched = match (options.if_none_match, options.if_modified_since) {
            (None, None) => get.await.map(Fetched::Object),
            (Some(tag), None) => get.if_none_match(tag).await,
            (None, Some(time)) => get.if_modified_since(SystemTime::from(time)).await,
            (Some(tag), Some(time)) => {
                let get = get.if_none_match(tag);
                get.if_modified_since(SystemTime::from(time)).await
            }
        };
        let object = match fetched.map_err(|e| at(path, e))? {
            Fetched::Object(object) => object,
            Fetched::NotModified(_) => return Err(unchanged(path)),
        };
        let meta = convert::read(path, &object.head)?;
        let range = object.head.range().unwrap_or(0..meta.size);
        let attributes = convert::attributes(&object.head);
        let at_path = path.clone();
        let body = object.body.map_err(move |e| at(&at_path, e)).boxed();
        Ok(GetResult {
            payload: GetResultPayload::Stream(body),
            meta,
            range,
            attributes,
            extensions: Default::default(),
        })
    }

    /// Reads what is known of an object only.
    async fn look(&self, path: &Path, options: GetOptions) -> Result<GetResult> {
        let mut head = self.bucket.head(path.as_ref());
        if let Some(version) = options.version {
            head = head.version(version);
        }
        if let Some(tag) = options.if_match {
            head = head.if_match(tag);
        }
        if let Some(time) = options.if_unmodified_since {
            head = head.if_unmodified_since(SystemTime::from(time));
        }
        let found = match (options.if_none_match, options.if_modified_since) {
            (None, None) => head.await.map(HeadFetched::Head),
            (Some(tag), None) => head.if_none_match(tag).await,
            (None, Some(time)) => head.if_modified_since(SystemTime::from(time)).await,
            (Some(tag), Some(time)) => {
                let head = head.if_none_match(tag);
                head.if_modified_since(SystemTime::from(time)).await
            }
        };
        let head: ObjectHead = match found.map_err(|e| at(path, e))? {
            HeadFetched::Head(head) => head,
            HeadFetched::NotModified(_) => return Err(unchanged(path)),
        };
        let meta = convert::read(path, &head)?;
        Ok(GetResult {
            payload: GetResultPayload::Stream(stream::empty().boxed()),
            range: 0..meta.size,
            attributes: convert::attributes(&head),
            meta,
            extensions: Default::default(),
        })
    }

    pub(crate) async fn read_ranges(
        &self,
        path: &Path,
        ranges: &[Range<u64>],
    ) -> Result<Vec<Bytes>> {
        let fetch = |range| self.get_range(path, range);
        coalesce_ranges(ranges, fetch, OBJECT_STORE_COALESCE_DEFAULT).await
    }
}

fn ranged(get: Get, range: &GetRange) -> Result<Get> {
    match range {
        GetRange::Bounded(range) if range.start >= range.end => Err(any(format!(
            "the range {} to {} is empty",
            range.start, range.end
        ))),
        GetRange::Bounded(range) => Ok(get.range(range.clone())),
        GetRange::Offset(start) => Ok(get.range(*start..)),
        GetRange::Suffix(bytes) => Ok(get.last(*bytes)),
    }
}
