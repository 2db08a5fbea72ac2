//! A key, what is known of it on both sides, and what is to be done with it.

use bytes::Bytes;

use crate::digest::Digest;
use crate::error::Error;
use crate::etag::{Sums, Wanted};
use crate::index::Entry;
use crate::listing::Listed;
use crate::plan::compare::ObjectFacts;
use crate::plan::merge::Keyed;
use crate::record::Record;
use crate::run::report::Action;
use crate::tree::{File, Stamp};

/// A key of either side, or of both.
#[derive(Debug)]
pub(crate) struct Task {
    /// Its place in the order of keys.
    pub(crate) number: u64,
    pub(crate) key: String,
    pub(crate) file: Option<FileSide>,
    /// The object of the store; in a copy, that of the target.
    pub(crate) object: Option<ObjectSide>,
    /// In a copy, the object of the source.
    pub(crate) from: Option<ObjectSide>,
    pub(crate) step: TaskStep,
    /// Whether it comes after all others, if it is moved.
    pub(crate) last: bool,
    /// All that the file has, if it is small and was read.
    pub(crate) content: Option<Bytes>,
}

/// What is to be done, or found out first.
#[derive(Debug)]
pub(crate) enum TaskStep {
    /// Both sides have the same.
    Same,
    /// The source becomes the target.
    Move,
    /// It does so after all others.
    Last,
    /// The file is read, and compared again.
    ReadFile(Wanted),
    /// The object is read, and compared with what the file is known to have.
    ReadObject,
    /// Both are read.
    Verify,
    /// Only the target has it.
    Delete,
    /// Only the target has it, and keeps it.
    Keep,
    /// It is not looked at, but what is known of it still counts.
    Pass,
    /// It cannot be done.
    Failed(Error),
}

/// What is known of a file.
#[derive(Clone, Debug)]
pub(crate) struct FileSide {
    pub(crate) stamp: Stamp,
    pub(crate) mode: u32,
    pub(crate) sums: Option<Sums>,
    /// Whether the next run may believe the digests.
    pub(crate) settled: bool,
    /// Whether the state has these digests.
    pub(crate) remembered: bool,
}

impl FileSide {
    /// A file and what the state says of it.
    pub(crate) fn new(file: &File, record: Option<&Record>) -> Self {
        let record = record.filter(|record| record.stamp == file.stamp);
        Self {
            stamp: file.stamp,
            mode: file.mode,
            sums: record.map(|record| Sums {
                sha: record.sha,
                md5: record.md5,
            }),
            settled: record.is_some(),
            remembered: record.is_some(),
        }
    }
}

/// What is known of an object.
#[derive(Clone, Debug)]
pub(crate) struct ObjectSide {
    pub(crate) key: String,
    pub(crate) size: u64,
    /// Without its quotes.
    pub(crate) etag: String,
    pub(crate) modified: i64,
    /// What the index says of an object of this tag.
    pub(crate) told: Option<Told>,
}

/// What the index says of the content of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) sha: Digest,
    pub(crate) mtime: i64,
    pub(crate) mode: u32,
}

impl ObjectSide {
    /// An object and the entry of its key, which counts only if it is about this object.
    pub(crate) fn new(listed: Listed, entry: Option<Entry>) -> Self {
        let same = |entry: &Entry| {
            !listed.etag.is_empty() && (&entry.etag, entry.size) == (&listed.etag, listed.size)
        };
        let told = entry.filter(same).map(|entry| Told {
            sha: entry.sha,
            mtime: entry.mtime,
            mode: entry.mode,
        });
        Self {
            key: listed.key,
            size: listed.size,
            etag: listed.etag,
            modified: listed.modified,
            told,
        }
    }

    pub(crate) fn facts(&self) -> ObjectFacts<'_> {
        ObjectFacts {
            size: self.size,
            etag: &self.etag,
            sha: self.told.map(|told| told.sha),
        }
    }

    /// When the file was changed that it was made of, as far as is known.
    pub(crate) fn mtime(&self) -> i64 {
        self.told.map_or(self.modified, |told| told.mtime)
    }

    /// The record that says of it what the index does.
    pub(crate) fn record(&self) -> Option<Record> {
        let told = self.told?;
        Some(Record {
            key: self.key.clone(),
            sha: told.sha,
            md5: None,
            stamp: Stamp {
                size: self.size,
                mtime: told.mtime,
                ..Stamp::default()
            },
            mode: told.mode,
            etag: self.etag.clone(),
            settled: false,
        })
    }
}

impl Keyed for ObjectSide {
    fn key(&self) -> &str {
        &self.key
    }
}

