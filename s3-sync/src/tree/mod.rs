//! The files of a folder in the byte order of their keys.

mod walk;

use std::path::{Path, PathBuf};

use crate::error::Error;

pub(crate) use walk::{Walk, is_reserved};

/// The name that the index has beside the objects, and that is no file's anywhere in a tree.
pub const INDEX_NAME: &str = ".s3-sync";
/// What the names of files begin with that are not whole yet.
pub(crate) const TEMPORARY: &str = ".s3-sync.part-";

/// What is done with symbolic links in a tree that is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Links {
    /// They are passed over, and named.
    #[default]
    Skip,
    /// What they lead to is read in their place, if it lies within the tree; others are an error that names them.
    Follow,
}

/// A file of a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct File {
    /// The names of the folders on its way from the root and its own, with `/` between them.
    pub(crate) key: String,
    pub(crate) stamp: Stamp,
    pub(crate) mode: u32,
}

/// What tells whether a file has been changed since.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) struct Stamp {
    pub(crate) size: u64,
    /// Nanoseconds since 1970.
    pub(crate) mtime: i64,
    /// When its inode was changed, in nanoseconds since 1970.
    pub(crate) ctime: i64,
    pub(crate) inode: u64,
}

impl Stamp {
    pub(crate) fn of(stat: &rustix::fs::Stat) -> Self {
        let nanoseconds =
            |seconds: i64, rest: i64| seconds.saturating_mul(1_000_000_000).saturating_add(rest);
        Self {
            size: stat.st_size.cast_unsigned(),
            mtime: nanoseconds(stat.st_mtime, stat.st_mtime_nsec as i64),
            ctime: nanoseconds(stat.st_ctime, stat.st_ctime_nsec as i64),
            inode: stat.st_ino,
        }
    }
}

/// What is met on a walk and is no file.
#[derive(Clone, Debug)]
pub(crate) enum Met {
    /// A link, a pipe, a socket, or a name that is kept for this crate: passed over.
    Skipped(Skipped),
    /// A folder or file that cannot be read, or a name that is no key: nothing may be deleted for want of it.
    Failed(Error),
}

/// Something that is passed over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// What it is called.
    pub key: String,
    /// What it is.
    pub reason: &'static str,
}

/// A tree to be walked.
#[derive(Clone, Debug)]
pub(crate) struct Tree {
    pub(crate) root: PathBuf,
    pub(crate) links: Links,
}

impl Tree {
    pub(crate) fn new(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
            links: Links::default(),
        }
    }

    /// The path of a file in it.
    pub(crate) fn path(&self, key: &str) -> PathBuf {
        self.root.join(key)
    }
}
