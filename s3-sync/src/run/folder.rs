//! The folder that files are written into, from its root on and never through a link.
//!
//! *Problem:* A link in a tree, or a key, may lead a write out of the tree, and a run that is killed must not leave half a file
//! under a name that is used. *Decision:* Folders are opened one below the other without following links, and files are made
//! in the open folder: under a temporary name, which becomes the right one when the content is whole and has the right
//! digest. A file that was not there when the tree was read takes the place of nothing that is there by then. *Cost:* An open
//! folder for each level of the last file, which the next file of the same folder uses again.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{
    AtFlags, CWD, FlockOperation, Mode, OFlags, RenameFlags, Timespec, Timestamps, UTIME_OMIT,
    flock, mkdirat, openat, renameat, renameat_with, unlinkat,
};
use rustix::io::Errno;

use crate::error::{Error, Kind, Result};
use crate::step::Steps;
use crate::tree::TEMPORARY;

/// A folder to write into.
pub(crate) struct Folder {
    path: PathBuf,
    root: OwnedFd,
    /// The folders on the way to the last file, with their names.
    open: Vec<(String, OwnedFd)>,
    fsync: bool,
    steps: Steps,
    /// Why other runs are not kept out, if they are not.
    unguarded: Option<String>,
}

/// How a file is made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Making {
    /// Nanoseconds since 1970.
    pub(crate) mtime: i64,
    /// Its permissions, of which the process's mask takes some away.
    pub(crate) mode: u32,
    /// Whether a file is there that it takes the place of.
    pub(crate) replaces: bool,
}

/// Why a file was not made.
#[derive(Debug)]
pub(crate) enum Obstacle {
    /// A file is in the way of a folder, or a folder in that of a file.
    InTheWay(Error),
    /// Anything else.
    Failed(Error),
}

impl Folder {
    /// Opens a folder, and makes it if it is not there. No other run of this machine writes into it as long as this value
    /// lives, unless it is [unguarded](Self::unguarded).
    pub(crate) fn open(path: &Path, fsync: bool, steps: Steps) -> Result<Self> {
        std::fs::create_dir_all(path).map_err(|cause| Error::file("make", path, &cause))?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = openat(CWD, path, flags, Mode::empty());
        let root = root.map_err(|cause| Error::file("open", path, &cause.into()))?;
        // Two runs would take each other's files for strangers in the way.
        let locked = flock(&root, FlockOperation::NonBlockingLockExclusive);
        let unguarded = guard(locked, path)?;
        Ok(Self {
            path: path.to_owned(),
            root,
            open: Vec::new(),
            fsync,
            steps,
            unguarded,
        })
    }

    /// Why other runs are not kept out, if they are not.
    pub(crate) fn unguarded(&self) -> Option<&str> {
        self.unguarded.as_deref()
    }

    /// Whether the file system takes names for one that differ in case.
    pub(crate) fn folds(&self) -> bool {
        let name = format!("{TEMPORARY}{:016x}", fastrand::u64(..));
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let Ok(_made) = openat(&self.root, &name, flags, Mode::from_raw_mode(0o600)) else {
            return false;
        };
        let other = rustix::fs::statat(&self.root, name.to_uppercase(), AtFlags::SYMLINK_NOFOLLOW);
        let _already_gone = unlinkat(&self.root, &name, AtFlags::empty());
        other.is_ok()
    }

