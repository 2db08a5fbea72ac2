use aws_core::operation::Answer;
use aws_core::{Idempotency, Operation, Result, awaitable};
use pipeline_pool::Method;

use super::MultipartUpload;
use super::part::of_upload;
use crate::idempotency;
use crate::request::options::Options;
use crate::wire::{S3, Wire};

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

    /// Sends it.
    ///
    /// # Errors
    /// As sending and the store say. An upload that is not there is no error: it was aborted before, or
    /// completed, and then the object is there.
    pub async fn send(self) -> Result<()> {
        let mut wire = of_upload(Method::Delete, &self.upload)?;
        wire.options(self.options);
        match self.upload.bucket.client.call(&Abort { wire }).await {
            Err(error) if error.code() == Some("NoSuchUpload") => Ok(()),
            other => other,
        }
    }
}

options!(AbortMultipart);
awaitable!(AbortMultipart, ());

struct Abort {
    wire: Wire,
}

impl Operation for Abort {
    type Output = ();
    const NAME: &'static str = idempotency::ABORT_MULTIPART_UPLOAD.operation;

    from_wire!();

    fn idempotency(&self) -> Idempotency {
        idempotency::ABORT_MULTIPART_UPLOAD.idempotency
    }

    fn parse(&self, _: &S3, _: Answer) -> Result<()> {
        Ok(())
    }
}
