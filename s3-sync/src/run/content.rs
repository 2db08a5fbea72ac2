//! Reading files: their content if it is small, and their digests.
//!
//! *Problem:* Many small files cost system calls and changes of thread, not bytes. *Decision:* Files are read by a few threads in
//! batches, each with one open, one read, one look at whether it has changed and one close; the stamp of the walk is what it is
//! compared with. *Cost:* The content of small files waits in memory, some MiB in all.

use std::fs::File;
use std::io::{self, Read as _};

use bytes::Bytes;
use rustix::fs::{CWD, Mode, OFlags, openat};

use super::task::{Direction, FileSide, Task, TaskStep};
use crate::error::{Error, Kind, Result};
use crate::etag::{Hasher, Md5Sum, Sums, Wanted};
use crate::plan::compare::{Trust, Verdict, read_file_with_object};
use crate::state;
use crate::tree::{Links, Stamp, Tree};

/// Files up to this size are held in memory until they are stored.
pub(crate) const SMALL: u64 = 256 << 10;
const CHUNK: usize = 256 << 10;

/// Reads files of a tree for tasks.
pub(crate) struct FileReader {
    tree: Tree,
    direction: Direction,
    trust: Trust,
    /// Whether contents are wanted, or digests only.
    contents: bool,
    chunk: Vec<u8>,
}

/// What was read of a file.
struct Content {
    sums: Sums,
    parts: Vec<Md5Sum>,
    bytes: Option<Bytes>,
    stamp: Stamp,
}

impl FileReader {
    pub(crate) fn new(tree: Tree, direction: Direction, trust: Trust, contents: bool) -> Self {
        Self {
            tree,
            direction,
            trust,
            contents,
            chunk: Vec::new(),
        }
    }

    /// Reads what a task needs, and answers the question that it has.
    pub(crate) fn prepare(&mut self, task: &mut Task) {
        let up = self.direction == Direction::Up;
        let Some(file) = &task.file else {
            return;
        };
        let small = file.stamp.size <= SMALL;
        let keep = up && small && self.contents;
        let known = file.sums.is_some();
        let wanted = match task.step {
            TaskStep::ReadFile(wanted) => wanted,
            TaskStep::Verify => Wanted::Sha,
            TaskStep::ReadObject if !known => Wanted::Sha,
            TaskStep::Move if up && self.contents && (small || !known) => Wanted::Sha,
            _ => return,
        };
        // What is changed from now on may not be in what is read.
        let read_at = state::now();
        match self.read(&task.key, file, wanted, keep) {
            Ok(content) => self.answer(task, content, read_at),
            Err(error) => task.step = TaskStep::Failed(error),
        }
    }

    fn answer(&self, task: &mut Task, content: Content, read_at: i64) {
        let Some(file) = &mut task.file else {
            return;
        };
        let known = file.sums.filter(|known| known.sha == content.sums.sha);
        let md5 = content.sums.md5.or_else(|| known?.md5);
        file.remembered &= known.is_some_and(|known| known.md5 == md5);
        file.settled = !state::is_racy(&content.stamp, read_at);
        file.stamp = content.stamp;
        file.sums = Some(Sums {
            md5,
            ..content.sums
        });
        task.content = content.bytes;
        let Some(object) = &task.object else {
            return;
        };
        let reread = matches!(task.step, TaskStep::ReadFile(_));
        if reread && file.stamp.size != object.size {
            // It has been changed since the walk.
            task.step = task.moving();
        } else if reread {
            let facts = object.facts();
            task.step =
                match read_file_with_object(content.sums, &content.parts, &facts, self.trust) {
                    Verdict::Same => TaskStep::Same,
                    Verdict::Differs | Verdict::ReadFile(_) => task.moving(),
                    Verdict::ReadObject => TaskStep::ReadObject,
                };
        }
        if matches!(task.step, TaskStep::Same) {
            task.content = None;
        }
    }