    /// The open folder of a file, and the file's name in it.
    fn place<'k>(&mut self, key: &'k str) -> Result<&'k str, Obstacle> {
        let (folders, name) = match key.rsplit_once('/') {
            Some((folders, name)) => (Some(folders), name),
            None => (None, key),
        };
        let mut depth = 0;
        for part in folders.iter().flat_map(|folders| folders.split('/')) {
            if self.open.get(depth).is_none_or(|(name, _)| name != part) {
                self.open.truncate(depth);
                let opened = self.enter(part);
                let handle = opened.map_err(|cause| {
                    let end = folders.unwrap_or_default();
                    self.obstacle("make", &self.path.join(end), cause)
                })?;
                self.open.push((part.to_owned(), handle));
            }
            depth += 1;
        }
        self.open.truncate(depth);
        Ok(name)
    }

    /// The folder that the last file is in.
    fn here(&self) -> &OwnedFd {
        self.open.last().map_or(&self.root, |(_, handle)| handle)
    }

    fn enter(&self, part: &str) -> Result<OwnedFd, Errno> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        match openat(self.here(), part, flags, Mode::empty()) {
            Err(Errno::NOENT) => {
                self.steps.tell("make", part);
                match mkdirat(self.here(), part, Mode::from_raw_mode(0o777)) {
                    Ok(()) if self.fsync => rustix::fs::fsync(self.here())?,
                    Ok(()) | Err(Errno::EXIST) => {}
                    Err(error) => return Err(error),
                }
                openat(self.here(), part, flags, Mode::empty())
            }
            opened => opened,
        }
    }

    fn obstacle(&self, what: &str, path: &Path, cause: Errno) -> Obstacle {
        let about = path.display().to_string();
        match cause {
            Errno::NOTDIR | Errno::LOOP => {
                let what = "a file or a link is in the way of a folder of this name";
                Obstacle::InTheWay(Error::new(Kind::Name, about, what))
            }
            Errno::ISDIR | Errno::NOTEMPTY | Errno::EXIST => {
                let what = "something else is in the way that has this name, or one that the file system takes for the same";
                Obstacle::InTheWay(Error::new(Kind::Name, about, what))
            }
            cause => Obstacle::Failed(Error::file(what, path, &cause.into())),
        }
    }

    /// Makes a file of this content.
    pub(crate) fn write(
        &mut self,
        key: &str,
        content: &[u8],
        making: Making,
    ) -> Result<(), Obstacle> {
        let mut new = self.begin(key, making)?;
        let wrote = new.file.write_all(content);
        match wrote {
            Ok(()) => self.finish(new, making),
            Err(cause) => Err(self.give_up(new, &cause)),
        }
    }

    /// Begins a file under a temporary name.
    pub(crate) fn begin(&mut self, key: &str, making: Making) -> Result<NewFile, Obstacle> {
        let name = self.place(key)?.to_owned();
        let path = self.path.join(key);
        self.steps.tell("begin", key);
        loop {
            let temporary = format!("{TEMPORARY}{:016x}", fastrand::u64(..));
            let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
            let mode = Mode::from_raw_mode(making.mode & 0o777);
            match openat(self.here(), &temporary, flags, mode) {
                Ok(file) => {
                    return Ok(NewFile {
                        file: file.into(),
                        folder: None,
                        temporary,
                        name,
                        path,
                    });
                }
                Err(Errno::EXIST) => {}
                Err(cause) => return Err(self.obstacle("make", &path, cause)),
            }
        }
    }

    /// The same for a file that is written while others are: it keeps its folder open.
    pub(crate) fn begin_apart(&mut self, key: &str, making: Making) -> Result<NewFile, Obstacle> {
        let mut new = self.begin(key, making)?;
        match rustix::io::fcntl_dupfd_cloexec(self.here(), 0) {
            Ok(folder) => {
                new.folder = Some(folder);
                Ok(new)
            }
            Err(cause) => Err(self.give_up(new, &cause.into())),
        }
    }

    /// Gives a file its name.
    pub(crate) fn finish(&self, new: NewFile, making: Making) -> Result<(), Obstacle> {
        let times = Timestamps {
            last_access: Timespec {
                tv_sec: 0,
                tv_nsec: UTIME_OMIT,
            },
            last_modification: Timespec {
                tv_sec: making.mtime.div_euclid(1_000_000_000),
                tv_nsec: making.mtime.rem_euclid(1_000_000_000),
            },
        };
        let timed = rustix::fs::futimens(&new.file, &times).map_err(io::Error::from);
        let synced = timed.and_then(|()| match self.fsync {
            true => new.file.sync_all(),
            false => Ok(()),
        });
        if let Err(cause) = synced {
            return Err(self.give_up(new, &cause));
        }
        let folder = new.folder.as_ref().unwrap_or_else(|| self.here());
        self.steps.tell("rename", &new.name);
        let renamed = match making.replaces {
            true => renameat(folder, &new.temporary, folder, &new.name),
            false => {
                let alone = RenameFlags::NOREPLACE;
                match renameat_with(folder, &new.temporary, folder, &new.name, alone) {
                    // The file system cannot do it so.
                    Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {
                        renameat(folder, &new.temporary, folder, &new.name)
                    }
                    renamed => renamed,
                }
            }
        };
        match renamed {
            Ok(()) if self.fsync => {
                let synced = rustix::fs::fsync(folder);
                synced.map_err(|cause| {
                    Obstacle::Failed(Error::file("write", &new.path, &cause.into()))
                })
            }
            Ok(()) => Ok(()),
            Err(cause) => {
                let _already_gone = unlinkat(folder, &new.temporary, AtFlags::empty());
                Err(self.obstacle("write", &new.path, cause))
            }
        }
    }

    /// Removes what has been begun.
    pub(crate) fn give_up(&self, new: NewFile, cause: &io::Error) -> Obstacle {
        self.remove(&new);
        Obstacle::Failed(Error::file("write", &new.path, cause))
    }

    /// Removes what has been begun.
    pub(crate) fn remove(&self, new: &NewFile) {
        let folder = new.folder.as_ref().unwrap_or_else(|| self.here());
        let _already_gone = unlinkat(folder, &new.temporary, AtFlags::empty());
    }

    /// Removes a file, and the folders that it leaves empty.
    pub(crate) fn delete(&mut self, key: &str) -> Result<()> {
        let path = self.path.join(key);
        let failed = |cause: Errno| Error::file("remove", &path, &cause.into());
        let name = match self.place(key) {
            Ok(name) => name,
            Err(Obstacle::InTheWay(error) | Obstacle::Failed(error)) => return Err(error),
        };
        self.steps.tell("remove", key);
        match unlinkat(self.here(), name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(cause) => return Err(failed(cause)),
        }
        while let Some((name, _)) = self.open.pop() {
            // Refused as long as there is something in it.
            if unlinkat(self.here(), &name, AtFlags::REMOVEDIR).is_err() {
                break;
            }
        }
        Ok(())
    }
}

