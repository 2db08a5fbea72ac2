//! The store itself: [`S3Store`], as an `ObjectStore`.

use std::fmt;
use std::ops::Range;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::BoxStream;
use object_store::path::Path;
use object_store::{
    CopyMode, CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use s3_client::{Bucket, Checksum};

use crate::error::{at, missing};

/// How often `object_store`'s own client repeats a request, unless its `RetryConfig` says another number.
const RESUMES: u32 = 10;

/// One bucket as an [`ObjectStore`]; cheap to clone.
///
/// Puts of [`PutMode::Create`](object_store::PutMode::Create) and
/// [`PutMode::Update`](object_store::PutMode::Update) are conditional requests (`If-None-Match: *`, `If-Match`).
#[derive(Clone)]
pub struct S3Store {
    pub(crate) bucket: Bucket,
    pub(crate) updates: bool,
    copies_if_absent: bool,
    copy_timeout: Option<Duration>,
    pub(crate) checksum: Option<Checksum>,
    pub(crate) content_md5: bool,
    pub(crate) resumes: u32,
}

impl S3Store {
    /// The objects of this bucket, which has to be there.
    pub fn new(bucket: Bucket) -> Self {
        Self {
            bucket,
            updates: true,
            copies_if_absent: false,
            copy_timeout: None,
            checksum: None,
            content_md5: false,
            resumes: RESUMES,
        }
    }

    /// How often the body of an object that is cut goes on where it ended, as
    /// [`Get::resumes`](s3_client::request::Get::resumes) says, which tells what it costs. Defaults to 10, which is how
    /// often `object_store`'s own client repeats a request for its body; 0 hands the error of the first cut on.
    #[must_use]
    pub fn resumes(mut self, times: u32) -> Self {
        self.resumes = times;
        self
    }

    /// Whether the server replaces an object only if it is the one of a given entity tag (`If-Match` of a put). If not,
    /// such an update is [`Error::NotImplemented`], which is safer than one that replaces whatever there is. Defaults
    /// to yes; not for Ceph RGW up to 16.2, which takes no quotes around the tag and answers as if the object were
    /// another one: a program that then tries again, as SlateDB's garbage collector does, never ends.
    #[must_use]
    pub fn updates(mut self, yes: bool) -> Self {
        self.updates = yes;
        self
    }

    /// Whether the server copies only if there is nothing yet where it copies to (`If-None-Match` of a copy). If not,
    /// such a copy is [`Error::NotImplemented`]. Defaults to no: servers that do not know the condition ignore it, and
    /// replace what is there.
    #[must_use]
    pub fn copies_if_absent(mut self, yes: bool) -> Self {
        self.copies_if_absent = yes;
        self
    }

    /// The longest time of a copy or a rename, which makes the server read and write up to 5 GiB. Defaults to 300 s beyond
    /// the client's [time](s3_client::S3Builder::timeout).
    #[must_use]
    pub fn copy_timeout(mut self, timeout: Duration) -> Self {
        self.copy_timeout = Some(timeout);
        self
    }

    /// Sends this checksum with what is put, whole and in parts, and has the server keep it. Defaults to none.
    #[must_use]
    pub fn checksum(mut self, checksum: Checksum) -> Self {
        self.checksum = Some(checksum);
        self
    }

    /// Sends the MD5 digest of what is put, whole and in parts. Defaults to no, but to yes in a bucket that locks what is
    /// stored and has refused a put for want of it ([`Put::content_md5`](s3_client::request::Put::content_md5)).
    #[must_use]
    pub fn content_md5(mut self, yes: bool) -> Self {
        self.content_md5 = yes;
        self
    }

    /// The bucket.
    pub fn bucket(&self) -> &Bucket {
        &self.bucket
    }
}

impl fmt::Display for S3Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "S3Store({})", self.bucket.name())
    }
}

impl fmt::Debug for S3Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("S3Store")
            .field("bucket", &self.bucket)
            .field("updates", &self.updates)
            .field("copies_if_absent", &self.copies_if_absent)
            .field("copy_timeout", &self.copy_timeout)
            .field("checksum", &self.checksum)
            .field("content_md5", &self.content_md5)
            .field("resumes", &self.resumes)
            .finish()
    }
}

#[async_trait]
impl ObjectStore for S3Store {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        opts: PutOptions,
    ) -> Result<PutResult> {
        self.put_one(location, payload, opts).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        opts: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.begin(location, opts).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.read(location, options).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.read_ranges(location, ranges).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        self.remove_all(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.list_all(prefix, None)
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        self.list_all(prefix, Some(offset))
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.list_folder(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        let mut copy = self.bucket.copy(from.as_ref(), to.as_ref());
        if let Some(timeout) = self.copy_timeout {
            copy = copy.timeout(timeout);
        }
        match options.mode {
            CopyMode::Overwrite => {
                copy.await.map_err(|e| at(from, e))?;
            }
            CopyMode::Create if !self.copies_if_absent => {
                return Err(missing("copying only if there is nothing yet"));
            }
            CopyMode::Create => {
                let copied = copy.if_none_match_any().await;
                copied.map_err(|e| match at(to, e) {
                    Error::Precondition { path, source } => Error::AlreadyExists { path, source },
                    // What is not there is what is copied from.
                    Error::NotFound { source, .. } => Error::NotFound {
                        path: from.to_string(),
                        source,
                    },
                    other => other,
                })?;
            }
        }
        Ok(())
    }
}
