//! The bytes of objects and parts: in memory, or in files that are written once.

use std::collections::HashMap;
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use bytes::{Bytes, BytesMut};
use s3s::S3Result;

use super::internal;
use crate::disk::code::{Coded, Cursor};
use crate::disk::{about, make_dir, sync_dir};

/// The most bytes of a body that stands in the records of its object, and so in memory.
pub(in crate::s3) const INLINE_MAX: usize = 32 << 10;

/// Bytes that never change; a clone shares them.
#[derive(Clone, Debug, Default)]
pub(in crate::s3) struct Body {
    pieces: Arc<[BodyPiece]>,
    len: u64,
}

#[derive(Clone, Debug)]
enum BodyPiece {
    Memory(Bytes),
    /// The piece is these bytes of the file.
    File(Arc<BodyFile>, Range<u64>),
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        Self::of(vec![BodyPiece::Memory(bytes)])
    }
}

impl Body {
    fn of(mut pieces: Vec<BodyPiece>) -> Self {
        pieces.retain(|piece| piece.len() > 0);
        Self {
            len: pieces.iter().map(BodyPiece::len).sum(),
            pieces: pieces.into(),
        }
    }

    /// Joins these bodies, one behind the other; no file is read for it.
    pub(in crate::s3) fn join<'a>(bodies: impl Iterator<Item = &'a Self> + Clone) -> Self {
        let pieces = bodies.flat_map(|body| body.pieces.iter());
        let in_memory = pieces
            .clone()
            .all(|piece| matches!(piece, BodyPiece::Memory(_)));
        if !in_memory {
            return Self::of(pieces.cloned().collect());
        }
        // One piece is read without a copy.
        let mut all = BytesMut::new();
        for piece in pieces {
            if let BodyPiece::Memory(bytes) = piece {
                all.extend_from_slice(bytes);
            }
        }
        Self::from(all.freeze())
    }

    /// Returns how many bytes there are.
    pub(in crate::s3) fn len(&self) -> u64 {
        self.len
    }

    /// Returns some of the bytes; what is asked for behind the end is left out.
    pub(in crate::s3) fn slice(&self, range: Range<u64>) -> Self {
        let mut begins = 0;
        let mut pieces = Vec::new();
        for piece in &*self.pieces {
            let ends = begins + piece.len();
            let (start, end) = (range.start.max(begins), range.end.min(ends));
            if start < end {
                pieces.push(piece.slice(start - begins..end - begins));
            }
            begins = ends;
        }
        Self::of(pieces)
    }

    /// Returns the bytes, which are read from the disk where they are in files.
    pub(in crate::s3) fn read(&self) -> S3Result<Bytes> {
        match &*self.pieces {
            [] => return Ok(Bytes::new()),
            [BodyPiece::Memory(bytes)] => return Ok(bytes.clone()),
            _ => {}
        }
        let mut all = Vec::with_capacity(usize::try_from(self.len).unwrap_or_default());
        for piece in &*self.pieces {
            match piece {
                BodyPiece::Memory(bytes) => all.extend_from_slice(bytes),
                BodyPiece::File(file, range) => {
                    file.read(range, &mut all).map_err(|_| internal())?;
                }
            }
        }
        Ok(all.into())
    }

    /// Returns the same body with its files known to `bodies`, for one that was read from a record.
    pub(super) fn at_home(&self, bodies: &Arc<Bodies>) -> Self {
        let pieces = self.pieces.iter().map(|piece| match piece {
            BodyPiece::Memory(_) => piece.clone(),
            BodyPiece::File(file, range) => {
                BodyPiece::File(bodies.known(file.id, range.end), range.clone())
            }
        });
        Self::of(pieces.collect())
    }
}

impl BodyPiece {
    fn len(&self) -> u64 {
        match self {
            Self::Memory(bytes) => bytes.len() as u64,
            Self::File(_, range) => range.end.saturating_sub(range.start),
        }
    }

