//! A temporary file that takes the name of another one when it is whole.

use std::fs::OpenOptions;
use std::io;
use std::path::{Path, PathBuf};

use aws_core::Result;
use tokio::fs::File;

use super::failed;

/// A file beside the one that it will become, removed unless it does.
pub(crate) struct Temporary {
    path: PathBuf,
    /// Closed before the file is renamed or removed, which some systems ask for.
    pub(crate) file: Option<File>,
    target: PathBuf,
    kept: bool,
}

impl Temporary {
    /// A new, empty file in the folder of `target`.
    pub(crate) fn beside(target: &Path) -> Result<Self> {
        if target.file_name().is_none() {
            let cause = io::Error::new(io::ErrorKind::InvalidInput, "it names no file");
            return Err(failed("write", target, cause));
        }
        loop {
            let path = target.with_file_name(format!(".{:016x}.part", fastrand::u64(..)));
            // On another thread it would be made even when nobody waits for it any more.
            match OpenOptions::new().write(true).create_new(true).open(&path) {
                Ok(file) => {
                    return Ok(Self {
                        path,
                        file: Some(File::from_std(file)),
                        target: target.to_owned(),
                        kept: false,
                    });
                }
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
                Err(e) => return Err(failed("write", target, e)),
            }
        }
    }

    /// The path at which the file stands.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Becomes the target, in one step; whatever was there is replaced. With `sync`, after the bytes are on the
    /// disk, and before this returns the name is too.
    pub(crate) async fn rename(mut self, sync: bool) -> Result<()> {
        if let Some(file) = self.file.take() {
            finish(&file, sync)
                .await
                .map_err(|e| failed("write", &self.target, e))?;
        }
        let renamed = tokio::fs::rename(&self.path, &self.target).await;
        renamed.map_err(|e| failed("write", &self.target, e))?;
        self.kept = true;
        if sync {
            sync_folder(&self.target).await?;
        }
        Ok(())
    }
}

async fn finish(file: &File, sync: bool) -> io::Result<()> {
    if sync {
        file.sync_all().await?;
    }
    Ok(())
}

/// Has the folder of a file on the disk, and with it the file's name.
pub(crate) async fn sync_folder(path: &Path) -> Result<()> {
    // Elsewhere folders cannot be opened.
    if cfg!(unix) {
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        let synced = async { File::open(folder).await?.sync_all().await };
        synced.await.map_err(|e| failed("write", folder, e))?;
    }
    Ok(())
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if !self.kept {
            drop(self.file.take());
            let _already_gone = std::fs::remove_file(&self.path);
        }
    }
}
