//! Writes the pieces of a body to a file, many by one call.
//!
//! *Problem:* A file is written on another thread, since a disk may take its time; a change of threads for each piece,
//! and a copy of it, cost more than the writing. *Decision:* Pieces are gathered into blocks, and each block is written as
//! it is, in one call, while the next is gathered. *Cost:* Two blocks in memory, and an error shows with the block behind
//! the one it is about.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, IoSlice, Write as _};
use std::sync::Arc;

use bytes::{Buf as _, Bytes};
use tokio::task::JoinHandle;

/// So many bytes are gathered before they are written.
const BLOCK: usize = 512 << 10;
/// As many pieces are written before, so that small ones are not mostly overhead; so many are written by one call.
const SLICES: usize = 64;

/// A file that is written from where it stands. What is written last is on its way until [`flush`](Self::flush).
pub(crate) struct BlockWriter {
    file: Arc<File>,
    gathered: VecDeque<Bytes>,
    len: usize,
    writing: Option<JoinHandle<io::Result<()>>>,
}

impl BlockWriter {
    pub(crate) fn new(file: File) -> Self {
        Self {
            file: Arc::new(file),
            gathered: VecDeque::new(),
            len: 0,
            writing: None,
        }
    }

    /// Takes a piece; waits while a block is written and the next is full.
    ///
    /// # Errors
    /// When a block before it could not be written.
    pub(crate) async fn write(&mut self, piece: Bytes) -> io::Result<()> {
        self.len += piece.len();
        self.gathered.push_back(piece);
        if self.len >= BLOCK || self.gathered.len() >= SLICES {
            self.turn().await?;
        }
        Ok(())
    }

    /// Has all written, and with `sync` on the disk.
    ///
    /// # Errors
    /// When something could not be written.
    pub(crate) async fn flush(&mut self, sync: bool) -> io::Result<()> {
        if self.len > 0 {
            self.turn().await?;
        }
        self.written().await?;
        if sync {
            let file = self.file.clone();
            self.writing = Some(tokio::task::spawn_blocking(move || file.sync_data()));
            self.written().await?;
        }
        Ok(())
    }

    /// Begins to write what is gathered, when the block before is written.
    async fn turn(&mut self) -> io::Result<()> {
        self.written().await?;
        let pieces = std::mem::take(&mut self.gathered);
        self.len = 0;
        let file = self.file.clone();
        let write = move || write_all(&file, pieces);
        self.writing = Some(tokio::task::spawn_blocking(write));
        Ok(())
    }

    async fn written(&mut self) -> io::Result<()> {
        let Some(writing) = &mut self.writing else {
            return Ok(());
        };
        let done = writing.await;
        self.writing = None;
        done.unwrap_or_else(|_| Err(io::Error::other("the runtime is shutting down")))
    }
}

fn write_all(mut file: &File, mut pieces: VecDeque<Bytes>) -> io::Result<()> {
    loop {
        while pieces.front().is_some_and(Bytes::is_empty) {
            pieces.pop_front();
        }
        if pieces.is_empty() {
            return Ok(());
        }
        let mut slices = [IoSlice::new(&[]); SLICES];
        let n = pieces.len().min(SLICES);
        for (slice, piece) in slices.iter_mut().zip(&pieces) {
            *slice = IoSlice::new(piece);
        }
        let mut written = match file.write_vectored(&slices[..n]) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => written,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        while let Some(piece) = pieces.front_mut() {
            let n = written.min(piece.len());
            piece.advance(n);
            written -= n;
            if !piece.is_empty() {
                break;
            }
            pieces.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn all_pieces_are_in_the_file_in_their_order() {
        let path = std::env::temp_dir().join(format!("blocks-{:016x}", fastrand::u64(..)));
        let mut writer = BlockWriter::new(File::create_new(&path).unwrap());
        let bytes: Vec<u8> = (0..3 * BLOCK + 5).map(|at| (at % 251) as u8).collect();
        let mut rest = &bytes[..];
        for len in (0..).map(|at| at * 977 % 5000) {
            let (piece, more) = rest.split_at(rest.len().min(len));
            writer.write(Bytes::copy_from_slice(piece)).await.unwrap();
            rest = more;
            if rest.is_empty() {
                break;
            }
        }
        writer.flush(true).await.unwrap();
        assert!(std::fs::read(&path).unwrap() == bytes);
        std::fs::remove_file(&path).unwrap();
    }

    #[tokio::test]
    async fn what_cannot_be_written_is_an_error() {
        let path = std::env::temp_dir().join(format!("blocks-{:016x}", fastrand::u64(..)));
        std::fs::write(&path, b"x").unwrap();
        let mut writer = BlockWriter::new(File::open(&path).unwrap());
        writer.write(Bytes::from_static(b"y")).await.unwrap();
        assert!(writer.flush(false).await.is_err());
        std::fs::remove_file(&path).unwrap();
    }
}
