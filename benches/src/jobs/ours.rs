//! The jobs by the S3 client of this workspace, with its default pool.

use s3_client::{Addressing, Bucket, Credentials, S3Client, Signature, Source};

use super::{Job, PARALLEL, Target, pieces};
use crate::BoxError;
use crate::client::Work;
use crate::clients::{Session, bucket_and_key};

/// One client and what it does.
pub(super) struct Jobs {
    job: Job,
    bucket: Bucket,
    key: String,
    size: usize,
    verify: bool,
    file: Target,
}

impl Jobs {
    pub(super) fn new(job: Job, work: &Work) -> Result<Self, BoxError> {
        let (bucket, key) = bucket_and_key(&work.target)?;
        let keys = work.keys();
        let client = S3Client::builder()
            .endpoint(work.endpoint())
            .addressing(Addressing::Path)
            .signature(if work.v4 {
                Signature::v4("us-east-1")
            } else {
                Signature::V2
            })
            .credentials(Credentials::new(keys.access()?, keys.secret()?))
            .build()?;
        Ok(Self {
            job,
            bucket: client.bucket(bucket),
            key: key.to_owned(),
            size: work.body,
            verify: !work.unverified,
            file: Target::new(),
        })
    }

    async fn list(&self) -> Result<usize, BoxError> {
        let mut objects = self.bucket.list().objects();
        let mut keys = 0;
        while let Some(object) = objects.try_next().await? {
            keys += usize::from(!object.key.is_empty());
        }
        Ok(keys)
    }

    async fn down(&self) -> Result<usize, BoxError> {
        let down = self.bucket.download(self.key.as_str()).parallel(PARALLEL);
        down.to_file(&self.file.0).verify(self.verify).await?;
        let written = std::fs::metadata(&self.file.0)?.len();
        Ok(written as usize)
    }

    async fn up(&self) -> Result<usize, BoxError> {
        let source = Source::pieces(pieces(self.size));
        let up = self.bucket.upload(self.key.as_str(), source);
        let stored = up.parallel(PARALLEL).verify(self.verify).await?;
        Ok(stored.size() as usize)
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
