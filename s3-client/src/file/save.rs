//! Fetching an object into a file over one connection: [`Get::to_file`].

use std::io;
use std::path::{Path, PathBuf};

use aws_core::{Body, Error, Result, awaitable};
use tokio::fs::File;

use super::{BlockWriter, Temporary, failed};
use crate::answer::object::ObjectHead;
use crate::object::get::Get;
use crate::transfer::{Meter, Progress, Report};

/// A request to fetch an object into a file; made by [`Get::to_file`].
#[must_use = "nothing is sent until this is awaited"]
#[derive(Clone, Debug)]
pub struct SaveFile {
    get: Get,
    path: PathBuf,
    sync: bool,
    verify: bool,
    report: Report,
}

impl Get {
    /// Fetches it into a file, on one connection.
    ///
    /// The bytes go to a temporary file in the same folder, which takes the name once it is whole and
    /// [verified](SaveFile::verify), in place of a file that was there. After an error, or when the request is
    /// dropped, nothing of it is left.
    pub fn to_file(self, path: impl AsRef<Path>) -> SaveFile {
        SaveFile {
            get: self,
            path: path.as_ref().to_owned(),
            sync: false,
            verify: true,
            report: Report::default(),
        }
    }
}

impl SaveFile {
    /// Has bytes and name on the disk before it is done (`fsync`), so that they outlast a loss of power.
    /// Defaults to no.
    pub fn sync(mut self, yes: bool) -> Self {
        self.sync = yes;
        self
    }

    /// Compares the bytes with a checksum of the store or with the entity tag, as [`Get::verify`] says. The
    /// length is compared in any case. Defaults to yes; not for stores whose tags look like MD5 and are not.
    pub fn verify(mut self, yes: bool) -> Self {
        self.verify = yes;
        self
    }

    /// Calls this whenever more was handed to the file: a first time with nothing when the answer has begun, so that
    /// the total is known early. The total is that of the range where one is asked for, and is not known where the
    /// store does not tell the length. A body that goes on after a cut counts on. It is called by the task that awaits
    /// this request, and must not block.
    pub fn progress(mut self, report: impl Fn(Progress) + Send + Sync + 'static) -> Self {
        self.report = Report::to(report);
        self
    }

    /// Sends it; the answer is what is known of the object.
    ///
    /// # Errors
    /// As [`Get::send`]; [`Kind::File`](crate::Kind::File) when the file cannot be written;
    /// [`Kind::Protocol`](crate::Kind::Protocol) when what came is not what the entity tag says.
    pub async fn send(self) -> Result<ObjectHead> {
        let mut temporary = Temporary::beside(&self.path)?;
        let object = self.get.verify(self.verify).send().await?;
        let length = match object.head.range() {
            Some(range) => Some(range.end.saturating_sub(range.start)),
            None => object.head.size(),
        };
        let Some(file) = &mut temporary.file else {
            return Err(failed("write", &self.path, io::ErrorKind::NotFound.into()));
        };
        let meter = Meter::new(self.report, length);
        meter.add(0);
        pour(object.body, file, &self.path, &meter).await?;
        let written = meter.bytes();
        if length.is_some_and(|length| length != written) {
            return Err(Error::protocol(format!(
                "the object came with {written} bytes, not with the {} that were announced",
                length.unwrap_or_default()
            )));
        }
        temporary.rename(self.sync).await?;
        Ok(object.head)
    }
}

awaitable!(SaveFile, ObjectHead);

/// Writes a body to a file, and counts its bytes.
async fn pour(mut body: Body, file: &mut File, path: &Path, meter: &Meter) -> Result<()> {
    let io = |e| failed("write", path, e);
    let same = file.try_clone().await.map_err(io)?;
    let mut writer = BlockWriter::new(same.into_std().await);
    while let Some(piece) = body.chunk().await.transpose()? {
        let len = piece.len() as u64;
        writer.write(piece).await.map_err(io)?;
        meter.add(len);
    }
    writer.flush(false).await.map_err(io)
}