/// What a lock of a folder came to: another run has it, or there is none and this is why.
fn guard(locked: Result<(), Errno>, path: &Path) -> Result<Option<String>> {
    let about = path.display();
    match locked {
        Ok(()) => Ok(None),
        Err(Errno::WOULDBLOCK) => {
            let what = "another run writes into this folder";
            Err(Error::new(Kind::Guard, about.to_string(), what))
        }
        Err(cause) => Ok(Some(format!(
            "{about} cannot be locked: {}; no other run may write into it meanwhile",
            io::Error::from(cause)
        ))),
    }
}

/// A file that has no name yet.
#[derive(Debug)]
pub(crate) struct NewFile {
    pub(crate) file: File,
    folder: Option<OwnedFd>,
    temporary: String,
    name: String,
    path: PathBuf,
}

impl NewFile {
    /// Where it will be.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{MetadataExt as _, symlink};

    const MAKING: Making = Making {
        mtime: 1_234_567_890_123_456_789,
        mode: 0o600,
        replaces: false,
    };

    fn left(root: &Path) -> Vec<String> {
        let mut names: Vec<String> = std::fs::read_dir(root)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort_unstable();
        names
    }

    #[test]
    fn files_are_whole_and_have_time_and_mode() {
        let root = tempfile::tempdir().unwrap();
        let mut folder = Folder::open(&root.path().join("new"), true, Steps::default()).unwrap();
        for key in ["a/b/c", "a/b/d", "a/e", "f"] {
            folder.write(key, key.as_bytes(), MAKING).unwrap();
            let path = root.path().join("new").join(key);
            assert_eq!(std::fs::read(&path).unwrap(), key.as_bytes());
            let found = std::fs::metadata(&path).unwrap();
            assert_eq!(
                (found.mtime(), found.mtime_nsec()),
                (1_234_567_890, 123_456_789)
            );
            assert_eq!(found.mode() & 0o777, 0o600);
        }
        let again = Making {
            replaces: true,
            ..MAKING
        };
        folder.write("f", b"new", again).unwrap();
        assert_eq!(std::fs::read(root.path().join("new/f")).unwrap(), b"new");
        assert_eq!(left(&root.path().join("new")), ["a", "f"]);
        for key in ["a/b/c", "a/b/d", "a/e", "f", "never/there"] {
            folder.delete(key).unwrap();
        }
        assert_eq!(left(&root.path().join("new")), [""; 0]);
    }

