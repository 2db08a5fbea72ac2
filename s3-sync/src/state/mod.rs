//! The digests of local files, remembered from run to run.
//!
//! *Problem:* To compare by content, files have to be read, and most of them are as they were. *Decision:* A file of
//! [records](crate::record) in the user's folder for caches keeps size, times, inode and digests of each file of a tree. A digest
//! is believed if all of these are as they were. Clocks of file systems tick slowly, so that a file may be changed twice within one tick:
//! a file that was changed less than [`RACY`] before it was read is read again the next time, as git does it. *Cost:* 100 bytes
//! and a key for each file; the first run after a change within two seconds reads the file once more.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::digest::Digest;
use crate::record::{Reader, Record, Writer};
use crate::tree::Stamp;

/// How old a change has to be for a digest to be believed later.
pub(crate) const RACY: Duration = Duration::from_secs(2);

/// `s3-sync` in the user's folder for caches, by the [XDG rules](https://specifications.freedesktop.org/basedir-spec/latest/).
pub(crate) fn usual_folder() -> Option<PathBuf> {
    let absolute = |name: &str| {
        let path = PathBuf::from(std::env::var_os(name)?);
        path.is_absolute().then_some(path)
    };
    let caches = absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(".cache")))?;
    Some(caches.join("s3-sync"))
}

/// Where the state of a tree is kept.
#[derive(Clone, Debug)]
pub(crate) struct StateFile {
    folder: PathBuf,
    path: PathBuf,
}

impl StateFile {
    /// The file for a tree.
    pub(crate) fn of(folder: &Path, root: &Path) -> Self {
        let real = std::fs::canonicalize(root);
        let real =
            real.unwrap_or_else(|_| std::path::absolute(root).unwrap_or_else(|_| root.to_owned()));
        let name = Digest::of(real.as_os_str().as_encoded_bytes()).to_string();
        Self {
            folder: folder.to_owned(),
            path: folder.join(format!("{}.state", &name[..32])),
        }
    }

    /// What is remembered; nothing if there is no file of that kind.
    pub(crate) fn read(&self) -> Reader {
        let file = File::open(&self.path).and_then(Reader::new);
        file.unwrap_or_else(|_| Reader::empty())
    }

    /// Remembers these records in place of what was there. Nobody else may read it: names of files tell things.
    pub(crate) fn write(&self, records: impl Iterator<Item = Record>) -> io::Result<()> {
        std::fs::create_dir_all(&self.folder)?;
        let temporary = tempfile::NamedTempFile::new_in(&self.folder)?;
        let mut writer = Writer::new(temporary.reopen()?);
        for record in records.filter(|record| record.settled) {
            writer.add(&record)?;
        }
        writer.finish()?;
        temporary.persist(&self.path)?;
        Ok(())
    }
}

/// The time, in nanoseconds since 1970.
pub(crate) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
    })
}

/// Whether a file that was read at `read_at` may have been changed since without a trace in its stamp.
pub(crate) fn is_racy(stamp: &Stamp, read_at: i64) -> bool {
    let changed = stamp.mtime.max(stamp.ctime);
    let racy = i64::try_from(RACY.as_nanos()).unwrap_or(i64::MAX);
    read_at.saturating_sub(changed) < racy
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_young_file_is_not_believed() {
        let second = 1_000_000_000;
        let stamp = |mtime, ctime| Stamp {
            mtime,
            ctime,
            ..Stamp::default()
        };
        assert!(is_racy(&stamp(0, 9 * second), 10 * second));
        assert!(is_racy(&stamp(9 * second, 0), 10 * second));
        assert!(is_racy(&stamp(99 * second, 0), 10 * second));
        assert!(!is_racy(&stamp(8 * second, 7 * second), 10 * second));
    }

    #[test]
    fn what_is_settled_is_remembered_for_one_tree() {
        let folder = tempfile::tempdir().unwrap();
        let caches = folder.path().join("caches");
        let file = StateFile::of(&caches, folder.path());
        let record = |key: &str, settled| Record {
            key: key.to_owned(),
            sha: Digest::of(b"x"),
            md5: None,
            stamp: Stamp::default(),
            mode: 0,
            etag: String::new(),
            settled,
        };
        assert_eq!(file.read().count(), 0);
        let records = [record("a", true), record("b", false), record("c", true)];
        file.write(records.clone().into_iter()).unwrap();
        let found: Vec<Record> = file.read().collect();
        assert_eq!(found, [records[0].clone(), records[2].clone()]);
        let other = StateFile::of(&caches, &folder.path().join("other"));
        assert_eq!(other.read().count(), 0);
        let left = std::fs::read_dir(&caches).unwrap().count();
        assert_eq!(left, 1);
    }
}