    /// Returns some of its bytes, all of which there are.
    fn slice(&self, range: Range<u64>) -> Self {
        match self {
            Self::Memory(bytes) => {
                let at = |at| usize::try_from(at).unwrap_or(usize::MAX).min(bytes.len());
                Self::Memory(bytes.slice(at(range.start)..at(range.end)))
            }
            Self::File(file, own) => {
                let range = own.start + range.start..own.start + range.end;
                Self::File(Arc::clone(file), range)
            }
        }
    }
}

const MEMORY: u8 = 0;
const FILE: u8 = 1;

impl Coded for BodyPiece {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Memory(bytes) => {
                out.push(MEMORY);
                bytes.encode(out);
            }
            Self::File(file, range) => {
                out.push(FILE);
                file.id.encode(out);
                range.start.encode(out);
                range.end.encode(out);
            }
        }
    }

    fn decode(cursor: &mut Cursor<'_>) -> Option<Self> {
        Some(match cursor.byte()? {
            MEMORY => Self::Memory(Bytes::decode(cursor)?),
            FILE => {
                let id = u64::decode(cursor)?;
                let range = u64::decode(cursor)?..u64::decode(cursor)?;
                let file = BodyFile { id, home: None };
                Self::File(Arc::new(file), range)
            }
            _ => return None,
        })
    }
}

impl Coded for Body {
    fn encode(&self, out: &mut Vec<u8>) {
        self.pieces.to_vec().encode(out);
    }

    fn decode(cursor: &mut Cursor<'_>) -> Option<Self> {
        Vec::decode(cursor).map(Self::of)
    }
}

/// A file with a body; it may be removed once this is dropped.
struct BodyFile {
    id: u64,
    /// The folder it is in; none between its reading from a record and the replay of that record.
    home: Option<Arc<Bodies>>,
}

impl fmt::Debug for BodyFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("BodyFile").field(&self.id).finish()
    }
}

