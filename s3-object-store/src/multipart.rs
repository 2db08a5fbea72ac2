//! Uploads in parts.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use object_store::multipart::{MultipartStore, PartId};
use object_store::path::Path;
use object_store::{
    MultipartId, MultipartUpload, PutMultipartOptions, PutPayload, PutResult, Result, UploadPart,
};
use s3_client::Checksum;
use s3_client::answer::Part;

use crate::convert::described;
use crate::error::{any, at};
use crate::store::S3Store;
use crate::write::source;

/// An upload and what of it has arrived, by number.
#[derive(Debug)]
struct Upload {
    store: S3Store,
    path: Path,
    upload: s3_client::answer::MultipartUpload,
    parts: Arc<Mutex<Vec<Option<Part>>>>,
}

impl S3Store {
    pub(crate) async fn begin(
        &self,
        path: &Path,
        opts: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        Ok(Box::new(Upload {
            store: self.clone(),
            upload: self.create(path, opts).await?,
            path: path.clone(),
            parts: Arc::default(),
        }))
    }

    async fn create(
        &self,
        path: &Path,
        opts: PutMultipartOptions,
    ) -> Result<s3_client::answer::MultipartUpload> {
        let create = self.bucket.create_multipart(path.as_ref());
        let mut create = described(create, &opts.attributes, &opts.tags)?;
        if let Some(checksum) = self.checksum {
            create = create.checksum(checksum);
        }
        create.await.map_err(|e| at(path, e))
    }

    /// Sends a part of this index.
    async fn send(
        &self,
        path: &Path,
        upload: &s3_client::answer::MultipartUpload,
        index: usize,
        data: PutPayload,
    ) -> Result<Part> {
        let part = upload.part(number(index)?, source(data));
        let mut part = part.content_md5(self.content_md5);
        if let Some(checksum) = self.checksum {
            part = part.checksum(checksum);
        }
        part.await.map_err(|e| at(path, e))
    }

    async fn complete(
        &self,
        path: &Path,
        upload: &s3_client::answer::MultipartUpload,
        mut parts: Vec<Part>,
    ) -> Result<PutResult> {
        if parts.is_empty() {
            // An empty object has one part, which is empty.
            let nothing = PutPayload::new();
            parts.push(self.send(path, upload, 0, nothing).await?);
        }
        let done = upload.complete(parts).await.map_err(|e| at(path, e))?;
        Ok(PutResult {
            e_tag: done.etag().map(str::to_owned),
            version: done.version_id().map(str::to_owned),
            extensions: Default::default(),
        })
    }

    fn known(&self, path: &Path, id: &MultipartId) -> s3_client::answer::MultipartUpload {
        self.bucket.multipart(path.as_ref(), id.as_str())
    }
}

/// The number of the part of this index.
fn number(index: usize) -> Result<u32> {
    u32::try_from(index + 1).map_err(any)
}

/// A part as the text that stands for it: its entity tag, and behind blanks the checksums that the server has told, which
/// the completion may have to bring.
fn note(part: &Part) -> String {
    let mut text = part.etag.clone();
    for checksum in Checksum::ALL {
        if let Some(value) = part.checksum(checksum) {
            text.push_str(&format!(" {}:{value}", checksum.name()));
        }
    }
    text
}

/// The part of a [`note`].
fn noted(number: u32, text: &str) -> Part {
    let (mut etag, mut sums) = (text, Vec::new());
    while let Some((before, last)) = etag.rsplit_once(' ')
        && let Some((name, value)) = last.split_once(':')
        && let Some(checksum) = Checksum::ALL.into_iter().find(|sum| sum.name() == name)
    {
        sums.push((checksum, value));
        etag = before;
    }
    let part = Part::new(number, etag);
    sums.into_iter()
        .rev()
        .fold(part, |part, (checksum, value)| {
            part.with_checksum(checksum, value)
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
        let (store, upload, path) = (self.store.clone(), self.upload.clone(), self.path.clone());
        Box::pin(async move {
            let part = store.send(&path, &upload, index, data).await?;
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
        self.store.complete(&self.path, &self.upload, parts).await
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
        let part = self.send(path, &upload, part_idx, data).await?;
        Ok(PartId {
            content_id: note(&part),
        })
    }

    async fn complete_multipart(
        &self,
        path: &Path,
        id: &MultipartId,
        parts: Vec<PartId>,
    ) -> Result<PutResult> {
        let part = |(index, part): (usize, PartId)| Ok(noted(number(index)?, &part.content_id));
        let parts = parts
            .into_iter()
            .enumerate()
            .map(part)
            .collect::<Result<_>>()?;
        self.complete(path, &self.known(path, id), parts).await
    }

    async fn abort_multipart(&self, path: &Path, id: &MultipartId) -> Result<()> {
        let upload = self.known(path, id);
        upload.abort().await.map_err(|e| at(path, e))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_read_as_it_was_noted() {
        let plain = Part::new(3, "\"0123-1\"");
        let summed = plain.clone().with_checksum(Checksum::Sha256, "a+/=");
        let twice = summed.clone().with_checksum(Checksum::Crc32, "b==");
        let odd = Part::new(3, "with blanks and:colons");
        for part in [plain, summed, twice, odd] {
            assert_eq!(noted(3, &note(&part)), part);
        }
    }
}
