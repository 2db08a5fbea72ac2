//! Reading a file that is to be published: its digest, and its bytes as they were when that was computed.
//!
//! *Problem:* A content is stored under its digest for good, and a file may change between the two. *Decision:* A small file
//! is sent from the very bytes that were digested. A large one is read twice, and the last piece of it is held back until
//! the digest of what was sent is known to be the same: otherwise the request fails, and the store keeps nothing. A file
//! whose size or times change while it is read is read once more, and then is an error that names it.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use bytes::{Bytes, BytesMut};
use futures_util::Stream;
use futures_util::stream::unfold;
use sha2::{Digest as _, Sha256};

use crate::digest::Digest;
use crate::error::{Error, Kind, Result};

/// The largest file that is held in memory.
pub(super) const SMALL: u64 = 1 << 20;
/// The largest object that one put stores.
const MAX_FILE: u64 = 5 << 30;
/// How many bytes of a large file are read at once.
const PIECE: usize = 256 << 10;
/// How often a file is read that changes meanwhile.
const TRIES: u32 = 2;

/// A file that was read.
#[derive(Debug)]
pub(super) struct FileContent {
    pub(super) digest: Digest,
    pub(super) size: u64,
    /// Its bytes, if it is small.
    pub(super) bytes: Option<Bytes>,
}

/// Reads a file and computes its digest.
pub(super) fn read(path: &Path) -> Result<FileContent> {
    let failed = |error: io::Error| Error::file("read", path, &error);
    for _ in 0..TRIES {
        let mut file = File::open(path).map_err(failed)?;
        let before = state(&file).map_err(failed)?;
        if before.0 > MAX_FILE {
            let what = format!(
                "it has {} bytes, and a file of a release has {MAX_FILE} at most",
                before.0
            );
            return Err(Error::new(Kind::Usage, path.display().to_string(), what));
        }
        let content = match before.0 <= SMALL {
            true => small(&mut file, before.0),
            false => large(&mut file),
        };
        let content = content.map_err(failed)?;
        if state(&file).map_err(failed)? == before && content.size == before.0 {
            return Ok(content);
        }
    }
    Err(changed(path))
}

/// The error of a file that does not keep still.
pub(super) fn changed(path: &Path) -> Error {
    let about = path.display().to_string();
    Error::new(Kind::Changed, about, "it changes while it is read")
}

/// What is different after a change.
fn state(file: &File) -> io::Result<(u64, i64, i64, i64, i64)> {
    let about = file.metadata()?;
    let (modified, changed) = (about.mtime(), about.ctime());
    Ok((
        about.len(),
        modified,
        about.mtime_nsec(),
        changed,
        about.ctime_nsec(),
    ))
}

fn small(file: &mut File, size: u64) -> io::Result<FileContent> {
    let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or_default() + 1);
    file.take(SMALL + 1).read_to_end(&mut bytes)?;
    let bytes = Bytes::from(bytes);
    Ok(FileContent {
        digest: Digest::of(&bytes),
        size: bytes.len() as u64,
        bytes: Some(bytes),
    })
}

fn large(file: &mut File) -> io::Result<FileContent> {
    let mut hash = Sha256::new();
    let mut piece = vec![0; PIECE];
    let mut size = 0;
    loop {
        let n = file.read(&mut piece)?;
        if n == 0 {
            break;
        }
        hash.update(&piece[..n]);
        size += n as u64;
    }
    Ok(FileContent {
        digest: Digest::from_bytes(hash.finalize().into()),
        size,
        bytes: None,
    })
}

/// The bytes of a file, which end in an error before the last piece if they are not those of this digest.
pub(super) fn stream(
    path: &Path,
    size: u64,
    digest: Digest,
) -> Result<impl Stream<Item = io::Result<Bytes>> + Send + use<>> {
    let file = File::open(path).map_err(|error| Error::file("read", path, &error))?;
    let reading = FileReading {
        file,
        hash: Sha256::new(),
        left: size,
        digest,
    };
    Ok(unfold(Some(reading), |reading| async {
        let reading = reading?;
        if reading.left == 0 {
            return None;
        }
        let read = tokio::task::spawn_blocking(move || reading.piece()).await;
        match read.map_err(io::Error::other).and_then(|read| read) {
            Ok((piece, reading)) => Some((Ok(piece), Some(reading))),
            Err(error) => Some((Err(error), None)),
        }
    }))
}

struct FileReading {
    file: File,
    hash: Sha256,
    left: u64,
    digest: Digest,
}

impl FileReading {
    fn piece(mut self) -> io::Result<(Bytes, Self)> {
        let want = self.left.min(PIECE as u64);
        let mut piece = BytesMut::zeroed(usize::try_from(want).map_err(io::Error::other)?);
        self.file.read_exact(&mut piece)?;
        self.hash.update(&piece);
        self.left -= want;
        if self.left == 0 {
            let same = Digest::from_bytes(self.hash.clone().finalize().into()) == self.digest;
            let longer = self.file.read(&mut [0])? > 0;
            if !same || longer {
                return Err(io::Error::other(
                    "the file has changed since its digest was computed",
                ));
            }
        }
        Ok((piece.freeze(), self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::StreamExt as _;
    use futures_util::TryStreamExt as _;

    #[test]
    fn small_and_large_files_have_the_digest_of_their_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        for size in [0, 1, SMALL, SMALL + 1] {
            let bytes: Vec<u8> = (0..size).map(|i| i as u8).collect();
            std::fs::write(&path, &bytes).unwrap();
            let content = read(&path).unwrap();
            assert_eq!((content.digest, content.size), (Digest::of(&bytes), size));
            assert_eq!(content.bytes.is_some(), size <= SMALL);
        }
    }

    #[tokio::test]
    async fn a_changed_file_never_comes_to_its_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let bytes: Vec<u8> = (0..700_000_u32).map(|i| i as u8).collect();
        let digest = Digest::of(&bytes);
        let sent = |content: Vec<u8>| {
            std::fs::write(&path, content).unwrap();
            stream(&path, 700_000, digest).unwrap()
        };
        let whole: Vec<Bytes> = sent(bytes.clone()).try_collect().await.unwrap();
        assert_eq!(whole.concat(), bytes);
        let mut other = bytes.clone();
        other[5] ^= 1;
        for content in [other, [&bytes[..], b"x"].concat(), bytes[1..].to_vec()] {
            let pieces: Vec<_> = sent(content).collect().await;
            let good: usize = pieces.iter().flatten().map(Bytes::len).sum();
            assert!(pieces.last().unwrap().is_err() && good < 700_000);
        }
    }
}