impl BodyFile {
    fn read(&self, range: &Range<u64>, out: &mut Vec<u8>) -> io::Result<()> {
        let home = self.home.as_ref().ok_or(io::ErrorKind::NotFound)?;
        let mut file = File::open(home.path(self.id))?;
        file.seek(SeekFrom::Start(range.start))?;
        let wanted = range.end - range.start;
        match file.take(wanted).read_to_end(out)? as u64 == wanted {
            true => Ok(()),
            false => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
}

impl Drop for BodyFile {
    fn drop(&mut self) {
        if let Some(home) = &self.home {
            lock(&home.dead).push(self.id);
        }
    }
}

/// The folder with the files of bodies.
#[derive(Debug)]
pub(in crate::s3) struct Bodies {
    dir: PathBuf,
    fsync: bool,
    next: AtomicU64,
    /// Files that nothing in memory has any more.
    dead: Mutex<Vec<u64>>,
    /// While the journal is read: the files that it names, with how long each must be.
    named: Mutex<HashMap<u64, (Weak<BodyFile>, u64)>>,
}

impl Bodies {
    pub(super) fn open(dir: &Path, fsync: bool) -> io::Result<Self> {
        let dir = dir.join("bodies");
        make_dir(&dir).map_err(|error| about(&dir, &error))?;
        Ok(Self {
            dir,
            fsync,
            next: AtomicU64::new(1),
            dead: Mutex::default(),
            named: Mutex::default(),
        })
    }

    fn path(&self, id: u64) -> PathBuf {
        self.dir.join(id.to_string())
    }

    /// Returns the file of a number; all its users share one value.
    fn known(self: &Arc<Self>, id: u64, len: u64) -> Arc<BodyFile> {
        self.next.fetch_max(id.saturating_add(1), Ordering::Relaxed);
        let mut named = lock(&self.named);
        let (file, longest) = named.entry(id).or_default();
        *longest = len.max(*longest);
        if let Some(file) = file.upgrade() {
            return file;
        }
        let home = Some(Arc::clone(self));
        let found = Arc::new(BodyFile { id, home });
        *file = Arc::downgrade(&found);
        found
    }

    /// Compares what there is with what the journal names, once it is read.
    pub(super) fn settle(&self) -> io::Result<()> {
        let mut named = std::mem::take(&mut *lock(&self.named));
        // A file that was let go of by one record may have been named again by a later one.
        lock(&self.dead).clear();
        named.retain(|_, (file, _)| file.strong_count() > 0);
        for entry in fs::read_dir(&self.dir)? {
            let entry = entry?;
            let Some(id) = entry
                .file_name()
                .to_str()
                .and_then(|name| name.parse().ok())
            else {
                continue;
            };
            self.next.fetch_max(id + 1, Ordering::Relaxed);
            let path = entry.path();
            match named.remove(&id) {
                None => fs::remove_file(&path).map_err(|error| about(&path, &error))?,
                Some((_, len)) if entry.metadata()?.len() < len => {
                    return Err(damaged(&path, "is cut"));
                }
                Some(_) => {}
            }
        }
        match named.keys().min() {
            Some(id) => Err(damaged(&self.path(*id), "is missing")),
            None => Ok(()),
        }
    }

    /// Writes a file; on return it is as safe as was asked for.
    pub(super) fn write(self: &Arc<Self>, bytes: &[u8]) -> io::Result<Body> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let home = Some(Arc::clone(self));
        // Made first, so that what is left of a failed write is removed.
        let file = Arc::new(BodyFile { id, home });
        let path = self.path(id);
        let mut options = OpenOptions::new();
        let mut out = options.write(true).create_new(true).open(&path)?;
        out.write_all(bytes)?;
        if self.fsync {
            out.sync_all()?;
            sync_dir(&self.dir)?;
        }
        Ok(Body::of(vec![BodyPiece::File(file, 0..bytes.len() as u64)]))
    }
}

fn damaged(path: &Path, what: &str) -> io::Error {
    let text = format!("{}: this body {what}", path.display());
    io::Error::new(io::ErrorKind::InvalidData, text)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Files to be removed once what let go of them is safe; put back if that does not happen.
#[derive(Debug)]
pub(super) struct Dead {
    bodies: Arc<Bodies>,
    ids: Vec<u64>,
}

impl Dead {
    pub(super) fn of(bodies: &Arc<Bodies>) -> Self {
        Self {
            ids: std::mem::take(&mut *lock(&bodies.dead)),
            bodies: Arc::clone(bodies),
        }
    }

    pub(super) fn remove(mut self) {
        for id in self.ids.drain(..) {
            // One that stays is removed by the next process.
            let _ = fs::remove_file(self.bodies.path(id));
        }
    }
}

impl Drop for Dead {
    fn drop(&mut self) {
        if !self.ids.is_empty() {
            lock(&self.bodies.dead).append(&mut self.ids);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(pieces: &[&'static str]) -> Body {
        let piece = |text: &&'static str| BodyPiece::Memory(Bytes::from_static(text.as_bytes()));
        Body::of(pieces.iter().map(piece).collect())
    }

    #[test]
    fn slices_and_joins_are_those_of_the_bytes() {
        let text = "abcdefg";
        let all = body(&["ab", "", "cde", "fg"]);
        assert_eq!((all.len(), all.read().unwrap()), (7, text.into()));
        for start in 0..=7 {
            for end in start..=9 {
                let slice = all.slice(start..end);
                let (from, to) = (start as usize, end.min(7) as usize);
                assert_eq!(slice.read().unwrap(), text[from..to], "{start}..{end}");
            }
        }
        let joined = Body::join([&all, &Body::default(), &body(&["h"])].into_iter());
        assert_eq!(joined.read().unwrap(), "abcdefgh");
        assert_eq!(joined.pieces.len(), 1);
    }
}
