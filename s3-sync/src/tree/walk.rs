//! Walking a tree in the byte order of keys.
//!
//! *Problem:* A listing comes in the byte order of whole keys, and it can only be merged with a tree in constant memory if that
//! comes in the same order. *Decision:* The entries of one folder are read and sorted, a folder as `name/`, since that is what
//! its keys go on with: `a-b` < `a.txt` < `a/x` < `a0`. A folder is walked when its turn comes. *Cost:* The names of the folders
//! on the way are in memory, and one open folder for each of them.

use std::collections::VecDeque;
use std::ffi::{CStr, OsStr};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, openat, statat};
use rustix::io::Errno;

use super::{File, INDEX_NAME, Links, Met, Skipped, Stamp, TEMPORARY, Tree};
use crate::error::{Error, Kind, Result};
use crate::names::MAX_KEY;

/// The files of a tree in the byte order of their keys. What is no file is told to the function that it was made with.
pub(crate) struct Walk<F> {
    tree: Tree,
    open: Vec<WalkedFolder>,
    met: F,
    /// The real path of the root, which links must not lead out of.
    real: Option<std::path::PathBuf>,
}

/// A folder whose entries are on their way.
struct WalkedFolder {
    handle: OwnedFd,
    /// Its key with a slash at the end; empty for the root.
    key: String,
    /// Device and inode, by which a circle of links is noticed.
    identity: (u64, u64),
    entries: VecDeque<WalkedEntry>,
}

struct WalkedEntry {
    /// With a slash at the end if it is a folder.
    name: Vec<u8>,
    is_link: bool,
    is_other: bool,
}

impl WalkedEntry {
    fn is_folder(&self) -> bool {
        self.name.last() == Some(&b'/')
    }

    fn bare(&self) -> &[u8] {
        self.name.strip_suffix(b"/").unwrap_or(&self.name)
    }
}

impl<F: FnMut(Met)> Walk<F> {
    /// Begins a walk.
    ///
    /// # Errors
    /// When the root is no folder that can be read.
    pub(crate) fn new(tree: &Tree, met: F) -> Result<Self> {
        let real = match tree.links {
            Links::Follow => std::fs::canonicalize(&tree.root).ok(),
            Links::Skip => None,
        };
        let mut walk = Self {
            tree: tree.clone(),
            open: Vec::new(),
            met,
            real,
        };
        let failed = |cause: Errno| Error::file("read", &tree.root, &cause.into());
        // The root may be a link: the user has named it.
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = openat(CWD, &tree.root, flags, Mode::empty()).map_err(failed)?;
        let folder = walk.folder(root, String::new()).map_err(failed)?;
        walk.open.push(folder);
        Ok(walk)
    }

    /// Reads the entries of a folder.
    fn folder(&self, handle: OwnedFd, key: String) -> Result<WalkedFolder, Errno> {
        let stat = rustix::fs::fstat(&handle)?;
        let mut entries = Vec::new();
        for entry in Dir::read_from(&handle)? {
            let entry = entry?;
            let name = entry.file_name();
            if matches!(name.to_bytes(), b"." | b"..") {
                continue;
            }
            entries.extend(self.entry(&handle, name, entry.file_type())?);
        }
        entries.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        Ok(WalkedFolder {
            handle,
            key,
            identity: (stat.st_dev, stat.st_ino),
            entries: entries.into(),
        })
    }

