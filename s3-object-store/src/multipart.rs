//! Uploads in parts.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use object_store::multipart::{MultipartStore, PartId};
use object_store::path::Path;
use object_store::{
    MultipartId, MultipartUpload, PutMultipartOptions, PutPayload, PutResult, Result, UploadPart,
};
use s3_client::Part;

use crate::convert::described;
use crate::error::{any, at};
use crate::store::S3Store;
use crate::write::source;

/// An upload and what of it has arrived, by number.
#[derive(Debug)]
struct Upload {
    path: Path,
    upload: s3_client::MultipartUpload,
    parts: Arc<Mutex<Vec<Option<Part>>>>,
}

impl S3Store {
    pub(crate) async fn begin(
        &self,
        path: &Path,
        opts: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        Ok(Box::new(Upload {
            upload: self.create(path, opts).await?,
            path: path.clone(),
            parts: Arc::default(),
        }))
    }

    async fn create(
        &self,
        path: &Path,
        opts: PutMultipartOptions,
    ) -> Result<s3_client::MultipartUpload> {
        let create = self.bucket.create_multipart(path.as_ref());
        let create = described!(create, &opts.attributes, opts.tags);
        create.await.map_err(|e| at(path, e))
    }

    fn known(&self, path: &Path, id: &MultipartId) -> s3_client::MultipartUpload {
        self.bucket.multipart(path.as_ref(), id.as_str())
    }
}

/// The number of the part of this index.
fn number(index: usize) -> Result<u32> {
    u32::try_from(index + 1).map_err(any)
}

async fn complete(
    path: &Path,
    upload: &s3_client::MultipartUpload,
    mut parts: Vec<Part>,
) -> Result<PutResult> {
    if parts.is_empty() {
        // An empty object has one part, which is empty.
        parts.push(upload.part(1, "").await.map_err(|e| at(path, e))?);
    }
    let done = upload.complete(parts).await.map_err(|e| at(path, e))?;
    Ok(PutResult {
        e_tag: done.etag().map(str::to_owned),
        version: done.version_id().map(str::to_owned),
        extensions: Default::default(),
    })
}

#[async_trait]
impl MultipartUpload for Upload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        let parts = self.parts.clone();
        let index = {
            let mut parts = parts.lock().unwrap_or_else(PoisonError::into_inner);
            parts.push(None);
            parts.len() - 1
        };
        let (upload, path) = (self.upload.clone(), self.path.clone());
        Box::pin(async move {
            let sent = upload.part(number(index)?, source(data)).await;
            let part = sent.map_err(|e| at(&path, e))?;
            let mut parts = parts.lock().unwrap_or_else(PoisonError::into_inner);
            parts[index] = Some(part);
            Ok(())
        })
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let parts = {
            let parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
            parts.iter().cloned().collect::<Option<Vec<_>>>()
        };
        let parts = parts.ok_or_else(|| any("a part of the upload has not arrived yet"))?;
        complete(&self.path, &self.upload, parts).await
    }

    async fn abort(&mut self) -> Result<()> {
        self.upload.abort().await.map_err(|e| at(&self.path, e))
    }
}

#[async_trait]
impl MultipartStore for S3Store {
    async fn create_multipart(&self, path: &Path) -> Result<MultipartId> {
        self.create_multipart_opts(path, PutMultipartOptions::default())
            .await
    }

    async fn create_multipart_opts(
        &self,
        path: &Path,
        opts: PutMultipartOptions,
    ) -> Result<MultipartId> {
        let upload = self.create(path, opts).await?;
        Ok(upload.id().to_owned())
    }

    async fn put_part(
        &self,
        path: &Path,
        id: &MultipartId,
        part_idx: usize,
        data: PutPayload,
    ) -> Result<PartId> {
        let upload = self.known(path, id);
        let part = upload.part(number(part_idx)?, source(data)).await;
        let part = part.map_err(|e| at(path, e))?;
        Ok(PartId {
            content_id: part.etag,
        })
    }

    async fn complete_multipart(
        &self,
        path: &Path,
        id: &MultipartId,
        parts: Vec<PartId>,
    ) -> Result<PutResult> {
        let part = |(index, part): (usize, PartId)| Ok(Part::new(number(index)?, part.content_id));
        let parts = parts
            .into_iter()
            .enumerate()
            .map(part)
            .collect::<Result<_>>()?;
        complete(path, &self.known(path, id), parts).await
    }

    async fn abort_multipart(&self, path: &Path, id: &MultipartId) -> Result<()> {
        let upload = self.known(path, id);
        upload.abort().await.map_err(|e| at(path, e))
    }
}