impl Task {
    /// The size of what is moved.
    pub(crate) fn size(&self, direction: Direction) -> u64 {
        let size = match direction {
            Direction::Up => self.file.as_ref().map(|file| file.stamp.size),
            Direction::Down => self.object.as_ref().map(|object| object.size),
            Direction::Copy => self.from.as_ref().map(|object| object.size),
        };
        size.unwrap_or_default()
    }

    /// Whether there is something of it in the source and in the target.
    pub(crate) fn sides(&self, direction: Direction) -> (bool, bool) {
        match direction {
            Direction::Up => (self.file.is_some(), self.object.is_some()),
            Direction::Down => (self.object.is_some(), self.file.is_some()),
            Direction::Copy => (self.from.is_some(), self.object.is_some()),
        }
    }

    /// What is done with it when it differs.
    pub(crate) fn moving(&self) -> TaskStep {
        match self.last {
            true => TaskStep::Last,
            false => TaskStep::Move,
        }
    }

    /// Whether the file has been read for what the state does not have, and may have.
    pub(crate) fn has_news(&self) -> bool {
        let news = |file: &FileSide| file.settled && !file.remembered && file.sums.is_some();
        self.file.as_ref().is_some_and(news)
    }

    /// The record of a key that stays as it is: what the index says, or the state in a download.
    pub(crate) fn unchanged(&self, direction: Direction) -> Option<Record> {
        let object = || self.object.as_ref()?.record();
        match direction {
            Direction::Up => object().or_else(|| self.file_record("")),
            Direction::Copy => object(),
            Direction::Down => self.file_record(""),
        }
    }

    /// The record of a key that only the target has, for its deletion.
    pub(crate) fn to_delete(&self, direction: Direction) -> Record {
        let record = self.unchanged(direction);
        record.unwrap_or_else(|| self.bare_record())
    }

    /// The record of a key that comes later: what its task is made of again.
    pub(crate) fn to_repeat(&self) -> Record {
        let mut record = self.bare_record();
        if let Some(file) = &self.file {
            record.stamp = file.stamp;
            record.mode = file.mode;
        }
        if let Some(from) = &self.from {
            record.etag.clone_from(&from.etag);
            record.stamp.size = from.size;
            record.stamp.mtime = from.modified;
            if let Some(told) = from.told {
                record.sha = told.sha;
                record.stamp.mtime = told.mtime;
                record.mode = told.mode;
                record.settled = true;
            }
        }
        record
    }

    /// The task of a record that [`to_repeat`](Self::to_repeat) gave.
    pub(crate) fn repeated(record: Record, direction: Direction) -> Self {
        let told = record.settled.then_some(Told {
            sha: record.sha,
            mtime: record.stamp.mtime,
            mode: record.mode,
        });
        let (mut file, mut from) = (None, None);
        match direction {
            Direction::Copy => {
                from = Some(ObjectSide {
                    key: record.key.clone(),
                    size: record.stamp.size,
                    etag: record.etag,
                    modified: record.stamp.mtime,
                    told,
                });
            }
            Direction::Up | Direction::Down => {
                file = Some(FileSide {
                    stamp: record.stamp,
                    mode: record.mode,
                    sums: None,
                    settled: false,
                    remembered: false,
                });
            }
        }
        Self {
            number: 0,
            key: record.key,
            file,
            object: None,
            from,
            step: TaskStep::Move,
            last: false,
            content: None,
        }
    }

    fn bare_record(&self) -> Record {
        let size = self.object.as_ref().map(|object| object.size);
        Record {
            key: self.key.clone(),
            sha: Digest::from_bytes([0; 32]),
            md5: None,
            stamp: Stamp {
                size: size.unwrap_or_default(),
                ..Stamp::default()
            },
            mode: 0,
            etag: String::new(),
            settled: false,
        }
    }

    /// The record of the file, with the tag of an object of the same content; nothing if the file was not read.
    pub(crate) fn file_record(&self, etag: &str) -> Option<Record> {
        let file = self.file.as_ref()?;
        let sums = file.sums?;
        Some(Record {
            key: self.key.clone(),
            sha: sums.sha,
            md5: sums.md5,
            stamp: file.stamp,
            mode: file.mode & 0o777,
            etag: etag.to_owned(),
            settled: file.settled,
        })
    }
}

impl Direction {
    /// What is done with what differs.
    pub(crate) fn action(self) -> Action {
        match self {
            Self::Up => Action::Upload,
            Self::Down => Action::Download,
            Self::Copy => Action::Copy,
        }
    }
}

/// Which way things go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    /// From files to objects.
    Up,
    /// From objects to files.
    Down,
    /// From objects to objects.
    Copy,
}