    fn entry(
        &self,
        folder: &OwnedFd,
        name: &CStr,
        mut kind: FileType,
    ) -> Result<Option<WalkedEntry>, Errno> {
        if kind == FileType::Unknown {
            kind = match statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(stat) => FileType::from_raw_mode(stat.st_mode),
                Err(Errno::NOENT) => return Ok(None),
                Err(error) => return Err(error),
            };
        }
        let is_link = kind == FileType::Symlink;
        if is_link
            && self.tree.links == Links::Follow
            && let Ok(stat) = statat(folder, name, AtFlags::empty())
        {
            kind = FileType::from_raw_mode(stat.st_mode);
        }
        let mut name = name.to_bytes().to_vec();
        if kind == FileType::Directory {
            name.push(b'/');
        }
        Ok(Some(WalkedEntry {
            name,
            is_link,
            is_other: !matches!(kind, FileType::Directory | FileType::RegularFile),
        }))
    }

    fn fail(&mut self, kind: Kind, key: &str, what: impl Into<String>) {
        let about = self.tree.path(key).display().to_string();
        (self.met)(Met::Failed(Error::new(kind, about, what)));
    }

    fn skip(&mut self, key: String, reason: &'static str) {
        (self.met)(Met::Skipped(Skipped { key, reason }));
    }

    /// The file of an entry, or the folder that is now open; nothing if it is passed over.
    fn take(&mut self, entry: &WalkedEntry) -> Option<File> {
        let folder = self.open.last()?;
        let bare = entry.bare();
        let Ok(name) = std::str::from_utf8(bare) else {
            let shown = format!("{}{}", folder.key, String::from_utf8_lossy(bare));
            self.fail(Kind::Name, &shown, "its name is not UTF-8, and so no key");
            return None;
        };
        let mut key = String::with_capacity(folder.key.len() + entry.name.len());
        key.push_str(&folder.key);
        key.push_str(name);
        if name == INDEX_NAME {
            self.skip(key, "this name is kept for the index");
            return None;
        }
        if name.starts_with(TEMPORARY) {
            self.skip(key, "it is what an earlier run has left, and is not whole");
            return None;
        }
        if key.len() > MAX_KEY {
            let bytes = key.len();
            self.fail(
                Kind::Name,
                &key,
                format!("its key has {bytes} bytes, and {MAX_KEY} are allowed"),
            );
            return None;
        }
        if entry.is_link && !self.may_follow(&key) {
            return None;
        }
        if entry.is_other {
            self.skip(key, "it is neither a file nor a folder");
            return None;
        }
        if entry.is_folder() {
            self.enter(entry, key);
            return None;
        }
        let follow = match entry.is_link {
            true => AtFlags::empty(),
            false => AtFlags::SYMLINK_NOFOLLOW,
        };
        let folder = self.open.last()?;
        match statat(&folder.handle, OsStr::from_bytes(bare), follow) {
            Ok(stat) => Some(File {
                stamp: Stamp::of(&stat),
                mode: stat.st_mode & 0o7777,
                key,
            }),
            // It has been removed since its folder was read.
            Err(Errno::NOENT) => None,
            Err(cause) => {
                let cause = std::io::Error::from(cause);
                self.fail(Kind::File, &key, format!("cannot read it: {cause}"));
                None
            }
        }
    }

    /// Whether a link is followed.
    fn may_follow(&mut self, key: &str) -> bool {
        let Some(real) = &self.real else {
            self.skip(key.to_owned(), "it is a symbolic link");
            return false;
        };
        match std::fs::canonicalize(self.tree.path(key)) {
            Ok(target) if target.starts_with(real) => true,
            Ok(target) => {
                let what = format!("the link leads out of the tree, to {}", target.display());
                self.fail(Kind::File, key, what);
                false
            }
            Err(cause) => {
                self.fail(Kind::File, key, format!("cannot follow the link: {cause}"));
                false
            }
        }
    }

    /// Opens a folder, whose entries come next.
    fn enter(&mut self, entry: &WalkedEntry, mut key: String) {
        let Some(parent) = self.open.last() else {
            return;
        };
        let mut flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        if !entry.is_link {
            flags |= OFlags::NOFOLLOW;
        }
        let name = OsStr::from_bytes(entry.bare());
        let opened = openat(&parent.handle, Path::new(name), flags, Mode::empty());
        key.push('/');
        let read = opened.and_then(|handle| self.folder(handle, key.clone()));
        match read {
            Ok(folder)
                if self
                    .open
                    .iter()
                    .any(|open| open.identity == folder.identity) =>
            {
                self.fail(Kind::File, &key, "the link leads round in a circle");
            }
            Ok(folder) => self.open.push(folder),
            Err(Errno::NOENT) => {}
            Err(cause) => {
                let cause = std::io::Error::from(cause);
                self.fail(Kind::File, &key, format!("cannot read the folder: {cause}"));
            }
        }
    }
}

