//! Files and parts of them as bodies of requests.

use std::io::{self, SeekFrom};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use aws_core::Result;
use bytes::{Bytes, BytesMut};
use md5::{Digest, Md5};
use pipeline_pool::BodyError;
use tokio::fs::File;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};

use super::{CHUNK, failed};
use crate::request::body::{Pieces, Steps};

/// A range of a file, which is opened anew for each attempt to send it.
pub(crate) struct FilePart {
    path: Arc<Path>,
    start: u64,
    len: u64,
    /// The length of the whole file.
    file_len: u64,
    modified: Option<SystemTime>,
    /// The digest of what was read, for parts that ask for it.
    digest: Option<Mutex<Option<[u8; 16]>>>,
}

struct FileReading {
    file: File,
    left: u64,
    digest: Option<Md5>,
}

impl FilePart {
    /// All of a file, as long as it is now.
    pub(crate) async fn whole(path: Arc<Path>) -> Result<Self> {
        let found = tokio::fs::metadata(&path).await;
        let found = found.map_err(|e| failed("read", &path, e))?;
        if !found.is_file() {
            let cause = io::Error::new(io::ErrorKind::InvalidInput, "it is not a file");
            return Err(failed("read", &path, cause));
        }
        Ok(Self {
            start: 0,
            len: found.len(),
            file_len: found.len(),
            modified: found.modified().ok(),
            digest: None,
            path,
        })
    }

    /// A part of it; with `hash` its digest is kept when it was read to its end.
    pub(crate) fn part(&self, start: u64, len: u64, hash: bool) -> Self {
        Self {
            path: self.path.clone(),
            start: self.start + start,
            len,
            file_len: self.file_len,
            modified: self.modified,
            digest: hash.then(|| Mutex::new(None)),
        }
    }

    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// The MD5 digest of what the last attempt has read, if it has read all.
    pub(crate) fn digest(&self) -> Option<[u8; 16]> {
        let digest = self.digest.as_ref()?;
        // Of nothing nothing need be read before the store answers.
        if self.len == 0 {
            return Some(Md5::digest([]).into());
        }
        *digest.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keep(&self, digest: Option<[u8; 16]>) {
        if let Some(place) = &self.digest {
            *place.lock().unwrap_or_else(PoisonError::into_inner) = digest;
        }
    }

    /// Whether the file is still as it was.
    ///
    /// # Errors
    /// When it has another length or was modified.
    pub(crate) async fn check_unchanged(&self) -> Result<()> {
        let now = Self::whole(self.path.clone()).await?;
        if (now.len, now.modified) == (self.file_len, self.modified) {
            return Ok(());
        }
        let cause = io::Error::new(io::ErrorKind::InvalidData, "it has changed meanwhile");
        Err(failed("send", &self.path, cause))
    }

    pub(crate) fn open(self: &Arc<Self>) -> Pieces {
        let part = self.clone();
        part.keep(None);
        let step = move |reading: Option<FileReading>| {
            let part = part.clone();
            async move {
                let mut reading = match reading {
                    Some(reading) => reading,
                    None => part.start_reading().await?,
                };
                let piece = reading.piece().await?;
                if reading.left == 0
                    && let Some(digest) = reading.digest.take()
                {
                    part.keep(Some(digest.finalize().into()));
                }
                // A file that has become shorter: the length that was stated tells on it.
                if piece.is_empty() {
                    return Ok(None);
                }
                Ok::<_, BodyError>(Some((piece, Some(reading))))
            }
        };
        Box::pin(Steps::new(None, step))
    }

    async fn start_reading(&self) -> io::Result<FileReading> {
        let mut file = File::open(&self.path).await?;
        file.set_max_buf_size(CHUNK);
        if self.start > 0 {
            file.seek(SeekFrom::Start(self.start)).await?;
        }
        Ok(FileReading {
            file,
            left: self.len,
            digest: self.digest.as_ref().map(|_| Md5::new()),
        })
    }
}

impl FileReading {
    /// The next bytes; none at the end.
    async fn piece(&mut self) -> io::Result<Bytes> {
        let room = self.left.min(CHUNK as u64) as usize;
        let mut piece = BytesMut::with_capacity(room);
        while piece.len() < room {
            let mut rest = (&mut self.file).take((room - piece.len()) as u64);
            if rest.read_buf(&mut piece).await? == 0 {
                break;
            }
        }
        self.left -= piece.len() as u64;
        if let Some(digest) = &mut self.digest {
            digest.update(&piece);
        }
        Ok(piece.freeze())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn of_nothing_the_digest_is_known_unread() {
        let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"));
        let file = FilePart::whole(path.into()).await.unwrap();
        let nothing: [u8; 16] = Md5::digest(b"").into();
        assert_eq!(file.part(0, 0, true).digest(), Some(nothing));
        assert_eq!(file.part(0, 1, true).digest(), None);
        assert_eq!(file.part(0, 0, false).digest(), None);
    }
}