    /// Reads a file; once more if it has changed meanwhile.
    fn read(&mut self, key: &str, file: &FileSide, wanted: Wanted, keep: bool) -> Result<Content> {
        let path = self.tree.path(key);
        let failed = |cause: io::Error| Error::file("read", &path, &cause);
        let mut before = file.stamp;
        for _ in 0..2 {
            let mut flags = OFlags::RDONLY | OFlags::CLOEXEC;
            if self.tree.links == Links::Skip {
                flags |= OFlags::NOFOLLOW;
            }
            let opened = openat(CWD, &path, flags, Mode::empty());
            let mut open = File::from(opened.map_err(|cause| failed(cause.into()))?);
            let (sums, parts, bytes) = match keep && before.size <= SMALL {
                true => self.whole(&mut open, before.size, wanted),
                false => self.stream(&mut open, before.size, wanted),
            }
            .map_err(failed)?;
            let stat = rustix::fs::fstat(&open).map_err(|cause| failed(cause.into()))?;
            let stamp = Stamp::of(&stat);
            if stamp == before {
                return Ok(Content {
                    sums,
                    parts,
                    bytes,
                    stamp,
                });
            }
            before = stamp;
        }
        let about = path.display().to_string();
        Err(Error::new(
            Kind::Changed,
            about,
            "it changes while it is read",
        ))
    }

    fn whole(&mut self, file: &mut File, size: u64, wanted: Wanted) -> io::Result<Read> {
        // One byte more, so that one read of all and no more has come to the end.
        let room = usize::try_from(size)
            .unwrap_or(usize::MAX)
            .saturating_add(1);
        let mut bytes = Vec::with_capacity(room);
        let read = rustix::io::retry_on_intr(|| {
            rustix::io::read(&*file, rustix::buffer::spare_capacity(&mut bytes))
        })?;
        if read as u64 != size {
            file.take(SMALL).read_to_end(&mut bytes)?;
        }
        let mut hasher = Hasher::new(wanted, size);
        hasher.update(&bytes);
        let (sums, parts) = hasher.finish();
        Ok((sums, parts, Some(Bytes::from(bytes))))
    }

    fn stream(&mut self, file: &mut File, size: u64, wanted: Wanted) -> io::Result<Read> {
        self.chunk.resize(CHUNK, 0);
        let mut hasher = Hasher::new(wanted, size);
        let mut left = size;
        // Not beyond the size, since a file may grow for ever: that it has another size is noticed.
        while left > 0 {
            let most = CHUNK.min(usize::try_from(left).unwrap_or(CHUNK));
            match file.read(&mut self.chunk[..most]) {
                Ok(0) => break,
                Ok(n) => {
                    hasher.update(&self.chunk[..n]);
                    left -= n as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        let (sums, parts) = hasher.finish();
        Ok((sums, parts, None))
    }
}

type Read = (Sums, Vec<Md5Sum>, Option<Bytes>);

/// Whether a file still has this stamp.
///
/// # Errors
/// When it has not, or is not there.
pub(crate) fn check_unchanged(tree: &Tree, key: &str, stamp: &Stamp) -> Result<()> {
    let path = tree.path(key);
    let stat =
        rustix::fs::stat(&path).map_err(|cause| Error::file("read", &path, &cause.into()))?;
    match Stamp::of(&stat) == *stamp {
        true => Ok(()),
        false => {
            let about = path.display().to_string();
            Err(Error::new(
                Kind::Changed,
                about,
                "it changed while it was read",
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Digest;

    #[test]
    fn a_file_that_changed_since_the_walk_is_read_as_it_is_now() {
        let root = tempfile::tempdir().unwrap();
        std::fs::write(root.path().join("a"), "new content").unwrap();
        let tree = Tree::new(root.path());
        let mut reader = FileReader::new(tree, Direction::Up, Trust::default(), true);
        for keep in [true, false] {
            let side = FileSide {
                stamp: Stamp {
                    size: 3,
                    ..Stamp::default()
                },
                mode: 0o644,
                sums: None,
                settled: false,
                remembered: false,
            };
            let found = reader.read("a", &side, Wanted::Md5, keep).unwrap();
            assert_eq!(found.sums.sha, Digest::of(b"new content"));
            assert_eq!(found.stamp.size, 11);
            assert!(found.sums.md5.is_some());
            assert_eq!(found.bytes.as_deref(), keep.then_some(&b"new content"[..]));
            assert!(check_unchanged(&reader.tree, "a", &found.stamp).is_ok());
            let changed = check_unchanged(&reader.tree, "a", &side.stamp).unwrap_err();
            assert_eq!(changed.kind(), Kind::Changed);
        }
        let gone = FileSide::new(
            &crate::tree::File {
                key: "gone".to_owned(),
                stamp: Stamp::default(),
                mode: 0,
            },
            None,
        );
        let error = reader.read("gone", &gone, Wanted::Sha, true).err();
        assert_eq!(error.map(|error| error.kind()), Some(Kind::File));
    }
}