impl<F: FnMut(Met)> Iterator for Walk<F> {
    type Item = File;

    fn next(&mut self) -> Option<File> {
        loop {
            match self.open.last_mut()?.entries.pop_front() {
                None => {
                    self.open.pop();
                }
                Some(entry) => {
                    if let Some(file) = self.take(&entry) {
                        return Some(file);
                    }
                }
            }
        }
    }
}

/// Whether a key has a name that is kept for the index, or for what is not whole yet, as its own or as that of a folder.
pub(crate) fn is_reserved(key: &str) -> bool {
    key.split('/')
        .any(|name| name == INDEX_NAME || name.starts_with(TEMPORARY))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn walk(tree: &Tree) -> (Vec<String>, Vec<Met>) {
        let mut met = Vec::new();
        let walk = Walk::new(tree, |one| met.push(one)).unwrap();
        let keys = walk.map(|file| file.key).collect();
        (keys, met)
    }

    fn make(keys: &[&str]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for key in keys {
            let path = root.path().join(key);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, key).unwrap();
        }
        root
    }

    #[test]
    fn files_come_in_the_order_of_whole_keys() {
        let keys = [
            "a-b",
            "a.txt",
            "a/x",
            "a/y/z",
            "a0",
            "b!",
            "b/-",
            "z/.hidden",
            "\u{e9}/a",
        ];
        let root = make(&keys);
        let (found, met) = walk(&Tree::new(root.path()));
        assert_eq!(found, keys);
        assert!(met.is_empty(), "{met:?}");
        let mut sorted = keys;
        sorted.sort_unstable();
        assert_eq!(sorted, keys);
    }

    #[test]
    fn what_is_no_file_is_told() {
        let root = make(&["a", "d/b", ".s3-sync", "d/.s3-sync", "d/.s3-sync.part-1"]);
        symlink("a", root.path().join("link")).unwrap();
        symlink("d", root.path().join("folder")).unwrap();
        symlink("..", root.path().join("d/up")).unwrap();
        symlink("/etc", root.path().join("out")).unwrap();
        symlink("nowhere", root.path().join("broken")).unwrap();
        std::fs::write(root.path().join(OsStr::from_bytes(b"\xff")), "x").unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(root.path().join("socket")).unwrap();
        let mut tree = Tree::new(root.path());
        let (found, met) = walk(&tree);
        assert_eq!(found, ["a", "d/b"]);
        let skipped = |met: &[Met]| -> Vec<String> {
            let keys = met.iter().filter_map(|met| match met {
                Met::Skipped(skipped) => Some(skipped.key.clone()),
                Met::Failed(_) => None,
            });
            keys.collect()
        };
        let reserved = [".s3-sync", "d/.s3-sync", "d/.s3-sync.part-1"];
        let all = [
            reserved[0],
            "broken",
            reserved[1],
            reserved[2],
            "d/up",
            "folder",
            "link",
            "out",
            "socket",
        ];
        assert_eq!(skipped(&met), all);
        assert_eq!(met.len(), all.len() + 1);

        tree.links = Links::Follow;
        let (found, met) = walk(&tree);
        assert_eq!(found, ["a", "d/b", "folder/b", "link"]);
        let failed: Vec<String> = met
            .iter()
            .filter_map(|met| match met {
                Met::Failed(error) => Some(error.to_string()),
                Met::Skipped(_) => None,
            })
            .collect();
        assert_eq!(failed.len(), 5, "{failed:?}");
        let told = |text: &str| failed.iter().filter(|line| line.contains(text)).count();
        assert_eq!(told("round in a circle"), 2, "{failed:?}");
        assert_eq!(told("out of the tree"), 1, "{failed:?}");
        assert_eq!(told("cannot follow"), 1, "{failed:?}");
        assert_eq!(told("not UTF-8"), 1, "{failed:?}");
    }

    #[test]
    fn a_root_that_is_not_there_is_an_error() {
        let error = Walk::new(&Tree::new(Path::new("/nonexistent/x")), drop).err();
        assert!(error.unwrap().to_string().contains("/nonexistent/x"));
    }
}
