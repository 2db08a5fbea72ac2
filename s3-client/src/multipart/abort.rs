//! Giving an upload in parts up: [`MultipartUpload::abort`].

use aws_core::operation::Answer;
use aws_core::{Result, awaitable};
use pipeline_pool::Method;

use super::MultipartUpload;
use super::part::of_upload;
use crate::idempotency::{self, Row};
use crate::operation::{Call, S3Operation};
use crate::request::options::Options;

/// A request to give an upload up; made by [`MultipartUpload::abort`].
#[must_use = "nothing is sent until this is awaited"]
#[derive(Clone, Debug)]
pub struct AbortMultipart {
    upload: MultipartUpload,
    options: Options,
}

impl AbortMultipart {
    pub(crate) fn new(upload: MultipartUpload) -> Self {
        Self {
            upload,
            options: Options::default(),
        }
    }

    pub(crate) fn with(mut self, options: Options) -> Self {
        self.options = options;
        self
    }

    /// Sends AbortMultipartUpload, as `.await` does.
    ///
    /// # Errors
    /// As sending and the store say. An upload that is not there is no error: it was aborted before, or
    /// completed, and then the object is there.
    pub async fn send(self) -> Result<()> {
        let mut wire = of_upload(Method::Delete, &self.upload)?;
        wire.options(self.options);
        match self
            .upload
            .bucket
            .client()
            .call(&Call::new(wire, AbortMultipartUpload))
            .await
        {
            Err(error) if error.code() == Some("NoSuchUpload") => Ok(()),
            other => other,
        }
    }
}

options!(AbortMultipart);
awaitable!(AbortMultipart, ());

struct AbortMultipartUpload;

impl S3Operation for AbortMultipartUpload {
    type Output = ();
    const ROW: Row = idempotency::ABORT_MULTIPART_UPLOAD;

    fn parse(&self, _: Answer) -> Result<()> {
        Ok(())
    }
}
