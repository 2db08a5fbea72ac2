//! The jobs by object_store: a listing, one stream into a file, and its writer of parts.

use std::fs::File;
use std::io::Write as _;
use std::sync::Arc;

use futures_util::StreamExt as _;
use object_store::aws::AmazonS3;
use object_store::path::Path;
use object_store::{ObjectStore as _, ObjectStoreExt as _, WriteMultipart};

use super::{Job, PARALLEL, PART, Target, pieces};
use crate::BoxError;
use crate::client::Work;
use crate::clients::Session;
use crate::clients::object_store::Store;
use crate::keys::Keys;

/// One store and what it does.
pub(super) struct Jobs {
    job: Job,
    store: Arc<AmazonS3>,
    path: Path,
    size: usize,
    file: Target,
}

impl Jobs {
    /// Signed with these keys, or unsigned.
    pub(super) fn new(job: Job, work: &Work, keys: Option<&Keys>) -> Result<Self, BoxError> {
        let store = Store::new(&work.endpoint(), &work.target, PARALLEL, keys, None)?;
        let (store, path) = store.into_parts();
        Ok(Self {
            job,
            store,
            path,
            size: work.body,
            file: Target::new(),
        })
    }

    async fn list(&self) -> Result<usize, BoxError> {
        let mut objects = self.store.list(None);
        let mut keys = 0;
        while let Some(object) = objects.next().await.transpose()? {
            keys += usize::from(!object.location.as_ref().is_empty());
        }
        Ok(keys)
    }

    /// The file is written where its bytes come: what costs least.
    async fn down(&self) -> Result<usize, BoxError> {
        let mut stream = self.store.get(&self.path).await?.into_stream();
        let mut file = File::create(&self.file.0)?;
        let mut len = 0;
        while let Some(piece) = stream.next().await.transpose()? {
            file.write_all(&piece)?;
            len += piece.len();
        }
        Ok(len)
    }

    async fn up(&self) -> Result<usize, BoxError> {
        let upload = self.store.put_multipart(&self.path).await?;
        let mut writer = WriteMultipart::new_with_chunk_size(upload, PART);
        for piece in pieces(self.size) {
            writer.wait_for_capacity(PARALLEL).await?;
            writer.put(piece);
        }
        writer.finish().await?;
        Ok(self.size)
    }
}

impl Session for Jobs {
    async fn get(&mut self) -> Result<usize, BoxError> {
        match self.job {
            Job::List => self.list().await,
            Job::Down => self.down().await,
            Job::Up => self.up().await,
        }
    }
}