    #[test]
    fn nothing_is_written_through_a_link_or_over_what_was_not_known() {
        let root = tempfile::tempdir().unwrap();
        let (outside, inside) = (root.path().join("outside"), root.path().join("inside"));
        std::fs::create_dir(&outside).unwrap();
        std::fs::write(outside.join("file"), "old").unwrap();
        let mut folder = Folder::open(&inside, false, Steps::default()).unwrap();
        symlink(&outside, inside.join("link")).unwrap();
        symlink(outside.join("file"), inside.join("file")).unwrap();
        std::fs::create_dir_all(inside.join("folder/x")).unwrap();
        std::fs::write(inside.join("plain"), "old").unwrap();
        for key in [
            "link/file",
            "link/new",
            "file",
            "folder",
            "plain",
            "plain/x",
        ] {
            let found = folder.write(key, b"new", MAKING);
            assert!(
                matches!(found, Err(Obstacle::InTheWay(_))),
                "{key}: {found:?}"
            );
        }
        assert_eq!(left(&outside), ["file"]);
        assert_eq!(std::fs::read(outside.join("file")).unwrap(), b"old");
        assert_eq!(left(&inside), ["file", "folder", "link", "plain"]);
        assert_eq!(std::fs::read(inside.join("plain")).unwrap(), b"old");
        assert!(folder.delete("link/file").is_err());
        assert_eq!(left(&outside), ["file"]);
    }

    #[test]
    fn one_run_at_a_time_writes_into_a_folder() {
        let root = tempfile::tempdir().unwrap();
        let open = || Folder::open(root.path(), false, Steps::default());
        let first = open().unwrap();
        let error = open().err().expect("the second is refused");
        assert_eq!(error.kind(), Kind::Guard);
        assert!(error.to_string().contains("another run"), "{error}");
        drop(first);
        assert!(open().is_ok());
    }

    #[test]
    fn a_file_system_without_locks_is_no_failure_and_is_said() {
        let path = Path::new("a/b");
        for cause in [Errno::NOLCK, Errno::NOTSUP, Errno::BADF] {
            let why = guard(Err(cause), path).unwrap().expect("a reason");
            assert!(why.starts_with("a/b cannot be locked: "), "{why}");
        }
        assert!(guard(Ok(()), path).unwrap().is_none());
    }

    #[test]
    fn a_full_disk_leaves_no_half_file() {
        // The device that is always full stands in for a disk: it is the write that fails.
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full");
        let full = full.expect("/dev/full is there, without which no disk of this test is full");
        let root = tempfile::tempdir().unwrap();
        let mut folder = Folder::open(root.path(), false, Steps::default()).unwrap();
        let mut new = folder.begin("a", MAKING).unwrap();
        new.file = full;
        let cause = new.file.write_all(b"x").unwrap_err();
        let Obstacle::Failed(error) = folder.give_up(new, &cause) else {
            panic!("it is no obstacle");
        };
        assert_eq!(error.kind(), Kind::Full);
        assert_eq!(left(root.path()), [""; 0]);
    }
}
